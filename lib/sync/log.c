/*
 * The index's write-ahead log. The checkpoint, not the commit, would stall the loop: a job does it
 * (SYNC.md §10), each time the log has grown by WAL_CHECKPOINT_BYTES. The log begins anew only where
 * one ends with nothing left to copy; while a tree is being sent a commit always comes between, and
 * the log would grow without an end: when it is long, what the job left is copied here, between two
 * transactions. (Measured, 10,000 files from memory to memory: 284 checkpoints, a tenth of all
 * instructions, when each turn asked for one as long as the log was large.)
 */
#include "sync/internal.h"

enum { WAL_LONG_BYTES = 4 * WAL_CHECKPOINT_BYTES };

static int checkpoint_work(struct job *job, struct err *err) {
	struct folder *f = container_of(job, struct folder, checkpoint_job);
	return index_checkpoint(f->checkpoint_path, err);
}

static void checkpoint_done(struct job *job, const struct err *err) {
	struct folder *f = container_of(job, struct folder, checkpoint_job);
	f->checkpointing = false;
	if (err) log_warn("folder '%s': cannot checkpoint its index: %s", f->name, err->text);
	f->log_to_end = !err && f->index && index_wal_bytes(f->index) >= WAL_LONG_BYTES;
	if (f->log_to_end) turn_end_want(&f->turn_end);
	folder_wake(f);
}

void log_step(struct folder *f) {
	int64_t bytes = index_wal_bytes(f->index);
	if (bytes < f->checkpointed_bytes) f->checkpointed_bytes = 0; /* it began anew */
	if (f->checkpointing || !f->index_path ||
		bytes - f->checkpointed_bytes < WAL_CHECKPOINT_BYTES)
		return;
	f->checkpointing = true;
	f->checkpointed_bytes = bytes;
	f->checkpoint_path = f->index_path;
	f->checkpoint_job.work = checkpoint_work;
	f->checkpoint_job.done = checkpoint_done;
	job_start(f->loop, &f->checkpoint_job);
}

/* No transaction is open: what a job left of a long log is little, and copied at once. */
void log_committed(struct folder *f) {
	struct err err;
	if (!f->log_to_end || f->checkpointing) return;
	f->log_to_end = false;
	if (index_checkpoint_rest(f->index, &err))
		log_warn("folder '%s': cannot checkpoint its index: %s", f->name, err.text);
}
