/* Command lines are split as sh splits them: the table says how, and sh itself is asked about
 * generated lines. */
#include "unit/config_ini.h"

struct split {
	const char *text;
	const char *words[8];
	const char *error;
};

static const struct split splits[] = {
	{ "jupyter notebook --no-browser", { "jupyter", "notebook", "--no-browser" }, NULL },
	{ "  a\t b\n  c  ", { "a", "b", "c" }, NULL },
	{ "sh -c 'x ; y'", { "sh", "-c", "x ; y" }, NULL },
	{ "a 'b c'd\"e f\"g", { "a", "b cde fg" }, NULL },
	{ "a '' \"\" b", { "a", "", "", "b" }, NULL },
	{ "a\\ b \\'c\\\" \\\\", { "a b", "'c\"", "\\" }, NULL },
	{ "'a\\b' \"a\\b\\\\c\\\"d\\$e\\`f\"", { "a\\b", "a\\b\\c\"d$e`f" }, NULL },
	{ "a \\\n  b\\\nc \"d\\\ne\" \\\n", { "a", "bc", "de" }, NULL },
	{ "a 'b\nc' d", { "a", "b\nc", "d" }, NULL },
	{ "echo $HOME | cat > x && # ; *", { "echo", "$HOME", "|", "cat", ">", "x", "&&", "#" },
		"" },
	{ "", { NULL }, "the command is empty" },
	{ "  \n ", { NULL }, "the command is empty" },
	{ "a 'b", { NULL }, "a quote ' is not closed" },
	{ "a \"b\\\"", { NULL }, "a quote \" is not closed" },
	{ "a b\\", { NULL }, "there is nothing after the last backslash" },
};

static void commands_are_split(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct err err = { 0 };
		char **words = config_split_command(splits[i].text, &err);
		if (splits[i].error && *splits[i].error) {
			assert_null(words);
			assert_int_equal(err.kind, ERR_INVALID);
			assert_string_equal(err.text, splits[i].error);
			continue;
		}
		assert_non_null(words);
		for (size_t k = 0; k < ARRAY_LEN(splits[i].words) && splits[i].words[k]; k++) {
			if (!str_equal(words[k], splits[i].words[k])) {
				fail_msg("word %d is '%s', not '%s', of '%s'", (int)k, words[k],
					splits[i].words[k], splits[i].text);
			}
			if (!splits[i].error && !splits[i].words[k + 1]) assert_null(words[k + 1]);
		}
		strv_free(words);
	}
}

/* Lines of letters, blanks, quotes and backslashes: sh prints the words that it sees, each in
 * brackets. */
static void sh_agrees(void **state) {
	(void)state;
	static const char letters[] = "ab  '\"\\\\\n''\"\"";
	uint32_t seed = 12345;
	struct buf script, ours;
	buf_init(&script, 1 << 20);
	buf_init(&ours, 1 << 20);
	int compared = 0;
	for (int i = 0; i < 2000; i++) {
		char line[16];
		size_t len = 1 + i % 14;
		for (size_t k = 0; k < len; k++) {
			seed = seed * 1664525 + 1013904223;
			line[k] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		line[len] = '\0';
		struct err err = { 0 };
		char **words = config_split_command(line, &err);
		/* A newline outside quotes would end sh's command. */
		bool for_sh = words && !strchr(line, '\n');
		if (for_sh) {
			compared++;
			buf_addf(&script, "printf '[%%s]' %s; echo\n", line);
			for (size_t k = 0; words[k]; k++) buf_addf(&ours, "[%s]", words[k]);
			buf_addc(&ours, '\n');
		}
		strv_free(words);
	}
	assert_true(compared > 200);
	scratch_write("script", script.at, script.len);
	char *command = xasprintf("cd %s && sh script > out", scratch);
	assert_int_equal(system(command), 0); /* NOLINT: a fixed command on our own folder */
	char *path = scratch_path("out");
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	char *text = xcalloc(1, 1 << 20);
	assert_int_equal(fread(text, 1, 1 << 20, file), ours.len);
	assert_string_equal(text, ours.at);
	fclose(file);
	free(text);
	free(path);
	free(command);
	buf_release(&ours);
	buf_release(&script);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_split),
		cmocka_unit_test(sh_agrees),
	};
	return cmocka_run_group_tests_name("config_command", tests, scratch_make, scratch_remove);
}
