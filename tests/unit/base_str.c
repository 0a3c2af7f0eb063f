#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void expect(char *got, const char *want) {
	assert_string_equal(got, want);
	free(got);
}

static void copies(void **state) {
	(void)state;
	assert_null(xstrdup(NULL));
	expect(xstrdup("abc"), "abc");
	expect(xstrndup("abc", 2), "ab");
	expect(xstrndup("abc", 9), "abc");
	expect(xasprintf("%s-%d", "a", 7), "a-7");
	char *bytes = xmemdup("a\0b", 4);
	assert_memory_equal(bytes, "a\0b", 4);
	free(bytes);
	/* Nothing is still an address of its own. */
	void *none[] = { xmalloc(0), xcalloc(0, 8), xrealloc(NULL, 0), xmemdup(NULL, 0) };
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_non_null(none[i]);
		free(none[i]);
	}
}

static void compares(void **state) {
	(void)state;
	assert_true(str_equal("a", "a"));
	assert_false(str_equal("a", "b"));
	assert_false(str_equal(NULL, ""));
	assert_false(str_equal("", NULL));
	assert_true(str_equal(NULL, NULL));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("ab", "abc"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("bc", "abc"));
	assert_false(str_ends("abc", "ab"));
}

static void trims(void **state) {
	static const char *const cases[][2] = {
		{ "  a b \t\r\n", "a b" },
		{ "", "" },
		{ " \n ", "" },
		{ "x", "x" },
		{ "\va\f", "a" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[32];
		snprintf(text, sizeof(text), "%s", cases[i][0]);
		str_trim(text);
		assert_string_equal(text, cases[i][1]);
	}
}

static void integers(void **state) {
	static const struct {
		const char *text;
		int64_t min, max;
		int rc;
		int64_t value;
	} cases[] = {
		{ "0", 0, 9, 0, 0 },
		{ "9", 0, 9, 0, 9 },
		{ "10", 0, 9, -1, 0 },
		{ "-1", 0, 9, -1, 0 },
		{ "-5", -5, 5, 0, -5 },
		{ "007", 0, 9, 0, 7 },
		{ "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, 0, 0, INT64_MIN },
		{ "9223372036854775808", INT64_MIN, INT64_MAX, -1, 0 },
		{ "", 0, 9, -1, 0 },
		{ "-", -9, 9, -1, 0 },
		{ "+1", 0, 9, -1, 0 },
		{ " 1", 0, 9, -1, 0 },
		{ "1 ", 0, 9, -1, 0 },
		{ "1x", 0, 9, -1, 0 },
		{ "0x1", 0, 9, -1, 0 },
		{ "--1", -9, 9, -1, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t value = 0;
		assert_int_equal(
			str_to_int(cases[i].text, cases[i].min, cases[i].max, &value), cases[i].rc);
		assert_true(value == cases[i].value);
	}
}

static void concatenates(void **state) {
	static const char *const cases[][3] = { { "", "", "" }, { "a", "", "a" }, { "", "b", "b" },
		{ "x: ", "y z", "x: y z" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *got = xconcat(cases[i][0], cases[i][1]);
		assert_string_equal(got, cases[i][2]);
		free(got);
	}
}

static void puts_numbers(void **state) {
	static const int64_t cases[] = { 0, 9, 10, -1, 1764198000123456789, INT64_MAX, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char got[21], *end = str_put_int(got, cases[i]);
		char *expected = xasprintf("%lld", (long long)cases[i]);
		*end = '\0';
		assert_string_equal(got, expected);
		free(expected);
	}
}

static void nearest(void **state) {
	static const char *const names[] = { "interval", "path", "remote", "mode", "max_delete",
		NULL };
	static const char *const cases[][2] = {
		{ "interva", "interval" },
		{ "intreval", "interval" },
		{ "paht", "path" },
		{ "pathx", "path" },
		{ "mdoe", "mode" },
		{ "max-delete", "max_delete" },
		{ "mode", "mode" },
		{ "xyzzy", NULL },
		{ "", NULL },
		{ "q", NULL },
		{ "remotes", "remote" },
		{ "bandwidth", NULL },
	};
	char *long_word = xmalloc(5001);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = str_nearest(cases[i][0], names);
		if (cases[i][1]) {
			assert_string_equal(got, cases[i][1]);
		} else {
			assert_null(got);
		}
	}
	memset(long_word, 'a', 5000);
	long_word[5000] = '\0';
	assert_null(str_nearest(long_word, names));
	assert_null(str_nearest("path", (const char *const[]){ long_word, NULL }));
	free(long_word);
}

static void vectors(void **state) {
	char **vector = NULL;

	(void)state;
	assert_int_equal(strv_count(NULL), 0);
	assert_null(strv_dup(NULL));
	strv_add(&vector, "a");
	strv_add_owned(&vector, xstrdup("b"));
	assert_int_equal(strv_count(vector), 2);
	char **copy = strv_dup(vector);
	assert_true(strv_equal(vector, copy));
	assert_true(strv_has((const char *const *)copy, copy[0]));
	assert_false(strv_has((const char *const *)copy, "nowhere"));
	assert_false(strv_has(NULL, "nowhere"));
	strv_add(&copy, "c");
	assert_false(strv_equal(vector, copy));
	free(copy[2]);
	copy[2] = NULL;
	copy[1][0] = 'x';
	assert_false(strv_equal(vector, copy));
	assert_true(strv_equal(NULL, NULL));
	assert_true(strv_equal(NULL, (char *[]){ NULL }));
	strv_free(vector);
	strv_free(copy);
	strv_free(NULL);
}

static void percent(void **state) {
	static const struct {
		const char *text, *keep, *coded;
	} cases[] = {
		{ "a b", "", "a%20b" },
		{ "a/b", "/", "a/b" },
		{ "a/b", "", "a%2Fb" },
		{ "", "", "" },
		{ "A-Z_0.~", "", "A-Z_0.~" },
		{ "\xff+", "", "%FF%2B" },
		{ "100%", "", "100%25" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *coded = str_percent_encode(cases[i].text, cases[i].keep);
		assert_string_equal(coded, cases[i].coded);
		assert_int_equal(str_percent_decode(coded), strlen(cases[i].text));
		assert_string_equal(coded, cases[i].text);
		free(coded);
	}
}

static void percent_escapes(void **state) {
	static const struct {
		const char *text;
		long len;
		const char *decoded;
	} cases[] = {
		{ "%41", 1, "A" },
		{ "%4a%4A", 2, "JJ" },
		{ "%00", 1, "" },
		{ "a+b", 3, "a+b" },
		{ "%", -1, NULL },
		{ "%4", -1, NULL },
		{ "%zz", -1, NULL },
		{ "%4g", -1, NULL },
		{ "a%", -1, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = xstrdup(cases[i].text);
		assert_int_equal(str_percent_decode(text), cases[i].len);
		if (cases[i].decoded) assert_string_equal(text, cases[i].decoded);
		free(text);
	}
}

static void utf8(void **state) {
	static const struct {
		const char *text;
		bool good;
		const char *printable;
	} cases[] = {
		{ "plain", true, "plain" }, { "", true, "" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true,
			"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xff", false, "\\xff" }, { "a\x80z", false, "a\\x80z" },
		{ "\xc3", false, "\\xc3" }, { "\xc0\xaf", false, "\\xc0\\xaf" }, /* overlong */
		{ "\xe0\x80\xaf", false, "\\xe0\\x80\\xaf" },                    /* overlong */
		{ "\xed\xa0\x80", false, "\\xed\\xa0\\x80" },                    /* a surrogate */
		{ "\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
		{ "\xf0\x8f\xbf\xbf", false, "\\xf0\\x8f\\xbf\\xbf" }, /* overlong */
		{ "a\tb\nc\x1b[2J\x7f", true,
			"a\\x09b\\x0ac\\x1b[2J\\x7f" }, /* valid, but not for a terminal */
		{ "\xc2\x9b", true, "\\xc2\\x9b" },     /* a C1 control */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(str_is_utf8(cases[i].text, strlen(cases[i].text)), cases[i].good);
		expect(str_printable(cases[i].text), cases[i].printable);
	}
	assert_true(str_is_utf8("a\0b", 3));
	assert_false(str_is_utf8("\xe2\x82\xac", 2)); /* cut */
}

static void joins(void **state) {
	const char *const parts[] = { "a", "", "bc", "d" };

	(void)state;
	expect(xjoin(parts, 4), "abcd");
	expect(xjoin(parts, 0), "");
	/* Around what xasprintf has at hand. */
	for (int len = 250; len < 260; len++) {
		char *text = xasprintf("%*d", len, 7);
		assert_int_equal(strlen(text), len);
		assert_int_equal(text[len - 1], '7');
		free(text);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(compares),
		cmocka_unit_test(trims),
		cmocka_unit_test(integers),
		cmocka_unit_test(concatenates),
		cmocka_unit_test(joins),
		cmocka_unit_test(puts_numbers),
		cmocka_unit_test(nearest),
		cmocka_unit_test(vectors),
		cmocka_unit_test(percent),
		cmocka_unit_test(percent_escapes),
		cmocka_unit_test(utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
