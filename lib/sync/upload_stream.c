/*
 * A large file that is read once: each part is hashed and sent from the same memory, and goes into the whole's hash in the order of the
 * file, so that what PART_END names is what was sent. For a file that is another than the agreed one by its size alone, at a store that
 * begins without the hash; any other is hashed first.
 *
 * No mix of two versions is ever ended:
 * - within a run each read is followed by a look whether it is still the file that was opened (size, times, inode), and the last of
 *   these looks comes after all reads;
 * - over runs a part is noted in the index before it is sent, by a seal whose key the session's row has. Whoever goes on reads all
 *   parts again, also those that the server holds: one that is not what was noted, or is held and was not noted, gives the session up.
 *   What went lost with the power, a note and not what was sent by it, is a part that the server has no receipt of: it is sent whole
 *   once more. A server that goes on in the middle of a part gets notes that are on the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

bool upload_may_stream(const struct transfer *t) {
	const struct folder *f = t->folder;
	const struct index_entry *base = &t->file;
	struct index_session session;
	struct err err;
	if (f->store->begin_wants_hash || (f->store->caps & STORE_CAP_FD_BODY) || delta_wants(t))
		return false;
	if (t->image || t->captured || t->reads_first || t->origin_reads) return false;
	if (t->row.why == INDEX_WHY_HOT) return false;
	if (t->has_file && base->kind == INDEX_FILE && base->size == t->stat.size) return false;
	if (index_session_get(f->index, t->path, &session, &err) != 1) return true;
	bool hashed = !session.sealed;
	index_session_release(&session);
	return !hashed; /* only its hash tells whether that one can go on */
}

/* ---- open ---- */

static int open_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	if (upload_open(u, t->disk, t->path, err)) return -1;
	return disk_stat_same(&u->opened, &t->stat)
		       ? 0
		       : err_set(err, ERR_CHANGED, "changed before it was read");
}

static void open_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (err) {
		t->look_err = *err;
		upload_release(t);
		transfer_plan(t);
		return;
	}
	u->part_count = (size_t)((u->size + u->part_size - 1) / u->part_size);
	u->notes = xcalloc(u->part_count + 1, sizeof(*u->notes));
	upload_session_find(t);
}

void upload_stream_start(struct transfer *t) {
	if (capture_holds(t)) {
		capture_wait(t);
		return;
	}
	upload_new(t);
	t->upload->streams = true;
	t->upload->sum_number = 1;
	t->read_ns = loop_wall_ns(t->folder->loop);
	t->state = TRANSFER_HASHING;
	t->job.work = open_work;
	t->job.done = open_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

/* ---- parts ---- */

int upload_stream_read(struct upload_lane *lane, struct err *err) {
	struct disk_stat now;
	if (disk_stat(lane->disk, lane->path, &now, err)) return -1;
	if (!disk_stat_same(&now, lane->opened))
		return err_set(err, ERR_CHANGED, "changed while it was read");
	/* What is sent from this memory needs no seal of its own. */
	if (lane->kind != DIGEST_SEAL) digest_of(lane->kind, lane->body, lane->length, lane->hash);
	seal_of(lane->seal_key, lane->body, lane->length, lane->seal);
	return 0;
}

bool upload_stream_came(struct upload_lane *lane) {
	struct upload *u = lane->transfer->upload;
	const struct upload_note *note = &u->notes[lane->number - 1];
	memcpy(u->part_hashes[lane->number - 1], lane->hash, sizeof(lane->hash));
	u->stale |= note->known && memcmp(note->seal, lane->seal, SEAL_LEN) != 0;
	return !u->stale;
}

bool upload_stream_note(struct upload_lane *lane) {
	struct folder *f = lane->transfer->folder;
	struct upload_note *note = &lane->transfer->upload->notes[lane->number - 1];
	struct err err;
	if (note->known) return true;
	if (index_session_part_put(
		    f->index, lane->transfer->path, lane->number, lane->seal, &err)) {
		folder_index_failed(f, &err);
		return false;
	}
	note->known = true;
	memcpy(note->seal, lane->seal, SEAL_LEN);
	if (f->store->caps & STORE_CAP_PARTS_IN_ORDER) f->intents = true;
	return true;
}

static void note_came(void *user, int number, const uint8_t seal[INDEX_SEAL_LEN]) {
	struct upload *u = user;
	if (number < 1 || (size_t)number > u->part_count) return;
	u->notes[number - 1].known = true;
	memcpy(u->notes[number - 1].seal, seal, SEAL_LEN);
}

bool upload_stream_remember(struct transfer *t) {
	struct err err;
	if (index_session_parts(t->folder->index, t->path, note_came, t->upload, &err) == 0)
		return true;
	folder_index_failed(t->folder, &err);
	return false;
}

bool upload_stream_knows_held(const struct upload *u) {
	for (size_t i = 0; i < u->held; i++) {
		int number = u->parts[i].number;
		if (number < 1 || (size_t)number > u->part_count || !u->notes[number - 1].known)
			return false;
	}
	return true;
}

/* ---- the whole's hash ---- */

static int sum_work(struct job *job, struct err *err) {
	struct upload *u = container_of(job, struct upload, sum_job);
	(void)err;
	digest_add(&u->whole, u->summing->body, u->summing->length);
	return 0;
}

static void sum_done(struct job *job, const struct err *err) {
	struct upload *u = container_of(job, struct upload, sum_job);
	struct upload_lane *lane = u->summing;
	u->summing = NULL;
	if (!err) {
		lane->summed = true;
		u->sum_number++;
	}
	upload_lane_summed(lane);
}

void upload_sum_go(struct upload *u) {
	for (size_t i = 0; i < u->lane_count && !u->summing; i++) {
		struct upload_lane *lane = &u->lanes[i];
		if (lane->number != u->sum_number || lane->state < LANE_READY) continue;
		u->summing = lane;
		u->sum_job = (struct job){ .work = sum_work, .done = sum_done };
		job_start(u->transfer->folder->loop, &u->sum_job);
	}
}
