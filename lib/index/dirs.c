/* Folders by number. Rows name their folder by it, so that a path of 200 bytes is not repeated in
 * each of its 10,000 files, and a folder's rows lie side by side. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

/* FNV-1a: short paths, a table of fixed size, nothing hostile can grow. */
static size_t slot_of(const char *path, size_t len) {
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)path[i]) * 16777619U;
	return hash % DIR_SLOTS;
}

static void slot_set(struct dir_slot *slot, int64_t id, const char *path, size_t len) {
	free(slot->path);
	slot->path = id ? xstrndup(path, len) : NULL;
	slot->id = id;
}

static void remember(struct index *index, int64_t id, const char *path, size_t len) {
	if (len > DIR_CACHED_MAX_BYTES) return;
	slot_set(&index->by_path[slot_of(path, len)], id, path, len);
	slot_set(&index->by_id[(uint64_t)id % DIR_SLOTS], id, path, len);
}

static void forget(struct index *index, int64_t id, const char *path, size_t len) {
	struct dir_slot *slot = &index->by_path[slot_of(path, len)];

	if (slot->id == id) slot_set(slot, 0, NULL, 0);
	slot = &index->by_id[(uint64_t)id % DIR_SLOTS];
	if (slot->id == id) slot_set(slot, 0, NULL, 0);
}

void index_folders_forget(struct index *index) {
	index->used_dir = 0;
	free(index->known_folder);
	index->known_folder = NULL;
}

void index_dir_forget_all(struct index *index) {
	index_folders_forget(index);
	for (size_t i = 0; i < DIR_SLOTS; i++) {
		slot_set(&index->by_path[i], 0, NULL, 0);
		slot_set(&index->by_id[i], 0, NULL, 0);
	}
}

size_t index_split(const char *path, const char **name) {
	*name = path_name(path);
	return *name == path ? 0 : (size_t)(*name - path) - 1;
}

char *index_join(const char *folder, const void *name, size_t len) {
	size_t above = strlen(folder);
	char *path = xmalloc(above + len + 2), *to = path;

	if (above > 0) {
		memcpy(to, folder, above);
		to += above;
		*to++ = '/';
	}
	if (len > 0) memcpy(to, name, len);
	to[len] = '\0';
	return path;
}

/* The parent's bytes of a path's first `len` bytes; `*name` is where the last component begins. */
static size_t parent_len(const char *path, size_t len, size_t *name) {
	const char *slash = path_last_slash(path, len);

	*name = slash ? (size_t)(slash - path) + 1 : 0;
	return slash ? (size_t)(slash - path) : 0;
}

/* From the nearest folder above that is remembered, down. */
static int64_t find(
	struct index *index, const char *path, size_t len, bool make, int depth, struct err *err) {
	if (len == 0) return DIR_ROOT;
	const struct dir_slot *slot = &index->by_path[slot_of(path, len)];
	if (slot->id && strlen(slot->path) == len && memcmp(slot->path, path, len) == 0) {
		return slot->id;
	}
	if (depth > DIR_DEPTH_MAX) return err_set(err, ERR_INVALID, "path is too deep");

	size_t name;
	size_t above = parent_len(path, len, &name);
	int64_t parent = find(index, path, above, make, depth + 1, err);
	if (parent <= 0) return parent;
	struct db_stmt *stmt = index_stmt(index, SQL_DIR_FIND, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, parent);
	db_bind_blob(stmt, 2, path + name, len - name);
	int got = db_step(stmt, err);
	int64_t id = got == 1 ? db_int(stmt, 0) : got;
	db_reset(stmt);
	if (id == 0 && make) {
		stmt = index_stmt(index, SQL_DIR_ADD, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, parent);
		db_bind_blob(stmt, 2, path + name, len - name);
		if (db_run(stmt, err) < 0) return -1;
		id = db_last_rowid(index->db);
	}
	if (id > 0) remember(index, id, path, len);
	return id;
}

int64_t index_dir_find(struct index *index, const char *path, size_t len, struct err *err) {
	return find(index, path, len, false, 0, err);
}

int64_t index_dir_make(struct index *index, const char *path, size_t len, struct err *err) {
	return find(index, path, len, true, 0, err);
}

/* Number 0, which a damaged row may have, is an empty place's. */
const char *index_dir_known(const struct index *index, int64_t dir) {
	const struct dir_slot *slot = &index->by_id[(uint64_t)dir % DIR_SLOTS];
	return dir && slot->id == dir ? slot->path : NULL;
}

static char *path_of(struct index *index, int64_t dir, int depth, struct err *err) {
	if (dir == DIR_ROOT) return xstrdup("");
	const char *known = index_dir_known(index, dir);
	if (known) return xstrdup(known);

	struct db_stmt *stmt = index_stmt(index, SQL_DIR_GET, err);
	if (!stmt) return NULL;
	db_bind_int(stmt, 1, dir);
	int got = db_step(stmt, err);
	if (got < 0) return NULL;
	if (got == 0 || depth > DIR_DEPTH_MAX) {
		db_reset(stmt);
		err_set(err, ERR_CORRUPT, "folder %lld of the index hangs in the air",
			(long long)dir);
		return NULL;
	}
	int64_t parent = db_int(stmt, 0);
	char *name = index_text(stmt, 1);
	/* The same statement serves the folders above: nothing of this row is used any more. */
	db_reset(stmt);
	char *above = path_of(index, parent, depth + 1, err), *path = NULL;
	if (above) {
		path = index_join(above, name, strlen(name));
		remember(index, dir, path, strlen(path));
	}
	free(above);
	free(name);
	return path;
}

char *index_dir_path(struct index *index, int64_t dir, struct err *err) {
	return path_of(index, dir, 0, err);
}

int index_dir_prune(
	struct index *index, const char *path, size_t len, int64_t dir, struct err *err) {
	while (dir != DIR_ROOT && dir != index->used_dir) {
		struct db_stmt *stmt = index_stmt(index, SQL_DIR_USED, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, dir);
		int got = db_step(stmt, err);
		if (got < 0) return -1;
		bool used = db_int(stmt, 0) != 0;
		db_reset(stmt);
		if (used) return 0;
		stmt = index_stmt(index, SQL_DIR_DROP, err);
		if (!stmt) return -1;
		db_bind_int(stmt, 1, dir);
		if (db_run(stmt, err) < 0) return -1;
		forget(index, dir, path, len);

		size_t name;
		len = parent_len(path, len, &name);
		dir = find(index, path, len, false, 0, err);
		if (dir <= 0) return (int)dir;
	}
	return 0;
}
