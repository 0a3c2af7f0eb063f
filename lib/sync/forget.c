/*
 * What the rules leave out since it was stored is forgotten: the remote keeps it, nobody looks after
 * it, and it is counted (SYNC.md §8). A person may have it counted no longer, or removed at the
 * remote, in mode `backup` with a version kept like of any other deletion; that goes on after a
 * restart.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/version.h"

enum { AGAIN_MS = 30000 };

struct forget {
	struct folder *folder;
	struct store_op op;
	struct submit submit; /* of an id that `op` makes something with */
	bool in_flight, given_up;
	struct timer timer; /* after an error */
	struct index_forgotten row;
	char *key, *keep_key;
	struct index_forgotten_sum sum;
	bool stale; /* the sum is */
};

static bool index_good(struct folder *f, int failed, const struct err *err) {
	if (!failed) return true;
	folder_index_failed(f, err);
	return false;
}

static void row_end(struct forget *g) {
	index_forgotten_release(&g->row);
	free(g->key);
	free(g->keep_key);
	g->key = g->keep_key = NULL;
}

static const struct index_forgotten_sum *sum_of(struct folder *f) {
	struct forget *g = f->forget;
	struct err err;
	if (g->stale && index_good(f, index_forgotten_sum(f->index, &g->sum, &err), &err))
		g->stale = false;
	return &g->sum;
}

bool forget_note(struct folder *f, const char *path, const struct index_entry *entry) {
	struct err err;
	f->forget->stale = true;
	return index_good(f, index_forgotten_add(f->index, path, entry, false, &err), &err);
}

bool forget_remove(struct folder *f, const char *path, const struct index_entry *entry) {
	struct err err;
	f->forget->stale = true;
	return index_good(f,
		index_forgotten_add(f->index, path, entry, true, &err) ||
			index_drop(f->index, path, entry->kind == INDEX_FOLDER, &err),
		&err);
}

bool forget_agreed(struct folder *f, const char *path) {
	struct err err;
	struct forget *g = f->forget;
	const struct index_forgotten_sum *sum = sum_of(f);
	if (!sum->files && !sum->folders) return true;
	g->stale = true;
	return index_good(f, index_forgotten_drop(f->index, path, &err), &err);
}

/* ---- removing at the remote ---- */

static void removed(struct store_op *op, const struct err *err) {
	struct forget *g = container_of(op, struct forget, op);
	struct folder *f = g->folder;
	struct err failed;
	g->in_flight = false;
	submit_drop(f, &g->submit);
	folder_wake(f);
	if (g->given_up || f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) {
		row_end(g);
		return;
	}
	/* Somebody else's by now, or something that is not ours lies in it: it stays there. */
	bool theirs = err && (err->kind == ERR_CHANGED || (err->kind == ERR_BUSY && err->sys));
	if (err && !theirs && err->kind != ERR_NOT_FOUND) {
		log_info("folder '%s': '%s' is not removed yet: %s", f->name, g->row.path,
			err->text);
		row_end(g);
		timer_start(&g->timer, AGAIN_MS);
		return;
	}
	if (theirs)
		log_warn("folder '%s': '%s' is left at the remote: %s", f->name, g->row.path,
			err->text);
	else
		f->removed++;
	bool kept = !err && op->kept;
	if (g->keep_key &&
		!index_good(f, index_version_settle(f->index, g->row.path, kept, &failed), &failed))
		return;
	g->stale = true;
	if (!index_good(f, index_forgotten_drop(f->index, g->row.path, &failed), &failed)) return;
	turn_end_want(&f->turn_end);
	folder_wrote(f);
	row_end(g);
}

static bool keep_intend(struct forget *g) {
	struct folder *f = g->folder;
	char name[VERSION_NAME_SIZE];
	struct err err;
	int64_t now = loop_wall_ns(f->loop), born = g->row.born_ns > 0 ? g->row.born_ns : now;
	if (!folder_keeps(f) || g->row.kind == INDEX_FOLDER) return true;
	version_name(
		&(struct version_span){ .born_ns = born, .ended_ns = now, .deleted = true }, name);
	struct index_version version = { .born_ns = born,
		.ended_ns = now,
		.bytes = g->row.bytes,
		.kind = (int)g->op.kind,
		.key = xasprintf("%s/%s/%s", VERSION_PLACE, g->key, name) };
	g->keep_key =
		index_version_intend(f->index, g->row.path, &version, &g->op.keep_fresh, &err);
	free(version.key);
	g->op.keep_key = g->keep_key;
	g->op.copied_size = g->row.bytes;
	/* On the disk before the operation begins: a repeat makes no second version. */
	return index_good(f, g->keep_key == NULL || polling_commit(f, true, &err), &err);
}

