/* Every cell of the table of SERVICES.md §3, and what follows from an exit. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/internal.h"

static const char *const events[] = { "want_up", "want_down", "deps_ready", "ready", "timer",
	"main_exited", "all_gone", "check_failed" };
static const char *const actions[] = { ".", "note", "wait", "wait_anew", "leave", "spawn", "greet",
	"signal", "fail", "kill", "kill_again", "clear", "forgive", "settle" };

/* "." stays and does nothing. In the order of the columns of `events`. */
static const struct {
	enum service_state state;
	const char *cells[SERVICE_EVENTS];
} rows[] = {
	{ SERVICE_DOWN, { "waiting wait", ".", ".", ".", ".", ".", ".", "." } },
	{ SERVICE_WAITING, { ".", "down leave", "starting spawn", ".", ".", ".", ".", "." } },
	{ SERVICE_STARTING, { "starting note", "stopping signal", ".", "up greet", "stopping fail",
				    "clearing clear", ".", "." } },
	{ SERVICE_UP, { "up note", "stopping signal", ".", ".", "up forgive", "clearing clear", ".",
			      "stopping fail" } },
	{ SERVICE_STOPPING, { "stopping note", "stopping note", ".", ".", "killing kill",
				    "clearing clear", ".", "." } },
	{ SERVICE_KILLING, { "killing note", "killing note", ".", ".", "killing kill_again",
				   "clearing clear", "clearing settle", "." } },
	{ SERVICE_CLEARING, { "clearing note", "clearing note", ".", ".", "killing kill", ".",
				    "clearing settle", "." } },
	{ SERVICE_DELAYED,
		{ "waiting wait", "down leave", ".", ".", "waiting wait", ".", ".", "." } },
	{ SERVICE_DONE, { "waiting wait_anew", "down leave", ".", ".", ".", ".", ".", "." } },
	{ SERVICE_FAILED, { "waiting wait_anew", "down leave", ".", ".", ".", ".", ".", "." } },
};

static void every_cell(void **state) {
	assert_int_equal(ARRAY_LEN(rows), SERVICE_STATES);
	for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
		for (int event = 0; event < SERVICE_EVENTS; event++) {
			struct service_step step =
				service_next(rows[row].state, (enum service_event)event);
			char said[64];
			snprintf(said, sizeof(said), "%s %s", service_state_name(step.next),
				actions[step.action]);
			if (strcmp(rows[row].cells[event], ".") == 0) {
				assert_int_equal(step.next, rows[row].state);
				assert_int_equal(step.action, SERVICE_NOTHING);
			} else if (strcmp(said, rows[row].cells[event]) != 0) {
				fail_msg("%s + %s: %s", service_state_name(rows[row].state),
					events[event], said);
			}
		}
	}
}

/* Whatever happens in whatever order: who wants it down gets it down, once nothing is left. */
static void down_is_always_reached(void **state) {
	for (int from = 0; from < SERVICE_STATES; from++) {
		enum service_state at =
			service_next((enum service_state)from, SERVICE_WANT_DOWN).next;
		for (int i = 0; i < 4; i++) {
			at = service_next(at, SERVICE_TIMER).next;
			at = service_next(at, SERVICE_MAIN_EXITED).next;
			struct service_step step = service_next(at, SERVICE_ALL_GONE);
			const struct service_question question = { .wanted = false };
			at = step.action == SERVICE_SETTLE ? service_verdict(&question) : step.next;
		}
		assert_int_equal(at, SERVICE_DOWN);
	}
}

