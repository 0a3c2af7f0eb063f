/* What the simulated loop promises: the same seed is the same trace, another seed another one, and
 * time is free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"

enum { JOBS = 6, DAY_MS = 24 * 3600 * 1000 };

struct world {
	struct loop *loop;
	struct named_job {
		struct job job;
		struct world *world;
		int number;
	} jobs[JOBS];
	struct timer timer;
	int ticks;
	struct buf trace;
};

static int job_work(struct job *job, struct err *err) {
	struct named_job *self = container_of(job, struct named_job, job);

	(void)err;
	buf_addf(&self->world->trace, "w%d ", self->number);
	return 0;
}

static void job_done(struct job *job, const struct err *err) {
	struct named_job *self = container_of(job, struct named_job, job);
	uint32_t random;

	loop_random(self->world->loop, &random, sizeof(random));
	buf_addf(&self->world->trace, "d%d%s@%lld:%u ", self->number, err ? "!" : "",
		(long long)loop_now_ms(self->world->loop), random % 100);
}

static void tick(struct timer *timer) {
	struct world *world = container_of(timer, struct world, timer);

	buf_addf(&world->trace, "t@%lld ", (long long)loop_now_ms(world->loop));
	if (++world->ticks < 5) timer_start(timer, 1);
}

static char *run_world(uint64_t seed) {
	struct world world = { .loop = loop_new_simulated(seed) };

	buf_init(&world.trace, 100000);
	timer_init(&world.timer, world.loop, tick);
	timer_start(&world.timer, 1);
	for (int i = 0; i < JOBS; i++) {
		world.jobs[i] = (struct named_job){
			.job = { .work = job_work, .done = job_done }, .world = &world, .number = i
		};
		job_start(world.loop, &world.jobs[i].job);
	}
	job_cancel(&world.jobs[JOBS - 1].job);
	loop_run(world.loop); /* ends by itself */
	assert_int_equal(loop_counts(world.loop).jobs_in_flight, 0);
	assert_int_equal(world.ticks, 5);
	loop_free(world.loop);
	return buf_steal(&world.trace);
}

static void the_seed_is_the_trace(void **state) {
	unsigned different = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		char *one = run_world(seed), *again = run_world(seed), *other = run_world(seed + 1);
		assert_string_equal(one, again);
		different += strcmp(one, other) != 0;
		assert_non_null(
			strstr(one, "d5!")); /* the cancelled one ends, and has not worked */
		assert_null(strstr(one, "w5"));
		free(one);
		free(again);
		free(other);
	}
	assert_int_equal(different, 20);
}

/* Every order of two jobs comes up, and something may come between a job's work and its end. */
static void seeds_find_the_orders(void **state) {
	static const char *const wanted[] = { "w0 w1 ", "w1 w0 ", "w0 d0@", "d1@", "w2 t@" };
	bool found[ARRAY_LEN(wanted)] = { false };

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		char *trace = run_world(seed);
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			found[i] |= strstr(trace, wanted[i]) != NULL;
		free(trace);
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) assert_true(found[i]);
}

/* ---- clocks ---- */

static int64_t fired_ms, fired_wall_ns;

static void remember(struct timer *timer) {
	fired_ms = loop_now_ms(timer->loop);
	fired_wall_ns = loop_wall_ns(timer->loop);
}

