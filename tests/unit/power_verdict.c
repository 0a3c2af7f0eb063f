/* Is the machine idle? The verdict over facts, the window over samples, the order of the end: each bound from both sides, each
 * "unknown" as use. tests/integration/test_mutants.py flips every comparison of the sources and wants this to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "power/power.h"

enum { S = 1000, M = 60 * S, EVERY = 30 * S, NOW = 40 * M, AFTER = 30 * M };

static const int64_t wall_ns = 1767225600 * NS_PER_S;

/* A sample each half minute from `from_ms` to `to_ms`. */
static void fill(struct idle_window *window, int64_t from_ms, int64_t to_ms) {
	const char *why;
	for (int64_t at_ms = from_ms; at_ms <= to_ms; at_ms += EVERY)
		idle_window_sample(window, at_ms, wall_ns + at_ms * NS_PER_MS, EVERY, &why);
}

/* ---- the window ---- */

static const struct {
	int64_t every_ms, passed_ms, wall_ms; /* since the sample before */
	const char *why;                      /* NULL: it goes on */
} steps[] = {
	{ EVERY, 30 * S, 30 * S, NULL },
	{ EVERY, 3 * EVERY, 3 * EVERY, NULL },
	{ EVERY, 3 * EVERY + 1, 3 * EVERY + 1, "nothing was looked at" },
	{ 100, 5 * S, 5 * S, NULL },
	{ 100, 5 * S + 1, 5 * S + 1, "nothing was looked at" },
	{ 2 * S, 5 * S + 1, 5 * S + 1, NULL },
	{ EVERY, 30 * S, 35 * S, NULL },
	{ EVERY, 30 * S, 35 * S + 1, "slept" },
	{ EVERY, 30 * S, 25 * S, NULL },
	{ EVERY, 30 * S, 25 * S - 1, "slept" },
	{ EVERY, 30 * S, -30 * S, "slept" },
	{ EVERY, 30 * S, 8 * 3600 * S, "slept" },
};

static void test_window(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct idle_window window = { 0 };
		const char *why = "";
		assert_true(idle_window_sample(&window, 5, wall_ns, steps[i].every_ms, &why));
		assert_null(why);
		assert_int_equal(window.start_ms, 5);
		bool anew = idle_window_sample(&window, 5 + steps[i].passed_ms,
			wall_ns + steps[i].wall_ms * NS_PER_MS, steps[i].every_ms, &why);
		if (anew != (steps[i].why != NULL) || (anew && !strstr(why, steps[i].why)))
			fail_msg("step %zu: %s", i, why ? why : "goes on");
		assert_int_equal(window.start_ms, anew ? 5 + steps[i].passed_ms : 5);
		assert_int_equal(window.count, anew ? 1 : 2);
	}
}

static void test_window_keeps_the_last_samples(void **state) {
	struct idle_window window = { 0 };
	(void)state;
	fill(&window, 0, 11 * EVERY);
	assert_int_equal(window.count, IDLE_SAMPLES);
	assert_int_equal(
		window.taken[window.next], 2 * EVERY); /* twelve were taken, ten are kept */
	idle_window_restart(&window);
	assert_false(window.begun);
	assert_int_equal(window.count, 0);
}

/* ---- the verdict ---- */

struct given {
	struct idle_window window;
	enum idle_word words[2];
	int64_t active_ms[2];
	struct idle_facts facts;
};

/* All idle since ever; two signals. */
static void idle_given(struct given *given) {
	*given = (struct given){ 0 };
	fill(&given->window, 5 * M, NOW);
	given->facts = (struct idle_facts){
		.now_ms = NOW,
		.after_ms = AFTER,
		.min_uptime_ms = 15 * M,
		.uptime_ms = NOW,
		.step_ended_ms = -1,
		.window = &given->window,
		.signals = 2,
		.words = given->words,
		.active_ms = given->active_ms,
	};
}

struct verdict_row {
	const char *name;
	void (*change)(struct given *given);
	enum idle_reason reason, late;
	size_t which;
	int64_t left_ms; /* of idle_verdict */
};

