/* How long what is to be done will take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sync/estimate.h"

static void by_what_is_known_first(void **state) {
	const struct estimate none = { 0 };
	const struct {
		int64_t pending;
		double known;
		int64_t left_s;
	} rows[] = {
		{ 0, 2.5, -1 },
		{ 1, 2.5, 1 },
		{ 1000, 2.5, 400 },
		{ 1001, 2.5, 401 },
		{ 60000, 2.5, 24000 },
		{ 1000, 0, -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			estimate_left_s(&none, rows[i].pending, rows[i].known, 5), rows[i].left_s);
}

static void then_by_what_was_done(void **state) {
	struct estimate e = { 0 };
	int64_t now = 1000;

	estimate_begin(&e, now);
	for (int i = 1; i <= 59; i++) estimate_done(&e, now + i * 1000);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, now + 59000), 40);
	estimate_done(&e, now + 60000); /* one a second */
	assert_int_equal(estimate_left_s(&e, 100, 2.5, now + 60000), 100);
	/* Faster in the next minute: the minute before counts until that is over. */
	for (int i = 1; i < 240; i++) estimate_done(&e, now + 60000 + i * 250);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, now + 119750), 100);
	estimate_done(&e, now + 120000);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, now + 120000), 25);
}

static void what_stands_is_not_told_to_end_soon(void **state) {
	struct estimate e = { 0 };

	estimate_begin(&e, 1);
	estimate_done(&e, 30001);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, 40001), 40);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, 100001), 10000);
	estimate_end(&e);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, 200001), 40);
	estimate_begin(&e, 200001);
	assert_int_equal(estimate_left_s(&e, 100, 2.5, 260001), -1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_what_is_known_first),
		cmocka_unit_test(then_by_what_was_done),
		cmocka_unit_test(what_stands_is_not_told_to_end_soon),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
