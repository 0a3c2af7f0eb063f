/*
 * Large files: pass 1 reads once for the whole hash and each part's, pass 2 sends part by part; a part that reads differently than in pass
 * 1 means "changed between": given up and settled anew (SYNC.md §11). The session is data in the index, so that a restart goes on where the
 * server says it stands.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

struct upload {
	struct disk *disk; /* that `fd` belongs to */
	int fd;
	int64_t size;
	int64_t part_wish, part_most; /* what the store likes */
	int64_t part_size;
	int64_t offset; /* of pass 1, then of the part in work */
	struct disk_stat opened;
	struct digest whole, part;
	int64_t part_filled;
	uint8_t (*part_hashes)[16];
	size_t part_count;
	bool hashed;
	int64_t done_bytes;
	struct store_part *parts; /* those the server holds */
	size_t held;
	char *session;
	struct err abort_err; /* why it is given up, while PART_ABORT is on its way */
};

bool upload_is_large(const struct transfer *t, int64_t size) {
	const struct store *store = t->folder->store;
	return size > STORE_SPAN_MAX || (store->part_from > 0 && size >= store->part_from);
}

static int64_t part_size_for(int64_t part, int64_t most, int64_t size) {
	while (size / part >= most) part *= 2;
	return part;
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
	parts_free(u);
	free(u->part_hashes);
	free(u->session);
	free(u);
	t->upload = NULL;
	t->upload_sending = false;
	capture_moved(t->folder->sync);
}

/* ---- pass 1 ---- */

static int open_source(struct transfer *t, struct err *err) {
	struct upload *u = t->upload;
	u->disk = t->image ? t->images : t->disk;
	u->fd = disk_open_file(u->disk, t->image ? path_name(t->image) : t->path, &u->opened, err);
	if (u->fd < 0) return -1;
	u->size = u->opened.size;
	u->part_size = part_size_for(u->part_wish, u->part_most, u->size);
	size_t count = (size_t)((u->size + u->part_size - 1) / u->part_size);
	u->part_hashes = xcalloc(count + 1, sizeof(*u->part_hashes));
	digest_init(&u->whole, DIGEST_MD5);
	digest_init(&u->part, DIGEST_MD5);
	return 0;
}

static void part_hash_end(struct upload *u) {
	digest_end(&u->part, u->part_hashes[u->part_count++]);
	digest_init(&u->part, DIGEST_MD5);
	u->part_filled = 0;
}

/* One bounded span a job. */
static int hash_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	if (u->fd < 0 && open_source(t, err)) return -1;
	int64_t span = u->size - u->offset;
	int64_t done = 0;
	if (span > STORE_SPAN_MAX) span = STORE_SPAN_MAX;
	if (span > u->part_size - u->part_filled) span = u->part_size - u->part_filled;
	if (span &&
		disk_hash_span(u->disk, u->fd, u->offset, span, &u->whole, &u->part, &done, err))
		return -1;
	if (done != span) return err_set(err, ERR_CHANGED, "changed while it was read");
	u->offset += done;
	u->part_filled += done;
	if (u->part_filled == u->part_size || u->offset == u->size) part_hash_end(u);
	return 0;
}

/* The end of pass 1: is it still the file that was opened, or one that only grew? */
static int hash_check(struct transfer *t, struct err *err) {
	struct upload *u = t->upload;
	struct disk_stat now;
	digest_end(&u->whole, t->hash);
	t->have_hash = true;
	u->hashed = true;
	if (t->image) return 0;
	if (disk_stat(t->disk, t->path, &now, err)) return -1;
	t->stat = u->opened;
	if (disk_stat_same(&now, &u->opened)) return 0;
	if (t->growth && now.ino == u->opened.ino && now.size >= u->opened.size &&
		!t->is_database) {
		t->hot = true; /* pass 2 proves that what was read stayed as it was */
		return 0;
	}
	return err_set(err, ERR_CHANGED, "changed while it was read");
}

static int hash_end_work(struct job *job, struct err *err) {
	return hash_check(container_of(job, struct transfer, job), err);
}

static void hash_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (err) {
		t->look_err = *err;
		upload_release(t);
		transfer_plan(t);
		return;
	}
	if (u->hashed) {
		transfer_plan(t);
		return;
	}
	t->job.work = u->offset < u->size ? hash_work : hash_end_work;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

static void upload_new(struct transfer *t) {
	const struct store *store = t->folder->store;
	struct upload *u = xcalloc(1, sizeof(*u));
	u->fd = -1;
	u->part_wish = store->part_size > 0 ? store->part_size : STORE_SPAN_MAX;
	u->part_most = store->part_max > 0 ? store->part_max : 10000;
	if (!(store->caps & STORE_CAP_FD_BODY) && u->part_wish > STORE_SPAN_MAX)
		u->part_wish = STORE_SPAN_MAX;
	t->upload = u;
}

