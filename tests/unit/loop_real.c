/* What only the real loop has: descriptors, signals, workers that run beside it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"

static struct loop *loop;

static int setup(void **state) {
	struct err err;

	(void)state;
	loop = loop_new(2, &err);
	return loop ? 0 : -1;
}

static int teardown(void **state) {
	(void)state;
	loop_free(loop);
	return 0;
}

struct seen {
	struct poll *poll;
	int events, calls;
	bool any;
};

static void seen_ready(void *user, int events) {
	struct seen *seen = user;

	seen->events |= events;
	seen->calls++;
	seen->any = true;
	poll_change(seen->poll, 0);
}

static void polls_tell_what_is_ready(void **state) {
	static const struct {
		int asked;
		bool written;
		int events;
	} cases[] = {
		{ POLL_READ, true, POLL_READ },
		{ POLL_WRITE, false, POLL_WRITE },
		{ POLL_READ | POLL_WRITE, true, POLL_READ | POLL_WRITE },
		{ POLL_READ | POLL_WRITE, false, POLL_WRITE },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen = { 0 };
		int fds[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		if (cases[i].written) assert_int_equal(write(fds[1], "x", 1), 1);
		seen.poll = poll_start(loop, fds[0], cases[i].asked, seen_ready, &seen);
		assert_non_null(seen.poll);
		assert_int_equal(seen.calls, 0);
		loop_run_until(loop, &seen.any);
		assert_int_equal(seen.events, cases[i].events);

		/* Paused after the first; asked again it comes again, because the byte is still
		 * there. */
		seen.any = false;
		poll_change(seen.poll, cases[i].asked);
		loop_run_until(loop, &seen.any);
		assert_int_equal(seen.calls, 2);
		poll_stop(seen.poll);
		close(fds[0]);
		close(fds[1]);
	}
}

static void hang_up_is_readable(void **state) {
	struct seen seen = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	seen.poll = poll_start(loop, fds[0], POLL_READ, seen_ready, &seen);
	close(fds[1]);
	loop_run_until(loop, &seen.any);
	assert_true(seen.events & POLL_READ);
	poll_stop(seen.poll);
	close(fds[0]);
}

static void a_broken_pipe_is_both(void **state) {
	struct seen seen = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	/* Full, so that it is not writable by itself. */
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	char block[4096] = { 0 };
	while (write(fds[1], block, sizeof(block)) > 0) {
	}
	seen.poll = poll_start(loop, fds[1], POLL_READ, seen_ready, &seen);
	close(fds[0]);
	loop_run_until(loop, &seen.any);
	assert_int_equal(seen.events, POLL_READ | POLL_WRITE);
	poll_stop(seen.poll);
	close(fds[1]);
}

static void what_cannot_be_polled_is_refused(void **state) {
	struct seen seen = { 0 };

	(void)state;
	int fd = open("/proc/self/exe", O_RDONLY);
	assert_true(fd >= 0);
	errno = 0;
	assert_null(poll_start(loop, fd, POLL_READ, seen_ready, &seen));
	assert_int_equal(errno, EPERM);
	close(fd);
	assert_null(poll_start(loop, fd, POLL_READ, seen_ready, &seen));
	assert_int_equal(errno, EBADF);
}

/* Two are ready in one turn; the first to come stops the other, which then must not come. */
static struct seen pair[2];

static void stop_other(void *user, int events) {
	struct seen *self = user, *other = self == &pair[0] ? &pair[1] : &pair[0];

	(void)events;
	self->calls++;
	self->any = true;
	poll_stop(other->poll);
	other->poll = NULL;
	poll_change(self->poll, 0);
	loop_stop(loop);
}

