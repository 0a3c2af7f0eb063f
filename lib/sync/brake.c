/*
 * Deletion is feared more than slowness (SYNC.md §8): what is gone here is held until no more goes
 * for a while, counted over the last hour, and let go or kept for a person. Everything else goes on
 * meanwhile. What is held stands in the index, so that neither the count nor the list is lost in a
 * restart; a path that comes back leaves it when it is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

/* What is held has a row in the queue; nobody looks at it before it is let go, or something happens
 * to it. */
enum { PARKED_MS = 24 * 3600 * 1000, STOPPED_POLL_MS = 60000, BUSY_POLL_MS = 100 };

#define MINUTE_NS (60 * NS_PER_S)

static int64_t minute_now(const struct folder *f) {
	return loop_wall_ns(f->loop) / MINUTE_NS;
}

bool brake_is_wide(const struct folder_settings *settings) {
	return settings->mode == FOLDER_BACKUP || settings->mode == FOLDER_FETCH;
}

static int64_t agreed_now(const struct folder *f) {
	struct index_totals totals = index_totals(f->index);
	return totals.files + totals.links;
}

/* False: the index failed; the folder opens anew. */
static bool sums_read(struct folder *f) {
	struct err err;
	if (!index_held_sum(f->index, f->brake.sums, &err)) return true;
	folder_index_failed(f, &err);
	return false;
}

static bool state_move(
	struct folder *f, enum index_held_state from, enum index_held_state to, int64_t upto) {
	struct err err;
	turn_end_want(&f->turn_end);
	if (!index_held_move(f->index, from, to, upto, folder_clock_ms(f), &err)) return true;
	folder_index_failed(f, &err);
	return false;
}

static bool any(const struct brake *b, enum index_held_state state) {
	return b->sums[state].files || b->sums[state].folders;
}

/* ---- what people are told ---- */

static void say_stop(struct folder *f) {
	struct brake *b = &f->brake;
	const struct index_held_sum *sum = &b->sums[INDEX_HELD_STOPPED];
	char size[32];
	size_format(sum->bytes, size, sizeof(size));
	if (b->empty)
		err_set(&b->trouble, ERR_DENIED,
			"the folder '%s' is empty, but %lld files were agreed: nothing is deleted "
			"at "
			"the remote. Bring them back, put any file in it if this is meant, or "
			"'tend approve %s'",
			f->settings.path, (long long)agreed_now(f), f->name);
	else
		err_set(&b->trouble, ERR_DENIED,
			"%lld files (%s) were deleted %s, more than max_delete lets go in an "
			"hour: "
			"they stay %s until 'tend approve %s', which lists them. "
			"Everything else goes on",
			(long long)sum->files, size,
			folder_brings(f) ? "here or at the remote" : "here",
			folder_brings(f) ? "on the other side" : "at the remote", f->name);
}

