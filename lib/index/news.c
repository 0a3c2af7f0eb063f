/* What the remote has by now where that is not what was agreed, and the conflicts that came of it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

int index_news_put(
	struct index *index, const char *path, const struct index_entry *news, struct err *err) {
	const char *name;

	assert(*path && news->hash_len <= sizeof(news->hash));
	if (index_begin(index, err) < 0) return -1;
	int64_t dir = index_dir_make(index, path, index_split(path, &name), err);
	index->news = true;
	if (dir < 0 || index_write_row(index, SQL_NEWS_PUT, dir, name, news, err) < 0)
		return index_fail(index, err);
	return 0;
}

/* A statement with the key bound; 0: nothing is known of the folder it lies in. */
static int keyed(struct index *index, enum index_sql which, const char *path, bool folder,
	struct db_stmt **stmt, struct err *err) {
	const char *name;
	int64_t dir = index_dir_find(index, path, index_split(path, &name), err);

	if (dir <= 0) return (int)dir;
	*stmt = index_stmt(index, which, err);
	if (!*stmt) return -1;
	index_bind_key(*stmt, dir, name, folder);
	return 1;
}

int index_news_get(struct index *index, const char *path, bool folder, struct index_entry *news,
	struct err *err) {
	struct db_stmt *stmt;

	*news = (struct index_entry){ 0 };
	if (!index->news) return 0;
	int got = keyed(index, SQL_NEWS_GET, path, folder, &stmt, err);
	if (got <= 0) return got;
	got = db_step(stmt, err);
	if (got == 1) index_entry_read(stmt, news);
	db_reset(stmt);
	return got;
}

static int drop(struct index *index, const char *path, bool folder, struct err *err) {
	struct db_stmt *stmt;
	const char *name;
	int got = keyed(index, SQL_NEWS_DROP, path, folder, &stmt, err);

	if (got <= 0) return got;
	if (db_run(stmt, err) < 0) return -1;
	if (db_changes(index->db) == 0) return 0;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);
	index_folders_forget(index);
	return dir <= 0 ? (int)dir : index_dir_prune(index, path, above, dir, err);
}

int index_news_drop(struct index *index, const char *path, bool folder, struct err *err) {
	if (!index->news) return 0;
	if (index_begin(index, err) < 0) return -1;
	return drop(index, path, folder, err) == 0 ? 0 : index_fail(index, err);
}

/* Also asked at its opening: while there is none no path is asked for. */
int index_news_any(struct index *index, struct err *err) {
	if (!index->news) return 0;
	struct db_stmt *stmt = index_stmt(index, SQL_NEWS_ANY, err);

	if (!stmt) return -1;
	int got = db_step(stmt, err);
	db_reset(stmt);
	if (got == 0) index->news = false;
	return got;
}

int index_news_has_id(struct index *index, const char *id, struct err *err) {
	if (!index->news) return 0;
	struct db_stmt *stmt = index_stmt(index, SQL_NEWS_BY_ID, err);

	if (!stmt) return -1;
	db_bind_blob(stmt, 1, id, strlen(id));
	int got = db_step(stmt, err);
	db_reset(stmt);
	return got;
}

/* ---- conflicts ---- */

int index_conflict_add(
	struct index *index, const struct index_conflict *conflict, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_CONFLICT_ADD, conflict->path, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 2, conflict->origin, strlen(conflict->origin));
	db_bind_int(stmt, 3, conflict->noted_ns);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_conflict_drop(struct index *index, const char *path, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, SQL_CONFLICT_DROP, path, err);
	return stmt && db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_conflicts(struct index *index, size_t limit, struct index_conflict **rows, size_t *count,
	struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_CONFLICT_LIST, err);
	int got;

	*rows = NULL;
	*count = 0;
	if (!stmt) return -1;
	*rows = xcalloc(limit + 1, sizeof(**rows));
	db_bind_int(stmt, 1, (int64_t)limit);
	while ((got = db_step(stmt, err)) == 1)
		(*rows)[(*count)++] = (struct index_conflict){ index_text(stmt, 0),
			index_text(stmt, 1), db_int(stmt, 2) };
	db_reset(stmt);
	if (got == 0) return 0;
	index_conflicts_free(*rows, *count);
	*rows = NULL;
	*count = 0;
	return -1;
}

int64_t index_conflict_count(struct index *index) {
	struct err ignored;
	struct db_stmt *stmt = index_stmt(index, SQL_CONFLICT_COUNT, &ignored);

	if (!stmt) return 0;
	int64_t count = db_step(stmt, &ignored) == 1 ? db_int(stmt, 0) : 0;
	db_reset(stmt);
	return count;
}

void index_conflicts_free(struct index_conflict *rows, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(rows[i].path);
		free(rows[i].origin);
	}
	free(rows);
}
