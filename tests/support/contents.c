#include "support/contents.h"

#include <stdlib.h>
#include <string.h>

#include "support/edits.h"
#include "support/trees.h"

enum { TRACKED_MIN = 8 };

static char *hash_of(const unsigned char *bytes, size_t len) {
	uint64_t hash = UINT64_C(0xcbf29ce484222325), bits;
	size_t at = 0;
	for (; at + sizeof(bits) <= len; at += sizeof(bits)) {
		memcpy(&bits, bytes + at, sizeof(bits));
		hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	for (; at < len; at++) hash = (hash ^ bytes[at]) * UINT64_C(0x100000001b3);
	return xasprintf("%016llx.%zu", (unsigned long long)hash, len);
}

char *contents_hash(struct ground *g, const char *path) {
	size_t len = 0;
	const unsigned char *bytes = disk_memory_peek(g->memory, path, &len);
	return bytes ? hash_of(bytes, len) : NULL;
}

/* Takes `hash`. */
static void hold(struct map *found, char *hash, const char *path) {
	struct contents_holder *holder = map_get(found, hash);
	if (!holder) {
		holder = xcalloc(1, sizeof(*holder));
		holder->path = xstrdup(path);
		map_put(found, hash, holder);
	}
	holder->count++;
	free(hash);
}

void contents_gather(struct ground *g, struct map *found) {
	bool paused = g->paused;
	char **paths = edit_paths(g);
	map_init(found);
	g->paused = true;
	for (char **path = paths; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		if (disk_stat(g->disk, *path, &stat, &err) || stat.kind != DISK_FILE ||
			stat.size < TRACKED_MIN || story_excludes(*path, false) ||
			disk_is_beside(path_name(*path)))
			continue;
		char *hash = contents_hash(g, *path);
		if (hash) hold(found, hash, *path);
	}
	g->paused = paused;
	strv_free(paths);
}

/* NULL: it could not be asked for. The caller's. */
static char *hash_remote(struct ground *g, const struct store_entry *entry) {
	struct store_op op;
	struct err err;
	char *hash = NULL;
	store_op_init(&op, STORE_GET, entry->name);
	op.kind = STORE_FILE;
	if (store_memory_now(g->content, &op, &err))
		ground_wrong(g, err.text, entry->name);
	else
		hash = hash_of((const unsigned char *)op.answer_body.at, op.answer_body.len);
	store_op_release(&op);
	return hash;
}

static void hold_remote(struct ground *g, struct map *found, const struct store_entry *entry) {
	if (entry->kind != STORE_FILE || entry->size < TRACKED_MIN) return;
	char *hash = hash_remote(g, entry);
	if (hash) hold(found, hash, entry->name);
}

static void each_remote(struct ground *g, struct map *found,
	void (*take)(struct ground *g, struct map *found, const struct store_entry *entry)) {
	struct store_op op;
	struct err err;
	char *token = NULL;
	map_init(found);
	do {
		store_op_init(&op, STORE_LIST, "");
		op.kind = STORE_FOLDER;
		op.recursive = true;
		op.page_token = token;
		if (store_memory_now(g->content, &op, &err)) ground_wrong(g, err.text, "");
		free(token);
		token = xstrdup(op.next_token);
		for (size_t i = 0; i < op.entry_count; i++) take(g, found, &op.entries[i]);
		store_op_release(&op);
	} while (token);
}

void contents_gather_remote(struct ground *g, struct map *found) {
	each_remote(g, found, hold_remote);
}

void contents_release(struct map *found) {
	for (struct map_item *it = NULL; (it = map_next(found, it));) {
		struct contents_holder *holder = map_value(it);
		free(holder->path);
		free(holder);
	}
	map_release(found);
}

int contents_count(const struct map *found, const char *hash) {
	const struct contents_holder *holder = map_get(found, hash);
	return holder ? holder->count : 0;
}

/* ---- by path ---- */

void contents_paths(struct ground *g, struct map *found) {
	bool paused = g->paused;
	char **paths = edit_paths(g);
	map_init(found);
	g->paused = true;
	for (char **path = paths; path && *path; path++) {
		if (story_excludes(*path, false) || disk_is_beside(path_name(*path))) continue;
		char *hash = contents_hash(g, *path);
		if (hash) free(map_put(found, *path, hash));
	}
	g->paused = paused;
	strv_free(paths);
}

static void path_remote(struct ground *g, struct map *found, const struct store_entry *entry) {
	const char *base = strchr(g->settings.remote, ':') + 1;
	if (entry->kind != STORE_FILE || !path_is_within(entry->name, base) ||
		path_is_within(entry->name, ".tend"))
		return;
	const char *path = entry->name + (*base ? strlen(base) + 1 : 0);
	char *hash = story_excludes(path, false) ? NULL : hash_remote(g, entry);
	if (hash) free(map_put(found, path, hash));
}

void contents_paths_remote(struct ground *g, struct map *found) {
	each_remote(g, found, path_remote);
}

static bool is_excepted(char **except, const char *path) {
	for (; except && *except; except++) {
		size_t len = strlen(*except);
		if (strncmp(path, *except, len) != 0) continue;
		if (!path[len] || str_starts(path + len, " (conflict ")) return true;
	}
	return false;
}

const char *contents_differ(const struct map *one, const struct map *other, char **except) {
	const struct map *sides[2] = { one, other };
	for (int i = 0; i < 2; i++)
		for (struct map_item *it = NULL; (it = map_next(sides[i], it));)
			if (!str_equal(map_value(it), map_get(sides[!i], map_key(it))) &&
				!is_excepted(except, map_key(it)))
				return map_key(it);
	return NULL;
}

void contents_folders_kept(struct ground *g, char ***folders) {
	char **paths = edit_paths(g);
	for (char **path = paths; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		if (disk_stat(g->disk, *path, &stat, &err)) continue;
		if (stat.kind != DISK_OTHER && !story_excludes(*path, stat.kind == DISK_FOLDER))
			continue;
		for (char *at = strchr(*path, '/'); at; at = strchr(at + 1, '/'))
			strv_add_owned(folders, xstrndup(*path, (size_t)(at - *path)));
	}
	strv_free(paths);
}

void contents_paths_release(struct map *paths) {
	for (struct map_item *it = NULL; (it = map_next(paths, it));) free(map_value(it));
	map_release(paths);
}