static void a_stopped_poll_never_comes(void **state) {
	int fds[2][2];

	(void)state;
	memset(pair, 0, sizeof(pair));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds[i]), 0);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
		pair[i].poll = poll_start(loop, fds[i][0], POLL_READ, stop_other, &pair[i]);
	}
	loop_run(loop);
	assert_int_equal(pair[0].calls + pair[1].calls, 1);
	for (int i = 0; i < 2; i++) {
		poll_stop(pair[i].poll);
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static int caught_signal;

static void caught(void *user, int signum) {
	caught_signal = signum;
	*(bool *)user = true;
}

static void signals(void **state) {
	static const int signums[] = { SIGHUP, SIGUSR1, SIGTERM };
	bool came;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(signums); i++) {
		came = false;
		struct signal_watch *watch = signal_watch_start(loop, signums[i], caught, &came);
		assert_non_null(watch);
		assert_int_equal(kill(getpid(), signums[i]), 0);
		loop_run_until(loop, &came);
		assert_int_equal(caught_signal, signums[i]);
		signal_watch_stop(watch);
	}
	errno = 0;
	assert_null(signal_watch_start(loop, SIGKILL, caught, &came));
	assert_int_equal(errno, EINVAL);
}

/* ---- jobs beside the loop ---- */

static atomic_bool gate_open;
static atomic_int working;

struct gated {
	struct job job;
	pthread_t thread;
	enum err_kind kind;
	bool done;
};

static int gated_work(struct job *job, struct err *err) {
	struct gated *gated = container_of(job, struct gated, job);

	(void)err;
	gated->thread = pthread_self();
	atomic_fetch_add(&working, 1);
	while (!atomic_load(&gate_open)) sched_yield();
	return 0;
}

static void gated_done(struct job *job, const struct err *err) {
	struct gated *gated = container_of(job, struct gated, job);

	gated->kind = err ? err->kind : ERR_NONE;
	gated->done = true;
}

/* Both workers are held, so the third cannot have begun: it alone can be cancelled. */
static void cancel_stops_only_what_has_not_begun(void **state) {
	struct gated jobs[3] = { 0 };

	(void)state;
	atomic_store(&gate_open, false);
	atomic_store(&working, 0);
	for (int i = 0; i < 3; i++) {
		jobs[i].job = (struct job){ .work = gated_work, .done = gated_done };
		job_start(loop, &jobs[i].job);
	}
	while (atomic_load(&working) < 2) sched_yield();
	for (int i = 0; i < 3; i++) job_cancel(&jobs[i].job);
	loop_run_until(loop, &jobs[2].done);
	assert_int_equal(jobs[2].kind, ERR_CANCELLED);
	assert_false(jobs[0].done || jobs[1].done);
	atomic_store(&gate_open, true);
	loop_run_until(loop, &jobs[0].done);
	loop_run_until(loop, &jobs[1].done);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jobs[i].kind, ERR_NONE);
		assert_false(pthread_equal(jobs[i].thread, pthread_self()));
	}
	assert_int_equal(atomic_load(&working), 2);
}

/* Ends of turns see all that one wake-up brought, and deferred calls begin the next. */
static struct buf order;

static void deferred(struct defer *defer) {
	(void)defer;
	buf_addc(&order, 'D');
}

static void turn_ended(struct turn_end *end) {
	(void)end;
	buf_addc(&order, 'E');
}

static struct defer the_defer;
static struct turn_end the_end;
static int ready_calls;

static void order_ready(void *user, int events) {
	(void)events;
	buf_addc(&order, 'P');
	poll_change(*(struct poll **)user, 0);
	defer_start(loop, &the_defer);
	turn_end_want(&the_end);
	if (++ready_calls == 2) loop_stop(loop);
}

