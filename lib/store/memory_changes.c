#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"

/* What has happened to a memory store: CHANGES since a number, and versions of folders that move with all below them. */

enum { PAGE = 1000 };

static void move_versions(struct memory *memory, const char *key) {
	char *parent = path_parent(key);
	struct memory_item *above = memory_find_kind(&memory->tree, parent, true);

	if (!*parent) memory->root_version = ++memory->last_version;
	if (above) above->version = ++memory->last_version;
	if (*parent) move_versions(memory, parent);
	free(parent);
}

void memory_changed(struct memory *memory, struct memory_item *item) {
	item->changed = ++memory->last_change;
	if (memory->options.deep_versions) move_versions(memory, item->key);
}

void memory_gone(struct memory *memory, const struct memory_item *item) {
	size_t room = memory->gone_count + 1;

	memory->last_change++;
	if (memory->options.deep_versions) move_versions(memory, item->key);
	if (!memory->store.changes) return;
	memory->gone = xrealloc(memory->gone, room * sizeof(*memory->gone));
	memory->gone[memory->gone_count++] =
		(struct memory_gone){ .id = item->id, .changed = memory->last_change };
}

static char *id_text(uint64_t id) {
	return xasprintf("i%llu", (unsigned long long)id);
}

struct change {
	uint64_t changed, id;
	const struct memory_item *item; /* NULL: it is gone */
};

static int compare(const void *left, const void *right) {
	const struct change *a = left, *b = right;

	return a->changed < b->changed ? -1 : a->changed > b->changed;
}

static bool is_there(const struct memory *memory, uint64_t id) {
	for (size_t i = 0; i < memory->tree.count; i++)
		if (memory->tree.items[i]->id == id) return true;
	return false;
}

/* All since `from`, each thing once. The caller's. */
static struct change *gather(const struct memory *memory, uint64_t from, size_t *count) {
	struct change *all = xcalloc(memory->tree.count + memory->gone_count + 1, sizeof(*all));

	*count = 0;
	for (size_t i = 0; i < memory->tree.count; i++) {
		const struct memory_item *item = memory->tree.items[i];
		if (item->changed > from)
			all[(*count)++] = (struct change){ item->changed, item->id, item };
	}
	for (size_t i = 0; i < memory->gone_count; i++) {
		const struct memory_gone *gone = &memory->gone[i];
		if (gone->changed > from && !is_there(memory, gone->id))
			all[(*count)++] = (struct change){ gone->changed, gone->id, NULL };
	}
	qsort(all, *count, sizeof(*all), compare);
	return all;
}

static void tell(const struct memory *memory, struct store_op *op, const struct change *change) {
	struct store_entry entry = { .kind = STORE_OTHER,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN,
		.gone = true };

	if (change->item) {
		char *parent = path_parent(change->item->key);
		const struct memory_item *above = memory_find_kind(&memory->tree, parent, true);
		entry = memory_entry(memory, change->item);
		entry.name = xstrdup(path_name(change->item->key));
		entry.parent_id = above ? id_text(above->id) : xstrdup("root");
		free(parent);
	} else {
		entry.id = id_text(change->id);
	}
	store_entry_add(op, entry);
}

int memory_changes(struct memory *memory, struct store_op *op, struct err *err) {
	unsigned long long from = memory->last_change;
	size_t limit = op->limit > 0 ? (size_t)op->limit : PAGE, count = 0, told;
	char *end = NULL;

	if (op->page_token) from = strtoull(op->page_token, &end, 10);
	if (op->page_token && (end == op->page_token || *end || from > memory->last_change))
		return err_set(err, ERR_NOT_FOUND, "this token is not known");
	struct change *all = gather(memory, from, &count);
	for (told = 0; told < count && told < limit; told++) tell(memory, op, &all[told]);
	op->complete = told == count;
	op->next_token = xasprintf("%llu",
		(unsigned long long)(op->complete ? memory->last_change : all[told - 1].changed));
	free(all);
	return 0;
}
