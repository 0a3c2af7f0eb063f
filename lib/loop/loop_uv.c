/* The real loop, on libuv. libuv waits; everything that has an order is decided in loop.c. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "loop/internal.h"
#include "loop/workers.h"

enum { WAIT_MAX_MS = 3600 * 1000 };

struct real_loop {
	struct loop loop;
	uv_loop_t uv;
	uv_timer_t alarm; /* wakes us for the first of our timers */
	struct workers workers;
};

struct real_poll {
	struct poll poll;
	uv_poll_t uv;
};

struct real_signal {
	struct signal_watch watch;
	uv_signal_t uv;
};

static struct real_loop *real(const struct loop *loop) {
	return container_of(loop, struct real_loop, loop);
}

/* ---- waiting, clocks ---- */

/* That the wait is over is all it has to say: loop.c fires what is due. */
static void alarm_rang(uv_timer_t *alarm) {
	(void)alarm;
}

static bool real_wait(struct loop *loop) {
	struct real_loop *self = real(loop);
	int64_t due_ms = timer_next_due_ms(loop), now_ms = (int64_t)uv_now(&self->uv);
	int64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;

	int64_t look_ms = workers_hand_over(&self->workers);
	if (delay_ms > look_ms) delay_ms = look_ms;
	/* Always set. Repeated: libuv fires what is due before it polls, and would then block
	 * without an end. */
	if (delay_ms > WAIT_MAX_MS) delay_ms = WAIT_MAX_MS;
	uv_timer_start(&self->alarm, alarm_rang, (uint64_t)delay_ms, 1);
	bool block = delay_ms > 0 && list_empty(&loop->defers);
	uv_run(&self->uv, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	return true;
}

static int64_t real_now_ms(const struct loop *loop) {
	struct real_loop *self = real(loop);

	uv_update_time(&self->uv);
	return (int64_t)uv_now(&self->uv);
}

static int64_t real_wall_ns(const struct loop *loop) {
	struct timespec now;

	(void)loop;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void real_random(struct loop *loop, void *bytes, size_t len) {
	(void)loop;
	int rc = uv_random(NULL, NULL, bytes, len, 0, NULL);
	assert(rc == 0); /* a kernel without randomness: nothing safe can be done */
	(void)rc;
}

/* ---- jobs ---- */

static struct ticket *real_job_start(struct loop *loop, struct job *job) {
	return workers_start(&real(loop)->workers, job);
}

static void real_job_cancel(struct ticket *ticket) {
	workers_cancel(&real(ticket->loop)->workers, ticket);
}

/* ---- descriptors ---- */

static void poll_ready(uv_poll_t *uv, int status, int events) {
	struct real_poll *poll = container_of(uv, struct real_poll, uv);

	loop_wake(poll->poll.loop);
	/* A deferred call may have stopped or paused it a moment ago. */
	if (!uv_is_closing((uv_handle_t *)uv) && (status < 0 || uv_is_active((uv_handle_t *)uv))) {
		poll->poll.ready(poll->poll.user, status < 0 ? POLL_READ | POLL_WRITE : events);
	}
}

static void poll_closed(uv_handle_t *uv) {
	free(container_of(uv, struct real_poll, uv));
}

static void real_poll_change(struct poll *poll, int events) {
	struct real_poll *self = container_of(poll, struct real_poll, poll);

	if (events == 0) {
		uv_poll_stop(&self->uv);
		return;
	}
	int rc = uv_poll_start(&self->uv, events, poll_ready);
	assert(rc == 0);
	(void)rc;
}

static struct poll *real_poll_start(struct loop *loop, int fd, int events) {
	struct real_poll *self = xcalloc(1, sizeof(*self));

	int rc = uv_poll_init(&real(loop)->uv, &self->uv, fd);
	if (rc) {
		free(self);
		errno = -rc;
		return NULL;
	}
	real_poll_change(&self->poll, events);
	return &self->poll;
}

static void real_poll_stop(struct poll *poll) {
	struct real_poll *self = container_of(poll, struct real_poll, poll);

	uv_close((uv_handle_t *)&self->uv, poll_closed);
}

/* ---- signals ---- */

static void signal_caught(uv_signal_t *uv, int signum) {
	struct real_signal *self = container_of(uv, struct real_signal, uv);

	loop_wake(self->watch.loop);
	if (!uv_is_closing((uv_handle_t *)uv)) self->watch.caught(self->watch.user, signum);
}

static void signal_closed(uv_handle_t *uv) {
	free(container_of(uv, struct real_signal, uv));
}

static struct signal_watch *real_signal_start(struct loop *loop, int signum) {
	struct real_signal *self = xcalloc(1, sizeof(*self));

	int rc = uv_signal_init(&real(loop)->uv, &self->uv);
	if (rc) {
		free(self);
		errno = -rc;
		return NULL;
	}
	rc = uv_signal_start(&self->uv, signal_caught, signum);
	if (rc) {
		uv_close((uv_handle_t *)&self->uv, signal_closed);
		errno = -rc;
		return NULL;
	}
	return &self->watch;
}

static void real_signal_stop(struct signal_watch *watch) {
	struct real_signal *self = container_of(watch, struct real_signal, watch);

	uv_close((uv_handle_t *)&self->uv, signal_closed);
}

/* ---- life ---- */

static void real_free(struct loop *loop) {
	struct real_loop *self = real(loop);

	workers_release(&self->workers);
	uv_close((uv_handle_t *)&self->alarm, NULL);
	while (uv_run(&self->uv, UV_RUN_DEFAULT)) {
	}
	int rc = uv_loop_close(&self->uv);
	assert(rc == 0);
	(void)rc;
	loop_release(loop);
	free(self);
}

static const struct loop_ops real_ops = {
	.free = real_free,
	.wait = real_wait,
	.now_ms = real_now_ms,
	.wall_ns = real_wall_ns,
	.random = real_random,
	.job_start = real_job_start,
	.job_cancel = real_job_cancel,
	.poll_start = real_poll_start,
	.poll_change = real_poll_change,
	.poll_stop = real_poll_stop,
	.signal_start = real_signal_start,
	.signal_stop = real_signal_stop,
};

struct loop *loop_new(unsigned workers, struct err *err) {
	struct real_loop *self = xcalloc(1, sizeof(*self));
	size_t host_size = sizeof(self->loop.host);

	int rc = uv_loop_init(&self->uv);
	if (rc) {
		err_sys(err, -rc, "cannot set up the event loop");
		free(self);
		return NULL;
	}
	rc = workers_init(&self->workers, &self->loop, &self->uv, workers);
	if (rc) {
		err_sys(err, -rc, "cannot set up the event loop");
		uv_loop_close(&self->uv);
		free(self);
		return NULL;
	}
	rc = uv_timer_init(&self->uv, &self->alarm);
	assert(rc == 0);
	if (uv_os_gethostname(self->loop.host, &host_size)) {
		snprintf(self->loop.host, sizeof(self->loop.host), "localhost");
	}
	loop_init(&self->loop, &real_ops);
	/* A first wait, of no time, before any signal is watched: ThreadSanitizer makes its room for
	 * signals at a thread's first wait, and loses one that comes in the middle of that (measured: a
	 * TERM in 1,000 starts; without the sanitizer none). */
	uv_run(&self->uv, UV_RUN_NOWAIT);
	return &self->loop;
}
