/*
 * The local tree against the index, folder by folder, in jobs: a scan only marks. Memory holds the folders still to be listed and what
 * differs in one chunk, never the tree. A folder is watched before it is listed, so that nothing falls between (trap 12).
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

enum {
	CHUNK_FOLDERS = 32,   /* a job lists so many folders at the most */
	CHUNK_ENTRIES = 4000, /* and goes no further than so many entries */
	RULES_MAX = 64 << 10, /* bytes of a .tendignore */
	DEGRADED_RESCAN_MS = 60000,
};

/* What a job found to be different from the index, or merely to be there. */
enum found_what { FOUND_SAME, FOUND_NEW, FOUND_DIFFERS, FOUND_GONE, FOUND_AWAY };

struct found {
	char *name;
	enum found_what what;
	enum disk_kind kind; /* of what is there; for FOUND_GONE: of what was */
	int64_t size, mtime_ns;
};

struct listed_folder {
	struct watch_add add;
	char *path;
	struct err err;
	bool done;
	char **mounts; /* on it or above it */
	const char
		*away; /* one of them on which nothing is mounted: what was listed says nothing */
	char *rules;   /* the text of its .tendignore; NULL: none */
	bool rules_unread;
	struct found *found;
	size_t count, cap;
	int same; /* entries that are as agreed and not told */
};

struct scan_job {
	struct job job;
	struct folder *folder;
	struct disk *disk;
	struct index_reader *reader;
	struct disk_identity root; /* as it was opened */
	bool root_gone;
	bool tell_same; /* rules may have changed: also what is as agreed */
	int64_t leftovers_ns, brought_before_ns;
	char **known; /* names of files without a place that are gone on with */
	struct listed_folder folders[CHUNK_FOLDERS];
	size_t count;
};

/* ---- in the job ---- */

static void found_add(struct listed_folder *l, const char *name, enum found_what what,
	enum disk_kind kind, const struct disk_stat *stat) {
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->found = xrealloc(l->found, l->cap * sizeof(*l->found));
	}
	struct found *found = &l->found[l->count++];
	*found = (struct found){ .name = xstrdup(name), .what = what, .kind = kind };
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

static void merge(struct scan_job *job, struct listed_folder *l, const struct disk_list *list,
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
				found_add(l, item->name, FOUND_NEW, item->stat.kind, &item->stat);
			i++;
			continue;
		}
		if (order > 0) {
			if (row->entry.flags & INDEX_MOUNT)
				found_add(l, row->name, FOUND_AWAY, DISK_FOLDER, NULL);
			else if (!(row->entry.flags & INDEX_STRANGER) &&
				 !MUTANT(scan_misses_what_is_gone))
				found_add(l, row->name, FOUND_GONE,
					row->entry.kind == INDEX_FOLDER ? DISK_FOLDER : DISK_FILE,
					NULL);
			k++;
			continue;
		}
		bool same = item->err.kind == ERR_NONE && row_same(list, item, &row->entry);
		if ((row->entry.flags & INDEX_MOUNT) && item->err.kind == ERR_NONE &&
			!is_mount(list, item)) {
			found_add(l, item->name, FOUND_AWAY, DISK_FOLDER, NULL);
			i++;
			k++;
			continue;
		}
		/* Folders are always told: they are to be entered. */
		if (!same || job->tell_same || item->stat.kind == DISK_FOLDER)
			found_add(l, item->name, same ? FOUND_SAME : FOUND_DIFFERS, item->stat.kind,
				&item->stat);
		else
			l->same++;
		i++;
		k++;
	}
}

