/* Who is next: rows that are due and not claimed, and what a barrier asks about all of them. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

enum { PATH_AT_HAND = 1024 };

void index_dirty_release(struct index_dirty *dirty) {
	free(dirty->path);
	free(dirty->reason);
	*dirty = (struct index_dirty){ 0 };
}

void index_claims_release(struct index *index) {
	for (struct map_item *it = NULL; (it = map_next(&index->claims, it));) free(map_value(it));
	map_release(&index->claims);
	index_sent_release(index);
	index_since_release(index);
	index_fronts_forget(index, INT64_MIN);
	for (size_t i = 0; i < DUE_FRONTS; i++) {
		free(index->fronts[i].name);
		index->fronts[i].name = NULL;
	}
}

void index_fronts_forget(struct index *index, int64_t due_ms) {
	for (size_t i = 0; i < DUE_FRONTS; i++) {
		struct due_front *front = &index->fronts[i];
		if (due_ms <= front->due_ms) front->known = false;
	}
	if (due_ms < index->next.floor_ms) index->next.floor_ms = due_ms;
	index->next.exact = false;
}

void index_unclaim(struct index *index, const char *path) {
	struct claim *claim = map_get(&index->claims, path);

	if (!claim || !claim->held) return;
	index_fronts_forget(index, INT64_MIN);
	if (!claim->place) {
		free(map_take(&index->claims, path));
		return;
	}
	claim->held = claim->marked = false;
	index->sent.left++;
}

/* ---- rows ---- */

static void sending_read(struct index_dirty *row, const uint8_t *note, size_t len) {
	if (len < 1 || len > 1 + sizeof(row->sending_hash)) return;
	row->sending = true;
	row->sending_kind = note[0];
	row->sending_hash_len = len - 1;
	memcpy(row->sending_hash, note + 1, len - 1);
}

/* The columns of DIRTY_COLUMNS. */
static int read_row(
	struct index *index, struct db_stmt *stmt, struct index_dirty *row, struct err *err) {
	char *folder = index_dir_path(index, db_int(stmt, 0), err);
	size_t len = 0;

	if (!folder) return -1;
	const char *bytes = db_blob(stmt, 1, &len);
	if (!bytes) bytes = "";
	*row = (struct index_dirty){
		.path = index_join(folder, bytes, len),
		.since = db_int(stmt, 2),
		.seen = db_int(stmt, 3),
		.first_ms = db_int(stmt, 4),
		.due_ms = db_int(stmt, 5),
		.tries = (int)db_int(stmt, 6),
		.why = (enum index_why)db_int(stmt, 7),
		.prio = (int)db_int(stmt, 10),
	};
	bytes = db_blob(stmt, 8, &len);
	row->reason = bytes ? xstrndup(bytes, len) : NULL;
	const uint8_t *sending = db_blob(stmt, 9, &len);
	if (sending) sending_read(row, sending, len);
	free(folder);
	return 0;
}

/* A claim's note is newer than what the row has. */
static void note_read(const struct index *index, struct index_dirty *row) {
	const struct claim *claim = map_get(&index->claims, row->path);

	if (claim && claim->place) sending_read(row, claim->note, claim->len);
}

static void rows_release(struct index_dirty *rows, size_t count) {
	for (size_t i = 0; i < count; i++) index_dirty_release(&rows[i]);
	free(rows);
}

int index_dirty_get(
	struct index *index, const char *path, struct index_dirty *dirty, struct err *err) {
	struct db_stmt *stmt;

	*dirty = (struct index_dirty){ 0 };
	int got = index_keyed(index, SQL_DIRTY_GET, path, &stmt, err);
	if (got <= 0) return got;
	got = db_step(stmt, err);
	if (got == 1 && read_row(index, stmt, dirty, err) < 0) got = -1;
	if (got == 1) note_read(index, dirty);
	db_reset(stmt);
	return got;
}

/* The next priority that rows have, above `prio`: 1, none: 0, -1. There are few, so that walking
 * them is nothing. */