static void exits_are_classified(void **state) {
	char *const ok[] = { "0", "3", NULL };
	static const struct {
		struct process_exit exit;
		enum service_exit_class class;
	} cases[] = {
		{ { .code = 0 }, SERVICE_EXIT_OK },
		{ { .code = 3 }, SERVICE_EXIT_OK },
		{ { .code = 1 }, SERVICE_EXIT_BAD },
		{ { .signal = SIGTERM }, SERVICE_EXIT_SIGNAL },
		{ { .signal = SIGKILL, .oom = true }, SERVICE_EXIT_OOM },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(service_classify(&cases[i].exit, ok), cases[i].class);
}

enum { OK = SERVICE_EXIT_OK, BAD = SERVICE_EXIT_BAD, UNKNOWN = SERVICE_EXIT_UNKNOWN };
enum {
	ALWAYS = SERVICE_RESTART_ALWAYS,
	FAILURE = SERVICE_RESTART_ON_FAILURE,
	NEVER = SERVICE_RESTART_NEVER
};

static void what_follows_from_an_end(void **state) {
	static const struct {
		bool wanted, asked;
		int class;
		bool no_restart;
		int policy;
		int64_t failures, give_up_after;
		enum service_state then;
	} cases[] = {
		{ false, true, BAD, false, ALWAYS, 1, 1, SERVICE_DOWN },
		{ false, false, OK, false, NEVER, 0, 0, SERVICE_DOWN },
		{ true, true, BAD, true, NEVER, 9, 1, SERVICE_WAITING },
		{ true, false, OK, false, ALWAYS, 0, 0, SERVICE_DELAYED },
		{ true, false, BAD, false, ALWAYS, 1000, 0, SERVICE_DELAYED },
		{ true, false, UNKNOWN, false, ALWAYS, 1, 0, SERVICE_DELAYED },
		{ true, false, OK, false, FAILURE, 0, 0, SERVICE_DONE },
		{ true, false, BAD, false, FAILURE, 1, 0, SERVICE_DELAYED },
		{ true, false, OK, false, NEVER, 0, 0, SERVICE_DONE },
		{ true, false, BAD, false, NEVER, 1, 0, SERVICE_FAILED },
		{ true, false, UNKNOWN, false, NEVER, 1, 0, SERVICE_FAILED },
		{ true, false, SERVICE_EXIT_EXEC_ERROR, false, ALWAYS, 5, 0, SERVICE_DELAYED },
		{ true, false, BAD, true, ALWAYS, 1, 0, SERVICE_FAILED },
		{ true, false, OK, true, ALWAYS, 0, 0, SERVICE_DONE },
		{ true, false, BAD, false, ALWAYS, 2, 3, SERVICE_DELAYED },
		{ true, false, BAD, false, ALWAYS, 3, 3, SERVICE_FAILED },
		{ true, false, OK, false, ALWAYS, 3, 3, SERVICE_DELAYED },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct service_question question = {
			.wanted = cases[i].wanted,
			.asked = cases[i].asked,
			.class = (enum service_exit_class)cases[i].class,
			.no_restart = cases[i].no_restart,
			.policy = (enum service_policy)cases[i].policy,
			.failures = cases[i].failures,
			.give_up_after = cases[i].give_up_after,
		};
		if (service_verdict(&question) != cases[i].then)
			fail_msg("case %zu: %s", i, service_state_name(service_verdict(&question)));
	}
}

static void the_delay_doubles_to_its_cap(void **state) {
	static const struct {
		int64_t delay, max, step, then;
	} cases[] = {
		{ 200, 60000, 0, 200 },
		{ 200, 60000, 1, 400 },
		{ 200, 60000, 8, 51200 },
		{ 200, 60000, 9, 60000 },
		{ 200, 60000, INT64_MAX, 60000 },
		{ 5000, 1000, 0, 1000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(service_delay_ms(cases[i].delay, cases[i].max, cases[i].step),
			cases[i].then);
	}
	/* No delay stays none, however often. */
	assert_int_equal(service_delay_ms(0, 60000, 1000), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell),
		cmocka_unit_test(down_is_always_reached),
		cmocka_unit_test(exits_are_classified),
		cmocka_unit_test(what_follows_from_an_end),
		cmocka_unit_test(the_delay_doubles_to_its_cap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
