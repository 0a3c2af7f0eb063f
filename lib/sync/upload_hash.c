/* Pass 1 of a large upload whose hash is wanted first: the file is read once, for its own hash and each part's. */
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

static void hash_go(struct transfer *t);

static int open_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	return upload_open(t->upload, t->image ? t->images : t->disk,
		t->image ? path_name(t->image) : t->path, err);
}

static int hash_span(const struct upload *u, struct digest *digest, struct err *err) {
	int64_t done = 0;
	if (disk_hash_span(u->disk, u->fd, u->offset, u->span, digest, NULL, &done, err)) return -1;
	return done == u->span ? 0 : err_set(err, ERR_CHANGED, "changed while it was read");
}

static int whole_work(struct job *job, struct err *err) {
	struct upload *u = container_of(job, struct transfer, job)->upload;
	return hash_span(u, &u->whole, err);
}

static int part_work(struct job *job, struct err *err) {
	struct upload *u = container_of(job, struct upload, part_job);
	if (u->offset % u->part_size == 0) digest_init(&u->part, u->part_kind);
	if (hash_span(u, &u->part, err)) return -1;
	int64_t end = u->offset + u->span;
	if (end % u->part_size == 0 || end == u->size)
		digest_end(&u->part, u->part_hashes[u->part_count++]);
	return 0;
}

/* The end of pass 1: is it still the file that was opened, or one that only grew? */
static int check_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct upload *u = t->upload;
	struct disk_stat now;
	digest_end(&u->whole, t->hash);
	memcpy(u->hash, t->hash, sizeof(u->hash));
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

/* The jobs of a step ended. */
static void hash_step(struct transfer *t) {
	struct upload *u = t->upload;
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (u->failed.kind != ERR_NONE) {
		t->look_err = u->failed;
		upload_release(t);
		transfer_plan(t);
	} else if (u->hashed) {
		/* What memory holds of it was read before. One that shrank meanwhile is read anew, as a small one is: it has no parts. */
		buf_release(&t->body);
		if (!t->image && !upload_is_large(t, t->stat.size)) {
			t->have_hash = false;
			upload_release(t);
		}
		transfer_plan(t);
	} else {
		hash_go(t);
	}
}

static void job_ended(struct transfer *t, const struct err *err) {
	struct upload *u = t->upload;
	if (err && u->failed.kind == ERR_NONE) u->failed = *err;
	if (--u->jobs == 0) hash_step(t);
}

static void hash_done(struct job *job, const struct err *err) {
	job_ended(container_of(job, struct transfer, job), err);
}

static void part_done(struct job *job, const struct err *err) {
	job_ended(container_of(job, struct upload, part_job)->transfer, err);
}

static void job_go(struct transfer *t, int (*work)(struct job *job, struct err *err)) {
	t->job.work = work;
	t->job.done = hash_done;
	t->job_running = true;
	t->upload->jobs++;
	job_start(t->folder->loop, &t->job);
}

/* The next span, by two jobs: neither hash can be divided, but one need not wait for the other. */
static void hash_go(struct transfer *t) {
	struct upload *u = t->upload;
	u->offset += u->span;
	int64_t left = u->size - u->offset, of_part = u->part_size - u->offset % u->part_size;
	u->span = left < STORE_SPAN_MAX ? left : STORE_SPAN_MAX;
	if (u->span > of_part) u->span = of_part;
	if (!u->span) {
		job_go(t, check_work);
		return;
	}
	u->part_job = (struct job){ .work = part_work, .done = part_done };
	u->jobs++;
	job_start(t->folder->loop, &u->part_job);
	job_go(t, whole_work);
}

void upload_hash_start(struct transfer *t) {
	upload_new(t);
	pace_begin(t);
	t->state = TRANSFER_HASHING;
	job_go(t, open_work);
}
