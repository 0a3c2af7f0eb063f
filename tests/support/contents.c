#include "support/contents.h"

#include <stdlib.h>

#include "support/edits.h"
#include "support/trees.h"

enum { TRACKED_MIN = 8 };

char *contents_hash(struct ground *g, const char *path) {
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t len = 0;
	const unsigned char *bytes = disk_memory_peek(g->memory, path, &len);
	if (!bytes) return NULL;
	for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return xasprintf("%016llx.%zu", (unsigned long long)hash, len);
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
		struct contents_holder *holder = hash ? map_get(found, hash) : NULL;
		if (hash && !holder) {
			holder = xcalloc(1, sizeof(*holder));
			holder->path = xstrdup(*path);
			map_put(found, hash, holder);
		}
		if (holder) holder->count++;
		free(hash);
	}
	g->paused = paused;
	strv_free(paths);
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
