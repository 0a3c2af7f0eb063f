/*
 * Large files: pass 1 reads once for the whole hash and each part's, pass 2 sends part by part; a part that reads differently than in pass
 * 1 means "changed between": given up and settled anew (SYNC.md §11). The session is data in the index, so that a restart goes on where the
 * server says it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

bool upload_is_large(const struct transfer *t, int64_t size) {
	const struct store *store = t->folder->store;
	return size > STORE_SPAN_MAX || (store->part_from > 0 && size >= store->part_from);
}

static void parts_free(struct upload *u) {
	for (size_t i = 0; i < u->held; i++) free(u->parts[i].receipt);
	free(u->parts);
	u->parts = NULL;
	u->held = 0;
}

void upload_release(struct transfer *t) {
	struct upload *u = t->upload;
	if (!u) return;
	if (u->fd >= 0) disk_close_file(u->disk, u->fd);
	digest_release(&u->whole);
	digest_release(&u->part);
	upload_parts_release(u);
	parts_free(u);
	free(u->part_hashes);
	free(u->session);
	free(u);
	t->upload = NULL;
	t->upload_sending = false;
	capture_moved(t->folder->sync);
}

static void give_up_done(struct transfer *t, const struct err *err) {
	struct err why = t->upload->abort_err;
	struct err ignored;
	(void)err;
	if (index_session_drop(t->folder->index, t->path, &ignored)) {
		folder_index_failed(t->folder, &ignored);
		return;
	}
	transfer_fail(t, &why);
}

/* The server forgets what it holds; then the path settles anew. */
static void give_up(struct transfer *t, const struct err *why) {
	struct upload *u = t->upload;
	u->abort_err = *why;
	act_op_init(t, STORE_PART_ABORT, STORE_FILE);
	t->op.session = u->session;
	transfer_submit(t, false, give_up_done);
}

static void part_failed(struct transfer *t, const struct err *err) {
	switch (err->kind) {
	case ERR_OFFLINE:
	case ERR_BUSY:
	case ERR_SYSTEM:
	case ERR_FULL:
	case ERR_CANCELLED:
	case ERR_DENIED:
		transfer_fail(t, err);
		return; /* the session stays: it goes on from there */
	default: give_up(t, err); return;
	}
}

static void end_done(struct transfer *t, const struct err *err) {
	struct err ignored;
	if (err && err->kind == ERR_CHANGED) {
		act_changed(t);
		return;
	}
	if (err && err->kind == ERR_NOT_FOUND) {
		if (index_session_drop(t->folder->index, t->path, &ignored)) {
			folder_index_failed(t->folder, &ignored);
			return;
		}
		act_parents_lost(t);
		return;
	}
	if (err) {
		part_failed(t, err);
		return;
	}
	if (index_session_drop(t->folder->index, t->path, &ignored)) {
		folder_index_failed(t->folder, &ignored);
		return;
	}
	act_put_recorded(t, &t->op.entry, t->op.kept);
}

static void end_start(struct transfer *t) {
	struct upload *u = t->upload;
	act_op_init(t, STORE_PART_END, STORE_FILE);
	t->op.session = u->session;
	t->op.parts = u->parts;
	t->op.part_count = u->held;
	t->op.part_size = u->part_size;
	t->op.size = u->size;
	t->op.hash = store_hash_from(t->folder->store, t->hash);
	act_put_conditions(t);
	if (!act_keep_intend(t) || !intent_note(t, t->hash)) return;
	transfer_submit(t, t->op.keep_key != NULL, end_done);
}

void upload_parts_ended(struct transfer *t, const struct err *err) {
	if (err)
		part_failed(t, err);
	else
		end_start(t);
}

static void begin_start(struct transfer *t);

static void begin_done(struct transfer *t, const struct err *err) {
	struct upload *u = t->upload;
	struct err failed;
	if (err) {
		if (err->kind == ERR_NOT_FOUND)
			act_parents_lost(t);
		else
			transfer_fail(t, err);
		return;
	}
	u->session = xstrdup(t->op.answer_session);
	struct index_session session = { .session = u->session,
		.size = u->size,
		.mtime_ns = u->opened.mtime_ns,
		.ctime_ns = u->opened.ctime_ns,
		.ino = t->image ? 0 : u->opened.ino,
		.part_size = u->part_size,
		.hash_len = digest_len(t->digest) };
	memcpy(session.hash, t->hash, session.hash_len);
	if (index_session_put(t->folder->index, t->path, &session, &failed)) {
		folder_index_failed(t->folder, &failed);
		return;
	}
	t->folder->intents = true;
	t->folder->sessions_none = false;
	upload_parts_start(t);
}

static void begin_start(struct transfer *t) {
	struct upload *u = t->upload;
	act_op_init(t, STORE_PART_BEGIN, STORE_FILE);
	t->op.size = u->size;
	t->op.part_size = u->part_size;
	t->op.hash = store_hash_from(t->folder->store, t->hash);
	transfer_submit(t, false, begin_done);
}

static void query_done(struct transfer *t, const struct err *err) {
	struct upload *u = t->upload;
	struct err failed;
	if (err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID)) {
		free(u->session);
		u->session = NULL;
		if (index_session_drop(t->folder->index, t->path, &failed)) {
			folder_index_failed(t->folder, &failed);
			return;
		}
		begin_start(t);
		return;
	}
	if (err) {
		transfer_fail(t, err);
		return;
	}
	parts_free(u);
	u->parts = t->op.answer_parts;
	u->held = t->op.answer_part_count;
	t->op.answer_parts = NULL;
	t->op.answer_part_count = 0;
	upload_parts_start(t);
}

static void stale_aborted(struct transfer *t, const struct err *err) {
	struct err failed;
	(void)err;
	free(t->upload->session);
	t->upload->session = NULL;
	if (index_session_drop(t->folder->index, t->path, &failed)) {
		folder_index_failed(t->folder, &failed);
		return;
	}
	begin_start(t);
}

void upload_start(struct transfer *t) {
	struct index_session session;
	struct err err;
	if (!t->upload || !t->upload->hashed) { /* an image: its parts' hashes are still to come */
		upload_hash_start(t);
		return;
	}
	struct upload *u = t->upload;
	t->upload_sending = true;
	if (u->session) {
		end_start(t); /* again, after the condition failed */
		return;
	}
	int found = index_session_get(t->folder->index, t->path, &session, &err);
	if (found < 0) {
		folder_index_failed(t->folder, &err);
		return;
	}
	if (!found) {
		begin_start(t);
		return;
	}
	bool same = session.size == u->size && session.part_size == u->part_size &&
		    session.hash_len == digest_len(t->digest) &&
		    memcmp(session.hash, t->hash, session.hash_len) == 0;
	u->session = xstrdup(session.session);
	index_session_release(&session);
	act_op_init(t, same ? STORE_PART_QUERY : STORE_PART_ABORT, STORE_FILE);
	t->op.session = u->session;
	t->op.size = u->size;
	t->op.part_size = u->part_size;
	transfer_submit(t, false, same ? query_done : stale_aborted);
}
