/*
 * One path's way: claimed, looked at, planned, done, recorded. A transfer is alive while its row is claimed; every ending goes through
 * transfer_finish, transfer_again or, when the folder itself gives up, transfer_forget.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"

/* ---- birth ---- */

int transfer_base_load(struct transfer *t, struct err *err) {
	struct folder *f = t->folder;
	char *database = NULL;
	struct index_pair rows;
	index_entry_release(&t->file);
	index_entry_release(&t->folder_entry);
	if (index_get_both(f->index, t->path, &rows, err)) return -1;
	t->file = rows.file;
	t->folder_entry = rows.folder;
	t->has_file = rows.has_file;
	t->has_folder = rows.has_folder;
	if (both_load(t, err)) return -1;
	t->want_names = !(f->store->caps & STORE_CAP_FOLDERS) &&
			!(t->has_folder && (t->folder_entry.flags & INDEX_MARKER));
	t->database_known = t->database_plain = false;
	if (capture_is_journal(t->path, &database) && database) {
		struct index_entry entry;
		struct transfer *other = map_get(&f->by_path, database);
		if (index_get(f->index, database, false, &entry, err) == 1) {
			t->database_known = (entry.flags & INDEX_DATABASE) != 0;
			t->database_plain = (entry.flags & INDEX_PLAIN) != 0;
			index_entry_release(&entry);
		}
		/* While its job runs nobody knows; then ours may open it, and a capture waits for that. */
		if (other && !other->job_running && other->is_database) t->database_known = true;
	}
	/* What is known of its database may change at any time. */
	t->base_fresh = !database;
	t->base_lost = f->parents_lost;
	free(database);
	return 0;
}

/* A path's rows are written by its own transfer only, save when parents turn out to be lost. */
bool transfer_base_is_fresh(const struct transfer *t) {
	return t->base_fresh && t->base_lost == t->folder->parents_lost;
}

/* One slot is kept from large files, which may take hours, so that small ones overtake them. */
static int large_most(int64_t slots) {
	return slots > 1 ? (int)slots - 1 : 1;
}

int transfer_large_room(const struct folder *f) {
	int here = large_most(f->settings.max_transfers) - f->large;
	int all = large_most(f->sync->max_transfers) - f->sync->large;
	int room = here < all ? here : all;
	if (f->urgent) return -1; /* there they come last as it is */
	return room > 0 ? room : 0;
}

void transfer_large_take(struct transfer *t) {
	if (t->large) return;
	t->large = true;
	t->folder->large++;
	t->folder->sync->large++;
}

bool transfer_large_give(struct transfer *t) {
	if (!t->large) return false;
	t->large = false;
	t->folder->large--;
	t->folder->sync->large--;
	return true;
}

bool transfer_large_waits(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	bool is_file = !t->absent && t->look_err.kind == ERR_NONE && t->stat.kind == DISK_FILE;
	if (t->large || !is_file || t->journal_name || t->stat.size <= PRIO_LARGE_BYTES)
		return false;
	if (t->row.prio >= PRIO_LARGE || transfer_large_room(f) != 0) {
		transfer_large_take(t);
		return false;
	}
	turn_end_want(&f->turn_end);
	if (index_lower(f->index, t->path, PRIO_LARGE, &err))
		folder_index_failed(f, &err);
	else
		transfer_forget(t);
	return true;
}

static void slot_take(struct transfer *t) {
	if (t->slot) return;
	t->slot = true;
	t->folder->in_flight++;
	t->folder->sync->in_flight++;
	if (t->row.prio >= PRIO_LARGE && t->row.prio <= INDEX_PRIO_LARGE_LAST)
		transfer_large_take(t);
}

static void slot_give(struct transfer *t) {
	struct sync *sync = t->folder->sync;
	if (!t->slot) return;
	t->slot = false;
	t->folder->in_flight--;
	bool was_full = sync->in_flight-- >= sync->max_transfers;
	if (transfer_large_give(t)) was_full |= sync->large + 1 >= large_most(sync->max_transfers);
	folder_wake(t->folder);
	if (!was_full) return;
	list_each(&sync->folders, link) folder_wake(list_entry(link, struct folder, link));
}

