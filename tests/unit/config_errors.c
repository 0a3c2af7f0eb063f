/* Everything that can be wrong in an ini file: each has its line and says what would be right. */
#include "unit/config_ini.h"

struct wrong {
	const char *ini;
	const char *lines; /* what must be said, a line each, without the path */
};

static const struct wrong wrongs[] = {
	/* lines */
	{ "[thing a]\nnonsense\n", "2: neither '[section]' nor 'key = value' nor a comment" },
	{ "[thing a]\nnonsense\n  and more of it\nflag = no\nnonsense",
		"2: neither '[section]' nor 'key = value' nor a comment\n"
		"5: neither '[section]' nor 'key = value' nor a comment" },
	{ "[thing a]\nnonsense ; text = x\n",
		"2: neither '[section]' nor 'key = value' nor a comment" },
	{ "[thing a]\n= x\n  y\n", "2: there is no key before '='" },
	{ "[thing a]\ntext = a\x01"
	  "b\nflag = maybe",
		"2: a control character in this line: an ini file is text\n"
		"3: 'flag' must be yes or no, not 'maybe'" },
	{ "[thing a]\ntext = a\n  \x7f\n  x",
		"3: a control character in this line: an ini file is text" },
	{ "\xff\xfe[\nt\nh", "1: this file is UTF-16: save it as UTF-8" },
	{ "\xfe\xff[\nt\nh", "1: this file is UTF-16: save it as UTF-8" },
	{ "[thing a\nflag = perhaps", "1: no ']' ends this section's head" },
	{ "[thing a] ; comment\nflag = perhaps",
		"1: text after ']': a comment stands in a line of its own" },
	{ "text = x\n[thing a]", "1: 'text' stands before the first [section]" },
	/* heads */
	{ "[thin a]\nflag = perhaps", "1: unknown section 'thin' (did you mean 'thing'?)" },
	{ "[somewhat]", "1: unknown section 'somewhat'" },
	{ "[]", "1: unknown section ''" },
	{ "[thing]", "1: [thing] has no name: write [thing NAME]" },
	{ "[tend x]", "1: [tend] takes no name" },
	{ "[thing a b]", "1: 'a b' is no name: letters, digits, '-', '_' and '.' make one, up to "
			 "128 of them" },
	{ "[thing a/b]", "1: 'a/b' is no name: letters, digits, '-', '_' and '.' make one, up to "
			 "128 of them" },
	{ "[thing ..]", "1: '..' is no name: letters, digits, '-', '_' and '.' make one, up to 128 "
			"of them" },
	{ "[thing a]\n[thing b]\n[ thing  a ]\nflag = maybe",
		"3: [thing a] is given twice, first at A:1" },
	{ "[tend]\n[tend]", "2: [tend] is given twice, first at A:1" },
	/* keys */
	{ "[folder x]\npth = /a",
		"2: unknown key 'pth' (did you mean 'path'?)\n1: [folder x] has no 'path'" },
	{ "[thing a]\nzzzzzz = 1", "2: unknown key 'zzzzzz'" },
	{ "[thing a]\nFlag = yes", "2: unknown key 'Flag' (did you mean 'flag'?)" },
	{ "[thing a]\nflag = yes\ncount = 2\nflag = no",
		"4: 'flag' is given twice, first in line 2" },
	{ "[thing a]\nbucket = b", "2: 'bucket' is a key of type 's3', and this is 'plain'" },
	{ "[thing a]\ntype = s3", "1: [thing a] has no 'bucket'" },
	{ "[folder x]", "1: [folder x] has no 'path'" },
	{ "[thing a]\nflag = yes\ntext = refuse me", "3: refused as asked" },
	{ "[thing a]\nflag = nay\ntext = refuse me", "2: 'flag' must be yes or no, not 'nay'" },
	/* values */
	{ "[thing a]\nflag =", "2: 'flag' has no value" },
	{ "[thing a]\nflag = true", "2: 'flag' must be yes or no, not 'true'" },
	{ "[thing a]\nflag = yes\n  count = 3", "2: 'flag' takes one line: a line that begins with "
						"a blank goes on with the value before it" },
	{ "[thing a]\ncount = many", "2: 'count' must be a number from 1 to 64, not 'many'" },
	{ "[thing a]\ncount = 65", "2: 'count' must be a number from 1 to 64, not '65'" },
	{ "[thing a]\nshare = 101%", "2: 'share' must be per cent, from 0% to 100%, not '101%'" },
	{ "[thing a]\nsize = 3 buckets",
		"2: 'size' must be a size such as 64KiB or 2GiB, not '3 buckets'" },
	{ "[thing a]\nsize = 10", "2: 'size' must be at least 1.0 KiB, not '10'" },
	{ "[thing a]\nsize = 2TiB", "2: 'size' must be at most 1.0 TiB, not '2TiB'" },
	{ "[thing a]\nspan = soon",
		"2: 'span' must be a time such as 500ms, 30s, 10m, 6h or 30d, not 'soon'" },
	{ "[thing a]\nspan = 30",
		"2: 'span' must be a time such as 500ms, 30s, 10m, 6h or 30d, not '30'" },
	{ "[thing a]\nspan = 2d", "2: 'span' must be at most 1d, not '2d'" },
	{ "[thing a]\nmask = 8", "2: 'mask' must be an octal number such as 022, not '8'" },
	{ "[thing a]\nmask = 1777", "2: 'mask' must be a smaller octal number, not '1777'" },
	{ "[thing a]\nmode = miror",
		"2: 'mode' must be backup or mirror, not 'miror' (did you mean 'mirror'?)" },
	{ "[thing a]\npath = a/b",
		"2: 'path' must be an absolute path, or begin with '~', not 'a/b'" },
	{ "[thing a]\npath = ~no-such-user-here/x", "2: 'path': no user 'no-such-user-here' here, "
						    "so '~no-such-user-here' stands for nothing" },
	{ "[thing a]\npath = ~/x\nuser = no-such-user-here",
		"2: 'path': no user 'no-such-user-here' here, so '~no-such-user-here' stands for "
		"nothing" },
	{ "[thing a]\npath = /${TEND_NOT_SET}", "2: 'path': '${TEND_NOT_SET}' is not set" },
	{ "[thing a]\npath = /${TEND_NOT_SET", "2: 'path': '${' without '}' in '${TEND_NOT_SET'" },
	{ "[thing a]\nsecret_file = hunter2",
		"2: 'secret_file' must be an absolute path or credential:NAME: a secret is never "
		"written in the ini" },
	{ "[thing a]\nsecret_file = credential:../x",
		"2: 'secret_file' names no credential: write credential:NAME" },
	/* everything at once, in the order of the sections */
	{ "[thing a]\nflag = 1\ncount = x\n[folder f]\n[thing b]\ncolour = red",
		"6: unknown key 'colour'\n2: 'flag' must be yes or no, not '1'\n"
		"3: 'count' must be a number from 1 to 64, not 'x'\n4: [folder f] has no 'path'" },
};

