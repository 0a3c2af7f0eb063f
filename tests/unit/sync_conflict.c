/* The name that one of two edits gets: tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sync/internal.h"

enum { WALL_S = 1795356185 };

static void names_are_told_apart(void **state) {
	static const struct {
		const char *path, *host, *other;
	} cases[] = {
		{ "notes.txt", "vm", "notes (conflict vm 2026-11-22 14.03.05).txt" },
		{ "a/b/notes", "vm", "a/b/notes (conflict vm 2026-11-22 14.03.05)" },
		{ "a.b/notes", "vm", "a.b/notes (conflict vm 2026-11-22 14.03.05)" },
		{ ".profile", "vm", ".profile (conflict vm 2026-11-22 14.03.05)" },
		{ "x.tar.gz", "vm", "x.tar (conflict vm 2026-11-22 14.03.05).gz" },
		{ "ends.", "vm", "ends. (conflict vm 2026-11-22 14.03.05)" },
		{ "n", "a/b", "n (conflict a-b 2026-11-22 14.03.05)" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *other = conflict_name(cases[i].path, cases[i].host, WALL_S * NS_PER_S);
		assert_string_equal(other, cases[i].other);
		free(other);
	}
}

static void they_stay_names(void **state) {
	(void)state;
	char name[256], host[300];
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = 0;
	for (size_t len = 1; len <= 255; len++) {
		for (size_t at = 0; at < len; at++) name[at] = at % 2 ? '\xa4' : '\xc3';
		name[len & ~(size_t)1] = 0; /* whole characters */
		if (!*name) continue;
		char *other = conflict_name(name, host, 0);
		assert_true(strlen(other) <= 255);
		assert_true(str_is_utf8(other, strlen(other)));
		assert_string_not_equal(other, name);
		free(other);
	}
	/* What is no extension by its length is none. */
	memset(name, 'e', 254);
	name[1] = '.';
	name[254] = 0;
	char *other = conflict_name(name, "vm", 0);
	assert_true(strlen(other) <= 255 && strstr(other, "(conflict vm"));
	free(other);
}

static void whose_the_copy_is(void **state) {
	(void)state;
	assert_true(conflict_is_theirs("dir/a (conflict remote 2026-11-22 14.03.05).txt"));
	assert_true(conflict_is_theirs(
		"a (conflict box 2026-11-22 14.03.05) (conflict remote 2026-11-23 14.03.05)"));
	assert_false(conflict_is_theirs("a (conflict box 2026-11-22 14.03.05).txt"));
	assert_false(conflict_is_theirs(
		"a (conflict remote 2026-11-22 14.03.05) (conflict box 2026-11-23 14.03.05).txt"));
	assert_false(conflict_is_theirs("a (conflict remotely.txt"));
	assert_false(conflict_is_theirs("a.txt"));
}

int main(void) {
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_told_apart),
		cmocka_unit_test(they_stay_names),
		cmocka_unit_test(whose_the_copy_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
