/* What a crash leaves of an index: its state after one of the last commits, none older than the last
 * that was on the disk when it returned. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

struct state {
	void *image;
	size_t len;
};

struct index_past {
	struct state *states; /* oldest first; the oldest is on the disk */
	size_t count, most;
	struct state first; /* of an index that was just made */
	bool ended;
	uint64_t failing; /* this write from now on; 0: none */
	bool strayed;     /* the parked one is not as the last state says */
	struct index *
		parked; /* closed, with its statements: to prepare them is a fifth of a model's story */
};

struct index_past *index_past_new(size_t most) {
	struct index_past *past = xcalloc(1, sizeof(*past));

	past->most = most;
	past->states = xcalloc(most + 2, sizeof(*past->states));
	return past;
}

static void forget_oldest(struct index_past *past, size_t count) {
	for (size_t i = 0; i < count; i++) db_image_free(past->states[i].image);
	past->count -= count;
	memmove(past->states, past->states + count, past->count * sizeof(*past->states));
}

void index_past_free(struct index_past *past) {
	if (!past) return;
	index_free(past->parked);
	forget_oldest(past, past->count);
	db_image_free(past->first.image);
	free(past->states);
	free(past);
}

void index_past_reset(struct index_past *past) {
	forget_oldest(past, past->count);
	past->ended = false;
	past->failing = 0;
	past->strayed = true;
}

int index_past_note(struct index_past *past, struct db *db, bool full, struct err *err) {
	struct state state = { 0 };

	assert(!past->ended);
	state.image = db_image(db, &state.len, err);
	if (!state.image) return -1;
	if (!past->first.image) {
		past->first = state;
		state.image = db_image(db, &state.len, err);
		if (!state.image) return -1;
	}
	if (full) forget_oldest(past, past->count);
	past->states[past->count++] = state;
	if (past->count > past->most + 1) forget_oldest(past, 1);
	return 0;
}

int index_past_restore(struct index_past *past, struct db *db, struct err *err) {
	bool as_it_is = past->parked && !past->strayed;
	past->ended = past->strayed = false;
	past->parked = NULL;
	const struct state *last = past->count ? &past->states[past->count - 1] : &past->first;
	if (!last->image || as_it_is) return 0;
	return db_restore_image(db, last->image, last->len, err);
}

void index_past_park(struct index_past *past, struct index *index) {
	assert(!past->parked);
	past->parked = index;
}

struct index *index_past_parked(const struct index_past *past) {
	return past->parked;
}

void index_past_end(struct index_past *past) {
	past->ended = true;
}

bool index_past_has_ended(const struct index_past *past) {
	return past->ended;
}

uint64_t index_past_fail(struct index_past *past, uint64_t write) {
	uint64_t left = past->failing;

	past->failing = write;
	return left;
}

bool index_past_fails(struct index_past *past) {
	return past->failing && --past->failing == 0;
}

size_t index_past_crash(struct index_past *past, size_t lost) {
	if (!past->count) return 0;
	if (lost > past->count - 1) lost = past->count - 1;
	for (size_t i = 0; i < lost; i++) db_image_free(past->states[--past->count].image);
	past->strayed |= lost > 0;
	forget_oldest(past, past->count - 1);
	return lost;
}
