/*
 * Old versions go: thinned with age, all after `keep` (version.c decides which). By the index's table; where that was lost it is first
 * filled again from what lies at the remote, page by page, in the background. Nothing goes in the first minutes of a run, and nothing
 * while the clocks disagree: a wrong clock would take all of them at once (SYNC.md §13, trap 14).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/version.h"

enum {
	PATHS_A_TURN = 64,
	AGAIN_MS = 600000, /* after an error */
};

enum prune_state { PRUNE_REST, PRUNE_LISTING, PRUNE_CLOCK, PRUNE_REMOVING };

struct prune {
	struct folder *folder;
	enum prune_state state;
	struct store_op op;
	bool in_flight;
	void (*op_done)(struct prune *p, const struct err *err);
	struct timer timer; /* the next look; or the next paths of this one */
	char *key;

	/* filling the table */
	struct path_stack
		queue; /* folders still to be listed, below the place of this folder's versions */
	char *at, *token;

	/* one look */
	char *path; /* its versions are being thinned */
	struct index_versions versions;
	struct version_span *spans;
	size_t next, left; /* left: of this path */
	int64_t again_ns, removed;
	const char *said; /* why it may not: said once */
};

static void look_on(struct prune *p);
static void list_next(struct prune *p);

static void path_end(struct prune *p) {
	index_versions_release(&p->versions);
	free(p->spans);
	p->spans = NULL;
	p->next = p->left = 0;
}

static void list_end(struct prune *p) {
	path_stack_release(&p->queue);
	free(p->at);
	free(p->token);
	p->at = p->token = NULL;
}

static int64_t again_ms(const struct prune *p) {
	return p->folder->sync->prune_every_ms < AGAIN_MS ? p->folder->sync->prune_every_ms
							  : AGAIN_MS;
}

/* Back to rest; the next look in `wait_ms`. */
static void rest(struct prune *p, int64_t wait_ms) {
	p->state = PRUNE_REST;
	path_end(p);
	list_end(p);
	free(p->path);
	p->path = NULL;
	timer_start(&p->timer, wait_ms);
}

/* ---- operations ---- */

static void op_ended(struct store_op *op, const struct err *err) {
	struct prune *p = container_of(op, struct prune, op);
	p->in_flight = false;
	folder_wake(p->folder);
	if (p->state == PRUNE_REST) return; /* the folder gave it up meanwhile */
	p->op_done(p, err);
}

static void op_start(struct prune *p, enum store_verb verb, enum store_kind kind, const char *key,
	void (*done)(struct prune *p, const struct err *err)) {
	store_op_release(&p->op);
	if (key != p->key) {
		free(p->key);
		p->key = xstrdup(key);
	}
	store_op_init(&p->op, verb, p->key);
	p->op.kind = kind;
	p->op.done = op_ended;
	p->op_done = done;
	p->in_flight = true;
}

/* ---- what lies at the remote, where the table was lost ---- */

static int version_note(
	struct folder *f, const char *folder, const struct store_entry *entry, struct err *err) {
	char *whole = path_join(folder, entry->name);
	char *path = path_parent(whole);
	struct version_span span;
	struct index_version version = { .bytes = entry->size, .kind = (int)entry->kind };
	int result = 0;
	/* What a person put there is left alone. */
	if (*path && !version_name_parse(path_name(whole), &span)) {
		char *key = folder_key(f, whole);
		version.key = xasprintf("%s/%s", VERSION_PLACE, key);
		version.born_ns = span.born_ns;
		version.ended_ns = span.ended_ns;
		result = index_version_found(f->index, path, &version, err);
		free(version.key);
		free(key);
	}
	free(path);
	free(whole);
	return result;
}

static void page_listed(struct prune *p, const struct err *err) {
	struct folder *f = p->folder;
	struct err failed;
	if (err && err->kind != ERR_NOT_FOUND) {
		log_debug("folder '%s': kept versions are not listed: %s", f->name, err->text);
		/* The same page again; or from the start, when it may be the page's token. */
		if (err->kind == ERR_OFFLINE || err->kind == ERR_BUSY)
			timer_start(&p->timer, again_ms(p));
		else
			rest(p, again_ms(p));
		return;
	}
	for (size_t i = 0; !err && i < p->op.entry_count; i++) {
		const struct store_entry *entry = &p->op.entries[i];
		if (!entry->name || !path_is_plain(entry->name)) continue;
		if (entry->kind == STORE_FOLDER && !p->op.recursive)
			path_stack_push(&p->queue, path_join(p->at, entry->name));
		if (entry->kind != STORE_FILE && entry->kind != STORE_LINK) continue;
		if (version_note(f, p->at, entry, &failed)) {
			folder_index_failed(f, &failed);
			return;
		}
	}
	turn_end_want(&f->turn_end);
	free(p->token);
	p->token = !err && p->op.next_token ? xstrdup(p->op.next_token) : NULL;
	if (!p->token) {
		free(p->at);
		p->at = NULL;
	}
	list_next(p);
}