void transfer_start(struct folder *f, struct index_dirty *row) {
	struct transfer *t = xcalloc(1, sizeof(*t));
	struct err err;
	t->folder = f;
	t->row = *row;
	t->path = t->row.path;
	t->key = folder_key(f, t->path);
	t->disk = f->disk;
	t->images = f->sync->images;
	t->root = f->identity;
	t->sqlite = f->settings.sqlite;
	t->digest = f->store->digest;
	t->covered = index_sequence(f->index);
	t->number = ++f->started;
	list_init(&t->link);
	list_init(&t->submit.link);
	list_init(&t->wait_link);
	list_init(&t->capture_link);
	list_init(&t->children);
	t->mounts = mounts_above(f, t->path);
	buf_init(&t->body, 0);
	/* A file that never stays the same long enough is taken while it grows, once its patience has run out. */
	t->growth = folder_clock_ms(f) - t->row.first_ms >= f->settings.max_settle_ms ||
		    !list_empty(&f->waits) || f->phase == PHASE_FLUSHING || f->urgent;
	list_add_tail(&f->transfers, &t->link);
	map_put(&f->by_path, t->path, t);
	slot_take(t);
	if (transfer_base_load(t, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	look_start(t);
}

/* ---- memory of bodies ---- */

/* Large files, which may keep it for hours, and what only makes it faster leave a quarter to others. */
static int64_t memory_for_large(const struct sync *sync) {
	return sync->buffer_limit / 4 * 3;
}

static bool memory_has_room(const struct transfer *t, int64_t bytes) {
	const struct sync *sync = t->folder->sync;
	int64_t most = t->large ? memory_for_large(sync) : sync->buffer_limit;
	return !sync->buffer_used || sync->buffer_used + bytes <= most;
}

bool transfer_memory_reserve(struct transfer *t, int64_t bytes) {
	struct sync *sync = t->folder->sync;
	if (!memory_has_room(t, bytes)) {
		t->state = TRANSFER_MEMORY;
		t->reserved = -bytes; /* wished for */
		list_add_tail(&sync->memory_waiters, &t->wait_link);
		return false;
	}
	sync->buffer_used += bytes;
	t->reserved = bytes;
	return true;
}

bool transfer_memory_more(struct transfer *t, int64_t bytes) {
	struct sync *sync = t->folder->sync;
	if (sync->buffer_used + bytes > memory_for_large(sync)) return false;
	sync->buffer_used += bytes;
	t->reserved += bytes;
	return true;
}

static void memory_release(struct transfer *t) {
	struct sync *sync = t->folder->sync;
	if (t->reserved > 0) sync->buffer_used -= t->reserved;
	t->reserved = 0;
	list_each(&sync->memory_waiters, link) {
		struct transfer *next = list_entry(link, struct transfer, wait_link);
		int64_t bytes = -next->reserved;
		if (transfer_is_abandoned(next)) continue;
		if (!memory_has_room(next, bytes)) {
			if (next->large) continue; /* smaller ones overtake it */
			break;
		}
		list_remove(&next->wait_link);
		sync->buffer_used += bytes;
		next->reserved = bytes;
		upload_or_read(next);
	}
}

/* ---- operations: they start after the turn's commit ---- */

/* Perhaps, also when it failed. */
static bool writes(enum store_verb verb) {
	return verb == STORE_PUT || verb == STORE_SET || verb == STORE_MKDIR ||
	       verb == STORE_COPY || verb == STORE_MOVE || verb == STORE_REMOVE ||
	       verb == STORE_PART_END;
}

static void transfer_op_ended(struct store_op *op, const struct err *err) {
	struct transfer *t = container_of(op, struct transfer, op);
	t->state = TRANSFER_SUBMITTED;
	submit_drop(t->folder, &t->submit); /* of an id that nothing is made with any more */
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	folder_turn(t->folder);
	if (writes(op->verb)) polling_touched(t->folder, t->path);
	if (writes(op->verb) && t->origin) polling_touched(t->folder, t->origin);
	t->op_done(t, err);
}

void submit_add(struct folder *f, struct submit *submit) {
	list_add_tail(&f->submits, &submit->link);
	f->submit_count++;
	turn_end_want(&f->turn_end);
}

void submit_drop(struct folder *f, struct submit *submit) {
	if (list_empty(&submit->link)) return;
	list_remove(&submit->link);
	f->submit_count--;
}

static void op_start(struct submit *submit) {
	struct transfer *t = container_of(submit, struct transfer, submit);
	t->state = TRANSFER_OPERATING;
	store_start(t->folder->store, &t->op);
}

void transfer_submit(struct transfer *t, bool intent,
	void (*done)(struct transfer *transfer, const struct err *err)) {
	t->state = TRANSFER_SUBMITTED;
	t->op.done = transfer_op_ended;
	t->op_done = done;
	t->submit.start = op_start;
	submit_add(t->folder, &t->submit);
	if (intent) t->folder->intents = true;
}

/* What comes up meanwhile waits for a commit of its own. */
void transfer_submit_all(struct folder *f) {
	struct list committed;
	list_init(&committed);
	list_take_all(&committed, &f->submits);
	while (!list_empty(&committed)) {
		struct submit *submit = list_entry(committed.next, struct submit, link);
		submit_drop(f, submit);
		submit->start(submit);
	}
}

/* Each commit writes the same ten pages or so, whether one operation follows or half of all: while
 * looks run that take no time, they come along. */
bool transfer_submits_wait(const struct folder *f) {
	return f->submit_count > 0 && f->looks > 0 &&
	       f->submit_count < (int)f->settings.max_transfers / 2;
}

/* ---- ends ---- */

bool transfer_is_abandoned(const struct transfer *t) {
	return t->abandoned;
}

void transfer_forget(struct transfer *t) {
	struct folder *f = t->folder;
	assert(!t->job_running && t->state != TRANSFER_OPERATING);
	list_remove(&t->link);
	submit_drop(f, &t->submit);
	list_remove(&t->wait_link);
	index_unclaim(f->index, t->path); /* a folder that only went away goes on with this index */
	if (map_get(&f->by_path, t->path) == t) map_take(&f->by_path, t->path);
	capture_release(t);
	upload_release(t);
	bring_release(t);
	both_release(t);
	rename_release(t);
	slot_give(t);
	memory_release(t);
	/* What was agreed on by the end of `op` is older than that, and told of once. */
	if (t->left_there && !t->abandoned) polling_request_whole(f);
	if (t->op_ready) store_op_release(&t->op);
	store_entry_release(&t->theirs);
	parts_release(t);
	clash_release(t);
	index_entry_release(&t->file);
	index_entry_release(&t->folder_entry);
	buf_release(&t->body);
	strv_free(t->names);
	strv_free(t->mounts);
	free(t->target);
	free(t->key);
	free(t->parent_id);
	free(t->keep_key);
	free(t->aside_key);
	index_dirty_release(&t->row);
	free(t);
	folder_wake(f);
}

/* Whoever waits for the folder this transfer made goes on; or comes again when it could not be made. */
static void children_wake(struct list *waiting, bool made) {
	while (!list_empty(waiting)) {
		struct transfer *child = list_entry(waiting->next, struct transfer, wait_link);
		list_remove(&child->wait_link);
		if (made)
			transfer_plan(child);
		else
			transfer_again(child, INDEX_WHY_RETRY,
				child->row.tries ? "its folder could not be made" : NULL,
				transfer_retry_ms(child->row.tries));
	}
}

void transfer_finish(struct transfer *t) {
	struct folder *f = t->folder;
	struct list waiting;
	struct err err;
	int64_t due = folder_clock_ms(f) + pace_after(t);
	turn_end_want(&f->turn_end);
	if (!brake_finished(t, &err) || bring_resume_over(t, &err) ||
		index_done(f->index, t->path, t->covered, due, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	if (t->op_ready) estimate_done(&f->estimate, folder_clock_ms(f));
	list_init(&waiting);
	list_take_all(&waiting, &t->children);
	transfer_forget(t);
	children_wake(&waiting, true);
}

void transfer_again(struct transfer *t, enum index_why why, const char *reason, int64_t delay_ms) {
	struct folder *f = t->folder;
	struct list waiting;
	struct err err;
	turn_end_want(&f->turn_end);
	bool failed = why == INDEX_WHY_RETRY || why == INDEX_WHY_REFUSED || why == INDEX_WHY_HOT ||
		      why == INDEX_WHY_UNREADABLE;
	if (barrier_wants_anew(t)) {
		reason = NULL;
		delay_ms = 0;
	}
	if (reason) f->weigh.told = false; /* it does not go */
	if (index_again(f->index, t->path, why, reason, folder_clock_ms(f) + delay_ms,
		    t->row.tries + failed, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	list_init(&waiting);
	list_take_all(&waiting, &t->children);
	transfer_forget(t);
	children_wake(&waiting, false);
}

/* The back-off of a path that cannot be stored. */
int64_t transfer_retry_ms(int tries) {
	int64_t wait = REFUSED_FIRST_MS;
	for (int i = 0; i < tries && wait < REFUSED_MAX_MS; i++) wait *= 2;
	return wait < REFUSED_MAX_MS ? wait : REFUSED_MAX_MS;
}

/* By kind: what is wrong with the path alone is refused and tried again later; what is wrong with the store holds the folder. */
void transfer_fail(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	struct err why = *err;
	switch (err->kind) {
	case ERR_CHANGED:
		transfer_again(t, t->growth ? INDEX_WHY_HOT : INDEX_WHY_CHANGE,
			"it changes while it is read", pace_after(t));
		return;
	case ERR_OFFLINE:
	case ERR_BUSY:
	case ERR_SYSTEM:
	case ERR_FULL:
		if (!f->held) folder_hold(f, err);
		transfer_again(
			t, INDEX_WHY_RETRY, NULL, 0); /* the folder's trouble says it for all */
		return;
	case ERR_CANCELLED: transfer_again(t, INDEX_WHY_CHANGE, NULL, 0); return;
	default: break;
	}
	if (!t->row.tries)
		log_warn("folder '%s': '%s' is not stored: %s", f->name, t->path, why.text);
	/* Is it the path, or the store as a whole (a key withdrawn, a bucket gone)? The store is asked. */
	folder_doubt(f);
	transfer_again(t, INDEX_WHY_REFUSED, why.text, transfer_retry_ms(t->row.tries));
}

/* Their captures may be of before what happened to this folder, and no row of theirs says yet that they are there. */
void transfer_mark_below(struct folder *f, const char *folder) {
	char **paths = NULL;
	list_each(&f->transfers, link) {
		const struct transfer *t = list_entry(link, struct transfer, link);
		if (path_is_within(t->path, folder)) strv_add(&paths, t->path);
	}
	for (char **path = paths; path && *path; path++) folder_mark_path(f, *path, PRIO_SMALL, 0);
	strv_free(paths);
}

void transfer_cancel_all(struct folder *f) {
	list_each(&f->transfers, link) {
		struct transfer *t = list_entry(link, struct transfer, link);
		t->abandoned = true;
	}
	list_each(&f->transfers, link) {
		struct transfer *t = list_entry(link, struct transfer, link);
		/* Children of a dying parent are in the same list: they end by themselves. */
		while (!list_empty(&t->children)) list_remove(t->children.next);
	}
	list_each(&f->transfers, link) {
		struct transfer *t = list_entry(link, struct transfer, link);
		if (t->job_running)
			job_cancel(&t->job);
		else if (t->state == TRANSFER_OPERATING)
			store_cancel(f->store, &t->op);
		else if (!upload_parts_cancel(t) && !bring_ranges_cancel(t))
			transfer_forget(t);
	}
}
