/* Who is let in on the TCP side, as a table; sessions, codes and wrong guesses on a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/internal.h"

static const char own[] = "127.0.0.1:8390", origin[] = "http://127.0.0.1:8390";
static const char json[] = "application/json";

static void test_guard(void **state) {
	static const struct {
		const char *why;
		struct guard_question question;
		enum guard_verdict verdict;
	} rows[] = {
		{ "the page", { .method = "GET", .host = own, .open = true }, GUARD_PASS },
		{ "nobody", { .method = "GET", .host = own }, GUARD_LOGIN },
		{ "a session looks", { .method = "GET", .host = own, .session = true },
			GUARD_PASS },
		{ "a session acts",
			{ .method = "POST",
				.host = own,
				.origin = origin,
				.fetch_site = "same-origin",
				.content_type = json,
				.session = true },
			GUARD_PASS },
		{ "in capitals",
			{ .method = "POST",
				.host = "LOCALHOST:1",
				.origin = "http://localhost:1",
				.content_type = json,
				.session = true },
			GUARD_PASS },
		{ "behind a proxy",
			{ .method = "POST",
				.host = own,
				.origin = "https://127.0.0.1:8390",
				.content_type = json,
				.session = true },
			GUARD_PASS },
		{ "a session without origin",
			{ .method = "POST", .host = own, .content_type = json, .session = true },
			GUARD_ORIGIN },
		{ "a program",
			{ .method = "POST", .host = own, .content_type = json, .bearer = true },
			GUARD_PASS },
		{ "a program with parameters",
			{ .method = "POST",
				.host = own,
				.content_type = "Application/JSON; charset=utf-8",
				.bearer = true },
			GUARD_PASS },
		{ "no type", { .method = "POST", .host = own, .bearer = true }, GUARD_TYPE },
		{ "a form",
			{ .method = "POST",
				.host = own,
				.origin = origin,
				.content_type = "text/plain",
				.session = true },
			GUARD_TYPE },
		{ "nearly JSON",
			{ .method = "POST",
				.host = own,
				.origin = origin,
				.content_type = "application/jsonp",
				.session = true },
			GUARD_TYPE },
		{ "another method", { .method = "PUT", .host = own, .bearer = true }, GUARD_TYPE },
		{ "another port",
			{ .method = "POST",
				.host = own,
				.origin = "http://127.0.0.1:8888",
				.content_type = json,
				.session = true },
			GUARD_ORIGIN },
		{ "a longer port",
			{ .method = "POST",
				.host = own,
				.origin = "http://127.0.0.1:83900",
				.content_type = json,
				.session = true },
			GUARD_ORIGIN },
		{ "a sandbox",
			{ .method = "POST",
				.host = own,
				.origin = "null",
				.content_type = json,
				.bearer = true },
			GUARD_ORIGIN },
		{ "reads from elsewhere",
			{ .method = "GET",
				.host = own,
				.origin = "http://evil.example",
				.bearer = true },
			GUARD_ORIGIN },
		{ "same site",
			{ .method = "GET",
				.host = own,
				.fetch_site = "same-site",
				.session = true },
			GUARD_ORIGIN },
		{ "another site",
			{ .method = "GET",
				.host = own,
				.fetch_site = "cross-site",
				.session = true },
			GUARD_ORIGIN },
		{ "typed by a person",
			{ .method = "GET", .host = own, .fetch_site = "none", .session = true },
			GUARD_PASS },
		{ "a link to the page",
			{ .method = "GET", .host = own, .fetch_site = "cross-site", .open = true },
			GUARD_PASS },
		{ "a login from elsewhere",
			{ .method = "POST",
				.host = own,
				.fetch_site = "cross-site",
				.content_type = json,
				.open = true },
			GUARD_ORIGIN },
		{ "a login",
			{ .method = "POST",
				.host = own,
				.origin = origin,
				.fetch_site = "same-origin",
				.content_type = json,
				.open = true },
			GUARD_PASS },
		{ "no host", { .method = "GET", .bearer = true }, GUARD_HOST },
		{ "an empty host", { .method = "GET", .host = "", .bearer = true }, GUARD_HOST },
		{ "a port alone", { .method = "GET", .host = ":8390", .bearer = true },
			GUARD_HOST },
		{ "a name", { .method = "GET", .host = "evil.example:8390", .open = true },
			GUARD_HOST },
		{ "a number as a name",
			{ .method = "GET", .host = "127.0.0.1.evil.example", .open = true },
			GUARD_HOST },
		{ "no port", { .method = "GET", .host = "127.0.0.1:x", .open = true }, GUARD_HOST },
		{ "all of loopback", { .method = "GET", .host = "127.8.8.8", .open = true },
			GUARD_PASS },
		{ "six", { .method = "GET", .host = "[::1]:8390", .open = true }, GUARD_PASS },
		{ "six, open", { .method = "GET", .host = "[::1", .open = true }, GUARD_HOST },
		{ "six, more", { .method = "GET", .host = "[::1]x", .open = true }, GUARD_HOST },
		{ "outside", { .method = "GET", .host = "192.0.2.1:8390", .open = true },
			GUARD_HOST },
		{ "outside, allowed",
			{ .method = "GET", .host = "192.0.2.1:8390", .open = true, .remote = true },
			GUARD_PASS },
		{ "six outside", { .method = "GET", .host = "[2001:db8::1]", .open = true },
			GUARD_HOST },
		{ "its name",
			{ .method = "GET", .host = "box:8390", .open = true, .machine = "box" },
			GUARD_HOST },
		{ "its name, allowed",
			{ .method = "GET",
				.host = "Box:8390",
				.open = true,
				.remote = true,
				.machine = "box" },
			GUARD_PASS },
		{ "a name, allowed",
			{ .method = "GET",
				.host = "evil.example",
				.open = true,
				.remote = true,
				.machine = "box" },
			GUARD_HOST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (guard_judge(&rows[i].question) == rows[i].verdict) continue;
		fail_msg("%s: %d, not %d", rows[i].why, guard_judge(&rows[i].question),
			rows[i].verdict);
	}
}

static char *secret(unsigned number) {
	static char text[SECRET_TEXT_SIZE];

	snprintf(text, sizeof(text), "%064u", number);
	return text;
}

static void test_same(void **state) {
	(void)state;
	assert_true(secret_same("", "") && secret_same("abc", "abc"));
	assert_false(secret_same("abc", "abd") || secret_same("abc", "ab") ||
		     secret_same("", "a") || secret_same("a", ""));
}

static void test_sessions(void **state) {
	struct logins logins = { 0 };
	const int64_t idle_ms = (int64_t)SESSION_IDLE_S * 1000,
		      most_ms = (int64_t)SESSION_MAX_S * 1000;

	(void)state;
	assert_false(logins_session_good(&logins, NULL, 0) || logins_session_good(&logins, "", 0));
	assert_string_equal(logins_session_new(&logins, secret(1), 1), secret(1));
	assert_true(logins_session_good(&logins, secret(1), idle_ms));
	assert_true(
		logins_session_good(&logins, secret(1), 2 * idle_ms - 1)); /* being used keeps it */
	assert_false(logins_session_good(&logins, secret(1), 3 * idle_ms));
	assert_false(logins_session_good(&logins, secret(2), 1));

	/* Not for ever, however much it is used. */
	(void)logins_session_new(&logins, secret(3), 0);
	for (int64_t at = 0; at < most_ms; at += idle_ms / 2) {
		assert_true(logins_session_good(&logins, secret(3), at));
	}
	assert_false(logins_session_good(&logins, secret(3), most_ms));

	/* The one that was not used for longest makes room. */
	memset(&logins, 0, sizeof(logins));
	for (unsigned i = 0; i < SESSIONS_MAX; i++) (void)logins_session_new(&logins, secret(i), i);
	assert_true(logins_session_good(&logins, secret(0), SESSIONS_MAX));
	(void)logins_session_new(&logins, secret(100), SESSIONS_MAX + 1);
	assert_false(logins_session_good(&logins, secret(1), SESSIONS_MAX + 1));
	assert_true(logins_session_good(&logins, secret(0), SESSIONS_MAX + 1));
	logins_session_end(&logins, secret(0));
	logins_session_end(&logins, "");
	logins_session_end(&logins, NULL);
	assert_false(logins_session_good(&logins, secret(0), SESSIONS_MAX + 1));
	assert_false(logins_session_good(&logins, "", SESSIONS_MAX + 1));
}

