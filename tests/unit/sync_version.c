/* The rules of kept versions: names, what thins, what stood at a time. Times in the tables are minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "sync/version.h"

#define MINUTE_NS (60 * NS_PER_S)
enum { HOUR = 60, DAY = 1440, NONE = -1 };

static void names_go_there_and_back(void **state) {
	struct version_span version = { .ended_ns = INT64_C(1795356187123999999),
		.born_ns = 1000000000 };
	char name[VERSION_NAME_SIZE];
	version_name(&version, name);
	assert_string_equal(name, "20261122T140307.123Z~19700101T000001.000Z");
	assert_int_equal(version_name_parse(name, &version), 0);
	assert_int_equal(version.ended_ns, INT64_C(1795356187123000000));
	assert_int_equal(version.born_ns, INT64_C(1000000000));
	assert_false(version.deleted);
	version.deleted = true;
	version_name(&version, name);
	assert_string_equal(name, "20261122T140307.123Z~19700101T000001.000Z~deleted");
	assert_int_equal(version_name_parse(name, &version), 0);
	assert_true(version.deleted);
	static const char *const bad[] = { "", "~", "a~b", "20261122T140307.123Z",
		"20261122T140307.123Z~", "~20261122T140307.123Z",
		"20261122T140307.123Z~20261122T140307.123Z~",
		"20261122T140307.123Z~20261122T140307.123Z/x",
		"20261322T140307.123Z~20261122T140307.123Z", "20261122T140307.123Z~deleted",
		"~deleted", "20261122T140307.123Z~20261122T140307.123Z~deleted~deleted",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000~20261122T140307.123Z" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(version_name_parse(bad[i], &version), -1);
}

/* ---- thinning ---- */

struct row {
	int born, ended; /* minutes before now: larger is older */
	bool goes;
	bool deleted;
};

struct thin_case {
	const char *what;
	int keep;    /* minutes */
	int current; /* minutes before now; NONE: nothing stands there */
	struct row rows[12];
};

/* Now is 30 minutes past an hour and 12:30 of a day, so that the slots' bounds are where one can count. */
#define NOW_NS (20000 * 24 * 60 * MINUTE_NS + (12 * 60 + 30) * MINUTE_NS)

static const struct thin_case thin_cases[] = {
	{ "all of the last hour", 30 * DAY, 1,
		{ { 60, 59, false, false }, { 59, 30, false, false }, { 30, 29, false, false },
			{ 29, 1, false, false } } },
	{ "one an hour: the newest of each", 30 * DAY, 5,
		{ { 1000, 149, true, false }, { 149, 120, true, false }, { 120, 91, false, false },
			{ 91, 89, true, false }, { 89, 70, false, false }, { 70, 59, false, false },
			{ 59, 5, false, false } } },
	{ "one a day", 30 * DAY, 5,
		{ { 9000, 3 * DAY + 100, true, false }, { 3 * DAY + 100, 3 * DAY, false, false },
			{ 3 * DAY, 2 * DAY + 50, true, false },
			{ 2 * DAY + 50, 2 * DAY - 600, false, false },
			{ 2 * DAY - 600, 5, false, false } } },
	{ "after keep all go", 2 * DAY, 5,
		{ { 9000, 2 * DAY + 1, true, false }, { 2 * DAY + 1, 2 * DAY, false, false },
			{ 2 * DAY, 5, false, false } } },
	{ "the last before a deletion stays", 30 * DAY, NONE,
		{ { 9000, 125, true, false }, { 125, 124, false, true }, { 123, 122, true, false },
			{ 122, 110, false, false } } },
	{ "deleted and made again", 30 * DAY, 100,
		{ { 9000, 125, true, false }, { 125, 120, false, true },
			{ 110, 105, false, false } } },
	{ "the last before a deletion goes after keep as well", 2 * DAY, NONE,
		{ { 9000, 2 * DAY + 1, true, false } } },
	{ "a short keep", HOUR, 5,
		{ { 9000, 61, true, false }, { 61, 60, false, false }, { 60, 5, false, false } } },
	{ "a clock that was set back removes nothing", 30 * DAY, -500,
		{ { 5, -200, false, false }, { -200, -201, false, false },
			{ -201, -500, false, false } } },
	{ "no keep, nothing goes", 0, NONE,
		{ { 9000, 8000, false, false }, { 8000, 7999, false, false } } },
};

static size_t spans_of(const struct row *rows, struct version_span *spans) {
	size_t count = 0;
	for (; rows[count].born || rows[count].ended; count++) {
		spans[count].born_ns = NOW_NS - rows[count].born * MINUTE_NS;
		spans[count].ended_ns = NOW_NS - rows[count].ended * MINUTE_NS;
		spans[count].deleted = rows[count].deleted;
	}
	return count;
}

static int64_t current_of(int current) {
	return current == NONE ? VERSION_NONE : NOW_NS - current * MINUTE_NS;
}

static void thins(void **state) {
	for (size_t i = 0; i < ARRAY_LEN(thin_cases); i++) {
		const struct thin_case *c = &thin_cases[i];
		struct version_span spans[12] = { 0 };
		size_t count = spans_of(c->rows, spans);
		version_thin(
			spans, count, current_of(c->current), NOW_NS, c->keep * INT64_C(60000));
		for (size_t k = 0; k < count; k++) {
			if (spans[k].goes != c->rows[k].goes)
				fail_msg("%s: version %zu %s", c->what, k,
					spans[k].goes ? "goes" : "stays");
		}
	}
}

/* A file that changes every seven minutes for forty days, looked at again whenever it is said to be worth it: nothing within keep is
 * thinned beyond the rule, whatever the moments of the looks; and looking in between changes nothing. */
