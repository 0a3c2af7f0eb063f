/*
 * Renames are renames: before new content is sent, the agreed path that it was before is looked for by its inode (SYNC.md §9). A file
 * is moved, or copied where it is one more name of an inode, at the store; a folder is moved whole where the store can, and its rows with
 * it. Both names are locked meanwhile. The intent of a file's move is that of any other way to make the new name (intent.c), so that a
 * lost answer is recognised; the old name's row goes when the answer is there, and if that is not written down the removal meets its own
 * work. A folder's move takes along what has rows of its own: its intent is moving.c's.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum {
	CANDIDATES_MAX = 16, /* rows of one inode: hard links, and leftovers of a reused one */
	PAIR_POLL_MS = 20,
	LOCKED_POLL_MS = 50,
	NEAR_MARKS = 64,
	SIDES_NEAR = 16, /* files beside databases, which say nothing */
};

/* ---- who holds which name ---- */

/* Is somebody moving this path, or a folder above it, away? */
bool rename_locks(const struct folder *f, const char *path) {
	if (!f->renaming) return false;
	list_each(&f->transfers, link) {
		const struct transfer *t = list_entry(link, struct transfer, link);
		if (t->origin_locked && path_is_within(path, t->origin)) return true;
	}
	return false;
}

/* Is it in a folder that is being moved there, under its old name or its new one? Its rows follow later. */
bool rename_moves(const struct folder *f, const char *path) {
	if (!f->renaming) return false;
	list_each(&f->transfers, link) {
		const struct transfer *t = list_entry(link, struct transfer, link);
		if (t->origin_locked && t->stat.kind == DISK_FOLDER &&
			(path_is_within(path, t->origin) || path_is_within(path, t->path)))
			return true;
	}
	return false;
}

void rename_postpone(struct folder *f, const struct index_dirty *row) {
	enum index_why why = row->why == INDEX_WHY_DELETE ? INDEX_WHY_DELETE : INDEX_WHY_PAIR;
	struct err err;
	if (index_again(f->index, row->path, why, row->reason, folder_clock_ms(f) + LOCKED_POLL_MS,
		    row->tries, &err))
		folder_index_failed(f, &err);
}

/* Whoever works on the origin now, below it, or moves it or something above it away; NULL: nobody. */
static struct transfer *origin_user(const struct transfer *t) {
	list_each(&t->folder->transfers, link) {
		struct transfer *other = list_entry(link, struct transfer, link);
		if (other == t) continue;
		if (path_is_within(other->path, t->origin)) return other;
		if (other->origin_locked && (path_is_within(other->origin, t->origin) ||
						    path_is_within(t->origin, other->origin)))
			return other;
	}
	return NULL;
}

static void origin_lock(struct transfer *t) {
	t->origin_locked = true;
	t->folder->renaming++;
	t->origin_key = folder_key(t->folder, t->origin);
}

static void origin_unlock(struct transfer *t) {
	if (t->origin_locked) t->folder->renaming--;
	t->origin_locked = false;
}

void rename_release(struct transfer *t) {
	origin_unlock(t);
	free(t->origin);
	free(t->origin_key);
	free(t->origin_parent_id);
	free(t->origin_version);
	t->origin = t->origin_key = t->origin_parent_id = t->origin_version = NULL;
	index_entry_release(&t->origin_entry);
}

/* Does this one still have to say whether it is another under a new name? */
static bool asks(const struct transfer *t) {
	return !t->origin_asked &&
	       t->state < TRANSFER_DATABASE; /* a database may wait for a removal */
}

/* What comes at the same time, or later, does not count: nor does `self`. */
static bool others_ask(const struct folder *f, const struct transfer *self, enum index_why held) {
	list_each(&f->transfers, link) {
		const struct transfer *other = list_entry(link, struct transfer, link);
		bool after = other->row.why == INDEX_WHY_DELETE ||
			     (other->row.why == INDEX_WHY_PAIR && held == INDEX_WHY_PAIR);
		if (other != self && asks(other) && !after) return true;
	}
	return false;
}

/* The same of rows that wait for their time: the two halves of a rename are marked one right after the other, or by one scan. What pace
 * keeps back for longer than a deletion waits is looked at too late anyway. */
static bool others_will_ask(
	const struct folder *f, const struct transfer *self, int64_t upto, int64_t by_ms) {
	char **paths = NULL;
	size_t most = 4 * (size_t)f->in_flight + SIDES_NEAR, count = 0;
	struct err err;
	bool will = false;
	upto += NEAR_MARKS;
	if (upto < f->scanned_seq) upto = f->scanned_seq;
	if (index_before_deletions(f->index, upto, by_ms, most, &paths, &err)) return false;
	for (; paths && paths[count] && !will; count++) {
		const struct transfer *other = map_get(&f->by_path, paths[count]);
		/* The log of a database that is written all the time never rests, and the database may wait for this removal. */
		if (!other && capture_is_side(f, paths[count])) continue;
		will = !other || (other != self && asks(other));
	}
	strv_free(paths);
	return will || count == most;
}

