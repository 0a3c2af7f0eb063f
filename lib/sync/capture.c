/*
 * Live databases: an image of one is taken in a job, and while it is taken nobody else in this process opens that inode: a close of any
 * other descriptor would drop the snapshot's POSIX lock (SYNC.md §6, trap 4). `sync->captures` holds those that run or want to.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/internal.h"

/* What SQLite puts beside a database. */
static const char *const sides[] = { "-wal", "-journal", "-shm" };

bool capture_is_journal(const char *path, char **database) {
	*database = NULL;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		size_t len = strlen(path), end = strlen(sides[i]);
		if (len <= end || !str_ends(path, sides[i]) || path[len - end - 1] == '/') continue;
		*database = xstrndup(path, len - end);
		return true;
	}
	return false;
}

bool capture_any(const struct sync *sync) {
	return !list_empty(&sync->captures);
}

static bool same_inode(const struct transfer *a, const struct transfer *b) {
	return a->ino == b->ino && a->dev == b->dev;
}

/* A look at what lies beside a database may ask the database's own header. */
static bool may_open(const struct transfer *t, const struct transfer *captured) {
	return same_inode(t, captured) ||
	       (t->beside_ino && t->beside_ino == captured->ino && t->beside_dev == captured->dev);
}

bool capture_runs(const struct sync *sync) {
	list_each(&sync->captures, link) {
		const struct transfer *t = list_entry(link, struct transfer, capture_link);
		if (t->job_running) return true;
	}
	return false;
}

bool capture_holds(const struct transfer *t) {
	list_each(&t->folder->sync->captures, link) {
		struct transfer *other = list_entry(link, struct transfer, capture_link);
		if (other != t && may_open(t, other)) return true;
	}
	return false;
}

void capture_wait(struct transfer *t) {
	t->state = TRANSFER_LOOKING;
	list_add_tail(&t->folder->sync->capture_waiters, &t->wait_link);
}

/* Does a job that is running now have this inode open, or may it? */
static bool opened_elsewhere(const struct transfer *t) {
	struct sync *sync = t->folder->sync;
	if (sync->openers) return true;
	list_each(&sync->folders, folder_link) {
		struct folder *f = list_entry(folder_link, struct folder, link);
		list_each(&f->transfers, link) {
			struct transfer *other = list_entry(link, struct transfer, link);
			if (other == t) continue;
			if (other->opens) return true;
			if ((other->job_running || other->upload) && !other->stat_only &&
				same_inode(other, t))
				return true;
		}
	}
	return false;
}

static int capture_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	return disk_snapshot(t->disk, t->path, t->image, t->digest, &t->snapshot, err);
}

static void image_drop(struct transfer *t) {
	if (t->image) unlink(t->image);
	free(t->image);
	t->image = NULL;
}

bool capture_base(const struct index_entry *entry, struct database_base *base) {
	bool is = (entry->flags & INDEX_DATABASE) && entry->extra_len >= sizeof(*base);
	if (is) memcpy(base, entry->extra, sizeof(*base));
	return is;
}

/* Is this the database that the remote has? Its image or itself, which differ in a few bytes when they say the same (trap 3). */
static bool is_stored(const struct transfer *t) {
	struct database_base base;
	const struct store *store = t->folder->store;
	if (!t->has_file || !hash_known(store, &t->file)) return false;
	if (hash_same(store, &t->file, t->snapshot.hash)) return true;
	if (t->file.flags & INDEX_STRANGER) return false;
	return capture_base(&t->file, &base) &&
	       !memcmp(base.content, t->snapshot.content, sizeof(base.content));
}

static bool others_pending(struct transfer *t);
static void rest_begin(struct transfer *t);
static void rest_end(struct transfer *t);

/* A writer that lets nobody in and never rests is hot: its events are no cure, but how long it has been so is no measure of when it ends. */
static void capture_failed(struct transfer *t, const struct err *err) {
	bool busy = err->kind == ERR_BUSY, told = t->row.tries >= 3;
	int64_t delay_ms = transfer_retry_ms(t->row.tries) / 4;
	int64_t most_ms = t->folder->settings.max_settle_ms;
	if (busy && delay_ms > most_ms) delay_ms = most_ms;
	char *text = xasprintf(
		"%s%s", err->text, busy && t->has_file ? "; the last good copy of it stays" : "");
	transfer_again(t, busy ? INDEX_WHY_HOT : INDEX_WHY_RETRY, told ? text : NULL, delay_ms);
	free(text);
}

