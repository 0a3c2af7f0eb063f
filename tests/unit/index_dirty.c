/* The queue: marks, claims, the end of work, barriers. Times are plain numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/index.h"

enum { SETTLE = 20, MAX_SETTLE = 300 };

static struct err err;

static struct index *open_memory(void) {
	struct index *index = index_open(NULL, &err);

	assert_non_null(index);
	return index;
}

static int64_t mark(struct index *index, const char *path, int64_t now, int prio) {
	int64_t seq = 0;

	assert_int_equal(index_mark(index, path, now, SETTLE, MAX_SETTLE, prio, &seq, &err), 0);
	assert_int_equal(seq, index_sequence(index));
	return seq;
}

/* The due paths, joined by spaces. */
static const char *claim(struct index *index, int64_t now, size_t limit) {
	static char text[400];
	struct index_dirty *rows;
	struct buf joined;
	size_t count;

	assert_int_equal(index_claim_due(index, now, limit, &rows, &count, &err), 0);
	assert_true(count <= limit);
	buf_init(&joined, sizeof(text) - 1);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(buf_addf(&joined, "%s%s", i ? " " : "", rows[i].path), 0);
		index_dirty_release(&rows[i]);
	}
	(void)snprintf(text, sizeof(text), "%s", joined.at);
	buf_release(&joined);
	free(rows);
	return text;
}

static struct index_dirty row(struct index *index, const char *path) {
	static char kept[400];
	struct index_dirty row;

	assert_int_equal(index_dirty_get(index, path, &row, &err), 1);
	assert_string_equal(row.path, path);
	/* The reason outlives the row, so that tests may look at it. */
	kept[0] = '\0';
	if (row.reason) (void)snprintf(kept, sizeof(kept), "%s", row.reason);
	bool reason = row.reason != NULL;
	index_dirty_release(&(struct index_dirty){ .path = row.path, .reason = row.reason });
	row.path = NULL;
	row.reason = reason ? kept : NULL;
	return row;
}

static void due_order_is_prio_then_time(void **state) {
	struct index *index = open_memory();

	mark(index, "late", 200, 0);
	mark(index, "big", 0, 9);
	mark(index, "a/small", 50, 1);
	mark(index, "small", 10, 1);
	mark(index, "negative", 60, -3);
	assert_int_equal(index_dirty_count(index), 5);
	assert_int_equal(index_next_due(index), SETTLE);
	assert_string_equal(claim(index, SETTLE - 1, 9), "");
	assert_string_equal(claim(index, 100, 3), "negative small a/small");
	assert_int_equal(index_next_due(index), SETTLE);
	assert_string_equal(claim(index, 100, 9), "big");
	assert_int_equal(index_next_due(index), 220);
	assert_string_equal(claim(index, 1000, 9), "late");
	assert_string_equal(claim(index, 1000, 9), "");
	assert_true(index_next_due(index) == INT64_MAX);
	assert_int_equal(index_dirty_count(index), 5);
	index_close(index);
}

/* Negative: what goes before all that a scan found. There too, what may be one half of a rename comes after its like. */
static void a_pair_comes_after_its_like(void **state) {
	static const struct {
		const char *path;
		int prio;
	} rows[] = { { "event", -2 }, { "event-pair", -2 }, { "found", 1 }, { "found-pair", 1 },
		{ "folder", -3 } };
	struct index *index = open_memory();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) mark(index, rows[i].path, 0, rows[i].prio);
	assert_int_equal(index_again(index, "event-pair", INDEX_WHY_PAIR, NULL, 0, 0, &err), 0);
	assert_int_equal(index_again(index, "found-pair", INDEX_WHY_PAIR, NULL, 0, 0, &err), 0);
	assert_string_equal(claim(index, 100, 9), "folder event event-pair found found-pair");
	assert_int_equal(index_again(index, "event-pair", INDEX_WHY_DELETE, NULL, 0, 0, &err), 0);
	assert_int_equal(row(index, "event-pair").prio, 9);
	mark(index, "event-pair", 0, -2);
	assert_int_equal(row(index, "event-pair").prio, -2);
	index_close(index);
}