/* The scratch file's path, as "A", and nothing before a line's number. */
static char *shortened(char *const *lines) {
	struct buf out;
	char *path = scratch_path("a.ini");
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < strv_count(lines); i++) {
		const char *at = lines[i];
		if (i > 0) buf_addc(&out, '\n');
		assert_true(str_starts(at, path));
		at += strlen(path) + 1;
		for (const char *found; (found = strstr(at, path)); at = found + strlen(path)) {
			buf_add(&out, at, (size_t)(found - at));
			buf_addc(&out, 'A');
		}
		buf_adds(&out, at);
	}
	free(path);
	return buf_steal(&out);
}

static void wrongs_are_told(void **state) {
	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct config_errors errors = { 0 };
		struct err err = { 0 };
		struct config *config = read_ini(wrongs[i].ini, &errors, &err);
		if (config) fail_msg("nothing was wrong with:\n%s", wrongs[i].ini);
		char *lines = shortened(errors.lines);
		if (!str_equal(lines, wrongs[i].lines)) {
			fail_msg("got:\n%s\nnot:\n%s\nfor:\n%s", lines, wrongs[i].lines,
				wrongs[i].ini);
		}
		assert_int_equal(err.kind, ERR_INVALID);
		assert_true(str_starts(errors.lines[0], err.text));
		config_errors_release(&errors);
		free(lines);
	}
}

static void errors_need_no_collector(void **state) {
	(void)state;
	struct err err = { 0 };
	assert_null(read_ini("[thing a]\nflag = 1\ncount = x", NULL, &err));
	assert_non_null(strstr(err.text, ":2: 'flag' must be yes or no"));
}

