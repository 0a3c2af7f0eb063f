/* Ids that things get before they are made: kept until the work on their path is done, or for so long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/past.h"

static struct err err;

static void note(
	struct index *index, const char *path, const char *place, const char *id, int64_t now_ns) {
	assert_int_equal(index_making_put(index, path, place, id, now_ns, &err), 0);
}

/* "place=id" in order, those noted from `old_ns` on. */
static void expect(struct index *index, int64_t old_ns, const char *words) {
	struct index_making *rows;
	size_t count;
	char *joined = xstrdup("");

	assert_int_equal(index_making_list(index, old_ns, &rows, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		char *longer =
			xasprintf("%s%s%s=%s", joined, i ? " " : "", rows[i].place, rows[i].id);
		free(joined);
		joined = longer;
	}
	assert_string_equal(joined, words);
	free(joined);
	index_making_free(rows, count);
}

static void work_ends(struct index *index, const char *path) {
	struct index_dirty *rows;
	size_t count;

	assert_int_equal(index_mark(index, path, 1, 0, 1000, 1, NULL, &err), 0);
	assert_int_equal(index_claim_due(index, 1, 10, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].path, path);
	index_dirty_release(&rows[0]);
	free(rows);
	assert_int_equal(index_done(index, path, index_sequence(index), 2, &err), 0);
}

static void until_the_work_is_done(void **state) {
	struct index *index = index_open(NULL, &err);

	expect(index, 0, "");
	note(index, "a/file", "a/file", "1", 10);
	note(index, "a/file", "kept", "2", 10);
	note(index, "b", "b", "3", 10);
	note(index, "", "above/", "4", 10);
	note(index, "b", "b", "5", 11); /* another try */
	expect(index, 10, "a/file=1 above/=4 b=5 kept=2");
	work_ends(index, "a");
	expect(index, 10, "a/file=1 above/=4 b=5 kept=2");
	work_ends(index, "a/file");
	expect(index, 10, "above/=4 b=5");
	index_close(index);
}

static void not_for_ever(void **state) {
	struct index *index = index_open(NULL, &err);

	note(index, "", "above/", "1", 10);
	note(index, "b", "b", "2", 20);
	expect(index, 11, "b=2");
	expect(index, 0, "b=2");
	index_close(index);
}

/* Noted by a life that is over: the next one drops it all the same. */
static void a_later_life_goes_on(void **state) {
	struct index_past *past = index_past_new(4);
	struct index *index = index_past_open(past, &err);

	note(index, "a", "a", "1", 10);
	assert_int_equal(index_commit(index, true, &err), 0);
	note(index, "b", "b", "2", 10);
	index_past_end(past);
	index_close(index);
	index_past_crash(past, 4);
	index = index_past_open(past, &err);
	expect(index, 0, "a=1");
	work_ends(index, "a");
	expect(index, 0, "");
	index_close(index);
	index_past_free(past);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(until_the_work_is_done),
		cmocka_unit_test(not_for_ever),
		cmocka_unit_test(a_later_life_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