/* 2 to 7 are of large files: so many more of them as there is room for, and what comes behind them. */
static void large_ones_have_room(void **state) {
	struct index *index = open_memory();

	(void)state;
	mark(index, "large", 0, 2);
	mark(index, "larger", 10, 3);
	mark(index, "largest", 20, 7);
	mark(index, "held", 30, 8);
	index_large_room(index, 1);
	assert_int_equal(index_next_due(index), SETTLE);
	assert_string_equal(claim(index, 100, 9), "large held");
	index_large_room(index, 0);
	assert_true(index_next_due(index) == INT64_MAX);
	assert_string_equal(claim(index, 100, 9), "");
	mark(index, "small", 200, 1);
	assert_int_equal(index_next_due(index), 200 + SETTLE);
	assert_string_equal(claim(index, 300, 9), "small");
	index_large_room(index, 1);
	assert_int_equal(index_next_due(index), 10 + SETTLE);
	assert_string_equal(claim(index, 300, 9), "larger");
	index_large_room(index, -1);
	assert_string_equal(claim(index, 300, 9), "largest");
	assert_true(index_next_due(index) == INT64_MAX);
	index_close(index);
}

static void marks_settle_but_not_for_ever(void **state) {
	struct index *index = open_memory();
	int64_t first = mark(index, "a", 1000, 5);

	for (int64_t now = 1010; now <= 1270; now += 10) {
		mark(index, "a", now, 7);
		assert_int_equal(row(index, "a").due_ms, now + SETTLE);
	}
	int64_t last = mark(index, "a", 1290, 2);
	struct index_dirty got = row(index, "a");
	assert_int_equal(got.due_ms, 1300);
	assert_int_equal(got.first_ms, 1000);
	assert_int_equal(got.since, first);
	assert_int_equal(got.seen, last);
	assert_int_equal(index_dirty_count(index), 1);
	/* Overdue: it stays due, each mark must not push it. */
	mark(index, "a", 1500, 2);
	assert_true(row(index, "a").due_ms <= 1500);
	/* The lower prio holds. */
	mark(index, "b", 0, 3);
	assert_string_equal(claim(index, 1500, 1), "a");
	index_close(index);
}

/* What is next does not depend on what was asked before: against a plain search of all rows. */
enum { RANDOM_PATHS = 60, RANDOM_STEPS = 20000 };

struct known {
	char path[12];
	bool there, claimed;
	int prio;
};

static void is_next(
	struct index *index, struct known known[], int64_t now, size_t limit, const char *told) {
	struct index_dirty *rows;
	size_t count, expected = 0;
	int64_t last_due = INT64_MIN;
	int last_prio = -9;

	for (size_t i = 0; i < RANDOM_PATHS; i++) {
		if (!known[i].there || known[i].claimed) continue;
		expected += row(index, known[i].path).due_ms <= now;
	}
	assert_int_equal(index_claim_due(index, now, limit, &rows, &count, &err), 0);
	if (count != (expected < limit ? expected : limit))
		fail_msg("%zu of %zu are claimed after %s", count, expected, told);
	for (size_t i = 0; i < count; i++) {
		struct known *it = &known[strtol(rows[i].path + 1, NULL, 10)];
		assert_true(it->there && !it->claimed && rows[i].due_ms <= now);
		if (it->prio == last_prio) assert_true(rows[i].due_ms >= last_due);
		assert_true(it->prio >= last_prio);
		last_prio = it->prio;
		last_due = rows[i].due_ms;
		it->claimed = true;
		index_dirty_release(&rows[i]);
	}
	free(rows);
}

static void says_when(struct index *index, const struct known known[], const char *told) {
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < RANDOM_PATHS; i++) {
		if (!known[i].there || known[i].claimed) continue;
		int64_t due = row(index, known[i].path).due_ms;
		if (due < next) next = due;
	}
	if (index_next_due(index) != next)
		fail_msg("%lld is next and not %lld after %s", (long long)index_next_due(index),
			(long long)next, told);
}

