/* What must hold on the real loop and on its simulated twin alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop/loop.h"

static struct loop *loop;
static char trace[4096];

static void note(const char *what) {
	size_t len = strlen(trace);
	int wrote = snprintf(trace + len, sizeof(trace) - len, "%s%s", len ? " " : "", what);

	assert_true(wrote > 0 && (size_t)wrote < sizeof(trace) - len);
}

static int setup_real(void **state) {
	struct err err;

	(void)state;
	trace[0] = '\0';
	loop = loop_new(2, &err);
	return loop ? 0 : -1;
}

static int setup_simulated(void **state) {
	(void)state;
	trace[0] = '\0';
	loop = loop_new_simulated(1);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	loop_free(loop);
	return 0;
}

/* ---- timers ---- */

struct named_timer {
	struct timer timer;
	const char *name;
};

static void name_fired(struct timer *timer) {
	note(container_of(timer, struct named_timer, timer)->name);
}

static void stop_fired(struct timer *timer) {
	loop_stop(timer->loop);
}

static void run_until_ms(int64_t delay_ms) {
	struct timer stop;

	timer_init(&stop, loop, stop_fired);
	timer_start(&stop, delay_ms);
	loop_run(loop);
	timer_cancel(&stop);
}

static void timers_fire_in_order(void **state) {
	static const struct {
		const char *name;
		int64_t delay_ms;
	} cases[] = {
		{ "c", 3 },
		{ "a", 1 },
		{ "e", 5 },
		{ "b", 1 },
		{ "now", 0 },
		{ "past", -7 },
		{ "d", 3 },
	};
	struct named_timer timers[ARRAY_LEN(cases)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		timers[i].name = cases[i].name;
		timer_init(&timers[i].timer, loop, name_fired);
		timer_start(&timers[i].timer, cases[i].delay_ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_true(timer_running(&timers[i].timer));
	assert_string_equal(trace, ""); /* never inside start */
	run_until_ms(6);
	if (strcmp(loop_host(loop), "simulated") == 0)
		assert_string_equal(trace, "now past a b c d e");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(timer_running(&timers[i].timer));
		assert_non_null(strstr(trace, cases[i].name));
	}
}

static void restarted_and_cancelled_timers(void **state) {
	struct named_timer kept = { .name = "kept" }, gone = { .name = "gone" };
	struct timer zeroed = { 0 };

	(void)state;
	timer_init(&kept.timer, loop, name_fired);
	timer_init(&gone.timer, loop, name_fired);
	timer_start(&kept.timer, 1);
	timer_start(&kept.timer, 2);
	timer_start(&gone.timer, 1);
	timer_cancel(&gone.timer);
	timer_cancel(&gone.timer);
	timer_cancel(&zeroed);
	assert_false(timer_running(&zeroed));
	run_until_ms(4);
	assert_string_equal(trace, "kept");
	timer_start(&kept.timer, INT64_MAX); /* never, and no overflow */
	assert_true(timer_running(&kept.timer));
	run_until_ms(1);
	timer_cancel(&kept.timer);
	assert_string_equal(trace, "kept");
}

/* A heap against the plain rule, over many starts and cancels. */
static struct timer many[500];
static int64_t last_due_ms;
static uint64_t last_order;
static unsigned fired_count;

static void ordered_fired(struct timer *timer) {
	assert_true(timer->due_ms > last_due_ms ||
		    (timer->due_ms == last_due_ms && timer->order > last_order));
	assert_true(timer->due_ms <= loop_now_ms(loop));
	last_due_ms = timer->due_ms;
	last_order = timer->order;
	fired_count++;
}

static void many_timers(void **state) {
	uint32_t random = 12345;
	unsigned running = 0;

	(void)state;
	last_due_ms = -1;
	fired_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(many); i++) timer_init(&many[i], loop, ordered_fired);
	for (int round = 0; round < 5000; round++) {
		random = random * 1103515245 + 12345;
		struct timer *timer = &many[(random >> 8) % ARRAY_LEN(many)];
		if (random >> 30 == 0) {
			timer_cancel(timer);
		} else {
			timer_start(timer, (random >> 4) % 8);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(many); i++) running += timer_running(&many[i]);
	/* Later than all of them, whatever the real clock did meanwhile. */
	while (fired_count < running) run_until_ms(8);
	assert_int_equal(fired_count, running);
}

static unsigned again_count;

static void again_fired(struct timer *timer) {
	again_count++;
	timer_start(timer, 0);
}

static void delay_zero_does_not_hold_the_loop(void **state) {
	struct timer again;

	(void)state;
	again_count = 0;
	timer_init(&again, loop, again_fired);
	timer_start(&again, 0);
	struct loop_counts before = loop_counts(loop);
	bool stopped = false;
	while (!stopped) { /* two turns fire it twice, not for ever */
		loop_stop(loop);
		loop_run(loop);
		stopped = again_count >= 2;
	}
	assert_int_equal(loop_counts(loop).turns - before.turns, again_count);
	timer_cancel(&again);
}

/* ---- deferred calls ---- */

struct named_defer {
	struct defer defer;
	const char *name;
	struct named_defer *starts, *cancels;
};

static void name_called(struct defer *defer) {
	struct named_defer *self = container_of(defer, struct named_defer, defer);

	note(self->name);
	if (self->starts) defer_start(loop, &self->starts->defer);
	if (self->cancels) defer_cancel(&self->cancels->defer);
	self->starts = NULL;
}

static void deferred_calls_come_once_and_later(void **state) {
	struct named_defer a = { .name = "a" }, b = { .name = "b" }, c = { .name = "c" },
			   d = { .name = "d" };

	(void)state;
	defer_init(&a.defer, name_called);
	defer_init(&b.defer, name_called);
	defer_init(&c.defer, name_called);
	defer_init(&d.defer, name_called);
	a.starts = &a; /* itself again: in the next turn, after b */
	b.cancels = &c;
	defer_start(loop, &a.defer);
	defer_start(loop, &a.defer);
	defer_start(loop, &b.defer);
	defer_start(loop, &c.defer);
	defer_start(loop, &d.defer);
	defer_cancel(&d.defer);
	assert_string_equal(trace, "");
	run_until_ms(1);
	/* On a busy machine that millisecond may pass within the first turn. */
	run_until_ms(1);
	assert_string_equal(trace, "a b a");
}

/* ---- ends of turns ---- */

struct named_end {
	struct turn_end end;
	const char *name;
	struct turn_end *wants;
	struct defer *defers;
	int times;
};

static void end_called(struct turn_end *end) {
	struct named_end *self = container_of(end, struct named_end, end);

	note(self->name);
	if (self->wants && self->times-- > 0) turn_end_want(self->wants);
	if (self->defers) defer_start(loop, self->defers);
	self->defers = NULL;
}

static void ends_of_turns(void **state) {
	struct named_end first = { .name = "first", .times = 1 },
			 second = { .name = "second", .times = 1 }, third = { .name = "third" };
	struct named_defer later = { .name = "later" };

	(void)state;
	defer_init(&later.defer, name_called);
	turn_end_add(loop, &first.end, end_called);
	turn_end_add(loop, &second.end, end_called);
	turn_end_add(loop, &third.end, end_called);
	second.wants = &first.end;   /* an earlier one runs again, in this end of turn */
	first.defers = &later.defer; /* and what is deferred there keeps the loop from sleeping */
	turn_end_want(&second.end);
	turn_end_want(&second.end);
	bool never = false;
	loop_stop(loop);
	loop_run_until(loop, &never);
	assert_string_equal(trace, "second first");
	loop_stop(loop);
	loop_run(loop);
	assert_string_equal(trace, "second first later");

	/* Nobody asks, nobody is called; what was removed is not called either. */
	turn_end_want(&third.end);
	turn_end_remove(&third.end);
	run_until_ms(1);
	assert_string_equal(trace, "second first later");
	turn_end_remove(&first.end);
	turn_end_remove(&second.end);
}

/* The last thing before the loop sleeps, after everything that this turn brought. */
static struct named_end after_all = { .name = "end" };

static void wanting_fired(struct timer *timer) {
	name_fired(timer);
	turn_end_want(&after_all.end);
}

static void ends_come_after_timers(void **state) {
	struct named_timer a = { .name = "a" }, b = { .name = "b" };

	(void)state;
	turn_end_add(loop, &after_all.end, end_called);
	timer_init(&a.timer, loop, wanting_fired);
	timer_init(&b.timer, loop, wanting_fired);
	timer_start(&a.timer, 0);
	timer_start(&b.timer, 0);
	run_until_ms(5);
	turn_end_remove(&after_all.end);
	/* The real clock may move between the two starts, so that they are two turns. */
	if (strcmp(trace, "a end b end") != 0) assert_string_equal(trace, "a b end");
}

/* ---- jobs ---- */

struct sum {
	struct job job;
	int from, to, result;
	int fails;
	enum err_kind kind;
	unsigned done;
};

static unsigned done_count;
static bool all_done;
static unsigned wanted_done;

static int sum_work(struct job *job, struct err *err) {
	struct sum *sum = container_of(job, struct sum, job);

	for (int i = sum->from; i <= sum->to; i++) sum->result += i;
	return sum->fails ? err_set(err, ERR_BUSY, "sum %d", sum->from) : 0;
}

static void sum_done(struct job *job, const struct err *err) {
	struct sum *sum = container_of(job, struct sum, job);

	sum->done++;
	sum->kind = err ? err->kind : ERR_NONE;
	done_count++;
	all_done = done_count == wanted_done;
}

static void jobs_end_once_with_what_came_out(void **state) {
	enum { COUNT = 3000 };
	struct sum *sums = xcalloc(COUNT, sizeof(*sums));
	uint64_t before = loop_counts(loop).jobs;

	(void)state;
	done_count = 0;
	wanted_done = COUNT;
	all_done = false;
	for (int i = 0; i < COUNT; i++) {
		sums[i] = (struct sum){ .job = { .work = sum_work, .done = sum_done },
			.from = i,
			.to = i + 3,
			.fails = i % 3 == 0 };
		job_start(loop, &sums[i].job);
		assert_int_equal(sums[i].done, 0);
	}
	assert_int_equal(loop_counts(loop).jobs_in_flight, COUNT);
	loop_run_until(loop, &all_done);
	assert_int_equal(loop_counts(loop).jobs_in_flight, 0);
	assert_int_equal(loop_counts(loop).jobs - before, COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(sums[i].done, 1);
		assert_int_equal(sums[i].result, 4 * i + 6);
		assert_int_equal(sums[i].kind, i % 3 == 0 ? ERR_BUSY : ERR_NONE);
		job_cancel(&sums[i].job); /* too late, harmless */
	}
	free(sums);
}

static void cancelled_jobs_end_too(void **state) {
	enum { COUNT = 500 };
	struct sum *sums = xcalloc(COUNT, sizeof(*sums));
	unsigned cancelled = 0;

	(void)state;
	done_count = 0;
	wanted_done = COUNT;
	all_done = false;
	for (int i = 0; i < COUNT; i++) {
		sums[i].job = (struct job){ .work = sum_work, .done = sum_done };
		sums[i].from = sums[i].to = 7;
		job_start(loop, &sums[i].job);
	}
	for (int i = COUNT - 1; i >= 0; i--) {
		job_cancel(&sums[i].job);
		job_cancel(&sums[i].job);
	}
	assert_int_equal(done_count, 0);
	loop_run_until(loop, &all_done);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(sums[i].done, 1);
		/* Either it never ran, or it ran to its end. */
		if (sums[i].kind == ERR_CANCELLED) {
			cancelled++;
			assert_int_equal(sums[i].result, 0);
		} else {
			assert_int_equal(sums[i].kind, ERR_NONE);
			assert_int_equal(sums[i].result, 7);
		}
	}
	/* How many real workers were faster, nobody knows; the simulated ones had no turn yet. */
	if (strcmp(loop_host(loop), "simulated") == 0) assert_int_equal(cancelled, COUNT);
	free(sums);
}

