#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"

/* Memory for the table comes from us, so running out of it ends the program as it does everywhere
 * else. */
#define uthash_malloc(size) xmalloc(size)
#include <uthash.h>

struct map_item {
	UT_hash_handle hh;
	void *value;
	char key[];
};

void map_init(struct map *map) {
	map->items = NULL;
}

void map_release(struct map *map) {
	struct map_item *item = map->items;

	/* HASH_CLEAR frees the table only, and needs the items for that. */
	HASH_CLEAR(hh, map->items);
	while (item) {
		struct map_item *next = item->hh.next;
		free(item);
		item = next;
	}
}

static struct map_item *find(const struct map *map, const char *key, size_t len) {
	struct map_item *item = NULL;

	HASH_FIND(hh, map->items, key, len, item);
	return item;
}

void *map_get(const struct map *map, const char *key) {
	const struct map_item *item = find(map, key, strlen(key));

	return item ? item->value : NULL;
}

void *map_put(struct map *map, const char *key, void *value) {
	size_t len = strlen(key);
	struct map_item *item = find(map, key, len);

	assert(value);
	if (item) {
		void *before = item->value;
		item->value = value;
		return before;
	}
	item = xmalloc(sizeof(*item) + len + 1);
	item->value = value;
	memcpy(item->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, map->items, item->key, len, item);
	return NULL;
}

void *map_take(struct map *map, const char *key) {
	struct map_item *item = find(map, key, strlen(key));

	if (!item) return NULL;
	void *value = item->value;
	HASH_DELETE(hh, map->items, item);
	free(item);
	return value;
}

size_t map_count(const struct map *map) {
	return HASH_COUNT(map->items);
}

struct map_item *map_next(const struct map *map, struct map_item *item) {
	return item ? item->hh.next : map->items;
}

const char *map_key(const struct map_item *item) {
	return item->key;
}

void *map_value(const struct map_item *item) {
	return item->value;
}
