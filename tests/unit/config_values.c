/* Types, defaults, paths, secrets, comparison and help: what a table row means. */
#include "unit/config_ini.h"

#include <pwd.h>

static void defaults_are_filled(void **state) {
	(void)state;
	struct config *config = read_good("[thing a]\n[thing b]\ntype = s3\nbucket = x\n");
	const struct thing *a = thing_of(config);
	assert_string_equal(a->type, "plain");
	assert_null(a->text);
	assert_null(a->path);
	assert_true(a->flag);
	assert_int_equal(a->count, 4);
	assert_int_equal(a->share, 10);
	assert_int_equal(a->size, 32 << 20);
	assert_int_equal(a->span, 1000);
	assert_int_equal(a->mask, 022);
	assert_int_equal(a->mode, 0);
	assert_int_equal(strv_count(a->words), 0);
	/* One field, a row for each type. */
	assert_string_equal(a->place, "here");
	const struct thing *b = config_find(config, "thing", "b")->settings;
	assert_string_equal(b->place, "there");
	config_free(config);
}

static void numbers_are_read(void **state) {
	(void)state;
	struct config *config = read_good(
		"[thing a]\nflag = no\ncount = 64\nshare = 55%\nsize = 1MiB\nspan = 1m30s\n"
		"mask = 077\nmode = mirror\n[thing b]\nsize = none\nspan = never\nshare = 0\n"
		"[thing c]\nspan = none\nsize = 2048\n");
	const struct thing *a = thing_of(config);
	assert_false(a->flag);
	assert_int_equal(a->count, 64);
	assert_int_equal(a->share, 55);
	assert_int_equal(a->size, 1 << 20);
	assert_int_equal(a->span, 90000);
	assert_int_equal(a->mask, 077);
	assert_int_equal(a->mode, 1);
	const struct thing *b = config_find(config, "thing", "b")->settings;
	/* Off is not small: no bound holds for it. */
	assert_int_equal(b->size, 0);
	assert_int_equal(b->span, 0);
	assert_int_equal(b->share, 0);
	const struct thing *c = config_find(config, "thing", "c")->settings;
	assert_int_equal(c->span, 0);
	assert_int_equal(c->size, 2048);
	config_free(config);
}

