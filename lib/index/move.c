/* Renames: which agreed path has this inode, and a folder's rows under its new name. And rows of one flag. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

/* The paths of all rows (dir, name): a vector of the caller's. */
static int collect(
	struct index *index, struct db_stmt *stmt, bool folder, char ***paths, struct err *err) {
	int got;

	while ((got = db_step(stmt, err)) == 1) {
		char *above = index_dir_path(index, db_int(stmt, 0), err);
		if (!above) {
			got = -1;
			break;
		}
		size_t len = 0;
		const char *name = db_blob(stmt, 1, &len);
		strv_add_owned(paths, index_join(above, name, folder && len ? len - 1 : len));
		free(above);
	}
	db_reset(stmt);
	if (got == 0) return 0;
	strv_free(*paths);
	*paths = NULL;
	return -1;
}

int index_find_inode(struct index *index, uint64_t ino, bool folder, size_t limit, char ***paths,
	struct err *err) {
	*paths = NULL;
	if (index_absent_inode(index, ino)) return 0;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_BY_INO, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, (int64_t)ino);
	db_bind_int(stmt, 2, folder ? INDEX_FOLDER : INDEX_FILE);
	db_bind_int(stmt, 3, (int64_t)limit);
	return collect(index, stmt, folder, paths, err);
}

int index_find_id(struct index *index, const char *id, bool folder, size_t limit, char ***paths,
	struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_BY_ID, err);

	*paths = NULL;
	if (!stmt) return -1;
	db_lend_blob(stmt, 1, id, strlen(id));
	db_bind_int(stmt, 2, folder);
	db_bind_int(stmt, 3, (int64_t)limit);
	return collect(index, stmt, folder, paths, err);
}

int index_find_sending(struct index *index, const void *tail, size_t len, size_t limit,
	char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_SENT, err);

	*paths = NULL;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, -(int64_t)len);
	db_lend_blob(stmt, 2, tail, len);
	db_bind_int(stmt, 3, (int64_t)limit);
	if (collect(index, stmt, false, paths, err) < 0) return -1;
	index_sent_find(index, tail, len, limit, paths);
	return 0;
}

int index_plain(struct index *index, size_t limit, int64_t *count, char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_PLAIN, err);
	int got;

	*paths = NULL;
	*count = 0;
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		if ((size_t)++ * count > limit) continue;
		char *above = index_dir_path(index, db_int(stmt, 0), err);
		if (!above) break;
		size_t len = 0;
		const char *name = db_blob(stmt, 1, &len);
		strv_add_owned(paths, index_join(above, name, len));
		free(above);
	}
	db_reset(stmt);
	return got < 0 ? -1 : 0;
}

/* One number by one number: 1 and *value, 0: no row, -1. */
static int ask(
	struct index *index, enum index_sql which, int64_t first, int64_t *value, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, first);
	int got = db_step(stmt, err);
	if (got == 1) *value = db_int(stmt, 0);
	db_reset(stmt);
	return got;
}

static int run(
	struct index *index, enum index_sql which, int64_t first, int64_t second, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, first);
	db_bind_int(stmt, 2, second);
	return db_run(stmt, err);
}

/* Nothing below is a deletion any more: what was held is looked at again. */
static int unhold(struct index *index, int64_t dir, int64_t now_ms, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_TREE_UNHOLD, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	if (db_run(stmt, err) < 0) return -1;
	return run(index, SQL_TREE_WAKE, dir, now_ms, err);
}

/* Dirty rows of one folder go to another: where both have one, the older mark and the newer count. */
static int dirty_merge(struct index *index, int64_t from, int64_t to, struct err *err) {
	if (run(index, SQL_DIRTY_MERGE, from, to, err) < 0) return -1;
	if (run(index, SQL_DIRTY_MERGED, from, to, err) < 0) return -1;
	index->dirty_count -= db_changes(index->db);
	index->totals_changed = true;
	index_since_forget(index);
	return run(index, SQL_DIRTY_REHOME, from, to, err);
}