static int next_prio(struct index *index, int64_t *prio, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_NEXT_PRIO, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, *prio);
	int got = db_step(stmt, err);
	if (got == 1 && db_int(stmt, 0) <= *prio)
		got = err_set(err, ERR_CORRUPT, "the index holds a priority that is no number");
	else if (got == 1)
		*prio = db_int(stmt, 0);
	db_reset(stmt);
	return got;
}

static bool is_held(const struct claim *claim) {
	return claim && claim->held;
}

/* Is the row that `stmt` stands at claimed? Asked before it is read: with 64 at work most rows of a
 * claim are stepped over. */
static int is_claimed(struct index *index, struct db_stmt *stmt, struct err *err) {
	char path[PATH_AT_HAND];
	size_t len = 0;
	int64_t dir = db_int(stmt, 0);
	const char *folder_at_hand = dir == DIR_ROOT ? "" : index_dir_known(index, dir);
	const char *name = db_blob(stmt, 1, &len);
	if (!name) name = "";
	size_t above = folder_at_hand ? strlen(folder_at_hand) : 0;

	if (folder_at_hand && above + len + 2 <= sizeof(path)) {
		if (above > 0) {
			memcpy(path, folder_at_hand, above);
			path[above++] = '/';
		}
		memcpy(path + above, name, len);
		path[above + len] = '\0';
		return is_held(map_get(&index->claims, path));
	}
	char *folder = index_dir_path(index, dir, err);
	if (!folder) return -1;
	char *whole = index_join(folder, name, len);
	bool claimed = is_held(map_get(&index->claims, whole));
	free(whole);
	free(folder);
	return claimed;
}

/* NULL: this priority has none. */
static struct due_front *front_of(struct index *index, int64_t prio) {
	bool has = prio >= DUE_FRONT_FIRST && prio <= DUE_FRONT_LAST;
	return has ? &index->fronts[prio - DUE_FRONT_FIRST] : NULL;
}

/* The key of the row that `stmt` stands at. */
static void front_set(
	struct due_front *front, struct db_stmt *stmt, const struct index_dirty *row) {
	size_t len = 0;
	const char *name = db_blob(stmt, 1, &len);

	if (len > front->name_len || !front->name) front->name = xrealloc(front->name, len + 1);
	if (len > 0) memcpy(front->name, name, len);
	front->name_len = len;
	front->dir = db_int(stmt, 0);
	front->due_ms = row->due_ms;
	front->known = true;
}

/* Where a walk through the due rows of one priority puts what it finds. */
struct due_walk {
	int64_t prio, upto_ms;
	struct index_dirty *rows; /* NULL: the first one's time alone is asked for */
	size_t *count, limit;
	struct due_front *front; /* moved along; NULL: the rows will not be claimed */
	int64_t *next_ms; /* lowered to when the first one behind is due; NULL: nobody asks */
};

/* Unclaimed rows from a statement, while there is room. */
static int walk_rows(
	struct index *index, struct db_stmt *stmt, const struct due_walk *walk, struct err *err) {
	int got = 0;

	while (*walk->count < walk->limit && (got = db_step(stmt, err)) == 1) {
		int64_t due_ms = db_int(stmt, 5);
		got = is_claimed(index, stmt, err);
		if (got < 0) break;
		if (got == 1) continue;
		if (!walk->rows || due_ms > walk->upto_ms) {
			if (walk->next_ms && due_ms < *walk->next_ms) *walk->next_ms = due_ms;
			break;
		}
		struct index_dirty *row = &walk->rows[*walk->count];
		got = read_row(index, stmt, row, err);
		if (got < 0) break;
		if (index->sent.left) note_read(index, row);
		if (walk->front) front_set(walk->front, stmt, row);
		(*walk->count)++;
	}
	db_reset(stmt);
	return got < 0 ? -1 : 0;
}