static bool pending(
	const struct folder *f, const struct transfer *self, int64_t upto, int64_t since_ms) {
	if (!scan_is_idle(f) || f->renaming) return true;
	return others_ask(f, self, INDEX_WHY_DELETE) ||
	       others_will_ask(f, self, upto, since_ms + DELETE_PATIENCE_MS);
}

bool rename_pending(const struct folder *f, int64_t upto, int64_t since_ms) {
	return pending(f, NULL, upto, since_ms);
}

/*
 * What is removed, or replaced by another inode, may be on its way to a new name: that one is looked at first. What is itself a new
 * name for something (PAIR) comes before what is not (DELETE), so that a chain of renames is done from its end.
 */
static bool may_pair(const struct transfer *t, enum index_why held) {
	const struct folder *f = t->folder;
	int64_t age = folder_clock_ms(f) - t->row.first_ms;
	if (age < 0 || age > DELETE_PATIENCE_MS) return false;
	if (t->row.why != held) return index_dirty_count(f->index) > 1;
	if (held == INDEX_WHY_DELETE) return pending(f, t, t->row.seen, t->row.first_ms);
	return !scan_is_idle(f) || others_ask(f, t, held);
}

/* True: it comes again, behind everything else that is due. */
bool rename_waits(struct transfer *t, enum index_why held) {
	if (!may_pair(t, held)) return false;
	transfer_again(t, held, NULL, t->row.why == held ? PAIR_POLL_MS : 0);
	return true;
}

/* An agreed file's name was taken by another inode: a log that was rotated, a rename over it. Small ones are not worth the wait. */
static bool was_displaced(const struct transfer *t) {
	return t->has_file && t->file.kind == INDEX_FILE && !(t->file.flags & INDEX_STRANGER) &&
	       t->file.ino && t->file.ino != t->stat.ino && t->file.size > INLINE_MAX;
}

/* ---- the question ---- */

static struct pair_question question(const struct transfer *t, const struct index_entry *base) {
	return (struct pair_question){ .base = base,
		.ino = t->stat.ino,
		.size = t->stat.size,
		.mtime_ns = t->stat.mtime_ns,
		.btime_ns = t->stat.btime_ns,
		.is_database = t->is_database,
		.hash = t->have_hash ? t->hash : NULL,
		.hash_len = digest_len(t->digest),
		.taken = t->has_file || t->has_folder };
}

static enum pair_answer answer(const struct transfer *t, const struct pair_question *q) {
	return t->stat.kind == DISK_FOLDER ? pair_folder(q) : pair_file(q);
}

/* The first row of this inode that may be the origin, rather one of which nobody doubts that it stands at the remote: PAIR_LOOK, with
 * t->origin; PAIR_READ: its bytes are needed to say. */
static enum pair_answer find(struct transfer *t, struct err *err) {
	struct index *index = t->folder->index;
	bool folder = t->stat.kind == DISK_FOLDER;
	enum pair_answer best = PAIR_NO;
	bool doubted = false;
	char **paths = NULL;
	if (index_find_inode(index, t->stat.ino, folder, CANDIDATES_MAX, &paths, err)) return best;
	for (size_t i = 0; paths && paths[i] && (best != PAIR_LOOK || doubted); i++) {
		struct index_entry entry;
		if (str_equal(paths[i], t->path) || path_is_within(t->path, paths[i])) continue;
		if (index_get(index, paths[i], folder, &entry, err) != 1) continue;
		struct pair_question q = question(t, &entry);
		enum pair_answer got = answer(t, &q);
		if (got == PAIR_LOOK) {
			rename_release(t); /* one in doubt */
			t->origin = xstrdup(paths[i]);
			t->origin_entry = entry;
			doubted = entry.epoch == EPOCH_ASK;
		} else {
			index_entry_release(&entry);
		}
		if (got != PAIR_NO && best != PAIR_LOOK) best = got;
	}
	strv_free(paths);
	return best;
}

static int origin_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct disk_stat stat;
	t->origin_state = ORIGIN_UNKNOWN;
	if (!disk_stat(t->disk, t->origin, &stat, err))
		t->origin_state =
			stat.ino == t->ino && stat.dev == t->dev ? ORIGIN_SAME : ORIGIN_GONE;
	else if (err->kind == ERR_NOT_FOUND)
		t->origin_state = ORIGIN_GONE;
	return 0;
}

static void origin_seen(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	(void)err;
	t->job_running = t->job.brief = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	struct pair_question q = question(t, &t->origin_entry);
	q.origin = t->origin_state;
	t->pair = q.origin == ORIGIN_UNKNOWN ? PAIR_NO : answer(t, &q);
	if (t->pair == PAIR_NO) {
		rename_release(t);
	} else if (!t->have_hash && t->stat.kind == DISK_FILE) {
		/* By its identity: it need not be read. */
		memcpy(t->hash, t->origin_entry.hash, sizeof(t->hash));
		t->have_hash = true;
	}
	transfer_plan(t);
}

