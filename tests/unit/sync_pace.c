/* How often a path that keeps changing may be sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sync/pace.h"

static void test_table(void **state) {
	const struct {
		int64_t took, percent, wait;
	} rows[] = {
		{ 1000, 10, 9000 },
		{ 1000, 50, 1000 },
		{ 1000, 90, 111 },
		{ 1000, 100, 0 },
		{ 1000, 0, 0 },
		{ 0, 10, 0 },
		{ -5, 10, 0 },
		{ 1, 1, 99 },
		{ 99999, 10, 899991 },
		{ 100001, 10, PACE_MAX_MS },
		{ INT64_MAX, 1, PACE_MAX_MS },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(pace_wait_ms(rows[i].took, rows[i].percent), rows[i].wait);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
