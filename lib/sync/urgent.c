/*
 * The last moments of a machine: what is small and new first, since one large file could take all the time there is. A row of the queue
 * does not know a size; so a path is looked at when its turn comes, and where it is large it has another turn, after all smaller ones.
 */
#include "sync/internal.h"

enum {
	STEPS = 5,
	STEP_SHIFT = 3
}; /* classes behind PRIO_SMALL: up to 8 MiB, 64 MiB, 512 MiB, 4 GiB, and more */

static int class_of(int64_t bytes) {
	int64_t most = PRIO_LARGE_BYTES;
	int class = PRIO_SMALL;
	while (bytes > most && class < PRIO_SMALL + STEPS) {
		most <<= STEP_SHIFT;
		class ++;
	}
	return class;
}

bool urgent_gives_way(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (!f->urgent || t->absent || t->look_err.kind != ERR_NONE) return false;
	if (t->stat.kind != DISK_FILE || t->journal_name) return false;
	int class = class_of(t->stat.size);
	if (t->row.prio >= class) return false;
	turn_end_want(&f->turn_end);
	if (index_lower(f->index, t->path, class, &err))
		folder_index_failed(f, &err);
	else
		transfer_forget(t);
	return true;
}

/* A large file on its way would hold the line: what was sent of it stays, and it comes again in its turn. */
static void yield_large(struct folder *f) {
	int64_t large = 0;
	list_each(&f->transfers, link)
		large += list_entry(link, struct transfer, link)->state == TRANSFER_PARTS;
	if (!large || index_dirty_count(f->index) <= large) return;
	list_each(&f->transfers, link) upload_yield(list_entry(link, struct transfer, link));
}

static bool runs(const struct folder *f) {
	return f->phase == PHASE_RUNNING || f->phase == PHASE_FLUSHING;
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
	yield_large(f);
	if (!runs(f)) return;
	turn_end_want(&f->turn_end);
	folder_wake(f);
}