/* Unclaimed rows of one priority, the earliest first, while there is room. */
static int due_rows(struct index *index, const struct due_walk *walk, struct err *err) {
	static const struct due_front start;
	const struct due_front *known = front_of(index, walk->prio),
			       *front = known ? known : &start;
	int64_t behind_ms = INT64_MIN, upto_ms = walk->upto_ms;
	struct db_stmt *stmt;

	if (walk->next_ms && *walk->next_ms > upto_ms) upto_ms = *walk->next_ms;
	if (front->known && front->due_ms <= upto_ms) {
		behind_ms = front->due_ms;
		stmt = index_stmt(index, SQL_DIRTY_DUE_SAME, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, walk->prio);
		db_bind_int(stmt, 2, behind_ms);
		db_bind_int(stmt, 3, front->dir);
		db_bind_blob(stmt, 4, front->name, front->name_len);
		if (walk_rows(index, stmt, walk, err) < 0) return -1;
		if (*walk->count == walk->limit) return 0;
	}
	stmt = index_stmt(index, SQL_DIRTY_DUE, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, walk->prio);
	db_bind_int(stmt, 2, upto_ms);
	db_bind_int(stmt, 3, behind_ms);
	return walk_rows(index, stmt, walk, err);
}

/* The same, the latest first. What is claimed is stepped over: it is of the last moments of a machine. */
static int newest_rows(struct index *index, const struct due_walk *walk, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_NEWEST, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, walk->prio);
	db_bind_int(stmt, 2, walk->upto_ms);
	return walk_rows(index, stmt, walk, err);
}

void index_newest_first(struct index *index, bool newest) {
	if (index->newest_first == newest) return;
	index->newest_first = newest;
	index_fronts_forget(index, INT64_MIN);
}

void index_large_room(struct index *index, int room) {
	if (!index->large_room != !room) index->next = (struct next_due){ .floor_ms = INT64_MIN };
	index->large_room = room;
}

static bool is_large(int64_t prio) {
	return prio >= INDEX_PRIO_LARGE && prio <= INDEX_PRIO_LARGE_LAST;
}

int index_due_before(struct index *index, int prio, int64_t now_ms, struct err *err) {
	int64_t at = INT64_MIN;
	int any = 0, got;

	while ((got = next_prio(index, &at, err)) == 1 && at < prio && any == 0) {
		struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_ANY_DUE, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, at);
		db_bind_int(stmt, 2, now_ms);
		any = db_step(stmt, err);
		db_reset(stmt);
	}
	return got < 0 ? -1 : any;
}

