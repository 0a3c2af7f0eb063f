/* How an ini file is read: every way in which inih alone would harm a value, and the rules of
 * continuation lines. */
#include "unit/config_ini.h"

struct value_row {
	const char *ini; /* after "[thing a]\n" */
	const char *text;
};

/* What `text` of [thing a] must be. */
static const struct value_row values[] = {
	{ "text = plain", "plain" },
	{ "text=plain", "plain" },
	{ "text = plain\r\n", "plain" },
	{ "   text = indented first key", "indented first key" },
	{ "text =   blanks around it \t ", "blanks around it" },
	{ "text = a  b\tc", "a  b\tc" },
	{ "text = x = y : z", "x = y : z" },
	{ "text =", "" },
	{ "text = sh -c 'x ; y'", "sh -c 'x ; y'" },
	{ "text = ; not a comment", "; not a comment" },
	{ "text = # not a comment", "# not a comment" },
	{ "text = a # b ;c ; d", "a # b ;c ; d" },
	{ "text = [not a head]", "[not a head]" },
	{ "text = \xc3\xa4 \xf0\x9f\x8c\xb1", "\xc3\xa4 \xf0\x9f\x8c\xb1" },
	{ "; text = no\n# text = no\n  ; text = no\ntext = yes", "yes" },
	/* several lines */
	{ "text = one\n  two\n  three", "one\ntwo\nthree" },
	{ "text =\n  one\n  two", "one\ntwo" },
	{ "text =\n  one\n    deeper\n  two", "one\n  deeper\ntwo" },
	{ "text =\n    one\n  less\n\t", "  one\nless" },
	{ "text =\n\tone\n\t\ttwo", "one\n\ttwo" },
	{ "text =\n\tone\n  two", "\tone\n  two" },
	{ "text =\n  one\n\n  two", "one\n\ntwo" },
	{ "text =\n\n  one\n   \n\n  two\n\n\n", "\none\n\n\ntwo" },
	{ "text = one\r\n  two\r\n\r\n  three\r\n", "one\ntwo\n\nthree" },
	{ "text =\n  # text\n  ; text\n  a # b", "# text\n; text\na # b" },
	{ "text =\n  one\n# a comment\n  two", "one\ntwo" },
	{ "text =\n  [one]\n  a = b", "[one]\na = b" },
	{ "text =\n  one  \n  two", "one  \ntwo" },
	{ "text =\n  one\nflag = no", "one" },
};

static void values_are_read(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char *ini = xasprintf("[thing a]\n%s", values[i].ini);
		struct config *config = read_good(ini);
		if (!str_equal(thing_of(config)->text, values[i].text)) {
			fail_msg("got '%s' for:\n%s", thing_of(config)->text, ini);
		}
		config_free(config);
		free(ini);
	}
}

/* A value of `len` bytes in which every cut would show, with what inih trips over at each place
 * a piece may end. */
static char *long_text(size_t len, size_t shift) {
	static const char rhyme[] = "k ; v # = : \t[x] \xc3\xa4 'q' ";
	char *text = xmalloc(len + 1);
	for (size_t i = 0; i < len; i++) text[i] = rhyme[(i + shift) % (sizeof(rhyme) - 1)];
	text[0] = '<';
	text[len - 1] = '>';
	text[len] = '\0';
	return text;
}

static void long_values_stay_whole(void **state) {
	(void)state;
	static const size_t lengths[] = { 150, 180, 187, 188, 189, 190, 191, 192, 193, 198, 199,
		200, 201, 399, 400, 401, 3000, 65535, 65536 };
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		for (size_t shift = 0; shift < 5; shift++) {
			char *text = long_text(lengths[i], shift);
			char *beside = xasprintf("[thing a]\ntext = %s\nflag = no\n", text);
			char *below = xasprintf("[thing a]\ntext =\n    %s\nflag = no\n", text);
			char *const inis[] = { beside, below };
			for (size_t k = 0; k < ARRAY_LEN(inis); k++) {
				struct config *config = read_good(inis[k]);
				assert_string_equal(thing_of(config)->text, text);
				assert_false(thing_of(config)->flag);
				assert_int_equal(
					config_line(config_find(config, "thing", "a"), "flag"),
					3 + (int)k);
				config_free(config);
			}
			free(beside);
			free(below);
			free(text);
		}
	}
}

