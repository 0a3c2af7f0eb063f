/* Timers in a binary heap of our own, so that struct timer needs no library's type and the twins
 * agree on order. */
#include <assert.h>

#include "loop/internal.h"

static bool is_before(const struct timer *left, const struct timer *right) {
	if (left->due_ms != right->due_ms) return left->due_ms < right->due_ms;
	return left->order < right->order;
}

static void place(struct loop *loop, size_t slot, struct timer *timer) {
	loop->heap[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct loop *loop, size_t slot, struct timer *timer) {
	for (; slot > 1 && is_before(timer, loop->heap[slot / 2]); slot /= 2) {
		place(loop, slot, loop->heap[slot / 2]);
	}
	place(loop, slot, timer);
}

static void sift_down(struct loop *loop, size_t slot, struct timer *timer) {
	for (;;) {
		size_t child = slot * 2;
		if (child > loop->timers) break;
		if (child < loop->timers && is_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!is_before(loop->heap[child], timer)) break;
		place(loop, slot, loop->heap[child]);
		slot = child;
	}
	place(loop, slot, timer);
}

void timer_init(struct timer *timer, struct loop *loop, void (*fired)(struct timer *timer)) {
	*timer = (struct timer){ .fired = fired, .loop = loop };
}

void timer_start(struct timer *timer, int64_t delay_ms) {
	struct loop *loop = timer->loop;
	int64_t now_ms = loop_now_ms(loop);

	timer_cancel(timer);
	if (delay_ms < 0) delay_ms = 0;
	timer->due_ms = delay_ms > INT64_MAX - 1 - now_ms ? INT64_MAX - 1 : now_ms + delay_ms;
	timer->order = loop->timer_order++;
	if (loop->timers + 2 > loop->heap_size) {
		loop->heap_size = loop->heap_size ? loop->heap_size * 2 : 64;
		loop->heap = xrealloc(loop->heap, loop->heap_size * sizeof(struct timer *));
	}
	loop->timers++;
	sift_up(loop, loop->timers, timer);
}

void timer_cancel(struct timer *timer) {
	size_t slot = timer->slot;

	if (slot == 0) return;
	struct loop *loop = timer->loop;
	assert(slot <= loop->timers && loop->heap[slot] == timer);
	struct timer *last = loop->heap[loop->timers--];
	timer->slot = 0;
	if (last == timer) return;

	/* The last one fills the gap: it belongs above or below. */
	if (slot > 1 && is_before(last, loop->heap[slot / 2])) {
		sift_up(loop, slot, last);
	} else {
		sift_down(loop, slot, last);
	}
}

bool timer_running(const struct timer *timer) {
	return timer->slot != 0;
}

int64_t timer_next_due_ms(const struct loop *loop) {
	return loop->timers ? loop->heap[1]->due_ms : INT64_MAX;
}

/* A timer that one of these starts anew waits for the next turn, so that delay 0 cannot keep the
 * loop here. */
void timer_fire_due(struct loop *loop) {
	uint64_t born_now = loop->timer_order;

	while (loop->timers && loop->heap[1]->due_ms <= loop->now_ms &&
		loop->heap[1]->order < born_now) {
		struct timer *timer = loop->heap[1];
		timer_cancel(timer);
		timer->fired(timer);
	}
}