static void go_on(struct submit *submit) {
	store_go_on(&container_of(submit, struct forget, submit)->op);
}

/* The folders of its version. */
static void making(struct store_op *op, const char *place, bool implied, const char *id) {
	struct forget *g = container_of(op, struct forget, op);
	(void)implied;
	g->submit.start = go_on;
	intent_making_note(g->folder, "", place, id, &g->submit);
}

static void remove_start(struct forget *g) {
	struct folder *f = g->folder;
	store_op_release(&g->op);
	g->key = folder_key(f, g->row.path);
	store_op_init(&g->op, STORE_REMOVE, g->key);
	g->op.kind = g->row.kind == INDEX_FOLDER ? STORE_FOLDER
		     : g->row.kind == INDEX_LINK ? STORE_LINK
						 : STORE_FILE;
	if (g->row.kind != INDEX_FOLDER) g->op.if_version = g->row.version;
	g->op.done = removed;
	g->op.making = making;
	if (!keep_intend(g)) {
		row_end(g);
		return;
	}
	g->in_flight = true;
	store_start(f->store, &g->op);
}

void forget_step(struct folder *f) {
	struct forget *g = f->forget;
	struct err err;
	if (!strangers_step(f)) return;
	if (g->in_flight || timer_running(&g->timer) || f->held || f->paused || f->judging ||
		!sum_of(f)->removing)
		return;
	g->given_up = false;
	row_end(g);
	int got = index_forgotten_next(f->index, &g->row, &err);
	if (!index_good(f, got < 0, &err) || got == 0) return;
	/* Agreed again, by its own transfer: that one drops it from the list. */
	if (map_get(&f->by_path, g->row.path)) {
		row_end(g);
		timer_start(&g->timer, AGAIN_MS / 10);
		return;
	}
	remove_start(g);
}

/* ---- for the folder, and for people ---- */

int folder_forget(struct folder *f, int64_t upto, bool remote, struct err *err) {
	if (f->phase != PHASE_RUNNING)
		return err_set(err, ERR_BUSY, "folder '%s' is %s: try again when it runs", f->name,
			folder_phase_name(f));
	if (index_forgotten_settle(f->index, upto, remote, err)) return -1;
	f->forget->stale = true;
	f->commit_now = true;
	turn_end_want(&f->turn_end);
	folder_changed(f);
	folder_wake(f);
	return 0;
}

void forget_status(struct folder *f, struct folder_status *status) {
	const struct index_forgotten_sum *sum = sum_of(f);
	status->forgotten_files = sum->files;
	status->forgotten_folders = sum->folders;
	status->forgotten_bytes = sum->bytes;
	status->forgotten_upto = sum->newest;
	status->forgotten_removing = sum->removing;
}

size_t folder_forgotten(struct folder *f, size_t limit, struct folder_deletion **list) {
	struct index_forgotten *rows = NULL;
	size_t count = 0;
	struct err err;
	*list = NULL;
	if (index_forgotten_list(f->index, limit, &rows, &count, &err)) return 0;
	*list = xcalloc(count + 1, sizeof(**list));
	for (size_t i = 0; i < count; i++) {
		(*list)[i] = (struct folder_deletion){ .path = xstrdup(rows[i].path),
			.folder = rows[i].kind == INDEX_FOLDER,
			.bytes = rows[i].bytes };
		index_forgotten_release(&rows[i]);
	}
	free(rows);
	return count;
}

static void again(struct timer *timer) {
	folder_wake(container_of(timer, struct forget, timer)->folder);
}

void forget_stop(struct folder *f) {
	struct forget *g = f->forget;
	timer_cancel(&g->timer);
	g->given_up = true;
	g->stale = true;
	if (g->in_flight)
		store_cancel(f->store, &g->op);
	else
		row_end(g);
}

bool forget_is_busy(const struct folder *f) {
	return f->forget->in_flight;
}

void forget_new(struct folder *f) {
	struct forget *g = xcalloc(1, sizeof(*g));
	g->folder = f;
	g->stale = true;
	f->forget = g;
	timer_init(&g->timer, f->loop, again);
	list_init(&g->submit.link);
	store_op_init(&g->op, STORE_ABOUT, "");
}

void forget_free(struct folder *f) {
	struct forget *g = f->forget;
	if (!g) return;
	timer_cancel(&g->timer);
	row_end(g);
	store_op_release(&g->op);
	free(g);
	f->forget = NULL;
}
