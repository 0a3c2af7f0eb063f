/* Times as people say them, in a zone whose clocks change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/base.h"

/* 2026-11-22T14:03:07Z, 15:03:07 in Berlin. */
static const int64_t now = 1795356187 * NS_PER_S + 5 * NS_PER_MS;

static void words(void **state) {
	static const struct {
		const char *text, *wanted; /* NULL: refused */
	} cases[] = {
		{ "now", "2026-11-22T14:03:07.005Z" },
		{ "2026-11-22T14:03:07Z", "2026-11-22T14:03:07.000Z" },
		{ "2026-11-22T14:03:07.250Z", "2026-11-22T14:03:07.250Z" },
		{ "2026-11-22 14:03", "2026-11-22T13:03:00.000Z" },
		{ "2026-11-22T14:03", "2026-11-22T13:03:00.000Z" },
		{ "2026-11-22 14:03:09", "2026-11-22T13:03:09.000Z" },
		{ "2026-07-22 14:03", "2026-07-22T12:03:00.000Z" }, /* summer time */
		{ "2026-11-22", "2026-11-21T23:00:00.000Z" },
		{ "14:00", "2026-11-22T13:00:00.000Z" },
		{ "9:05", "2026-11-22T08:05:00.000Z" },
		{ "today 14:00:30", "2026-11-22T13:00:30.000Z" },
		{ "yesterday 14:00", "2026-11-21T13:00:00.000Z" },
		{ "yesterday", "2026-11-21T14:03:07.000Z" },
		{ "2h ago", "2026-11-22T12:03:07.005Z" },
		{ "1h30m ago", "2026-11-22T12:33:07.005Z" },
		{ "3d ago", "2026-11-19T14:03:07.005Z" },
		{ "0 ago", "2026-11-22T14:03:07.005Z" },
		{ "90m", "2026-11-22T12:33:07.005Z" },
		{ "1h30m", "2026-11-22T12:33:07.005Z" },
		{ "none", NULL },
		{ "-1h", NULL },
		{ "", NULL },
		{ "ago", NULL },
		{ " ago", NULL },
		{ "-2h ago", NULL },
		{ "2 ago", NULL },
		{ "999999d ago", NULL },
		{ "24:00", NULL },
		{ "14:60", NULL },
		{ "14", NULL },
		{ "14:", NULL },
		{ "14:00 ", NULL },
		{ "14:00x", NULL },
		{ "-1:00", NULL },
		{ "1:-5", NULL },
		{ "tomorrow", NULL },
		{ "today", NULL },
		{ "yesterday14:00", NULL },
		{ "yesterday ", NULL },
		{ "2026-11-31", NULL },
		{ "2026-13-01", NULL },
		{ "2026-11-22 ", NULL },
		{ "2026-11-22 25:00", NULL },
		{ "2026-11-22T14:03:07", "2026-11-22T13:03:07.000Z" },
		{ "26-11-22", NULL },
		{ "2026-1-2", NULL },
		{ "1969-12-31", NULL },
		{ "2261-12-31", "2261-12-30T23:00:00.000Z" },
		{ "2262-01-01", NULL },
		{ "9999-12-31 23:59", NULL },
	};
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[TIME_TEXT_SIZE] = "";
		int64_t found = 0;
		int rc = time_parse_words(cases[i].text, now, &found);
		if (rc == 0) time_format(found, text);
		if ((rc == 0) != (cases[i].wanted != NULL))
			fail_msg("'%s': %d %s", cases[i].text, rc, text);
		if (rc == 0) assert_string_equal(text, cases[i].wanted);
	}
}

static void over_the_first_of_a_month(void **state) {
	char text[TIME_TEXT_SIZE];
	int64_t first, found;
	assert_int_equal(time_parse("2026-03-01T10:00:00Z", &first), 0);
	assert_int_equal(time_parse_words("yesterday 14:00", first, &found), 0);
	time_format(found, text);
	assert_string_equal(text, "2026-02-28T13:00:00.000Z");
}

static void local_form(void **state) {
	char text[TIME_TEXT_SIZE];
	time_format_local(now, text);
	assert_string_equal(text, "2026-11-22 15:03:07");
	int64_t back;
	assert_int_equal(time_parse_words(text, 0, &back), 0);
	assert_int_equal(back / NS_PER_S, now / NS_PER_S);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(over_the_first_of_a_month),
		cmocka_unit_test(local_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