static void rules_read(
	struct scan_job *job, struct listed_folder *l, const struct disk_list *list) {
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

static void folder_list(struct scan_job *job, struct listed_folder *l) {
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

static int scan_work(struct job *base, struct err *err) {
	struct scan_job *job = container_of(base, struct scan_job, job);
	struct disk_identity now;
	size_t entries = 0;
	/* A root that was moved is still ours by its descriptor: what stands at the path now is what counts. */
	job->root_gone = disk_identity_now(job->disk, &now, err) || now.ino != job->root.ino ||
			 now.fsid != job->root.fsid;
	for (size_t i = 0; i < job->count && entries < CHUNK_ENTRIES && !job->root_gone; i++) {
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

/* ---- on the loop ---- */

static void scan_mark(struct folder *f, const char *path, const struct found *found) {
	bool folder = found->kind == DISK_FOLDER && found->what != FOUND_GONE;
	int64_t settle = 0;
	int prio = folder ? PRIO_FOLDER : found->size > PRIO_LARGE_BYTES ? PRIO_LARGE : PRIO_SMALL;
	/* Written a moment ago: it may be in the middle of it. */
	if (found->what != FOUND_GONE && found->kind == DISK_FILE) {
		int64_t age_ms = (loop_wall_ns(f->loop) - found->mtime_ns) / NS_PER_MS;
		if (age_ms >= 0 && age_ms < f->settings.settle_ms)
			settle = f->settings.settle_ms - age_ms;
	}
	folder_mark_path(f, path, prio, settle);
}

static void scan_found(struct folder *f, struct listed_folder *l, const struct found *found) {
	char *path = path_join(l->path, found->name);
	bool is_folder = found->kind == DISK_FOLDER;
	bool out = transfer_excluded(f, path, is_folder) ||
		   (found->kind == DISK_LINK && transfer_skips_links(f));
	if (found->what == FOUND_AWAY && !out) {
		mount_gone(f, path);
	} else if (found->what == FOUND_GONE || found->what == FOUND_AWAY) {
		scan_mark(f, path, found);
	} else if (out) {
		/* What is agreed and left out now is forgotten; the rest is no business of ours. */
		if (found->what != FOUND_NEW) scan_mark(f, path, found);
		if (is_folder) watch_drop_folder(f->watch, path);
	} else {
		f->scan.seen++;
		if (found->kind == DISK_OTHER) kinds_seen(f, path);
		/* What was agreed under its name is gone, also where something stands that is not
		 * kept. */
		if (found->what == FOUND_DIFFERS ||
			(found->what == FOUND_NEW && found->kind != DISK_OTHER))
			scan_mark(f, path, found);
		if (is_folder) {
			path_stack_push(&f->scan.queue, path);
			return;
		}
	}
	free(path);
}

static void listed_release(struct listed_folder *l) {
	for (size_t i = 0; i < l->count; i++) free(l->found[i].name);
	free(l->found);
	free(l->rules);
	strv_free(l->mounts);
	free(l->path);
}

/* Where folders exist by what lies in them an empty one needs a marker: what lay in this one when it was looked at may have gone before
 * it was watched. */
static void empty_seen(struct folder *f, const char *path) {
	struct index_entry entry;
	struct err err;
	if (!*path || (f->store->caps & STORE_CAP_FOLDERS)) return;
	int got = index_get(f->index, path, true, &entry, &err);
	if (got < 0) {
		folder_index_failed(f, &err);
		return;
	}
	bool marked = got == 1 && (entry.flags & INDEX_MARKER);
	if (got == 1) index_entry_release(&entry);
	if (!marked) folder_mark_path(f, path, PRIO_FOLDER, 0);
}

/* What is on its way was read before this list, perhaps before the folder was watched: had it gone in between, neither would tell. */
static void under_way_seen(struct folder *f, const char *folder) {
	size_t len = strlen(folder);
	list_each(&f->transfers, link) {
		const struct transfer *t = list_entry(link, struct transfer, link);
		size_t parent = (size_t)(path_name(t->path) - t->path);
		if (parent == (len ? len + 1 : 0) && strncmp(t->path, folder, len) == 0)
			folder_mark_path(f, t->path, PRIO_SMALL, 0);
	}
}

static void listed_done(struct folder *f, struct listed_folder *l, const struct err *watched) {
	if (watched->kind == ERR_CHANGED)
		return; /* moved meanwhile: its new place is told by an event */
	if (l->away) {
		mount_gone(f, l->away);
		return;
	}
	if (l->err.kind == ERR_NONE && watched->kind != ERR_NONE && watched->kind != ERR_FULL)
		l->err = *watched;
	if (l->err.kind == ERR_CHANGED) {
		scan_request(f, l->path); /* its rules were being written */
		return;
	}
	if (l->rules_unread) { /* refused by its own look, which lists the folder again once it succeeds */
		char *rules = path_join(l->path, IGNORE_FILE_NAME);
		folder_mark_path(f, rules, PRIO_SMALL, 0);
		free(rules);
		return;
	}
	if (l->err.kind == ERR_NOT_FOUND) ignore_drop_below(f->ignore, l->path);
	if (l->err.kind != ERR_NONE) {
		/* Gone meanwhile, or not readable: its own look says which. Nothing below it is touched. */
		if (l->err.kind != ERR_NOT_FOUND) map_put(&f->unlisted, l->path, f);
		if (*l->path)
			folder_mark_path(f, l->path, PRIO_FOLDER, 0);
		else
			f->scan.failed = true;
		return;
	}
	int64_t seen = f->scan.seen;
	f->scan.seen += l->same;
	bool changed = l->rules ? ignore_set_file(f->ignore, l->path, l->rules, strlen(l->rules))
				: ignore_drop_file(f->ignore, l->path);
	/* Known rules changed: what was agreed under the old ones is looked at again. */
	if (changed && f->scans) f->scan.rules_changed = true;
	if (changed) polling_rules_read(f);
	for (size_t i = 0; i < l->count; i++) scan_found(f, l, &l->found[i]);
	if (f->scan.seen == seen) empty_seen(f, l->path);
	under_way_seen(f, l->path);
}

static void scan_ended(struct folder *f) {
	struct scan *scan = &f->scan;
	f->scanned_seq = index_sequence(f->index);
	if (scan->full) {
		kinds_scanned(f);
		if (!scan->failed) restore_scanned(f);
		if (!scan->failed) f->brought_before_ns = 0;
		f->scans++;
		if (watch_is_degraded(f->watch) &&
			(!f->settings.rescan_ms || f->settings.rescan_ms > DEGRADED_RESCAN_MS))
			timer_start(&f->rescan_timer, DEGRADED_RESCAN_MS);
	}
	scan->full = false;
	scan->tell_same = scan->rules_changed;
	if (scan->again || scan->rules_changed) {
		scan->again = scan->rules_changed = false;
		scan_request(f, "");
	}
	index_reader_close(scan->reader);
	scan->reader = NULL;
	folder_wake(f);
}

static void scan_done(struct job *base, const struct err *err) {
	struct scan_job *job = container_of(base, struct scan_job, job);
	struct folder *f = job->folder;
	bool root_gone = job->root_gone;
	bool live = f->scan.job == job && f->disk == job->disk && f->watch;
	(void)err;
	f->scan.job = NULL;
	if (live) folder_turn(f);
	for (size_t i = 0; i < job->count; i++) {
		struct listed_folder *l = &job->folders[i];
		bool ours = live && f->watch && f->phase != PHASE_CLOSING;
		struct err watched = { .kind = ERR_NONE };
		watch_add_end(&l->add, &watched);
		if (ours && l->done)
			listed_done(f, l, &watched);
		else if (ours)
			path_stack_push(&f->scan.queue, xstrdup(l->path));
		listed_release(l);
	}
	strv_free(job->known);
	free(job);
	if (!live) {
		index_reader_close(f->scan.reader);
		f->scan.reader = NULL;
	}
	if (live && root_gone) {
		folder_root_away(f);
		return;
	}
	if (live && f->watch && !f->scan.queue.count) scan_ended(f);
	folder_wake(f);
}

bool scan_is_idle(const struct folder *f) {
	return !f->scan.job && !f->scan.queue.count;
}

/* The next chunk, when none is in flight: watched first, then listed. */
void scan_step(struct folder *f) {
	struct scan *scan = &f->scan;
	struct err err;
	if (scan->job || !scan->queue.count || !f->watch || log_holds(f)) return;
	if (!scan->reader) {
		scan->reader = index_reader_open(f->index, f->index_path, &err);
		if (!scan->reader) {
			folder_index_failed(f, &err);
			return;
		}
	}
	struct scan_job *job = xcalloc(1, sizeof(*job));
	job->folder = f;
	job->disk = f->disk;
	job->root = f->identity;
	job->reader = scan->reader;
	job->tell_same = scan->tell_same;
	job->leftovers_ns = f->leftovers_ns;
	job->brought_before_ns = f->brought_before_ns;
	if (job->leftovers_ns || job->brought_before_ns) job->known = bring_resume_known(f->sync);
	while (scan->queue.count && job->count < CHUNK_FOLDERS) {
		struct listed_folder *l = &job->folders[job->count++];
		l->path = path_stack_pop(&scan->queue);
		l->mounts = mounts_above(f, l->path);
		watch_add_begin(&l->add, f->watch, l->path);
	}
	job->job.work = scan_work;
	job->job.done = scan_done;
	scan->job = job;
	job_start(f->loop, &job->job);
}

void scan_request(struct folder *f, const char *path) {
	struct scan *scan = &f->scan;
	if (f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN || !f->watch) return;
	if (!*path) {
		if (scan->full) {
			scan->again =
				true; /* what was listed before this call is listed once more */
			return;
		}
		scan->full = true;
		scan->seen = 0;
		/* It comes to each of them by itself. */
		path_stack_release(&scan->queue);
	}
	path_stack_push(&scan->queue, xstrdup(path));
	folder_wake(f);
}

/* The next full scan also looks at what is as agreed: rules changed. */
void scan_rules_changed(struct folder *f) {
	f->scan.tell_same = true;
	polling_whole_next(f);
	scan_request(f, "");
}

void scan_release(struct folder *f) {
	struct scan *scan = &f->scan;
	path_stack_release(&scan->queue);
	scan->full = scan->again = scan->tell_same = scan->rules_changed = false;
	if (!scan->job) {
		index_reader_close(scan->reader);
		scan->reader = NULL;
	}
}
