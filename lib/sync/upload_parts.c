/*
 * The parts of a large upload: some at once, each in a lane of its own, so that the next are read and under way while a server still
 * stores the last. On a slow line one goes after the other: several would arrive no sooner, and what each has sent is sent again after
 * a kill. The store compares each with its hash: after pass 1, what reads differently was "changed between" (SYNC.md §11).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

enum { SLOW_PART_MS = 250 }; /* what four lanes would send twice is then at most a second's work */

static void lanes_go(struct transfer *t);
static void lane_start(struct upload_lane *lane, int number);

static bool is_over(const struct transfer *t) {
	return transfer_is_abandoned(t) || t->upload->failed.kind != ERR_NONE;
}

static void lane_free(struct upload_lane *lane) {
	lane->state = LANE_FREE;
	lane->number = 0;
	lane->transfer->upload->busy--;
}

/* Free when it has done all that is wanted of it, or all that still can be stopped. */
static void lane_settle(struct upload_lane *lane) {
	const struct upload *u = lane->transfer->upload;
	bool runs =
		lane->state == LANE_READING || lane->state == LANE_SENDING || u->summing == lane;
	bool done = lane->state == LANE_SENT && (!u->streams || lane->summed);
	if (!runs && (done || is_over(lane->transfer))) lane_free(lane);
}

/* The first failure ends the others too: what they would have sent may be wanted in vain. */
static void lanes_cancel(struct transfer *t) {
	struct upload *u = t->upload;
	for (size_t i = 0; i < u->lane_count; i++) {
		struct upload_lane *lane = &u->lanes[i];
		if (lane->state == LANE_FREE) continue;
		if (lane->state == LANE_READING) job_cancel(&lane->job);
		if (lane->state == LANE_SENDING) store_cancel(t->folder->store, &lane->op);
		if (lane->state == LANE_SUBMITTED) {
			submit_drop(t->folder, &lane->submit);
			lane->state = LANE_READY;
		}
		lane_settle(lane);
	}
}

/* A lane's job or operation ended. */
static void lane_step(struct upload_lane *lane, const struct err *err) {
	struct transfer *t = lane->transfer;
	struct upload *u = t->upload;
	bool first = err && !is_over(t);
	if (err && u->failed.kind == ERR_NONE) u->failed = *err;
	lane_settle(lane);
	if (first) lanes_cancel(t);
	if (!transfer_is_abandoned(t))
		lanes_go(t);
	else if (!u->busy)
		transfer_forget(t);
}

void upload_lane_summed(struct upload_lane *lane) {
	if (!is_over(lane->transfer)) upload_sum_go(lane->transfer->upload);
	lane_step(lane, NULL);
}

/* ---- sent ---- */

/* How long from one part to the next: what the line carries, however many share it. */
static void pace_note(struct transfer *t) {
	struct upload *u = t->upload;
	int64_t now_ms = folder_clock_ms(t->folder), gap_ms = now_ms - u->part_ms;
	u->gap_ms = u->gap_ms < 0 ? gap_ms : (3 * u->gap_ms + gap_ms) / 4;
	u->part_ms = now_ms;
}

/* Lanes from one state to another that send a body, or will. */
static size_t bodies(const struct upload *u, enum lane_state from, enum lane_state to) {
	size_t count = 0;
	for (size_t i = 0; i < u->lane_count; i++) {
		const struct upload_lane *lane = &u->lanes[i];
		count += lane->state >= from && lane->state <= to && !lane->copies && !lane->held;
	}
	return count;
}

static size_t bodies_most(const struct upload *u) {
	return u->gap_ms >= 0 && u->gap_ms < SLOW_PART_MS ? u->send_most : 1;
}

static void lane_sent(struct store_op *op, const struct err *err) {
	struct upload_lane *lane = container_of(op, struct upload_lane, op);
	struct transfer *t = lane->transfer;
	struct upload *u = t->upload;
	lane->state = LANE_SENT;
	if (err && lane->copies && !is_over(t) && delta_refused(t, err)) {
		int number = lane->number;
		lane_free(lane);
		lane_start(lane, number);
		lanes_go(t);
		return;
	}
	if (!err) {
		if (!lane->copies) pace_note(t);
		u->copied_bytes += lane->copies ? op->length : 0;
		u->parts = xrealloc(u->parts, (u->held + 1) * sizeof(*u->parts));
		u->parts[u->held++] = (struct store_part){
			.number = lane->number, .size = op->length, .receipt = xstrdup(op->receipt)
		};
		folder_changed(t->folder);
	}
	lane_step(lane, err);
}

