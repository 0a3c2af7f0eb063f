/*
 * What spares a poll its lists. Where a store tells what has changed since a token (STORE_CHANGES), a poll asks that, one request where it
 * is nothing, and goes by what it is told: contents, new files, files that went or got another name. A folder that came, went or moved
 * brings things along that nobody tells of, so that everything is compared then. Where a folder's version moves with all that lies below
 * (deep_versions), lists are asked for only where one moved, and for none while the root's stands.
 *
 * What is known of the remote is also in the index (polling_token.c), of folders' versions that of the root alone. When the rules have
 * changed, and for verify, all is compared. Whatever a poll could not look at to its end makes the next one compare all as well.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/polling.h"

/* ---- versions of folders: 16 bytes for each ---- */

static uint64_t text_hash(const char *text) {
	uint64_t hash = 14695981039346656037ULL;
	for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return hash;
}

static int compare_known(const void *left, const void *right) {
	const struct polling_known *a = left, *b = right;
	return a->path < b->path ? -1 : a->path > b->path;
}

void polling_note(struct polling *p, const char *path, const char *version) {
	struct polling_versions *fresh = &p->fresh;
	if (!p->folder->store->deep_versions || !version) return;
	if (fresh->count == fresh->cap) {
		fresh->cap = fresh->cap ? fresh->cap * 2 : 64;
		fresh->at = xrealloc(fresh->at, fresh->cap * sizeof(*fresh->at));
	}
	fresh->at[fresh->count++] =
		(struct polling_known){ .path = text_hash(path), .version = text_hash(version) };
}

bool polling_knows(const struct polling *p, const char *path, const char *version) {
	struct polling_known key = { .path = text_hash(path) };
	if (p->whole_now || !version || !p->known.count || !p->folder->store->deep_versions)
		return false;
	const struct polling_known *known =
		bsearch(&key, p->known.at, p->known.count, sizeof(key), compare_known);
	return known && known->version == text_hash(version);
}

/* Those that were not gone into keep what is known of them, and of all below. */
static void versions_join(struct polling *p) {
	struct polling_versions *known = &p->known, *fresh = &p->fresh;
	if (fresh->count) qsort(fresh->at, fresh->count, sizeof(*fresh->at), compare_known);
	size_t fresh_count = fresh->count;
	for (size_t i = 0; i < known->count && !p->whole_now; i++) {
		bool renewed = fresh_count && bsearch(&known->at[i], fresh->at, fresh_count,
						      sizeof(*fresh->at), compare_known);
		if (renewed) continue;
		if (fresh->count == fresh->cap) {
			fresh->cap = fresh->cap ? fresh->cap * 2 : 64;
			fresh->at = xrealloc(fresh->at, fresh->cap * sizeof(*fresh->at));
		}
		fresh->at[fresh->count++] = known->at[i];
	}
	if (fresh->count) qsort(fresh->at, fresh->count, sizeof(*fresh->at), compare_known);
	free(known->at);
	*known = *fresh;
	*fresh = (struct polling_versions){ 0 };
}

/* ---- what is known over more than one poll ---- */

void polling_forget(struct polling *p) {
	free(p->changes);
	free(p->root_version);
	p->changes = p->root_version = NULL;
	strv_free(p->above);
	p->above = NULL;
	free(p->known.at);
	p->known = (struct polling_versions){ 0 };
}

bool polling_remember(struct polling *p) {
	if (p->again) {
		polling_forget(p);
		return polling_token_drop(p);
	}
	if (p->changes_next) {
		free(p->changes);
		p->changes = p->changes_next;
		p->changes_next = NULL;
	}
	free(p->root_version);
	p->root_version = p->root_next;
	p->root_next = NULL;
	if (p->fresh.count) versions_join(p);
	return polling_token_keep(p);
}

void polling_ask_release(struct polling *p) {
	free(p->changes_next);
	free(p->root_next);
	p->changes_next = p->root_next = NULL;
	free(p->fresh.at);
	p->fresh = (struct polling_versions){ 0 };
	map_release(&p->skipped);
	map_init(&p->skipped);
	p->again = false;
	p->gone = 0;
}

/* ---- asking ---- */

static void ask(struct polling *p, enum store_verb verb, char *key,
	void (*done)(struct store_op *op, const struct err *err)) {
	store_op_release(&p->op);
	free(p->key);
	p->key = key;
	store_op_init(&p->op, verb, p->key);
	p->op.kind = STORE_FOLDER;
	p->op.done = done;
	p->in_flight = true;
	p->state = POLLING_ASKING;
}

/* True: `err` is NULL, or says that it is not there. Else this poll is over. */
static bool answered(struct polling *p, const struct err *err) {
	struct folder *f = p->folder;
	p->in_flight = false;
	folder_wake(f);
	if (p->state != POLLING_ASKING) return false; /* the folder gave it up meanwhile */
	bool failed = err && err->kind != ERR_NOT_FOUND;
	if (!failed && polling_may_go_on(f)) {
		folder_turn(f);
		return true;
	}
	polling_rest(p, 0);
	p->due = true;
	if (failed) folder_hold(f, err);
	return false;
}

