/*
 * The last moments of a machine: what is small and new first, since one large file could take all the time there is. A row of the queue
 * does not know a size; so a path is looked at when its turn comes, and where it is large it has another turn, after all smaller ones.
 */
#include "sync/internal.h"

enum {
	STEPS = 5, /* classes behind PRIO_SMALL: up to 8 MiB, 64 MiB, 512 MiB, 4 GiB, and more */
	STEP_SHIFT = 3,
	OTHERS_MS = 250, /* until it is looked again whether another folder has smaller files */
};

static int size_class(int64_t bytes) {
	int64_t most = PRIO_LARGE_BYTES;
	int rank = PRIO_SMALL;
	while (bytes > most && rank < PRIO_SMALL + STEPS) {
		most <<= STEP_SHIFT;
		rank++;
	}
	return rank;
}

static bool runs(const struct folder *f) {
	return f->phase == PHASE_RUNNING || f->phase == PHASE_FLUSHING;
}

/* Does what is due in it go out? */
static bool goes(const struct folder *f) {
	return f->urgent && runs(f) && !f->held && !f->paused;
}

static bool others_have_smaller(const struct folder *f, int rank) {
	struct err err;
	list_each(&f->sync->folders, link) {
		const struct folder *other = list_entry(link, struct folder, link);
		if (other == f || !goes(other)) continue;
		if (index_due_before(other->index, rank, folder_clock_ms(f), &err) == 1)
			return true;
	}
	return false;
}

bool urgent_gives_way(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (!f->urgent || t->absent || t->look_err.kind != ERR_NONE) return false;
	if (t->stat.kind != DISK_FILE || t->journal_name) return false;
	int rank = size_class(t->stat.size);
	if (rank == PRIO_SMALL) return false;
	if (t->row.prio >= rank) {
		if (!others_have_smaller(f, rank)) return false;
		transfer_again(t, INDEX_WHY_CHANGE, NULL, OTHERS_MS);
		return true;
	}
	turn_end_want(&f->turn_end);
	if (index_lower(f->index, t->path, rank, &err))
		folder_index_failed(f, &err);
	else
		transfer_forget(t);
	return true;
}

/* A large file on its way would hold the line, which all folders share: what was sent of it stays, and it comes again in its turn. */
static void yield_large(struct sync *sync) {
	int64_t large = 0, dirty = 0;
	list_each(&sync->folders, link) {
		struct folder *f = list_entry(link, struct folder, link);
		if (!goes(f)) continue;
		dirty += index_dirty_count(f->index);
		list_each(&f->transfers, at)
			large += list_entry(at, struct transfer, link)->state == TRANSFER_PARTS;
	}
	if (!large || dirty <= large) return;
	list_each(&sync->folders, link) {
		struct folder *f = list_entry(link, struct folder, link);
		if (!goes(f)) continue;
		list_each(&f->transfers, at) upload_yield(list_entry(at, struct transfer, link));
	}
}

void folder_urge(struct folder *f, bool urgent) {
	struct err err;
	bool began = urgent && !f->urgent;
	f->urgent = urgent;
	if (!urgent || !runs(f)) return;
	pace_release(f);
	watch_drain(f->watch);
	if (!runs(f)) return; /* the drain found the root gone */
	if (watch_is_degraded(f->watch)) scan_request(f, "");
	if (index_hurry(f->index, INT64_MAX, folder_clock_ms(f), &err)) {
		folder_index_failed(f, &err);
		return;
	}
	if (began && f->held) timer_start(&f->hold_timer, 0);
	yield_large(f->sync);
	if (!runs(f)) return;
	turn_end_want(&f->turn_end);
	folder_wake(f);
}