static void lane_send(struct submit *submit) {
	struct upload_lane *lane = container_of(submit, struct upload_lane, submit);
	lane->state = LANE_SENDING;
	store_start(lane->transfer->folder->store, &lane->op);
}

static int part_hash_kind(const struct upload *u) {
	if (u->part_kind != DIGEST_SEAL)
		return u->part_kind == DIGEST_SHA256 ? STORE_HASH_SHA256 : STORE_HASH_MD5;
	return u->streams ? STORE_HASH_NONE : STORE_HASH_SEAL;
}

static void op_prepare(struct upload_lane *lane) {
	struct transfer *t = lane->transfer;
	struct upload *u = t->upload;
	struct store_op *op = &lane->op;
	if (lane->op_ready) store_op_release(op);
	store_op_init(op, lane->copies ? STORE_PART_COPY : STORE_PART_PUT, t->key);
	lane->op_ready = true;
	op->kind = STORE_FILE;
	op->session = u->session;
	op->part_number = lane->number;
	op->part_size = u->part_size;
	op->size = u->size;
	op->offset = lane->offset;
	op->length = (int64_t)lane->length;
	op->hash.kind = part_hash_kind(u);
	if (op->hash.kind != STORE_HASH_NONE)
		memcpy(op->hash.bytes, u->part_hashes[lane->number - 1], sizeof(op->hash.bytes));
	if (lane->copies) {
		op->if_version = t->file.version;
	} else if (lane->body) {
		op->body = lane->body;
		op->body_len = lane->length;
	} else {
		op->fd = u->fd;
	}
	op->done = lane_sent;
}

/* The session it belongs to may not be committed yet. */
static void lane_submit(struct upload_lane *lane) {
	struct upload *u = lane->transfer->upload;
	op_prepare(lane);
	if (!lane->copies && !bodies(u, LANE_SUBMITTED, LANE_SENDING))
		u->part_ms = folder_clock_ms(lane->transfer->folder);
	lane->state = LANE_SUBMITTED;
	submit_add(lane->transfer->folder, &lane->submit);
}

/* ---- read ---- */

static int read_work(struct job *job, struct err *err) {
	struct upload_lane *lane = container_of(job, struct upload_lane, job);
	if (disk_read_span(lane->disk, lane->fd, lane->offset, lane->length, lane->body, err))
		return -1;
	return lane->streams ? upload_stream_read(lane, err) : 0;
}

static void read_done(struct job *job, const struct err *err) {
	struct upload_lane *lane = container_of(job, struct upload_lane, job);
	const struct transfer *t = lane->transfer;
	struct upload *u = t->upload;
	struct err changed;
	lane->state = LANE_READY;
	if (!err && !is_over(t) && u->streams) {
		if (upload_stream_came(lane)) {
			if (lane->held) lane->state = LANE_SENT;
			upload_sum_go(u);
		} else {
			err_set(&changed, ERR_CHANGED, "is not what was sent before");
			err = &changed;
		}
	}
	lane_step(lane, err);
}

static bool is_held(const struct upload *u, int number) {
	for (size_t i = 0; i < u->held; i++)
		if (u->parts[i].number == number) return true;
	return false;
}

static void lane_start(struct upload_lane *lane, int number) {
	struct transfer *t = lane->transfer;
	struct upload *u = t->upload;
	lane->number = number;
	lane->offset = (int64_t)(number - 1) * u->part_size;
	int64_t left = u->size - lane->offset;
	lane->length = (size_t)(left < u->part_size ? left : u->part_size);
	lane->copies = !u->streams && delta_has(t, number);
	lane->held = is_held(u, number);
	lane->summed = false;
	u->busy++;
	lane->state = LANE_READY;
	if (!lane->body || lane->copies) return;
	lane->disk = u->disk;
	lane->fd = u->fd;
	lane->streams = u->streams;
	lane->path = t->path;
	lane->opened = &u->opened;
	lane->seal_key = u->seal_key;
	lane->kind = u->part_kind;
	lane->state = LANE_READING;
	lane->job = (struct job){ .work = read_work, .done = read_done };
	job_start(t->folder->loop, &lane->job);
}

/* ---- all lanes ---- */

static int by_number(const void *left, const void *right) {
	return ((const struct store_part *)left)->number -
	       ((const struct store_part *)right)->number;
}

/* The next part that nobody is at; 0: there is none. */
static int next_number(struct upload *u) {
	bool passes = !u->streams;
	while (passes && (size_t)u->next_number <= u->part_count && is_held(u, u->next_number))
		u->next_number++;
	return (size_t)u->next_number <= u->part_count ? u->next_number : 0;
}

