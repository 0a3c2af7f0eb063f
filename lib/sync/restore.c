/*
 * Bringing back files and folders, as they are at the remote or were at a time: what comes from the source goes through a few slots, each
 * written beside its place and renamed. Databases get their place last, when what they name is there (SYNC.md §6).
 */
#include "sync/restore.h"

#include <stdlib.h>
#include <string.h>

void restore_tell(struct restore *r, enum restore_news news, const char *path, const char *text) {
	r->counts.left += news == RESTORE_LEFT;
	r->counts.failed += news == RESTORE_FAILED;
	r->calls.told(r->user, news, path, text);
}

const struct restore_counts *restore_counts(const struct restore *r) {
	return &r->counts;
}

static void restore_finish(struct restore *r) {
	r->state = RESTORE_ENDED;
	defer_cancel(&r->step);
	if (r->home) restore_home_ended(r);
	if (r->cancelled) err_set(&r->err, ERR_CANCELLED, "it was broken off");
	r->calls.done(r->user, r->err.kind == ERR_NONE ? NULL : &r->err);
}

/* ---- when all else is there ---- */

static void database_placed(struct restore *r, struct restore_place *place) {
	if (r->cancelled) return;
	if (place->appeared) {
		restore_tell(r, RESTORE_LEFT, place->path, place->err.text);
	} else if (place->err.kind != ERR_NONE) {
		restore_tell(r, RESTORE_FAILED, place->path, place->err.text);
	} else {
		r->counts.files++;
		if (place->aside) restore_tell(r, RESTORE_ASIDE, place->path, place->aside);
	}
}

static void last_done(struct job *job, const struct err *err) {
	struct restore *r = container_of(job, struct restore, last_job);
	(void)err;
	for (size_t i = 0; i < r->database_count; i++) database_placed(r, &r->databases[i]);
	for (size_t i = 0; i < r->mode_count; i++) {
		const struct restore_mode *mode = &r->modes[i];
		if (mode->err.kind != ERR_NONE)
			restore_tell(r, RESTORE_FAILED, mode->path, mode->err.text);
	}
	if (r->err.kind == ERR_NONE) r->err = r->sync_err;
	restore_finish(r);
}

static void last_start(struct restore *r) {
	if (!r->options.disk) { /* it could not be opened */
		restore_finish(r);
		return;
	}
	r->state = RESTORE_PLACING;
	r->last_job.work = restore_last_work;
	r->last_job.done = last_done;
	job_start(r->loop, &r->last_job);
}

/* ---- the flow ---- */

static bool has_ended(const struct restore *r) {
	return r->cancelled || r->no_more || r->err.kind != ERR_NONE;
}

static struct restore_slot *slot_free(struct restore *r) {
	for (size_t i = 0; i < r->options.slots; i++) {
		if (r->slots[i].state == SLOT_FREE) return &r->slots[i];
	}
	return NULL;
}

static bool has_memory(const struct restore *r) {
	return !r->options.memory_bytes || r->spans_bytes < r->options.memory_bytes;
}

static void slots_fill(struct restore *r) {
	struct restore_slot *slot;
	while (!has_ended(r) && !r->making_folder && has_memory(r) && (slot = slot_free(r))) {
		struct past_item item;
		int got = r->options.source.next(r->options.source.user, &item, &r->err);
		if (got == RESTORE_LATER) return;
		if (got == 0) r->no_more = true;
		if (got <= 0) return;
		if (!path_is_plain(item.path)) { /* of an answer that came over the line */
			restore_tell(r, RESTORE_FAILED, item.path, "is no path inside the folder");
			continue;
		}
		restore_item(r, slot, &item);
	}
}

void restore_step(struct restore *r) {
	if (r->state == RESTORE_RUNNING) slots_fill(r);
	if (r->calls.went_on) r->calls.went_on(r->user);
	bool busy = r->state == RESTORE_OPENING || r->busy || (r->home && restore_home_busy(r));
	if (r->state >= RESTORE_PLACING || busy || !has_ended(r)) return;
	if (!r->home || !r->database_count || restore_home_opens(r)) last_start(r);
}

static void step_deferred(struct defer *defer) {
	restore_step(container_of(defer, struct restore, step));
}

void restore_go(struct restore *r) {
	if (r->state < RESTORE_PLACING) defer_start(r->loop, &r->step);
}

struct restore *restore_start(
	const struct restore_options *options, const struct restore_calls *calls, void *user) {
	struct restore *r = xcalloc(1, sizeof(*r));
	r->loop = options->loop;
	r->options = *options;
	r->calls = *calls;
	r->user = user;
	r->state = RESTORE_RUNNING;
	r->slots = xcalloc(options->slots, sizeof(*r->slots));
	restore_batch_init(r);
	defer_init(&r->step, step_deferred);
	restore_go(r);
	return r;
}

void restore_cancel(struct restore *r) {
	if (r->cancelled || r->state >= RESTORE_PLACING) return;
	r->cancelled = true;
	restore_slots_cancel(r);
	defer_start(r->loop, &r->gather);
	if (r->home) restore_home_cancel(r);
	restore_go(r);
}

void restore_free(struct restore *r) {
	if (!r) return;
	if (r->home) restore_home_free(r);
	for (size_t i = 0; i < r->database_count; i++) restore_place_release(&r->databases[i]);
	for (size_t i = 0; i < r->mode_count; i++) free(r->modes[i].path);
	restore_batch_release(r);
	free(r->databases);
	free(r->modes);
	free(r->slots);
	free(r);
}