static void time_jumps(void **state) {
	struct loop *loop = loop_new_simulated(7);
	int64_t start_ms = loop_now_ms(loop), start_wall_ns = loop_wall_ns(loop);
	struct timer timer;
	char text[TIME_TEXT_SIZE];

	(void)state;
	time_format(start_wall_ns - start_ms * NS_PER_MS, text);
	assert_string_equal(text, "2026-01-01T00:00:00.000Z");
	timer_init(&timer, loop, remember);
	timer_start(&timer, 365 * (int64_t)DAY_MS);
	loop_run(loop);
	assert_true(fired_ms == start_ms + 365 * (int64_t)DAY_MS);
	assert_true(fired_wall_ns == start_wall_ns + 365 * (int64_t)DAY_MS * NS_PER_MS);

	/* A jump of the wall clock leaves the timers alone. */
	loop_skew_wall(loop, -3600 * NS_PER_S);
	loop_skew_wall(loop, -NS_PER_S);
	timer_start(&timer, 10);
	loop_run(loop);
	assert_true(fired_ms == start_ms + 365 * (int64_t)DAY_MS + 10);
	assert_true(fired_wall_ns ==
		    start_wall_ns + (365 * (int64_t)DAY_MS + 10) * NS_PER_MS - 3601 * NS_PER_S);
	loop_free(loop);
}

static void nothing_to_do_ends_the_run(void **state) {
	struct loop *loop = loop_new_simulated(1);
	bool never = false;

	(void)state;
	loop_run(loop);
	loop_run_until(loop, &never);
	assert_false(never);
	assert_int_equal(loop_counts(loop).turns, 2);
	loop_free(loop);
}

static void nobody(void *user, int what) {
	(void)user;
	(void)what;
	fail();
}

static void polls_and_signals_never_come(void **state) {
	struct loop *loop = loop_new_simulated(1);
	struct poll *poll = poll_start(loop, 1, POLL_WRITE, nobody, NULL);
	struct signal_watch *watch = signal_watch_start(loop, 15, nobody, NULL);

	(void)state;
	assert_non_null(poll);
	assert_non_null(watch);
	poll_change(poll, POLL_READ | POLL_WRITE);
	loop_run(loop);
	poll_stop(poll);
	signal_watch_stop(watch);
	loop_free(loop);
}

/* Work that follows on work for ever still lets the timers have their time. */
struct endless {
	struct job job;
	struct loop *loop;
	bool ended;
	struct timer deadline;
};

static int endless_work(struct job *job, struct err *err) {
	(void)job;
	(void)err;
	return 0;
}

static void endless_done(struct job *job, const struct err *err) {
	struct endless *self = container_of(job, struct endless, job);

	(void)err;
	if (!self->ended) job_start(self->loop, job);
}

static void deadline_fired(struct timer *timer) {
	container_of(timer, struct endless, deadline)->ended = true;
}

static void jobs_do_not_stop_the_clock(void **state) {
	struct endless self = { .loop = loop_new_simulated(3) };

	(void)state;
	self.job = (struct job){ .work = endless_work, .done = endless_done };
	timer_init(&self.deadline, self.loop, deadline_fired);
	timer_start(&self.deadline, 1000);
	job_start(self.loop, &self.job);
	loop_run(self.loop);
	assert_true(self.ended);
	loop_free(self.loop);
}

static int64_t logged_at;

static void log_line_seen(enum log_level level, const char *line, void *user) {
	(void)level;
	(void)line;
	logged_at = loop_wall_ns(user);
}

/* The clock of log lines is this loop's; stderr goes to a pipe to read it back. */
static void the_log_has_its_clock(void **state) {
	struct loop *loop = loop_new_simulated(1);
	char line[200] = "";
	int ends[2], kept;

	(void)state;
	loop_skew_wall(loop, 5 * NS_PER_S);
	assert_int_equal(pipe(ends), 0);
	kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	log_tap(log_line_seen, loop);
	log_info("here");
	log_tap(NULL, NULL);
	dup2(kept, STDERR_FILENO);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "2026-01-01T00:00:06.000Z info here\n");
	assert_true(logged_at == loop_wall_ns(loop));
	close(kept);
	close(ends[0]);
	close(ends[1]);
	loop_free(loop);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seed_is_the_trace),
		cmocka_unit_test(seeds_find_the_orders),
		cmocka_unit_test(time_jumps),
		cmocka_unit_test(nothing_to_do_ends_the_run),
		cmocka_unit_test(polls_and_signals_never_come),
		cmocka_unit_test(jobs_do_not_stop_the_clock),
		cmocka_unit_test(the_log_has_its_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