/* One that is hashed while it is sent is read one part ahead. */
static bool may_start(const struct transfer *t, int number) {
	const struct upload *u = t->upload;
	if (u->streams ? is_held(u, number) : delta_has(t, number)) return true;
	return bodies(u, LANE_READING, LANE_SENDING) < bodies_most(u) + u->streams;
}

static void lanes_start(struct transfer *t) {
	struct upload *u = t->upload;
	for (size_t i = 0; i < u->lane_count; i++) {
		if (u->lanes[i].state != LANE_FREE) continue;
		int number = next_number(u);
		if (!number || !may_start(t, number)) return;
		u->next_number++;
		lane_start(&u->lanes[i], number);
	}
}

/* Where they go one after the other, one that is still being read comes before those behind it. */
static bool is_before(const struct upload *u, int number) {
	for (size_t i = 0; i < u->lane_count; i++)
		if (u->lanes[i].state == LANE_READING && u->lanes[i].number < number) return true;
	return false;
}

/* The first of those that wait, if it may be sent now. */
static struct upload_lane *next_ready(const struct transfer *t) {
	struct upload *u = t->upload;
	bool in_order = (t->folder->store->caps & STORE_CAP_PARTS_IN_ORDER) != 0;
	bool room = bodies(u, LANE_SUBMITTED, LANE_SENDING) < bodies_most(u);
	struct upload_lane *next = NULL;
	for (size_t i = 0; i < u->lane_count; i++) {
		struct upload_lane *lane = &u->lanes[i];
		if (lane->state != LANE_READY || !(room || lane->copies)) continue;
		if (!next || lane->number < next->number) next = lane;
	}
	return next && in_order && is_before(u, next->number) ? NULL : next;
}

static void lanes_go(struct transfer *t) {
	struct upload *u = t->upload;
	bool failed = u->failed.kind != ERR_NONE;
	struct upload_lane *lane;
	if (!failed) lanes_start(t);
	while (!failed && (lane = next_ready(t)) != NULL) {
		if (u->streams && !upload_stream_note(lane)) return;
		lane_submit(lane);
	}
	if (u->busy) return;
	t->state = TRANSFER_SUBMITTED;
	if (!failed) qsort(u->parts, u->held, sizeof(*u->parts), by_number);
	struct err err = u->failed;
	err_clear(&u->failed);
	upload_parts_ended(t, failed ? &err : NULL);
}

/* As many as the store likes and memory has room for; one at least. */
static void lanes_open(struct transfer *t) {
	struct upload *u = t->upload;
	const struct store *store = t->folder->store;
	bool fd_body = (store->caps & STORE_CAP_FD_BODY) != 0;
	size_t want = store->part_lanes > 1 ? (size_t)store->part_lanes : 1;
	if (want > UPLOAD_LANES_MAX) want = UPLOAD_LANES_MAX;
	u->send_most = want;
	if (want < 2 && u->streams) want = 2;
	if (want > u->part_count) want = u->part_count;
	while (u->lane_count < want) {
		bool room = fd_body || (int64_t)(u->lane_count + 1) * u->part_size <= t->reserved;
		if (u->lane_count && !room && !transfer_memory_more(t, u->part_size)) break;
		struct upload_lane *lane = &u->lanes[u->lane_count++];
		lane->transfer = t;
		lane->submit.start = lane_send;
		list_init(&lane->submit.link);
		if (!fd_body) lane->body = xmalloc((size_t)u->part_size);
	}
}

void upload_parts_start(struct transfer *t) {
	struct upload *u = t->upload;
	bool fd_body = (t->folder->store->caps & STORE_CAP_FD_BODY) != 0;
	if (!fd_body && t->reserved <= 0 && !transfer_memory_reserve(t, u->part_size)) return;
	upload_memory_granted(t);
}

void upload_memory_granted(struct transfer *t) {
	struct upload *u = t->upload;
	t->state = TRANSFER_PARTS;
	u->next_number = 1;
	u->gap_ms = -1;
	lanes_open(t);
	lanes_go(t);
}

void upload_yield(struct transfer *t) {
	struct upload *u = t->upload;
	if (!u || t->state != TRANSFER_PARTS || is_over(t)) return;
	err_set(&u->failed, ERR_CANCELLED, "gives way to smaller files");
	lanes_cancel(t);
	if (!u->busy) lanes_go(t);
}

bool upload_parts_cancel(struct transfer *t) {
	if (!t->upload || !t->upload->busy) return false;
	lanes_cancel(t);
	return t->upload->busy > 0;
}

void upload_parts_release(struct upload *u) {
	assert(!u->busy);
	for (size_t i = 0; i < u->lane_count; i++) {
		if (u->lanes[i].op_ready) store_op_release(&u->lanes[i].op);
		free(u->lanes[i].body);
	}
	u->lane_count = 0;
}
