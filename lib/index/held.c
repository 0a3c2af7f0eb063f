/* Deletions that are held back until they were counted, or until a person approves them (SYNC.md
 * §8). Each has its row in `dirty` as well: that is what will be done, this is whether it may be. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

void index_held_free(struct index_held *rows, size_t count) {
	for (size_t i = 0; i < count; i++) free(rows[i].path);
	free(rows);
}

int index_held_add(
	struct index *index, const char *path, bool folder, int64_t bytes, struct err *err) {
	struct db_stmt *stmt;
	const char *name;

	if (index_begin(index, err) < 0) return -1;
	int64_t number = index_sequence_next(index, err);
	if (number < 0) return -1;
	if (index_dir_make(index, path, index_split(path, &name), err) < 0 ||
		index_keyed(index, SQL_HELD_ADD, path, &stmt, err) <= 0)
		return index_fail(index, err);
	db_bind_int(stmt, 3, number);
	db_bind_int(stmt, 4, folder);
	db_bind_int(stmt, 5, bytes);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_held_get(
	struct index *index, const char *path, enum index_held_state *state, struct err *err) {
	struct db_stmt *stmt;
	int got = index_keyed(index, SQL_HELD_GET, path, &stmt, err);

	if (got <= 0) return got;
	got = db_step(stmt, err);
	if (got == 1) *state = (enum index_held_state)db_int(stmt, 0);
	db_reset(stmt);
	return got;
}

int index_held_drop(struct index *index, const char *path, struct err *err) {
	struct db_stmt *stmt;

	if (index_begin(index, err) < 0) return -1;
	int got = index_keyed(index, SQL_HELD_DROP, path, &stmt, err);
	if (got == 0) return 0;
	return got > 0 && db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_held_sum(
	struct index *index, struct index_held_sum sums[INDEX_HELD_STATES], struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_HELD_SUM, err);
	int got;

	memset(sums, 0, INDEX_HELD_STATES * sizeof(*sums));
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		int64_t state = db_int(stmt, 0);
		if (state < 0 || state >= INDEX_HELD_STATES) continue;
		if (db_int(stmt, 1)) {
			sums[state].folders = db_int(stmt, 2);
		} else {
			sums[state].files = db_int(stmt, 2);
			sums[state].bytes = db_int(stmt, 3);
		}
		if (db_int(stmt, 4) > sums[state].newest) sums[state].newest = db_int(stmt, 4);
	}
	db_reset(stmt);
	return got;
}

int index_held_move(struct index *index, enum index_held_state from, enum index_held_state to,
	int64_t upto, int64_t now_ms, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	if (to >= INDEX_HELD_LET_GO) index_fronts_forget(index, now_ms);
	/* Their rows first: afterwards nothing tells which they were. */
	struct db_stmt *stmt = index_stmt(index, SQL_HELD_DUE, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 1, from);
	db_bind_int(stmt, 2, upto);
	db_bind_int(stmt, 3, now_ms);
	if (to >= INDEX_HELD_LET_GO && db_run(stmt, err) < 0) return index_fail(index, err);
	stmt = index_stmt(index, SQL_HELD_MOVE, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 1, from);
	db_bind_int(stmt, 2, upto);
	db_bind_int(stmt, 3, to);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

static int read_rows(struct index *index, struct db_stmt *stmt, struct index_held **rows,
	size_t *count, struct err *err) {
	size_t room = 0;
	int got;

	while ((got = db_step(stmt, err)) == 1) {
		char *folder = index_dir_path(index, db_int(stmt, 0), err);
		size_t len = 0;
		if (!folder) return -1;
		const char *name = db_blob(stmt, 1, &len);
		if (*count == room) {
			room = room ? room * 2 : 16;
			*rows = xrealloc(*rows, room * sizeof(**rows));
		}
		(*rows)[(*count)++] = (struct index_held){ .path = index_join(folder, name, len),
			.folder = db_int(stmt, 2) != 0,
			.bytes = db_int(stmt, 3) };
		free(folder);
	}
	return got;
}

int index_held_list(struct index *index, enum index_held_state state, int64_t upto, size_t limit,
	struct index_held **rows, size_t *count, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_HELD_LIST, err);

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, state);
	db_bind_int(stmt, 2, upto);
	db_bind_int(stmt, 3, (int64_t)limit);
	int got = read_rows(index, stmt, rows, count, err);
	db_reset(stmt);
	if (got >= 0) return 0;
	index_held_free(*rows, *count);
	*rows = NULL;
	*count = 0;
	return -1;
}

int index_held_pending(struct index *index, int64_t upto, int64_t *count, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_HELD_PENDING, err);

	*count = 0;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, upto);
	if (db_step(stmt, err) < 0) return -1;
	*count = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}
