/* Notes of what is being made at the remote: whatever is done with marks and claims, and wherever a crash falls, a mark has the note that
 * a plain list says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/past.h"

enum { PATHS = 48, STEPS = 1200, ROUNDS = 40, PAST = 3, LEN = 4 };

static struct err err;

struct known {
	bool there, claimed, noted;
	uint8_t note[LEN];
};

struct state {
	struct known known[PATHS];
	bool moved; /* the folder of every third has another name */
};

struct world {
	struct index_past *past;
	struct index *index;
	struct state now;
	struct state before[PAST + 1]; /* as committed, the newest first */
	uint64_t seed;
};

static unsigned dice(struct world *w, unsigned sides) {
	w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(w->seed >> 33) % sides;
}

static const char *path_of(const struct world *w, size_t at) {
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/some folder/%zu",
		at % 3         ? "b"
		: w->now.moved ? "moved/here"
			       : "a",
		at);
	return path;
}

static size_t at_of(const char *path) {
	return (size_t)strtol(strrchr(path, '/') + 1, NULL, 10);
}

static void is_right(const struct known *it, const struct index_dirty *row) {
	assert_int_equal(row->sending, it->noted);
	if (!it->noted) return;
	assert_int_equal(row->sending_kind, it->note[0]);
	assert_int_equal(row->sending_hash_len, LEN - 1);
	assert_memory_equal(row->sending_hash, it->note + 1, LEN - 1);
}

static void all_is_right(struct world *w) {
	struct index_dirty row;
	char **paths;

	for (size_t i = 0; i < PATHS; i++) {
		int got = index_dirty_get(w->index, path_of(w, i), &row, &err);
		assert_int_equal(got, w->now.known[i].there);
		if (got == 1) is_right(&w->now.known[i], &row);
		index_dirty_release(&row);
	}
	for (uint8_t tail = 0; tail < 4; tail++) {
		size_t count = 0;
		assert_int_equal(index_find_sending(w->index, &tail, 1, 999, &paths, &err), 0);
		for (size_t i = 0; i < PATHS; i++)
			count += w->now.known[i].noted && w->now.known[i].note[LEN - 1] == tail;
		assert_int_equal(strv_count(paths), count);
		for (char **path = paths; path && *path; path++)
			assert_int_equal(w->now.known[at_of(*path)].note[LEN - 1], tail);
		strv_free(paths);
	}
}

static void claim_some(struct world *w) {
	struct index_dirty *rows;
	size_t count;

	assert_int_equal(index_claim_due(w->index, 1000, dice(w, 24), &rows, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		struct known *it = &w->now.known[at_of(rows[i].path)];
		assert_true(it->there && !it->claimed);
		is_right(it, &rows[i]);
		it->claimed = true;
		index_dirty_release(&rows[i]);
	}
	free(rows);
}

static void commit(struct world *w) {
	if (!index_has_uncommitted(w->index)) return;
	assert_int_equal(index_commit(w->index, dice(w, 8) == 0, &err), 0);
	memmove(&w->before[1], &w->before[0], PAST * sizeof(w->before[0]));
	w->before[0] = w->now;
}

static void crash(struct world *w) {
	index_close(w->index);
	size_t lost = index_past_crash(w->past, dice(w, PAST));
	w->index = index_past_open(w->past, &err);
	assert_non_null(w->index);
	w->now = w->before[lost];
	for (size_t i = 0; i < PATHS; i++) w->now.known[i].claimed = false;
	for (size_t i = 0; i <= PAST; i++) w->before[i] = w->now;
}

/* There, or back. */
static void move(struct world *w) {
	bool any = false;

	for (size_t i = 0; i < PATHS; i += 3) {
		if (w->now.known[i].claimed) return;
		any |= w->now.known[i].there;
	}
	if (!any) return;
	const char *from = w->now.moved ? "moved/here" : "a",
		   *to = w->now.moved ? "a" : "moved/here";
	assert_int_equal(index_move_folder(w->index, from, to, 0, &err), 1);
	w->now.moved = !w->now.moved;
}

static void change(struct world *w, size_t at) {
	struct known *it = &w->now.known[at];
	const char *path = path_of(w, at);

	switch (dice(w, 6)) {
	case 0:
		assert_int_equal(index_mark(w->index, path, 0, 0, 0, 0, NULL, &err), 0);
		it->there = true;
		return;
	case 1:
	case 2:
		/* The same of a mark that nobody claimed. */
		if (!it->there || (!it->claimed && dice(w, 4))) return;
		for (size_t i = 0; i < LEN; i++) it->note[i] = (uint8_t)dice(w, 4);
		assert_int_equal(
			index_sending(w->index, path, it->note[0], it->note + 1, LEN - 1, &err), 0);
		it->noted = true;
		return;
	case 3:
		if (!it->claimed) return;
		it->there = dice(w, 2);
		if (it->there)
			assert_int_equal(index_mark(w->index, path, 0, 0, 0, 0, NULL, &err), 0);
		assert_int_equal(
			index_done(w->index, path, index_sequence(w->index) - it->there, 0, &err),
			0);
		it->noted = it->claimed = false;
		return;
	case 4:
		if (!it->claimed) return;
		assert_int_equal(index_again(w->index, path, INDEX_WHY_RETRY, NULL, 0, 1, &err), 0);
		it->claimed = false;
		return;
	default:
		if (dice(w, 3)) return;
		index_unclaim(w->index, path);
		it->claimed = false;
	}
}

static void notes_are_never_lost_nor_made_up(void **state) {
	struct world *w = xcalloc(1, sizeof(*w));

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		*w = (struct world){ .seed = 77 + (uint64_t)round };
		w->past = index_past_new(PAST);
		w->index = index_past_open(w->past, &err);
		assert_non_null(w->index);
		for (int step = 0; step < STEPS; step++) {
			unsigned what = dice(w, 40);
			change(w, dice(w, PATHS));
			if (what < 3) claim_some(w);
			if (what == 4 || what == 5) commit(w);
			if (what == 6 && dice(w, 4) == 0) crash(w);
			if (what == 7 && dice(w, 4) == 0) move(w);
			if (what < 12) all_is_right(w);
		}
		index_close(w->index);
		index_past_free(w->past);
	}
	free(w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_are_never_lost_nor_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
