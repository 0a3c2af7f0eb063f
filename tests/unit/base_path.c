#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"

static void expect(char *got, const char *want) {
	assert_string_equal(got, want);
	free(got);
}

static void join(void **state) {
	static const char *const cases[][3] = {
		{ "a", "b", "a/b" },
		{ "", "b", "b" },
		{ "a", "", "a" },
		{ "", "", "" },
		{ "a/", "b", "a/b" },
		{ "a", "/b", "a/b" },
		{ "a/", "/b", "a/b" },
		{ "/", "b", "/b" },
		{ "/a", "b/c", "/a/b/c" },
		{ "/", "", "/" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(path_join(cases[i][0], cases[i][1]), cases[i][2]);
}

static void clean(void **state) {
	static const char *const cases[][2] = {
		{ "a//b/./c/", "a/b/c" },
		{ "", "" },
		{ ".", "" },
		{ "./", "" },
		{ "/", "/" },
		{ "//", "/" },
		{ "/.", "/" },
		{ "/./a", "/a" },
		{ "a/../b", "a/../b" },
		{ "..", ".." },
		{ "/a//", "/a" },
		{ "./a", "a" },
		{ ".a/..b/...", ".a/..b/..." },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) expect(path_clean(cases[i][0]), cases[i][1]);
}

static void name_and_parent(void **state) {
	static const char *const cases[][3] = {
		/* path, name, parent */
		{ "a/b", "b", "a" },
		{ "b", "b", "" },
		{ "/b", "b", "/" },
		{ "a/b/c", "c", "a/b" },
		{ "", "", "" },
		{ "/", "", "/" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(path_name(cases[i][0]), cases[i][1]);
		expect(path_parent(cases[i][0]), cases[i][2]);
	}
	const char *path = "/a/bc/d";
	assert_ptr_equal(path_last_slash(path, 7), path + 5);
	assert_ptr_equal(path_last_slash(path, 6), path + 5);
	assert_ptr_equal(path_last_slash(path, 5), path + 2);
	assert_ptr_equal(path_last_slash(path, 2), path);
	assert_null(path_last_slash(path, 0));
	assert_null(path_last_slash("ab", 2));
}

static void within(void **state) {
	static const struct {
		const char *path, *dir;
		bool within;
	} cases[] = {
		{ "a/b", "a", true },
		{ "a", "a", true },
		{ "ab", "a", false },
		{ "a", "a/b", false },
		{ "a", "", true },
		{ "", "", true },
		{ "/a", "", false },
		{ "/a", "/", true },
		{ "/", "/", true },
		{ "/ab/c", "/a", false },
		{ "b/a", "a", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(path_is_within(cases[i].path, cases[i].dir), cases[i].within);
	}
}

static void plain(void **state) {
	static const struct {
		const char *path;
		bool plain;
	} cases[] = {
		{ "a", true },
		{ "a/b", true },
		{ "...", true },
		{ ".a", true },
		{ "a/..b", true },
		{ "a/b.", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ "a/", false },
		{ "a//b", false },
		{ ".", false },
		{ "..", false },
		{ "a/.", false },
		{ "a/..", false },
		{ "../a", false },
		{ "a/../b", false },
		{ "./a", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(path_is_plain(cases[i].path), cases[i].plain);
	}
}

static void flatten(void **state) {
	static const char *const cases[][2] = {
		{ "", "%" },
		{ "a/b", "a%2Fb" },
		{ "A-z_0.~", "A-z_0.~" },
		{ ".", "%2E" },
		{ "..", "%2E%2E" },
		{ "a b%", "a%20b%25" },
		{ "\xc3\xa9", "%C3%A9" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(path_flatten(cases[i][0]), cases[i][1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(join),
		cmocka_unit_test(clean),
		cmocka_unit_test(name_and_parent),
		cmocka_unit_test(within),
		cmocka_unit_test(plain),
		cmocka_unit_test(flatten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
