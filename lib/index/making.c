/* What has an id already and may have been made by now. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

int index_making_put(struct index *index, const char *path, const char *place, const char *id,
	int64_t now_ns, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_MAKING_PUT, place, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 2, path, strlen(path));
	db_bind_blob(stmt, 3, id, strlen(id));
	db_bind_int(stmt, 4, now_ns);
	index->making = true;
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_making_done(struct index *index, const char *path, struct err *err) {
	if (!index->making) return 0;
	struct db_stmt *stmt = index_stmt_path(index, SQL_MAKING_DONE, path, err);
	return stmt ? db_run(stmt, err) : -1;
}

static int drop_old(struct index *index, int64_t old_ns, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt(index, SQL_MAKING_OLD, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 1, old_ns);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_making_list(struct index *index, int64_t old_ns, struct index_making **rows,
	size_t *count, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_MAKING_LIST, err);
	bool old = false;
	int got;

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		if (db_int(stmt, 2) < old_ns) {
			old = true;
			continue;
		}
		*rows = xrealloc(*rows, (*count + 1) * sizeof(**rows));
		(*rows)[(*count)++] = (struct index_making){ .place = index_text(stmt, 0),
			.id = index_text(stmt, 1) };
	}
	db_reset(stmt);
	index->making = *count > 0;
	/* An unchanged start writes no row. */
	if (got == 0 && (!old || !drop_old(index, old_ns, err))) return 0;
	index_making_free(*rows, *count);
	*rows = NULL;
	*count = 0;
	return -1;
}

void index_making_free(struct index_making *rows, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(rows[i].place);
		free(rows[i].id);
	}
	free(rows);
}