static void errors_do_not_flood(void **state) {
	(void)state;
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	struct buf ini;
	buf_init(&ini, 1 << 20);
	buf_adds(&ini, "[thing a]\n");
	for (int i = 0; i < 5000; i++) buf_addf(&ini, "wrong%d = 1\n", i);
	assert_null(read_ini(ini.at, &errors, &err));
	assert_int_equal(strv_count(errors.lines), 101);
	assert_string_equal(errors.lines[100], "there is more, not shown: mend these first");
	config_errors_release(&errors);
	buf_release(&ini);
}

static void unreadable_files(void **state) {
	(void)state;
	const struct config_options options = { .tables = tables };
	static const struct {
		const char *name, *text;
		enum err_kind kind;
	} rows[] = {
		{ "absent.ini", "cannot read '%s': No such file or directory", ERR_NOT_FOUND },
		{ "folder.ini", "cannot read '%s': it is not a file", ERR_INVALID },
		{ "fifo.ini", "cannot read '%s': it is not a file", ERR_INVALID },
		{ "huge.ini", "'%s' is larger than 4 MiB, which no ini file is", ERR_INVALID },
	};
	char *path = scratch_path("folder.ini");
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = scratch_path("fifo.ini");
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
	char *huge = xcalloc(1, (4 << 20) + 1);
	scratch_write("huge.ini", huge, (4 << 20) + 1);
	free(huge);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_errors errors = { 0 };
		struct err err = { 0 };
		path = scratch_path(rows[i].name);
		assert_null(config_read(path, &options, &errors, &err));
		const char *hole = strstr(rows[i].text, "%s");
		char *expected = xasprintf(
			"%.*s%s%s", (int)(hole - rows[i].text), rows[i].text, path, hole + 2);
		assert_string_equal(err.text, expected);
		assert_string_equal(errors.lines[0], expected);
		assert_int_equal(err.kind, rows[i].kind);
		config_errors_release(&errors);
		free(expected);
		free(path);
	}
}

static void errors_about_the_whole(void **state) {
	(void)state;
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	struct config *config = read_good("[thing a]\n\nwords = b\n[thing b]\n");
	const struct config_section *a = config_find(config, "thing", "a");
	assert_int_equal(
		config_error(&errors, &err, a, "words", "there is no 'thing:%s'", "c"), -1);
	assert_int_equal(config_error(&errors, &err, a, "text", "later"), -1);
	assert_int_equal(config_error(&errors, &err, a, NULL, "last"), -1);
	char *lines = shortened(errors.lines);
	assert_string_equal(lines, "3: there is no 'thing:c'\n1: later\n1: last");
	assert_true(str_ends(err.text, "a.ini:3: there is no 'thing:c'"));
	config_errors_release(&errors);
	config_free(config);
	free(lines);
}

/* A command that only looks for the daemon's socket reads past what is wrong. */
static void lenient_reading(void **state) {
	(void)state;
	const struct config_options options = { .tables = tables, .lenient = true };
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	char *path = scratch_path("a.ini");
	const char *ini = "nonsense\n[tend]\nworkers = many\nunknown = 1\n[else]\nx = y\n[thing "
			  "a]\nflag = maybe\n"
			  "count = 7\ntype = s3\n[thing a]\n[folder x]\n";
	scratch_write("a.ini", ini, strlen(ini));
	struct config *config = config_read(path, &options, &errors, &err);
	assert_non_null(config);
	assert_null(errors.lines);
	assert_int_equal(err.kind, ERR_NONE);
	/* What is wrong has its default. */
	assert_int_equal(
		((struct main_settings *)config_find(config, "tend", "")->settings)->workers, 4);
	assert_true(thing_of(config)->flag);
	assert_int_equal(thing_of(config)->count, 7);
	config_free(config);
	free(path);
	assert_null(config_read("/no/such/tend.ini", &options, &errors, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	config_errors_release(&errors);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrongs_are_told),
		cmocka_unit_test(errors_need_no_collector),
		cmocka_unit_test(errors_do_not_flood),
		cmocka_unit_test(unreadable_files),
		cmocka_unit_test(errors_about_the_whole),
		cmocka_unit_test(lenient_reading),
	};
	return cmocka_run_group_tests_name("config_errors", tests, scratch_make, scratch_remove);
}
