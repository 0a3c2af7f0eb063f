/* Large contents on their way here, as far as they are on the disk: a restart goes on from there. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

void index_bringing_release(struct index_bringing *row) {
	free(row->path);
	free(row->beside);
	free(row->version);
	*row = (struct index_bringing){ 0 };
}

int index_bringing_put(struct index *index, const struct index_bringing *row, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_BRINGING_PUT, row->path, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 2, row->beside, strlen(row->beside));
	db_bind_blob(stmt, 3, row->version, strlen(row->version));
	db_bind_int(stmt, 4, row->size);
	db_bind_int(stmt, 5, row->mtime_ns);
	db_bind_int(stmt, 6, row->mode);
	db_bind_int(stmt, 7, (int64_t)row->ino);
	db_bind_int(stmt, 8, row->upto);
	index->bringing = true;
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

static void row_read(struct db_stmt *stmt, struct index_bringing *row) {
	*row = (struct index_bringing){ .path = index_text(stmt, 0),
		.beside = index_text(stmt, 1),
		.version = index_text(stmt, 2),
		.size = db_int(stmt, 3),
		.mtime_ns = db_int(stmt, 4),
		.mode = (int)db_int(stmt, 5),
		.ino = (uint64_t)db_int(stmt, 6),
		.upto = db_int(stmt, 7) };
}

int index_bringing_get(
	struct index *index, const char *path, struct index_bringing *row, struct err *err) {
	*row = (struct index_bringing){ 0 };
	if (!index->bringing) return 0;
	struct db_stmt *stmt = index_stmt_path(index, SQL_BRINGING_GET, path, err);
	if (!stmt) return -1;
	int got = db_step(stmt, err);
	if (got == 1) row_read(stmt, row);
	db_reset(stmt);
	return got;
}

int index_bringing_drop(struct index *index, const char *path, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_BRINGING_DROP, path, err);
	if (!stmt) return index_fail(index, err);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_bringing_list(
	struct index *index, struct index_bringing **rows, size_t *count, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_BRINGING_LIST, err);
	int got;

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		*rows = xrealloc(*rows, (*count + 1) * sizeof(**rows));
		row_read(stmt, &(*rows)[(*count)++]);
	}
	db_reset(stmt);
	index->bringing = *count > 0;
	if (got == 0) return 0;
	index_bringing_free(*rows, *count);
	*rows = NULL;
	*count = 0;
	return -1;
}

void index_bringing_free(struct index_bringing *rows, size_t count) {
	for (size_t i = 0; i < count; i++) index_bringing_release(&rows[i]);
	free(rows);
}
