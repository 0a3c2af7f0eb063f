/*
 * Looking at one path, in a job: what is there, and its bytes when there is reason to read them. The job touches only its own
 * transfer; base rows are copied into it before it starts.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

static const char sqlite_header[16] = "SQLite format 3";

static bool base_identity_same(const struct index_entry *base, const struct disk_stat *stat) {
	return base->size == stat->size && base->mtime_ns == stat->mtime_ns &&
	       base->ctime_ns == stat->ctime_ns && base->ino == stat->ino;
}

/* Is there reason to read this file, given what is agreed? */
bool look_wants_bytes(const struct transfer *t) {
	const struct index_entry *base = &t->file;
	if (!t->has_file || base->kind != INDEX_FILE) return true;
	if (base->flags & INDEX_STRANGER)
		return !(base->size == t->stat.size && base->mtime_ns == t->stat.mtime_ns);
	if (MUTANT(same_size_is_same_file)) return base->size != t->stat.size;
	return (base->flags & INDEX_RACY) || !base_identity_same(base, &t->stat);
}

/* Nothing there: but is the root still the folder we opened? Below a root that is gone everything looks deleted. */
static void look_absent(struct transfer *t) {
	struct disk_identity now;
	struct err err;
	t->absent = true;
	if (MUTANT(root_that_is_gone_is_empty)) return;
	if (disk_identity_now(t->disk, &now, &err) || now.ino != t->root.ino ||
		now.fsid != t->root.fsid)
		t->root_gone = true;
	int empty = t->root_gone ? 0 : disk_is_empty(t->disk, "", &err);
	t->root_empty = empty > 0;
	/* Nobody knows, then: what is in it may be anything. */
	if (empty < 0) {
		t->absent = false;
		t->look_err = err;
	}
}

static void look_database(struct transfer *t) {
	bool journal = false;
	t->is_database = true;
	if (disk_source(t->disk, t->path, &t->source, &journal, &t->look_err)) return;
	t->have_source = true;
	t->journal = journal;
}

/* The bytes of a file that only grows, up to the size first seen: SYNC.md §5. */
static int look_growing(struct transfer *t, struct err *err) {
	struct disk_stat before, after;
	char edge[4096];
	size_t size, step;
	int result = -1;
	int fd = disk_open_file(t->disk, t->path, &before, err);
	if (fd < 0) return -1;
	size = (size_t)before.size;
	buf_init(&t->body, size + 1);
	char *at = xmalloc(size + 1);
	if (disk_read_span(t->disk, fd, 0, size, at, err)) goto out;
	buf_add(&t->body, at, size);
	if (disk_stat(t->disk, t->path, &after, err)) goto out;
	if (after.ino != before.ino || after.size < before.size) {
		err_set(err, ERR_CHANGED, "changed while it was read");
		goto out;
	}
	/* First and last 64 KiB once more: an append leaves them as they were. */
	for (size_t from = 0; from < size; from += step) {
		if (from == 65536 && size > 2 * 65536) from = size - 65536;
		step = size - from < sizeof(edge) ? size - from : sizeof(edge);
		if (disk_read_span(t->disk, fd, (int64_t)from, step, edge, err)) goto out;
		if (memcmp(edge, at + from, step) != 0) {
			err_set(err, ERR_CHANGED, "changed while it was read");
			goto out;
		}
	}
	digest_of(t->digest, at, size, t->hash);
	t->hot = !disk_stat_same(&before, &after);
	t->stat = before;
	result = 0;
out:
	free(at);
	disk_close_file(t->disk, fd);
	return result;
}

/* The whole file into memory, hashed. */
static void look_read(struct transfer *t, size_t max) {
	struct err *err = &t->look_err;
	buf_release(&t->body);
	if (!disk_read(t->disk, t->path, max, &t->body, t->digest, t->hash, &t->stat, err)) {
		t->have_hash = true;
		return;
	}
	if (err->kind != ERR_CHANGED || !t->growth) return;
	buf_release(&t->body);
	err_clear(err);
	if (!look_growing(t, err)) t->have_hash = true;
}

