/*
 * What the real loop (loop_uv.c) and its simulated twin (loop_simulated.c) share. Timers, deferred
 * calls, ends of turns and the shape of a turn are here only once (loop.c, timer.c); the twins
 * differ in how they wait, in clocks, and in who runs jobs.
 *
 * A turn: deferred calls, then what woke us, then due timers, then the ends of the turn; then
 * `wait`.
 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H

#include "loop/loop.h"

/* A job on its way; lives until its `done` has returned. */
struct ticket {
	struct loop *loop;
	struct job *job;
	int rc;
	struct err err;
};

struct poll {
	struct loop *loop;
	void (*ready)(void *user, int events);
	void *user;
};

struct signal_watch {
	struct loop *loop;
	void (*caught)(void *user, int signum);
	void *user;
};

struct loop_ops {
	void (*free)(struct loop *loop);
	/* Waits until something is ready and calls it, each time after loop_wake; does not sleep
	 * while deferred calls wait. False when nothing can ever become ready. */
	bool (*wait)(struct loop *loop);
	int64_t (*now_ms)(const struct loop *loop);
	int64_t (*wall_ns)(const struct loop *loop);
	void (*random)(struct loop *loop, void *bytes, size_t len);
	struct ticket *(*job_start)(struct loop *loop, struct job *job);
	void (*job_cancel)(struct ticket *ticket);
	struct poll *(*poll_start)(struct loop *loop, int fd, int events);
	void (*poll_change)(struct poll *poll, int events);
	void (*poll_stop)(struct poll *poll);
	struct signal_watch *(*signal_start)(struct loop *loop, int signum);
	void (*signal_stop)(struct signal_watch *watch);
};

/* First member of both twins. */
struct loop {
	const struct loop_ops *ops;
	char host[256];
	bool awake, running, stopping;
	int64_t now_ms; /* of this turn */
	struct list defers, turn_ends;
	struct timer **heap; /* [1..timers]; [0] is not used, so that slot 0 means "not running" */
	size_t timers, heap_size;
	uint64_t timer_order;
	unsigned watched; /* polls and signals */
	struct loop_counts counts;
};

void loop_init(struct loop *loop, const struct loop_ops *ops);
void loop_release(struct loop *loop);

/* Begins a turn if none has begun: reads the clock, makes the deferred calls. Before every
 * callback. */
void loop_wake(struct loop *loop);

/* Calls `done`; the ticket may be reused after. */
void loop_job_finish(struct ticket *ticket);

/* When the first timer is due; INT64_MAX when none runs. */
int64_t timer_next_due_ms(const struct loop *loop);

void timer_fire_due(struct loop *loop);

#endif