static void look_at_origin(struct transfer *t) {
	origin_lock(t);
	t->origin_asked = true;
	t->ino = t->stat.ino;
	t->dev = t->stat.dev;
	t->state = TRANSFER_PAIRING;
	t->job.work = origin_work;
	t->job.done = origin_seen;
	t->job_running = t->job.brief = true;
	job_start(t->folder->loop, &t->job);
}

static bool is_waiting(const struct transfer *t) {
	return t->state == TRANSFER_PAIRING && !t->job_running;
}

/* Somebody works on the origin: it is asked again when they are through, and removes nothing meanwhile, since it sees us. Two that wait
 * for each other have changed places: one of them comes again. */
static bool wait_for(struct transfer *t, const struct transfer *other) {
	struct folder *f = t->folder;
	/* One that waits for the folder which `t` is to make would wait for ever. */
	bool below = other->state == TRANSFER_PARENT && path_is_within(other->path, t->path);
	bool patient = !below && folder_clock_ms(f) - t->row.first_ms < DELETE_PATIENCE_MS;
	rename_release(t);
	t->origin_asked = !patient;
	if (!patient) return false;
	if (is_waiting(other)) {
		transfer_again(t, INDEX_WHY_PAIR, NULL, LOCKED_POLL_MS);
		return true;
	}
	t->state = TRANSFER_PAIRING;
	list_add_tail(&f->pair_waiters, &t->wait_link);
	return true;
}

/* In each step of the folder, before more is claimed. */
void rename_wake(struct folder *f) {
	struct list waiting;
	list_init(&waiting);
	list_take_all(&waiting, &f->pair_waiters);
	while (!list_empty(&waiting)) {
		struct transfer *t = list_entry(waiting.next, struct transfer, wait_link);
		list_remove(&t->wait_link);
		transfer_plan(t);
	}
}

/* It is doubted that the origin stands there: a move of it to another name, by which this file went meanwhile, may have been done.
 * True: that is known first. */
static bool middle_name_waits(struct transfer *t) {
	struct folder *f = t->folder;
	char *path = intent_elsewhere(t);
	bool waits = false;
	if (path && folder_clock_ms(f) - t->row.first_ms < DELETE_PATIENCE_MS) {
		const struct transfer *other = map_get(&f->by_path, path);
		waits = true;
		if (other)
			waits = wait_for(t, other);
		else
			transfer_again(t, INDEX_WHY_PAIR, NULL, LOCKED_POLL_MS);
	}
	free(path);
	return waits;
}

/* True: something is on its way, or it comes again later. */
static bool ask(struct transfer *t) {
	struct err err;
	if (t->origin_asked || !t->stat.ino) return false;
	/* The folder it lies in may be on its way as well, and waits for whoever holds a name below its old one: it comes first. */
	if (transfer_parent_missing(t)) return true;
	enum pair_answer got = find(t, &err);
	t->origin_reads = got == PAIR_READ;
	if (got == PAIR_READ) return false; /* asked once more when it is read */
	if (got != PAIR_LOOK) {
		t->origin_asked = true;
		return false;
	}
	/* What it would overwrite may be on its way to a name of its own. */
	if (t->has_file && rename_waits(t, INDEX_WHY_PAIR)) return true;
	if (t->origin_entry.epoch == EPOCH_ASK && middle_name_waits(t)) return true;
	if (t->origin_asked)
		return false; /* that one waits for us: nothing is known of an origin */
	const struct transfer *other = origin_user(t);
	if (other) return wait_for(t, other);
	look_at_origin(t);
	return true;
}

/* Before a file is read that is large enough to be known by its identity alone. */
bool rename_ask_unread(struct transfer *t) {
	if (t->absent || t->is_database || t->have_hash || t->stat.size < PAIR_BY_IDENTITY)
		return false;
	return look_wants_bytes(t) && ask(t);
}

/* Before new content is sent, or a folder made. */
bool rename_ask(struct transfer *t) {
	const struct folder *f = t->folder;
	if (t->pair != PAIR_NO || t->absent) return false;
	if (t->action == PLAN_MKDIR) {
		bool whole = (f->store->caps & STORE_CAP_MOVE) && !t->row.sending && !t->has_folder;
		return whole && ignore_check(f->ignore, t->path, true) != IGNORE_ENTERED && ask(t);
	}
	if (t->action != PLAN_PUT || t->stat.kind != DISK_FILE) return false;
	if (t->has_file && (t->file.flags & INDEX_STRANGER)) return false;
	if (ask(t)) return true;
	return !t->is_database && was_displaced(t) && rename_waits(t, INDEX_WHY_DELETE);
}