static void capture_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct folder *f = t->folder;
	struct sync *sync = f->sync;
	t->job_running = false;
	list_remove(&t->capture_link);
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		capture_moved(sync);
		return;
	}
	capture_moved(sync);
	if (err && err->kind == ERR_CORRUPT) {
		/* Encrypted or damaged: it only has the header. A plain copy, and it is said. */
		if (!t->has_file || !(t->file.flags & INDEX_PLAIN))
			log_warn("folder '%s': '%s' looks like a database but is none that can be "
				 "read (%s): sent as a plain file, with its -wal or -journal",
				f->name, t->path, err->text);
		t->plain_copy = true;
		t->snapshot.plain = true;
		t->is_database = false;
		t->have_source = false;
		t->captured = true;
		image_drop(t);
		transfer_plan(t);
		return;
	}
	if (err) {
		image_drop(t);
		capture_failed(t, err);
		return;
	}
	t->captured = true;
	t->source = t->snapshot.source;
	if (t->snapshot.plain) {
		image_drop(t);
	} else {
		memcpy(t->hash, t->snapshot.hash, sizeof(t->hash));
		t->have_hash = true;
	}
	if (is_stored(t)) {
		/* Only the source moved. */
		memcpy(t->snapshot.hash, t->file.hash, sizeof(t->hash));
		memcpy(t->hash, t->file.hash, sizeof(t->hash));
		t->have_hash = t->image_same = true;
		transfer_plan(t);
		return;
	}
	if (others_pending(t)) {
		rest_begin(t);
		return;
	}
	transfer_plan(t);
}

/* What lies beside a database that is sent as it lies is sent as well; beside an image it must not be. */
void capture_mark_journals(struct transfer *t) {
	static const char *const ends[] = { "-wal", "-journal" };
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char *path = xasprintf("%s%s", t->path, ends[i]);
		folder_mark_path(t->folder, path, PRIO_SMALL, 0);
		free(path);
	}
	barrier_owe(t);
}

static void capture_go(struct transfer *t) {
	struct sync *sync = t->folder->sync;
	pace_begin(t);
	t->state = TRANSFER_CAPTURING;
	t->image = xasprintf(
		"%s/images/%llu.db", sync->state_dir, (unsigned long long)++sync->next_image);
	t->capture_mark = index_sequence(t->folder->index);
	t->covered = t->capture_mark;
	t->job.work = capture_work;
	t->job.done = capture_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

void capture_start(struct transfer *t) {
	struct sync *sync = t->folder->sync;
	t->state = TRANSFER_CAPTURING;
	buf_release(&t->body);
	if (list_empty(&t->capture_link)) list_add_tail(&sync->captures, &t->capture_link);
	if (opened_elsewhere(t))
		list_add_tail(&sync->capture_waiters, &t->wait_link);
	else
		capture_go(t);
}

/* Something that held a file open ended, or a capture did: whoever waited looks again. */
void capture_moved(struct sync *sync) {
	struct list waiting;
	restore_homes_wake(sync);
	if (list_empty(&sync->capture_waiters)) return;
	list_init(&waiting);
	list_take_all(&waiting, &sync->capture_waiters);
	while (!list_empty(&waiting)) {
		struct transfer *t = list_entry(waiting.next, struct transfer, wait_link);
		list_remove(&t->wait_link);
		if (transfer_is_abandoned(t)) continue;
		if (t->state == TRANSFER_CAPTURING) {
			if (opened_elsewhere(t))
				list_add_tail(&sync->capture_waiters, &t->wait_link);
			else
				capture_go(t);
		} else {
			look_start(t);
		}
	}
}

void capture_release(struct transfer *t) {
	rest_end(t);
	bool was = !list_empty(&t->capture_link);
	list_remove(&t->capture_link);
	image_drop(t);
	if (was) capture_moved(t->folder->sync);
}

/* ---- a database waits for the files that were dirty when its capture began: every attachment it names is there first ---- */

/* Is the transfer of this path one of a database that goes as its image? While a look is at work nobody knows. */
static bool is_image(const struct transfer *t) {
	return t && t->state != TRANSFER_LOOKING && t->is_database;
}

/* Marks of the files beside a database, up to `mark`: nothing of them is sent, and under a busy writer they never rest. */
static int64_t sides_pending(struct folder *f, const char *database, int64_t mark) {
	int64_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		char *path = xasprintf("%s%s", database, sides[i]);
		struct index_dirty row;
		struct err err;
		if (index_dirty_get(f->index, path, &row, &err) == 1) {
			count += row.since <= mark && !row.reason;
			index_dirty_release(&row);
		}
		free(path);
	}
	return count;
}

