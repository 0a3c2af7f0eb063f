/* Notes of what is being made at the remote: whatever is done with marks and claims, and wherever a crash falls, a mark has the note that
 * a plain list says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/db.h"
#include "index/past.h"

enum { PATHS = 48, STEPS = 1200, ROUNDS = 15, PAST = 3, LEN = 4 };

static struct err err;

struct known {
	bool there, claimed, noted;
	bool other, other_claimed; /* a mark under the name that the folder has not now */
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

static const char *other_of(const struct world *w, size_t at) {
	static char path[64];

	(void)snprintf(
		path, sizeof(path), "%s/some folder/%zu", w->now.moved ? "a" : "moved/here", at);
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

static void since_add(
	const struct index_dirty *row, int64_t upto, int64_t *oldest, int64_t *count) {
	if (row->since < *oldest) *oldest = row->since;
	*count += row->since <= upto;
}

/* What a barrier asks, against the marks one by one. */
static void ages_are_right(struct world *w) {
	int64_t sequence = index_sequence(w->index), oldest = INT64_MAX, count = 0;
	int64_t upto = sequence - dice(w, sequence < 900 ? (unsigned)sequence + 1 : 900), told,
		refused;
	struct index_dirty row;

	for (size_t i = 0; i < PATHS; i++) {
		if (index_dirty_get(w->index, path_of(w, i), &row, &err) == 1)
			since_add(&row, upto, &oldest, &count);
		index_dirty_release(&row);
		if (i % 3) continue;
		int got = index_dirty_get(w->index, other_of(w, i), &row, &err);
		assert_int_equal(got, w->now.known[i].other);
		if (got == 1) since_add(&row, upto, &oldest, &count);
		index_dirty_release(&row);
	}
	assert_true(index_oldest(w->index) == oldest);
	assert_int_equal(index_pending(w->index, upto, &told, &refused, &err), 0);
	assert_int_equal(told, count);
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
		if (!str_equal(rows[i].path, path_of(w, at_of(rows[i].path)))) {
			assert_true(it->other && !it->other_claimed);
			it->other_claimed = true;
			index_dirty_release(&rows[i]);
			continue;
		}
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
	for (size_t i = 0; i < PATHS; i++)
		w->now.known[i].claimed = w->now.known[i].other_claimed = false;
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
	for (size_t i = 0; i < PATHS; i += 3) {
		struct known *it = &w->now.known[i];
		it->there |= it->other;
		it->claimed = it->other_claimed;
		it->other = it->other_claimed = false;
	}
}

static void change(struct world *w, size_t at) {
	struct known *it = &w->now.known[at];
	const char *path = path_of(w, at);

	if (at % 3 == 0 && dice(w, 12) == 0) {
		assert_int_equal(index_mark(w->index, other_of(w, at), 0, 0, 0, 0, NULL, &err), 0);
		it->other = true;
		return;
	}
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
			if (what < 30) ages_are_right(w);
		}
		index_close(w->index);
		index_past_free(w->past);
	}
	free(w);
}

/* A write that fails undoes all since the last commit, and so it does in memory. */
static void what_is_undone_is_undone_here_too(void **state) {
	char path[] = "/tmp/tend-index-XXXXXX";
	struct index_dirty *rows, row;
	int64_t first, last, count, refused;
	size_t claimed;

	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	struct index *index = index_open(path, &err);
	assert_non_null(index);
	assert_int_equal(index_mark(index, "a", 0, 0, 0, 0, &first, &err), 0);
	assert_int_equal(index_mark(index, "b", 0, 0, 0, 0, NULL, &err), 0);
	assert_int_equal(index_mark(index, "c", 0, 0, 0, 0, &last, &err), 0);
	assert_int_equal(index_claim_due(index, 9, 9, &rows, &claimed, &err), 0);
	assert_int_equal(claimed, 3);
	for (size_t i = 0; i < claimed; i++) index_dirty_release(&rows[i]);
	free(rows);
	assert_int_equal(index_sending(index, "a", 5, "x", 1, &err), 0);
	assert_int_equal(index_commit(index, true, &err), 0);
	assert_true(index_oldest(index) == first);

	struct db *other = db_open(path, NULL, &err);
	assert_int_equal(db_exec(other,
				 "CREATE TRIGGER refuse BEFORE INSERT ON meta WHEN new.k = x'6e6f'"
				 " BEGIN SELECT RAISE(ABORT, 'no'); END",
				 &err),
		0);
	db_close(other);
	assert_int_equal(index_done(index, "a", last, 0, &err), 0);
	assert_int_equal(index_mark(index, "b", 1, 0, 0, 0, NULL, &err), 0);
	assert_int_equal(index_done(index, "b", last, 0, &err), 0);
	assert_int_equal(index_claim_due(index, 9, 9, &rows, &claimed, &err), 0);
	assert_int_equal(claimed, 1);
	index_dirty_release(&rows[0]);
	free(rows);
	assert_int_equal(index_sending(index, "c", 6, "y", 1, &err), 0);
	assert_int_equal(index_mark(index, "d", 1, 0, 0, 0, NULL, &err), 0);
	assert_true(index_oldest(index) == last);
	assert_int_equal(index_meta_set(index, "no", "x", &err), -1);

	assert_true(index_oldest(index) == first);
	assert_int_equal(index_pending(index, INT64_MAX, &count, &refused, &err), 0);
	assert_int_equal(count, 3);
	assert_int_equal(index_dirty_get(index, "a", &row, &err), 1);
	assert_true(row.sending && row.sending_kind == 5 && row.sending_hash[0] == 'x');
	index_dirty_release(&row);
	assert_int_equal(index_dirty_get(index, "c", &row, &err), 1);
	assert_false(row.sending);
	index_dirty_release(&row);
	/* The turn has to end first. */
	assert_int_equal(index_done(index, "b", last, 0, &err), -1);
	assert_int_equal(index_commit(index, false, &err), -1);
	/* The claim of `b` is of a number that is no more. */
	assert_int_equal(index_done(index, "b", last, 0, &err), 0);
	assert_int_equal(index_pending(index, first, &count, &refused, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(index_done(index, "a", last, 0, &err), 0);
	assert_true(index_oldest(index) == last);
	assert_int_equal(index_pending(index, INT64_MAX, &count, &refused, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(index_commit(index, false, &err), 0);
	index_close(index);

	index = index_open(path, &err);
	assert_non_null(index);
	assert_true(index_oldest(index) == last);
	assert_int_equal(index_dirty_get(index, "a", &row, &err), 0);
	index_close(index);
	assert_int_equal(unlink(path), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_undone_is_undone_here_too),
		cmocka_unit_test(notes_are_never_lost_nor_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
