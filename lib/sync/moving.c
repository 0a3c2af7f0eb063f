/*
 * Moves of whole folders whose answer is not known: by a kill, or a connection that broke. The rows of
 * what lies in such a folder say where it was, the remote may have it at its new name; and what stands
 * there without a row is nobody's and would stay for good once it is deleted here. So before anything
 * is planned the remote is asked where it stands, and the rows follow (SYNC.md §2).
 */
#include <stdlib.h>

#include "sync/internal.h"

void moving_release(struct folder *f) {
	struct moving *m = &f->moving;
	free(m->path);
	free(m->origin);
	free(m->key);
	free(m->origin_key);
	free(m->version);
	*m = (struct moving){ 0 };
}

/* What was agreed at and below `origin` is agreed at `path` from now on, which the remote has with this
 * version. 1, and both are looked at again; 0: something is known there already, all stays as it is;
 * -1. The intent goes in any case. */
int moving_settle(struct folder *f, const char *origin, const char *path, const char *version,
	struct err *err) {
	struct index_entry entry;
	if (index_moving_drop(f->index, path, err)) return -1;
	int found = index_get(f->index, origin, true, &entry, err);
	if (found <= 0) return found;
	int moved = index_move_folder(f->index, origin, path, folder_clock_ms(f), err);
	if (moved == 1) {
		free(entry.version);
		entry.version = xstrdup(version);
		if (entry.epoch != EPOCH_ASK) entry.epoch = f->epoch;
		if (index_drop(f->index, origin, true, err) ||
			index_put(f->index, path, &entry, err) || mounts_load(f, err))
			moved = -1;
	}
	index_entry_release(&entry);
	if (moved != 1) return moved;
	if (!brake_moved(f, origin, true)) return -1;
	polling_moved(f, origin, path);
	f->moved++;
	f->parents_lost++; /* what was loaded of rows below is of before */
	if (polling_commit(f, false, err)) return -1;
	log_debug("folder '%s': '%s' is '%s' now", f->name, origin, path);
	/* What else happened below it; and marks of a new folder under the old name went along with the rows. */
	folder_mark_path(f, path, PRIO_FOLDER, 0);
	scan_request(f, path);
	folder_mark_path(f, origin, PRIO_FOLDER, 0);
	scan_request(f, origin);
	return 1;
}

/* It did not move, or the index fails: one word for both, since that failure opens the folder anew. */
static void not_moved(struct folder *f) {
	struct err err;
	if (index_moving_drop(f->index, f->moving.path, &err)) folder_index_failed(f, &err);
	turn_end_want(&f->turn_end);
	folder_wake(f);
}

static void synced(struct folder *f, const struct err *err) {
	struct moving *m = &f->moving;
	struct err failed;
	if (err) {
		folder_hold(f, err);
		return;
	}
	if (f->trouble.kind != ERR_NONE) folder_trouble_clear(f);
	if (moving_settle(f, m->origin, m->path, m->version, &failed) < 0)
		folder_index_failed(f, &failed);
	turn_end_want(&f->turn_end);
	folder_wake(f);
}

static void origin_asked(struct folder *f, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
	} else if (!err) {
		not_moved(f);
	} else {
		folder_op_start(f, STORE_SYNC, f->remote_key, synced);
		folder_op_go(f);
	}
}

static void target_asked(struct folder *f, const struct err *err) {
	struct moving *m = &f->moving;
	if (err && err->kind != ERR_NOT_FOUND && err->kind != ERR_INVALID) {
		folder_hold(f, err);
		return;
	}
	if (err) {
		not_moved(f);
		return;
	}
	free(m->version);
	m->version = xstrdup(f->op.entry.version);
	folder_op_start(f, STORE_STAT, m->origin_key, origin_asked);
	f->op.kind = STORE_FOLDER;
	folder_op_go(f);
}

bool moving_step(struct folder *f) {
	struct moving *m = &f->moving;
	struct err err;
	moving_release(f);
	int found = index_moving_next(f->index, &m->path, &m->origin, &err);
	if (found < 0) folder_index_failed(f, &err);
	if (found <= 0) return found < 0;
	m->key = folder_key(f, m->path);
	m->origin_key = folder_key(f, m->origin);
	folder_op_start(f, STORE_STAT, m->key, target_asked);
	f->op.kind = STORE_FOLDER;
	folder_op_go(f);
	return true;
}
