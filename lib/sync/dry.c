/* What a sync would do: a walk over the folder beside what the index agrees on, or, where nothing was agreed yet, beside what the remote
 * lists. The same rules as scan.c and plan.c have, on what can be known without sending. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/dry.h"

enum { RULES_MAX = 64 << 10, HASH_SPAN = 8 << 20 };

void dry_tell(struct dry *d, enum dry_what what, const char *path, int64_t bytes) {
	d->totals->files[what]++;
	d->totals->bytes[what] += bytes;
	d->found(d->user, what, path, bytes);
}

bool dry_excludes(const struct dry *d, const char *path, bool folder) {
	return ignore_check(d->ignore, path, folder) == IGNORE_EXCLUDED;
}

bool dry_skips_links(const struct dry *d) {
	return d->settings->symlinks == FOLDER_SYMLINKS_SKIP;
}

bool dry_agreed(const struct index_entry *row) {
	return !(row->flags & INDEX_STRANGER);
}

/* ---- one file ---- */

bool dry_same_bytes(struct dry *d, const char *path, const struct index_entry *row, int64_t size) {
	struct digest digest;
	struct disk_stat stat;
	struct err err;
	uint8_t hash[DIGEST_MAX];
	int64_t at = 0, done = 0;
	enum digest_kind kind;
	if (!hash_row_digest(row, &kind) || row->size != size) return false;
	int fd = disk_open_file(d->disk, path, &stat, &err);
	if (fd < 0) return false;
	digest_init(&digest, kind);
	for (; at < size; at += done) {
		int64_t span = size - at < HASH_SPAN ? size - at : HASH_SPAN;
		if (disk_hash_span(d->disk, fd, at, span, &digest, NULL, &done, &err) || done <= 0)
			break;
	}
	digest_end(&digest, hash);
	disk_close_file(d->disk, fd);
	return at == size && memcmp(hash, row->hash, row->hash_len) == 0;
}

bool dry_same_identity(const struct index_entry *row, const struct disk_stat *stat) {
	struct database_base base;
	if ((row->kind == INDEX_LINK) != (stat->kind == DISK_LINK)) return false;
	if (row->flags & INDEX_DATABASE) {
		return capture_base(row, &base) && disk_stat_same(&base.source.db, stat);
	}
	if (!dry_agreed(row)) return row->size == stat->size && row->mtime_ns == stat->mtime_ns;
	return row->size == stat->size && row->mtime_ns == stat->mtime_ns &&
	       row->ctime_ns == stat->ctime_ns && row->ino == stat->ino;
}

bool dry_is_journal(struct dry *d, const char *path) {
	char *database = NULL;
	struct err err;
	bool is =
		capture_is_journal(path, &database) && disk_is_sqlite(d->disk, database, &err) == 1;
	free(database);
	return is;
}

static void file_compare(struct dry *d, const char *path, const struct disk_item *item,
	const struct index_entry *row) {
	const struct disk_stat *stat = &item->stat;
	if (stat->kind == DISK_OTHER || dry_is_journal(d, path)) return;
	bool known = row && (row->kind == INDEX_LINK) == (stat->kind == DISK_LINK);
	bool same = known && dry_same_identity(row, stat);
	bool mode = same && dry_agreed(row) && row->kind == INDEX_FILE &&
		    (row->mode & 0777) != (stat->mode & 0777);
	bool bytes = known && !same && stat->kind == DISK_FILE &&
		     dry_same_bytes(d, path, row, stat->size);
	if (mode || bytes)
		dry_tell(d, DRY_ATTRIBUTES, path, 0);
	else if (same)
		d->totals->same++;
	else
		dry_tell(d, DRY_SEND, path, stat->size);
}

/* ---- what is no longer here ---- */

static int rows_of(struct dry *d, const char *folder, struct index_rows *rows, struct err *err) {
	if (d->known) return index_list(d->known, folder, NULL, SIZE_MAX, rows, err);
	return index_reader_list(d->reader, folder, rows, err);
}

static int gone(struct dry *d, const char *path, const struct index_entry *row, struct err *err) {
	bool folder = row->kind == INDEX_FOLDER;
	/* Nothing was agreed on a stranger; a disk that is not mounted is away. */
	if (!dry_agreed(row) || (row->flags & INDEX_MOUNT)) return 0;
	if (!folder) {
		bool out = dry_excludes(d, path, false) ||
			   (row->kind == INDEX_LINK && dry_skips_links(d));
		dry_tell(d, out ? DRY_FORGET : DRY_DELETE, path, row->size);
		return 0;
	}
	struct index_rows rows;
	if (rows_of(d, path, &rows, err)) return -1;
	int result = 0;
	for (size_t i = 0; i < rows.count && result == 0; i++) {
		char *child = path_join(path, rows.rows[i].name);
		result = gone(d, child, &rows.rows[i].entry, err);
		free(child);
	}
	index_rows_release(&rows);
	return result;
}

