/*
 * How a folder stands, and what it does about trouble of the folder as a whole: it holds, asks the remote whether it is back, and goes on,
 * or waits for a person.
 */
#include <stdlib.h>

#include "sync/internal.h"

static const char *const phase_names[] = {
	[PHASE_DOWN] = "waiting",
	[PHASE_OPENING] = "waiting",
	[PHASE_ABOUT] = "contact",
	[PHASE_OWNER] = "contact",
	[PHASE_LISTING] = "contact",
	[PHASE_EMPTY] = "waiting",
	[PHASE_PULLING] = "restoring",
	[PHASE_SEALING] = "contact",
	[PHASE_RUNNING] = "idle",
	[PHASE_FLUSHING] = "syncing",
	[PHASE_CLOSING] = "waiting",
};

const char *folder_phase_name(const struct folder *f) {
	if (f->paused) return "paused";
	bool trouble = f->held && f->trouble.kind != ERR_NONE;
	if (trouble) return f->needs_person ? "stopped" : "failed";
	if (f->phase != PHASE_RUNNING) return phase_names[f->phase];
	if (f->brake.stopped) return "stopped";
	if (!scan_is_idle(f)) return "scanning";
	return f->in_flight || index_dirty_count(f->index) ? "syncing" : "idle";
}

/* ---- what others see ---- */

void folder_report(struct folder *f) {
	bool trouble = f->trouble.kind != ERR_NONE;
	const char *detail = trouble            ? f->trouble.text
			     : f->brake.stopped ? f->brake.trouble.text
			     : f->pull.text     ? f->pull.text
						: f->degraded;
	const char *word = folder_phase_name(f);
	enum unit_state state = f->unit.state;
	if (f->paused) detail = "paused by a person: tend resume";
	if (f->phase == PHASE_DOWN || f->phase == PHASE_CLOSING) return;
	/* Nothing is pulled over a base in the one-way modes: with one it is ready at once. */
	if (f->unit_stopping)
		state = UNIT_STOPPING;
	else if (f->phase >= PHASE_SEALING || index_meta_int(f->index, "contacted", 0))
		state = trouble && f->held ? UNIT_FAILED : UNIT_READY;
	else if (state != UNIT_FAILED)
		state = UNIT_STARTING;
	bool news = state != f->unit.state || !str_equal(detail, f->unit.detail);
	if (news) unit_report(&f->unit, state, detail);
	if (news || word != f->said) folder_changed(f);
	f->said = word;
}

void folder_attempt_passed(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, attempt_timer);
	if (f->unit.state == UNIT_STARTING)
		unit_report(&f->unit, UNIT_FAILED,
			f->trouble.kind != ERR_NONE ? f->trouble.text
						    : "still reaching for the remote");
}

/* ---- trouble of the folder as a whole ---- */

/* What is sure to be refused for hours (a day's amount is used up) is not tried again because tendd was restarted meanwhile. */
static void hold_note(struct folder *f, const char *value) {
	struct err err;
	if (!f->index || (!value && !f->hold_noted)) return;
	f->hold_noted = value != NULL;
	if (index_meta_set(f->index, "hold", value, &err))
		log_debug("folder '%s': %s", f->name, err.text);
	else
		turn_end_want(&f->turn_end);
}

void folder_hold_again(struct folder *f) {
	char *noted = index_meta_get(f->index, "hold"), *text = NULL;
	int64_t until_ms = noted ? strtoll(noted, &text, 10) : 0;
	int64_t left_ms = until_ms - loop_wall_ns(f->loop) / NS_PER_MS;
	struct err err;
	f->hold_noted = noted != NULL;
	if (noted && *text == ' ' && left_ms > 0 && left_ms <= HOLD_ASKED_MAX_MS) {
		err_set(&err, ERR_BUSY, "%s", text + 1);
		err.retry_ms = (uint32_t)left_ms;
		folder_hold(f, &err);
	} else {
		hold_note(f, NULL);
	}
	free(noted);
}

