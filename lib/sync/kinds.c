/* Sockets, FIFOs and devices: counted for status, each once, however often something happens to it. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum { KINDS_MAX = 100000 }; /* what is more is not counted */

static void *number_of(int64_t scan) {
	return (void *)(uintptr_t)(scan + 1); /* never NULL */
}

void kinds_seen(struct folder *f, const char *path) {
	if (map_count(&f->not_kept) < KINDS_MAX || map_get(&f->not_kept, path))
		map_put(&f->not_kept, path, number_of(f->scans));
}

static bool gone_below(struct folder *f, struct map_item *item, const char *path) {
	return path_is_within(map_key(item), path);
}

static bool unseen(struct folder *f, struct map_item *item, const char *path) {
	(void)path;
	return map_value(item) != number_of(f->scans);
}

static void take_all(struct folder *f, const char *path,
	bool (*is_over)(struct folder *f, struct map_item *item, const char *path)) {
	char **over = NULL;
	struct map_item *item = NULL;
	while ((item = map_next(&f->not_kept, item)))
		if (is_over(f, item, path)) strv_add_owned(&over, xstrdup(map_key(item)));
	for (size_t i = 0; over && over[i]; i++) map_take(&f->not_kept, over[i]);
	strv_free(over);
}

void kinds_not_there(struct folder *f, const char *path, bool below) {
	if (!map_count(&f->not_kept)) return;
	map_take(&f->not_kept, path);
	if (below) take_all(f, path, gone_below);
}

void kinds_scanned(struct folder *f) {
	take_all(f, "", unseen);
}
