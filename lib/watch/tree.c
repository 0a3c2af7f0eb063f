/* Folders by name below their parent and by the system's number: search trees of the C library,
 * since a number leads to a place whose path changes when a folder above is moved. */
#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "watch/internal.h"

/* Elements of the search trees are pointers to a node's name, so that a plain name can be looked
 * for. */

static int by_name(const void *left, const void *right) {
	return strcmp(left, right);
}

static struct node *named(void *element) {
	return element ? container_of(*(char **)element, struct node, name) : NULL;
}

/* ---- names ---- */

static void attach(struct node *node, struct node *parent) {
	node->parent = parent;
	void *element = tsearch(node->name, &parent->children, by_name);
	/* Memory that is out ends the program here as everywhere; a second of one name would be
	 * lost. */
	assert(element && named(element) == node);
}

struct node *node_new(struct watch *watch, struct node *parent, const char *name) {
	size_t len = strlen(name);
	struct node *node = xcalloc(1, sizeof(*node) + len + 1);

	node->watch = watch;
	node->number = -1;
	memcpy(node->name, name, len + 1);
	if (parent) attach(node, parent);
	return node;
}

struct node *node_child(const struct node *parent, const char *name) {
	return named(tfind(name, &parent->children, by_name));
}

struct node *node_at(struct node *root, const char *path, bool make) {
	char *copy = xstrdup(path), *rest = copy;

	for (char *name; root && (name = strsep(&rest, "/")) && *name;) {
		struct node *child = node_child(root, name);
		root = child || !make ? child : node_new(root->watch, root, name);
	}
	free(copy);
	return root;
}

char *node_path(const struct node *node, const struct node *root, const struct node **top) {
	size_t len = 0;
	const struct node *at = node;

	for (; at->parent; at = at->parent) len += strlen(at->name) + 1;
	*top = at;
	if (at != root) return NULL;
	if (len == 0) return xstrdup("");
	char *path = xmalloc(len), *to = path + len - 1;
	*to = '\0';
	for (at = node; at->parent; at = at->parent) {
		size_t name = strlen(at->name);
		to -= name;
		memcpy(to, at->name, name);
		if (at->parent != root) *--to = '/';
	}
	return path;
}

void node_cut(struct node *node) {
	assert(node->parent);
	(void)tdelete(node->name, &node->parent->children, by_name);
	node->parent = NULL;
}

struct node *node_leaf(struct node *node) {
	while (node->children) node = named(node->children);
	return node;
}

void node_free(struct node *leaf) {
	assert(!leaf->children && leaf->number < 0);
	if (leaf->parent) node_cut(leaf);
	free(leaf);
}

void node_trim(struct node *node) {
	while (node->parent && !node->children && node->number < 0) {
		struct node *parent = node->parent;
		node_free(node);
		node = parent;
	}
}

/* ---- numbers ---- */

static size_t home_of(const struct numbers *numbers, int64_t number) {
	/* Those of inotify count up from 1. */
	uint64_t mixed = (uint64_t)number * 0x9e3779b97f4a7c15;

	return (size_t)(mixed >> 32) & (numbers->size - 1);
}

/* Its slot, or the empty one where it belongs. */
static size_t slot_of(const struct numbers *numbers, int64_t number) {
	size_t at = home_of(numbers, number);

	while (numbers->slots[at] && numbers->slots[at]->number != number)
		at = (at + 1) & (numbers->size - 1);
	return at;
}

struct node *node_by_number(const struct numbers *numbers, int64_t number) {
	return numbers->size > 0 ? numbers->slots[slot_of(numbers, number)] : NULL;
}

static void make_room(struct numbers *numbers) {
	struct numbers larger = { .size = numbers->size ? 2 * numbers->size : 64,
		.used = numbers->used };

	if (4 * (numbers->used + 1) <= 3 * numbers->size) return;
	larger.slots = xcalloc(larger.size, sizeof(struct node *));
	for (size_t i = 0; i < numbers->size; i++) {
		struct node *node = numbers->slots[i];
		if (node) larger.slots[slot_of(&larger, node->number)] = node;
	}
	free(numbers->slots);
	*numbers = larger;
}

/* Those behind it move up, so that each is found from its home without a gap. */
static void slot_empty(struct numbers *numbers, size_t gap) {
	size_t mask = numbers->size - 1;

	for (size_t at = (gap + 1) & mask; numbers->slots[at]; at = (at + 1) & mask) {
		size_t home = home_of(numbers, numbers->slots[at]->number);
		if (((at - home) & mask) < ((at - gap) & mask)) continue;
		numbers->slots[gap] = numbers->slots[at];
		gap = at;
	}
	numbers->slots[gap] = NULL;
	numbers->used--;
}

static int64_t number_drop(struct numbers *numbers, struct node *node) {
	int64_t unused = -1;
	size_t slot = slot_of(numbers, node->number);
	struct node *first = numbers->slots[slot];

	assert(first);
	if (first == node && !node->twin) {
		unused = node->number;
		slot_empty(numbers, slot);
	} else if (first == node) {
		numbers->slots[slot] = node->twin;
	} else {
		while (first->twin != node) first = first->twin;
		first->twin = node->twin;
	}
	node->twin = NULL;
	node->number = -1;
	node->watch->count--;
	return unused;
}

int64_t node_number(struct numbers *numbers, struct node *node, int64_t number) {
	int64_t before = node->number;

	if (before == number) return -1;
	if (before >= 0) before = number_drop(numbers, node);
	if (number < 0) return before;
	make_room(numbers);
	struct node **slot = &numbers->slots[slot_of(numbers, number)];
	node->watch->count++;
	node->number = number;
	if (*slot) {
		node->twin = (*slot)->twin;
		(*slot)->twin = node;
	} else {
		*slot = node;
		numbers->used++;
	}
	return before;
}

void numbers_release(struct numbers *numbers) {
	assert(numbers->used == 0);
	free(numbers->slots);
	*numbers = (struct numbers){ 0 };
}

struct node *node_hang(
	struct numbers *numbers, struct node *node, struct node *parent, const char *name) {
	if (strcmp(node->name, name) == 0) {
		attach(node, parent);
		return node;
	}
	/* The name is part of the node: under another it is another one. */
	struct node *renamed = node_new(node->watch, parent, name);
	int64_t number = node->number;
	if (number >= 0) {
		(void)node_number(numbers, renamed, number);
		(void)node_number(numbers, node, -1);
	}
	while (node->children) {
		struct node *child = named(node->children);
		node_cut(child);
		attach(child, renamed);
	}
	node_free(node);
	return renamed;
}
