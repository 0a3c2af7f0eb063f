/* SYNC.md §3: what the store answered is on its disk after a SYNC; rows that no SYNC sealed are asked for again at the next start. */
#include <stdio.h>
#include <stdlib.h>

#include "sync/internal.h"

enum { UNSEALED_CHUNK = 500 };

static void sync_done(struct folder *f, const struct err *err) {
	struct err failed;
	char text[32];
	f->syncing = false;
	if (err) {
		f->unsynced = true;
		timer_start(&f->sync_timer, SYNC_QUIET_MS);
		folder_hold(f, err);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)f->sync_epoch);
	if (index_meta_set(f->index, "sealed", text, &failed)) {
		folder_index_failed(f, &failed);
		return;
	}
	f->intents = true;
	turn_end_want(&f->turn_end);
	barrier_synced(f);
	folder_wake(f);
}

void durable_start(struct folder *f) {
	if (f->syncing || f->op_in_flight) return; /* its end wakes the folder, which asks again */
	timer_cancel(&f->sync_timer);
	f->syncing = true;
	f->unsynced = false;
	f->sync_epoch = f->epoch++;
	folder_op_start(f, STORE_SYNC, f->remote_key, sync_done);
	folder_op_go(f);
}

void durable_quiet(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, sync_timer);
	if (f->phase != PHASE_RUNNING || !f->unsynced) return;
	if (f->op_in_flight || f->held) {
		timer_start(timer, SYNC_QUIET_MS);
		return;
	}
	durable_start(f);
}

/* At start, before anything is written: rows of epochs without a seal are marked, and asked for before they are believed. Those that a
 * pull agreed on just now came from there. */
void durable_unsealed(struct folder *f) {
	struct err err;
	char **paths = NULL;
	int64_t sealed = index_meta_int(f->index, "sealed", 0);
	bool asks = !f->pull.agrees;
	if (asks && index_unsealed(
			    f->index, sealed, UNSEALED_CHUNK, &f->unsealed_cursor, &paths, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	for (size_t i = 0; paths && paths[i]; i++) {
		for (int folder = 0; folder < 2; folder++) {
			struct index_entry entry;
			if (index_get(f->index, paths[i], folder, &entry, &err) != 1) continue;
			if (entry.epoch > sealed && entry.epoch != EPOCH_ASK) {
				entry.epoch = EPOCH_ASK;
				index_put(f->index, paths[i], &entry, &err);
			}
			index_entry_release(&entry);
		}
		folder_mark_path(f, paths[i], PRIO_SMALL, 0);
		if (f->phase != PHASE_SEALING) break;
	}
	bool more = paths != NULL;
	strv_free(paths);
	if (f->phase != PHASE_SEALING) return;
	if (more) {
		folder_wake(f);
		return;
	}
	free(f->unsealed_cursor);
	f->unsealed_cursor = NULL;
	f->epoch = sealed + 1;
	f->pull.agrees = false;
	timer_cancel(&f->attempt_timer);
	if (f->settings.rescan_ms > 0) timer_start(&f->rescan_timer, f->settings.rescan_ms);
	folder_phase_set(f, PHASE_RUNNING);
	folder_hold_again(f);
}
