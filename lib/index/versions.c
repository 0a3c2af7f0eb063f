/* Versions kept: the key that an operation keeps one at, noted before it starts so that a crash finds
 * it again; and all that are there, for what thins them. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

static void bind_version(struct db_stmt *stmt, const struct index_version *version) {
	db_bind_int(stmt, 2, version->born_ns);
	db_bind_int(stmt, 3, version->ended_ns);
	db_bind_blob(stmt, 4, version->key, strlen(version->key));
	db_bind_int(stmt, 5, version->bytes);
	db_bind_int(stmt, 6, version->kind);
}

static void count(struct index *index, int64_t versions, int64_t bytes) {
	index->totals.versions += versions;
	index->totals.version_bytes += bytes;
	index->totals_changed = true;
}

/* ---- intents ---- */

char *index_version_pending(struct index *index, const char *path, struct err *err) {
	err_clear(err);
	struct db_stmt *stmt = index_stmt_path(index, SQL_VERSION_PENDING, path, err);
	if (!stmt) return NULL;
	char *key = db_step(stmt, err) == 1 ? index_text(stmt, 0) : NULL;
	db_reset(stmt);
	return key;
}

char *index_version_intend(struct index *index, const char *path,
	const struct index_version *version, bool *fresh, struct err *err) {
	char *pending = index_version_pending(index, path, err);

	*fresh = !pending;
	if (pending || err->kind != ERR_NONE) return pending;
	if (index_begin(index, err) < 0) return NULL;
	struct db_stmt *stmt = index_stmt_path(index, SQL_VERSION_ADD, path, err);
	if (!stmt) goto fail;
	bind_version(stmt, version);
	if (db_run(stmt, err) == 0) return xstrdup(version->key);
fail:
	index_fail(index, err);
	return NULL;
}

/* A statement that changes at most one row and returns its bytes: counted when it did. */
static int run_counted(struct index *index, struct db_stmt *stmt, struct err *err) {
	int got = db_step(stmt, err);

	if (got == 1) count(index, 1, db_int(stmt, 0));
	db_reset(stmt);
	return got < 0 ? index_fail(index, err) : 0;
}

int index_version_settle(struct index *index, const char *path, bool kept, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt =
		index_stmt_path(index, kept ? SQL_VERSION_KEPT : SQL_VERSION_DROP, path, err);
	if (!stmt) return index_fail(index, err);
	if (kept) return run_counted(index, stmt, err);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

/* ---- all of them ---- */

int index_version_found(struct index *index, const char *path, const struct index_version *version,
	struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_VERSION_FOUND, path, err);
	if (!stmt) return index_fail(index, err);
	bind_version(stmt, version);
	return run_counted(index, stmt, err);
}

int index_version_next(struct index *index, const char *after, char **path, struct err *err) {
	struct db_stmt *stmt = index_stmt_path(index, SQL_VERSION_NEXT, after ? after : "", err);

	if (!stmt) return -1;
	int got = db_step(stmt, err);
	if (got == 1) *path = index_text(stmt, 0);
	db_reset(stmt);
	return got;
}

int index_versions(
	struct index *index, const char *path, struct index_versions *versions, struct err *err) {
	struct db_stmt *stmt = index_stmt_path(index, SQL_VERSION_LIST, path, err);
	size_t room = 0;
	int got;

	*versions = (struct index_versions){ 0 };
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		if (versions->count == room) {
			room = room ? room * 2 : 16;
			versions->rows = xrealloc(versions->rows, room * sizeof(*versions->rows));
		}
		versions->rows[versions->count++] = (struct index_version){ .id = db_int(stmt, 0),
			.born_ns = db_int(stmt, 1),
			.ended_ns = db_int(stmt, 2),
			.bytes = db_int(stmt, 3),
			.kind = (int)db_int(stmt, 4),
			.key = index_text(stmt, 5) };
	}
	if (got < 0) index_versions_release(versions);
	return got;
}

void index_versions_release(struct index_versions *versions) {
	for (size_t i = 0; i < versions->count; i++) free(versions->rows[i].key);
	free(versions->rows);
	*versions = (struct index_versions){ 0 };
}

int index_version_drop(struct index *index, const struct index_version *version, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt(index, SQL_VERSION_GONE, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 1, version->id);
	if (db_run(stmt, err) < 0) return index_fail(index, err);
	if (db_changes(index->db) > 0) count(index, -1, -version->bytes);
	return 0;
}
