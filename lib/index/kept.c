/* What an operation must find again after a crash: how far its upload came. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

void index_session_release(struct index_session *session) {
	free(session->session);
	*session = (struct index_session){ 0 };
}

int index_session_put(struct index *index, const char *path, const struct index_session *session,
	struct err *err) {
	if (index_session_drop(index, path, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_SESSION_PUT, path, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 2, session->session, strlen(session->session));
	db_bind_int(stmt, 3, session->size);
	db_bind_int(stmt, 4, session->mtime_ns);
	db_bind_int(stmt, 5, session->ctime_ns);
	db_bind_int(stmt, 6, (int64_t)session->ino);
	db_bind_int(stmt, 7, session->part_size);
	db_bind_blob(stmt, 8, session->hash_len ? session->hash : NULL, session->hash_len);
	if (session->sealed)
		db_bind_blob(stmt, 9, session->seal_key, sizeof(session->seal_key));
	else
		db_bind_null(stmt, 9);
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
	const void *key = db_blob(stmt, 7, &len);
	session->sealed = key && len == sizeof(session->seal_key);
	if (session->sealed) memcpy(session->seal_key, key, len);
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
		*path = index_text(stmt, 8);
	}
	db_reset(stmt);
	return got;
}

int index_session_drop(struct index *index, const char *path, struct err *err) {
	static const enum index_sql both[] = { SQL_SESSION_DROP, SQL_SESSION_PARTS_DROP };
	if (index_begin(index, err) < 0) return -1;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct db_stmt *stmt = index_stmt_path(index, both[i], path, err);
		if (!stmt || db_run(stmt, err) < 0) return index_fail(index, err);
	}
	return 0;
}

int index_session_part_put(struct index *index, const char *path, int number,
	const uint8_t seal[INDEX_SEAL_LEN], struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_SESSION_PART_PUT, path, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 2, number);
	db_bind_blob(stmt, 3, seal, INDEX_SEAL_LEN);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_session_parts(struct index *index, const char *path,
	void (*came)(void *user, int number, const uint8_t seal[INDEX_SEAL_LEN]), void *user,
	struct err *err) {
	struct db_stmt *stmt = index_stmt_path(index, SQL_SESSION_PARTS, path, err);
	int got;

	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		size_t len = 0;
		const uint8_t *seal = db_blob(stmt, 1, &len);
		if (seal && len == INDEX_SEAL_LEN) came(user, (int)db_int(stmt, 0), seal);
	}
	db_reset(stmt);
	return got;
}