static void claims_miss_nothing(void **state) {
	struct index *index = open_memory();
	struct known known[RANDOM_PATHS] = { 0 };
	int64_t now = 1000;
	uint64_t seed = 7;

	(void)state;
	for (int step = 0; step < RANDOM_STEPS; step++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		unsigned dice = (unsigned)(seed >> 33);
		struct known *it = &known[dice % RANDOM_PATHS];
		(void)snprintf(it->path, sizeof(it->path), "f%d", (int)(it - known));
		const char *path = it->path, *told = "";
		dice /= RANDOM_PATHS;
		now += dice % 3;
		dice /= 3;
		int prio = (int)(dice % 4) * 2 + (dice % 4 == 3) * 10 - (dice % 4 == 1) * 4;
		int64_t due = now + dice % 7 * 10;
		switch (dice / 7 % 8) {
		case 0:
		case 1:
		case 2:
			told = "a mark";
			assert_int_equal(
				index_mark(index, path, now, due - now, 100, prio, NULL, &err), 0);
			if (!it->there || prio < it->prio) it->prio = prio;
			it->there = true;
			break;
		case 3:
			told = "a done";
			if (!it->there) continue;
			it->there = row(index, path).seen > index_sequence(index) - 20;
			assert_int_equal(
				index_done(index, path, index_sequence(index) - 20, due, &err), 0);
			it->claimed = false;
			break;
		case 4:
			told = "an again";
			if (!it->there) continue;
			assert_int_equal(index_again(index, path, (enum index_why)(dice % 4),
						 dice % 2 ? "x" : NULL, due, 1, &err),
				0);
			it->claimed = false;
			if (it->prio > 7) it->prio = 1; /* as what was held and is no more */
			break;
		case 5:
			told = "an unclaim";
			index_unclaim(index, path);
			it->claimed = false;
			break;
		case 6:
			if (dice % 31 > 0) continue;
			told = "a hurry";
			assert_int_equal(
				index_hurry(index, index_sequence(index) - 5, now, &err), 0);
			break;
		default: break;
		}
		/* Neither answer may hang on whether the other was asked for. */
		if (dice % 3 == 0) says_when(index, known, told);
		is_next(index, known, now, dice % 4, told);
		if (dice % 2) says_when(index, known, "a claim");
	}
	index_close(index);
}

static void what_was_given_up_is_claimed_again(void **state) {
	struct index *index = open_memory();

	mark(index, "a", 0, 0);
	assert_string_equal(claim(index, 100, 9), "a");
	assert_string_equal(claim(index, 100, 9), "");
	index_unclaim(index, "a");
	index_unclaim(index, "never claimed");
	assert_int_equal(index_dirty_count(index), 1);
	assert_string_equal(claim(index, 100, 9), "a");
	index_close(index);
}

/* It is due at the moment of one that is at work, and by its name before it. */
static void what_is_let_go_is_claimed(void **state) {
	struct index *index = open_memory();

	mark(index, "a", 0, 0);
	mark(index, "b", 0, 0);
	assert_string_equal(claim(index, 100, 9), "a b");
	assert_int_equal(index_held_add(index, "a", false, 1, &err), 0);
	assert_int_equal(index_again(index, "a", INDEX_WHY_DELETE, NULL, 5000, 0, &err), 0);
	assert_int_equal(index_again(index, "b", INDEX_WHY_DELETE, NULL, 100, 0, &err), 0);
	assert_string_equal(claim(index, 100, 9), "b");
	assert_int_equal(
		index_held_move(index, INDEX_HELD_WAITS, INDEX_HELD_LET_GO, INT64_MAX, 100, &err),
		0);
	assert_string_equal(claim(index, 100, 9), "a");
	index_close(index);
}

static void done_forgets_what_was_covered(void **state) {
	struct index *index = open_memory();
	int64_t seq = mark(index, "d/a", 0, 0);

	assert_string_equal(claim(index, 100, 9), "d/a");
	assert_int_equal(index_done(index, "d/a", seq, 500, &err), 0);
	assert_int_equal(index_dirty_count(index), 0);
	struct index_dirty none;
	assert_int_equal(index_dirty_get(index, "d/a", &none, &err), 0);
	assert_int_equal(index_done(index, "d/a", seq, 500, &err), 0);

	/* A mark while it is captured: it stays, and is not due before its work ended. */
	int64_t covered = mark(index, "d/a", 1000, 0);
	assert_string_equal(claim(index, 2000, 9), "d/a");
	int64_t newer = mark(index, "d/a", 1100, 0);
	assert_string_equal(claim(index, 2000, 9), "");
	assert_int_equal(index_done(index, "d/a", covered, 5000, &err), 0);
	struct index_dirty got = row(index, "d/a");
	assert_int_equal(got.since, covered + 1);
	assert_int_equal(got.seen, newer);
	assert_int_equal(got.first_ms, 1100);
	assert_int_equal(got.due_ms, 5000);
	/* Pace stands against the next mark. */
	mark(index, "d/a", 1200, 0);
	assert_int_equal(row(index, "d/a").due_ms, 5000);
	assert_string_equal(claim(index, 4999, 9), "");
	assert_string_equal(claim(index, 5000, 9), "d/a");
	index_close(index);
}

