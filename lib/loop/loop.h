/*
 * loop: the one thread that owns all state and all network. Clock, randomness, timers, signals,
 * polls, jobs on workers, and the end of a turn. `loop_new_simulated` is its twin with a virtual
 * clock.
 *
 * Everything here is called on the loop thread, save `job->work`. Times are milliseconds
 * (monotonic) or nanoseconds since 1970 (wall). No callback is ever called inside the function that
 * starts it.
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct loop;

/* `workers`: threads for jobs, begun with the first one. NULL with `err` set when the system
 * refuses. */
struct loop *loop_new(unsigned workers, struct err *err);

/* Virtual time that jumps to the next timer when nothing is ready; jobs run on this thread, in an
 * order chosen by `seed`; polls and signals never fire by themselves. The same seed gives the same
 * trace. */
struct loop *loop_new_simulated(uint64_t seed);

/* All timers, polls, signals and jobs must have ended. */
void loop_free(struct loop *loop);

/* Until loop_stop; never from inside a callback. A turn makes the deferred calls, then those for
 * what became ready, then the timers', then the ends of the turn. A simulated loop returns as well
 * when nothing can ever happen. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* at the end of this turn; before a run: of its first one */
/* Until `flag` at the end of a turn, or as loop_run: for start-up and for commands. */
void loop_run_until(struct loop *loop, const bool *flag);

int64_t loop_now_ms(const struct loop *loop);  /* monotonic; one value a turn */
int64_t loop_wall_ns(const struct loop *loop); /* read anew at each call */
void loop_random(struct loop *loop, void *bytes, size_t len);
const char *loop_host(const struct loop *loop); /* this machine's name */

/* Simulated loop only: moves the wall clock against the monotonic one (a clock jump). */
void loop_skew_wall(struct loop *loop, int64_t ns);

/* ---- timers: embed one, zero it or timer_init it, start and cancel it any number of times ---- */

struct timer {
	void (*fired)(struct timer *timer);
	struct loop *loop;
	int64_t due_ms;
	uint64_t order; /* equal times fire in the order they were started */
	size_t slot;    /* 0: not running */
};

void timer_init(struct timer *timer, struct loop *loop, void (*fired)(struct timer *timer));
void timer_start(struct timer *timer, int64_t delay_ms); /* restarts a running one */
void timer_cancel(struct timer *timer);
bool timer_running(const struct timer *timer);

/* ---- deferred calls: once, at the start of the next turn ---- */

struct defer {
	struct list link;
	void (*call)(struct defer *defer);
};

void defer_init(struct defer *defer, void (*call)(struct defer *defer));
void defer_start(struct loop *loop, struct defer *defer); /* harmless when already waiting */
void defer_cancel(struct defer *defer);

/* ---- the end of a turn: commit what this turn decided, before the loop sleeps ---- */

struct turn_end {
	struct list link;
	bool wanted;
	void (*call)(struct turn_end *end);
};

void turn_end_add(struct loop *loop, struct turn_end *end, void (*call)(struct turn_end *end));
/* Once, when this turn ends; what is wanted during that end is called in it too. */
void turn_end_want(struct turn_end *end);
void turn_end_remove(struct turn_end *end);

/* ---- jobs: blocking work in a sealed envelope ---- */

struct job {
	/* On a worker; touches only its own struct. 0, or -1 with err set. */
	int (*work)(struct job *job, struct err *err);
	/* On the loop, exactly once; err is NULL when work returned 0. Cancelled before it ran:
	 * ERR_CANCELLED. */
	void (*done)(struct job *job, const struct err *err);
	/* `work` takes about a millisecond at most: its end may be told together with those of
	 * others that follow it. */
	bool brief;
	void *impl; /* the loop's */
};

/* Begins when this turn ends at the latest. */
void job_start(struct loop *loop, struct job *job);

/* Asks a job that has not begun not to begin. `done` comes in any case. */
void job_cancel(struct job *job);

/* ---- file descriptors ---- */

enum { POLL_READ = 1, POLL_WRITE = 2 };

struct poll;

/* `ready` gets what is ready of `events`; an error on the descriptor is reported as both. The
 * caller keeps the descriptor open until poll_stop. NULL with errno set when it is none that can be
 * waited for. */
struct poll *poll_start(
	struct loop *loop, int fd, int events, void (*ready)(void *user, int events), void *user);
void poll_change(struct poll *poll, int events); /* 0 pauses */
void poll_stop(struct poll *poll);               /* NULL is fine */

/* ---- signals ---- */

struct signal_watch;

/* NULL with errno set when the system refuses. */
struct signal_watch *signal_watch_start(
	struct loop *loop, int signum, void (*caught)(void *user, int signum), void *user);
void signal_watch_stop(struct signal_watch *watch); /* NULL is fine */

/* ---- counters, for tests and status ---- */

struct loop_counts {
	uint64_t turns; /* wake-ups */
	uint64_t jobs;  /* started since the beginning */
	unsigned jobs_in_flight;
};
struct loop_counts loop_counts(const struct loop *loop);

#endif
