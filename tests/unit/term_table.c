#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/term.h"

static const struct term_column columns[] = {
	{ .title = "NAME" },
	{ .title = "FILES", .right = true },
	{ .title = "WHY", .gives = true },
};

static char *render(const char *const rows[][3], size_t count, struct term term, int red_row) {
	struct term_table table;
	struct buf out;

	term_table_init(&table, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < count; i++) {
		term_table_add(&table, rows[i]);
		if ((int)i == red_row) term_table_paint(&table, 0, TERM_RED);
	}
	buf_init(&out, 10000);
	assert_int_equal(term_table_render(&table, &term, &out), 0);
	term_table_release(&table);
	return buf_steal(&out);
}

static const char *const rows[][3] = {
	{ "docs", "12", "synced" },
	{ "phöne", "1234567", "waits for the network to come back" },
	{ "a", NULL, "line\nbreak" },
};

static void tables(void **state) {
	static const struct {
		struct term term;
		size_t rows;
		int red_row;
		const char *text;
	} cases[] = {
		{ { 0 }, 0, -1, "" },
		{ { 0 }, 3, 1, /* piped: whole, and no colour */
			"NAME     FILES  WHY\n"
			"docs        12  synced\n"
			"phöne  1234567  waits for the network to come back\n"
			"a               line\\x0abreak\n" },
		{ { .width = 30 }, 3, -1,
			"NAME     FILES  WHY\n"
			"docs        12  synced\n"
			"phöne  1234567  waits for the…\n"
			"a               line\\x0abreak\n" },
		{ { .width = 10 }, 2, -1, /* too narrow: what does not give stays */
			"NAME     FILES  WHY\n"
			"docs        12  synced\n"
			"phöne  1234567  waits f…\n" },
		{ { .width = 80, .colours = true }, 1, 0,
			"\033[1mNAME\033[0m  \033[1mFILES\033[0m  \033[1mWHY\033[0m\n"
			"\033[31mdocs\033[0m     12  synced\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = render(rows, cases[i].rows, cases[i].term, cases[i].red_row);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void many_rows(void **state) {
	struct term_table table;
	struct term piped = { 0 };
	struct buf out;

	(void)state;
	term_table_init(&table, columns, ARRAY_LEN(columns));
	for (int i = 0; i < 1000; i++) term_table_add(&table, rows[0]);
	buf_init(&out, 100000);
	assert_int_equal(term_table_render(&table, &piped, &out), 0);
	size_t lines = 0;
	for (size_t i = 0; i < out.len; i++) lines += out.at[i] == '\n';
	assert_int_equal(lines, 1001);
	buf_release(&out);

	buf_init(&out, 100);
	assert_int_equal(term_table_render(&table, &piped, &out), -1);
	buf_release(&out);
	term_table_release(&table);
}

static void widths_and_cuts(void **state) {
	static const struct {
		const char *text;
		size_t text_width, limit;
		const char *cut;
	} cases[] = {
		{ "abc", 3, 0, "abc" },
		{ "abc", 3, 3, "abc" },
		{ "abcd", 4, 3, "ab…" },
		{ "", 0, 3, "" },
		{ "äöü", 3, 3, "äöü" },
		{ "äöüß", 4, 3, "äö…" },
		{ "abcd", 4, 1, "…" },
		{ "日本語", 3, 2, "日…" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(term_text_width(cases[i].text), cases[i].text_width);
		char *cut = term_cut(cases[i].text, cases[i].limit);
		assert_string_equal(cut, cases[i].cut);
		free(cut);
	}
}

static void without_utf8_the_mark_is_ascii(void **state) {
	static const struct {
		const char *all, *ctype, *lang, *cut;
	} cases[] = {
		{ "C", "en_US.UTF-8", "en_US.UTF-8", "ab~" },
		{ "", "POSIX", "en_US.UTF-8", "ab~" },
		{ NULL, NULL, "de_DE.ISO-8859-1", "ab~" },
		{ NULL, NULL, "de_DE.utf8", "ab…" },
		{ "C.UTF-8", "C", "C", "ab…" },
		{ NULL, NULL, NULL, "ab…" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" }, *const values[] = {
			cases[i].all, cases[i].ctype, cases[i].lang
		};
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			if (values[k])
				setenv(names[k], values[k], 1);
			else
				unsetenv(names[k]);
		}
		char *cut = term_cut("abcd", 3);
		assert_string_equal(cut, cases[i].cut);
		free(cut);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(widths_and_cuts),
		cmocka_unit_test(without_utf8_the_mark_is_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
