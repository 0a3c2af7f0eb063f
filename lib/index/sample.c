/* Agreed entries of special interest: some to prove a root by, and folders that something was mounted on. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

static int add_path(struct index *index, struct db_stmt *stmt, char ***paths, struct err *err) {
	char *folder = index_dir_path(index, db_int(stmt, 0), err);
	size_t len = 0;

	if (!folder) return -1;
	const char *name = db_blob(stmt, 1, &len);
	if (len > 0 && name[len - 1] == '/') len--;
	strv_add_owned(paths, index_join(folder, name, len));
	free(folder);
	return 0;
}

/* The first agreed file at or behind a place in the order of rows: 1, 0, -1. */
static int sample_one(struct index *index, enum index_sql which, int64_t dir, uint8_t from,
	char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	if (which == SQL_SAMPLE_IN) db_bind_blob(stmt, 2, &from, 1);
	int got = db_step(stmt, err);
	if (got == 1 && add_path(index, stmt, paths, err) < 0) got = -1;
	db_reset(stmt);
	return got;
}

int index_sample(
	struct index *index, const uint64_t *random, size_t count, char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIR_LAST, err);
	int64_t last = DIR_ROOT;

	*paths = NULL;
	if (!stmt) return -1;
	if (db_step(stmt, err) == 1) last = db_int(stmt, 0);
	db_reset(stmt);
	for (size_t i = 0; i < count; i++) {
		int64_t dir = DIR_ROOT + (int64_t)(random[i] % (uint64_t)last);
		int got = sample_one(
			index, SQL_SAMPLE_IN, dir, (uint8_t)(random[i] >> 56), paths, err);
		if (got == 0) got = sample_one(index, SQL_SAMPLE_FROM, dir, 0, paths, err);
		if (got == 0) got = sample_one(index, SQL_SAMPLE_FROM, DIR_ROOT, 0, paths, err);
		if (got == 0) return 0;
		if (got > 0) continue;
		strv_free(*paths);
		*paths = NULL;
		return -1;
	}
	return 0;
}

int index_mounts(struct index *index, char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_MOUNTS, err);
	int got;

	*paths = NULL;
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		got = add_path(index, stmt, paths, err);
		if (got < 0) break;
	}
	db_reset(stmt);
	if (got == 0) return 0;
	strv_free(*paths);
	*paths = NULL;
	return -1;
}
