/* What dpkg has installed, by its own file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "step/internal.h"

static const char status_file[] =
	"Package: fish\nStatus: install ok installed\nArchitecture: amd64\n"
	"Version: 3.6.0-1\nProvides: a-shell, shell (= 3), lots\nDescription: a\n Package: inside\n"
	"\n"
	"Package: held\nStatus: hold ok installed\nArchitecture: all\nVersion: 1\n"
	"\n"
	"Package: removed\nStatus: deinstall ok config-files\nArchitecture: amd64\n"
	"Version: 1\nProvides: ghost\n"
	"\n"
	"Package: half\nStatus: install ok half-configured\nArchitecture: amd64\n"
	"Version: 1\n"
	"\n"
	"Package: last\nArchitecture: arm64\nVersion: 2:1\nStatus: install ok installed\n";

/* One name, and whether it is missing. */
static const struct {
	const char *name;
	bool missing;
} cases[] = {
	{ "fish", false },
	{ "fis", true },
	{ "fishes", true },
	{ "fish:amd64", false },
	{ "fish:arm64", true },
	{ "fish=3.6.0-1", false },
	{ "fish=3.6.0", true },
	{ "fish:amd64=3.6.0-1", false },
	{ "fish/bookworm", false },
	{ "shell", false },
	{ "a-shell", false },
	{ "lots", false },
	{ "lot", true },
	{ "3", true },
	{ "inside", true },
	{ "held", false },
	{ "removed", true },
	{ "ghost", true },
	{ "half", true },
	{ "last", false },
	{ "last=2:1", false },
};

static void test_missing(void **state) {
	char path[] = "/tmp/tend-dpkg-XXXXXX";
	int fd = mkstemp(path);
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, status_file, strlen(status_file)), strlen(status_file));
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *names[] = { xstrdup(cases[i].name), NULL };
		char **missing = step_dpkg_missing(path, names);
		if ((missing[0] != NULL) != cases[i].missing) fail_msg("'%s'", cases[i].name);
		strv_free(missing);
		free(names[0]);
	}
	char *all[] = { (char[]){ "fish" }, (char[]){ "none" }, (char[]){ "held" },
		(char[]){ "half" }, NULL };
	char **missing = step_dpkg_missing(path, all);
	assert_int_equal(strv_count(missing), 2);
	assert_string_equal(missing[0], "none");
	assert_string_equal(missing[1], "half");
	strv_free(missing);
	unlink(path);
	missing = step_dpkg_missing(path, all);
	assert_int_equal(strv_count(missing), 4);
	strv_free(missing);
}

static void test_words(void **state) {
	static const char *const words[][2] = { { "a", "a" }, { "", "''" }, { "a b", "'a b'" },
		{ "it's", "'it'\\''s'" }, { "$x", "'$x'" },
		{ "a/b-c_1.2:3@x,y=z+", "a/b-c_1.2:3@x,y=z+" }, { "~", "'~'" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct buf out;
		buf_init(&out, 1000);
		step_add_word(&out, words[i][0]);
		assert_string_equal(out.at, words[i][1]);
		buf_release(&out);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
