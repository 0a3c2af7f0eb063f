/*
 * The index's write-ahead log. The checkpoint, not the commit, would stall the loop: a job does it
 * (SYNC.md §10), each time the log has grown by `log_bytes`. The log begins anew only where one
 * ends with nothing left to copy; while a tree is being sent a commit always comes between, and the
 * log would grow without an end: when it is long, what the job left is copied here, between two
 * transactions. What writes is quicker than the job: when the log is very long, nothing is begun
 * before it ends. (Measured, 10,000 files from memory to memory: 284 checkpoints, a tenth of all
 * instructions, when each turn asked for one as long as the log was large. 1,000 files, a checkpoint
 * each 32 KiB: 1.1 to 4.1 MB of log when nothing was held, 0.39 MB so.)
 */
#include "sync/internal.h"

enum { LONG = 4, MOST = 8 }; /* times log_bytes */

static int checkpoint_work(struct job *job, struct err *err) {
	struct folder *f = container_of(job, struct folder, checkpoint_job);
	return index_checkpoint(f->checkpoint_path, err);
}

static void checkpoint_done(struct job *job, const struct err *err) {
	struct folder *f = container_of(job, struct folder, checkpoint_job);
	f->checkpointing = false;
	if (err) log_warn("folder '%s': cannot checkpoint its index: %s", f->name, err->text);
	f->log_to_end = !err && f->index && index_wal_bytes(f->index) >= LONG * f->sync->log_bytes;
	if (f->log_to_end) turn_end_want(&f->turn_end);
	folder_wake(f);
}

static void checkpoint_start(struct folder *f) {
	int64_t bytes = index_wal_bytes(f->index);
	if (bytes < f->checkpointed_bytes) f->checkpointed_bytes = 0; /* it began anew */
	if (f->checkpointing || !f->index_path || f->phase == PHASE_CLOSING ||
		bytes - f->checkpointed_bytes < f->sync->log_bytes)
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
	checkpoint_start(f);
	if (!f->log_to_end || f->checkpointing) return;
	f->log_to_end = false;
	if (index_checkpoint_rest(f->index, &err))
		log_warn("folder '%s': cannot checkpoint its index: %s", f->name, err.text);
}

bool log_holds(const struct folder *f) {
	return f->checkpointing && index_wal_bytes(f->index) >= MOST * f->sync->log_bytes;
}
