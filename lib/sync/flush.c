/*
 * The stop of a folder: what was written before it goes out, then SYNC. Others may go on writing for ever; what they do after the stop
 * was asked for has its marks in the index, and is seen to at the next start.
 */
#include "sync/internal.h"

enum { COUNT_EVERY_MS = 500 };

void flush_begin(struct folder *f) {
	struct err err;
	f->flush = (struct flush){ 0 };
	if (watch_is_degraded(f->watch)) scan_request(f, "");
	if (index_hurry(f->index, INT64_MAX, folder_clock_ms(f), &err)) {
		folder_index_failed(f, &err);
		return;
	}
	folder_phase_set(f, PHASE_FLUSHING);
}

/* Up to which mark? What a scan that was under way finds was written before. */
static bool bounds(struct folder *f) {
	struct err err;
	if (f->flush.bounded) return true;
	if (!scan_is_idle(f)) return false;
	/* What happened in a folder while it was being watched is told after its listing, and asks for another. */
	watch_drain(f->watch);
	if (f->phase != PHASE_FLUSHING || !scan_is_idle(f)) return false;
	f->flush.upto = index_sequence(f->index);
	f->flush.bounded = true;
	if (index_hurry(f->index, f->flush.upto, folder_clock_ms(f), &err)) {
		folder_index_failed(f, &err);
		return false;
	}
	folder_wake(f);
	return true;
}

/* What follows from the marks of the stop has later numbers, and so has what follows from that. */
static int64_t waited_for(const struct flush *flush) {
	return flush->upto > flush->owed ? flush->upto : flush->owed;
}

/* Is everything out that can go out? Refused paths and those with a later retry do not hold a stop. */
static bool all_out(struct folder *f) {
	struct flush *flush = &f->flush;
	int64_t upto = waited_for(flush);
	int64_t count = 0, refused = 0, now = folder_clock_ms(f);
	struct err err;
	if (index_oldest(f->index) > upto) return true;
	/* Counting costs what is counted. */
	if (f->in_flight && now - flush->counted_ms < COUNT_EVERY_MS) return false;
	flush->counted_ms = now;
	if (index_pending(f->index, upto, &count, &refused, &err)) return true;
	if (f->brake.stopped) refused += brake_pending(f, upto);
	return count <= refused;
}

/* Nothing more is begun: what is at work comes to its end. */
bool flush_ends(const struct folder *f) {
	return f->phase == PHASE_FLUSHING && f->flush.all_out;
}

/* Does a stop wait for the path of `t`? */
bool flush_waits_for(const struct transfer *t) {
	const struct folder *f = t->folder;
	return f->phase == PHASE_FLUSHING && f->flush.bounded &&
	       t->row.since <= waited_for(&f->flush);
}

/* What was just marked follows from the path of `t`. */
void flush_owe(const struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (!flush_waits_for(t)) return;
	f->flush.owed = index_sequence(f->index);
	index_hurry(f->index, f->flush.owed, folder_clock_ms(f), &err);
}

/* Marks were lost that a scan will make again: what it finds counts as written before. */
void flush_rescan(struct folder *f) {
	f->flush.bounded = f->flush.all_out = false;
}

void flush_step(struct folder *f) {
	if (f->phase != PHASE_FLUSHING || f->syncing) return;
	/* Whoever stops us gives up when nothing moves for too long; a remote that only does not answer may be back before. */
	bool hopeless = f->trouble.kind != ERR_NONE && f->trouble.kind != ERR_OFFLINE &&
			f->trouble.kind != ERR_BUSY;
	if (f->held && !f->op_in_flight && hopeless && !f->in_flight) {
		log_warn("folder '%s': stopped with %lld paths not sent: %s", f->name,
			(long long)index_dirty_count(f->index), f->trouble.text);
	} else {
		f->flush.all_out = bounds(f) && all_out(f);
		if (f->phase != PHASE_FLUSHING || !f->flush.all_out || f->in_flight) return;
		if (f->unsynced && !f->held) {
			durable_start(f);
			return;
		}
	}
	folder_close(f, NULL, NULL);
}