#define CHANGE(name, ...)                                 \
	static void name(struct given *given) {           \
		struct idle_facts *facts = &given->facts; \
		(void)facts;                              \
		__VA_ARGS__                               \
	}

CHANGE(none, )
CHANGE(step, facts->step_busy = true;)
CHANGE(restoring, facts->restoring = true;)
CHANGE(starting, facts->starting = true;)
CHANGE(dpkg, facts->dpkg = IDLE_ACTIVE;)
CHANGE(dpkg_unknown, facts->dpkg = IDLE_UNKNOWN;)
CHANGE(awake_for_ever, facts->awake_until_ms = INT64_MAX;)
CHANGE(awake, facts->awake_until_ms = NOW + 7;)
CHANGE(awake_over, facts->awake_until_ms = NOW;)
CHANGE(uptime_unknown, facts->uptime_ms = -1; facts->min_uptime_ms = 0;)
CHANGE(uptime_short, facts->uptime_ms = 15 * M - 1;)
CHANGE(uptime_just, facts->uptime_ms = 15 * M;)
CHANGE(uptime_nothing, facts->uptime_ms = 0; facts->min_uptime_ms = 0;)
CHANGE(step_ended, facts->step_ended_ms = NOW - 15 * M + 1;)
CHANGE(step_ended_long_ago, facts->step_ended_ms = NOW - 15 * M;)
CHANGE(step_ended_at_start, facts->step_ended_ms = 0; facts->min_uptime_ms = NOW + 1;
	facts->uptime_ms = NOW + 1;)
CHANGE(person, facts->person = IDLE_ACTIVE;)
CHANGE(person_unknown, facts->person = IDLE_UNKNOWN;)
CHANGE(first_active, given->words[0] = IDLE_ACTIVE;)
CHANGE(second_active, given->words[1] = IDLE_ACTIVE;)
CHANGE(first_unknown, given->words[0] = IDLE_UNKNOWN;)
CHANGE(second_unknown, given->words[1] = IDLE_UNKNOWN;)
CHANGE(active_lately, given->active_ms[1] = NOW - AFTER + 1;)
CHANGE(active_long_ago, given->active_ms[1] = NOW - AFTER;)
CHANGE(first_lately_second_before, given->active_ms[0] = NOW - M;
	given->active_ms[1] = NOW - 5 * M;)
CHANGE(window_short, idle_window_restart(&given->window);
	fill(&given->window, NOW - AFTER + EVERY, NOW);)
CHANGE(window_just, idle_window_restart(&given->window); fill(&given->window, NOW - AFTER, NOW);)
CHANGE(no_window, idle_window_restart(&given->window); facts->after_ms = 0;)
CHANGE(nine_samples, idle_window_restart(&given->window);
	fill(&given->window, NOW - 8 * EVERY, NOW); facts->after_ms = EVERY;)
CHANGE(nine_samples_from_0, idle_window_restart(&given->window); fill(&given->window, 0, 8 * EVERY);
	facts->after_ms = EVERY; facts->now_ms = 8 * EVERY;)
CHANGE(ten_samples, idle_window_restart(&given->window); fill(&given->window, NOW - 9 * EVERY, NOW);
	facts->after_ms = EVERY;)
CHANGE(samples_before_it, facts->after_ms = EVERY; given->active_ms[0] = NOW - 9 * EVERY + 1;)
CHANGE(samples_from_it_on, facts->after_ms = EVERY; given->active_ms[0] = NOW - 9 * EVERY;)
CHANGE(too_old, facts->max_uptime_ms = NOW; facts->person = IDLE_ACTIVE;
	given->words[1] = IDLE_ACTIVE;)
CHANGE(nearly_too_old, facts->max_uptime_ms = NOW + 1; given->words[1] = IDLE_ACTIVE;)
CHANGE(too_old_with_a_step, facts->max_uptime_ms = 1; facts->step_busy = true;)
CHANGE(too_old_but_awake, facts->max_uptime_ms = 1; facts->awake_until_ms = NOW + 1;)
CHANGE(no_signals, facts->signals = 0;)