static void again_keeps_since_and_says_why(void **state) {
	struct index *index = open_memory();
	int64_t seq = mark(index, "a", 0, 0);

	mark(index, "b", 0, 0);
	assert_string_equal(claim(index, 100, 9), "a b");
	assert_int_equal(
		index_again(index, "a", INDEX_WHY_REFUSED, "permission", 9000, 3, &err), 0);
	struct index_dirty got = row(index, "a");
	assert_int_equal(got.since, seq);
	assert_int_equal(got.due_ms, 9000);
	assert_int_equal(got.tries, 3);
	assert_int_equal(got.why, INDEX_WHY_REFUSED);
	assert_string_equal(got.reason, "permission");
	/* The next event tries it at once. */
	mark(index, "a", 700, 0);
	got = row(index, "a");
	assert_true(got.due_ms <= 700 + SETTLE && got.tries == 0);
	assert_string_equal(got.reason, "permission");

	/* An event during the attempt that was refused counts too. */
	assert_string_equal(claim(index, 800, 9), "a");
	mark(index, "a", 800, 0);
	assert_int_equal(
		index_again(index, "a", INDEX_WHY_REFUSED, "permission", 9000, 1, &err), 0);
	assert_true(row(index, "a").due_ms <= 800 + SETTLE);

	/* A hot file waits for its pace. */
	assert_int_equal(
		index_again(index, "b", INDEX_WHY_HOT, "it never rests", 7000, 0, &err), 0);
	mark(index, "b", 800, 0);
	assert_int_equal(row(index, "b").due_ms, 7000);

	struct index_dirty *rows;
	size_t count;
	assert_int_equal(index_troubles(index, 9, &rows, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(rows[0].path, "a");
	assert_string_equal(rows[1].reason, "it never rests");
	for (size_t i = 0; i < count; i++) index_dirty_release(&rows[i]);
	free(rows);
	assert_int_equal(index_troubles(index, 1, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
	index_dirty_release(&rows[0]);
	free(rows);

	int64_t pending, refused;
	assert_int_equal(index_pending(index, seq, &pending, &refused, &err), 0);
	assert_true(pending == 1 && refused == 1);
	assert_int_equal(index_again(index, "a", INDEX_WHY_RETRY, NULL, 9000, 1, &err), 0);
	assert_int_equal(index_pending(index, INT64_MAX, &pending, &refused, &err), 0);
	assert_true(pending == 2 && refused == 1);
	assert_int_equal(index_done(index, "b", index_sequence(index), 0, &err), 0);
	assert_int_equal(index_troubles(index, 9, &rows, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(index_again(index, "nobody", INDEX_WHY_RETRY, "x", 1, 1, &err), 0);
	index_close(index);
}

static void a_barrier_hurries_what_it_covers(void **state) {
	struct index *index = open_memory();
	int64_t early = mark(index, "a", 0, 0), upto = mark(index, "b", 0, 4);

	assert_int_equal(index_oldest(index), early);
	mark(index, "c", 0, 4);
	assert_int_equal(index_hurry(index, upto, 5, &err), 0);
	assert_string_equal(claim(index, 5, 9), "a b");

	/* A capture that began before the barrier: the rest is due at once, pace or not. */
	int64_t covered = index_sequence(index);
	mark(index, "a", 6, 0);
	upto = index_sequence(index);
	assert_int_equal(index_hurry(index, upto, 6, &err), 0);
	assert_int_equal(index_done(index, "a", covered, 9000, &err), 0);
	/* Nor does a later mark postpone it. */
	mark(index, "a", 7, 0);
	assert_string_equal(claim(index, 7, 9), "a c");
	assert_int_equal(index_oldest(index), early + 1);
	assert_int_equal(index_done(index, "a", index_sequence(index), 0, &err), 0);
	assert_int_equal(index_done(index, "b", index_sequence(index), 0, &err), 0);
	assert_int_equal(index_done(index, "c", index_sequence(index), 0, &err), 0);
	assert_true(index_oldest(index) == INT64_MAX);
	assert_int_equal(index_hurry(index, INT64_MAX, 8, &err), 0);
	mark(index, "d", 10, 0);
	assert_int_equal(index_next_due(index), 10 + SETTLE);
	index_close(index);
}

static void a_tree_is_marked_whole(void **state) {
	struct index *index = open_memory();
	static const struct {
		const char *path;
		struct index_entry entry;
		bool marked;
	} entries[] = {
		{ "a", { .kind = INDEX_FOLDER }, false },
		{ "a/f", { .kind = INDEX_FILE }, true },
		{ "a/b", { .kind = INDEX_FOLDER }, true },
		{ "a/b", { .kind = INDEX_FILE }, true },
		{ "a/b/c", { .kind = INDEX_FOLDER }, true },
		{ "a/b/c/l", { .kind = INDEX_LINK }, true },
		{ "a/b/theirs", { .flags = INDEX_STRANGER }, false },
		{ "ab/f", { .kind = INDEX_FILE }, false },
		{ "f", { .kind = INDEX_FILE }, false },
	};
	struct index_dirty none;

	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		assert_int_equal(index_put(index, entries[i].path, &entries[i].entry, &err), 0);
	}
	int64_t before = mark(index, "a/f", 0, 0);
	mark(index, "a/b/new", 0, 0);
	assert_int_equal(index_dirty_below(index, "a/b/c", &err), 0);
	assert_int_equal(index_mark_tree(index, "nowhere", 100, 5, &err), 0);
	assert_int_equal(index_mark_tree(index, "a", 100, 5, &err), 0);
	assert_int_equal(index_dirty_count(index), 5);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		int got = index_dirty_get(index, entries[i].path, &none, &err);
		assert_int_equal(got, entries[i].marked);
		if (got && !str_equal(entries[i].path, "a/f")) assert_int_equal(none.due_ms, 105);
		index_dirty_release(&none);
	}
	assert_int_equal(row(index, "a/f").since, before);
	assert_int_equal(row(index, "a/f").seen, index_sequence(index));
	assert_int_equal(index_dirty_below(index, "a/b/c", &err), 1);
	assert_int_equal(index_dirty_below(index, "a/b/c/l", &err), 0);
	assert_int_equal(index_dirty_below(index, "", &err), 1);
	assert_int_equal(index_dirty_below(index, "ab", &err), 0);
	/* The whole root, marked already but for four. */
	assert_int_equal(index_mark_tree(index, "", 100, 5, &err), 0);
	assert_int_equal(index_dirty_count(index), 8);
	index_close(index);
}

static void an_intent_stays_until_the_work_is_done(void **state) {
	struct index *index = open_memory();
	struct index_dirty got;
	char **paths;

	mark(index, "d/a", 0, 0);
	mark(index, "d/b", 0, 0);
	assert_int_equal(index_dirty_get(index, "d/a", &got, &err), 1);
	assert_false(got.sending);
	index_dirty_release(&got);
	assert_int_equal(index_sending(index, "d/a", 7, "\1\0\2", 3, &err), 0);
	assert_int_equal(index_sending(index, "d/nobody", 7, NULL, 0, &err), 0);
	assert_int_equal(index_again(index, "d/a", INDEX_WHY_RETRY, NULL, 5, 1, &err), 0);
	assert_int_equal(index_dirty_get(index, "d/a", &got, &err), 1);
	assert_true(got.sending && got.sending_kind == 7 && got.sending_hash_len == 3);
	assert_memory_equal(got.sending_hash, "\1\0\2", 3);
	index_dirty_release(&got);
	assert_int_equal(index_find_sending(index, "\0\2", 2, 9, &paths, &err), 0);
	assert_string_equal(paths[0], "d/a");
	assert_null(paths[1]);
	strv_free(paths);
	assert_int_equal(index_find_sending(index, "\1\2", 2, 9, &paths, &err), 0);
	assert_null(paths);
	/* A newer mark keeps the row, not the intent. */
	int64_t covered = index_sequence(index);
	mark(index, "d/a", 1, 0);
	assert_int_equal(index_done(index, "d/a", covered, 5, &err), 0);
	assert_int_equal(index_dirty_get(index, "d/a", &got, &err), 1);
	assert_false(got.sending);
	index_dirty_release(&got);
	index_close(index);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(due_order_is_prio_then_time),
		cmocka_unit_test(a_pair_comes_after_its_like),
		cmocka_unit_test(large_ones_have_room),
		cmocka_unit_test(marks_settle_but_not_for_ever),
		cmocka_unit_test(done_forgets_what_was_covered),
		cmocka_unit_test(again_keeps_since_and_says_why),
		cmocka_unit_test(claims_miss_nothing),
		cmocka_unit_test(what_was_given_up_is_claimed_again),
		cmocka_unit_test(what_is_let_go_is_claimed),
		cmocka_unit_test(a_barrier_hurries_what_it_covers),
		cmocka_unit_test(a_tree_is_marked_whole),
		cmocka_unit_test(an_intent_stays_until_the_work_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