/* ---- what has changed? ---- */

/* 1: one path, the caller's; 0; 2: more than one; -1. */
static int find(struct polling *p, const char *id, bool folder, char **path, struct err *err) {
	char **paths;
	*path = NULL;
	if (!id) return 0;
	if (index_find_id(p->folder->index, id, folder, 2, &paths, err)) return -1;
	int count = !paths ? 0 : !paths[1] ? 1 : 2;
	if (count == 1) *path = xstrdup(paths[0]);
	strv_free(paths);
	return count;
}

/* Of one change: where is it by the index, and where is it now? NULL: nowhere that is ours. */
struct change {
	char *then, *now;
	bool was_folder;
};

static void change_release(struct change *c) {
	free(c->then);
	free(c->now);
}

/* The id of the folder itself at the remote; NULL: not known. */
static const char *root_id(const struct polling *p) {
	const char *id = NULL;
	for (char **at = p->above; at && *at; at++) id = *at;
	return id;
}

static int place_now(
	struct polling *p, const struct store_entry *entry, struct change *c, struct err *err) {
	const char *root = root_id(p);
	char *parent = NULL;
	if (entry->gone || !entry->name || !entry->parent_id) return 0;
	int found = 1;
	if (root && str_equal(entry->parent_id, root))
		parent = xstrdup("");
	else
		found = find(p, entry->parent_id, true, &parent, err);
	if (found == 1) c->now = path_join(parent, entry->name);
	free(parent);
	bool tends = c->now && !*p->folder->remote_key && path_is_within(c->now, ".tend");
	bool skipped = entry->kind == STORE_OTHER ||
		       (entry->kind == STORE_LINK && transfer_skips_links(p->folder));
	if (tends || skipped) {
		free(c->now);
		c->now = NULL;
	}
	return found;
}

/* Another thing is known by this name already. 1, 0, -1. */
static int is_taken(struct polling *p, const char *path, struct err *err) {
	struct index_entry row;
	for (int folder = 0; folder < 2; folder++) {
		int got = index_get(p->folder->index, path, folder, &row, err);
		if (got == 1) index_entry_release(&row);
		if (got) return got;
	}
	return 0;
}

/* Nothing that was agreed has its id: what was told of it last may stand as news of something else's row, and be over now. */
static int was_news(struct polling *p, const struct store_entry *entry, struct err *err) {
	int got = index_news_has_id(p->folder->index, entry->id, err);
	return got < 0 ? -1 : !got;
}

/* 1: it can be gone by; 0: it cannot, all is to be compared; -1. */
static int change_judge(
	struct polling *p, const struct store_entry *entry, struct change *c, struct err *err) {
	for (char **id = p->above; id && *id; id++)
		if (str_equal(*id, entry->id)) return 0;
	int found = find(p, entry->id, false, &c->then, err);
	if (found == 0) {
		found = find(p, entry->id, true, &c->then, err);
		c->was_folder = found == 1;
	}
	if (found < 0 || found > 1) return found < 0 ? -1 : 0;
	found = place_now(p, entry, c, err);
	if (found < 0 || found > 1) return found < 0 ? -1 : 0;
	if (!c->then && !c->now) return was_news(p, entry, err);
	bool same = c->then && c->now && str_equal(c->then, c->now);
	if (c->was_folder || entry->kind == STORE_FOLDER)
		return same && c->was_folder && entry->kind == STORE_FOLDER;
	if (!c->now || same) return 1;
	int taken = is_taken(p, c->now, err);
	return taken < 0 ? -1 : !taken;
}

static bool leaves(const struct change *c) {
	return c->then && !(c->now && str_equal(c->then, c->now));
}

/* False: the index failed. */
static bool change_go_by(struct polling *p, const struct store_entry *entry, struct change *c) {
	struct folder *f = p->folder;
	struct index_entry row;
	struct err err;
	if (leaves(c)) {
		struct transfer *t = map_get(&f->by_path, c->then);
		if (t) t->left_there |= t->state == TRANSFER_OPERATING;
		int got = index_get(f->index, c->then, false, &row, &err);
		if (!polling_good(f, got, &err)) return false;
		bool went_on = got == 0 || polling_is_ours_now(p, c->then) ||
			       polling_missing(p, c->then, &row);
		p->again |= got == 1 && polling_is_ours_now(p, c->then);
		if (got == 1) index_entry_release(&row);
		if (!went_on) return false;
	}
	return !c->now || polling_told(p, c->now, entry);
}

