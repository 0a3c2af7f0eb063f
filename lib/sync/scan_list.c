/*
 * Folders of a scan, listed in a job and compared with the index's rows, both in one order. Nothing is decided here: what differs is told.
 * A folder is watched before it is listed, so that nothing falls between (trap 12).
 */
#include <stdlib.h>
#include <string.h>

#include "sync/mutant.h"
#include "sync/scan.h"

enum { RULES_MAX = 64 << 10 }; /* bytes of a .tendignore */

static void found_add(struct scan_listed *l, const char *name, enum scan_what what,
	enum disk_kind kind, const struct disk_stat *stat) {
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->found = xrealloc(l->found, l->cap * sizeof(*l->found));
	}
	struct scan_found *found = &l->found[l->count++];
	*found = (struct scan_found){ .name = xstrdup(name), .what = what, .kind = kind };
	if (stat) {
		found->size = stat->size;
		found->mtime_ns = stat->mtime_ns;
	}
}

static const struct disk_stat *list_find(const struct disk_list *list, const char *name) {
	size_t low = 0, high = list->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(list->items[middle].name, name);
		if (!order) return &list->items[middle].stat;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* A database row speaks of the image; what is compared is its source, whose -wal lies beside it. */
static bool database_same(const struct disk_list *list, const struct disk_item *item,
	const struct index_entry *base) {
	struct database_base known;
	if (!capture_base(base, &known)) return false;
	const struct disk_source source = known.source;
	if (!disk_stat_same(&source.db, &item->stat)) return false;
	char *wal = xasprintf("%s-wal", item->name);
	const struct disk_stat *stat = list_find(list, wal);
	free(wal);
	if (!stat || stat->size == 0) return !source.has_wal || source.wal_size == 0;
	return source.has_wal && source.wal_size == stat->size &&
	       source.wal_mtime_ns == stat->mtime_ns;
}

static bool is_mount(const struct disk_list *list, const struct disk_item *item) {
	return item->stat.kind == DISK_FOLDER &&
	       (item->stat.mount || item->stat.dev != list->self.dev);
}

static bool row_same(const struct disk_list *list, const struct disk_item *item,
	const struct index_entry *base) {
	const struct disk_stat *stat = &item->stat;
	if (base->flags & INDEX_STRANGER) return false;
	if (base->kind == INDEX_FOLDER)
		return stat->kind == DISK_FOLDER && (base->mode & 0777) == (stat->mode & 0777) &&
		       is_mount(list, item) == ((base->flags & INDEX_MOUNT) != 0);
	if (base->flags & INDEX_DATABASE) return database_same(list, item, base);
	if ((base->kind == INDEX_LINK) != (stat->kind == DISK_LINK) || (base->flags & INDEX_RACY))
		return false;
	return base->size == stat->size && base->mtime_ns == stat->mtime_ns &&
	       base->ctime_ns == stat->ctime_ns && base->ino == stat->ino &&
	       (base->mode & 07777) == (stat->mode & 07777);
}

/* A folder counts as "name/": the order of both lists. */
static int name_compare(const char *left, bool left_folder, const char *right, bool right_folder) {
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	while (*a && *a == *b) {
		a++;
		b++;
	}
	int x = *a ? *a : left_folder ? '/' : 0;
	int y = *b ? *b : right_folder ? '/' : 0;
	if (x != y) return x - y;
	return *a || *b ? (int)*a - (int)*b : 0;
}

/* Of a database that is agreed: its -wal and others are spoken for by the row itself. */
static bool journal_of_agreed(const struct index_rows *rows, const char *name) {
	char *database = NULL;
	bool is = false;
	if (!capture_is_journal(name, &database)) return false;
	for (size_t i = 0; rows->rows && i < rows->count && !is; i++)
		is = (rows->rows[i].entry.flags & INDEX_DATABASE) &&
		     str_equal(rows->rows[i].name, database);
	free(database);
	return is;
}

static void merge(struct scan_job *job, struct scan_listed *l, const struct disk_list *list,
	const struct index_rows *rows) {
	size_t i = 0, k = 0;
	while (i < list->count || k < rows->count) {
		const struct disk_item *item = i < list->count ? &list->items[i] : NULL;
		const struct index_row *row = k < rows->count ? &rows->rows[k] : NULL;
		int order = !item ? 1 : !row ? -1 : 0;
		if (item && row)
			order = name_compare(item->name, item->stat.kind == DISK_FOLDER, row->name,
				row->entry.kind == INDEX_FOLDER);
		if (order < 0) {
			if (item->err.kind != ERR_NONE || !journal_of_agreed(rows, item->name))
				found_add(l, item->name, SCAN_NEW, item->stat.kind, &item->stat);
			i++;
			continue;
		}
		if (order > 0) {
			if (row->entry.flags & INDEX_MOUNT)
				found_add(l, row->name, SCAN_AWAY, DISK_FOLDER, NULL);
			else if (!(row->entry.flags & INDEX_STRANGER) &&
				 !MUTANT(scan_misses_what_is_gone))
				found_add(l, row->name, SCAN_GONE,
					row->entry.kind == INDEX_FOLDER ? DISK_FOLDER : DISK_FILE,
					NULL);
			k++;
			continue;
		}
		bool same = item->err.kind == ERR_NONE && row_same(list, item, &row->entry);
		if ((row->entry.flags & INDEX_MOUNT) && item->err.kind == ERR_NONE &&
			!is_mount(list, item)) {
			found_add(l, item->name, SCAN_AWAY, DISK_FOLDER, NULL);
			i++;
			k++;
			continue;
		}
		/* Folders are always told: they are to be entered. */
		if (!same || job->tell_same || item->stat.kind == DISK_FOLDER)
			found_add(l, item->name, same ? SCAN_SAME : SCAN_DIFFERS, item->stat.kind,
				&item->stat);
		else
			l->same++;
		i++;
		k++;
	}
}

static void rules_read(struct scan_job *job, struct scan_listed *l, const struct disk_list *list) {
	const struct disk_stat *stat = list_find(list, ".tendignore");
	struct disk_stat read;
	struct buf text;
	struct err err;
	uint8_t hash[DIGEST_MAX];
	if (!stat || stat->kind != DISK_FILE) return;
	char *path = path_join(l->path, ".tendignore");
	buf_init(&text, 0);
	if (!disk_read(job->disk, path, RULES_MAX, &text, DIGEST_MD5, hash, &read, &err))
		l->rules = buf_steal(&text);
	else if (err.kind != ERR_NOT_FOUND) {
		l->err = err; /* unknown rules: nothing of this folder is decided without them */
		l->rules_unread = true;
	}
	buf_release(&text);
	free(path);
}

/* What a restore, or what came otherwise, left that was killed. */
static void leftovers_remove(
	struct scan_job *job, const char *folder, const struct disk_list *list) {
	struct err ignored;
	for (size_t i = 0; i < list->count; i++) {
		const struct disk_item *item = &list->items[i];
		if (!restore_is_leftover(item, job->leftovers_ns) &&
			!bring_is_leftover(item, job->brought_before_ns))
			continue;
		if (bring_is_known(job->known, item->name)) continue;
		char *path = path_join(folder, list->items[i].name);
		disk_remove(job->disk, path, &ignored);
		free(path);
	}
}

static void folder_list(struct scan_job *job, struct scan_listed *l) {
	struct disk_list list;
	struct index_rows rows;
	if (disk_list(job->disk, l->path, &list, &l->err)) return;
	if (index_reader_list(job->reader, l->path, &rows, &l->err)) {
		disk_list_release(&list);
		return;
	}
	if (job->leftovers_ns || job->brought_before_ns) leftovers_remove(job, l->path, &list);
	rules_read(job, l, &list);
	if (l->err.kind == ERR_NONE) merge(job, l, &list, &rows);
	index_rows_release(&rows);
	disk_list_release(&list);
}

int scan_work(struct job *base, struct err *err) {
	struct scan_job *job = container_of(base, struct scan_job, job);
	struct disk_identity now;
	size_t entries = 0;
	/* A root that was moved is still ours by its descriptor: what stands at the path now is what counts. */
	job->root_gone = disk_identity_now(job->disk, &now, err) || now.ino != job->root.ino ||
			 now.fsid != job->root.fsid;
	for (size_t i = 0; i < job->count && entries < SCAN_CHUNK_ENTRIES && !job->root_gone; i++) {
		/* By path, and the right to read is what lets one watch. */
		disk_enter(job->disk);
		watch_add_in_job(&job->folders[i].add);
		disk_leave(job->disk);
		folder_list(job, &job->folders[i]);
		job->folders[i].away = mount_missing(job->disk, job->folders[i].mounts);
		job->folders[i].done = true;
		entries += job->folders[i].count;
	}
	return 0;
}