/* `done` starts the next one and gives the struct away: the usual life of a flow. */
struct chain {
	struct job job;
	int left;
};

static bool chain_ended;

static int chain_work(struct job *job, struct err *err) {
	(void)err;
	container_of(job, struct chain, job)->left--;
	return 0;
}

static void chain_done(struct job *job, const struct err *err) {
	struct chain *chain = container_of(job, struct chain, job);

	assert_null(err);
	if (chain->left > 0) {
		job_start(loop, job);
		return;
	}
	chain_ended = true;
	free(chain);
}

static void a_job_starts_the_next(void **state) {
	struct chain *chain = xcalloc(1, sizeof(*chain));

	(void)state;
	chain_ended = false;
	chain->job = (struct job){ .work = chain_work, .done = chain_done };
	chain->left = 200;
	job_start(loop, &chain->job);
	loop_run_until(loop, &chain_ended);
	assert_true(chain_ended);
	assert_int_equal(loop_counts(loop).jobs_in_flight, 0);
}

/* ---- the rest ---- */

static void stop_before_run_is_one_turn(void **state) {
	struct named_timer later = { .name = "later" };
	bool set = true;

	(void)state;
	timer_init(&later.timer, loop, name_fired);
	timer_start(&later.timer, 3600 * 1000);
	uint64_t turns = loop_counts(loop).turns;
	loop_run_until(loop, &set); /* no turn at all */
	assert_int_equal(loop_counts(loop).turns, turns);
	loop_stop(loop);
	loop_run(loop);
	assert_int_equal(loop_counts(loop).turns, turns + 1);
	timer_cancel(&later.timer);
	assert_string_equal(trace, "");
}