/* What was read has SQLite's header: it is captured, not sent as it lies there. */
static void look_sqlite(struct transfer *t) {
	if (t->sqlite == FOLDER_SQLITE_COPY || !t->have_hash ||
		t->body.len < sizeof(sqlite_header) ||
		memcmp(t->body.at, sqlite_header, sizeof(sqlite_header)) != 0)
		return;
	buf_release(&t->body);
	t->have_hash = false;
	look_database(t);
}

/* A database that was sent as a plain file while the key `sqlite` said so, and is in use: rows may be in its -wal alone. */
static bool was_copied(struct transfer *t) {
	struct disk_stat stat;
	struct err err;
	if (t->file.flags & INDEX_PLAIN) return false;
	char *wal = xasprintf("%s-wal", t->path);
	bool used = !disk_stat(t->disk, wal, &stat, &err) && stat.size > 0;
	free(wal);
	return used && disk_is_sqlite(t->disk, t->path, &err) == 1;
}

static void look_file(struct transfer *t) {
	char *database = NULL;
	bool copy = t->sqlite == FOLDER_SQLITE_COPY;
	if (!copy && t->has_file && (t->file.flags & INDEX_DATABASE) &&
		!(t->file.flags & INDEX_STRANGER)) {
		look_database(t);
		return;
	}
	if (capture_is_journal(t->path, &database) && database) {
		struct err err;
		/* As they lie there: all but the -shm, which is of use to nobody else. */
		if (!(copy || t->database_plain) || str_ends(t->path, "-shm"))
			t->journal_name =
				t->database_known || disk_is_sqlite(t->disk, database, &err) == 1;
		free(database);
		if (t->journal_name) return;
	}
	if (!look_wants_bytes(t)) {
		if (!copy && was_copied(t)) look_database(t);
		return;
	}
	if (t->stat.size > INLINE_MAX) {
		struct err err;
		if (!copy && disk_is_sqlite(t->disk, t->path, &err) == 1) look_database(t);
		return;
	}
	look_read(t, INLINE_MAX);
	look_sqlite(t);
}

static void look_link(struct transfer *t) {
	struct buf target;
	buf_init(&target, 4096);
	if (!disk_read_link(t->disk, t->path, &target, &t->look_err)) {
		digest_of(t->digest, target.at, target.len, t->hash);
		t->have_hash = true;
		t->target = buf_steal(&target);
	}
	buf_release(&target);
}

/* Some names, for the question whether the rules leave anything in it (a marker object is needed only then). */
static void look_folder(struct transfer *t) {
	struct disk_list list;
	/* One that cannot be read is refused: what lies below it is unknown, not gone (SYNC.md §8). */
	if (disk_is_empty(t->disk, t->path, &t->look_err) < 0 || !t->want_names) return;
	if (disk_list(t->disk, t->path, &list, &t->look_err)) return;
	for (size_t i = 0; i < list.count && i < 256; i++) {
		bool folder = list.items[i].stat.kind == DISK_FOLDER;
		if (list.items[i].stat.kind == DISK_OTHER) continue;
		strv_add_owned(&t->names, xasprintf("%s%s", list.items[i].name, folder ? "/" : ""));
	}
	disk_list_release(&list);
}

/* Nothing is known of it: most likely a small new file, read at once without looking first. False: look first. */
static bool look_new(struct transfer *t) {
	char *database = NULL;
	if (t->stat_only || t->has_file || t->has_folder) return false;
	if (capture_is_journal(t->path, &database)) {
		free(database);
		return false;
	}
	look_read(t, INLINE_MAX);
	if (!t->have_hash) {
		buf_release(&t->body);
		err_clear(&t->look_err);
		return false;
	}
	look_sqlite(t);
	return true;
}

/* Which database it lies beside: while that one is under capture nobody asks its header (trap 4). */
static void look_beside(struct transfer *t) {
	char *database = NULL;
	struct disk_stat stat;
	struct err err;
	if (!capture_is_journal(t->path, &database) || !database) return;
	if (!disk_stat(t->disk, database, &stat, &err)) {
		t->beside_ino = stat.ino;
		t->beside_dev = stat.dev;
	}
	free(database);
}

