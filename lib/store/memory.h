/* The memory store: a sorted tree of what is stored, the verbs on it, and large uploads. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/internal.h"

struct memory_item {
	char *key;
	enum store_kind kind;
	int64_t mtime_ns;
	int mode;
	uint64_t version; /* new with each content; of a folder: with all that happens below it */
	uint64_t id, changed; /* changed: the number of its last change */
	struct store_hash hash;
	char *bytes;
	size_t len;
};

/* In byte order of the keys, where a folder's ends in '/': the order of a walk. */
struct memory_tree {
	struct memory_item **items;
	size_t count, room;
};

void memory_tree_release(struct memory_tree *tree);
/* Whatever kind stands at `key`; NULL: nothing. */
struct memory_item *memory_find(const struct memory_tree *tree, const char *key);
/* The folder at `key`, or what is none: where there are keys only, both may stand there. */
struct memory_item *memory_find_kind(const struct memory_tree *tree, const char *key, bool folder);
/* Takes `item`; nothing stands at its key. */
void memory_insert(struct memory_tree *tree, struct memory_item *item);
/* Out of the tree; the caller's. */
void memory_take(struct memory_tree *tree, struct memory_item *item);
void memory_item_free(struct memory_item *item);
/* The index of the first item that stands behind `mark` ("a/b" or "a/b/") in walk order; `mark`
 * NULL: the first below `folder`. */
size_t memory_behind(const struct memory_tree *tree, const char *folder, const char *mark);
/* "a/b" for a file, "a/b/" for a folder. The caller's. */
char *memory_mark(const struct memory_item *item);

struct memory_gone {
	uint64_t id, changed;
};

struct memory {
	struct store store;
	struct memory_tree tree;
	struct map uploads; /* session -> struct memory_upload */
	uint64_t last_version, last_upload, last_id, last_change;
	uint64_t root_version;
	struct memory_gone *gone; /* in the order of their numbers */
	size_t gone_count;
	int64_t latency_ms;
	struct store_memory_options options;
};

struct memory_upload {
	char *key;
	struct memory_tree parts; /* items keyed by their number: "00001" */
};

struct store_entry memory_entry(const struct memory *memory, const struct memory_item *item);
/* What `op` speaks of at `key`. */
struct memory_item *memory_at(const struct memory *memory, const char *key, bool folder);
/* Is anything below this folder? */
bool memory_has_below(const struct memory *memory, const char *folder);
/* Do the conditions of `op` hold for what stands there? */
int memory_check(const struct store_op *op, const struct memory *memory,
	const struct memory_item *item, struct err *err);
/* The same for what is copied or moved; NULL, nothing there, is not judged. */
int memory_check_source(const struct store_op *op, const struct memory *memory,
	const struct memory_item *item, struct err *err);
/* In no tree; `bytes` are copied. */
/* Are these the bytes that `hash` is of? Also when it is of none. */
bool memory_fits(const struct store_hash *hash, const void *bytes, size_t len);
/* The digest was changed. */
void memory_rehash(struct memory *memory);
struct memory_item *memory_item_new(struct memory *memory, const char *key, enum store_kind kind,
	const void *bytes, size_t len);
/* The end of PUT and PART_END: conditions, keep_key, and the content where it belongs. */
int memory_place(
	struct memory *memory, struct store_op *op, const void *bytes, size_t len, struct err *err);

void memory_upload_free(struct memory *memory, const char *session);
int memory_part_begin(struct memory *memory, struct store_op *op, struct err *err);
int memory_part_put(struct memory *memory, struct store_op *op, struct err *err);
int memory_part_copy(struct memory *memory, struct store_op *op, struct err *err);
int memory_part_query(struct memory *memory, struct store_op *op, struct err *err);
int memory_part_end(struct memory *memory, struct store_op *op, struct err *err);
int memory_part_abort(struct memory *memory, struct store_op *op, struct err *err);

/* The verb itself, at this moment. */
int memory_do(struct memory *memory, struct store_op *op, struct err *err);
/* memory_changes.c */
/* This item is another one, or has another name, since now. */
void memory_changed(struct memory *memory, struct memory_item *item);
void memory_gone(struct memory *memory, const struct memory_item *item);
int memory_changes(struct memory *memory, struct store_op *op, struct err *err);
/* memory_list.c */
int memory_list(struct memory *memory, struct store_op *op, struct err *err);
int memory_stat_item(struct memory *memory, struct store_op *op, struct err *err);
/* memory_run.c: the driver */
extern const struct store_driver memory_driver;

#endif