static void clocks_and_randomness(void **state) {
	uint8_t one[32] = { 0 }, two[32] = { 0 };
	int64_t now_ms = loop_now_ms(loop);

	(void)state;
	assert_true(now_ms > 0);
	assert_true(loop_wall_ns(loop) > 1700000000 * NS_PER_S);
	loop_random(loop, one, sizeof(one));
	loop_random(loop, two, sizeof(two));
	assert_memory_not_equal(one, two, sizeof(one));
	assert_true(strlen(loop_host(loop)) > 0);
	run_until_ms(2);
	assert_true(loop_now_ms(loop) >= now_ms + 2);
}

static void null_is_fine(void **state) {
	(void)state;
	poll_stop(NULL);
	signal_watch_stop(NULL);
	loop_free(NULL);
}

#define ON_BOTH(test)                                                      \
	{ "real: " #test, test, setup_real, teardown, NULL }, {            \
		"simulated: " #test, test, setup_simulated, teardown, NULL \
	}

int main(void) {
	const struct CMUnitTest tests[] = {
		ON_BOTH(timers_fire_in_order),
		ON_BOTH(restarted_and_cancelled_timers),
		ON_BOTH(many_timers),
		ON_BOTH(delay_zero_does_not_hold_the_loop),
		ON_BOTH(deferred_calls_come_once_and_later),
		ON_BOTH(ends_of_turns),
		ON_BOTH(ends_come_after_timers),
		ON_BOTH(jobs_end_once_with_what_came_out),
		ON_BOTH(cancelled_jobs_end_too),
		ON_BOTH(a_job_starts_the_next),
		ON_BOTH(stop_before_run_is_one_turn),
		ON_BOTH(clocks_and_randomness),
		ON_BOTH(null_is_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