/* Would nothing be left of what is agreed? A person is asked then, which the walk sees to. */
static bool empties(const struct polling *p) {
	struct index_totals totals = index_totals(p->folder->index);
	return p->gone && p->gone >= totals.files + totals.links;
}

/* 1, 0: all is to be compared; -1: the index failed, or all is over. */
static int page_look(struct polling *p) {
	for (size_t i = 0; i < p->op.entry_count; i++) {
		const struct store_entry *entry = &p->op.entries[i];
		struct change c = { 0 };
		struct err err;
		int judged = entry->id ? change_judge(p, entry, &c, &err) : 0;
		p->gone += judged == 1 && leaves(&c) && !c.now;
		change_release(&c);
		if (!polling_good(p->folder, judged, &err)) return -1;
		if (judged != 1) return 0;
	}
	return !empties(p);
}

/* The same, and what is told is noted. */
static int page_go_by(struct polling *p) {
	int looked = page_look(p);
	if (looked != 1) return looked;
	for (size_t i = 0; i < p->op.entry_count; i++) {
		const struct store_entry *entry = &p->op.entries[i];
		struct change c = { 0 };
		struct err err;
		int judged = entry->id ? change_judge(p, entry, &c, &err) : 0;
		bool good = polling_good(p->folder, judged, &err) &&
			    (judged != 1 || change_go_by(p, entry, &c));
		change_release(&c);
		if (!good) return -1;
		if (judged != 1) return 0;
	}
	return 1;
}

static void changes_ask(struct polling *p);
static void walk_prepare(struct polling *p);

static void changes_came(struct store_op *op, const struct err *err) {
	struct polling *p = container_of(op, struct polling, op);
	if (!answered(p, err)) return;
	int went_on = err ? 0 : page_go_by(p); /* err: a token that is known no more */
	if (went_on < 0) return;
	if (!went_on) {
		p->whole_now = true;
		walk_prepare(p);
		return;
	}
	free(p->changes);
	p->changes = xstrdup(op->next_token);
	if (op->complete)
		polling_ended(p);
	else
		changes_ask(p);
}

static void changes_ask(struct polling *p) {
	ask(p, STORE_CHANGES, NULL, changes_came);
	p->op.page_token = p->changes;
	store_start(p->folder->store, &p->op);
}

/* ---- before a walk: what it may go by the next time ---- */

static void token_came(struct store_op *op, const struct err *err) {
	struct polling *p = container_of(op, struct polling, op);
	if (!answered(p, err)) return;
	if (!err) p->changes_next = xstrdup(op->next_token);
	polling_list(p);
}

/* The key of the folder, or of one that it lies in: as many components as ids are known. NULL: all are. The caller's. */
static char *above_key(const struct polling *p) {
	const char *key = p->folder->remote_key, *at = key;
	size_t known = strv_count(p->above);
	if (!known) return xstrdup("");
	for (size_t i = 0; i < known; i++) {
		if (!*at) return NULL;
		if (i) at++;
		at += strcspn(at, "/");
	}
	return xstrndup(key, (size_t)(at - key));
}

static void above_ask(struct polling *p);

static void above_came(struct store_op *op, const struct err *err) {
	struct polling *p = container_of(op, struct polling, op);
	if (!answered(p, err)) return;
	if (err || !op->entry.id) {
		polling_list(p);
		return;
	}
	strv_add(&p->above, op->entry.id);
	above_ask(p);
}

static void above_ask(struct polling *p) {
	char *key = above_key(p);
	if (key)
		ask(p, STORE_STAT, key, above_came);
	else
		ask(p, STORE_CHANGES, NULL, token_came);
	store_start(p->folder->store, &p->op);
}

/* By their ids it is known when the folder itself was moved, or one that it lies in; then the token, so that nothing is missed. */
static void walk_prepare(struct polling *p) {
	polling_forget(p);
	/* Of what half a walk made the same changes may tell less. */
	if (polling_token_drop(p)) above_ask(p);
}

static void root_came(struct store_op *op, const struct err *err) {
	struct polling *p = container_of(op, struct polling, op);
	if (!answered(p, err)) return;
	const char *version = err ? NULL : op->entry.version;
	bool stands = version && !p->whole_now && str_equal(version, p->root_version);
	p->root_next = xstrdup(version);
	if (stands || polling_knows(p, "", version)) {
		polling_ended(p);
		return;
	}
	if (!err) polling_note(p, "", op->entry.version);
	polling_list(p);
}

void polling_ask(struct polling *p) {
	struct store *store = p->folder->store;
	if (store->changes && p->changes && !p->whole_now) {
		changes_ask(p);
	} else if (store->changes) {
		walk_prepare(p);
	} else if (store->deep_versions && !(store->caps & STORE_CAP_FLAT_LIST)) {
		ask(p, STORE_STAT, folder_key(p->folder, ""), root_came);
		store_start(store, &p->op);
	} else {
		polling_list(p);
	}
}