static void test_codes(void **state) {
	struct logins logins = { 0 };
	const int64_t code_ms = (int64_t)CODE_S * 1000;

	(void)state;
	assert_false(logins_code_take(&logins, "", 0));
	logins_code_new(&logins, secret(1), 10);
	assert_true(logins_code_waits(&logins, secret(1), 10 + code_ms - 1));
	assert_false(logins_code_waits(&logins, secret(1), 10 + code_ms));
	assert_true(logins_code_take(&logins, secret(1), 11));
	assert_false(logins_code_take(&logins, secret(1), 11) ||
		     logins_code_waits(&logins, secret(1), 11));
	for (unsigned i = 0; i <= CODES_MAX; i++) logins_code_new(&logins, secret(i), i);
	assert_false(logins_code_take(&logins, secret(0), 100)); /* the oldest made room */
	assert_true(logins_code_take(&logins, secret(1), 100) &&
		    logins_code_take(&logins, secret(CODES_MAX), 100));
}

static void test_guesses(void **state) {
	struct logins logins = { 0 };
	int64_t waits[GUESSES_FREE + 8], now_ms = 1000;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		logins_wrong(&logins, now_ms);
		waits[i] = logins_wait_s(&logins, now_ms);
		now_ms += waits[i] * 1000;
		assert_int_equal(logins_wait_s(&logins, now_ms), 0);
	}
	for (size_t i = 0; i < GUESSES_FREE - 1; i++) assert_int_equal(waits[i], 0);
	assert_int_equal(waits[GUESSES_FREE - 1], 1);
	assert_int_equal(waits[GUESSES_FREE], 2);
	assert_int_equal(waits[ARRAY_LEN(waits) - 1], GUESS_WAIT_MAX_S);
	logins_wrong(&logins, now_ms);
	logins_right(&logins);
	assert_int_equal(logins_wait_s(&logins, now_ms), 0);
}

static void test_addresses(void **state) {
	static const struct {
		const char *text;
		bool remote, good;
	} rows[] = {
		{ "127.0.0.1:8390", false, true },
		{ "127.1.2.3:1", false, true },
		{ "localhost:65535", false, true },
		{ "[::1]:8390", false, true },
		{ "0.0.0.0:8390", false, false },
		{ "0.0.0.0:8390", true, true },
		{ "[::]:8390", true, true },
		{ "192.0.2.1:8390", false, false },
		{ "192.0.2.1:8390", true, true },
		{ "::1:8390", true, false },
		{ "[::1]", true, false },
		{ "[]:1", true, false },
		{ "example.org:80", true, false },
		{ "127.0.0.1", true, false },
		{ "127.0.0.1:", true, false },
		{ "127.0.0.1:0", true, false },
		{ "127.0.0.1:65536", true, false },
		{ "127.0.0.1:80x", true, false },
		{ ":8390", true, false },
		{ "8390", true, false },
		{ "yes", true, false },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if ((control_web_check(rows[i].text, rows[i].remote, &err) == 0) == rows[i].good)
			continue;
		fail_msg("'%s', %d", rows[i].text, rows[i].remote);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
