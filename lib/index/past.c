/* What a crash leaves of an index: its state after one of the last commits, none older than the last
 * that was on the disk when it returned. */
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
	bool ended;
};

struct index_past *index_past_new(size_t most) {
	struct index_past *past = xcalloc(1, sizeof(*past));

	past->most = most;
	past->states = xcalloc(most + 2, sizeof(*past->states));
	return past;
}

static void forget_oldest(struct index_past *past, size_t count) {
	for (size_t i = 0; i < count; i++) free(past->states[i].image);
	past->count -= count;
	memmove(past->states, past->states + count, past->count * sizeof(*past->states));
}

void index_past_free(struct index_past *past) {
	if (!past) return;
	forget_oldest(past, past->count);
	free(past->states);
	free(past);
}

int index_past_note(struct index_past *past, struct db *db, bool full, struct err *err) {
	struct state state = { 0 };

	if (past->ended) return 0;
	state.image = db_image(db, &state.len, err);
	if (!state.image) return -1;
	if (full) forget_oldest(past, past->count);
	past->states[past->count++] = state;
	if (past->count > past->most + 1) forget_oldest(past, 1);
	return 0;
}

int index_past_restore(struct index_past *past, struct db *db, struct err *err) {
	past->ended = false;
	if (!past->count) return 0;
	const struct state *last = &past->states[past->count - 1];
	return db_restore_image(db, last->image, last->len, err);
}

void index_past_end(struct index_past *past) {
	past->ended = true;
}

size_t index_past_crash(struct index_past *past, size_t lost) {
	if (!past->count) return 0;
	if (lost > past->count - 1) lost = past->count - 1;
	for (size_t i = 0; i < lost; i++) free(past->states[--past->count].image);
	forget_oldest(past, past->count - 1);
	return lost;
}
