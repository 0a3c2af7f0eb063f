#include <stdlib.h>
#include <string.h>

#include "store/memory.h"

/* Keys compare as if a folder's ended in '/'; then all that is below it follows it at once. */
static int compare(const char *left, bool left_folder, const char *right, bool right_folder) {
	size_t left_len = strlen(left), right_len = strlen(right);
	size_t both = left_len < right_len ? left_len : right_len;
	int order = memcmp(left, right, both);

	if (order) return order;
	unsigned char l = left_len > both ? (unsigned char)left[both] : left_folder ? '/' : 0;
	unsigned char r = right_len > both ? (unsigned char)right[both] : right_folder ? '/' : 0;
	if (l != r) return l < r ? -1 : 1;
	/* "a/" against "a/x": the one that ended is first. */
	return left_len == right_len ? 0 : left_len < right_len ? -1 : 1;
}

/* The first index whose item is not before (key, folder). */
static size_t lower_bound(const struct memory_tree *tree, const char *key, bool folder) {
	size_t low = 0, high = tree->count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct memory_item *item = tree->items[mid];
		if (compare(item->key, item->kind == STORE_FOLDER, key, folder) < 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

struct memory_item *memory_find_kind(const struct memory_tree *tree, const char *key, bool folder) {
	size_t at = lower_bound(tree, key, folder);

	if (at >= tree->count || strcmp(tree->items[at]->key, key) != 0) return NULL;
	bool is_folder = tree->items[at]->kind == STORE_FOLDER;
	return is_folder == folder ? tree->items[at] : NULL;
}

struct memory_item *memory_find(const struct memory_tree *tree, const char *key) {
	struct memory_item *item = memory_find_kind(tree, key, false);

	return item ? item : memory_find_kind(tree, key, true);
}

void memory_insert(struct memory_tree *tree, struct memory_item *item) {
	size_t at = lower_bound(tree, item->key, item->kind == STORE_FOLDER);

	if (tree->count == tree->room) {
		tree->room = tree->room ? 2 * tree->room : 16;
		tree->items = xrealloc(tree->items, tree->room * sizeof(struct memory_item *));
	}
	memmove(tree->items + at + 1, tree->items + at,
		(tree->count - at) * sizeof(struct memory_item *));
	tree->items[at] = item;
	tree->count++;
}

void memory_take(struct memory_tree *tree, struct memory_item *item) {
	size_t at = lower_bound(tree, item->key, item->kind == STORE_FOLDER);

	tree->count--;
	memmove(tree->items + at, tree->items + at + 1,
		(tree->count - at) * sizeof(struct memory_item *));
}

void memory_item_free(struct memory_item *item) {
	free(item->key);
	free(item->bytes);
	free(item);
}

void memory_tree_release(struct memory_tree *tree) {
	for (size_t i = 0; i < tree->count; i++) memory_item_free(tree->items[i]);
	free(tree->items);
	*tree = (struct memory_tree){ 0 };
}

char *memory_mark(const struct memory_item *item) {
	return xasprintf("%s%s", item->key, item->kind == STORE_FOLDER ? "/" : "");
}

size_t memory_behind(const struct memory_tree *tree, const char *folder, const char *mark) {
	if (!mark && !*folder) return 0;
	char *key = xstrdup(mark ? mark : folder);
	size_t len = strlen(key);
	bool is_folder = !mark || (len && key[len - 1] == '/');

	if (mark && is_folder) key[len - 1] = '\0';
	size_t at = lower_bound(tree, key, is_folder);
	if (at < tree->count && strcmp(tree->items[at]->key, key) == 0 &&
		(tree->items[at]->kind == STORE_FOLDER) == is_folder) {
		at++;
	}
	free(key);
	return at;
}