/* Left out now, with all that was stored below it. */
static int forget(struct dry *d, const char *path, const struct index_entry *row, struct err *err) {
	return row ? gone(d, path, row, err) : 0;
}

/* ---- one folder ---- */

void dry_rules_read(struct dry *d, const char *folder) {
	struct buf text;
	struct disk_stat stat;
	struct err err;
	char *path = path_join(folder, IGNORE_FILE_NAME);
	buf_init(&text, 0);
	if (!disk_read(d->disk, path, RULES_MAX, &text, DIGEST_MD5, NULL, &stat, &err))
		ignore_set_file(d->ignore, folder, text.at, text.len);
	buf_release(&text);
	free(path);
}

static const struct index_entry *row_named(
	const struct index_rows *rows, const char *name, bool folder) {
	for (size_t low = 0, high = rows->count; low < high;) {
		size_t middle = (low + high) / 2;
		const struct index_row *row = &rows->rows[middle];
		int order =
			disk_name_compare(name, folder, row->name, row->entry.kind == INDEX_FOLDER);
		if (!order) return &row->entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool item_named(const struct disk_list *list, const char *name, bool folder) {
	for (size_t low = 0, high = list->count; low < high;) {
		size_t middle = (low + high) / 2;
		const struct disk_item *item = &list->items[middle];
		int order =
			disk_name_compare(name, folder, item->name, item->stat.kind == DISK_FOLDER);
		if (!order) return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static int item_compare(struct dry *d, const char *path, const struct disk_item *item,
	const struct index_entry *row, struct err *err) {
	bool folder = item->stat.kind == DISK_FOLDER;
	bool link = item->stat.kind == DISK_LINK && dry_skips_links(d);
	if (link || dry_excludes(d, path, folder)) return forget(d, path, row, err);
	if (item->err.kind != ERR_NONE)
		dry_tell(d, DRY_UNREADABLE, path, 0);
	else if (!folder)
		file_compare(d, path, item, row);
	else if (!row || !(row->flags & INDEX_MOUNT) || mount_look(d->disk, path))
		path_stack_push(&d->folders, xstrdup(path));
	return 0;
}

static int folder_compare(struct dry *d, const char *folder, struct err *err) {
	struct disk_list list;
	struct index_rows rows;
	struct err failed;
	if (disk_list(d->disk, folder, &list, &failed)) {
		if (!*folder) {
			*err = failed;
			return -1;
		}
		dry_tell(d, DRY_UNREADABLE, folder, 0);
		return 0;
	}
	if (rows_of(d, folder, &rows, err)) {
		disk_list_release(&list);
		return -1;
	}
	dry_rules_read(d, folder);
	int result = 0;
	for (size_t i = 0; i < list.count && result == 0; i++) {
		const struct disk_item *item = &list.items[i];
		char *path = path_join(folder, item->name);
		result = item_compare(d, path, item,
			row_named(&rows, item->name, item->stat.kind == DISK_FOLDER), err);
		free(path);
	}
	for (size_t i = 0; i < rows.count && result == 0; i++) {
		const struct index_row *row = &rows.rows[i];
		if (item_named(&list, row->name, row->entry.kind == INDEX_FOLDER)) continue;
		char *path = path_join(folder, row->name);
		result = gone(d, path, &row->entry, err);
		free(path);
	}
	index_rows_release(&rows);
	disk_list_release(&list);
	return result;
}

/* ---- what the remote lists, where nothing was agreed yet ---- */

struct listing {
	struct store_op op;
	bool done;
	struct err err;
};

static void listed(struct store_op *op, const struct err *err) {
	struct listing *listing = container_of(op, struct listing, op);
	if (err) listing->err = *err;
	listing->done = true;
}

static int page_put(struct dry *d, const struct store *store, const struct store_op *op,
	const char *at, bool top, struct path_stack *queue, struct err *err) {
	for (size_t i = 0; i < op->entry_count; i++) {
		const struct store_entry *there = &op->entries[i];
		bool skipped = there->kind == STORE_LINK && dry_skips_links(d);
		if (there->kind == STORE_OTHER || skipped || !there->name ||
			!path_is_plain(there->name))
			continue;
		char *path = path_join(at, there->name);
		if (top && path_is_within(path, ".tend")) { /* tend's own, of all folders */
			free(path);
			continue;
		}
		struct index_entry entry = { .kind = there->kind == STORE_FOLDER ? INDEX_FOLDER
						     : there->kind == STORE_LINK ? INDEX_LINK
										 : INDEX_FILE,
			.flags = INDEX_STRANGER,
			.size = there->size,
			.mtime_ns = there->mtime_ns,
			.mode = there->mode,
			.version = there->version };
		hash_put_told(store, &entry, &there->hash);
		if (there->kind == STORE_FOLDER && !op->recursive)
			path_stack_push(queue, xstrdup(path));
		int failed = index_put(d->known, path, &entry, err);
		free(path);
		if (failed) return -1;
	}
	return 0;
}

static int remote_list(
	struct dry *d, struct loop *loop, struct store *store, const char *root, struct err *err) {
	struct path_stack queue = { 0 };
	int result = 0;
	d->known = index_open(NULL, err);
	if (!d->known) return -1;
	path_stack_push(&queue, xstrdup(""));
	for (char *at; result == 0 && (at = path_stack_pop(&queue)); free(at)) {
		char *key = path_join(root, at), *token = NULL;
		do {
			struct listing listing = { .done = false };
			store_op_init(&listing.op, STORE_LIST, key);
			listing.op.kind = STORE_FOLDER;
			listing.op.recursive = (store->caps & STORE_CAP_FLAT_LIST) != 0;
			listing.op.page_token = token;
			listing.op.done = listed;
			store_start(store, &listing.op);
			loop_run_until(loop, &listing.done);
			if (listing.err.kind != ERR_NONE && listing.err.kind != ERR_NOT_FOUND) {
				*err = listing.err;
				result = -1;
			} else if (listing.err.kind == ERR_NONE) {
				result = page_put(d, store, &listing.op, at, !*root, &queue, err);
			}
			free(token);
			token = result == 0 && listing.err.kind == ERR_NONE
					? xstrdup(listing.op.next_token)
					: NULL;
			store_op_release(&listing.op);
		} while (token);
		free(key);
	}
	path_stack_release(&queue);
	return result;
}

/* ---- */

/* Does this index speak of these very places, and of all that the remote had? */
static bool index_speaks(
	struct dry *d, const char *index_path, const struct store *store, const char *remote_key) {
	struct err err;
	if (!index_path || access(index_path, F_OK)) return false;
	d->reader = index_reader_open(NULL, index_path, &err);
	if (!d->reader) return false;
	char *place = folder_place(d->settings, store, remote_key);
	char *before = index_reader_meta(d->reader, "place");
	char *contacted = index_reader_meta(d->reader, "contacted");
	bool speaks = str_equal(place, before) && contacted;
	free(place);
	free(before);
	free(contacted);
	if (speaks) return true;
	index_reader_close(d->reader);
	d->reader = NULL;
	return false;
}

static void brake_ask(const struct dry *d) {
	struct dry_totals *t = d->totals;
	struct brake_rule rule;
	struct err err;
	int64_t gone = t->files[DRY_DELETE] + t->files[DRY_REMOVE];
	struct brake_question q = { .now = gone,
		.base = t->same + t->files[DRY_ATTRIBUTES] + gone,
		.root_empty = !t->same && !t->files[DRY_SEND] && !t->files[DRY_ATTRIBUTES] };
	brake_rule_parse(&rule, d->settings->max_delete, brake_is_wide(d->settings), &err);
	t->over_brake = brake_judge(&rule, &q) != BRAKE_GO;
}

int dry_run(struct loop *loop, const char *index_path, const struct folder_settings *settings,
	struct store *store,
	void (*found)(void *user, enum dry_what what, const char *path, int64_t bytes), void *user,
	struct dry_totals *totals, struct err *err) {
	struct dry d = { .settings = settings, .found = found, .user = user, .totals = totals };
	char *remote = NULL, *key = NULL;
	int result = -1;
	*totals = (struct dry_totals){ 0 };
	bool brings = settings->mode == FOLDER_TWO_WAY || settings->mode == FOLDER_FETCH;
	d.ignore = ignore_new();
	for (char **line = settings->exclude; line && *line; line++)
		ignore_add_exclude(d.ignore, *line);
	for (char **line = settings->include; line && *line; line++)
		ignore_add_include(d.ignore, *line);
	if (folder_remote_split(settings->remote, &remote, &key, err)) goto out;
	d.disk = user_disk_open(settings->path, settings->user, err);
	if (!d.disk) goto out;
	totals->contacted = index_speaks(&d, index_path, store, key);
	if ((brings || !totals->contacted) && remote_list(&d, loop, store, key, err)) goto out;
	path_stack_push(&d.folders, xstrdup(""));
	result = 0;
	for (char *folder; result == 0 && (folder = path_stack_pop(&d.folders)); free(folder))
		result =
			brings ? dry_both(&d, store, folder, err) : folder_compare(&d, folder, err);
	brake_ask(&d);
out:
	path_stack_release(&d.folders);
	index_reader_close(d.reader);
	index_close(d.known);
	disk_close(d.disk);
	ignore_free(d.ignore);
	free(remote);
	free(key);
	return result;
}
