/*
 * A folder's life: opened, known to its remote, running, flushed. Every completion leads to folder_step, which looks at the phase and
 * starts what comes next. Whatever goes wrong with the folder as a whole goes through folder_hold.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

int64_t folder_clock_ms(const struct folder *f) {
	return loop_now_ms(f->loop);
}

void folder_wake(struct folder *f) {
	defer_start(f->loop, &f->step_defer);
}

void folder_changed(struct folder *f) {
	if (f->sync->changed) f->sync->changed(f->sync->changed_user, f);
}

char *folder_key(const struct folder *f, const char *path) {
	return path_join(f->remote_key, path);
}

bool folder_keeps(const struct folder *f) {
	return f->settings.mode == FOLDER_BACKUP ||
	       (f->settings.mode == FOLDER_TWO_WAY && !MUTANT(two_way_keeps_no_version));
}

bool folder_is_busy(const struct folder *f) {
	return f->in_flight > 0 || !list_empty(&f->submits) || pull_is_busy(f);
}

void folder_phase_set(struct folder *f, enum folder_phase phase) {
	f->phase = phase;
	folder_report(f);
	folder_wake(f);
}

/* ---- operations of the folder itself ---- */

static void folder_op_ended(struct store_op *op, const struct err *err) {
	struct folder *f = container_of(op, struct folder, op);
	f->op_in_flight = false;
	submit_drop(f, &f->op_submit);
	folder_wake(f);
	if (f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN) return;
	/* The folder opens anew; an answer that was on its way by then is one to a question of before. */
	if (f->op_given_up || (err && err->kind == ERR_CANCELLED)) {
		f->unsynced |= f->syncing;
		f->syncing = false;
		return;
	}
	f->op_done(f, err);
}

void folder_op_start(struct folder *f, enum store_verb verb, const char *key,
	void (*done)(struct folder *folder, const struct err *err)) {
	assert(!f->op_in_flight);
	f->op_given_up = false;
	store_op_release(&f->op);
	store_op_init(&f->op, verb, key);
	f->op_done = done;
	f->op.done = folder_op_ended;
	f->op.making = intent_folder_making;
}

void folder_about_start(
	struct folder *f, void (*done)(struct folder *folder, const struct err *err)) {
	folder_op_start(f, STORE_ABOUT, f->remote_key, done);
	free(f->server_known);
	f->server_known = index_meta_get(f->index, "server");
	f->op.known = f->server_known;
	folder_op_go(f);
}

/* A failure to write it down costs the next start some requests, and is met again by whatever is written next. */
void folder_about_told(struct folder *f) {
	const char *learned = f->op.learned;
	struct err err;
	f->conditions = f->op.about.conditions;
	f->conditions_known = f->op.about.conditions_known;
	if (!learned || str_equal(learned, f->server_known)) return;
	if (index_meta_set(f->index, "server", learned, &err))
		log_debug("folder '%s': %s", f->name, err.text);
}

void folder_op_go(struct folder *f) {
	f->op_in_flight = true;
	store_start(f->store, &f->op);
}

void folder_wrote(struct folder *f) {
	f->unsynced = true;
	if (!f->syncing) timer_start(&f->sync_timer, SYNC_QUIET_MS);
	f->index_trouble = false; /* its intent was committed */
	if (f->trouble.kind != ERR_NONE || f->hold_ms) folder_trouble_clear(f);
}

/* ---- marks ---- */

