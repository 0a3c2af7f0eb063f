/*
 * Large files: most are hashed while they are sent (upload_stream.c). Where the hash is wanted first, pass 1 reads once for the whole's and
 * each part's, pass 2 sends part by part; a part that reads differently than in pass 1 means "changed between": given up and settled anew
 * (SYNC.md §11). The session is data in the index, so that a restart goes on where the server says it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

bool upload_is_large(const struct transfer *t, int64_t size) {
	const struct store *store = t->folder->store;
	return size > STORE_SPAN_MAX || (store->part_from > 0 && size >= store->part_from);
}

static int64_t part_size_for(int64_t part, int64_t most, int64_t size) {
	while (size / part >= most) part *= 2;
	return part;
}

static enum digest_kind part_digest(const struct store *store) {
	return store->part_hash == STORE_HASH_SHA256 ? DIGEST_SHA256
	       : store->part_hash == STORE_HASH_SEAL ? DIGEST_SEAL
						     : DIGEST_MD5;
}

void upload_new(struct transfer *t) {
	const struct store *store = t->folder->store;
	if (t->upload) upload_release(t);
	struct upload *u = xcalloc(1, sizeof(*u));
	u->transfer = t;
	u->fd = -1;
	u->part_wish = delta_part_size(t);
	u->part_most = store->part_max > 0 ? store->part_max : 10000;
	u->part_kind = delta_wants(t) ? DIGEST_MD5 : part_digest(store);
	if (!(store->caps & STORE_CAP_FD_BODY) && u->part_wish > STORE_SPAN_MAX)
		u->part_wish = STORE_SPAN_MAX;
	t->upload = u;
}

int upload_open(struct upload *u, struct disk *disk, const char *path, struct err *err) {
	u->disk = disk;
	u->fd = disk_open_file(disk, path, &u->opened, err);
	if (u->fd < 0) return -1;
	u->size = u->opened.size;
	u->part_size = part_size_for(u->part_wish, u->part_most, u->size);
	size_t count = (size_t)((u->size + u->part_size - 1) / u->part_size);
	u->part_hashes = xcalloc(count + 1, sizeof(*u->part_hashes));
	digest_init(&u->whole, u->transfer->digest);
	return 0;
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
	free(u->notes);
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
	if (t->upload->anew) {
		upload_release(t);
		transfer_plan(t);
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
	struct upload *u = t->upload;
	switch (err->kind) {
	case ERR_OFFLINE:
	case ERR_BUSY:
	case ERR_SYSTEM:
	case ERR_FULL:
	case ERR_CANCELLED:
	case ERR_DENIED:
		transfer_fail(t, err);
		return; /* the session stays: it goes on from there */
	default: break;
	}
	/* What only grows has a stable beginning, which two reads prove. */
	t->reads_first |= err->kind == ERR_CHANGED && u->streams && t->growth && !u->stale;
	u->anew = u->stale || t->reads_first;
	give_up(t, err);
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
	act_put_answered(t);
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
	struct upload *u = t->upload;
	if (err) {
		part_failed(t, err);
		return;
	}
	if (u->streams && !u->hashed) {
		digest_end(&u->whole, u->hash);
		memcpy(t->hash, u->hash, sizeof(u->hash));
		t->have_hash = u->hashed = true;
	}
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
		.sealed = u->streams };
	if (u->streams) {
		loop_random(t->folder->loop, u->seal_key, sizeof(u->seal_key));
		memcpy(session.seal_key, u->seal_key, sizeof(u->seal_key));
	} else {
		session.hash_len = digest_len(t->digest);
		memcpy(session.hash, t->hash, session.hash_len);
	}
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
	if (u->hashed) t->op.hash = store_hash_from(t->folder->store, t->hash);
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
	if (u->streams && !upload_stream_remember(t)) return;
	if (u->streams && !upload_stream_knows_held(u)) {
		err_set(&failed, ERR_CHANGED, "nobody noted what was sent");
		u->stale = true;
		part_failed(t, &failed);
		return;
	}
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

/* Is it what the session was begun for? A part that is another than the one sent shows when it is read. */
static bool goes_on(const struct transfer *t, const struct index_session *session) {
	const struct upload *u = t->upload;
	if (session->size != u->size || session->part_size != u->part_size) return false;
	if (u->streams) return session->sealed;
	return !session->sealed && session->hash_len == digest_len(t->digest) &&
	       memcmp(session->hash, t->hash, session->hash_len) == 0;
}

void upload_session_find(struct transfer *t) {
	struct upload *u = t->upload;
	struct index_session session;
	struct err err;
	t->upload_sending = true;
	int found = index_session_get(t->folder->index, t->path, &session, &err);
	if (found < 0) {
		folder_index_failed(t->folder, &err);
		return;
	}
	if (!found) {
		begin_start(t);
		return;
	}
	bool same = goes_on(t, &session);
	memcpy(u->seal_key, session.seal_key, sizeof(u->seal_key));
	u->session = xstrdup(session.session);
	index_session_release(&session);
	act_op_init(t, same ? STORE_PART_QUERY : STORE_PART_ABORT, STORE_FILE);
	t->op.session = u->session;
	t->op.size = u->size;
	t->op.part_size = u->part_size;
	transfer_submit(t, false, same ? query_done : stale_aborted);
}

void upload_start(struct transfer *t) {
	struct upload *u = t->upload;
	bool hashed = u && u->hashed;
	if (!hashed && t->streams)
		upload_stream_start(t);
	else if (!hashed)
		upload_hash_start(t); /* an image: its parts' hashes are still to come */
	else if (u->session)
		end_start(t); /* again, after the condition failed */
	else
		upload_session_find(t);
}
