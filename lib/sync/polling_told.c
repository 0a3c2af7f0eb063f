/* What a list tells of one thing at the remote, against what the index knows of it. */
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"
#include "sync/polling.h"

/* ---- names that were listed ---- */

/* FNV-1a of the whole path; two of one hash hide that one of them is missing, until it is written anew. */
static uint64_t path_hash(const char *path, bool folder) {
	uint64_t hash = 14695981039346656037ULL;
	for (; *path; path++) hash = (hash ^ (unsigned char)*path) * 1099511628211ULL;
	return folder ? (hash ^ '/') * 1099511628211ULL : hash;
}

static void seen_add(struct polling *p, const char *path, bool folder) {
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 1024;
		p->seen = xrealloc(p->seen, p->cap * sizeof(*p->seen));
	}
	p->seen[p->count++] = path_hash(path, folder);
}

static int compare_hashes(const void *left, const void *right) {
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

/* From now on it is asked what was. */
void polling_seen_all(struct polling *p) {
	if (p->count) qsort(p->seen, p->count, sizeof(*p->seen), compare_hashes);
}

bool polling_was_seen(const struct polling *p, const char *path, bool folder) {
	uint64_t hash = path_hash(path, folder);
	return p->count && bsearch(&hash, p->seen, p->count, sizeof(hash), compare_hashes) != NULL;
}

/* False: the index failed, and the folder opens anew. */
bool polling_good(struct folder *f, int failed, const struct err *err) {
	if (failed >= 0) return true;
	folder_index_failed(f, err);
	return false;
}

/* ---- what was found ---- */

bool polling_mark(struct polling *p, const char *path, bool folder, int64_t size) {
	p->found++;
	folder_mark_path(p->folder, path,
		folder                    ? PRIO_FOLDER
		: size > PRIO_LARGE_BYTES ? PRIO_LARGE
					  : PRIO_SMALL,
		0);
	return p->state != POLLING_REST;
}

void polling_entry(
	const struct folder *f, struct index_entry *entry, const struct store_entry *told) {
	*entry = (struct index_entry){ .kind = told->kind == STORE_FOLDER ? INDEX_FOLDER
					       : told->kind == STORE_LINK ? INDEX_LINK
									  : INDEX_FILE,
		.size = told->size,
		.mtime_ns = told->mtime_ns,
		.mode = told->mode,
		.version = xstrdup(told->version),
		.id = xstrdup(told->id) };
	if (told->marker) entry->flags |= INDEX_MARKER;
	hash_put_told(f->store, entry, &told->hash);
}

/* Is what a list tells what the row says? */
static bool told_same(
	const struct folder *f, const struct index_entry *row, const struct store_entry *told) {
	bool mode = told->mode == STORE_MODE_UNKNOWN || row->mode < 0 ||
		    (told->mode & 0777) == (row->mode & 0777);
	if (row->kind == INDEX_FOLDER) return mode;
	if ((row->kind == INDEX_LINK) != (told->kind == STORE_LINK)) return false;
	bool time = told->mtime_ns == STORE_MTIME_UNKNOWN || row->mtime_ns == STORE_MTIME_UNKNOWN ||
		    store_time_same(f->store, told->mtime_ns, row->mtime_ns);
	if (told->version && row->version) {
		bool same = str_equal(told->version, row->version);
		return same && (row->kind == INDEX_LINK || (mode && time));
	}
	return told->size == row->size && (row->kind == INDEX_LINK || (time && mode));
}

/* It was written by us since the list began, which may be of before. What is on its way is told all the same: its own end, or the next
 * look, finds the news to be no more than what it wrote. */
bool polling_is_ours_now(const struct polling *p, const char *path) {
	if (map_get(&p->touched, path) || rename_moves(p->folder, path)) return true;
	for (char **moved = p->moved; moved && *moved; moved++)
		if (path_is_within(path, *moved)) return true;
	return false;
}

static bool row_differs(struct polling *p, const char *path, const struct index_entry *row,
	const struct store_entry *told) {
	struct folder *f = p->folder;
	struct index_entry entry, before;
	struct err err;
	bool stranger = (row->flags & INDEX_STRANGER) != 0;
	polling_entry(f, &entry, told);
	bool known = false;
	if (stranger) {
		entry.flags |= INDEX_STRANGER;
	} else {
		int got = index_news_get(f->index, path, told->kind == STORE_FOLDER, &before, &err);
		if (!polling_good(f, got, &err)) {
			index_entry_release(&entry);
			return false;
		}
		known = got == 1 && !(before.flags & INDEX_GONE) && told_same(f, &before, told);
		if (got == 1) index_entry_release(&before);
	}
	int failed = known      ? 0
		     : stranger ? index_put(f->index, path, &entry, &err)
				: index_news_put(f->index, path, &entry, &err);
	index_entry_release(&entry);
	if (!polling_good(f, failed, &err)) return false;
	return known || polling_mark(p, path, told->kind == STORE_FOLDER, told->size);
}

/* Another folder of the same name, or one whose id nobody told before: by it is known what changes below it. */
static bool id_renewed(struct polling *p, const char *path, struct index_entry *row,
	const struct store_entry *told) {
	struct folder *f = p->folder;
	struct err err;
	if (!f->store->changes || row->kind != INDEX_FOLDER || !told->id ||
		str_equal(told->id, row->id))
		return true;
	free(row->id);
	row->id = xstrdup(told->id);
	return polling_good(f, index_put(f->index, path, row, &err), &err);
}

/* As agreed again: whatever was noted is over. */
static bool row_is_same(struct polling *p, const char *path, struct index_entry *row,
	const struct store_entry *told) {
	struct folder *f = p->folder;
	struct err err;
	bool folder = row->kind == INDEX_FOLDER;
	if (row->flags & INDEX_HOLLOW) {
		row->flags &= ~(unsigned)INDEX_HOLLOW;
		/* Another machine made it again: its marker is as good as ours. */
		if (told->marker) row->flags |= INDEX_MARKER;
		if (!polling_good(f, index_put(f->index, path, row, &err), &err)) return false;
		/* As long as it was not there nothing of its mode was sent. */
		if (!polling_mark(p, path, true, 0)) return false;
	}
	if (!p->any_news) return true;
	struct index_entry news;
	int got = index_news_get(f->index, path, folder, &news, &err);
	if (!polling_good(f, got, &err)) return false;
	/* That something new lies in a folder is seen of that alone. */
	bool over = got == 1 && !(news.flags & INDEX_FILLED);
	if (got == 1) index_entry_release(&news);
	return !over || polling_good(f, index_news_drop(f->index, path, folder, &err), &err);
}

/* What is on its way here goes by what was told of it before, and is older than this? */
static bool brings_older(
	const struct folder *f, const struct bring *b, const struct store_entry *told) {
	bool mode = told->mode == STORE_MODE_UNKNOWN || b->mode == STORE_MODE_UNKNOWN ||
		    (told->mode & 0777) == (b->mode & 0777);
	if (b->what == BRING_REMOVE || b->what == BRING_RMDIR) return true;
	/* The version of a folder may move with all that lies below. */
	if (told->kind == STORE_FOLDER) return !mode;
	bool time = told->mtime_ns == STORE_MTIME_UNKNOWN || b->mtime_ns == STORE_MTIME_UNKNOWN ||
		    store_time_same(f->store, told->mtime_ns, b->mtime_ns);
	return !(mode && time && str_equal(told->version, b->expected));
}

/* Somebody is at it who read the rows before this was told. What ends later than it was told is what they say then, and where a poll asks
 * for changes alone none would tell of it a second time: the next one compares all. */
static void told_meanwhile(struct polling *p, const char *path, const struct store_entry *told) {
	struct transfer *t = map_get(&p->folder->by_path, path);
	if (!t) return;
	bool asks = t->state == TRANSFER_OPERATING && t->op.verb == STORE_STAT;
	if (t->bring)
		p->again |= brings_older(p->folder, t->bring, told);
	else
		p->again |= asks;
	t->base_fresh = false;
}

/* False: it is over, the index failed. */
bool polling_told(struct polling *p, const char *path, const struct store_entry *entry) {
	struct folder *f = p->folder;
	struct index_entry row;
	struct err err;
	bool folder = entry->kind == STORE_FOLDER;
	seen_add(p, path, folder);
	if (transfer_excluded(f, path, folder)) return true;
	if (polling_is_ours_now(p, path)) {
		p->again = true;
		return true;
	}
	told_meanwhile(p, path, entry);
	int got = index_get(f->index, path, folder, &row, &err);
	if (!polling_good(f, got, &err)) return false;
	if (got == 0) {
		if (!polling_good(f, contact_stranger_put(f, path, entry, &err), &err))
			return false;
		return polling_mark(p, path, folder, entry->size);
	}
	bool same = told_same(f, &row, entry);
	bool went_on =
		!same ? row_differs(p, path, &row, entry)
		      : id_renewed(p, path, &row, entry) &&
				((row.flags & INDEX_STRANGER) || row_is_same(p, path, &row, entry));
	index_entry_release(&row);
	return went_on;
}

/* Where folders are no things of their own: they are there by what lies in them. */
static bool parents_told(struct polling *p, const char *path) {
	struct store_entry folder = {
		.kind = STORE_FOLDER, .mode = STORE_MODE_UNKNOWN, .mtime_ns = STORE_MTIME_UNKNOWN
	};
	char *parent = path_parent(path);
	bool went_on = true;
	if (*parent && !str_equal(parent, p->parent)) {
		went_on = parents_told(p, parent) && polling_told(p, parent, &folder);
		free(p->parent);
		p->parent = xstrdup(parent);
	}
	free(parent);
	return went_on;
}

bool polling_listed(struct polling *p, const struct store_entry *entry) {
	struct folder *f = p->folder;
	if (!entry->name || !path_is_plain(entry->name)) return true;
	char *path = path_join(p->at, entry->name);
	bool went_on = true;
	/* Tend's own, of all folders: nobody's files. */
	if (!*f->remote_key && path_is_within(path, ".tend")) {
		free(path);
		return true;
	}
	p->any = true;
	if (p->op.recursive) went_on = parents_told(p, path);
	bool skipped = entry->kind == STORE_LINK && transfer_skips_links(f);
	if (went_on && (entry->kind == STORE_OTHER || skipped)) {
		seen_add(p, path, false); /* nobody's file, in the place of one perhaps */
	} else if (went_on) {
		bool descend = entry->kind == STORE_FOLDER && !p->op.recursive &&
			       !transfer_excluded(f, path, true);
		bool known = descend && polling_knows(p, path, entry->version);
		if (known) map_put(&p->skipped, path, p);
		if (descend && !known) path_stack_push(&p->queue, xstrdup(path));
		if (descend && !known) polling_note(p, path, entry->version);
		went_on = polling_told(p, path, entry);
	}
	free(path);
	return went_on;
}
