/* Is it a terminal, how wide, with colours? And the progress line. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "term/term.h"

/* A terminal of our own: the master reads what the slave shows. */
static int master, slave;

static int setup(void **state) {
	(void)state;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	return slave < 0 ? -1 : 0;
}

static int teardown(void **state) {
	(void)state;
	close(slave);
	close(master);
	return 0;
}

static void set_env(const char *name, const char *value) {
	if (value) {
		setenv(name, value, 1);
	} else {
		unsetenv(name);
	}
}

static void terminals(void **state) {
	static const struct {
		unsigned short window;
		const char *columns, *term, *no_colour;
		size_t width;
		bool colours;
	} cases[] = {
		{ 120, NULL, "xterm", NULL, 120, true },
		{ 120, "70", "xterm", NULL, 120, true }, /* the window knows better */
		{ 0, "70", "xterm", NULL, 70, true }, { 0, NULL, "xterm", NULL, 80, true },
		{ 0, "many", "xterm", NULL, 80, true }, { 3, NULL, "xterm", NULL, 20, true },
		{ 9999, NULL, "xterm", NULL, 1000, true }, { 80, NULL, "dumb", NULL, 80, false },
		{ 80, NULL, NULL, NULL, 80, false }, { 80, NULL, "xterm", "1", 80, false },
		{ 80, NULL, "xterm", "", 80, true }, /* no-color.org: not when empty */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct winsize size = { .ws_col = cases[i].window };
		struct term term;
		assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
		set_env("COLUMNS", cases[i].columns);
		set_env("TERM", cases[i].term);
		set_env("NO_COLOR", cases[i].no_colour);
		term_init(&term, slave);
		assert_true(term.is_terminal);
		assert_int_equal(term.width, cases[i].width);
		assert_int_equal(term.colours, cases[i].colours);
		assert_string_equal(
			term_paint(&term, TERM_GREEN), cases[i].colours ? "\033[32m" : "");
		assert_string_equal(
			term_unpaint(&term, TERM_GREEN), cases[i].colours ? "\033[0m" : "");
		assert_string_equal(term_paint(&term, TERM_PLAIN), "");
		assert_string_equal(term_unpaint(&term, TERM_PLAIN), "");
	}
}

static void a_pipe_is_plain(void **state) {
	struct term_progress progress = { .label = "docs", .done = 1, .total = 2 };
	struct term term;
	char bytes[16];
	int ends[2];

	(void)state;
	set_env("TERM", "xterm");
	set_env("NO_COLOR", NULL);
	assert_int_equal(pipe(ends), 0);
	term_init(&term, ends[1]);
	assert_false(term.is_terminal);
	assert_false(term.colours);
	assert_int_equal(term.width, 0);
	term_progress_show(&term, &progress);
	term_progress_clear(&term);
	close(ends[1]);
	assert_int_equal(read(ends[0], bytes, sizeof(bytes)), 0);
	close(ends[0]);
}

static void progress_lines(void **state) {
	static const struct {
		struct term_progress progress;
		size_t width;
		const char *line;
	} cases[] = {
		{ { "docs", 0, 100, NULL }, 31, "docs  [..................]   0%" },
		{ { "docs", 50, 100, NULL }, 31, "docs  [#########.........]  50%" },
		{ { "docs", 100, 100, NULL }, 31, "docs  [##################] 100%" },
		{ { "docs", 999, 1000, NULL }, 31, "docs  [#################.]  99%" },
		{ { "docs", 200, 100, NULL }, 31, "docs  [##################] 100%" },
		{ { "docs", -5, 100, NULL }, 31, "docs  [..................]   0%" },
		{ { "docs", INT64_MAX / 2, INT64_MAX, "1.5 MiB/s" }, 40,
			"docs  [########........]  50%  1.5 MiB/s" },
		{ { "docs", 1, 2, NULL }, 20, "docs   50%" }, /* no room for a bar */
		{ { "docs", 1, 2, NULL }, 6, "docs …" },
		{ { "docs", 1, 0, "12 files" }, 40, "docs  12 files" },
		{ { "döcs", 1, 0, NULL }, 3, "dö…" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *line = term_progress_line(&cases[i].progress, cases[i].width);
		assert_string_equal(line, cases[i].line);
		assert_true(term_text_width(line) <= cases[i].width);
		free(line);
	}
	/* However wide the screen is, the bar is not. */
	struct term_progress half = { "d", 1, 2, NULL };
	char *wide = term_progress_line(&half, 500);
	assert_string_equal(wide, "d  [####################....................]  50%");
	free(wide);
}

static void progress_is_written_over(void **state) {
	struct term_progress progress = { .label = "docs", .done = 1, .total = 2 };
	struct winsize size = { .ws_col = 30 };
	struct term term;
	char bytes[200] = "";
	size_t len = 0;
	static const char wanted[] = "\rdocs  [########........]  50%\033[K\r\033[K";

	(void)state;
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	term_init(&term, slave);
	term_progress_show(&term, &progress);
	term_progress_clear(&term);
	while (len < sizeof(wanted) - 1) {
		ssize_t got = read(master, bytes + len, sizeof(bytes) - 1 - len);
		assert_true(got > 0);
		len += (size_t)got;
	}
	assert_string_equal(bytes, wanted);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminals),
		cmocka_unit_test(a_pipe_is_plain),
		cmocka_unit_test(progress_lines),
		cmocka_unit_test(progress_is_written_over),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