static void list_next(struct prune *p) {
	struct folder *f = p->folder;
	struct err err;
	if (!p->at) p->at = path_stack_pop(&p->queue);
	if (!p->at) {
		if (index_meta_set(f->index, "versions_listed", "1", &err)) {
			folder_index_failed(f, &err);
			return;
		}
		turn_end_want(&f->turn_end);
		rest(p, 0);
		return;
	}
	char *below = folder_key(f, p->at);
	char *key = path_join(VERSION_PLACE, below);
	op_start(p, STORE_LIST, STORE_FOLDER, key, page_listed);
	free(key);
	free(below);
	p->op.recursive = (f->store->caps & STORE_CAP_FLAT_LIST) != 0;
	p->op.page_token = p->token;
	store_start(f->store, &p->op);
}

/* ---- one look at all versions ---- */

static void look_ended(struct prune *p) {
	struct folder *f = p->folder;
	char text[32];
	struct err err;
	int64_t now = loop_wall_ns(f->loop), wait_ms = f->sync->prune_every_ms;
	snprintf(text, sizeof(text), "%lld", (long long)now);
	if (index_meta_set(f->index, "pruned", text, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	if (p->removed)
		log_info("folder '%s': %lld old versions removed", f->name, (long long)p->removed);
	if (p->removed) folder_changed(f);
	if (p->again_ns != INT64_MAX && (p->again_ns - now) / NS_PER_MS > wait_ms)
		wait_ms = (p->again_ns - now) / NS_PER_MS;
	bool more = p->again_ns != INT64_MAX;
	rest(p, wait_ms);
	if (!more) timer_cancel(&p->timer); /* until another one is kept */
}

/* Folders of versions that hold none any more, from this path's upwards. */
static void folder_emptied(struct prune *p, const struct err *err) {
	size_t root = strlen(VERSION_PLACE) + 1 + strlen(p->folder->remote_key);
	char *parent = path_parent(p->key);
	if (err || strlen(parent) <= root) {
		free(parent);
		look_on(p);
		return;
	}
	op_start(p, STORE_REMOVE, STORE_FOLDER, parent, folder_emptied);
	free(parent);
	store_start(p->folder->store, &p->op);
}

static void version_removed(struct prune *p, const struct err *err) {
	struct folder *f = p->folder;
	const struct index_version *version = &p->versions.rows[p->next];
	struct err failed;
	if (err && err->kind != ERR_NOT_FOUND) {
		log_debug("folder '%s': '%s' is not removed: %s", f->name, version->key, err->text);
		rest(p, again_ms(p));
		return;
	}
	if (index_version_drop(f->index, version, &failed)) {
		folder_index_failed(f, &failed);
		return;
	}
	turn_end_want(&f->turn_end);
	p->removed++;
	p->next++;
	if (--p->left || !(f->store->caps & STORE_CAP_FOLDERS)) {
		look_on(p);
		return;
	}
	char *parent = path_parent(p->key);
	op_start(p, STORE_REMOVE, STORE_FOLDER, parent, folder_emptied);
	free(parent);
	store_start(f->store, &p->op);
}

/* Which of this path's versions go? -1: the index failed. */
static int path_begin(struct prune *p) {
	struct folder *f = p->folder;
	struct index_entry current;
	struct err err;
	int64_t born = VERSION_NONE, now = loop_wall_ns(f->loop);
	int found = index_get(f->index, p->path, false, &current, &err);
	if (found < 0 || index_versions(f->index, p->path, &p->versions, &err)) {
		folder_index_failed(f, &err);
		return -1;
	}
	/* What is not known for sure to have taken its place counts as a deletion: that one stays. */
	if (found && !(current.flags & INDEX_STRANGER) && current.born_ns > 0)
		born = current.born_ns;
	if (found) index_entry_release(&current);
	p->left = p->versions.count;
	p->spans = xcalloc(p->left + 1, sizeof(*p->spans));
	for (size_t i = 0; i < p->left; i++) {
		version_name_parse(path_name(p->versions.rows[i].key), &p->spans[i]);
		p->spans[i].born_ns = p->versions.rows[i].born_ns;
		p->spans[i].ended_ns = p->versions.rows[i].ended_ns;
	}
	int64_t again = version_thin(p->spans, p->left, born, now, f->settings.keep_ms);
	if (again < p->again_ns) p->again_ns = again;
	return 0;
}

static bool may_go_on(const struct folder *f) {
	return f->phase == PHASE_RUNNING && !f->held && !f->paused && !f->judging &&
	       f->settings.keep_ms > 0;
}

static void look_on(struct prune *p) {
	struct folder *f = p->folder;
	struct err err;
	if (!may_go_on(f)) {
		rest(p, again_ms(p));
		return;
	}
	for (int paths = 0;; paths++) {
		while (p->spans && p->next < p->versions.count && !p->spans[p->next].goes)
			p->next++;
		if (p->next < p->versions.count) break;
		path_end(p);
		if (paths == PATHS_A_TURN) {
			timer_start(&p->timer, 0);
			return;
		}
		char *path = NULL;
		int got = index_version_next(f->index, p->path, &path, &err);
		if (got < 0) {
			folder_index_failed(f, &err);
			return;
		}
		if (!got) {
			look_ended(p);
			return;
		}
		free(p->path);
		p->path = path;
		/* Whoever works on it may be keeping one more in this very folder. */
		if (map_get(&f->by_path, path)) {
			p->again_ns = loop_wall_ns(f->loop);
			continue;
		}
		if (path_begin(p)) return;
	}
	const struct index_version *version = &p->versions.rows[p->next];
	op_start(p, STORE_REMOVE, (enum store_kind)version->kind, version->key, version_removed);
	store_start(f->store, &p->op);
}

static void clock_told(struct prune *p, const struct err *err) {
	struct folder *f = p->folder;
	if (err) {
		rest(p, again_ms(p));
		return;
	}
	const char *why = version_prune_forbidden(loop_wall_ns(f->loop), p->op.about.server_ns);
	if (why && why != p->said)
		log_warn("folder '%s': old versions are not removed: %s", f->name, why);
	if (why != p->said) folder_changed(f);
	p->said = why;
	if (why) {
		rest(p, f->sync->prune_every_ms);
		return;
	}
	p->state = PRUNE_REMOVING;
	p->removed = 0;
	p->again_ns = INT64_MAX;
	look_on(p);
}

static void prune_due(struct timer *timer) {
	struct prune *p = container_of(timer, struct prune, timer);
	struct folder *f = p->folder;
	if (p->in_flight) return;
	if (p->state == PRUNE_REMOVING) {
		look_on(p);
		return;
	}
	if (p->state == PRUNE_LISTING) {
		list_next(p);
		return;
	}
	if (!may_go_on(f) || !index_meta_int(f->index, "versions_listed", 0) ||
		!index_totals(f->index).versions) {
		folder_wake(f); /* prune_step begins anew when it may */
		return;
	}
	int64_t young_ms = f->started_ms + f->sync->prune_after_ms - folder_clock_ms(f);
	if (young_ms > 0) {
		timer_start(timer, young_ms);
		return;
	}
	p->state = PRUNE_CLOCK;
	op_start(p, STORE_ABOUT, STORE_FOLDER, f->remote_key, clock_told);
	store_start(f->store, &p->op);
}

/* ---- for the folder ---- */

/* From folder_step, while it runs. */
void prune_step(struct folder *f) {
	struct prune *p = f->prune;
	if (p->state != PRUNE_REST || p->in_flight || !folder_keeps(f) || !may_go_on(f)) return;
	if (!index_meta_int(f->index, "versions_listed", 0)) {
		if (timer_running(&p->timer)) return; /* after an error */
		p->state = PRUNE_LISTING;
		path_stack_push(&p->queue, xstrdup(""));
		list_next(p);
		return;
	}
	if (timer_running(&p->timer) || !index_totals(f->index).versions) return;
	int64_t wait_ms = f->started_ms + f->sync->prune_after_ms - folder_clock_ms(f);
	/* Nothing that was kept a moment ago can go. */
	if (wait_ms < f->sync->prune_every_ms && index_meta_int(f->index, "pruned", 0))
		wait_ms = f->sync->prune_every_ms;
	timer_start(&p->timer, wait_ms > 0 ? wait_ms : 0);
}

/* `keep` is another one. */
void prune_again(struct folder *f) {
	if (f->prune->state == PRUNE_REST) timer_cancel(&f->prune->timer);
	folder_wake(f);
}

void prune_stop(struct folder *f) {
	struct prune *p = f->prune;
	rest(p, 0);
	timer_cancel(&p->timer);
	if (p->in_flight) store_cancel(f->store, &p->op);
}

bool prune_is_busy(const struct folder *f) {
	return f->prune->in_flight;
}

const char *prune_trouble(const struct folder *f) {
	return f->prune->said;
}

void prune_new(struct folder *f) {
	struct prune *p = xcalloc(1, sizeof(*p));
	p->folder = f;
	f->prune = p;
	timer_init(&p->timer, f->loop, prune_due);
	store_op_init(&p->op, STORE_ABOUT, "");
}

void prune_free(struct folder *f) {
	struct prune *p = f->prune;
	if (!p) return;
	timer_cancel(&p->timer);
	path_end(p);
	list_end(p);
	store_op_release(&p->op);
	free(p->path);
	free(p->key);
	free(p);
}
