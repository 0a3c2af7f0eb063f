/* What a crash leaves of an index: its state after one of the last commits, none older than the last
 * that was on the disk when it returned. */
#include <assert.h>
#include <stdlib.h>

#include "index/internal.h"

struct index_past {
	struct db_memory *memory; /* its oldest state is on the disk; its base was just made */
	size_t most;
	bool ended;
	uint64_t full;    /* commits to the disk, so far */
	uint64_t failing; /* this write from now on; 0: none */
	bool strayed;     /* the parked one is not as the memory says */
	struct index *
		parked; /* closed, with its statements: to prepare them is a fifth of a model's story */
};

struct index_past *index_past_new(size_t most) {
	struct index_past *past = xcalloc(1, sizeof(*past));

	past->most = most;
	past->memory = db_memory_new();
	return past;
}

void index_past_free(struct index_past *past) {
	if (!past) return;
	index_free(past->parked);
	db_memory_free(past->memory);
	free(past);
}

void index_past_reset(struct index_past *past) {
	db_memory_to_base(past->memory);
	past->ended = false;
	past->failing = 0;
	past->strayed = true;
}

struct db_memory *index_past_memory(const struct index_past *past) {
	return past->memory;
}

void index_past_note(struct index_past *past, bool full) {
	assert(!past->ended);
	if (!db_memory_has_base(past->memory)) db_memory_set_base(past->memory);
	if (full) db_memory_forget(past->memory, db_memory_states(past->memory));
	past->full += full;
	db_memory_note(past->memory);
	if (db_memory_states(past->memory) > past->most + 1) db_memory_forget(past->memory, 1);
}

int index_past_restore(struct index_past *past, struct db *db, struct err *err) {
	bool strayed = past->parked && past->strayed;
	past->ended = past->strayed = false;
	past->parked = NULL;
	return strayed ? db_memory_reread(db, err) : 0;
}

uint64_t index_past_full(const struct index_past *past) {
	return past->full;
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
	size_t states = db_memory_states(past->memory);

	if (!states) return 0;
	if (lost > states - 1) lost = states - 1;
	if (lost) db_memory_back(past->memory, lost);
	past->strayed |= lost > 0;
	db_memory_forget(past->memory, states - lost - 1);
	return lost;
}