/* What hangs below the number `from`, marks only, goes below `to`. */
static int merge(struct index *index, int64_t from, int64_t to, int depth, struct err *err) {
	int64_t child = 0, twin = 0;
	int got;

	if (depth > DIR_DEPTH_MAX) return err_set(err, ERR_INVALID, "path is too deep");
	if (dirty_merge(index, from, to, err) < 0) return -1;
	while ((got = ask(index, SQL_DIR_CHILD, from, &child, err)) == 1) {
		struct db_stmt *stmt = index_stmt(index, SQL_DIR_TWIN, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, child);
		db_bind_int(stmt, 2, to);
		got = db_step(stmt, err);
		if (got == 1) twin = db_int(stmt, 0);
		db_reset(stmt);
		if (got < 0) return -1;
		if (got == 0 && run(index, SQL_DIR_REPARENT, child, to, err) < 0) return -1;
		if (got == 1 && merge(index, child, twin, depth + 1, err) < 0) return -1;
	}
	struct db_stmt *stmt = got < 0 ? NULL : index_stmt(index, SQL_DIR_DROP, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, from);
	return db_run(stmt, err);
}

static int move(
	struct index *index, const char *from, const char *to, int64_t now_ms, struct err *err) {
	const char *name;
	int64_t used = 0;
	int64_t source = index_dir_find(index, from, strlen(from), err);
	if (source <= 0) return source < 0 ? -1 : 1; /* nothing is known below it */
	int64_t target = index_dir_find(index, to, strlen(to), err);
	if (target < 0) return -1;
	if (target > 0) {
		int got = ask(index, SQL_TREE_USED, target, &used, err);
		if (got != 0) return got < 0 ? -1 : 0; /* something is known there already */
		if (unhold(index, target, now_ms, err) < 0) return -1;
		if (merge(index, target, source, 0, err) < 0) return -1;
		/* Numbers are gone, and a path of before may lead to one. */
		index_dir_forget_all(index);
	}
	if (unhold(index, source, now_ms, err) < 0) return -1;
	size_t above = index_split(to, &name);
	int64_t parent = index_dir_make(index, to, above, err);
	if (parent <= 0) return -1;
	struct db_stmt *stmt = index_stmt(index, SQL_DIR_MOVE, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, source);
	db_bind_int(stmt, 2, parent);
	db_bind_blob(stmt, 3, name, strlen(name));
	if (db_run(stmt, err) < 0) return -1;
	index_dir_forget_all(index);
	above = index_split(from, &name);
	parent = index_dir_find(index, from, above, err);
	if (parent < 0) return -1;
	return parent == 0 || index_dir_prune(index, from, above, parent, err) == 0 ? 1 : -1;
}

int index_move_folder(
	struct index *index, const char *from, const char *to, int64_t now_ms, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	index_fronts_forget(index, INT64_MIN);
	int got = index_sent_settle_all(index, err);
	if (got == 0) got = move(index, from, to, now_ms, err);
	return got < 0 ? index_fail(index, err) : got;
}

/* ---- what may have moved ---- */

static int moving_change(struct index *index, enum index_sql which, const char *path,
	const char *origin, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt_path(index, which, path, err);
	if (!stmt) return index_fail(index, err);
	if (origin) db_bind_blob(stmt, 2, origin, strlen(origin));
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}

int index_moving_put(struct index *index, const char *path, const char *origin, struct err *err) {
	return moving_change(index, SQL_MOVING_PUT, path, origin, err);
}

int index_moving_drop(struct index *index, const char *path, struct err *err) {
	return moving_change(index, SQL_MOVING_DROP, path, NULL, err);
}

int index_moving_next(struct index *index, char **path, char **origin, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_MOVING_NEXT, err);
	char **texts[] = { path, origin };

	if (!stmt) return -1;
	int got = db_step(stmt, err);
	for (int column = 0; got == 1 && column < 2; column++)
		*texts[column] = index_text(stmt, column);
	db_reset(stmt);
	return got;
}
