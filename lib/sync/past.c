/*
 * What stood at a folder's remote at a time. The remote is asked for what stands there now and for what was kept; both are gathered in a
 * scratch index, which then is walked in order: memory stays flat, however much it is.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/internal.h"
#include "sync/past.h"

static void list_next(struct past *p);

void past_finish(struct past *p, const struct err *err) {
	p->state = PAST_READY;
	list_remove(&p->link);
	struct folder *folder = p->folder;
	p->folder = NULL;
	p->store = NULL;
	if (folder) folder_wake(folder);
	p->done(p, p->user, err);
}

static void op_ended(struct store_op *op, const struct err *err) {
	struct past *p = container_of(op, struct past, op);
	struct err failed = { .kind = ERR_NONE };
	p->in_flight = false;
	if (p->cancelled)
		err_set(&failed, ERR_CANCELLED, "cancelled");
	else if (p->op_done(p, err, &failed) == 0)
		return;
	past_finish(p, &failed);
}

void past_op_start(struct past *p, enum store_verb verb, enum store_kind kind, const char *key,
	past_op_done *done) {
	store_op_release(&p->op);
	free(p->key);
	p->key = xstrdup(key);
	store_op_init(&p->op, verb, p->key);
	p->op.kind = kind;
	p->op.done = op_ended;
	p->op_done = done;
	p->in_flight = true;
}

/* ---- into the scratch index ---- */

/* Since when, as the folder's own index knows: what it agreed on is what was listed. */
static int64_t born_of(struct past *p, const char *path, const struct store_entry *remote) {
	struct index_entry base;
	struct err err;
	int64_t born = 0;
	struct index *known = p->folder ? p->folder->index : p->known;
	if (!known || index_get(known, path, false, &base, &err) != 1) return 0;
	if (!(base.flags & INDEX_STRANGER) && str_equal(base.version, remote->version))
		born = base.born_ns;
	index_entry_release(&base);
	return born;
}

/* A folder that nobody listed: it is there, or was, by what lies in it. */
int past_parents_put(struct past *p, const char *path, unsigned flags, struct err *err) {
	struct index_entry entry = { .kind = INDEX_FOLDER,
		.flags = flags,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN };
	char *parent = path_parent(path);
	int result = 0, found = *parent ? index_has_folder(p->work, parent, err) : 1;
	if (found < 0 || (!found && (past_parents_put(p, parent, flags, err) ||
					    index_put(p->work, parent, &entry, err))))
		result = -1;
	free(parent);
	return result;
}

/* As the folder's own index knows it: a flat list tells nothing of what a marker says. */
static int folder_mode(struct past *p, const char *path) {
	struct index_entry base;
	struct err err;
	struct index *known = p->folder ? p->folder->index : p->known;
	int mode = STORE_MODE_UNKNOWN;
	if (!known || index_get(known, path, true, &base, &err) != 1) return mode;
	if (!(base.flags & INDEX_STRANGER) && base.mode >= 0) mode = base.mode & 0777;
	index_entry_release(&base);
	return mode;
}

static int current_put(
	struct past *p, const char *path, const struct store_entry *remote, struct err *err) {
	bool folder = remote->kind == STORE_FOLDER;
	struct index_entry entry = { .kind = folder                       ? INDEX_FOLDER
					     : remote->kind == STORE_LINK ? INDEX_LINK
									  : INDEX_FILE,
		.size = remote->size,
		.mtime_ns = remote->mtime_ns,
		.mode = remote->mode,
		.born_ns = folder ? 0 : born_of(p, path, remote) };
	if (folder && entry.mode == STORE_MODE_UNKNOWN) entry.mode = folder_mode(p, path);
	/* What was written before that time, and here already, stood there then. */
	bool newer = remote->mtime_ns > p->at_ns || entry.born_ns > p->at_ns;
	if (p->store->revisions_each && remote->kind == STORE_FILE && (newer || p->versions_of))
		path_stack_push(&p->written, xstrdup(path));
	if (folder && entry.mode == STORE_MODE_UNKNOWN && remote->marker && p->recursive)
		path_stack_push(&p->marked, xstrdup(path));
	return past_parents_put(p, path, 0, err) ? -1 : index_put(p->work, path, &entry, err);
}

