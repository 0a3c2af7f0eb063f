/* What a sync would do in one folder of the modes that bring things here: the names of its three sides, and what plan_both() says of each. */
#include <stdlib.h>

#include "sync/both_same.h"
#include "sync/dry.h"

/* All that is known of one name. */
struct name {
	const struct disk_item *item;
	const struct index_entry *base, *base_folder, *there, *there_folder;
};

struct sides {
	struct dry *dry;
	const struct store *store;
	struct disk_list list;
	struct index_rows base, there;
	struct map names;
};

/* ---- gathering ---- */

static struct name *name_of(struct map *names, const char *text) {
	struct name *name = map_get(names, text);
	if (name) return name;
	name = xcalloc(1, sizeof(*name));
	map_put(names, text, name);
	return name;
}

static int rows_read(struct sides *s, const char *folder, struct err *err) {
	if (index_list(s->dry->known, folder, NULL, SIZE_MAX, &s->there, err)) return -1;
	if (s->dry->reader && index_reader_list(s->dry->reader, folder, &s->base, err)) return -1;
	for (size_t i = 0; i < s->there.count; i++) {
		struct name *name = name_of(&s->names, s->there.rows[i].name);
		const struct index_entry *entry = &s->there.rows[i].entry;
		*(entry->kind == INDEX_FOLDER ? &name->there_folder : &name->there) = entry;
	}
	for (size_t i = 0; i < s->base.count; i++) {
		const struct index_entry *entry = &s->base.rows[i].entry;
		if (!dry_agreed(entry)) continue;
		struct name *name = name_of(&s->names, s->base.rows[i].name);
		*(entry->kind == INDEX_FOLDER ? &name->base_folder : &name->base) = entry;
	}
	return 0;
}

/* 1; 0: it is there, and cannot be looked at; -1: the root itself cannot. */
static int disk_read_names(struct sides *s, const char *folder, struct err *err) {
	struct err failed;
	if (disk_list(s->dry->disk, folder, &s->list, &failed)) {
		s->list = (struct disk_list){ 0 };
		if (failed.kind == ERR_NOT_FOUND && *folder) return 1; /* it comes with all in it */
		if (*folder) {
			dry_tell(s->dry, DRY_UNREADABLE, folder, 0);
			return 0;
		}
		*err = failed;
		return -1;
	}
	dry_rules_read(s->dry, folder);
	for (size_t i = 0; i < s->list.count; i++) {
		char *path = path_join(folder, s->list.items[i].name);
		if (!disk_is_beside(s->list.items[i].name) && !dry_is_journal(s->dry, path))
			name_of(&s->names, s->list.items[i].name)->item = &s->list.items[i];
		free(path);
	}
	return 1;
}

static void sides_release(struct sides *s) {
	for (struct map_item *it = NULL; (it = map_next(&s->names, it));) free(map_value(it));
	map_release(&s->names);
	index_rows_release(&s->there);
	index_rows_release(&s->base);
	disk_list_release(&s->list);
}

/* ---- the question ---- */

static enum both_kind kind_here(const struct disk_item *item) {
	if (!item) return BOTH_NONE;
	switch (item->stat.kind) {
	case DISK_FILE: return BOTH_FILE;
	case DISK_LINK: return BOTH_LINK;
	case DISK_FOLDER: return BOTH_FOLDER;
	case DISK_OTHER: break;
	}
	return BOTH_OTHER;
}

static enum both_same here_same(struct dry *d, const char *path, const struct disk_item *item,
	const struct index_entry *base) {
	bool mode = base->mode < 0 || item->stat.kind == DISK_LINK ||
		    (base->mode & 0777) == (item->stat.mode & 0777);
	if (base->kind == INDEX_FOLDER) return mode ? BOTH_SAME : BOTH_ATTRIBUTES;
	if (dry_same_identity(base, &item->stat)) return mode ? BOTH_SAME : BOTH_ATTRIBUTES;
	bool bytes = item->stat.kind == DISK_FILE && dry_same_bytes(d, path, base, item->stat.size);
	return bytes ? BOTH_ATTRIBUTES : BOTH_CHANGED;
}

/* Nobody reads the bytes there for this: a list that tells no hash leaves size and time. */
static enum both_same equal(const struct sides *s, const char *path, const struct disk_item *item,
	const struct index_entry *there) {
	if (item->stat.kind == DISK_LINK)
		return item->stat.size == there->size ? BOTH_SAME : BOTH_CHANGED;
	bool time = there->mtime_ns == STORE_MTIME_UNKNOWN ||
		    store_time_same(s->store, there->mtime_ns, item->stat.mtime_ns);
	bool bytes = there->hash_len ? dry_same_bytes(s->dry, path, there, item->stat.size)
				     : item->stat.size == there->size && time;
	return !bytes ? BOTH_CHANGED : time ? BOTH_SAME : BOTH_ATTRIBUTES;
}

