#include <assert.h>

#include "db/internal.h"

int db_prepare(struct db *db, struct db_stmt *stmt, const char *sql, struct err *err) {
	if (stmt->impl) {
		assert(stmt->db == db);
		db_reset(stmt);
		return 0;
	}
	int rc = sqlite3_prepare_v3(
		db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->impl, NULL);
	if (rc) return db_fail(db->handle, db->path, rc, err);
	stmt->db = db;
	list_add_tail(&db->stmts, &stmt->link);
	return 0;
}

/* Too large, or no such parameter: bounded and counted by the caller, so both are mistakes in the
 * program. */
static void check_bound(struct db_stmt *stmt, int rc) {
	if ((rc & 0xff) == SQLITE_NOMEM) db_fail(stmt->db->handle, stmt->db->path, rc, NULL);
	assert(rc == SQLITE_OK);
}

void db_bind_int(struct db_stmt *stmt, int parameter, int64_t value) {
	check_bound(stmt, sqlite3_bind_int64(stmt->impl, parameter, value));
}

void db_bind_text(struct db_stmt *stmt, int parameter, const char *text) {
	check_bound(stmt, sqlite3_bind_text(stmt->impl, parameter, text, -1, SQLITE_TRANSIENT));
}

void db_bind_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t len) {
	check_bound(stmt, sqlite3_bind_blob64(stmt->impl, parameter, bytes, len, SQLITE_TRANSIENT));
}

void db_lend_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t len) {
	check_bound(stmt, sqlite3_bind_blob64(stmt->impl, parameter, bytes, len, SQLITE_STATIC));
}

void db_bind_null(struct db_stmt *stmt, int parameter) {
	check_bound(stmt, sqlite3_bind_null(stmt->impl, parameter));
}

int db_step(struct db_stmt *stmt, struct err *err) {
	int rc = sqlite3_step(stmt->impl);

	if (rc == SQLITE_ROW) return 1;
	if (rc != SQLITE_DONE) db_fail(stmt->db->handle, stmt->db->path, rc, err);
	db_reset(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int db_run(struct db_stmt *stmt, struct err *err) {
	int rc;

	do {
		rc = db_step(stmt, err);
	} while (rc > 0);
	return rc;
}

/* Values are forgotten too: what was bound for one row must not slip into the next. */
void db_reset(struct db_stmt *stmt) {
	sqlite3_reset(stmt->impl);
	sqlite3_clear_bindings(stmt->impl);
}

void db_finalize(struct db_stmt *stmt) {
	if (!stmt->impl) return;
	sqlite3_finalize(stmt->impl);
	list_remove(&stmt->link);
	stmt->impl = NULL;
}

int64_t db_int(struct db_stmt *stmt, int column) {
	return sqlite3_column_int64(stmt->impl, column);
}

const char *db_text(struct db_stmt *stmt, int column) {
	return (const char *)sqlite3_column_text(stmt->impl, column);
}

const void *db_blob(struct db_stmt *stmt, int column, size_t *len) {
	const void *bytes = sqlite3_column_blob(stmt->impl, column);

	*len = (size_t)sqlite3_column_bytes(stmt->impl, column);
	/* SQLite gives NULL for an empty blob too. */
	if (!bytes && sqlite3_column_type(stmt->impl, column) != SQLITE_NULL) return "";
	return bytes;
}

bool db_is_null(struct db_stmt *stmt, int column) {
	return sqlite3_column_type(stmt->impl, column) == SQLITE_NULL;
}
