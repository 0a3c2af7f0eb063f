/*
 * The twin for tests: time, order and randomness are the seed's. Nothing here may depend on an
 * address, a real clock or the environment, or the same seed would not give the same trace.
 *
 * A job is two events, its work and its `done`; either may come before anything else that is ready.
 * That is where real programs differ from one run to the next.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/internal.h"

static const int64_t wall_epoch_ns = 1767225600 * NS_PER_S; /* 2026-01-01T00:00:00Z */

enum { FIRST_MS = 1000 }; /* not 0: some code takes 0 for "never", as on a real machine it is */

struct jobs {
	struct ticket **at;
	size_t count, size;
};

struct simulated_loop {
	struct loop loop;
	int64_t now_ms, skew_ns;
	/* Two streams, so that a program that asks for one more random number still meets the same
	 * order of events. */
	uint64_t chance, random;
	struct jobs waiting, worked;
};

/* The one whose clock the log reads. */
static struct simulated_loop *log_loop;

static struct simulated_loop *simulated(const struct loop *loop) {
	return container_of(loop, struct simulated_loop, loop);
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 too. */
static uint64_t next_random(uint64_t *state) {
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- jobs ---- */

static void jobs_add(struct jobs *jobs, struct ticket *ticket) {
	if (jobs->count == jobs->size) {
		jobs->size = jobs->size ? jobs->size * 2 : 16;
		jobs->at = xrealloc(jobs->at, jobs->size * sizeof(struct ticket *));
	}
	jobs->at[jobs->count++] = ticket;
}

static struct ticket *jobs_take(struct jobs *jobs, size_t index) {
	struct ticket *ticket = jobs->at[index];

	jobs->at[index] = jobs->at[--jobs->count];
	return ticket;
}

static struct ticket *simulated_job_start(struct loop *loop, struct job *job) {
	struct ticket *ticket = xcalloc(1, sizeof(*ticket));

	ticket->loop = loop;
	ticket->job = job;
	jobs_add(&simulated(loop)->waiting, ticket);
	return ticket;
}

static void simulated_job_cancel(struct ticket *ticket) {
	struct simulated_loop *self = simulated(ticket->loop);

	for (size_t i = 0; i < self->waiting.count; i++) {
		if (self->waiting.at[i] != ticket) continue;
		ticket->rc = err_set(&ticket->err, ERR_CANCELLED, "cancelled");
		jobs_add(&self->worked, jobs_take(&self->waiting, i));
		return;
	}
}

/* One of the events that jobs have ready; work takes 0 or 1 ms, so that time goes on while jobs
 * follow each other. */
static void job_event(struct simulated_loop *self) {
	size_t pick = next_random(&self->chance) % (self->waiting.count + self->worked.count);

	if (pick < self->waiting.count) {
		struct ticket *ticket = jobs_take(&self->waiting, pick);
		ticket->rc = ticket->job->work(ticket->job, &ticket->err);
		self->now_ms += (int64_t)(next_random(&self->chance) & 1);
		jobs_add(&self->worked, ticket);
		return;
	}
	struct ticket *ticket = jobs_take(&self->worked, pick - self->waiting.count);
	loop_wake(&self->loop);
	loop_job_finish(ticket);
	free(ticket);
}

/* ---- waiting, clocks ---- */

static bool simulated_wait(struct loop *loop) {
	struct simulated_loop *self = simulated(loop);
	bool jobs = self->waiting.count + self->worked.count > 0;
	int64_t due_ms = timer_next_due_ms(loop);
	bool others = !list_empty(&loop->defers) || due_ms <= self->now_ms;

	if (jobs && (!others || next_random(&self->chance) & 1)) {
		job_event(self);
		return true;
	}
	if (others) return true;
	if (due_ms == INT64_MAX) return false;
	self->now_ms = due_ms;
	return true;
}

static int64_t simulated_now_ms(const struct loop *loop) {
	return simulated(loop)->now_ms;
}

static int64_t simulated_wall_ns(const struct loop *loop) {
	const struct simulated_loop *self = simulated(loop);

	return wall_epoch_ns + self->now_ms * NS_PER_MS + self->skew_ns;
}

static int64_t log_wall_ns(void) {
	return simulated_wall_ns(&log_loop->loop);
}

static void simulated_random(struct loop *loop, void *bytes, size_t len) {
	uint8_t *to = bytes;

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(next_random(&simulated(loop)->random) >> 32);
}

/* ---- descriptors and signals: they can be asked for, and nothing comes ---- */

static struct poll *simulated_poll_start(struct loop *loop, int fd, int events) {
	(void)loop;
	(void)fd;
	(void)events;
	return xcalloc(1, sizeof(struct poll));
}

static void simulated_poll_change(struct poll *poll, int events) {
	(void)poll;
	(void)events;
}

static void simulated_poll_stop(struct poll *poll) {
	free(poll);
}

static struct signal_watch *simulated_signal_start(struct loop *loop, int signum) {
	(void)loop;
	(void)signum;
	return xcalloc(1, sizeof(struct signal_watch));
}

static void simulated_signal_stop(struct signal_watch *watch) {
	free(watch);
}

/* ---- life ---- */

static void simulated_free(struct loop *loop) {
	struct simulated_loop *self = simulated(loop);

	if (log_loop == self) {
		log_clock(NULL);
		log_loop = NULL;
	}
	free(self->waiting.at);
	free(self->worked.at);
	loop_release(loop);
	free(self);
}

static const struct loop_ops simulated_ops = {
	.free = simulated_free,
	.wait = simulated_wait,
	.now_ms = simulated_now_ms,
	.wall_ns = simulated_wall_ns,
	.random = simulated_random,
	.job_start = simulated_job_start,
	.job_cancel = simulated_job_cancel,
	.poll_start = simulated_poll_start,
	.poll_change = simulated_poll_change,
	.poll_stop = simulated_poll_stop,
	.signal_start = simulated_signal_start,
	.signal_stop = simulated_signal_stop,
};

struct loop *loop_new_simulated(uint64_t seed) {
	struct simulated_loop *self = xcalloc(1, sizeof(*self));

	self->now_ms = FIRST_MS;
	self->chance = seed;
	self->random = ~seed;
	snprintf(self->loop.host, sizeof(self->loop.host), "simulated");
	loop_init(&self->loop, &simulated_ops);
	log_loop = self;
	log_clock(log_wall_ns);
	return &self->loop;
}

void loop_skew_wall(struct loop *loop, int64_t ns) {
	assert(loop->ops == &simulated_ops);
	simulated(loop)->skew_ns += ns;
}