static void ask(
	const struct sides *s, const char *path, const struct name *n, struct both_question *q) {
	const struct index_entry *base = n->base ? n->base : n->base_folder;
	const struct index_entry *there = n->there_folder ? n->there_folder : n->there;
	*q = (struct both_question){ .fetch = s->dry->settings->mode == FOLDER_FETCH,
		.agreed = base ? both_kind_of(base) : BOTH_NONE,
		.here = kind_here(n->item),
		.there = there ? both_kind_of(there) : BOTH_NONE,
		.equal = BOTH_CHANGED };
	bool folder = q->here == BOTH_NONE ? !n->base && !n->there : q->here == BOTH_FOLDER;
	bool link = q->here == BOTH_LINK || (q->here == BOTH_NONE && q->agreed == BOTH_LINK);
	q->excluded = dry_excludes(s->dry, path, folder) || (link && dry_skips_links(s->dry));
	if (base && n->item && q->here == q->agreed)
		q->here_same = here_same(s->dry, path, n->item, base);
	if (base && there && q->there == q->agreed)
		q->there_same = both_there_same(s->store, there, base);
	if (there && n->item && q->here == q->there && q->here != BOTH_FOLDER)
		q->equal = equal(s, path, n->item, there);
	q->here_newer = there && n->item && n->item->stat.mtime_ns > there->mtime_ns;
}

/* ---- the answer ---- */

static int64_t size_of(const struct index_entry *entry) {
	return entry && entry->kind != INDEX_FOLDER ? entry->size : 0;
}

static void told_send(
	struct dry *d, const char *path, const struct name *n, const struct both_question *q) {
	if (!n->item || (q->here != BOTH_FILE && q->here != BOTH_LINK)) {
		if (n->base) dry_tell(d, DRY_DELETE, path, n->base->size);
	} else if (q->equal == BOTH_ATTRIBUTES ||
		   (q->agreed == q->here && q->here_same == BOTH_ATTRIBUTES)) {
		dry_tell(d, DRY_ATTRIBUTES, path, 0);
	} else {
		dry_tell(d, DRY_SEND, path, n->item->stat.size);
	}
}

static void tell(struct dry *d, const char *path, const struct name *n,
	const struct both_question *q, enum both_action action) {
	bool content = q->here == BOTH_FILE || q->here == BOTH_LINK;
	switch (action) {
	case BOTH_NOTHING:
	case BOTH_AGREE: d->totals->same += content; return;
	case BOTH_FORGET:
		if (n->base) dry_tell(d, DRY_FORGET, path, n->base->size);
		return;
	case BOTH_SEND: told_send(d, path, n, q); return;
	case BOTH_BRING:
		if (q->there != BOTH_FOLDER) dry_tell(d, DRY_BRING, path, size_of(n->there));
		return;
	case BOTH_BRING_ATTRIBUTES:
		if (content) dry_tell(d, DRY_ATTRIBUTES, path, 0);
		return;
	case BOTH_REMOVE_HERE:
		if (content) dry_tell(d, DRY_REMOVE, path, n->item->stat.size);
		return;
	case BOTH_ASIDE_HERE:
	case BOTH_ASIDE_THERE:
		dry_tell(d, DRY_CONFLICT, path, content ? n->item->stat.size : size_of(n->there));
		return;
	case BOTH_REFUSE: dry_tell(d, DRY_UNREADABLE, path, 0); return;
	}
}

static void name_look(struct sides *s, const char *path, const struct name *n) {
	struct dry *d = s->dry;
	struct both_question q;
	if (n->item && n->item->err.kind != ERR_NONE) {
		dry_tell(d, DRY_UNREADABLE, path, 0);
		return;
	}
	/* A disk that is not mounted is away, with all that was agreed on it. */
	bool mount = n->base_folder && (n->base_folder->flags & INDEX_MOUNT);
	if (mount && (!n->item || !mount_look(d->disk, path))) return;
	ask(s, path, n, &q);
	tell(d, path, n, &q, plan_both(&q));
	bool folder = q.here == BOTH_FOLDER || n->base_folder || n->there_folder;
	if (folder && !q.excluded) path_stack_push(&d->folders, xstrdup(path));
}

int dry_both(struct dry *d, const struct store *store, const char *folder, struct err *err) {
	struct sides s = { .dry = d, .store = store };
	map_init(&s.names);
	int result = disk_read_names(&s, folder, err);
	if (result == 1 && rows_read(&s, folder, err)) result = -1;
	for (struct map_item *it = NULL; result == 1 && (it = map_next(&s.names, it));) {
		char *path = path_join(folder, map_key(it));
		name_look(&s, path, map_value(it));
		free(path);
	}
	sides_release(&s);
	return result < 0 ? -1 : 0;
}
