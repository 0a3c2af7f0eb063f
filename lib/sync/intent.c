/*
 * What may stand at the remote although the base does not say so: an operation made something
 * there, and its answer was lost with the connection or with us. Its intent stands in the path's
 * mark until the answer is written down (SYNC.md §2); as long as it does, the remote is asked before
 * the path is planned, and what is there by our own hand becomes the base. Else a file that is
 * deleted here meanwhile would stay there for good.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

/* Of a longer hash its beginning: it tells ours from any other. */
enum { INVALID_TRIES = 3, HASH_LEN = 16, MAKER_LEN = 16, INTENT_LEN = HASH_LEN + MAKER_LEN };

/* Of what made it: the inode and its birth time. */
static void maker(const struct disk_stat *stat, uint8_t bytes[MAKER_LEN]) {
	memcpy(bytes, &stat->ino, 8);
	memcpy(bytes + 8, &stat->btime_ns, 8);
}

/* Before t->op is submitted; `hash`: of what it makes, NULL for a folder. The inode that it is made
 * from is noted as well, with its birth time: it may have another name when the answer is known. False: the index
 * failed, the transfer is gone. */
bool intent_note(struct transfer *t, const uint8_t *hash) {
	uint8_t bytes[INTENT_LEN] = { 0 };
	struct err err;
	if (hash) {
		memcpy(bytes, hash, HASH_LEN);
		maker(&t->stat, bytes + HASH_LEN);
	}
	if (!index_sending(t->folder->index, t->path, (int)t->op.kind, bytes,
		    hash ? sizeof(bytes) : 0, &err))
		return true;
	folder_index_failed(t->folder, &err);
	return false;
}

/* The path of an operation, not yet answered, that made something of the file at t->path, elsewhere: by an
 * earlier name of it. The caller's; NULL: none. */
char *intent_elsewhere(const struct transfer *t) {
	uint8_t made_of[MAKER_LEN];
	char **paths = NULL, *found = NULL;
	struct err err;
	maker(&t->stat, made_of);
	/* An index that fails is met again right after. */
	if (index_find_sending(t->folder->index, made_of, MAKER_LEN, 2, &paths, &err)) return NULL;
	for (char **path = paths; path && *path && !found; path++)
		if (!str_equal(*path, t->path)) found = xstrdup(*path);
	strv_free(paths);
	return found;
}

/* ---- ids: where the store gives one before a thing is made, it is in the index by then ---- */

enum { MAKING_OLD_MS = 86400000 }; /* no list lags behind for so long */

static void made_go_on(struct submit *submit) {
	store_go_on(&container_of(submit, struct transfer, submit)->op);
}

static void folder_go_on(struct submit *submit) {
	store_go_on(&container_of(submit, struct folder, op_submit)->op);
}

void intent_making_note(struct folder *f, const char *path, const char *place, const char *id,
	struct submit *submit) {
	struct err err;
	if (index_making_put(f->index, path, place, id, loop_wall_ns(f->loop), &err)) {
		folder_index_failed(f, &err);
		return;
	}
	f->intents = true;
	if (MUTANT(id_is_not_committed))
		submit->start(submit);
	else
		submit_add(f, submit);
}

void intent_making(struct store_op *op, const char *place, bool implied, const char *id) {
	struct transfer *t = container_of(op, struct transfer, op);
	t->submit.start = made_go_on;
	/* No row of ours says that an implied folder is there. */
	intent_making_note(t->folder, implied ? "" : t->path, place, id, &t->submit);
}

void intent_folder_making(struct store_op *op, const char *place, bool implied, const char *id) {
	struct folder *f = container_of(op, struct folder, op);
	(void)implied;
	f->op_submit.start = folder_go_on;
	intent_making_note(f, "", place, id, &f->op_submit);
}