static void thins_the_same_at_any_pace(void **state) {
	enum { COUNT = 40 * DAY / 7 };
	struct version_span *spans = xcalloc(COUNT, sizeof(*spans));
	size_t count = 0;
	int64_t keep_ms = INT64_C(30) * DAY * 60000,
		start_ns = NOW_NS - 40 * (int64_t)DAY * MINUTE_NS;
	int64_t look_ns = 0;
	for (int i = 0; i < COUNT; i++) {
		int64_t now_ns = start_ns + (i + 1) * 7 * MINUTE_NS;
		spans[count].born_ns = now_ns - 7 * MINUTE_NS;
		spans[count++].ended_ns = now_ns;
		if (now_ns < look_ns) {
			/* Not yet: then there is nothing to find. */
			version_thin(spans, count, now_ns, now_ns, keep_ms);
			for (size_t k = 0; k < count; k++) assert_false(spans[k].goes);
			continue;
		}
		look_ns = version_thin(spans, count, now_ns, now_ns, keep_ms);
		size_t left = 0;
		for (size_t k = 0; k < count; k++) {
			if (!spans[k].goes) spans[left++] = spans[k];
		}
		count = left;
	}
	/* The last hour 9, a day by hours 23 or 24, then days: about 30. */
	assert_in_range(count, 9 + 23 + 28, 9 + 25 + 31);
	for (int day = 1; day < 29; day++) {
		bool found = false;
		int64_t from_ns = NOW_NS - (day + 1) * (int64_t)DAY * MINUTE_NS;
		for (size_t k = 0; k < count; k++)
			found |= spans[k].ended_ns >= from_ns &&
				 spans[k].ended_ns < from_ns + DAY * MINUTE_NS;
		if (!found) fail_msg("nothing of %d days ago", day);
	}
	free(spans);
}

/* ---- what stood there ---- */

struct at_case {
	int current, at;
	long wanted;
	struct row rows[5];
};

static const struct at_case at_cases[] = {
	{ 10, 35, 1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 }, { 30, 10, 0, 0 } } },
	{ 10, 40, 1,
		{ { 50, 40, 0, 0 }, { 40, 30, 0, 0 },
			{ 30, 10, 0, 0 } } }, /* the new one's first moment */
	{ 10, 51, -1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 }, { 30, 10, 0, 0 } } },
	{ 10, 10, 3, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 }, { 30, 10, 0, 0 } } },
	{ 10, 0, 3, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 }, { 30, 10, 0, 0 } } },
	{ 10, 25, -1, { { 50, 40, 0, 0 }, { 40, 30, 0, 1 } } }, /* it was deleted, and came again */
	{ 10, 25, 1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 } } },  /* what followed was thinned away */
	{ 10, 35, 0, { { 50, 40, 0, 0 }, { 32, 30, 0, 0 } } },
	{ NONE, 25, -1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 } } },
	{ NONE, 0, -1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 } } },
	{ NONE, 31, 1, { { 50, 40, 0, 0 }, { 40, 30, 0, 0 } } },
	{ 10, 5, 0, { { 0, 0, 0, 0 } } },
	{ 10, 15, -1, { { 0, 0, 0, 0 } } },
	/* What was adopted has the age of its file: older than the end of what stood there before it. */
	{ 90, 35, 1, { { 50, 40, 0, 0 }, { 95, 30, 0, 0 } } },
	{ 90, 45, 0, { { 50, 40, 0, 0 }, { 95, 30, 0, 0 } } },
	{ 90, 29, 2, { { 50, 40, 0, 0 }, { 95, 30, 0, 0 } } },
};

static void finds_what_stood_there(void **state) {
	for (size_t i = 0; i < ARRAY_LEN(at_cases); i++) {
		const struct at_case *c = &at_cases[i];
		struct version_span spans[5] = { 0 };
		size_t count = spans_of(c->rows, spans);
		long found = version_at(
			spans, count, current_of(c->current), NOW_NS - c->at * MINUTE_NS);
		if (found != c->wanted)
			fail_msg("case %zu: %ld in place of %ld", i, found, c->wanted);
	}
	/* Of what stands there nobody knows since when: since the last one ended. */
	struct version_span spans[5] = { 0 };
	size_t count = spans_of(at_cases[0].rows, spans);
	assert_int_equal(version_at(spans, count, 0, NOW_NS - 5 * MINUTE_NS), 3);
	assert_int_equal(version_at(spans, count, 0, NOW_NS - 35 * MINUTE_NS), 1);
	assert_int_equal(version_at(spans, 0, 0, NOW_NS - 35 * MINUTE_NS), 0);
}

static void clocks_must_agree(void **state) {
	int64_t ten_ns = 10 * MINUTE_NS;
	assert_null(version_prune_forbidden(NOW_NS, NOW_NS));
	assert_null(version_prune_forbidden(NOW_NS + ten_ns, NOW_NS));
	assert_null(version_prune_forbidden(NOW_NS - ten_ns, NOW_NS));
	assert_non_null(version_prune_forbidden(NOW_NS + ten_ns + 1, NOW_NS));
	assert_non_null(version_prune_forbidden(NOW_NS - ten_ns - 1, NOW_NS));
	assert_non_null(version_prune_forbidden(NOW_NS + 400 * DAY * MINUTE_NS, NOW_NS));
	assert_non_null(version_prune_forbidden(NOW_NS, 0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(thins),
		cmocka_unit_test(thins_the_same_at_any_pace),
		cmocka_unit_test(finds_what_stood_there),
		cmocka_unit_test(clocks_must_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