int index_lower(struct index *index, const char *path, int prio, struct err *err) {
	struct db_stmt *stmt;

	index_fronts_forget(index, INT64_MIN);
	if (index_begin(index, err) < 0) return -1;
	int got = index_keyed(index, SQL_DIRTY_LOWER, path, &stmt, err);
	if (got == 0) return 0;
	if (got < 0) return index_fail(index, err);
	db_bind_int(stmt, 3, prio);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_claim_due(struct index *index, int64_t now_ms, size_t limit, struct index_dirty **rows,
	size_t *count, struct err *err) {
	int64_t prio = INT64_MIN, next_ms = INT64_MAX;
	bool newest = index->newest_first;
	int got = 0;

	*rows = NULL;
	*count = 0;
	if (!limit || index->next.floor_ms > now_ms) return 0;
	*rows = xcalloc(limit, sizeof(**rows));
	index->next.exact = false;
	while (*count < limit && (got = next_prio(index, &prio, err)) == 1) {
		size_t before = *count, most = limit;
		bool bound = index->large_room >= 0 && is_large(prio);
		if (bound && (size_t)index->large_room < limit - before)
			most = before + (size_t)index->large_room;
		if (most == before) continue;
		struct due_walk walk = { prio, now_ms, *rows, count, most,
			newest ? NULL : front_of(index, prio), newest ? NULL : &next_ms };
		got = newest ? newest_rows(index, &walk, err) : due_rows(index, &walk, err);
		if (got < 0) break;
		if (bound) index->large_room -= (int)(*count - before);
	}
	if (got < 0) index_fronts_forget(index, INT64_MIN);
	if (got == 0 && *count < limit && !newest)
		index->next = (struct next_due){ .exact = true, .floor_ms = next_ms };
	if (got < 0 || *count == 0) {
		rows_release(*rows, *count);
		*rows = NULL;
		*count = 0;
		return got < 0 ? -1 : 0;
	}
	for (size_t i = 0; i < *count; i++) {
		/* One that was given up has left its note. */
		struct claim *claim =
			index->sent.left ? map_get(&index->claims, (*rows)[i].path) : NULL;
		if (claim) index->sent.left--;
		if (!claim) claim = index_claim_new(index, (*rows)[i].path);
		claim->held = true;
		claim->since = (*rows)[i].since;
	}
	return 0;
}

/* Looks in each priority only up to the earliest that was found. */
int64_t index_next_due(struct index *index) {
	int64_t prio = INT64_MIN, due_ms = INT64_MAX;
	size_t none = 0;
	struct err err;
	int got;

	if (index->next.exact) return index->next.floor_ms;
	while ((got = next_prio(index, &prio, &err)) == 1) {
		struct due_walk walk = { prio, INT64_MIN, NULL, &none, 1, NULL, &due_ms };
		if (!index->large_room && is_large(prio)) continue;
		if (due_rows(index, &walk, &err) < 0) return 0;
	}
	if (got < 0) return 0;
	index->next = (struct next_due){ .exact = true, .floor_ms = due_ms };
	return due_ms;
}

/* ---- the barrier ---- */

int index_hurry(struct index *index, int64_t upto, int64_t now_ms, struct err *err) {
	int64_t prio = INT64_MIN;
	int got;

	/* A later mark must settle, whatever was asked for. */
	if (upto > index->sequence) upto = index->sequence;
	if (upto > index->hurried) index->hurried = upto;
	if (index->dirty_count == 0) return 0;
	if (index_begin(index, err) < 0) return -1;
	index_fronts_forget(index, INT64_MIN);
	while ((got = next_prio(index, &prio, err)) == 1) {
		struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_HURRY, err);
		if (!stmt) return index_fail(index, err);
		db_bind_int(stmt, 1, upto);
		db_bind_int(stmt, 2, now_ms);
		db_bind_int(stmt, 3, prio);
		if (db_run(stmt, err) < 0) return index_fail(index, err);
	}
	return got < 0 ? index_fail(index, err) : 0;
}

static int one_number(
	struct index *index, enum index_sql which, int64_t upto, int64_t *value, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, upto);
	if (db_step(stmt, err) < 0) return -1;
	if (!db_is_null(stmt, 0)) *value = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

int index_pending(
	struct index *index, int64_t upto, int64_t *count, int64_t *refused, struct err *err) {
	if (index_since_count(index, upto, count, err) < 0) return -1;
	return one_number(index, SQL_DIRTY_REFUSED, upto, refused, err);
}

int index_before_deletions(struct index *index, int64_t upto, int64_t by_ms, size_t limit,
	char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_BEFORE, err);
	int got;

	*paths = NULL;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, upto);
	db_bind_int(stmt, 2, (int64_t)limit);
	db_bind_int(stmt, 3, by_ms);
	while ((got = db_step(stmt, err)) == 1) {
		char *folder = index_dir_path(index, db_int(stmt, 0), err);
		if (!folder) break;
		size_t len = 0;
		const char *name = db_blob(stmt, 1, &len);
		strv_add_owned(paths, index_join(folder, name, len));
		free(folder);
	}
	db_reset(stmt);
	return got == 0 ? 0 : -1;
}

int index_trouble_count(struct index *index, int64_t *count, struct err *err) {
	return one_number(index, SQL_DIRTY_REFUSED, INT64_MAX, count, err) < 0 ? -1 : 0;
}

int index_troubles(struct index *index, size_t limit, struct index_dirty **rows, size_t *count,
	struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_TROUBLES, err);
	size_t room = 0;
	int got;

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, (int64_t)limit);
	while ((got = db_step(stmt, err)) == 1) {
		if (*count == room) {
			room = room ? room * 2 : 16;
			*rows = xrealloc(*rows, room * sizeof(**rows));
		}
		got = read_row(index, stmt, &(*rows)[*count], err);
		if (got < 0) break;
		note_read(index, &(*rows)[*count]);
		(*count)++;
	}
	db_reset(stmt);
	if (got == 0) return 0;
	rows_release(*rows, *count);
	*rows = NULL;
	*count = 0;
	return -1;
}
