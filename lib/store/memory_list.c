#include <stdlib.h>
#include <string.h>

#include "store/memory.h"

/* LIST and STAT of a memory store: what is there, as a store with folders or one with keys tells
 * it. */

static bool is_there(const struct memory *memory, const char *folder) {
	if (!*folder || memory_has_below(memory, folder)) return true;
	const struct memory_item *item = memory_at(memory, folder, true);
	return item && item->kind == STORE_FOLDER;
}

/* The component behind `skip` bytes of a key that lies deeper; NULL: it does not. The caller's. */
static char *prefix_of(const char *key, size_t skip) {
	const char *slash = strlen(key) > skip ? strchr(key + skip, '/') : NULL;

	return slash ? xstrndup(key + skip, (size_t)(slash - key) - skip) : NULL;
}

/* Where there are keys only, what lies deeper speaks for its folder, once. */
static bool speaks(const struct memory *memory, const struct memory_item *item, size_t skip,
	char **spoken, struct store_entry *entry) {
	char *prefix = prefix_of(item->key, skip);
	bool news = !str_equal(prefix ? prefix : item->key + skip, *spoken);

	if (!prefix) {
		*entry = memory_entry(memory, item);
		entry->name = xstrdup(item->key + skip);
		if (item->kind == STORE_FOLDER) {
			free(*spoken);
			*spoken = xstrdup(entry->name);
		}
		return true;
	}
	if (memory->options.keys_only && news) {
		*entry = (struct store_entry){ .kind = STORE_FOLDER,
			.mtime_ns = STORE_MTIME_UNKNOWN,
			.mode = STORE_MODE_UNKNOWN,
			.name = xstrdup(prefix) };
		free(*spoken);
		*spoken = prefix;
		return true;
	}
	free(prefix);
	return false;
}

int memory_list(struct memory *memory, struct store_op *op, struct err *err) {
	const struct memory_tree *tree = &memory->tree;
	size_t skip = strlen(op->key) + (*op->key != '\0');
	size_t limit = op->limit > 0 ? (size_t)op->limit : 1000;
	char *spoken = op->page_token ? prefix_of(op->page_token, skip) : NULL;

	if (!is_there(memory, op->key)) {
		return err_set(err, ERR_NOT_FOUND, "the folder '%s' is not there", op->key);
	}
	for (size_t at = memory_behind(tree, op->key, op->page_token); at < tree->count; at++) {
		const struct memory_item *item = tree->items[at];
		struct store_entry entry;
		if (!path_is_within(item->key, op->key)) break;
		if (op->recursive) {
			entry = memory_entry(memory, item);
			entry.name = xstrdup(item->key + skip);
		} else if (!speaks(memory, item, skip, &spoken, &entry)) {
			continue;
		}
		if (op->entry_count == limit) {
			op->next_token = memory_mark(tree->items[at - 1]);
			store_entry_release(&entry);
			free(spoken);
			return 0;
		}
		store_entry_add(op, entry);
	}
	free(spoken);
	op->complete = true;
	return 0;
}

int memory_stat_item(struct memory *memory, struct store_op *op, struct err *err) {
	bool folder = op->kind == STORE_FOLDER;

	op->entry.kind = STORE_FOLDER;
	if (!*op->key && memory->store.changes) op->entry.id = xstrdup("root");
	if (!*op->key && memory->options.deep_versions)
		op->entry.version = xasprintf("v%llu", (unsigned long long)memory->root_version);
	if (!*op->key) return 0;
	const struct memory_item *item = memory_at(memory, op->key, folder);
	if (item) {
		op->entry = memory_entry(memory, item);
		return 0;
	}
	if (folder && memory_has_below(memory, op->key)) return 0;
	return err_set(err, ERR_NOT_FOUND, "'%s' is not there", op->key);
}
