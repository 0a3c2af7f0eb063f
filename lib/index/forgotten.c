/* What the rules leave out since it was stored: it is at the remote still, and nobody looks after it
 * (SYNC.md §8). */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

void index_forgotten_release(struct index_forgotten *row) {
	free(row->path);
	free(row->version);
	*row = (struct index_forgotten){ 0 };
}

static int run(struct index *index, struct db_stmt *stmt, int64_t *changes, struct err *err) {
	if (!stmt || db_run(stmt, err) < 0) return index_fail(index, err);
	if (changes) *changes = db_changes(index->db);
	return 0;
}

int index_forgotten_add(struct index *index, const char *path, const struct index_entry *entry,
	bool removing, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_FORGOTTEN_ADD, path, err);
	if (stmt) {
		db_bind_int(stmt, 2, entry->kind);
		db_bind_int(stmt, 3, entry->kind == INDEX_FOLDER ? 0 : entry->size);
		db_bind_int(stmt, 4, entry->born_ns);
		db_bind_blob(stmt, 5, entry->version, entry->version ? strlen(entry->version) : 0);
		db_bind_int(stmt, 6, removing);
	}
	return run(index, stmt, NULL, err);
}

int index_forgotten_drop(struct index *index, const char *path, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_FORGOTTEN_DROP, path, err);
	return run(index, stmt, NULL, err);
}

int index_forgotten_settle(struct index *index, int64_t upto, bool remove, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt =
		index_stmt(index, remove ? SQL_FORGOTTEN_REMOVE : SQL_FORGOTTEN_CLEAR, err);
	if (stmt) db_bind_int(stmt, 1, upto);
	return run(index, stmt, NULL, err);
}

int index_forgotten_sum(struct index *index, struct index_forgotten_sum *sum, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_FORGOTTEN_SUM, err);

	*sum = (struct index_forgotten_sum){ 0 };
	if (!stmt || db_step(stmt, err) < 0) return -1;
	sum->files = db_int(stmt, 0);
	sum->folders = db_int(stmt, 1);
	sum->bytes = db_int(stmt, 2);
	sum->newest = db_int(stmt, 3);
	sum->removing = db_int(stmt, 4);
	db_reset(stmt);
	return 0;
}

static void read_row(struct db_stmt *stmt, struct index_forgotten *row) {
	size_t len = 0;

	*row = (struct index_forgotten){ .path = index_text(stmt, 0),
		.kind = (enum index_kind)db_int(stmt, 1),
		.bytes = db_int(stmt, 2),
		.born_ns = db_int(stmt, 3) };
	const char *bytes = db_blob(stmt, 4, &len);
	row->version = bytes ? xstrndup(bytes, len) : NULL;
}

int index_forgotten_next(struct index *index, struct index_forgotten *row, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_FORGOTTEN_NEXT, err);

	*row = (struct index_forgotten){ 0 };
	if (!stmt) return -1;
	int got = db_step(stmt, err);
	if (got == 1) read_row(stmt, row);
	db_reset(stmt);
	return got;
}

int index_forgotten_list(struct index *index, size_t limit, struct index_forgotten **rows,
	size_t *count, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_FORGOTTEN_LIST, err);
	int got = 1;

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, (int64_t)limit);
	*rows = xcalloc(limit + 1, sizeof(**rows));
	while (*count < limit && (got = db_step(stmt, err)) == 1)
		read_row(stmt, &(*rows)[(*count)++]);
	db_reset(stmt);
	if (got >= 0) return 0;
	for (size_t i = 0; i < *count; i++) index_forgotten_release(&(*rows)[i]);
	free(*rows);
	*rows = NULL;
	*count = 0;
	return -1;
}
