/* String keys to pointers, in the order they were put. Keys are copied; values stay the
 * caller's. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map_item;

struct map {
	struct map_item *items;
};

void map_init(struct map *map);
void map_release(struct map *map);

/* NULL when the key is not there. */
void *map_get(const struct map *map, const char *key);

/* Returns the value that stood there before, or NULL. `value` must not be NULL. */
void *map_put(struct map *map, const char *key, void *value);

/* Removes and returns the value, or NULL. */
void *map_take(struct map *map, const char *key);

size_t map_count(const struct map *map);

/* In insertion order: `struct map_item *it = NULL; while ((it = map_next(&map, it))) …`; removing
 * `it` inside is not allowed. */
struct map_item *map_next(const struct map *map, struct map_item *item);
const char *map_key(const struct map_item *item);
void *map_value(const struct map_item *item);

#endif