static void too_long_is_said(void **state) {
	(void)state;
	static const size_t lengths[] = { 65537, 3 << 20 };
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct config_errors errors = { 0 };
		struct err err = { 0 };
		char *text = long_text(lengths[i], 0);
		char *ini = xasprintf("[thing a]\nflag = no\ntext = %s\ncount = 3\n", text);
		assert_null(read_ini(ini, &errors, &err));
		assert_int_equal(strv_count(errors.lines), 1);
		assert_true(
			str_ends(err.text, "/a.ini:3: the value of 'text' is longer than 64 KiB"));
		config_errors_release(&errors);
		free(ini);
		free(text);
	}
}

static void heads_are_seen(void **state) {
	(void)state;
	char name[128 + 1];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	char *ini = xasprintf("\xef\xbb\xbf[thing a]\n[ thing   b ]\n  [thing c-1_2.x]\r\ntext = "
			      "x\n\n[thing %s]\ntext = y\n[tend]\n",
		name);
	struct config *config = read_good(ini);
	/* Empty ones too, each with its line, in the order of the file. */
	static const char *const names[] = { "a", "b", "c-1_2.x" };
	struct config_section *section = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		section = config_next(config, "thing", section);
		assert_string_equal(section->name, names[i]);
		assert_int_equal(section->line, (int)i + 1);
	}
	/* inih keeps 49 bytes of a head. */
	section = config_find(config, "thing", name);
	assert_non_null(section);
	assert_int_equal(section->line, 6);
	assert_string_equal(((struct thing *)section->settings)->text, "y");
	assert_int_equal(config_find(config, "tend", "")->line, 8);
	assert_null(config_next(config, "thing", section));
	assert_null(config_find(config, "thing", "zz"));
	config_free(config);
	free(ini);
}

static void nothing_is_valid(void **state) {
	(void)state;
	static const char *const inis[] = { "", "\n\n", "; only a comment", "# text\n   \n",
		"\xef\xbb\xbf" };
	for (size_t i = 0; i < ARRAY_LEN(inis); i++) {
		struct config *config = read_good(inis[i]);
		struct config_section *tend = config_find(config, "tend", "");
		/* There with its defaults, and known to be in no file. */
		assert_int_equal(tend->line, 0);
		assert_int_equal(((struct main_settings *)tend->settings)->workers, 4);
		assert_null(config_next(config, "thing", NULL));
		config_free(config);
	}
}

static void lines_are_counted(void **state) {
	(void)state;
	char *text = long_text(5000, 0);
	char *ini = xasprintf("# 1\n\n[thing a]\n\ntext = %s\n  goes on\n\n# 8\n\nflag = no\nwords "
			      "=\n a\n b\n\ncount = 3",
		text);
	struct config *config = read_good(ini);
	const struct config_section *section = config_find(config, "thing", "a");
	assert_int_equal(section->line, 3);
	assert_int_equal(config_line(section, "text"), 5);
	assert_int_equal(config_line(section, "flag"), 10);
	assert_int_equal(config_line(section, "words"), 11);
	assert_int_equal(config_line(section, "count"), 15);
	assert_int_equal(config_line(section, "mode"), 3);
	assert_true(config_is_set(section, "count"));
	assert_false(config_is_set(section, "mode"));
	assert_true(str_ends(section->file, "/a.ini"));
	config_free(config);
	free(ini);
	free(text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(long_values_stay_whole),
		cmocka_unit_test(too_long_is_said),
		cmocka_unit_test(heads_are_seen),
		cmocka_unit_test(nothing_is_valid),
		cmocka_unit_test(lines_are_counted),
	};
	return cmocka_run_group_tests_name("config_reader", tests, scratch_make, scratch_remove);
}