/* Only the first signal counts late. */
static const struct verdict_row rows[] = {
	{ "nobody", none, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "a step", step, IDLE_BY_STEP, IDLE_BY_STEP, 0, -1 },
	{ "a restore", restoring, IDLE_BY_RESTORE, IDLE_BY_RESTORE, 0, -1 },
	{ "a start", starting, IDLE_BY_STARTING, IDLE_BY_STARTING, 0, -1 },
	{ "dpkg", dpkg, IDLE_BY_DPKG, IDLE_BY_DPKG, 0, -1 },
	{ "dpkg unknown", dpkg_unknown, IDLE_BY_DPKG, IDLE_BY_DPKG, 0, -1 },
	{ "awake for ever", awake_for_ever, IDLE_BY_AWAKE, IDLE_BY_AWAKE, 0, -1 },
	{ "awake", awake, IDLE_BY_AWAKE, IDLE_BY_AWAKE, 0, 7 },
	{ "awake is over", awake_over, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "uptime unknown", uptime_unknown, IDLE_BY_UPTIME, IDLE_BY_UPTIME, 0, -1 },
	{ "uptime short", uptime_short, IDLE_BY_UPTIME, IDLE_BY_UPTIME, 0, 1 },
	{ "uptime just", uptime_just, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "uptime nothing", uptime_nothing, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "a step ended", step_ended, IDLE_BY_STEP_ENDED, IDLE_BY_STEP_ENDED, 0, 1 },
	{ "a step ended long ago", step_ended_long_ago, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "a step ended at 0", step_ended_at_start, IDLE_BY_STEP_ENDED, IDLE_BY_STEP_ENDED, 0, 1 },
	{ "a person", person, IDLE_BY_PERSON, IDLE_BY_PERSON, 0, -1 },
	{ "a person unknown", person_unknown, IDLE_BY_PERSON, IDLE_BY_PERSON, 0, -1 },
	{ "first active", first_active, IDLE_BY_SIGNAL, IDLE_BY_SIGNAL, 0, -1 },
	{ "second active", second_active, IDLE_BY_SIGNAL, IDLE_BY_NOTHING, 1, -1 },
	{ "first unknown", first_unknown, IDLE_BY_UNKNOWN, IDLE_BY_UNKNOWN, 0, -1 },
	{ "second unknown", second_unknown, IDLE_BY_UNKNOWN, IDLE_BY_NOTHING, 1, -1 },
	{ "active lately", active_lately, IDLE_BY_WINDOW, IDLE_BY_NOTHING, 0, 1 },
	{ "active long ago", active_long_ago, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "the latest counts", first_lately_second_before, IDLE_BY_WINDOW, IDLE_BY_NOTHING, 0,
		AFTER - M },
	{ "window short", window_short, IDLE_BY_WINDOW, IDLE_BY_NOTHING, 0, EVERY },
	{ "window just", window_just, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "no window", no_window, IDLE_BY_WINDOW, IDLE_BY_NOTHING, 0, 0 },
	{ "nine samples", nine_samples, IDLE_BY_SAMPLES, IDLE_BY_NOTHING, 0, -1 },
	{ "nine samples from 0", nine_samples_from_0, IDLE_BY_SAMPLES, IDLE_BY_NOTHING, 0, -1 },
	{ "ten samples", ten_samples, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "samples before it", samples_before_it, IDLE_BY_SAMPLES, IDLE_BY_NOTHING, 0, -1 },
	{ "samples from it on", samples_from_it_on, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "too old", too_old, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
	{ "nearly too old", nearly_too_old, IDLE_BY_SIGNAL, IDLE_BY_NOTHING, 1, -1 },
	{ "too old with a step", too_old_with_a_step, IDLE_BY_STEP, IDLE_BY_STEP, 0, -1 },
	{ "too old but awake", too_old_but_awake, IDLE_BY_AWAKE, IDLE_BY_AWAKE, 0, 1 },
	{ "no signals", no_signals, IDLE_BY_NOTHING, IDLE_BY_NOTHING, 0, 0 },
};

static void test_verdict(void **state) {
	static const bool late[] = { true, false };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct given given;
		size_t which = 9;
		int64_t left_ms = 12345;
		idle_given(&given);
		rows[i].change(&given);
		enum idle_reason reason = idle_verdict(&given.facts, &which, &left_ms);
		if (reason != rows[i].reason || which != rows[i].which ||
			left_ms != rows[i].left_ms)
			fail_msg("%s: %s, signal %zu, left %lld", rows[i].name,
				idle_reason_text(reason), which, (long long)left_ms);
		reason = idle_verdict_late(&given.facts, late, &which);
		if (reason != rows[i].late)
			fail_msg("%s, late: %s", rows[i].name, idle_reason_text(reason));
	}
}