void folder_mark_told(struct folder *f, const char *path, int prio, int64_t settle_ms) {
	struct err err;
	int64_t most_ms = f->settings.max_settle_ms, pace_ms = pace_left_ms(f, path);
	if (pace_ms > settle_ms) settle_ms = pace_ms;
	if (pace_ms > most_ms) most_ms = pace_ms;
	if (index_mark(f->index, path, folder_clock_ms(f), settle_ms, most_ms, prio, NULL, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	folder_wake(f);
}

void folder_mark_path(struct folder *f, const char *path, int prio, int64_t settle_ms) {
	if (prio != PRIO_FOLDER && prio != PRIO_EVENT_FOLDER) f->weigh.told = false;
	folder_mark_told(f, path, prio, settle_ms);
}

/* Much is asked of the index in this turn. */
void folder_turn(struct folder *f) {
	struct err err;
	turn_end_want(&f->turn_end);
	if (!index_turn(f->index, &err)) return;
	log_debug(
		"folder '%s': %s", f->name, err.text); /* the first write fails in its own words */
}

/* What was not committed is as after a crash: everything in flight recognises its own work next time. */
static void index_give_up(struct folder *f) {
	struct err ignored;
	if (!f->index_fails) return;
	f->index_fails = false;
	index_commit(f->index, false, &ignored); /* fails, and ends the turn for the index */
	if (f->phase == PHASE_OPENING && !f->held) folder_hold(f, &f->index_err);
	folder_open_anew(f, &f->index_err);
}

/*
 * Intents are committed before their operations start, those that must outlive a power cut to the
 * disk; facts may wait a little for company, since every replay recognises its own work (SYNC.md
 * §2, §10).
 */
void folder_turn_ended(struct turn_end *end) {
	struct folder *f = container_of(end, struct folder, turn_end);
	struct err err;
	if (f->index_fails) {
		index_give_up(f);
		return;
	}
	if (!f->index || f->phase == PHASE_DOWN) return;
	bool full = f->intents;
	if (transfer_submits_wait(f) && !full && !f->commit_now) {
		if (!timer_running(&f->commit_timer)) timer_start(&f->commit_timer, COMPANY_MS);
		return;
	}
	if (full || !list_empty(&f->submits) || !folder_is_busy(f) || f->commit_now) {
		f->intents = f->commit_now = false;
		timer_cancel(&f->commit_timer);
		if (brake_save(f, &err) || polling_commit(f, full, &err)) {
			folder_index_failed(f, &err);
			index_give_up(f);
			return;
		}
		log_committed(f);
	} else if (!timer_running(&f->commit_timer)) {
		timer_start(&f->commit_timer, COMMIT_MS);
	}
	transfer_submit_all(f);
}

void folder_commit_passed(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, commit_timer);
	f->commit_now = true;
	turn_end_want(&f->turn_end);
}

/* ---- running ---- */

static int slots_left(const struct folder *f) {
	int here = (int)f->settings.max_transfers - (f->in_flight - f->resting);
	int all = f->sync->max_transfers - (f->sync->in_flight - f->sync->resting);
	return here < all ? here : all;
}

/* One slot that a small file left is given on with others a moment later: each claim costs a commit
 * and wakes a worker. (Measured, 3,000 files of 8 KiB to a real S3, 32 at once, four times in turn:
 * 0.58 s of CPU without, 0.54 with.) */
static int64_t company_ms(const struct folder *f) {
	int64_t passed_ms = folder_clock_ms(f) - f->claimed_ms;
	if (!f->in_flight || slots_left(f) >= (int)f->settings.max_transfers / 4) return 0;
	return passed_ms >= 0 && passed_ms < COMPANY_MS ? COMPANY_MS - passed_ms : 0;
}

static void folder_claim(struct folder *f) {
	int want = slots_left(f);
	if (want <= 0 || !index_dirty_count(f->index) || company_ms(f) > 0 || log_holds(f)) return;
	folder_turn(f);
	struct index_dirty *rows = NULL;
	size_t count = 0;
	struct err err;
	index_newest_first(f->index, f->urgent);
	index_large_room(f->index, transfer_large_room(f));
	if (index_claim_due(f->index, folder_clock_ms(f), (size_t)want, &rows, &count, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		bool runs = f->phase >= PHASE_RUNNING && f->phase != PHASE_CLOSING;
		if (runs && !rename_locks(f, rows[i].path)) {
			transfer_start(f, &rows[i]);
			continue;
		}
		if (runs) rename_postpone(f, &rows[i]);
		index_unclaim(f->index, rows[i].path); /* or the index failed meanwhile */
		index_dirty_release(&rows[i]);
	}
	free(rows);
	if (!count) return;
	f->claimed_ms = folder_clock_ms(f);
	estimate_begin(&f->estimate, f->claimed_ms);
	turn_end_want(&f->turn_end);
}

static void due_set(struct folder *f) {
	index_large_room(f->index, transfer_large_room(f));
	int64_t due = index_next_due(f->index);
	if (due == INT64_MAX) {
		timer_cancel(&f->due_timer);
		return;
	}
	int64_t wait = due - folder_clock_ms(f), company = company_ms(f);
	if (wait < company) wait = company;
	timer_start(&f->due_timer, wait > 0 ? wait : 0);
}

void folder_due_passed(struct timer *timer) {
	folder_wake(container_of(timer, struct folder, due_timer));
}

void folder_rescan_passed(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, rescan_timer);
	scan_request(f, "");
	if (f->settings.rescan_ms > 0) timer_start(timer, f->settings.rescan_ms);
}

void folder_step(struct defer *defer) {
	struct folder *f = container_of(defer, struct folder, step_defer);
	if (f->index_fails) return; /* it is opened anew at the end of this turn, which wakes us */
	/* Also before it runs: who asks a folder that is in trouble is told so. */
	if (f->phase != PHASE_DOWN && f->phase < PHASE_RUNNING) barrier_step(f);
	switch (f->phase) {
	case PHASE_DOWN:
		if (f->closed && !past_is_busy(f)) folder_free(f);
		return;
	case PHASE_CLOSING: folder_close(f, f->closed, f->closed_user); return;
	case PHASE_OPENING:
		if (!f->held && !f->open.running) folder_open_start(f);
		return;
	case PHASE_ABOUT:
	case PHASE_OWNER:
		if (!f->held && !f->op_in_flight) owner_check_start(f);
		return;
	case PHASE_LISTING:
		if (!f->held && !f->op_in_flight) contact_start(f);
		return;
	case PHASE_EMPTY:
		scan_step(f);
		contact_empty_check(f);
		return;
	case PHASE_PULLING: return;
	case PHASE_SEALING:
		if (!f->held && !f->op_in_flight && !moving_step(f)) durable_unsealed(f);
		return;
	case PHASE_RUNNING:
	case PHASE_FLUSHING: break;
	}
	scan_step(f);
	if (!f->remote_made && !f->held && !f->op_in_flight) contact_make_remote(f);
	if (f->judging && f->phase == PHASE_RUNNING) owner_judge(f);
	bool go = !f->held && f->remote_made && (!f->paused || f->phase == PHASE_FLUSHING);
	rename_wake(f);
	if (f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) return;
	if (go && !f->paused && !flush_ends(f)) folder_claim(f);
	if (f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) return;
	transfer_wake_databases(f);
	if (go && slots_left(f) > 0 && !flush_ends(f))
		due_set(f);
	else
		timer_cancel(&f->due_timer);
	/* They may wait for each other in a ring, which only their patience ends. */
	if (!list_empty(&f->pair_waiters) && !timer_running(&f->due_timer))
		timer_start(&f->due_timer, PAIR_WAIT_MS);
	if (!f->in_flight && !f->held && scan_is_idle(f) && !index_dirty_count(f->index)) {
		f->last_sync_ns = loop_wall_ns(f->loop);
		estimate_end(&f->estimate);
		f->index_trouble = false;
		if (f->trouble.kind != ERR_NONE) folder_trouble_clear(f);
		if (f->phase == PHASE_RUNNING && !f->paused) abandoned_step(f);
		if (f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) return;
	}
	if (!f->urgent) prune_step(f);
	if (f->phase == PHASE_RUNNING && !f->urgent) verify_step(f);
	if (f->phase == PHASE_RUNNING) polling_step(f);
	if (f->phase == PHASE_RUNNING) forget_step(f);
	if (f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) return;
	brake_step(f);
	if (f->phase < PHASE_RUNNING || f->phase == PHASE_CLOSING) return;
	barrier_step(f);
	flush_step(f);
	folder_report(f);
}

/* ---- failures that start the folder anew ---- */

static void folder_drop_work(struct folder *f) {
	transfer_cancel_all(f);
	scan_release(f);
	prune_stop(f);
	verify_stop(f);
	polling_stop(f);
	forget_stop(f);
	pull_stop(f);
	watch_free(f->watch);
	f->watch = NULL;
	f->list_waits =
		false; /* what was listed may be lost with what the index had not committed */
	f->op_given_up = f->op_in_flight;
	if (f->op_in_flight) store_cancel(f->store, &f->op);
}

void folder_open_anew(struct folder *f, const struct err *err) {
	if (f->phase == PHASE_OPENING || f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN)
		return;
	folder_drop_work(f);
	f->phase = PHASE_OPENING;
	folder_hold(f, err);
	if (f->unit_stopping) folder_close(f, NULL, NULL); /* what is left goes at the next start */
}

void folder_root_away(struct folder *f) {
	struct err err;
	err_set(&err, ERR_NOT_FOUND,
		"the folder '%s' is gone: create it, or mount the disk it lies on",
		f->settings.path);
	folder_open_anew(f, &err);
}

void folder_index_failed(struct folder *f, const struct err *err) {
	if (f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN || f->index_fails) return;
	f->index_err = *err;
	err_wrap(&f->index_err, "cannot write the index of folder '%s'", f->name);
	f->index_fails = f->index_broken = f->index_trouble = true;
	turn_end_want(&f->turn_end);
}

/* ---- orders from the unit graph ---- */

static void unit_may_start(struct unit *unit) {
	struct folder *f = container_of(unit, struct folder, unit);
	if (f->phase != PHASE_DOWN) return;
	f->unit_stopping = false;
	f->started_ms = folder_clock_ms(f);
	timer_start(&f->attempt_timer, FIRST_ATTEMPT_MS);
	folder_phase_set(f, PHASE_OPENING);
}

static void unit_must_stop(struct unit *unit) {
	struct folder *f = container_of(unit, struct folder, unit);
	f->unit_stopping = true;
	restore_folder_stops(f);
	if (f->phase == PHASE_DOWN) {
		unit_report(unit, UNIT_DOWN, NULL);
		return;
	}
	if (f->phase != PHASE_RUNNING || f->paused || f->judging) {
		folder_close(f, NULL, NULL);
		return;
	}
	watch_drain(f->watch);
	if (f->phase != PHASE_RUNNING) { /* the drain found the root gone: nothing to flush */
		folder_close(f, NULL, NULL);
		return;
	}
	flush_begin(f);
	if (f->held && f->phase == PHASE_FLUSHING) { /* one more try at once */
		timer_start(&f->hold_timer, 0);
		f->held = false;
		f->hold_ms = 0;
	}
}

const struct unit_calls folder_unit_calls = { .may_start = unit_may_start,
	.must_stop = unit_must_stop };

static void timers_cancel(struct folder *f) {
	timer_cancel(&f->due_timer);
	timer_cancel(&f->hold_timer);
	timer_cancel(&f->sync_timer);
	timer_cancel(&f->rescan_timer);
	timer_cancel(&f->attempt_timer);
	timer_cancel(&f->commit_timer);
	timer_cancel(&f->brake.timer);
	timer_cancel(&f->away_timer);
}

bool folder_has_work(const struct folder *f) {
	return f->op_in_flight || f->checkpointing || f->scan.job || f->weigh.running ||
	       prune_is_busy(f) || verify_is_busy(f) || forget_is_busy(f) || pull_is_busy(f) ||
	       polling_is_busy(f) || resolve_is_busy(f) || f->trash_runs || f->away_looking ||
	       !list_empty(&f->transfers);
}

/* Ends what runs; called again by folder_step until nothing is in flight. A stopped unit keeps the memory, folder_close by its owner frees it. */
void folder_close(struct folder *f, void (*closed)(void *user), void *user) {
	if (closed) {
		f->closed = closed;
		f->closed_user = user;
		unit_unwant(&f->unit); /* its end is no reason to start it again */
		past_folder_closes(f);
	}
	if (f->phase == PHASE_DOWN) {
		folder_wake(f);
		return;
	}
	if (f->phase != PHASE_CLOSING) {
		f->phase = PHASE_CLOSING;
		struct err err;
		err_set(&err, ERR_CANCELLED, "folder '%s' stops", f->name);
		barrier_end_all(f, &err);
		resolve_stops(f);
		folder_drop_work(f);
		timers_cancel(f);
	}
	if (f->open.running || folder_has_work(f)) return; /* their ends wake us */
	disk_close(f->disk);
	f->disk = NULL;
	struct err err;
	if (polling_commit(f, true, &err))
		log_warn("folder '%s': cannot write its index: %s", f->name, err.text);
	/* What ended since may have started one anew, the commit's for one. */
	timers_cancel(f);
	f->phase = PHASE_DOWN;
	f->held = false;
	unit_report(&f->unit, UNIT_DOWN, NULL);
	folder_changed(f);
	folder_wake(f);
}
