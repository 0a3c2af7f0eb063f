#include <assert.h>
#include <stdlib.h>

#include "loop/internal.h"

/* Ends of turns that always want each other again would keep the loop from ever waiting. */
enum { TURN_END_ROUNDS_MAX = 100000 };

void loop_init(struct loop *loop, const struct loop_ops *ops) {
	loop->ops = ops;
	list_init(&loop->defers);
	list_init(&loop->turn_ends);
}

void loop_release(struct loop *loop) {
	free(loop->heap);
}

void loop_free(struct loop *loop) {
	if (!loop) return;
	/* What still runs would call into memory that is gone. */
	assert(loop->timers == 0);
	assert(loop->watched == 0);
	assert(loop->counts.jobs_in_flight == 0);
	loop->ops->free(loop);
}

/* ---- a turn ---- */

static void make_deferred_calls(struct loop *loop) {
	struct list now;

	/* Those that are deferred meanwhile wait for the next turn; a call may cancel others of
	 * `now`. */
	list_init(&now);
	list_take_all(&now, &loop->defers);
	while (!list_empty(&now)) {
		struct defer *defer = list_entry(now.next, struct defer, link);
		list_remove(&defer->link);
		defer->call(defer);
	}
}

void loop_wake(struct loop *loop) {
	if (loop->awake) return;
	loop->awake = true;
	loop->counts.turns++;
	loop->now_ms = loop->ops->now_ms(loop);
	make_deferred_calls(loop);
}

static struct turn_end *wanted_turn_end(struct loop *loop) {
	list_each(&loop->turn_ends, link) {
		struct turn_end *end = list_entry(link, struct turn_end, link);
		if (end->wanted) return end;
	}
	return NULL;
}

static void end_turn(struct loop *loop) {
	struct turn_end *end;

	/* From the front each time: a call may add, remove and want any of them. */
	for (unsigned round = 0; (end = wanted_turn_end(loop)); round++) {
		assert(round < TURN_END_ROUNDS_MAX);
		end->wanted = false;
		end->call(end);
	}
	loop->awake = false;
}

static void run(struct loop *loop, const bool *flag) {
	assert(!loop->running); /* a callback waits by returning, not by running the loop inside */
	loop->running = true;
	do {
		loop_wake(loop);
		timer_fire_due(loop);
		end_turn(loop);
		if (loop->stopping || (flag && *flag)) break;
	} while (loop->ops->wait(loop));
	loop->stopping = false;
	loop->running = false;
}

void loop_run(struct loop *loop) {
	run(loop, NULL);
}

void loop_run_until(struct loop *loop, const bool *flag) {
	if (!*flag) run(loop, flag);
}

void loop_stop(struct loop *loop) {
	loop->stopping = true;
}

/* ---- clocks, randomness, names ---- */

int64_t loop_now_ms(const struct loop *loop) {
	return loop->awake ? loop->now_ms : loop->ops->now_ms(loop);
}

int64_t loop_wall_ns(const struct loop *loop) {
	return loop->ops->wall_ns(loop);
}

void loop_random(struct loop *loop, void *bytes, size_t len) {
	loop->ops->random(loop, bytes, len);
}

const char *loop_host(const struct loop *loop) {
	return loop->host;
}

struct loop_counts loop_counts(const struct loop *loop) {
	return loop->counts;
}

/* ---- deferred calls and ends of turns ---- */

void defer_init(struct defer *defer, void (*call)(struct defer *defer)) {
	list_init(&defer->link);
	defer->call = call;
}

void defer_start(struct loop *loop, struct defer *defer) {
	if (list_empty(&defer->link)) list_add_tail(&loop->defers, &defer->link);
}

void defer_cancel(struct defer *defer) {
	list_remove(&defer->link);
}

void turn_end_add(struct loop *loop, struct turn_end *end, void (*call)(struct turn_end *end)) {
	end->wanted = false;
	end->call = call;
	list_add_tail(&loop->turn_ends, &end->link);
}

void turn_end_want(struct turn_end *end) {
	end->wanted = true;
}

void turn_end_remove(struct turn_end *end) {
	end->wanted = false;
	list_remove(&end->link);
}

/* ---- jobs, descriptors, signals ---- */

void job_start(struct loop *loop, struct job *job) {
	loop->counts.jobs++;
	loop->counts.jobs_in_flight++;
	job->impl = loop->ops->job_start(loop, job);
}

void job_cancel(struct job *job) {
	struct ticket *ticket = job->impl;

	if (ticket) ticket->loop->ops->job_cancel(ticket);
}

void loop_job_finish(struct ticket *ticket) {
	struct job *job = ticket->job;

	ticket->loop->counts.jobs_in_flight--;
	job->impl = NULL;
	job->done(job, ticket->rc ? &ticket->err : NULL);
}

struct poll *poll_start(
	struct loop *loop, int fd, int events, void (*ready)(void *user, int events), void *user) {
	struct poll *poll = loop->ops->poll_start(loop, fd, events);

	if (!poll) return NULL;
	poll->loop = loop;
	poll->ready = ready;
	poll->user = user;
	loop->watched++;
	return poll;
}

void poll_change(struct poll *poll, int events) {
	poll->loop->ops->poll_change(poll, events);
}

void poll_stop(struct poll *poll) {
	if (!poll) return;
	poll->loop->watched--;
	poll->loop->ops->poll_stop(poll);
}

struct signal_watch *signal_watch_start(
	struct loop *loop, int signum, void (*caught)(void *user, int signum), void *user) {
	struct signal_watch *watch = loop->ops->signal_start(loop, signum);

	if (!watch) return NULL;
	watch->loop = loop;
	watch->caught = caught;
	watch->user = user;
	loop->watched++;
	return watch;
}

void signal_watch_stop(struct signal_watch *watch) {
	if (!watch) return;
	watch->loop->watched--;
	watch->loop->ops->signal_stop(watch);
}