static void a_default_gives_way_to_what_it_is_measured_by(void **state) {
	(void)state;
	static const struct {
		const char *text;
		int64_t most;
	} rows[] = {
		{ "", 30000 },
		{ "span = 20s\n", 30000 },
		{ "span = 1h\n", 3600000 },
		{ "span = 1h\nmost = 2h\n", 7200000 },
		{ "span = 1h\nmost = 30s\n", 30000 }, /* who wrote it is told, not overruled */
		{ "most = 10ms\n", 10 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *ini = xasprintf("[thing a]\n%s", rows[i].text);
		struct config *config = read_good(ini);
		assert_int_equal(thing_of(config)->most, rows[i].most);
		config_free(config);
		free(ini);
	}
}

struct list_row {
	const char *value;
	const char *items[6];
};

static void check_items(char *const *got, const struct list_row *row) {
	assert_non_null(got);
	for (size_t i = 0; row->items[i] || got[i]; i++) {
		if (!str_equal(got[i], row->items[i])) {
			fail_msg("item %d is '%s', not '%s', of '%s'", (int)i, got[i],
				row->items[i], row->value);
		}
	}
}

static void lists_are_read(void **state) {
	(void)state;
	static const struct list_row words[] = {
		{ "", { NULL } },
		{ "one", { "one" } },
		{ "one two  three\tfour", { "one", "two", "three", "four" } },
		{ "\n  A=hello world\n  B=2", { "A=hello world", "B=2" } },
		{ "one\n  two words", { "one", "two words" } },
	};
	static const struct list_row lines[] = {
		{ "", { NULL } },
		{ "one two", { "one two" } },
		{ "*.tmp\n   a b\n\n   # c\n   !d", { "*.tmp", "a b", "# c", "!d" } },
		{ "\n  ragged\n    deeper  \n", { "ragged", "deeper" } },
		{ "\n  blank\\ \n  none \n", { "blank\\ ", "none" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char *ini = xasprintf("[thing a]\nwords = %s", words[i].value);
		struct config *config = read_good(ini);
		check_items(thing_of(config)->words, &words[i]);
		config_free(config);
		free(ini);
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char *ini = xasprintf("[thing a]\nlines = %s", lines[i].value);
		struct config *config = read_good(ini);
		check_items(thing_of(config)->lines, &lines[i]);
		config_free(config);
		free(ini);
	}
}

static void paths_are_expanded(void **state) {
	(void)state;
	const struct passwd *root = getpwuid(0);
	char host[256];
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	setenv("TEND_TEST_PLACE", "some/place", 1);
	char *of_root = xasprintf("%s/x", root->pw_dir);
	char *of_host = xasprintf("/%s/x", host);
	const struct {
		const char *value, *path;
	} rows[] = {
		{ "/a/b", "/a/b" },
		{ "/a//b/./c/", "/a/b/c" },
		{ "/a b; c # d", "/a b; c # d" },
		{ "~", "/home/of/daemon" },
		{ "~/x/y", "/home/of/daemon/x/y" },
		{ "~root/x", of_root },
		{ "~/x\nuser = root", of_root },
		{ "/${TEND_TEST_PLACE}/~/x", "/some/place/~/x" },
		{ "~/${TEND_TEST_PLACE}", "/home/of/daemon/some/place" },
		{ "/${HOSTNAME}/x", of_host },
		{ "/$HOME/$x", "/$HOME/$x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *ini = xasprintf("[thing a]\npath = %s\n", rows[i].value);
		struct config *config = read_good(ini);
		assert_string_equal(thing_of(config)->path, rows[i].path);
		config_free(config);
		free(ini);
	}
	struct err err = { 0 };
	assert_null(config_expand("~/x", NULL, &err));
	assert_string_equal(err.text, "'~' stands for nothing: HOME is not set");
	free(of_root);
	free(of_host);
}

static void secrets_are_closed(void **state) {
	(void)state;
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	char *path = scratch_path("key");
	char *ini = xasprintf("[thing a]\nsecret_file = %s\n", path);
	/* Not there: it may come before it is needed. */
	struct config *config = read_good(ini);
	assert_string_equal(thing_of(config)->secret, path);
	config_free(config);

	scratch_write("key", "hunter2", 7);
	static const mode_t open_modes[] = { 0644, 0640, 0604, 0620, 0601 };
	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		assert_int_equal(chmod(path, open_modes[i]), 0);
		err_clear(&err);
		assert_null(read_ini(ini, &errors, &err));
		char *text =
			xasprintf("a.ini:2: secret file '%s' can be read by others: chmod 600 %s",
				path, path);
		assert_true(str_ends(err.text, text));
		config_errors_release(&errors);
		free(text);
	}
	assert_int_equal(chmod(path, 0600), 0);
	config_free(read_good(ini));
	free(ini);

	/* systemd's credentials */
	const char *by_name = "[thing a]\nsecret_file = credential:key\n";
	setenv("CREDENTIALS_DIRECTORY", scratch, 1);
	config = read_good(by_name);
	assert_string_equal(thing_of(config)->secret, path);
	config_free(config);
	assert_int_equal(unlink(path), 0);
	err_clear(&err);
	assert_null(read_ini(by_name, &errors, &err));
	assert_true(str_ends(err.text, ":2: no credential 'key' for 'secret_file': add "
				       "LoadCredential=key:PATH to the unit"));
	config_errors_release(&errors);
	unsetenv("CREDENTIALS_DIRECTORY");
	err_clear(&err);
	assert_null(read_ini(by_name, &errors, &err));
	assert_true(str_ends(err.text,
		"'secret_file' wants the credential 'key', and there are none: start tendd by "
		"systemd with LoadCredential=key:PATH"));
	config_errors_release(&errors);
	free(path);
}

struct change {
	const char *old_one, *new_one; /* of [thing a] */
	int effect;
	const char *changed[4];
};

static const struct change changes[] = {
	{ "", "", 0, { NULL } },
	{ "flag = no\ncount = 3\ntext = x", "text = x\n\n# moved\ncount = 3\nflag = no", 0,
		{ NULL } },
	{ "", "count = 4\nmode = backup", 0, { NULL } },
	{ "span = 60s", "span = 1m", 0, { NULL } },
	{ "words = a b", "words =\n  a\n  b", 0, { NULL } },
	{ "path = /a/b/", "path = /a//b", 0, { NULL } },
	{ "words = a b", "words = b a", 1, { "words" } },
	{ "flag = no", "flag = yes", 1, { "flag" } },
	{ "", "text =", 2, { "text" } },
	{ "text = a", "text = b\ncount = 9", 2, { "text", "count" } },
	{ "path = /a", "count = 9", 3, { "path", "count" } },
	{ "type = plain\nplace = x", "type = s3\nbucket = b", 1, { "type" } },
};

static void changes_are_found(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		const struct change *row = &changes[i];
		char *old_ini = xasprintf("[thing a]\n%s\n[thing b]\n", row->old_one);
		char *new_ini = xasprintf("[thing b]\n[thing a]\n%s\n", row->new_one);
		struct config *old_config = read_good(old_ini), *new_config = read_good(new_ini);
		const struct config_section *old_one = config_find(old_config, "thing", "a");
		const struct config_section *new_one = config_find(new_config, "thing", "a");
		char **changed;
		assert_int_equal(config_compare(old_one, new_one, &changed), row->effect);
		assert_int_equal(config_compare(new_one, old_one, NULL), row->effect);
		for (size_t k = 0; row->changed[k]; k++) {
			bool found = false;
			for (size_t n = 0; n < strv_count(changed); n++) {
				found = found || str_equal(changed[n], row->changed[k]);
			}
			if (!found)
				fail_msg("'%s' did not change, change %d", row->changed[k], (int)i);
			if (!row->changed[k + 1]) assert_int_equal(strv_count(changed), k + 1);
		}
		if (!row->changed[0]) assert_null(changed);
		strv_free(changed);
		config_free(old_config);
		config_free(new_config);
		free(old_ini);
		free(new_ini);
	}
}

static void help_shows_the_rows(void **state) {
	(void)state;
	struct buf out;
	buf_init(&out, 1 << 16);
	config_print_help(tables, &out);
	static const char *const lines[] = {
		"[tend]\n  workers              4            live    \n",
		"\n[thing NAME] of every type\n",
		"  text                 -            restart \n",
		"  mode                 backup       live    : backup, mirror\n",
		"  lines                -            live     one a line\n",
		"  bucket               required     live     (type s3)\n",
		"\n[folder NAME]\n  path                 required     live     local folder\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (!strstr(out.at, lines[i])) fail_msg("no line '%s' in:\n%s", lines[i], out.at);
	}
	buf_release(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled),
		cmocka_unit_test(numbers_are_read),
		cmocka_unit_test(a_default_gives_way_to_what_it_is_measured_by),
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(paths_are_expanded),
		cmocka_unit_test(secrets_are_closed),
		cmocka_unit_test(changes_are_found),
		cmocka_unit_test(help_shows_the_rows),
	};
	return cmocka_run_group_tests_name("config_values", tests, scratch_make, scratch_remove);
}