int intent_remember(struct folder *f, struct err *err) {
	struct index_making *rows = NULL;
	size_t count = 0;
	int64_t old_ns = loop_wall_ns(f->loop) - MAKING_OLD_MS * NS_PER_MS;
	if (index_making_list(f->index, old_ns, &rows, &count, err)) return -1;
	if (index_commit(f->index, false, err)) {
		index_making_free(rows, count);
		return -1;
	}
	for (size_t i = 0; i < count; i++) store_remember(f->store, rows[i].place, rows[i].id);
	index_making_free(rows, count);
	return 0;
}

/* ---- */

static bool is_ours(const struct transfer *t, const struct store_entry *remote) {
	const struct index_dirty *row = &t->row;
	return remote->kind != STORE_FOLDER && row->sending_hash_len >= HASH_LEN &&
	       store_hash_tells(t->folder->store, &remote->hash) &&
	       memcmp(remote->hash.bytes, row->sending_hash, HASH_LEN) == 0;
}

/* Only what the remote has is known; that the local side was read is not said. */
static bool ours_put(struct transfer *t, const struct store_entry *remote, bool folder) {
	struct folder *f = t->folder;
	struct err err;
	struct index_entry entry = { .kind = folder                       ? INDEX_FOLDER
					     : remote->kind == STORE_LINK ? INDEX_LINK
									  : INDEX_FILE,
		.epoch = f->epoch,
		.size = remote->size,
		.mtime_ns = remote->mtime_ns,
		.mode = remote->mode,
		.version = xstrdup(remote->version),
		.id = xstrdup(remote->id) };
	if (folder) {
		if (remote->marker) entry.flags = INDEX_MARKER;
		entry.size = 0;
	} else {
		hash_put(f->store, &entry, remote->hash.bytes);
		/* Older versions noted no more. */
		if (t->row.sending_hash_len == INTENT_LEN) {
			memcpy(&entry.ino, t->row.sending_hash + HASH_LEN, 8);
			memcpy(&entry.btime_ns, t->row.sending_hash + HASH_LEN + 8, 8);
			entry.flags = INDEX_RACY; /* by its bytes alone */
		}
		char *kept = index_version_pending(f->index, t->path, &err);
		entry.born_ns = act_keep_born(f, kept);
		free(kept);
	}
	/* It took the place of what was kept by the same operation. */
	bool ok = folder || !index_version_settle(f->index, t->path, true, &err);
	if (!ok) folder_index_failed(f, &err);
	ok = ok && base_put(t, folder, &entry);
	index_entry_release(&entry);
	return ok;
}

static void ours_found(struct transfer *t, const struct store_entry *remote) {
	folder_wrote(t->folder);
	if (ours_put(t, remote, remote->kind == STORE_FOLDER)) transfer_plan(t);
}

static void ours_listed(struct transfer *t) {
	ours_found(t, &t->theirs);
}

static void intent_asked(struct transfer *t, const struct err *err) {
	const struct store_entry *remote = &t->op.entry;
	bool folder = t->op.kind == STORE_FOLDER;
	/* A server out of order calls a good name invalid too: only when it keeps to that is nothing there. */
	bool invalid = err && err->kind == ERR_INVALID && t->row.tries >= INVALID_TRIES;
	bool absent = invalid || (err && err->kind == ERR_NOT_FOUND);
	if (err && !absent) {
		transfer_fail(t, err);
		return;
	}
	/* A STAT answers with what stands there, whatever kind was asked for. */
	bool ours = !absent && (folder ? remote->kind == STORE_FOLDER : is_ours(t, remote));
	if (!ours)
		transfer_plan(t);
	else if (!clash_ask(t, ours_listed, transfer_plan))
		ours_found(t, remote);
}

/* Before a path is planned. True: the remote is being asked. */
bool intent_ask(struct transfer *t) {
	enum store_kind kind = (enum store_kind)t->row.sending_kind;
	if (!t->row.sending || t->intent_known || MUTANT(intents_are_forgotten)) return false;
	t->intent_known = true;
	act_op_init(t, STORE_STAT, kind);
	t->op.want_hash = true;
	transfer_submit(t, false, intent_asked);
	return true;
}
