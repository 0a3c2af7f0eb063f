#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/* What is known of paths: the ids of what was seen or made. Lists may lag behind by minutes, so what we
 * made ourselves must be known without them. */

enum { NODES_MAX = 50000 };

char *gdrive_path(const struct gdrive *gd, const char *key) {
	return path_join(gd->prefix, key);
}

static char *node_key(const char *path, bool folder) {
	return xconcat(path, folder ? "/" : "");
}

static bool idle(const struct gdrive_node *node) {
	return !node->lock.owner && list_empty(&node->lock.waiting);
}

static void node_free(struct gdrive_node *node) {
	free(node->id);
	free(node);
}

static void drop(struct gdrive *gd, const char *key) {
	struct gdrive_node *node = map_get(&gd->nodes, key);

	if (!node) return;
	if (idle(node)) {
		map_take(&gd->nodes, key);
		node_free(node);
		return;
	}
	free(node->id);
	node->id = NULL;
	node->pending = false;
	node->fresh_until_ms = 0;
}

/* Memory stays flat: what is forgotten is asked for again. What waits for its answer is kept. */
static void make_room(struct gdrive *gd) {
	char **keys = NULL;
	struct map_item *item = NULL;

	if (map_count(&gd->nodes) < NODES_MAX) return;
	while ((item = map_next(&gd->nodes, item))) {
		const struct gdrive_node *node = map_value(item);
		if (idle(node) && !node->pending) strv_add(&keys, map_key(item));
	}
	for (size_t i = 0; keys && keys[i]; i++) drop(gd, keys[i]);
	strv_free(keys);
}

const struct gdrive_node *gdrive_node_known(struct gdrive *gd, const char *path, bool folder) {
	char *key = node_key(path, folder);
	const struct gdrive_node *node = map_get(&gd->nodes, key);

	free(key);
	return node && node->id ? node : NULL;
}

struct gdrive_node *gdrive_node(struct gdrive *gd, const char *path, bool folder) {
	char *key = node_key(path, folder);
	struct gdrive_node *node = map_get(&gd->nodes, key);

	if (!node) {
		make_room(gd);
		node = xcalloc(1, sizeof(*node));
		gdrive_lock_init(&node->lock);
		map_put(&gd->nodes, key, node);
	}
	free(key);
	return node;
}

void gdrive_node_set(struct gdrive *gd, const char *path, bool folder, const char *id) {
	struct gdrive_node *node = gdrive_node(gd, path, folder);

	if (!str_equal(node->id, id)) {
		free(node->id);
		node->id = xstrdup(id);
		node->fresh_until_ms = 0;
	}
	node->pending = false;
}

static void told(struct gdrive_node *node, const char *id, bool pending) {
	if (node->id) return;
	node->id = xstrdup(id);
	node->pending = pending;
}

void gdrive_node_told(struct gdrive *gd, const char *path, bool folder, const char *id) {
	told(gdrive_node(gd, path, folder), id, false);
}

void gdrive_remember(struct store *store, const char *place, const char *id) {
	char *path = xstrdup(place);
	size_t len = strlen(path);
	bool folder = len > 0 && path[len - 1] == '/';

	if (folder) path[len - 1] = '\0';
	told(gdrive_node(container_of(store, struct gdrive, store), path, folder), id, true);
	free(path);
}

bool gdrive_is_late(const struct gdrive_op *x) {
	return x->forgets != x->gd->forgets;
}

bool gdrive_node_has_children(struct gdrive *gd, const char *path) {
	struct map_item *item = NULL;
	size_t len = strlen(path);

	while ((item = map_next(&gd->nodes, item))) {
		const char *key = map_key(item);
		const struct gdrive_node *node = map_value(item);
		if (node->id && !node->pending && strncmp(key, path, len) == 0 && key[len] == '/' &&
			key[len + 1])
			return true;
	}
	return false;
}

void gdrive_node_forget(struct gdrive *gd, const char *path, bool folder) {
	char *own = node_key(path, folder);
	char **keys = NULL;
	struct map_item *item = NULL;
	size_t len = strlen(path);

	if (!folder) {
		drop(gd, own);
		free(own);
		return;
	}
	gd->forgets++;
	while ((item = map_next(&gd->nodes, item))) {
		const char *key = map_key(item);
		bool below = len == 0 || (strncmp(key, path, len) == 0 && key[len] == '/');
		if (below) strv_add(&keys, key);
	}
	for (size_t i = 0; keys && keys[i]; i++) drop(gd, keys[i]);
	strv_free(keys);
	free(own);
}

/* Is what has this id still at the place where it was known to be? */
static bool stands(struct gdrive *gd, const char *key, const struct gdrive_file *file) {
	size_t len = strlen(key);
	bool folder = len > 0 && key[len - 1] == '/';
	char *path = xstrndup(key, len - folder), *above = path_parent(path);
	const struct gdrive_node *parent = gdrive_node_known(gd, above, true);
	const char *parent_id = parent ? parent->id : *above ? NULL : gd->base_id;
	/* The base goes by its id, whatever its name. */
	bool same = !*path || (file->name && gdrive_file_is_at(file, path, parent_id, folder));

	free(above);
	free(path);
	return same;
}

void gdrive_nodes_changed(struct gdrive *gd, const struct gdrive_file *files, size_t count) {
	struct map seen, strange; /* by id; by the id of their folder, what we did not know of */
	char **moved = NULL;
	struct map_item *item = NULL;

	map_init(&seen);
	map_init(&strange);
	for (size_t i = 0; i < count; i++) map_put(&seen, files[i].entry.id, (void *)&files[i]);
	while ((item = map_next(&gd->nodes, item))) {
		const struct gdrive_node *node = map_value(item);
		const struct gdrive_file *file = node->id ? map_get(&seen, node->id) : NULL;
		if (!file) continue;
		if (!stands(gd, map_key(item), file)) strv_add(&moved, map_key(item));
		map_take(&seen, node->id);
	}
	while ((item = map_next(&seen, item))) {
		const struct gdrive_file *file = map_value(item);
		if (file->parent) map_put(&strange, file->parent, (void *)file);
	}
	while ((item = map_next(&gd->nodes, item))) {
		struct gdrive_node *node = map_value(item);
		if (node->id && map_get(&strange, node->id)) node->fresh_until_ms = 0;
	}
	for (size_t i = 0; moved && moved[i]; i++) {
		size_t len = strlen(moved[i]);
		bool folder = moved[i][len - 1] == '/';
		if (folder) moved[i][len - 1] = '\0';
		gdrive_node_forget(gd, moved[i], folder);
	}
	strv_free(moved);
	map_release(&strange);
	map_release(&seen);
}

void gdrive_nodes_release(struct gdrive *gd) {
	struct map_item *item = NULL;

	while ((item = map_next(&gd->nodes, item))) node_free(map_value(item));
	map_release(&gd->nodes);
}

void gdrive_place_set(
	struct gdrive_op *x, struct gdrive_place *place, const char *key, enum store_kind kind) {
	char *path = gdrive_path(x->gd, key);

	place->path = kind == STORE_LINK ? xconcat(path, STORE_LINK_SUFFIX) : xstrdup(path);
	free(path);
	place->folder = kind == STORE_FOLDER;
	place->file.entry.mtime_ns = STORE_MTIME_UNKNOWN;
}

void gdrive_place_release(struct gdrive_place *place) {
	free(place->path);
	free(place->parent_id);
	free(place->twin);
	gdrive_file_release(&place->file);
	*place = (struct gdrive_place){ 0 };
}
