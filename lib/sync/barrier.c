/*
 * The barrier (SYNC.md §4): durable means that every mark up to a number was served by a capture that began after it, and that the store
 * has put it on its disk.
 */
#include <stdlib.h>

#include "sync/internal.h"
#include "sync/mutant.h"

enum wait_state { WAIT_SCAN, WAIT_MARKS, WAIT_SYNC, WAIT_SYNCING, WAIT_ENDED };

int64_t folder_mark(struct folder *f) {
	if (f->watch && f->phase >= PHASE_EMPTY) watch_drain(f->watch);
	return f->index ? index_sequence(f->index) : 0;
}

static void wait_finish(struct defer *defer) {
	struct folder_wait *wait = container_of(defer, struct folder_wait, finish);
	list_remove(&wait->link);
	wait->done(wait, wait->err.kind == ERR_NONE ? NULL : &wait->err);
}

static void wait_end(struct folder_wait *wait, const struct err *err) {
	if (wait->state == WAIT_ENDED) return;
	wait->state = WAIT_ENDED;
	err_clear(&wait->err);
	if (err) wait->err = *err;
	list_remove(&wait->link);
	defer_start(wait->folder->loop, &wait->finish);
}

void folder_wait_start(struct folder *f, struct folder_wait *wait, int64_t upto) {
	struct err err;
	wait->folder = f;
	/* A scan that was running at the mark may have ended since: what it found has later numbers, and was written before. */
	wait->upto = upto;
	if (f->index && index_sequence(f->index) > upto) wait->upto = index_sequence(f->index);
	wait->owed = wait->polled = 0;
	wait->reasons = NULL;
	wait->needs_person = false;
	wait->state = WAIT_SCAN;
	wait->started = f->started;
	list_init(&wait->link);
	list_add_tail(&f->waits, &wait->link);
	defer_init(&wait->finish, wait_finish);
	/* Not all is watched: what was not seen has no number yet. The scan gives it one. */
	wait->scanned = !scan_is_idle(f) || f->phase < PHASE_RUNNING;
	if (f->watch && watch_is_degraded(f->watch)) {
		scan_request(f, "");
		wait->scanned = true;
	}
	if (index_hurry(f->index, wait->upto, folder_clock_ms(f), &err)) {
		folder_index_failed(f, &err);
		wait_end(wait, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	folder_wake(f);
}

/* Did this attempt begin before somebody asked for what it serves? Then its failure says nothing to
 * them: the path is taken anew. */
bool barrier_wants_anew(const struct transfer *t) {
	list_each(&t->folder->waits, link) {
		const struct folder_wait *wait = list_entry(link, struct folder_wait, link);
		if (t->row.since <= wait->upto && t->number <= wait->started) return true;
	}
	return false;
}

/* Up to which mark: what follows from those of the call has later numbers, and so has what follows from that. */
static int64_t waited_for(const struct folder_wait *wait) {
	return wait->upto > wait->owed ? wait->upto : wait->owed;
}

/* What was just marked follows from the path of `t`: whoever waits for that one waits for it too. */
void barrier_owe(const struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	bool any = false;
	flush_owe(t);
	list_each(&f->waits, link) {
		struct folder_wait *wait = list_entry(link, struct folder_wait, link);
		if (t->row.since > waited_for(wait)) continue;
		wait->owed = index_sequence(f->index);
		any = true;
	}
	if (any) index_hurry(f->index, index_sequence(f->index), folder_clock_ms(f), &err);
}

/* The path of `t` goes after all that has a mark up to `upto`: where somebody waits for it, what never rests is not waited for. */
void barrier_hurry(const struct transfer *t, int64_t upto) {
	struct folder *f = t->folder;
	struct err err;
	bool any = flush_waits_for(t);
	list_each(&f->waits, link) {
		const struct folder_wait *wait = list_entry(link, struct folder_wait, link);
		any |= t->row.since <= waited_for(wait);
	}
	if (any && !index_hurry(f->index, upto, folder_clock_ms(f), &err)) folder_wake(f);
}

/* Marks were lost that a scan will make again: what it finds counts as written before. */
void barrier_rescan(struct folder *f) {
	flush_rescan(f);
	list_each(&f->waits, link) {
		struct folder_wait *wait = list_entry(link, struct folder_wait, link);
		if (wait->state == WAIT_ENDED) continue;
		wait->state = WAIT_SCAN;
		wait->scanned = true;
	}
}

void folder_wait_cancel(struct folder_wait *wait) {
	struct err err;
	err_set(&err, ERR_CANCELLED, "no longer waited for");
	wait_end(wait, &err);
}

void folder_wait_release(struct folder_wait *wait) {
	strv_free(wait->reasons);
	wait->reasons = NULL;
}

/* Paths that no retry in sight will store: exit 1 at once, with the list. */
static bool wait_refused(struct folder *f, struct folder_wait *wait, int64_t upto) {
	int64_t count = 0, refused = 0;
	struct err err;
	struct index_dirty *rows = NULL;
	size_t rows_count = 0;
	/* Counting costs what is counted: only when nothing is under way any more. */
	if (f->in_flight || index_trouble_count(f->index, &refused, &err) || !refused) return false;
	/* What was hurried is tried first: a person may have mended what was wrong with it. */
	if (!scan_is_idle(f) || index_next_due(f->index) <= folder_clock_ms(f)) return false;
	if (index_pending(f->index, upto, &count, &refused, &err)) return false;
	if (count > refused) return false;
	if (index_troubles(f->index, REASONS_MAX, &rows, &rows_count, &err)) return false;
	for (size_t i = 0; i < rows_count; i++) {
		if (rows[i].since <= upto)
			strv_add_owned(
				&wait->reasons, xasprintf("%s: %s", rows[i].path,
							rows[i].reason ? rows[i].reason : "waits"));
		index_dirty_release(&rows[i]);
	}
	free(rows);
	err_set(&err, ERR_INVALID, "%lld paths of folder '%s' are not stored", (long long)refused,
		f->name);
	wait_end(wait, &err);
	return true;
}

/* The folder as a whole does not go on: is there a retry in sight? */
static bool wait_hopeless(struct folder *f, struct folder_wait *wait) {
	struct err err;
	if (f->brake.stopped) {
		wait->needs_person = true;
		wait_end(wait, &f->brake.trouble);
		return true;
	}
	if (f->paused) {
		err_set(&err, ERR_INVALID, "folder '%s' is paused: tend resume %s", f->name,
			f->name);
	} else if (f->trouble.kind == ERR_NONE || f->trouble.kind == ERR_BUSY ||
		   f->trouble.kind == ERR_OFFLINE) {
		if (!f->needs_person) return false;
		err = f->trouble;
	} else if (f->held || f->needs_person) {
		err = f->trouble;
	} else {
		return false;
	}
	wait->needs_person = f->needs_person;
	wait_end(wait, &err);
	return true;
}

static void wait_step(struct folder *f, struct folder_wait *wait) {
	if (wait->state == WAIT_ENDED || wait_hopeless(f, wait)) return;
	if (f->phase < PHASE_RUNNING) return;
	if (wait->state == WAIT_SCAN) {
		if (!wait->polled && folder_brings(f)) {
			wait->polled = polling_request(f);
			wait->scanned = true; /* what it finds counts too */
		}
		if (wait->polled && !polling_passed(f, wait->polled) &&
			!MUTANT(barrier_before_the_poll))
			return;
		if (!scan_is_idle(f) && !MUTANT(barrier_before_the_scan)) return;
		/* What happened in a folder while it was being watched is told after its listing,
		 * and asks for another. */
		if (f->watch) watch_drain(f->watch);
		if (f->phase < PHASE_RUNNING) return;
		if (!scan_is_idle(f) && !MUTANT(barrier_before_the_scan)) return;
		/* What the scan found counts as written before the call. */
		if (wait->scanned) wait->upto = index_sequence(f->index);
		wait->state = WAIT_MARKS;
		struct err err;
		index_hurry(f->index, wait->upto, folder_clock_ms(f), &err);
		folder_wake(f);
	}
	if (wait->state == WAIT_MARKS) {
		int64_t upto = waited_for(wait);
		if (index_oldest(f->index) <= upto && !MUTANT(barrier_waits_for_nothing)) {
			wait_refused(f, wait, upto);
			return;
		}
		wait->state = WAIT_SYNC;
	}
	if (wait->state == WAIT_SYNC) {
		if (!f->unsynced && !f->syncing) {
			wait_end(wait, NULL);
			return;
		}
		if (f->syncing || f->op_in_flight)
			return; /* that one may have begun before: another follows */
		wait->state = WAIT_SYNCING;
		durable_start(f);
	}
}

void barrier_step(struct folder *f) {
	list_each(&f->waits, link) wait_step(f, list_entry(link, struct folder_wait, link));
}

/* A SYNC ended well: those who waited for the one they saw begin are through. */
void barrier_synced(struct folder *f) {
	list_each(&f->waits, link) {
		struct folder_wait *wait = list_entry(link, struct folder_wait, link);
		if (wait->state == WAIT_SYNCING) wait_end(wait, NULL);
	}
}

void barrier_end_all(struct folder *f, const struct err *err) {
	list_each(&f->waits, link) wait_end(list_entry(link, struct folder_wait, link), err);
}