static bool is_side_of_image(struct folder *f, const struct transfer *t) {
	char *database = NULL;
	if (!capture_is_journal(t->path, &database) || !database) return false;
	bool known = is_image(map_get(&f->by_path, database));
	free(database);
	return known;
}

bool capture_is_side(const struct folder *f, const char *path) {
	char *database = NULL;
	struct index_entry entry;
	struct err err;
	if (!capture_is_journal(path, &database) || !database) return false;
	bool is = is_image(map_get(&f->by_path, database));
	if (!is && index_get(f->index, database, false, &entry, &err) == 1) {
		is = (entry.flags & INDEX_DATABASE) && !(entry.flags & INDEX_PLAIN);
		index_entry_release(&entry);
	}
	free(database);
	return is;
}

/* Those that wait for nothing but each other: databases, and what lies beside them. */
static int64_t databases_pending(struct transfer *t) {
	struct folder *f = t->folder;
	int64_t mark = t->capture_mark, count = 0;
	list_each(&f->transfers, link) {
		struct transfer *other = list_entry(link, struct transfer, link);
		bool counted = other->row.since <= mark && !other->row.reason;
		if (other == t || is_image(other))
			count += counted + sides_pending(f, other->path, mark);
		else if (counted && other->state != TRANSFER_LOOKING && other->journal_name &&
			 !is_side_of_image(f, other))
			count++;
	}
	return count;
}

static bool others_pending(struct transfer *t) {
	struct folder *f = t->folder;
	int64_t count = 0, refused = 0;
	struct err err;
	if (f->urgent)
		return false; /* smaller ones went before it as it is; larger ones may not get there */
	if (folder_clock_ms(f) - t->row.first_ms > DATABASE_PATIENCE_MS) {
		log_info("folder '%s': '%s' is sent ahead of files it may name: they take too long",
			f->name, t->path);
		return false;
	}
	if (index_oldest(f->index) > t->capture_mark) return false;
	if (index_pending(f->index, t->capture_mark, &count, &refused, &err)) return false;
	/* Deletions that are held may be so for days. */
	return count - refused - brake_pending(f, t->capture_mark) > databases_pending(t);
}

/* What it waits for may need its slot. */
static void rest_begin(struct transfer *t) {
	struct sync *sync = t->folder->sync;
	t->state = TRANSFER_DATABASE;
	t->idle_ms -= folder_clock_ms(t->folder);
	t->folder->resting++;
	sync->resting++;
	list_each(&sync->folders, link) folder_wake(list_entry(link, struct folder, link));
	barrier_hurry(t, t->capture_mark);
}

static void rest_end(struct transfer *t) {
	if (t->state != TRANSFER_DATABASE) return;
	t->state = TRANSFER_LOOKING;
	t->idle_ms += folder_clock_ms(t->folder);
	t->folder->resting--;
	t->folder->sync->resting--;
}

void transfer_wake_databases(struct folder *f) {
	list_each(&f->transfers, link) {
		struct transfer *t = list_entry(link, struct transfer, link);
		if (t->state != TRANSFER_DATABASE || others_pending(t)) continue;
		rest_end(t);
		transfer_plan(t);
		return; /* the list may have changed; its end wakes us */
	}
}
