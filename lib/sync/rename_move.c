/* A transfer that found what it was before (rename.c): the move or copy at the store, and what the rows say after each answer. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

/* ---- files ---- */

/* It is no rename after all, or cannot be one: what is there is sent. */
static void send_instead(struct transfer *t) {
	rename_release(t);
	t->pair = PAIR_NO;
	if (t->stat.kind == DISK_FILE && !t->body.len && t->stat.size && !t->captured)
		t->have_hash = false; /* its bytes were not read */
	transfer_plan(t);
}

static bool row_drop(struct transfer *t, const char *path, bool folder) {
	struct err err;
	if (!index_drop(t->folder->index, path, folder, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

/* Is what stands under the new name what stood under the old one? A try before may have moved it, and somebody else may have been there. */
static bool is_expected(const struct transfer *t) {
	const struct store_entry *there = &t->op.entry;
	const struct index_entry *base = &t->origin_entry;
	if (store_hash_tells(t->folder->store, &there->hash))
		return hash_same(t->folder->store, base, there->hash.bytes);
	return there->size == base->size &&
	       (there->mtime_ns == STORE_MTIME_UNKNOWN ||
		       store_time_same(t->folder->store, there->mtime_ns, base->mtime_ns));
}

static bool recorded(struct transfer *t) {
	struct folder *f = t->folder;
	struct index_entry entry = { .kind = INDEX_FILE };
	base_entry_local(t, &entry);
	entry.born_ns = t->origin_entry.born_ns;
	if (t->origin_entry.epoch == EPOCH_ASK) entry.epoch = EPOCH_ASK;
	/* The remote's attributes travelled with it: what differs is set after. */
	entry.mode = t->origin_entry.mode;
	entry.mtime_ns = t->origin_entry.mtime_ns;
	entry.version = xstrdup(t->op.entry.version);
	entry.id = xstrdup(t->op.entry.id);
	delta_note(t, &entry, &t->origin_entry);
	bool ok = base_put(t, false, &entry);
	index_entry_release(&entry);
	f->moved += ok;
	return ok;
}

static void file_moved(struct transfer *t, const struct err *err) {
	if (err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID)) {
		/* Not there: by another hand, or it cannot be done: the row's own look says which. */
		folder_mark_path(t->folder, t->origin, PRIO_SMALL, 0);
		send_instead(t);
		return;
	}
	if (err && err->kind == ERR_CHANGED) {
		send_instead(t);
		return;
	}
	if (err) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	bool expected = is_expected(t), gone = t->pair == PAIR_MOVE;
	if (gone && (!row_drop(t, t->origin, false) || !brake_moved(t->folder, t->origin, false)))
		return;
	if (expected && !recorded(t)) return;
	if (gone) act_emptied(t, t->origin);
	if (!expected) {
		send_instead(t);
		return;
	}
	bool same = (t->origin_entry.mode & 0777) == (t->stat.mode & 0777) &&
		    t->origin_entry.mtime_ns == t->mtime_ns && t->origin_entry.epoch != EPOCH_ASK;
	rename_release(t);
	t->pair = PAIR_NO;
	if (same)
		transfer_finish(t);
	else
		transfer_plan(t);
}

static void origin_op_init(struct transfer *t, enum store_verb verb, enum store_kind kind) {
	act_op_init(t, verb, kind);
	free(t->origin_parent_id);
	t->origin_parent_id = base_parent_id(t->folder, t->origin);
	t->op.to_parent_id = t->op.parent_id;
	t->op.key = t->origin_key;
	t->op.parent_id = t->origin_parent_id;
	t->op.id = t->origin_entry.id;
}

static void file_move_go(struct transfer *t) {
	origin_op_init(t, t->pair == PAIR_COPY ? STORE_COPY : STORE_MOVE, STORE_FILE);
	t->op.to_key = t->key;
	t->op.if_absent = true;
	t->op.if_version = t->origin_entry.version; /* what somebody else put there stays there */
	t->op.size = t->op.copied_size = t->origin_entry.size;
	if (t->pair == PAIR_MOVE && !base_doubt(t->folder, t->origin, &t->origin_entry)) return;
	if (intent_note(t, t->hash)) transfer_submit(t, false, file_moved);
}

static void origin_stands(struct transfer *t, const struct err *err) {
	bool absent = err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID);
	if (err && !absent)
		transfer_fail(t, err);
	else if (absent || !is_expected(t))
		send_instead(t);
	else
		file_move_go(t);
}

/* The answer to what was last done at the old name is not known: something else may stand there by our own hand, and would be moved. */
static void file_move(struct transfer *t) {
	struct index_dirty row;
	struct err err;
	if (clash_may_be(t->folder, t->origin, t->path)) {
		send_instead(t);
		return;
	}
	int dirty = index_dirty_get(t->folder->index, t->origin, &row, &err);
	if (dirty < 0) {
		folder_index_failed(t->folder, &err);
		return;
	}
	bool doubted = dirty && row.sending;
	index_dirty_release(&row);
	if (!doubted) {
		file_move_go(t);
		return;
	}
	origin_op_init(t, STORE_STAT, STORE_FILE);
	t->op.want_hash = true;
	transfer_submit(t, false, origin_stands);
}

/* What the rename overwrites is kept as a version, like any other that goes. */
static void overwritten(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_CHANGED) {
		send_instead(t); /* somebody else's: it is looked at before ours goes in */
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	if (!act_keep_settle(t, t->op.kept) || !base_drop(t, false)) return;
	free(t->keep_key);
	t->keep_key = NULL;
	t->has_file = false;
	index_entry_release(&t->file);
	file_move(t);
}

/* ---- folders ---- */

/* The rows follow when the move itself is on the disk of the store: they are of epochs that a SYNC sealed, and nobody asks for them again. */
static void folder_sealed(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	struct err failed;
	if (err) {
		folder_open_anew(f, err);
		return;
	}
	int moved = moving_settle(f, t->origin, t->path, t->origin_version, &failed);
	if (moved < 0) {
		folder_index_failed(f, &failed);
		return;
	}
	if (moved == 0) { /* something became known there meanwhile: each file finds its own way */
		send_instead(t);
		return;
	}
	barrier_rescan(f);
	rename_release(t);
	t->pair = PAIR_NO;
	transfer_plan(t);
}

static void folder_moved(struct transfer *t, const struct err *err) {
	bool never = err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID ||
				    err->kind == ERR_CHANGED);
	struct err failed;
	if (never && index_moving_drop(t->folder->index, t->path, &failed)) {
		folder_index_failed(t->folder, &failed);
		return;
	}
	if (never) {
		send_instead(t);
		return;
	}
	if (err) { /* who knows whether it moved? That is asked before anything else is done */
		folder_open_anew(t->folder, err);
		return;
	}
	folder_wrote(t->folder);
	free(t->origin_version);
	t->origin_version = xstrdup(t->op.entry.version);
	act_op_init(t, STORE_SYNC, STORE_FOLDER);
	transfer_submit(t, false, folder_sealed);
}

/* The operation of a transfer that found its origin. True: it is on its way. */
bool rename_start(struct transfer *t) {
	struct err err;
	if (t->pair == PAIR_NO || !t->origin) return false;
	if (t->stat.kind != DISK_FOLDER) {
		if (t->has_file)
			act_remove_start(t, overwritten);
		else
			file_move(t);
		return true;
	}
	origin_op_init(t, STORE_MOVE, STORE_FOLDER);
	t->op.to_key = t->key;
	t->op.if_absent = true;
	if (index_moving_put(t->folder->index, t->path, t->origin, &err))
		folder_index_failed(t->folder, &err);
	else
		transfer_submit(t, true, folder_moved);
	return true;
}
