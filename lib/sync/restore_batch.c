/*
 * Small files that came as a whole get their places several in one job: each job costs the wake-up of a thread and one of the loop, each
 * folder a descriptor. What comes while jobs run waits for the next one; where the disk is slow there are a few at once.
 */
#include <stdlib.h>

#include "sync/restore.h"

/* More than one job runs only where so many wait. */
enum { CROWD = RESTORE_BATCH / 2 };

static void batches_begin(struct restore *r);

static int batch_work(struct job *job, struct err *err) {
	struct restore_batch *batch = container_of(job, struct restore_batch, job);
	(void)err;
	restore_make_slots(batch->slots, batch->count);
	return 0;
}

static void batch_done(struct job *job, const struct err *err) {
	struct restore_batch *batch = container_of(job, struct restore_batch, job);
	struct restore *r = batch->restore;
	struct restore_slot *slots[RESTORE_BATCH];
	size_t count = batch->count;
	(void)err;
	for (size_t i = 0; i < count; i++) slots[i] = batch->slots[i];
	batch->count = 0;
	r->batches_busy--;
	batches_begin(r);
	for (size_t i = 0; i < count; i++) {
		const struct err *failed = slots[i]->err.kind == ERR_NONE ? NULL : &slots[i]->err;
		restore_slot_placed(slots[i], failed);
	}
}

static void batch_begin(struct restore *r, struct restore_batch *batch) {
	size_t count = r->ready_count < RESTORE_BATCH ? r->ready_count : RESTORE_BATCH;
	for (size_t i = 0; i < count; i++) batch->slots[i] = r->ready[i];
	for (size_t i = count; i < r->ready_count; i++) r->ready[i - count] = r->ready[i];
	r->ready_count -= count;
	batch->count = count;
	batch->restore = r;
	batch->job = (struct job){ .work = batch_work, .done = batch_done };
	r->batches_busy++;
	job_start(r->loop, &batch->job);
}

static void batches_begin(struct restore *r) {
	for (size_t i = 0; i < RESTORE_BATCHES; i++) {
		size_t enough = r->batches_busy ? CROWD : 1;
		if (r->cancelled || r->ready_count < enough) return;
		if (!r->batches[i].count) batch_begin(r, &r->batches[i]);
	}
}

static void gathered(struct defer *defer) {
	struct restore *r = container_of(defer, struct restore, gather);
	batches_begin(r);
	while (r->cancelled && r->ready_count) restore_slot_drop(r->ready[--r->ready_count]);
}

void restore_batch_add(struct restore_slot *slot) {
	struct restore *r = slot->restore;
	slot->state = SLOT_PLACING;
	r->ready[r->ready_count++] = slot;
	defer_start(r->loop, &r->gather);
}

void restore_batch_init(struct restore *r) {
	r->ready = xcalloc(r->options.slots, sizeof(struct restore_slot *));
	defer_init(&r->gather, gathered);
}

void restore_batch_release(struct restore *r) {
	defer_cancel(&r->gather);
	free(r->ready);
}
