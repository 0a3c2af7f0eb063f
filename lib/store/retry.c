#include <errno.h>
#include <stdlib.h>

#include "store/internal.h"

/* Tries an operation again while waiting helps. Whoever asked sees the last error only. */

enum {
	FIRST_WAIT_MS = 200,
	LONGEST_WAIT_MS = 60000,
	/* A server that asks for more is the caller's affair, who waits as well, and says so: nobody
	 * shall look at a folder for minutes without being told why. */
	LONGEST_ASKED_MS = 5000,
	TRIES_OF_ODD_ERRORS = 3, /* what nobody foresaw may be a hiccup, not more */
	TRIES_OF_ABOUT = 2,      /* asked by somebody who wants to know soon, and asks again */
};

int64_t store_retry_wait(const struct err *err, enum store_verb verb, int tries, double random) {
	switch (err->kind) {
	case ERR_OFFLINE: break;
	case ERR_BUSY:
		if (err->sys == ENOTEMPTY) return -1; /* a folder does not empty itself */
		if (err->retry_ms > LONGEST_ASKED_MS) return -1;
		break;
	case ERR_SYSTEM:
	case ERR_CORRUPT:
		if (tries >= TRIES_OF_ODD_ERRORS) return -1;
		break;
	default: return -1;
	}
	if (verb == STORE_ABOUT && tries >= TRIES_OF_ABOUT) return -1;

	int64_t most = FIRST_WAIT_MS;
	for (int i = 1; i < tries && most < LONGEST_WAIT_MS; i++) most *= 2;
	if (most > LONGEST_WAIT_MS) most = LONGEST_WAIT_MS;
	/* Half of it for sure: a wait of nothing would help nobody. The other half spreads those
	 * who failed together. */
	int64_t half = most / 2;
	int64_t wait = half + (int64_t)((double)(most - half) * random);
	return wait > (int64_t)err->retry_ms ? wait : (int64_t)err->retry_ms;
}

struct retry {
	struct store store;
	struct store *inner;
	int max_tries;
	int stuck;       /* operations that failed twice and wait, or try, once more */
	struct err last; /* of those */
};

struct retry_frame {
	struct store_frame frame;
	struct timer timer; /* running: between two tries */
	int tries;
	bool stuck;
};

static double random_unit(struct loop *loop) {
	uint32_t bits;

	loop_random(loop, &bits, sizeof(bits));
	return bits / 4294967296.0;
}

static void finish(struct retry_frame *retry, const struct err *err) {
	struct store_op *op = retry->frame.op;

	container_of(retry->frame.owner, struct retry, store)->stuck -= retry->stuck;
	store_frame_pop(&retry->frame);
	free(retry);
	op->done(op, err);
}

static void try_again(struct timer *timer) {
	struct retry_frame *retry = container_of(timer, struct retry_frame, timer);
	struct retry *store = container_of(retry->frame.owner, struct retry, store);

	retry->tries++;
	retry->frame.op->keep_fresh = false; /* the try before may have kept it */
	store_start(store->inner, retry->frame.op);
}

static void tried(struct store_op *op, const struct err *err) {
	struct retry_frame *retry = container_of(op->frame, struct retry_frame, frame);
	struct retry *store = container_of(retry->frame.owner, struct retry, store);
	int64_t wait_ms = -1;

	if (err && !op->cancelled && retry->tries < store->max_tries) {
		double random = random_unit(store->store.loop);
		wait_ms = store_retry_wait(err, op->verb, retry->tries, random);
	}
	if (wait_ms < 0) {
		finish(retry, err);
		return;
	}
	log_debug("%s: '%s': %s; again in %lld ms", store->store.label, op->key ? op->key : "",
		err->text, (long long)wait_ms);
	/* A first failure is nobody's concern: the next try mostly goes well. */
	if (retry->tries == 2) store->stuck++;
	retry->stuck = retry->tries >= 2;
	if (retry->stuck) store->last = *err;
	timer_start(&retry->timer, wait_ms);
}

static bool retry_trouble(const struct store *store, struct err *err) {
	const struct retry *retry = container_of(store, struct retry, store);

	if (retry->stuck > 0) *err = retry->last;
	return retry->stuck > 0;
}

static void retry_start(struct store *store, struct store_op *op) {
	struct retry_frame *retry = xcalloc(1, sizeof(*retry));

	store_frame_push(&retry->frame, store, op, tried);
	timer_init(&retry->timer, store->loop, try_again);
	retry->tries = 1;
	store_start(container_of(store, struct retry, store)->inner, op);
}

static void cancelled_while_waiting(struct timer *timer) {
	struct err err;

	err_set(&err, ERR_CANCELLED, "cancelled");
	finish(container_of(timer, struct retry_frame, timer), &err);
}

static void retry_cancel(struct store *store, struct store_op *op) {
	struct store_frame *frame = store_frame_find(op, store);
	if (!frame) return;
	struct retry_frame *retry = container_of(frame, struct retry_frame, frame);

	if (timer_running(&retry->timer)) {
		retry->timer.fired = cancelled_while_waiting;
		timer_start(&retry->timer, 0);
	} else {
		store_cancel(container_of(store, struct retry, store)->inner, op);
	}
}

static void retry_free(struct store *store) {
	struct retry *retry = container_of(store, struct retry, store);

	store_free(retry->inner);
	free(retry);
}

static int retry_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct retry, store)->inner, key, kind, err);
}

static void retry_renew(struct store *store) {
	struct store *inner = container_of(store, struct retry, store)->inner;

	if (inner->driver->renew) inner->driver->renew(inner);
}

static void retry_remember(struct store *store, const char *place, const char *id) {
	store_remember(container_of(store, struct retry, store)->inner, place, id);
}

static bool retry_ending(const struct store *store, struct err *err) {
	return store_ending(container_of(store, struct retry, store)->inner, err);
}

static const struct store_driver retry_driver = {
	.scheme = "retry",
	.start = retry_start,
	.cancel = retry_cancel,
	.free = retry_free,
	.refuse = retry_refuse,
	.renew = retry_renew,
	.remember = retry_remember,
	.ending = retry_ending,
	.trouble = retry_trouble,
};

struct store *store_retry(struct store *inner, int max_tries) {
	struct retry *retry = xcalloc(1, sizeof(*retry));

	store_look_like(&retry->store, inner);
	retry->store.driver = &retry_driver;
	retry->inner = inner;
	retry->max_tries = max_tries;
	return &retry->store;
}
