#include <errno.h>
#include <stdlib.h>

#include "store/internal.h"

/*
 * One limiter stands before all operations of a remote: at most so many in flight, at most so many
 * begun a second, first come first served. When the server says it is too busy, half as many go on
 * at once, and each success gives back a little of it: additive up, multiplicative down.
 */

enum {
	NO_LIMIT = 1 << 20,
	LONGEST_PAUSE_MS = 60000,
};

struct limit {
	struct store store;
	struct store *inner;
	struct list queue; /* of limit_frame */
	int in_flight;
	int most;      /* max_in_flight */
	double window; /* how many may be in flight now */
	double rate;   /* a second; 0: any */
	double tokens; /* starts that may happen now */
	int64_t filled_ms;
	int64_t quiet_until_ms; /* the server asked for this silence */
	uint64_t begun;         /* operations ever started */
	uint64_t halved_at;     /* `begun` when the window was last halved */
	struct timer timer;     /* the next token, or the end of the silence */
};

struct limit_frame {
	struct store_frame frame;
	struct list link;
	bool queued;
	uint64_t number;
};

static void fill(struct limit *limit, int64_t now_ms) {
	if (limit->rate <= 0) return;
	double burst = limit->rate > 1 ? limit->rate : 1; /* a second's worth */

	limit->tokens += (double)(now_ms - limit->filled_ms) * limit->rate / 1000;
	if (limit->tokens > burst) limit->tokens = burst;
	limit->filled_ms = now_ms;
}

/* 0: one may start now; else ms until it may be asked again; -1: when one has come back. */
static int64_t wait_for_turn(const struct limit *limit, int64_t now_ms) {
	if (limit->in_flight >= (int)limit->window) return -1;
	if (limit->quiet_until_ms > now_ms) return limit->quiet_until_ms - now_ms;
	if (limit->rate > 0 && limit->tokens < 1) {
		return (int64_t)((1 - limit->tokens) * 1000 / limit->rate) + 1;
	}
	return 0;
}

static void start_queued(struct limit *limit) {
	int64_t now_ms = loop_now_ms(limit->store.loop);

	fill(limit, now_ms);
	while (!list_empty(&limit->queue)) {
		int64_t wait_ms = wait_for_turn(limit, now_ms);
		if (wait_ms > 0) timer_start(&limit->timer, wait_ms);
		if (wait_ms) return;

		struct limit_frame *first = list_entry(limit->queue.next, struct limit_frame, link);
		list_remove(&first->link);
		first->queued = false;
		first->number = limit->begun++;
		limit->in_flight++;
		if (limit->rate > 0) limit->tokens -= 1;
		store_start(limit->inner, first->frame.op);
	}
}

static void timer_due(struct timer *timer) {
	start_queued(container_of(timer, struct limit, timer));
}

static void learn(struct limit *limit, const struct limit_frame *frame, const struct err *err) {
	if (!err) {
		if (limit->window < limit->most) limit->window += 1 / limit->window;
		return;
	}
	if (err->kind != ERR_BUSY || err->sys == ENOTEMPTY) return;
	int64_t asked_ms = err->retry_ms < LONGEST_PAUSE_MS ? err->retry_ms : LONGEST_PAUSE_MS;
	int64_t until_ms = loop_now_ms(limit->store.loop) + asked_ms;
	if (until_ms > limit->quiet_until_ms) limit->quiet_until_ms = until_ms;
	/* Those that were on their way when it was halved say nothing new. */
	if (frame->number < limit->halved_at) return;
	double half = (limit->in_flight < limit->window ? limit->in_flight : limit->window) / 2;
	limit->window = half < 1 ? 1 : half;
	limit->halved_at = limit->begun;
}

static void come_back(struct store_op *op, const struct err *err) {
	struct limit_frame *frame = container_of(op->frame, struct limit_frame, frame);
	struct limit *limit = container_of(frame->frame.owner, struct limit, store);

	learn(limit, frame, err);
	limit->in_flight--;
	store_frame_pop(&frame->frame);
	free(frame);
	/* First those that wait: what `op` starts next stands behind them. */
	start_queued(limit);
	op->done(op, err);
}

static void limit_start(struct store *store, struct store_op *op) {
	struct limit *limit = container_of(store, struct limit, store);
	struct limit_frame *frame = xcalloc(1, sizeof(*frame));

	store_frame_push(&frame->frame, store, op, come_back);
	frame->queued = true;
	list_add_tail(&limit->queue, &frame->link);
	start_queued(limit);
}

static void limit_cancel(struct store *store, struct store_op *op) {
	struct limit *limit = container_of(store, struct limit, store);
	struct store_frame *found = store_frame_find(op, store);
	struct err err;

	if (!found) return;
	struct limit_frame *frame = container_of(found, struct limit_frame, frame);
	if (!frame->queued) {
		store_cancel(limit->inner, op);
		return;
	}
	list_remove(&frame->link);
	store_frame_pop(&frame->frame);
	free(frame);
	err_set(&err, ERR_CANCELLED, "cancelled");
	store_done_later(store, op, &err);
}

static void limit_free(struct store *store) {
	struct limit *limit = container_of(store, struct limit, store);

	timer_cancel(&limit->timer);
	store_free(limit->inner);
	free(limit);
}

static int limit_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct limit, store)->inner, key, kind, err);
}

static void limit_renew(struct store *store) {
	struct store *inner = container_of(store, struct limit, store)->inner;

	if (inner->driver->renew) inner->driver->renew(inner);
}

static void limit_remember(struct store *store, const char *place, const char *id) {
	store_remember(container_of(store, struct limit, store)->inner, place, id);
}

static bool limit_ending(const struct store *store, struct err *err) {
	return store_ending(container_of(store, struct limit, store)->inner, err);
}

static const struct store_driver limit_driver = {
	.scheme = "limit",
	.start = limit_start,
	.cancel = limit_cancel,
	.free = limit_free,
	.refuse = limit_refuse,
	.renew = limit_renew,
	.remember = limit_remember,
	.ending = limit_ending,
};

struct store *store_limit(struct store *inner, struct store_limits limits) {
	struct limit *limit = xcalloc(1, sizeof(*limit));

	store_look_like(&limit->store, inner);
	limit->store.driver = &limit_driver;
	limit->inner = inner;
	list_init(&limit->queue);
	timer_init(&limit->timer, inner->loop, timer_due);
	limit->most = limits.max_in_flight > 0 ? limits.max_in_flight : NO_LIMIT;
	limit->window = limit->most;
	limit->rate = limits.requests_per_second;
	double makes = inner->makes_per_second;
	if (limit->rate > 0 && (makes <= 0 || limit->rate < makes))
		limit->store.makes_per_second = limit->rate;
	limit->tokens = 1;
	limit->filled_ms = loop_now_ms(inner->loop);
	return &limit->store;
}
