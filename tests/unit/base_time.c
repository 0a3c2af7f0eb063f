#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

/* 2026-11-22T14:03:07Z (date -u -d … +%s) */
static const int64_t november = 1795356187 * NS_PER_S;

static void durations(void **state) {
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
		const char *formatted;
	} cases[] = {
		{ "0", 0, "0s" },
		{ "0s", 0, "0s" },
		{ "500ms", 500, "500ms" },
		{ "1500ms", 1500, "1s500ms" },
		{ "30s", 30000, "30s" },
		{ "10m", 600000, "10m" },
		{ "90m", 5400000, "1h30m" },
		{ "6h", 21600000, "6h" },
		{ "30d", INT64_C(2592000000), "30d" },
		{ "1h30m", 5400000, "1h30m" },
		{ "1d2h3m4s5ms", 93784005, "1d2h3m4s5ms" },
		{ "", -1, NULL },
		{ "5", -1, NULL },
		{ "m", -1, NULL },
		{ "5x", -1, NULL },
		{ "-5s", -1, NULL },
		{ "5 s", -1, NULL },
		{ " 5s", -1, NULL },
		{ "1.5h", -1, NULL },
		{ "1h30", -1, NULL },
		{ "99999999999999999999s", -1, NULL },
		{ "9223372036854775807d", -1, NULL },
		{ "106751991167d106751991167d", -1, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1;
		char text[64];
		assert_int_equal(duration_parse(cases[i].text, &ms), cases[i].ms < 0 ? -1 : 0);
		assert_true(ms == cases[i].ms);
		if (ms < 0) continue;
		duration_format(ms, text, sizeof(text));
		assert_string_equal(text, cases[i].formatted);
	}
}

static void durations_in_little_room(void **state) {
	static const struct {
		int64_t ms;
		size_t size;
		const char *text;
	} cases[] = {
		{ 93784005, 6, "1d2h" },
		{ 93784005, 5, "1d2h" },
		{ 93784005, 4, "1d" },
		{ 93784005, 1, "" },
		{ -5400000, 32, "-1h30m" },
		{ INT64_MIN, 64, "-106751991167d7h12m55s808ms" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		duration_format(cases[i].ms, text, cases[i].size);
		assert_string_equal(text, cases[i].text);
	}
}

static void sizes(void **state) {
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "123", 123 },
		{ "123B", 123 },
		{ "64KiB", 65536 },
		{ "16MiB", 16777216 },
		{ "2GiB", INT64_C(2147483648) },
		{ "1TiB", INT64_C(1099511627776) },
		{ "10MB", 10000000 },
		{ "1kB", 1000 },
		{ "1KB", 1000 },
		{ "3GB", INT64_C(3000000000) },
		{ "", -1 },
		{ "MiB", -1 },
		{ "1mib", -1 },
		{ "1.5MiB", -1 },
		{ "-1", -1 },
		{ "1 MiB", -1 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", -1 },
		{ "9007199254740992TiB", -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t bytes = -1;
		int rc = size_parse(cases[i].text, &bytes);
		assert_int_equal(rc, cases[i].bytes < 0 ? -1 : 0);
		if (rc == 0) assert_true(bytes == cases[i].bytes);
	}
}

static void sizes_as_text(void **state) {
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1572864, "1.5 MiB" },
		{ 1048575, "1.0 MiB" }, /* not "1024.0 KiB" */
		{ INT64_C(5368709120), "5.0 GiB" },
		{ INT64_MAX, "8.0 EiB" },
		{ -2048, "-2.0 KiB" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[32];
		size_format(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void times(void **state) {
	const struct {
		int64_t ns;
		const char *text, *compact;
	} cases[] = {
		{ november + 123 * NS_PER_MS, "2026-11-22T14:03:07.123Z", "20261122T140307.123Z" },
		{ 0, "1970-01-01T00:00:00.000Z", "19700101T000000.000Z" },
		{ -NS_PER_MS, "1969-12-31T23:59:59.999Z", "19691231T235959.999Z" },
		{ 951782400 * NS_PER_S, "2000-02-29T00:00:00.000Z", "20000229T000000.000Z" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[TIME_TEXT_SIZE];
		int64_t ns = 1;
		time_format(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(time_parse(text, &ns), 0);
		assert_true(ns == cases[i].ns);
		time_format_compact(cases[i].ns, text);
		assert_string_equal(text, cases[i].compact);
		assert_int_equal(time_parse_compact(text, &ns), 0);
		assert_true(ns == cases[i].ns);
	}
	/* Every time there is fits the text. */
	char text[TIME_TEXT_SIZE];
	time_format(INT64_MAX, text);
	assert_string_equal(text, "2262-04-11T23:47:16.854Z");
	time_format(INT64_MIN, text);
	assert_string_equal(text, "1677-09-21T00:12:43.145Z");
}

static void times_in_other_forms(void **state) {
	static const struct {
		const char *text;
		int64_t ns; /* after 2026-11-22T14:03:07Z; -1: refused */
	} cases[] = {
		{ "2026-11-22T14:03:07Z", 0 },
		{ "2026-11-22T14:03:07.5Z", 500000000 },
		{ "2026-11-22T14:03:07.123456789Z", 123456789 },
		{ "2026-11-22T14:03:07.1234567891Z", -1 },
		{ "2026-11-22T14:03:07.Z", -1 },
		{ "2026-11-22T14:03:07", -1 },
		{ "2026-11-22T14:03:07+00:00", -1 },
		{ "2026-11-22 14:03:07Z", -1 },
		{ "2026-13-22T14:03:07Z", -1 },
		{ "2026-00-22T14:03:07Z", -1 },
		{ "2026-02-29T14:03:07Z", -1 },
		{ "2026-11-22T24:03:07Z", -1 },
		{ "2026-11-22T14:60:07Z", -1 },
		{ "9999-11-22T14:03:07Z", -1 },
		{ "2026-11-22T14:03:07Zx", -1 },
		{ "2026-1-22T14:03:07Z", -1 },
		{ "20261122T140307.123Z", -1 },
		{ "", -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ns = 0;
		int rc = time_parse(cases[i].text, &ns);
		assert_int_equal(rc, cases[i].ns < 0 ? -1 : 0);
		if (rc == 0) assert_true(ns == november + cases[i].ns);
	}
}

static void http_times(void **state) {
	static const struct {
		const char *text;
		int rc;
		int64_t seconds;
	} cases[] = {
		{ "Sun, 22 Nov 2026 14:03:07 GMT", 0, 1795356187 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777 }, /* RFC 9110 §5.6.7 */
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0, 0 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 0, 1483228800 }, /* a leap second */
		{ "Sun, 22 Nov 2026 14:03:07 UTC", -1, 0 },
		{ "Sun, 22 Nox 2026 14:03:07 GMT", -1, 0 },
		{ "Sun, 22 anF 2026 14:03:07 GMT", -1, 0 },
		{ "Sux, 22 Nov 2026 14:03:07 GMT", -1, 0 },
		{ "Sun, 2 Nov 2026 14:03:07 GMT", -1, 0 },
		{ "Sun, 31 Nov 2026 14:03:07 GMT", -1, 0 },
		{ "Sun, 22 Nov 2026 14:03:07 GMT ", -1, 0 },
		{ "120", -1, 0 },
		{ "", -1, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ns = 0;
		assert_int_equal(time_parse_http(cases[i].text, &ns), cases[i].rc);
		assert_true(ns == cases[i].seconds * NS_PER_S);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(durations_in_little_room),
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_as_text),
		cmocka_unit_test(times),
		cmocka_unit_test(times_in_other_forms),
		cmocka_unit_test(http_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