/* Too old counts late as well, and a person does not hold it. */
static void test_too_old_late(void **state) {
	static const bool late[] = { true, true };
	struct given given;
	size_t which;
	(void)state;
	idle_given(&given);
	given.facts.person = IDLE_ACTIVE;
	given.facts.max_uptime_ms = NOW + 1;
	assert_int_equal(idle_verdict_late(&given.facts, late, &which), IDLE_BY_PERSON);
	given.facts.max_uptime_ms = NOW;
	assert_int_equal(idle_verdict_late(&given.facts, late, &which), IDLE_BY_NOTHING);
	given.facts.max_uptime_ms = 0;
	given.facts.person = IDLE_IDLE;
	given.words[1] = IDLE_UNKNOWN;
	assert_int_equal(idle_verdict_late(&given.facts, late, &which), IDLE_BY_UNKNOWN);
	assert_int_equal(which, 1);
}

/* ---- the end ---- */

/* Rows are phases, columns events, in their order: idle active done failed cancel resumed. "." is nothing; two letters: where to,
 * and what is done. */
static const char *const order[IDLE_PHASES][IDLE_EVENTS] = {
	[IDLE_WATCHING] = { "Ww", ".", ".", ".", ".", "." },
	[IDLE_WARNED] = { ".", "-c", "Ff", ".", "-c", "." },
	[IDLE_FLUSHING] = { ".", "-c", "Ss", "-c", "-c", "." },
	[IDLE_STOPPING] = { ".", "Sn", "Rr", "-b", "Sn", "." },
	[IDLE_RESTING] = { ".", "-b", "Jj", "-b", "-b", "." },
	[IDLE_JUDGING] = { "Aa", "-b", ".", ".", "-b", "." },
	[IDLE_ACTING] = { ".", ".", "Gg", "Xx", "-b", "." },
	[IDLE_AFTER] = { ".", ".", ".", "Xx", ".", "-b" },
	[IDLE_SPENT] = { ".", ".", ".", ".", "-c", "." },
};
static const char phase_letters[] = "-WFSRJAGX";
static const char act_letters[] = ".wfsrjagcbxn";

static void check_turn(
	enum idle_phase phase, enum idle_event event, bool force, const char *wanted) {
	struct idle_turn turn = idle_next(phase, event, force);
	char got[3] = { phase_letters[turn.next], act_letters[turn.act], '\0' };
	if (turn.act == IDLE_DO_NOTHING) {
		assert_int_equal(turn.next, phase);
		got[0] = '.';
		got[1] = '\0';
	}
	if (!str_equal(got, wanted))
		fail_msg("%s, event %d: %s, not %s", idle_phase_name(phase), (int)event, got,
			wanted);
}

static void test_order(void **state) {
	(void)state;
	for (int phase = 0; phase < IDLE_PHASES; phase++)
		for (int event = 0; event < IDLE_EVENTS; event++)
			check_turn((enum idle_phase)phase, (enum idle_event)event, false,
				order[phase][event]);
}

/* With force a failure before the act is as good as an end; of anything else nothing changes. */
static void test_order_with_force(void **state) {
	(void)state;
	for (int phase = 0; phase < IDLE_PHASES; phase++) {
		for (int event = 0; event < IDLE_EVENTS; event++) {
			bool goes_on = event == IDLE_EV_FAILED &&
				       (phase == IDLE_FLUSHING || phase == IDLE_STOPPING ||
					       phase == IDLE_RESTING);
			check_turn((enum idle_phase)phase, (enum idle_event)event, true,
				order[phase][goes_on ? IDLE_EV_DONE : event]);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_keeps_the_last_samples),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_too_old_late),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_with_force),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
