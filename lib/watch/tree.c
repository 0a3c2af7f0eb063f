/* Folders by name below their parent and by the system's number: search trees of the C library,
 * since a number leads to a place whose path changes when a folder above is moved. */
#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "watch/internal.h"

/* Elements of the search trees are pointers to a node's name, or to its number, so that a plain
 * name or number can be looked for. */

static int by_name(const void *left, const void *right) {
	return strcmp(left, right);
}

static int by_number(const void *left, const void *right) {
	int a = *(const int *)left, b = *(const int *)right;

	return (a > b) - (a < b);
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
	node->wd = -1;
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
	assert(!leaf->children && leaf->wd < 0);
	if (leaf->parent) node_cut(leaf);
	free(leaf);
}

void node_trim(struct node *node) {
	while (node->parent && !node->children && node->wd < 0) {
		struct node *parent = node->parent;
		node_free(node);
		node = parent;
	}
}

/* ---- numbers ---- */

static struct node *numbered(void *element) {
	return element ? container_of(*(int **)element, struct node, wd) : NULL;
}

struct node *node_by_wd(const struct numbers *numbers, int wd) {
	return numbered(tfind(&wd, &numbers->by_wd, by_number));
}

static int number_drop(struct numbers *numbers, struct node *node) {
	int wd = node->wd, unused = -1;
	void *element = tfind(&wd, &numbers->by_wd, by_number);
	struct node *first = numbered(element);

	assert(first);
	if (first == node && !node->twin) {
		(void)tdelete(&wd, &numbers->by_wd, by_number);
		unused = wd;
	} else if (first == node) {
		*(int **)element = &node->twin->wd;
	} else {
		while (first->twin != node) first = first->twin;
		first->twin = node->twin;
	}
	node->twin = NULL;
	node->wd = -1;
	node->watch->count--;
	return unused;
}

int node_number(struct numbers *numbers, struct node *node, int wd) {
	int before = node->wd;

	if (before == wd) return -1;
	if (before >= 0) before = number_drop(numbers, node);
	if (wd < 0) return before;
	node->watch->count++;
	node->wd = wd;
	struct node *first = numbered(tsearch(&node->wd, &numbers->by_wd, by_number));
	assert(first);
	if (first != node) {
		node->twin = first->twin;
		first->twin = node;
	}
	return before;
}

struct node *node_hang(
	struct numbers *numbers, struct node *node, struct node *parent, const char *name) {
	if (strcmp(node->name, name) == 0) {
		attach(node, parent);
		return node;
	}
	/* The name is part of the node: under another it is another one. */
	struct node *renamed = node_new(node->watch, parent, name);
	int wd = node->wd;
	if (wd >= 0) {
		(void)node_number(numbers, renamed, wd);
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