static int version_put(
	struct past *p, const char *whole, const struct store_entry *remote, struct err *err) {
	struct version_span span;
	struct index_entry ghost = { .kind = remote->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE,
		.flags = PAST_GONE },
			   old;
	char *path = path_parent(whole);
	int result = 0;
	if (*path && !version_name_parse(path_name(whole), &span)) {
		struct index_version version = { .born_ns = span.born_ns,
			.ended_ns = span.ended_ns,
			.bytes = remote->size,
			.kind = (int)remote->kind,
			.key = (char *)path_name(whole) };
		int found = index_get(p->work, path, false, &old, err);
		if (found == 1) index_entry_release(&old);
		if (found < 0 ||
			(!found && (past_parents_put(p, path, PAST_GONE, err) ||
					   index_put(p->work, path, &ghost, err))) ||
			index_version_found(p->work, path, &version, err))
			result = -1;
	}
	free(path);
	return result;
}

/* ---- listing: what stands there now, then what was kept ---- */

static int page_put(struct past *p, struct err *err) {
	for (size_t i = 0; i < p->op.entry_count; i++) {
		const struct store_entry *entry = &p->op.entries[i];
		if (entry->kind == STORE_OTHER || !entry->name || !path_is_plain(entry->name))
			continue;
		char *path = path_join(p->at, entry->name);
		bool folder = entry->kind == STORE_FOLDER,
		     own = path_is_within(path, ".tend") && !*p->remote_key;
		int failed = 0;
		if (folder && !p->op.recursive && !own && !p->shallow)
			path_stack_push(&p->queue, xstrdup(path));
		if (p->state == PAST_VERSIONS)
			failed = folder ? 0 : version_put(p, path, entry, err);
		else if (!own)
			failed = current_put(p, path, entry, err);
		if (folder && !own && p->state == PAST_CURRENT) past_bereft(p, path);
		free(path);
		if (failed) return -1;
	}
	return index_commit(p->work, false, err);
}

static int page_listed(struct past *p, const struct err *err, struct err *failed) {
	/* ENOTDIR: the folder that is listed is a file. */
	if (err && err->kind != ERR_NOT_FOUND && err->kind != ERR_INVALID) {
		*failed = *err;
		return -1;
	}
	if (!err && page_put(p, failed)) return -1;
	free(p->token);
	p->token = !err && p->op.next_token ? xstrdup(p->op.next_token) : NULL;
	if (!p->token) {
		free(p->at);
		p->at = NULL;
	}
	list_next(p);
	return 0;
}

static bool marker_next(struct past *p);
static void list_ended(struct past *p);

/* The first contact listed no mode of it. */
static int known_mode_put(struct past *p, struct err *err) {
	struct folder *f = p->folder;
	struct index_entry row;
	int got = index_get(p->work, p->at, true, &row, err);
	if (got == 1) {
		row.mode = p->op.entry.mode;
		row.mtime_ns = p->op.entry.mtime_ns;
		got = index_put_again(p->work, p->at, &row, err);
		index_entry_release(&row);
	}
	turn_end_want(&f->turn_end);
	if (got < 0) folder_index_failed(f, err);
	return got < 0 ? -1 : 0;
}

static int marker_looked_at(struct past *p, const struct err *err, struct err *failed) {
	/* Gone since it was listed. */
	bool absent = err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID);
	if (err && !absent) {
		*failed = *err;
		return -1;
	}
	p->op.entry.marker = false; /* asked once, whatever it said */
	if (!absent && p->op.entry.kind == STORE_FOLDER &&
		(p->borrowed ? known_mode_put(p, failed)
			     : current_put(p, p->at, &p->op.entry, failed) ||
					index_commit(p->work, false, failed)))
		return -1;
	free(p->at);
	p->at = NULL;
	if (!marker_next(p)) list_ended(p);
	return 0;
}

