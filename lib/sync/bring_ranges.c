/*
 * A large file comes in several spans at once, each in a lane of its own that asks for it, writes it where it belongs, and lends its bytes
 * to the hash of the whole when those before it are in: what memory holds is a span a lane. All name one version, so that two contents are
 * never mixed. Meanwhile what is here without a gap is synced, and then noted in the index: a kill costs the spans that were on their way,
 * and no more than BRING_SYNC_MS's work besides.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"

static void ranges_go(struct transfer *t);
static void lane_submit(struct bring_lane *lane);

static bool is_over(const struct transfer *t) {
	return transfer_is_abandoned(t) || t->bring->failed.kind != ERR_NONE;
}

static void lane_free(struct bring_lane *lane) {
	lane->state = BRING_FREE;
	lane->transfer->bring->busy--;
}

/* What is on its way ends by itself, and tells. */
static void ranges_cancel(struct transfer *t) {
	struct bring *b = t->bring;
	for (size_t i = 0; i < b->lane_count; i++) {
		struct bring_lane *lane = &b->lanes[i];
		switch (lane->state) {
		case BRING_FREE: break;
		case BRING_SUBMITTED:
			submit_drop(t->folder, &lane->submit);
			lane_free(lane);
			break;
		case BRING_GETTING: store_cancel(t->folder->store, &lane->op); break;
		case BRING_WRITING:
		case BRING_SUMMING: job_cancel(&lane->job); break;
		case BRING_WRITTEN: lane_free(lane); break;
		}
	}
	if (b->syncing) job_cancel(&b->sync_job);
}

/* The first failure ends the others too. */
static void ranges_fail(struct transfer *t, const struct err *err) {
	struct bring *b = t->bring;
	bool first = !is_over(t);
	if (b->failed.kind == ERR_NONE) b->failed = *err;
	if (first) ranges_cancel(t);
}

static void ranges_step(struct transfer *t) {
	const struct bring *b = t->bring;
	if (!transfer_is_abandoned(t))
		ranges_go(t);
	else if (!b->busy && !b->syncing)
		transfer_forget(t);
}

static void lane_ended(struct bring_lane *lane, const struct err *err) {
	struct transfer *t = lane->transfer;
	lane_free(lane);
	if (err) ranges_fail(t, err);
	ranges_step(t);
}

/* ---- what is on the disk is noted ---- */

static int sync_work(struct job *job, struct err *err) {
	struct bring *b = container_of(job, struct bring, sync_job);
	struct disk_stat stat;
	if (disk_stat(b->disk, b->beside, &stat, err)) return -1;
	b->ino = stat.ino;
	return disk_sync_file(b->disk, b->beside, err);
}

static void synced(struct job *job, const struct err *err) {
	struct bring *b = container_of(job, struct bring, sync_job);
	struct transfer *t = b->transfer;
	struct err failed;
	b->syncing = false;
	if (err && err->kind != ERR_CANCELLED) ranges_fail(t, err);
	if (!err && !transfer_is_abandoned(t)) {
		folder_turn(t->folder);
		b->sync_ms = loop_now_ms(t->folder->loop);
		if (bring_note(t, b->sync_to, &failed)) {
			folder_index_failed(t->folder, &failed); /* ends this one as well */
			return;
		}
	}
	ranges_step(t);
}

static void sync_go(struct transfer *t) {
	struct bring *b = t->bring;
	int64_t wait_ms = b->sync_ms + BRING_SYNC_MS - loop_now_ms(t->folder->loop);
	if (b->syncing || !b->expected || b->offset <= b->noted || b->offset >= b->size) return;
	if (wait_ms > 0) {
		if (!timer_running(&b->sync_timer)) timer_start(&b->sync_timer, wait_ms);
		return;
	}
	b->syncing = true;
	b->sync_to = b->offset;
	b->sync_job = (struct job){ .work = sync_work, .done = synced };
	job_start(t->folder->loop, &b->sync_job);
}

static void sync_due(struct timer *timer) {
	struct bring *b = container_of(timer, struct bring, sync_timer);
	if (b->transfer->state == TRANSFER_RANGES && !is_over(b->transfer)) sync_go(b->transfer);
}

/* ---- into the file, and into the hash ---- */

static int write_work(struct job *job, struct err *err) {
	struct bring_lane *lane = container_of(job, struct bring_lane, job);
	struct bring *b = lane->transfer->bring;
	const struct buf *span = &lane->op.answer_body;
	if (lane->sums) digest_add(&b->digest, span->at, span->len);
	if (lane->is_written) return 0;
	return disk_beside_write(b->disk, b->fd, lane->offset, span->at, span->len, err);
}

/* The rest of a span that was answered in pieces comes in the same lane. */
static void lane_summed(struct bring_lane *lane) {
	struct bring *b = lane->transfer->bring;
	int64_t came = (int64_t)lane->op.answer_body.len;
	b->summing = false;
	b->offset += came;
	lane->offset += came;
	if (lane->offset < lane->end)
		lane_submit(lane);
	else
		lane_free(lane);
}

static void work_done(struct job *job, const struct err *err) {
	struct bring_lane *lane = container_of(job, struct bring_lane, job);
	struct transfer *t = lane->transfer;
	if (lane->sums) t->bring->summing = false;
	if (err || is_over(t)) {
		lane_ended(lane, err);
		return;
	}
	lane->is_written = true;
	lane->state = BRING_WRITTEN;
	if (lane->sums) lane_summed(lane);
	ranges_step(t);
}