void folder_hold(struct folder *f, const struct err *err) {
	bool news = f->trouble.kind != err->kind || !str_equal(f->trouble.text, err->text);
	f->trouble = *err;
	f->needs_person = err->kind == ERR_DENIED;
	f->trouble_stays = err->kind == ERR_FULL || err->kind == ERR_SYSTEM;
	f->held = true;
	f->cured_here = false;
	f->hold_ms = f->hold_ms ? f->hold_ms * 2 : HOLD_FIRST_MS;
	if (f->hold_ms > HOLD_MAX_MS) f->hold_ms = HOLD_MAX_MS;
	int64_t asked_ms = err->retry_ms < HOLD_ASKED_MAX_MS ? err->retry_ms : HOLD_ASKED_MAX_MS;
	int64_t wait_ms = asked_ms > f->hold_ms ? asked_ms : f->hold_ms;
	if (news) log_warn("folder '%s': %s", f->name, err->text);
	if (err->kind == ERR_BUSY && wait_ms > HOLD_LONG_MS) {
		char *noted = xasprintf("%lld %s",
			(long long)(loop_wall_ns(f->loop) / NS_PER_MS + wait_ms), err->text);
		hold_note(f, noted);
		free(noted);
	}
	timer_start(&f->hold_timer, wait_ms);
	folder_report(f);
	barrier_step(f);
}

void folder_stop_for_person(struct folder *f, const struct err *err) {
	folder_hold(f, err);
	f->needs_person = f->trouble_stays = f->cured_here = true;
	folder_report(f);
	barrier_step(f);
}

void folder_trouble_clear(struct folder *f) {
	if (f->trouble.kind == ERR_NONE && !f->hold_ms) return;
	if (f->index_trouble) return; /* that the remote answers says nothing about the disk here */
	if (f->trouble.kind != ERR_NONE) log_info("folder '%s': goes on", f->name);
	err_clear(&f->trouble);
	f->needs_person = false;
	f->held = false;
	f->hold_ms = 0;
	hold_note(f, NULL);
	timer_cancel(&f->hold_timer);
	folder_report(f);
	folder_wake(f);
}

void folder_probe_passed(struct folder *f) {
	f->held = false;
	/* The remote answers. What ABOUT cannot judge (a full disk, an emptied folder) stays said until a write went well. */
	if (!f->trouble_stays) {
		int64_t hold_ms = f->hold_ms;
		folder_trouble_clear(f);
		f->hold_ms = hold_ms;
	}
	folder_report(f);
	folder_wake(f);
}

static void hold_probed(struct folder *f, const struct err *err) {
	if (!err) folder_about_told(f);
	if (err)
		folder_hold(f, err);
	else if (f->judging)
		owner_check_again(f);
	else
		folder_probe_passed(f);
}

void folder_hold_passed(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, hold_timer);
	/* The person may have put another key in its place, and needs not say so. */
	if (f->trouble.kind == ERR_DENIED) store_renew(f->store);
	if (f->phase == PHASE_RUNNING || f->phase == PHASE_FLUSHING) {
		if (f->op_in_flight) {
			timer_start(&f->hold_timer, HOLD_FIRST_MS);
			return;
		}
		if (f->remote_empty) {
			verify_probe(f);
			return;
		}
		folder_about_start(f, hold_probed);
		return;
	}
	f->held = false;
	folder_wake(f);
}

/* A refusal that may be the path's own or the store's as a whole (a key withdrawn, a bucket gone): the store is asked, at most now and then. */
void folder_doubt(struct folder *f) {
	int64_t now = folder_clock_ms(f);
	if (f->held || f->op_in_flight || (f->doubt_ms && now - f->doubt_ms < DOUBT_EVERY_MS))
		return;
	f->doubt_ms = now;
	f->held = true;
	folder_about_start(f, hold_probed);
}