/* false: there is no more. */
static bool marker_next(struct past *p) {
	p->at = path_stack_pop(&p->marked);
	if (!p->at) return false;
	char *key = path_join(p->remote_key, p->at);
	past_op_start(p, STORE_STAT, STORE_FOLDER, key, marker_looked_at);
	free(key);
	store_start(p->store, &p->op);
	return true;
}

static void list_ended(struct past *p) {
	if (p->state == PAST_CURRENT) {
		p->state = PAST_MARKERS;
		if (marker_next(p)) return;
	}
	if (p->state == PAST_MARKERS && p->at_ns != PAST_NOW) {
		p->state = PAST_VERSIONS;
		path_stack_push(&p->queue, xstrdup(p->path));
		list_next(p);
		return;
	}
	if (p->state == PAST_VERSIONS && (p->store->caps & STORE_CAP_REVISIONS)) {
		p->state = PAST_REVISIONS;
		char *parent = *p->path ? path_parent(p->path) : NULL;
		if (parent) past_bereft(p, parent);
		if (!p->versions_of) past_bereft(p, p->path);
		free(parent);
		past_revisions_next(p);
		return;
	}
	past_finish(p, NULL);
}

static void list_next(struct past *p) {
	if (!p->at) p->at = path_stack_pop(&p->queue);
	if (!p->at) {
		list_ended(p);
		return;
	}
	char *key = path_join(p->remote_key, p->at);
	if (p->state == PAST_VERSIONS) {
		char *below = key;
		key = path_join(VERSION_PLACE, below);
		free(below);
	}
	past_op_start(p, STORE_LIST, STORE_FOLDER, key, page_listed);
	free(key);
	p->op.recursive = (p->store->caps & STORE_CAP_FLAT_LIST) && !p->shallow;
	p->op.page_token = p->token;
	store_start(p->store, &p->op);
}

/* ---- the path that was asked for: a file, a link, or a folder ---- */

static void stat_start(struct past *p, enum store_kind kind);

static int path_looked_at(struct past *p, const struct err *err, struct err *failed) {
	bool absent = err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID);
	if (err && !absent) {
		*failed = *err;
		return -1;
	}
	if (absent && p->op.kind == STORE_FILE && !(p->store->caps & STORE_CAP_FOLDERS)) {
		stat_start(p, STORE_LINK);
		return 0;
	}
	if (!absent && current_put(p, p->path, &p->op.entry, failed)) return -1;
	if (p->versions_of) p->state = PAST_VERSIONS;
	path_stack_push(&p->queue, xstrdup(p->path));
	list_next(p);
	return 0;
}

static void stat_start(struct past *p, enum store_kind kind) {
	char *key = path_join(p->remote_key, p->path);
	past_op_start(p, STORE_STAT, kind, key, path_looked_at);
	free(key);
	store_start(p->store, &p->op);
}

/* The path itself, should it be a folder, and those it lies in. */
static int way_note(struct past *p, struct err *err) {
	for (const char *at = p->path; at; at = strchr(at, '/')) {
		at += *at == '/';
		size_t length = strcspn(at, "/") + (size_t)(at - p->path);
		char *folder = xstrndup(p->path, length);
		struct store_entry known = { .kind = STORE_FOLDER,
			.mtime_ns = STORE_MTIME_UNKNOWN,
			.mode = folder_mode(p, folder) };
		int rc = 0;
		if (known.mode == STORE_MODE_UNKNOWN)
			path_stack_push(&p->marked, xstrdup(folder));
		else
			rc = current_put(p, folder, &known, err);
		free(folder);
		if (rc) return -1;
	}
	return index_commit(p->work, false, err);
}

/* ---- life ---- */

static void scratch_remove(const char *scratch) {
	static const char *const sides[] = { "", "-wal", "-shm" };
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		char *path = xasprintf("%s%s", scratch, sides[i]);
		unlink(path);
		free(path);
	}
}

