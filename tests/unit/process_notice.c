/* What is taken from the words of sd_notify(3), and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "process/internal.h"

static void words_and_what_they_do(void **state) {
	static const struct {
		const char *text;
		bool news;
		struct process_notice notice;
	} cases[] = {
		{ "", false, { 0 } },
		{ "READY=1", true, { .ready = true } },
		{ "READY=1\n", true, { .ready = true } },
		{ "\n\nREADY=1", true, { .ready = true } },
		{ "READY=0", false, { 0 } },
		{ "READY=10", false, { 0 } },
		{ "READY", false, { 0 } },
		{ "XREADY=1", false, { 0 } },
		{ "READY=1\r", false, { 0 } },
		{ "STOPPING=1", true, { .stopping = true } },
		{ "WATCHDOG=1\nWATCHDOG=1", true, { .pings = 2 } },
		{ "WATCHDOG=trigger", true, { .broken = true } },
		{ "WATCHDOG=2", false, { 0 } },
		{ "WATCHDOG_USEC=1", false, { 0 } },
		{ "MAINPID=1\nMAINPIDFD=1\nFDSTORE=1\nBARRIER=1", false, { 0 } },
		{ "STATUS=", false, { 0 } },
		{ "STATUS", false, { 0 } },
		{ "STATUS=a=b c", true, { .status = "a=b c" } },
		{ "STATUS=first\nSTATUS=second", true, { .status = "second" } },
		{ "STATUS=\033[31mred\ttab", true, { .status = " [31mred tab" } },
		{ "X_A=1\nSTATUS=x\nREADY=1\nMAINPID=7\nSTOPPING=1", true,
			{ .ready = true, .stopping = true, .status = "x" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct process_notice notice = { 0 };
		const struct process_notice *wanted = &cases[i].notice;
		assert_int_equal(notice_take(&notice, cases[i].text), cases[i].news);
		assert_int_equal(notice.ready, wanted->ready);
		assert_int_equal(notice.stopping, wanted->stopping);
		assert_int_equal(notice.broken, wanted->broken);
		assert_int_equal(notice.pings, wanted->pings);
		assert_string_equal(notice.status, wanted->status);
	}
}

static void what_is_said_twice_is_no_news(void **state) {
	struct process_notice notice = { 0 };
	assert_true(notice_take(&notice, "READY=1\nSTATUS=x"));
	assert_false(notice_take(&notice, "READY=1\nSTATUS=x"));
	assert_true(notice_take(&notice, "READY=1\nSTATUS=y"));
	assert_true(notice_take(&notice, "WATCHDOG=1"));
	assert_true(notice_take(&notice, "WATCHDOG=1"));
	assert_int_equal(notice.pings, 2);
	assert_true(notice_take(&notice, "STATUS="));
	assert_string_equal(notice.status, "");
}

/* For every length around the limit: whole characters, as many as fit. */
static void a_long_status_is_cut_between_characters(void **state) {
	for (size_t before = 0; before < 4; before++) {
		char text[2000] = "STATUS=";
		struct process_notice notice = { 0 };
		memset(text + strlen(text), 'a', before);
		while (strlen(text) < 1000) strcat(text, "\xe2\x82\xac"); /* a euro sign */
		assert_true(notice_take(&notice, text));
		size_t len = strlen(notice.status);
		assert_true(len > PROCESS_STATUS_SIZE - 4 && len < PROCESS_STATUS_SIZE);
		assert_int_equal((len - before) % 3, 0);
		assert_memory_equal(notice.status, text + strlen("STATUS="), len);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_what_they_do),
		cmocka_unit_test(what_is_said_twice_is_no_news),
		cmocka_unit_test(a_long_status_is_cut_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
