/* What an operation must find again after a crash: how far its upload came. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

static int change(struct index *index, enum index_sql which, const char *path, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, which, path, err);
	return stmt && db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

void index_session_release(struct index_session *session) {
	free(session->session);
	*session = (struct index_session){ 0 };
}

int index_session_put(struct index *index, const char *path, const struct index_session *session,
	struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_SESSION_PUT, path, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 2, session->session, strlen(session->session));
	db_bind_int(stmt, 3, session->size);
	db_bind_int(stmt, 4, session->mtime_ns);
	db_bind_int(stmt, 5, session->ctime_ns);
	db_bind_int(stmt, 6, (int64_t)session->ino);
	db_bind_int(stmt, 7, session->part_size);
	db_bind_blob(stmt, 8, session->hash_len ? session->hash : NULL, session->hash_len);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

static void session_read(struct db_stmt *stmt, struct index_session *session) {
	session->session = index_text(stmt, 0);
	session->size = db_int(stmt, 1);
	session->mtime_ns = db_int(stmt, 2);
	session->ctime_ns = db_int(stmt, 3);
	session->ino = (uint64_t)db_int(stmt, 4);
	session->part_size = db_int(stmt, 5);
	size_t len = 0;
	const void *hash = db_blob(stmt, 6, &len);
	if (hash && len <= sizeof(session->hash)) {
		memcpy(session->hash, hash, len);
		session->hash_len = len;
	}
}

int index_session_get(
	struct index *index, const char *path, struct index_session *session, struct err *err) {
	struct db_stmt *stmt = index_stmt_path(index, SQL_SESSION_GET, path, err);

	*session = (struct index_session){ 0 };
	if (!stmt) return -1;
	int got = db_step(stmt, err);
	if (got == 1) session_read(stmt, session);
	db_reset(stmt);
	return got;
}

int index_session_any(
	struct index *index, char **path, struct index_session *session, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_SESSION_ANY, err);

	*session = (struct index_session){ 0 };
	*path = NULL;
	if (!stmt) return -1;
	int got = db_step(stmt, err);
	if (got == 1) {
		session_read(stmt, session);
		*path = index_text(stmt, 7);
	}
	db_reset(stmt);
	return got;
}

int index_session_drop(struct index *index, const char *path, struct err *err) {
	return change(index, SQL_SESSION_DROP, path, err);
}