static void look_path(struct transfer *t) {
	if (look_new(t)) return;
	if (disk_stat(t->disk, t->path, &t->stat, &t->look_err)) {
		if (t->look_err.kind == ERR_NOT_FOUND) {
			err_clear(&t->look_err);
			look_absent(t);
		}
		return;
	}
	if (t->stat_only) {
		look_beside(t);
		return;
	}
	switch (t->stat.kind) {
	case DISK_FILE: look_file(t); break;
	case DISK_LINK: look_link(t); break;
	case DISK_FOLDER:
		look_folder(t);
		t->mounted = mount_look(t->disk, t->path);
		break;
	case DISK_OTHER: break;
	}
}

static int look_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct disk_stat stat;
	(void)err;
	look_path(t);
	t->away = mount_missing(t->disk, t->mounts);
	/* It may have been mounted between the two looks: then what was seen before says nothing. */
	if (t->mounts && !t->away && t->absent && !disk_stat(t->disk, t->path, &stat, &t->look_err))
		err_set(&t->look_err, ERR_CHANGED, "was mounted");
	else if (t->absent)
		err_clear(&t->look_err);
	return 0;
}

/* May this job open what it finds? While a capture runs, the loop wants to know the inode first. */
static void look_go(struct transfer *t, bool stat_only) {
	t->state = TRANSFER_LOOKING;
	t->stat_only = stat_only;
	t->opens = !stat_only;
	t->job_running = true;
	t->job.brief = true;
	t->folder->looks++;
	err_clear(&t->look_err);
	job_start(t->folder->loop, &t->job);
}

static void look_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct sync *sync = t->folder->sync;
	bool stat_only = t->stat_only;
	(void)err;
	t->job_running = t->job.brief = false;
	t->folder->looks--;
	t->ino = t->stat.ino;
	t->dev = t->stat.dev;
	t->opens = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		capture_moved(sync);
		return;
	}
	if (stat_only && !t->absent && t->look_err.kind == ERR_NONE) {
		if (capture_holds(t))
			capture_wait(t);
		else
			look_go(t, false);
		return;
	}
	capture_moved(sync);
	if (t->root_gone) {
		folder_root_away(t->folder);
		return;
	}
	/* What the rules leave out now is forgotten, mounted or not. */
	bool is_folder = t->has_folder && !t->has_file;
	if (t->away && !transfer_excluded(t->folder, t->path, is_folder)) {
		mount_gone(t->folder, t->away);
		transfer_finish(t);
		return;
	}
	if (!urgent_gives_way(t) && !transfer_large_waits(t)) transfer_plan(t);
}

void look_start(struct transfer *t) {
	t->job.work = look_work;
	t->job.done = look_done;
	t->absent = t->root_gone = t->root_empty = t->hot = t->mounted = false;
	t->away = NULL;
	t->is_database = t->have_source = t->journal_name = t->have_hash = t->streams = false;
	t->read_ns = 0;
	t->beside_ino = t->beside_dev = 0;
	buf_release(&t->body);
	look_go(t, capture_any(t->folder->sync));
}

/* ---- all of a body that fits memory, once there is room for it ---- */

static int read_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct disk_stat stat;
	(void)err;
	if (!t->image) {
		look_read(t, STORE_SPAN_MAX);
		return 0;
	}
	buf_release(&t->body);
	disk_read(t->images, path_name(t->image), STORE_SPAN_MAX, &t->body, t->digest, t->hash,
		&stat, &t->look_err);
	return 0;
}

static void read_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct sync *sync = t->folder->sync;
	(void)err;
	t->job_running = false;
	capture_moved(sync);
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	transfer_plan(t);
}

void look_read_start(struct transfer *t) {
	pace_begin(t);
	t->state = TRANSFER_READING;
	t->job.work = read_work;
	t->job.done = read_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}
