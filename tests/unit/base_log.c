#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

static int64_t fixed_clock(void) {
	return 1795356187 * NS_PER_S + 123 * NS_PER_MS;
}

/* What the next lines write to standard error. */
static int ends[2], kept_stderr;

static void capture_begin(void) {
	assert_int_equal(pipe(ends), 0);
	kept_stderr = dup(STDERR_FILENO);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
}

static char *capture_end(void) {
	struct buf buf;
	char bytes[4096];
	ssize_t got;

	assert_true(dup2(kept_stderr, STDERR_FILENO) >= 0);
	close(kept_stderr);
	close(ends[1]);
	buf_init(&buf, 1 << 20);
	while ((got = read(ends[0], bytes, sizeof(bytes))) > 0) buf_add(&buf, bytes, (size_t)got);
	close(ends[0]);
	return buf_steal(&buf);
}

static void lines(void **state) {
	static const struct {
		enum log_format format;
		enum log_level level;
		const char *text, *line;
	} cases[] = {
		{ LOG_TEXT, LOG_LEVEL_INFO, "started", "2026-11-22T14:03:07.123Z info started\n" },
		{ LOG_TEXT, LOG_LEVEL_ERROR, "bad", "2026-11-22T14:03:07.123Z error bad\n" },
		{ LOG_TEXT, LOG_LEVEL_WARN, "two\nlines\x1b[2J",
			"2026-11-22T14:03:07.123Z warn two\\x0alines\\x1b[2J\n" },
		{ LOG_TEXT, LOG_LEVEL_DEBUG, "no \xff",
			"2026-11-22T14:03:07.123Z debug no \\xff\n" },
		{ LOG_JOURNAL, LOG_LEVEL_INFO, "started", "<6>started\n" },
		{ LOG_JOURNAL, LOG_LEVEL_ERROR, "a\nb", "<3>a\\x0ab\n" },
		{ LOG_JOURNAL, LOG_LEVEL_WARN, "x", "<4>x\n" },
		{ LOG_JOURNAL, LOG_LEVEL_DEBUG, "x", "<7>x\n" },
		{ LOG_JSON, LOG_LEVEL_INFO, "say \"a\\b\"",
			"{\"time\":\"2026-11-22T14:03:07.123Z\",\"level\":\"info\",\"text\":\"say "
			"\\\"a\\\\b\\\"\"}\n" },
		{ LOG_JSON, LOG_LEVEL_WARN, "\n\xff",
			"{\"time\":\"2026-11-22T14:03:07.123Z\",\"level\":\"warn\",\"text\":"
			"\"\\\\x0a\\\\xff\"}\n" },
	};
	(void)state;
	log_clock(fixed_clock);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_open(LOG_LEVEL_DEBUG, cases[i].format);
		capture_begin();
		log_line(cases[i].level, "%s", cases[i].text);
		char *got = capture_end();
		assert_string_equal(got, cases[i].line);
		free(got);
	}
	log_clock(NULL);
}

static void levels(void **state) {
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_open((enum log_level)level, LOG_JOURNAL);
		capture_begin();
		log_error("e");
		log_warn("w");
		log_info("i");
		log_debug("d");
		char *got = capture_end();
		assert_int_equal(strlen(got), 5 * (level + 1)); /* "<6>i\n" each */
		assert_int_equal(log_wants(LOG_LEVEL_INFO), level >= LOG_LEVEL_INFO);
		free(got);
	}
}

static void long_lines_are_cut(void **state) {
	char *text = xmalloc(20001);

	(void)state;
	memset(text, '"', 20000); /* doubled in JSON */
	text[20000] = '\0';
	log_open(LOG_LEVEL_INFO, LOG_JSON);
	capture_begin();
	log_info("%s", text);
	char *got = capture_end();
	assert_true(strlen(got) < 20000);
	assert_true(str_ends(got, "\\\"...\"}\n"));
	free(got);
	free(text);
}

static void redacts(void **state) {
	static const char *const cases[][2] = {
		{ "token hunter22 used", "token *** used" },
		{ "hunter22hunter22", "***" },
		{ "nothing here", "nothing here" },
		{ "abcdefgh", "***" }, /* the longer of two, one inside the other */
		{ "x abcd x", "x *** x" },
		{ "12345678ab", "***ab" }, /* overlapping: 123456 and 45678 */
		{ "a cat", "a cat" },      /* shorter than 4: not kept as a secret */
		{ "", "" },
	};
	(void)state;
	log_secret("hunter22");
	log_secret("hunter22"); /* again, by a reload */
	log_secret("abcd");
	log_secret("abcdefgh");
	log_secret("123456");
	log_secret("45678");
	log_secret("cat");
	log_secret("two\nlines");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = xstrdup(cases[i][0]);
		log_redact(text);
		assert_string_equal(text, cases[i][1]);
		free(text);
	}
	assert_true(log_is_secret("hunter22"));
	assert_true(log_is_secret("two\nlines"));
	assert_false(log_is_secret("hunter22hunter22"));
	assert_false(log_is_secret("cat"));
}

static void remember_line(enum log_level level, const char *line, void *user) {
	struct buf *seen = user;

	buf_addf(seen, "%d:%s;", (int)level, line);
}

static void tap_and_stderr_never_see_a_secret(void **state) {
	struct buf seen;
	char *filler = xmalloc(8201);

	(void)state;
	log_secret("hunter22");
	log_secret("two\nlines");
	buf_init(&seen, 100000);
	log_open(LOG_LEVEL_INFO, LOG_JOURNAL);
	log_tap(remember_line, &seen);
	capture_begin();
	log_info("password %s", "hunter22");
	log_warn("escaped two\nlines");
	/* Across the place where a long line is cut. */
	memset(filler, '.', 8200);
	memcpy(filler + 8186, "hunter22 and", 13);
	log_error("%s", filler);
	log_tap(NULL, NULL);
	log_info("not for the tap");
	char *got = capture_end();

	assert_true(str_starts(got, "<6>password ***\n<4>escaped ***\n<3>...."));
	assert_null(strstr(got, "hunt"));
	assert_true(str_ends(got, "<6>not for the tap\n"));
	assert_true(str_starts(seen.at, "2:password ***;1:escaped ***;0:...."));
	assert_null(strstr(seen.at, "hunt"));
	assert_null(strstr(seen.at, "not for"));
	free(got);
	free(filler);
	buf_release(&seen);
}

/* Under a sanitizer malloc would end the program before we could. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) {
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void) {
	return "allocator_may_return_null=1";
}

/* In a child, because cmocka takes SIGABRT for a failed test. */
static void out_of_memory_ends_the_program(void **state) {
	(void)state;
	capture_begin();
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		volatile size_t too_much = SIZE_MAX / 2;
		free(xmalloc(too_much));
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	char *got = capture_end();
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(got, "out of memory: tend stops here\n"));
	free(got);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(redacts),
		cmocka_unit_test(tap_and_stderr_never_see_a_secret),
		cmocka_unit_test(out_of_memory_ends_the_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