struct past *past_start(const struct past_options *options,
	void (*done)(struct past *past, void *user, const struct err *err), void *user,
	struct err *err) {
	if (*options->path && !path_is_plain(options->path)) {
		err_set(err, ERR_INVALID, "'%s' is no path inside the folder", options->path);
		return NULL;
	}
	scratch_remove(options->scratch); /* what a crash left */
	struct index *work = index_open(options->scratch, err);
	if (!work) return NULL;
	struct past *p = xcalloc(1, sizeof(*p));
	p->loop = options->loop;
	p->store = options->store;
	p->folder = options->folder;
	p->work = work;
	/* One that cannot be read only knows less. */
	if (options->index_path) p->known = index_open(options->index_path, err);
	p->scratch = xstrdup(options->scratch);
	p->remote_key = xstrdup(options->remote_key);
	p->path = xstrdup(options->path);
	p->at_ns = options->at_ns;
	p->recursive = options->recursive;
	p->way = options->way && options->recursive && *options->path;
	p->versions_of = options->versions;
	/* One level is enough where nothing has to be known of what lies deeper. */
	p->shallow = options->versions || (options->at_ns == PAST_NOW && !options->recursive);
	p->done = done;
	p->user = user;
	list_init(&p->link);
	store_op_init(&p->op, STORE_STAT, "");
	if (p->way && way_note(p, err)) {
		past_free(p);
		return NULL;
	}
	if (p->folder) list_add_tail(&p->folder->pasts, &p->link);
	p->state = PAST_CURRENT;
	if (*p->path) {
		stat_start(p, STORE_FILE);
	} else {
		path_stack_push(&p->queue, xstrdup(""));
		list_next(p);
	}
	return p;
}

struct past *past_known(const struct past_options *options, struct path_stack *marked,
	void (*done)(struct past *past, void *user, const struct err *err), void *user) {
	struct past *p = xcalloc(1, sizeof(*p));
	p->loop = options->loop;
	p->store = options->store;
	p->folder = options->folder;
	p->work = p->folder->index;
	p->borrowed = true;
	p->remote_key = xstrdup(options->remote_key);
	p->path = xstrdup("");
	p->at_ns = PAST_NOW;
	p->recursive = true;
	p->done = done;
	p->user = user;
	list_init(&p->link);
	store_op_init(&p->op, STORE_STAT, "");
	p->marked = *marked;
	*marked = (struct path_stack){ 0 };
	p->state = PAST_MARKERS;
	if (marker_next(p)) {
		list_add_tail(&p->folder->pasts, &p->link);
		return p;
	}
	p->state = PAST_READY;
	p->folder = NULL;
	p->store = NULL;
	return p;
}

bool past_is_ready(const struct past *p) {
	return p->state == PAST_READY;
}

void past_cancel(struct past *p) {
	if (p->state == PAST_READY || p->cancelled) return;
	p->cancelled = true;
	if (p->in_flight) store_cancel(p->store, &p->op);
}

void past_free(struct past *p) {
	if (!p) return;
	past_walk_release(p);
	store_op_release(&p->op);
	path_stack_release(&p->queue);
	path_stack_release(&p->marked);
	path_stack_release(&p->written);
	path_stack_release(&p->bereft);
	if (!p->borrowed) {
		index_close(p->work);
		scratch_remove(p->scratch);
	}
	index_close(p->known);
	free(p->scratch);
	free(p->remote_key);
	free(p->path);
	free(p->key);
	free(p->at);
	free(p->token);
	free(p->newer_path);
	free(p);
}

/* ---- for a folder ---- */

void folder_past(struct folder *f, struct past_options *options) {
	options->loop = f->loop;
	options->store = f->store;
	options->remote_key = f->remote_key;
	options->folder = f;
	options->scratch = xasprintf(
		"%s/folders/%s.past-%u", f->sync->state_dir, f->name, f->next_past++ % 1000);
}

void past_options_release(struct past_options *options) {
	free((char *)options->scratch);
	options->scratch = NULL;
}

void past_folder_closes(struct folder *f) {
	list_each(&f->pasts, link) past_cancel(list_entry(link, struct past, link));
	past_fetches_end(f);
	restore_folder_stops(f);
}

bool past_is_busy(const struct folder *f) {
	return !list_empty(&f->pasts) || !list_empty(&f->fetches) || !list_empty(&f->restores);
}