static void order_in_a_turn(void **state) {
	struct poll *polls[2];
	int fds[2][2];

	(void)state;
	buf_init(&order, 100);
	defer_init(&the_defer, deferred);
	turn_end_add(loop, &the_end, turn_ended);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds[i]), 0);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
		polls[i] = poll_start(loop, fds[i][0], POLL_READ, order_ready, &polls[i]);
	}
	loop_run(loop);
	assert_string_equal(order.at, "PPE");
	loop_stop(loop);
	loop_run(loop);
	assert_string_equal(order.at, "PPED");
	buf_release(&order);
	turn_end_remove(&the_end);
	for (int i = 0; i < 2; i++) {
		poll_stop(polls[i]);
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static void timer_stops(struct timer *timer) {
	loop_stop(timer->loop);
}

/* With nothing to do it sleeps: it takes a few turns to reach the timer, not as many as fit. */
static void an_idle_loop_sleeps(void **state) {
	struct timer timer;

	(void)state;
	timer_init(&timer, loop, timer_stops);
	timer_start(&timer, 50);
	loop_run(loop);
	assert_true(loop_counts(loop).turns <= 4);
}

/* libuv fires what is due before it polls; when nothing is left to ring then, and a descriptor is
 * watched, it would wait without an end. So the time for a timer passes here between the last look
 * at the clock and the wait. */
static void pass_time(struct turn_end *end) {
	struct timespec from, now;

	(void)end;
	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (
		(now.tv_sec - from.tv_sec) * NS_PER_S + now.tv_nsec - from.tv_nsec < 5 * NS_PER_MS);
}

/* One that calls itself brief and hangs until the other was done. */
struct waits {
	struct job job;
	struct waits *other;
	atomic_bool worked;
	bool done;
};

static int waits_work(struct job *job, struct err *err) {
	struct waits *waits = container_of(job, struct waits, job);

	(void)err;
	while (waits->other && !atomic_load(&waits->other->worked)) usleep(1000);
	atomic_store(&waits->worked, true);
	return 0;
}

static void waits_done(struct job *job, const struct err *err) {
	assert_null(err);
	container_of(job, struct waits, job)->done = true;
}

static struct waits waiting[2];

/* In one turn: one thread is woken for both. */
static void waiting_start(struct defer *defer) {
	(void)defer;
	for (int i = 0; i < 2; i++) {
		waiting[i].job =
			(struct job){ .work = waits_work, .done = waits_done, .brief = true };
		job_start(loop, &waiting[i].job);
	}
}

static void a_brief_job_that_hangs_holds_no_other(void **state) {
	struct defer defer;

	(void)state;
	waiting[0].other = &waiting[1];
	defer_init(&defer, waiting_start);
	defer_start(loop, &defer);
	alarm(30); /* it hangs when it fails */
	for (int i = 0; i < 2; i++) loop_run_until(loop, &waiting[i].done);
	alarm(0);
}

/* However few the cores are: all threads but one hang until the last job was done. */
static void many_that_hang_hold_no_other(void **state) {
	enum { THREADS = 8 };
	static struct waits hanging[THREADS];
	struct err err;
	struct loop *many = loop_new(THREADS, &err);

	(void)state;
	assert_non_null(many);
	alarm(30); /* it hangs when it fails */
	for (int i = 0; i < THREADS; i++) {
		hanging[i] = (struct waits){
			.job = { .work = waits_work, .done = waits_done, .brief = true },
			.other = i + 1 < THREADS ? &hanging[THREADS - 1] : NULL
		};
	}
	for (int i = 0; i < THREADS; i++) job_start(many, &hanging[i].job);
	for (int i = 0; i < THREADS; i++) loop_run_until(many, &hanging[i].done);
	alarm(0);
	loop_free(many);
}

static void silent(void *user, int events) {
	(void)user;
	(void)events;
	fail();
}

static void a_timer_that_is_late_before_the_wait_fires(void **state) {
	static const int64_t delays_ms[] = { 0, 1, 2, 4, 7 };
	struct turn_end end;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	struct poll *poll = poll_start(loop, fds[0], POLL_READ, silent, NULL);
	turn_end_add(loop, &end, pass_time);
	alarm(30); /* it hangs when it fails */
	for (size_t i = 0; i < ARRAY_LEN(delays_ms); i++) {
		struct timer timer;
		timer_init(&timer, loop, timer_stops);
		timer_start(&timer, delays_ms[i]);
		turn_end_want(&end);
		loop_run(loop);
		assert_false(timer_running(&timer));
	}
	alarm(0);
	turn_end_remove(&end);
	poll_stop(poll);
	close(fds[0]);
	close(fds[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(polls_tell_what_is_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(hang_up_is_readable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_pipe_is_both, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_polled_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_poll_never_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(signals, setup, teardown),
		cmocka_unit_test_setup_teardown(
			cancel_stops_only_what_has_not_begun, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_brief_job_that_hangs_holds_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(many_that_hang_hold_no_other, setup, teardown),
		cmocka_unit_test_setup_teardown(order_in_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(an_idle_loop_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_timer_that_is_late_before_the_wait_fires, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