/* Those that come next in the hash are written by the same job that adds them to it. */
static void lane_work(struct bring_lane *lane) {
	struct bring *b = lane->transfer->bring;
	lane->sums = !b->summing && lane->offset == b->offset;
	if (lane->sums) b->summing = true;
	lane->state = lane->sums ? BRING_SUMMING : BRING_WRITING;
	lane->job = (struct job){ .work = write_work, .done = work_done };
	job_start(lane->transfer->folder->loop, &lane->job);
}

static void sums_go(struct transfer *t) {
	struct bring *b = t->bring;
	for (size_t i = 0; i < b->lane_count && !b->summing; i++) {
		struct bring_lane *lane = &b->lanes[i];
		if (lane->state == BRING_WRITTEN && lane->offset == b->offset) lane_work(lane);
	}
}

/* ---- asked for ---- */

static void lane_came(struct store_op *op, const struct err *err) {
	struct bring_lane *lane = container_of(op, struct bring_lane, op);
	struct transfer *t = lane->transfer;
	int64_t len = (int64_t)op->answer_body.len;
	struct err changed;
	if (err || is_over(t)) {
		lane_ended(lane, err);
		return;
	}
	folder_turn(t->folder);
	if (!len || lane->offset + len > lane->end || op->entry.size != t->bring->size) {
		err_set(&changed, ERR_CHANGED, "it changed between two spans");
		lane_ended(lane, &changed);
		return;
	}
	lane->is_written = false;
	lane_work(lane);
}

static void lane_get(struct submit *submit) {
	struct bring_lane *lane = container_of(submit, struct bring_lane, submit);
	lane->state = BRING_GETTING;
	store_start(lane->transfer->folder->store, &lane->op);
}

static void lane_submit(struct bring_lane *lane) {
	struct transfer *t = lane->transfer;
	const struct bring *b = t->bring;
	if (lane->op_ready) store_op_release(&lane->op);
	store_op_init(&lane->op, STORE_GET, t->key);
	lane->op_ready = true;
	lane->op.kind = STORE_FILE;
	lane->op.parent_id = t->parent_id;
	lane->op.id = b->id;
	lane->op.offset = lane->offset;
	lane->op.length = lane->end - lane->offset;
	lane->op.if_version = b->expected;
	lane->op.done = lane_came;
	lane->state = BRING_SUBMITTED;
	submit_add(t->folder, &lane->submit);
}

static void lanes_start(struct transfer *t) {
	struct bring *b = t->bring;
	int64_t span = t->folder->sync->span_bytes;
	for (size_t i = 0; i < b->lane_count && b->next < b->size; i++) {
		struct bring_lane *lane = &b->lanes[i];
		if (lane->state != BRING_FREE) continue;
		lane->offset = b->next;
		lane->end = b->size - b->next < span ? b->size : b->next + span;
		b->next = lane->end;
		b->busy++;
		lane_submit(lane);
	}
}

/* As many as memory has room for, where nobody waits for it; the first has it already. */
static void lanes_open(struct transfer *t) {
	struct bring *b = t->bring;
	struct sync *sync = t->folder->sync;
	while (b->lane_count < BRING_LANES && (b->next < b->size || !b->lane_count)) {
		bool room = list_empty(&sync->memory_waiters) &&
			    b->size - b->next > (int64_t)b->lane_count * sync->span_bytes;
		if (b->lane_count && !(room && transfer_memory_more(t, sync->span_bytes))) return;
		struct bring_lane *lane = &b->lanes[b->lane_count++];
		lane->transfer = t;
		lane->submit.start = lane_get;
		list_init(&lane->submit.link);
	}
}

static void ranges_go(struct transfer *t) {
	struct bring *b = t->bring;
	bool failed = b->failed.kind != ERR_NONE;
	if (!failed) {
		lanes_open(t);
		lanes_start(t);
		sums_go(t);
		sync_go(t);
	}
	if (b->busy || b->syncing) return;
	t->state = TRANSFER_SUBMITTED;
	assert(failed || b->offset == b->size);
	struct err err = b->failed;
	bring_ranges_ended(t, failed ? &err : NULL);
}

void bring_ranges_start(struct transfer *t) {
	struct bring *b = t->bring;
	b->next = b->offset;
	b->disk = t->disk;
	b->transfer = t;
	timer_init(&b->sync_timer, t->folder->loop, sync_due);
	act_op_init(t, STORE_GET, STORE_FILE); /* the first span's bytes go */
	t->state = TRANSFER_RANGES;
	ranges_go(t);
}

bool bring_ranges_cancel(struct transfer *t) {
	if (!t->bring || t->state != TRANSFER_RANGES) return false;
	ranges_cancel(t);
	return t->bring->busy || t->bring->syncing;
}

void bring_ranges_release(struct bring *b) {
	assert(!b->busy && !b->syncing);
	if (b->sync_timer.fired) timer_cancel(&b->sync_timer);
	for (size_t i = 0; i < b->lane_count; i++)
		if (b->lanes[i].op_ready) store_op_release(&b->lanes[i].op);
	b->lane_count = 0;
}
