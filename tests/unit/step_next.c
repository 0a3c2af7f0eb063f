/* What is to be done about a step: tables of what was found and the verdict; differences of texts; definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "step/internal.h"

/* One letter for each that is true: f forced, t there, d done, s same, h here, b this boot, B when = boot. */
static const struct {
	const char *facts;
	enum step_verdict verdict;
	const char *why;
} dues[] = {
	{ "", STEP_TODO, "not done yet" },
	{ "t", STEP_SO, "what it creates is there" },
	{ "td", STEP_SO, "what it creates is there" },
	{ "ft", STEP_TODO, "asked for by hand" },
	{ "fdshb", STEP_TODO, "asked for by hand" },
	{ "d", STEP_TODO, "its definition has changed" },
	{ "dh", STEP_TODO, "its definition has changed" },
	{ "ds", STEP_TODO, "done on another machine" },
	{ "dsh", STEP_SO, "done" },
	{ "dshb", STEP_SO, "done" },
	{ "dshB", STEP_TODO, "done at each boot" },
	{ "dshbB", STEP_SO, "done" },
	{ "thB", STEP_SO, "what it creates is there" },
};

static void test_due(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dues); i++) {
		const char *facts = dues[i].facts, *why;
		const struct step_due due = { .forced = strchr(facts, 'f'),
			.there = strchr(facts, 't'),
			.done = strchr(facts, 'd'),
			.same = strchr(facts, 's'),
			.here = strchr(facts, 'h'),
			.this_boot = strchr(facts, 'b'),
			.when = strchr(facts, 'B') ? STEP_WHEN_BOOT : STEP_WHEN_CHANGED };
		enum step_verdict verdict = step_is_due(&due, &why);
		if (verdict != dues[i].verdict || !str_equal(why, dues[i].why))
			fail_msg("'%s': %s, %s", facts, step_verdict_name(verdict), why);
	}
}

/* t there, e equal, r rights, o ours, u unchanged, f forced; K: what is there is kept. */
static const struct {
	const char *facts;
	enum step_verdict verdict;
	bool keep;
} contents[] = {
	{ "", STEP_TODO, false },
	{ "o", STEP_TODO, false },
	{ "of", STEP_TODO, false },
	{ "ter", STEP_SO, false },
	{ "terof", STEP_SO, false },
	{ "te", STEP_TODO, false },
	{ "teo", STEP_TODO, false },
	{ "t", STEP_TODO, true },
	{ "tr", STEP_TODO, true },
	{ "tf", STEP_TODO, true },
	{ "tou", STEP_TODO, false },
	{ "touf", STEP_TODO, false },
	{ "to", STEP_HELD, false },
	{ "tor", STEP_HELD, false },
	{ "tof", STEP_TODO, true },
};

static void test_content(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		const char *facts = contents[i].facts, *why = NULL;
		const struct step_content content = { .there = strchr(facts, 't'),
			.equal = strchr(facts, 'e'),
			.rights = strchr(facts, 'r'),
			.ours = strchr(facts, 'o'),
			.unchanged = strchr(facts, 'u'),
			.forced = strchr(facts, 'f') };
		bool keep = !contents[i].keep;
		enum step_verdict verdict = step_compare_content(&content, &keep, &why);
		if (verdict != contents[i].verdict || keep != contents[i].keep || !why)
			fail_msg("'%s': %s, keep %d, %s", facts, step_verdict_name(verdict), keep,
				why);
	}
}

static const struct {
	const char *before, *after, *diff;
} diffs[] = {
	{ "a\nb\n", "a\nb\n", NULL },
	{ "", "a\n", "@@ -1 +1 @@\n+a\n" },
	{ "a\n", "", "@@ -1 +1 @@\n-a\n" },
	{ "a\nb\nc\n", "a\nx\nc\n", "@@ -1 +1 @@\n a\n-b\n+x\n c\n" },
	{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\nx\n",
		"@@ -7 +7 @@\n 7\n 8\n 9\n+x\n" },
	{ "x\n1\n2\n3\n4\n5\n6\n7\ny\n", "1\n2\n3\n4\n5\n6\n7\n",
		"@@ -1 +1 @@\n-x\n 1\n 2\n 3\n@@ -6 +5 @@\n 5\n 6\n 7\n-y\n" },
};

static void test_diff(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(diffs); i++) {
		char *want = diffs[i].diff
				     ? xasprintf("--- /f (as it is)\n+++ /f (as it is wanted)\n%s",
					       diffs[i].diff)
				     : xstrdup("");
		char *got = step_diff("/f", diffs[i].before, diffs[i].after);
		assert_string_equal(got, want);
		free(got);
		free(want);
	}
	char *large = xmalloc(8001);
	for (size_t i = 0; i < 8000; i++) large[i] = i % 2 ? '\n' : 'x';
	large[8000] = '\0';
	char *got = step_diff("/f", large, "y\n");
	assert_string_equal(strchr(got, '@'), "@@ 4000 lines become 1 @@\n");
	free(got);
	free(large);
}

/* Only what says what is done counts, and what is not set does not. */
static void test_definition(void **state) {
	char *env[] = { (char[]){ "A=b" }, NULL };
	struct step_settings settings = { .run = (char[]){ "true" }, .timeout_ms = 5 };
	char first[LEDGER_DIGEST_SIZE], second[LEDGER_DIGEST_SIZE];
	(void)state;
	step_definition(&settings, first);
	settings.timeout_ms = 6;
	settings.when = STEP_WHEN_BOOT;
	settings.enabled = true;
	step_definition(&settings, second);
	assert_string_equal(first, second);
	settings.environment = env;
	step_definition(&settings, second);
	assert_string_not_equal(first, second);
	settings.environment = NULL;
	settings.as = (char[]){ "true" };
	step_definition(&settings, second);
	assert_string_not_equal(first, second);
	settings.run = NULL;
	step_definition(&settings, second);
	assert_string_not_equal(first, second);
}

static void write_file(const char *root, const char *path, const char *text) {
	char *whole = path_join(root, path);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(whole);
}

static void test_machine(void **state) {
	char root[] = "/tmp/tend-step-XXXXXX", one[LEDGER_DIGEST_SIZE], other[LEDGER_DIGEST_SIZE];
	static const char *const folders[] = { "etc", "var", "var/lib", "var/lib/cloud",
		"var/lib/cloud/data" };
	(void)state;
	assert_non_null(mkdtemp(root));
	step_machine(root, one);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char *folder = path_join(root, folders[i]);
		assert_int_equal(mkdir(folder, 0700), 0);
		free(folder);
	}
	write_file(root, "etc/machine-id", "abc\n");
	step_machine(root, other);
	assert_string_not_equal(one, other);
	write_file(root, "var/lib/cloud/data/instance-id", "i-1\n");
	step_machine(root, one);
	assert_string_not_equal(one, other);
	write_file(root, "var/lib/cloud/data/instance-id", "i-2\n");
	step_machine(root, other);
	assert_string_not_equal(one, other);
	write_file(root, "var/lib/cloud/data/instance-id", "i-1\n");
	step_machine(root, other);
	assert_string_equal(one, other);
	char *command = xasprintf("rm -r %s", root);
	assert_int_equal(system(command), 0);
	free(command);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