void upload_hash_start(struct transfer *t) {
	if (t->upload) upload_release(t);
	upload_new(t);
	pace_begin(t);
	t->state = TRANSFER_HASHING;
	t->job.work = hash_work;
	t->job.done = hash_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

/* ---- pass 2 ---- */

static void part_next(struct transfer *t);

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
	t->op.hash.kind = STORE_HASH_MD5;
	memcpy(t->op.hash.bytes, t->hash, 16);
	act_put_conditions(t);
	if (!act_keep_intend(t) || !intent_note(t, t->hash)) return;
	transfer_submit(t, t->op.keep_key != NULL, end_done);
}

static void part_put_done(struct transfer *t, const struct err *err) {
	struct upload *u = t->upload;
	if (err) {
		part_failed(t, err);
		return;
	}
	u->parts = xrealloc(u->parts, (u->held + 1) * sizeof(*u->parts));
	u->parts[u->held++] = (struct store_part){
		.number = t->op.part_number, .size = t->op.length, .receipt = xstrdup(t->op.receipt)
	};
	t->folder->progress_bytes += t->op.length;
	part_next(t);
}

static void part_put_start(struct transfer *t, int number) {
	struct upload *u = t->upload;
	bool fd_body = (t->folder->store->caps & STORE_CAP_FD_BODY) != 0;
	act_op_init(t, STORE_PART_PUT, STORE_FILE);
	t->op.session = u->session;
	t->op.part_number = number;
	t->op.part_size = u->part_size;
	t->op.size = u->size;
	t->op.offset = (int64_t)(number - 1) * u->part_size;
	t->op.length =
		u->size - t->op.offset < u->part_size ? u->size - t->op.offset : u->part_size;
	t->op.hash.kind = STORE_HASH_MD5;
	memcpy(t->op.hash.bytes, u->part_hashes[number - 1], 16);
	if (fd_body) {
		t->op.fd = u->fd;
	} else {
		t->op.body = t->body.at;
		t->op.body_len = t->body.len;
	}
	transfer_submit(t, false, part_put_done);
}

static int part_read_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	uint8_t hash[DIGEST_MAX];
	size_t len =
		(size_t)(u->size - u->offset < u->part_size ? u->size - u->offset : u->part_size);
	if (u->fd < 0) return err_set(err, ERR_CHANGED, "closed");
	buf_release(&t->body);
	buf_init(&t->body, len);
	char *at = xmalloc(len + 1);
	int result = disk_read_span(u->disk, u->fd, u->offset, len, at, err);
	if (!result) {
		digest_of(DIGEST_MD5, at, len, hash);
		if (memcmp(hash, u->part_hashes[u->offset / u->part_size], 16) != 0)
			result = err_set(err, ERR_CHANGED, "changed between two reads");
		else
			buf_add(&t->body, at, len);
	}
	free(at);
	return result;
}

static void part_read_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (err) {
		give_up(t, err);
		return;
	}
	part_put_start(t, (int)(t->upload->offset / t->upload->part_size) + 1);
}

static bool held(const struct upload *u, int number) {
	for (size_t i = 0; i < u->held; i++)
		if (u->parts[i].number == number) return true;
	return false;
}

static int part_compare(const void *left, const void *right) {
	return ((const struct store_part *)left)->number -
	       ((const struct store_part *)right)->number;
}

static void part_next(struct transfer *t) {
	struct upload *u = t->upload;
	int number = 1;
	while ((size_t)number <= u->part_count && held(u, number)) number++;
	if ((size_t)number > u->part_count) {
		qsort(u->parts, u->held, sizeof(*u->parts), part_compare);
		end_start(t);
		return;
	}
	if (t->folder->store->caps & STORE_CAP_FD_BODY) {
		part_put_start(t, number);
		return;
	}
	u->offset = (int64_t)(number - 1) * u->part_size;
	if (t->reserved > 0 || transfer_memory_reserve(t, u->part_size)) upload_part_read(t);
}

void upload_part_read(struct transfer *t) {
	t->state = TRANSFER_READING;
	t->job.work = part_read_work;
	t->job.done = part_read_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
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
		.hash_len = 16 };
	memcpy(session.hash, t->hash, 16);
	if (index_session_put(t->folder->index, t->path, &session, &failed)) {
		folder_index_failed(t->folder, &failed);
		return;
	}
	t->folder->intents = true;
	t->folder->sessions_none = false;
	part_next(t);
}

static void begin_start(struct transfer *t) {
	struct upload *u = t->upload;
	act_op_init(t, STORE_PART_BEGIN, STORE_FILE);
	t->op.size = u->size;
	t->op.part_size = u->part_size;
	t->op.hash.kind = STORE_HASH_MD5;
	memcpy(t->op.hash.bytes, t->hash, 16);
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
	part_next(t);
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
		    session.hash_len == 16 && memcmp(session.hash, t->hash, 16) == 0;
	u->session = xstrdup(session.session);
	index_session_release(&session);
	act_op_init(t, same ? STORE_PART_QUERY : STORE_PART_ABORT, STORE_FILE);
	t->op.session = u->session;
	t->op.size = u->size;
	t->op.part_size = u->part_size;
	transfer_submit(t, false, same ? query_done : stale_aborted);
}