static void stop_set(struct folder *f, bool stopped, bool empty) {
	struct brake *b = &f->brake;
	struct err err;
	bool news = b->stopped != stopped || b->empty != empty;
	b->stopped = stopped;
	b->empty = empty;
	if (stopped)
		say_stop(f);
	else
		err_clear(&b->trouble);
	if (news && stopped) log_warn("folder '%s': %s", f->name, b->trouble.text);
	if (news && !stopped) log_info("folder '%s': deletions go on", f->name);
	if (news && index_meta_set(f->index, "brake_empty", empty ? "1" : NULL, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	if (news) {
		turn_end_want(&f->turn_end);
		folder_changed(f);
	}
	barrier_step(f);
	folder_wake(f);
}

/* ---- judging ---- */

static int64_t quiet_wait_ms(const struct folder *f) {
	const struct brake *b = &f->brake;
	int64_t due = b->last_ms + DELETE_QUIET_MS, patience = b->first_ms + DELETE_PATIENCE_MS;
	int64_t wait = (due < patience ? due : patience) - folder_clock_ms(f);
	return wait > 0 ? wait : 0;
}

/* Is something else still to be looked at, that may be one of them under its new name? That is no deletion. */
static bool is_busy(const struct folder *f) {
	return !f->held && !f->paused && rename_pending(f, f->brake.last_seq, f->brake.first_ms);
}

/* How long until what waits is counted; 0: now. */
static int64_t count_wait_ms(struct folder *f) {
	const struct brake *b = &f->brake;
	bool waited_for = !list_empty(&f->waits) || f->phase == PHASE_FLUSHING;
	int64_t wait_ms = quiet_wait_ms(f);
	bool patient = folder_clock_ms(f) - b->first_ms < DELETE_PATIENCE_MS;
	/* Nobody is kept waiting once all else has been looked at. */
	if (wait_ms > 0 && !waited_for) return wait_ms;
	return patient && is_busy(f) ? BUSY_POLL_MS : 0;
}

static void judge(struct folder *f) {
	struct brake *b = &f->brake;
	struct brake_rule rule;
	struct err err;
	if (!sums_read(f)) return;
	brake_rule_parse(&rule, f->settings.max_delete, brake_is_wide(&f->settings), &err);
	struct brake_question q = { .base = agreed_now(f),
		.now = b->sums[INDEX_HELD_WAITS].files,
		.root_empty = b->root_empty,
		.stopped = b->stopped && !b->empty };
	q.gone = brake_window_sum(&b->window, minute_now(f), &q.base) +
		 b->sums[INDEX_HELD_LET_GO].files;
	enum brake_verdict verdict = brake_judge(&rule, &q);
	b->waiting = false;
	b->first_ms = b->last_ms = 0;
	enum index_held_state to = verdict == BRAKE_GO ? INDEX_HELD_LET_GO : INDEX_HELD_STOPPED;
	if (!state_move(f, INDEX_HELD_WAITS, to, INT64_MAX) || !sums_read(f)) return;
	if (verdict != BRAKE_GO) stop_set(f, true, verdict == BRAKE_STOP_EMPTY);
	folder_wake(f);
}

/* Something left the list, or the root is no longer empty. */
static void look_again(struct folder *f) {
	struct brake *b = &f->brake;
	b->stale = false;
	if (!sums_read(f)) return;
	bool over = b->empty && !b->root_empty;
	/* Nor does it stop for folders alone, after a restart. */
	bool left_over = !b->stopped && any(b, INDEX_HELD_STOPPED);
	if (left_over || (b->stopped && (over || !b->sums[INDEX_HELD_STOPPED].files))) {
		/* Folders that held what came back, and all where the root was empty, are counted anew. */
		b->waiting = any(b, INDEX_HELD_STOPPED) || any(b, INDEX_HELD_WAITS);
		b->first_ms = b->last_ms = folder_clock_ms(f);
		if (!state_move(f, INDEX_HELD_STOPPED, INDEX_HELD_WAITS, INT64_MAX)) return;
		stop_set(f, false, false);
	} else if (b->stopped) {
		say_stop(f);
	}
	b->any = b->waiting || any(b, INDEX_HELD_WAITS) || any(b, INDEX_HELD_STOPPED) ||
		 any(b, INDEX_HELD_LET_GO) || any(b, INDEX_HELD_APPROVED);
}

void brake_step(struct folder *f) {
	struct brake *b = &f->brake;
	if (f->phase != PHASE_RUNNING && f->phase != PHASE_FLUSHING) return;
	if (b->stale) look_again(f);
	if (!b->waiting || !f->index || f->phase < PHASE_RUNNING) return;
	int64_t wait_ms = count_wait_ms(f);
	if (wait_ms > 0)
		timer_start(&b->timer, wait_ms);
	else
		judge(f);
}

static void quiet_passed(struct timer *timer) {
	folder_wake(container_of(timer, struct folder, brake.timer));
}

/* ---- one path ---- */

static void hold(struct transfer *t, bool known) {
	struct folder *f = t->folder;
	struct brake *b = &f->brake;
	struct err err;
	int64_t now = folder_clock_ms(f), first = t->row.first_ms;
	bool folder = t->action != PLAN_REMOVE;
	if (!known) {
		if (index_held_add(f->index, t->path, folder, folder ? 0 : t->file.size, &err)) {
			folder_index_failed(f, &err);
			return;
		}
		/* Quiet counts from when it happened, not from when we came to look; a clock of before a
		 * reboot says nothing. */
		if (first > now || first <= 0) first = now;
		if (!b->waiting || first > b->last_ms) b->last_ms = first;
		if (!b->waiting) b->first_ms = now;
		b->last_seq = t->row.seen;
		b->waiting = b->any = true;
	}
	if (t->root_empty && b->stopped && !b->empty) b->stale = true;
	transfer_again(t, INDEX_WHY_DELETE, NULL, PARKED_MS);
	folder_wake(f);
}

bool brake_holds(struct transfer *t) {
	struct folder *f = t->folder;
	enum index_held_state state = INDEX_HELD_WAITS;
	struct err err;
	int known = index_held_get(f->index, t->path, &state, &err);
	f->brake.root_empty = t->root_empty;
	if (known < 0) {
		folder_index_failed(f, &err);
		return true;
	}
	if (known && (state >= INDEX_HELD_LET_GO || MUTANT(held_is_let_go))) {
		t->let_go = true;
		t->approved = state == INDEX_HELD_APPROVED;
		return false;
	}
	hold(t, known == 1);
	return true;
}

bool brake_came_back(struct transfer *t) {
	struct brake *b = &t->folder->brake;
	enum index_held_state state;
	struct err err;
	if (!t->absent && (b->root_empty || b->empty)) {
		b->root_empty = false;
		b->stale |= b->empty;
	}
	if (!b->any) return true;
	int held = index_held_get(t->folder->index, t->path, &state, &err);
	if (held == 0) return true;
	b->stale = true;
	if (held > 0 && !index_held_drop(t->folder->index, t->path, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

bool brake_moved(struct folder *f, const char *path, bool tree) {
	struct err err;
	if (!f->brake.any) return true;
	f->brake.stale = true;
	int failed = index_held_drop(f->index, path, &err);
	/* Rows below went along with theirs: who looks at them finds them there. */
	if (!failed && tree) failed = index_hurry(f->index, INT64_MAX, folder_clock_ms(f), &err);
	if (failed)
		folder_index_failed(f, &err);
	else
		folder_mark_path(f, path, PRIO_SMALL, 0);
	return !failed;
}

void brake_gone(struct transfer *t, bool folder) {
	struct brake *b = &t->folder->brake;
	if (!t->let_go || folder || t->approved || MUTANT(deletions_are_not_counted)) return;
	brake_window_add(&b->window, minute_now(t->folder), 1, agreed_now(t->folder) + 1);
	b->window_changed = true;
}

bool brake_finished(struct transfer *t, struct err *err) {
	if (!t->let_go) return true;
	t->folder->brake.stale = true;
	return !index_held_drop(t->folder->index, t->path, err);
}

int64_t brake_poll_ms(const struct folder *f) {
	return f->brake.stopped ? STOPPED_POLL_MS : EMPTIED_POLL_MS;
}

int64_t brake_pending(struct folder *f, int64_t upto) {
	struct err err;
	int64_t count = 0;
	if (!f->brake.any || index_held_pending(f->index, upto, &count, &err)) return 0;
	return count;
}

/* ---- its own life ---- */

void brake_init(struct folder *f) {
	timer_init(&f->brake.timer, f->loop, quiet_passed);
}

/* The index was opened: what it holds of an earlier run. */
int brake_load(struct folder *f, struct err *err) {
	struct brake *b = &f->brake;
	char *window = index_meta_get(f->index, "deletions");
	brake_window_read(&b->window, MUTANT(hour_begins_at_the_start) ? NULL : window);
	free(window);
	b->window_changed = b->root_empty = b->stale = false;
	/* What was let go is counted anew: the window tells what was done of it. */
	if (index_held_move(f->index, INDEX_HELD_LET_GO, INDEX_HELD_WAITS, INT64_MAX, 0, err) ||
		index_held_sum(f->index, b->sums, err))
		return -1;
	b->waiting = any(b, INDEX_HELD_WAITS);
	b->first_ms = b->last_ms = folder_clock_ms(f);
	b->stopped = b->sums[INDEX_HELD_STOPPED].files > 0;
	b->empty = b->root_empty = b->stopped && index_meta_int(f->index, "brake_empty", 0) != 0;
	b->any = b->stale = true;
	if (b->stopped) say_stop(f);
	return 0;
}

int brake_save(struct folder *f, struct err *err) {
	if (!f->brake.window_changed) return 0;
	f->brake.window_changed = false;
	char *text = brake_window_write(&f->brake.window);
	int result = index_meta_set(f->index, "deletions", text, err);
	free(text);
	return result;
}

/* ---- for people ---- */

size_t folder_deletions(
	struct folder *f, size_t limit, struct folder_deletion **deletions, int64_t *upto) {
	struct index_held *rows = NULL;
	size_t count = 0;
	struct err err;
	*deletions = NULL;
	*upto = f->brake.sums[INDEX_HELD_STOPPED].newest;
	if (!f->brake.stopped ||
		index_held_list(f->index, INDEX_HELD_STOPPED, *upto, limit, &rows, &count, &err))
		return 0;
	*deletions = xcalloc(count + 1, sizeof(**deletions));
	for (size_t i = 0; i < count; i++)
		(*deletions)[i] = (struct folder_deletion){ .path = xstrdup(rows[i].path),
			.folder = rows[i].folder,
			.bytes = rows[i].bytes };
	index_held_free(rows, count);
	return count;
}

void folder_deletions_free(struct folder_deletion *deletions, size_t count) {
	for (size_t i = 0; i < count; i++) free(deletions[i].path);
	free(deletions);
}

int folder_approve(struct folder *f, int64_t upto, struct err *err) {
	struct brake *b = &f->brake;
	if (!b->stopped)
		return err_set(err, ERR_CHANGED,
			"folder '%s' waits for no approval: nothing is held back", f->name);
	int64_t before = b->sums[INDEX_HELD_STOPPED].files;
	if (!state_move(f, INDEX_HELD_STOPPED, INDEX_HELD_APPROVED, upto) || !sums_read(f))
		return err_set(err, ERR_SYSTEM, "cannot write the index of folder '%s'", f->name);
	/* Also what stands where a folder with some of them was, and looked now and then. */
	if (index_hurry(f->index, INT64_MAX, folder_clock_ms(f), err)) return -1;
	f->commit_now = true;
	log_info("folder '%s': %lld deletions were approved by a person", f->name,
		(long long)(before - b->sums[INDEX_HELD_STOPPED].files));
	b->stale = b->any = true;
	look_again(f);
	folder_changed(f);
	folder_wake(f);
	return 0;
}
