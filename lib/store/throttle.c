#include <stdlib.h>

#include "store/bandwidth.h"
#include "store/internal.h"

/*
 * Holds operations with bodies back until the line has room for them: the remote's own limit first, then what all remotes share.
 * Operations without a body pass: a listing must not wait behind a film. Stands outside of store_limit, so that what waits takes no
 * place in flight, and inside of store_retry, so that what is sent again is counted again.
 */

struct throttle {
	struct store store;
	struct store *inner;
	struct store_line own, line; /* the remote's; all remotes' */
};

struct throttle_frame {
	struct store_frame frame;
	struct bandwidth_wait wait;
	struct bandwidth *ways[2]; /* what it has to pass; NULL: none */
	int at;                    /* waits for this one, while it has not started */
	bool started;
	int64_t started_ms;
	int64_t bytes;
};

/* One that was called off in the middle owes only for what it can have sent: else a large part that gives way would hold the line. */
static void give_back(struct throttle_frame *frame) {
	int64_t passed_ms = loop_now_ms(frame->frame.owner->loop) - frame->started_ms;
	for (int i = 0; i < 2; i++) {
		struct bandwidth *way = frame->ways[i];
		int64_t rate = way ? bandwidth_rate(way) : 0;
		int64_t left = frame->bytes - passed_ms * rate / 1000;
		if (rate && left > 0) bandwidth_give_back(way, left);
	}
}

/* Whoever fetches asks for as much as he has room for: a small file owes for its own bytes alone. */
static void not_there(struct throttle_frame *frame, int64_t bytes) {
	for (int i = 0; i < 2; i++)
		if (frame->ways[i] && bandwidth_rate(frame->ways[i]))
			bandwidth_give_back(frame->ways[i], bytes);
}

static void come_back(struct store_op *op, const struct err *err) {
	struct throttle_frame *frame = container_of(op->frame, struct throttle_frame, frame);
	int64_t came = (int64_t)op->answer_body.len;
	if (err && err->kind == ERR_CANCELLED)
		give_back(frame);
	else if (op->verb == STORE_GET && came < frame->bytes)
		not_there(frame, frame->bytes - came);
	store_frame_pop(&frame->frame);
	free(frame);
	op->done(op, err);
}

/* At most so fast within one request: else one body would fill the line for as long as it lasts. */
static int64_t speed_of(const struct throttle_frame *frame) {
	int64_t speed = 0;
	for (int i = 0; i < 2; i++) {
		int64_t rate = frame->ways[i] ? bandwidth_rate(frame->ways[i]) : 0;
		if (rate && (!speed || rate < speed)) speed = rate;
	}
	return speed;
}

static void pass(struct throttle_frame *frame) {
	struct throttle *throttle = container_of(frame->frame.owner, struct throttle, store);
	for (; frame->at < 2; frame->at++) {
		struct bandwidth *way = frame->ways[frame->at];
		if (way && !bandwidth_take(way, &frame->wait, frame->bytes)) return;
	}
	frame->started = true;
	frame->started_ms = loop_now_ms(throttle->store.loop);
	frame->frame.op->bytes_per_second = speed_of(frame);
	store_start(throttle->inner, frame->frame.op);
}

static void granted(struct bandwidth_wait *wait) {
	struct throttle_frame *frame = container_of(wait, struct throttle_frame, wait);
	frame->at++;
	pass(frame);
}

static int64_t sends(const struct store_op *op) {
	if (op->verb != STORE_PUT && op->verb != STORE_PART_PUT) return 0;
	return op->body ? (int64_t)op->body_len : op->length;
}

static void throttle_start(struct store *store, struct store_op *op) {
	struct throttle *throttle = container_of(store, struct throttle, store);
	int64_t up = sends(op), down = op->verb == STORE_GET ? op->length : 0;
	op->bytes_per_second = 0;
	if (up + down <= 0) {
		store_start(throttle->inner, op);
		return;
	}
	struct throttle_frame *frame = xcalloc(1, sizeof(*frame));
	frame->bytes = up + down;
	frame->wait.granted = granted;
	frame->ways[0] = up ? throttle->own.up : throttle->own.down;
	frame->ways[1] = up ? throttle->line.up : throttle->line.down;
	store_frame_push(&frame->frame, store, op, come_back);
	pass(frame);
}

static void throttle_cancel(struct store *store, struct store_op *op) {
	struct throttle *throttle = container_of(store, struct throttle, store);
	struct store_frame *found = store_frame_find(op, store);
	struct throttle_frame *frame =
		found ? container_of(found, struct throttle_frame, frame) : NULL;
	struct err err;
	if (!frame || frame->started) {
		store_cancel(throttle->inner, op);
		return;
	}
	bandwidth_give_up(frame->ways[frame->at], &frame->wait);
	store_frame_pop(&frame->frame);
	free(frame);
	err_set(&err, ERR_CANCELLED, "cancelled");
	store_done_later(store, op, &err);
}

static void throttle_free(struct store *store) {
	struct throttle *throttle = container_of(store, struct throttle, store);
	store_free(throttle->inner);
	bandwidth_free(throttle->own.up);
	bandwidth_free(throttle->own.down);
	free(throttle);
}

static int throttle_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct throttle, store)->inner, key, kind, err);
}

static void throttle_renew(struct store *store) {
	store_renew(container_of(store, struct throttle, store)->inner);
}

static void throttle_remember(struct store *store, const char *place, const char *id) {
	store_remember(container_of(store, struct throttle, store)->inner, place, id);
}

static bool throttle_ending(const struct store *store, struct err *err) {
	return store_ending(container_of(store, struct throttle, store)->inner, err);
}

static const struct store_driver throttle_driver = {
	.scheme = "throttle",
	.start = throttle_start,
	.cancel = throttle_cancel,
	.free = throttle_free,
	.refuse = throttle_refuse,
	.renew = throttle_renew,
	.remember = throttle_remember,
	.ending = throttle_ending,
};

struct store *store_throttle(
	struct store *inner, const struct store_line *own, const struct store_line *line) {
	struct throttle *throttle = xcalloc(1, sizeof(*throttle));
	store_look_like(&throttle->store, inner);
	throttle->store.driver = &throttle_driver;
	throttle->inner = inner;
	if (own) throttle->own = *own;
	if (line) throttle->line = *line;
	return &throttle->store;
}
