#include <stdlib.h>

#include "store/internal.h"

/* For tests: errors, lost answers and slow answers, as a plan decides for each operation. */

struct fault {
	struct store store;
	struct store *inner;
	struct store_fault_plan plan;
};

struct fault_frame {
	struct store_frame frame;
	struct timer timer; /* holds the answer, or the refusal, back */
	int64_t delay_ms;
	bool lost; /* the answer is to be replaced by `err` */
	bool failed;
	bool inside; /* the inner store has it */
	struct err err;
};

static void finish(struct timer *timer) {
	struct fault_frame *fault = container_of(timer, struct fault_frame, timer);
	struct store_op *op = fault->frame.op;
	struct err err = fault->err;
	bool failed = fault->failed;

	if (failed) store_op_clear_answer(op);
	store_frame_pop(&fault->frame);
	free(fault);
	op->done(op, failed ? &err : NULL);
}

static void answered(struct store_op *op, const struct err *err) {
	struct fault_frame *fault = container_of(op->frame, struct fault_frame, frame);

	fault->inside = false;
	if (!fault->lost) {
		fault->failed = err != NULL;
		if (err) fault->err = *err;
	}
	timer_start(&fault->timer, fault->delay_ms);
}

static void fault_start(struct store *store, struct store_op *op) {
	struct fault *owner = container_of(store, struct fault, store);
	struct fault_frame *fault = xcalloc(1, sizeof(*fault));
	bool after = false;

	store_frame_push(&fault->frame, store, op, answered);
	timer_init(&fault->timer, store->loop, finish);
	fault->err = owner->plan.decide(owner->plan.user, op, &after, &fault->delay_ms);
	fault->failed = fault->err.kind != ERR_NONE;
	fault->lost = fault->failed && after;
	if (fault->failed && !after) {
		timer_start(&fault->timer, fault->delay_ms);
		return;
	}
	fault->inside = true;
	store_start(owner->inner, op);
}

static void fault_cancel(struct store *store, struct store_op *op) {
	struct store_frame *frame = store_frame_find(op, store);
	if (!frame) return;
	struct fault_frame *fault = container_of(frame, struct fault_frame, frame);

	if (fault->inside) {
		store_cancel(container_of(store, struct fault, store)->inner, op);
		return;
	}
	/* The answer is held: it is lost now. */
	err_set(&fault->err, ERR_CANCELLED, "cancelled");
	fault->failed = true;
	timer_start(&fault->timer, 0);
}

static void fault_free(struct store *store) {
	struct fault *fault = container_of(store, struct fault, store);

	store_free(fault->inner);
	free(fault);
}

static int fault_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct fault, store)->inner, key, kind, err);
}

static void fault_renew(struct store *store) {
	struct store *inner = container_of(store, struct fault, store)->inner;

	if (inner->driver->renew) inner->driver->renew(inner);
}

static void fault_remember(struct store *store, const char *place, const char *id) {
	store_remember(container_of(store, struct fault, store)->inner, place, id);
}

static const struct store_driver fault_driver = {
	.scheme = "fault",
	.start = fault_start,
	.cancel = fault_cancel,
	.free = fault_free,
	.refuse = fault_refuse,
	.renew = fault_renew,
	.remember = fault_remember,
};

struct store *store_fault(struct store *inner, struct store_fault_plan plan) {
	struct fault *fault = xcalloc(1, sizeof(*fault));

	store_look_like(&fault->store, inner);
	fault->store.driver = &fault_driver;
	fault->inner = inner;
	fault->plan = plan;
	return &fault->store;
}
