/* The remote's side of one path against what was agreed on it. */
#include "sync/both_same.h"

#include <string.h>

enum both_kind both_kind_of(const struct index_entry *entry) {
	switch (entry->kind) {
	case INDEX_FILE: return BOTH_FILE;
	case INDEX_LINK: return BOTH_LINK;
	case INDEX_FOLDER: break;
	}
	return BOTH_FOLDER;
}

static bool times_same(const struct store *store, const struct index_entry *left,
	const struct index_entry *right) {
	return left->mtime_ns == STORE_MTIME_UNKNOWN || right->mtime_ns == STORE_MTIME_UNKNOWN ||
	       store_time_same(store, left->mtime_ns, right->mtime_ns);
}

static bool modes_same(const struct index_entry *left, const struct index_entry *right) {
	return left->mode < 0 || right->mode < 0 || (left->mode & 0777) == (right->mode & 0777);
}

enum both_same both_there_same(const struct store *store, const struct index_entry *there,
	const struct index_entry *base) {
	bool times = times_same(store, there, base), modes = modes_same(there, base);
	if (there == base) return BOTH_SAME;
	if (there->flags & INDEX_FILLED) return BOTH_CHANGED;
	if (there->kind == INDEX_FOLDER) return modes ? BOTH_SAME : BOTH_ATTRIBUTES;
	bool known = hash_known(store, there) && hash_known(store, base);
	bool bytes = known ? hash_same(store, base, there->hash)
		     : there->version && base->version && str_equal(there->version, base->version)
			     ? true
			     /* An entity tag may move by itself; our own time does not. */
			     : there->size == base->size && times &&
				       there->mtime_ns != STORE_MTIME_UNKNOWN &&
				       base->mtime_ns != STORE_MTIME_UNKNOWN;
	if (!bytes) return BOTH_CHANGED;
	if (there->kind == INDEX_LINK) return BOTH_SAME; /* the time of a link is nobody's edit */
	return times && modes ? BOTH_SAME : BOTH_ATTRIBUTES;
}
