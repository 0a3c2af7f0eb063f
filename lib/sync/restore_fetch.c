/*
 * A content from the remote itself, for a restore. The first span tells how long it is and of which version; what follows comes in a few
 * ranges at once, each written in a job where it belongs before that range asks for its next.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "sync/bring.h"
#include "sync/restore.h"

struct range {
	struct past_content *content;
	struct past_fetch fetch;
	bool used, busy;
	struct job job;
	int64_t offset, end; /* of what it is to bring */
};

struct past_content {
	struct restore_content *content;
	const struct past_options *options;
	struct range ranges[RESTORE_RANGES]; /* the first is the one that begins */
	int busy;
	int64_t size, next; /* size: -1 before the first answer; next: nobody asked for it yet */
	char *version;
	int64_t mtime_ns;
	int mode;
	struct job sync_job;
	struct timer sync_timer;
	bool syncing;
	int64_t sync_to, synced, sync_ms; /* bytes; when the last one ended */
	struct err err;                   /* the first; told when no range is busy any more */
	bool cancelled;
};

static void range_next(struct range *range);
static void span_came(struct past_fetch *fetch, const struct err *err);

/* ---- its end ---- */

static void tell(const struct past_content *c) {
	struct restore_content *content = c->content;
	content->size = c->size;
	content->mtime_ns = c->mtime_ns;
	content->mode = c->mode;
	free(content->version);
	content->version = xstrdup(c->version);
}

static void content_ended(struct past_content *c) {
	struct restore_content *content = c->content;
	if (c->cancelled && c->err.kind == ERR_NONE) err_set(&c->err, ERR_CANCELLED, "cancelled");
	timer_cancel(&c->sync_timer);
	tell(c);
	content->done(content, c->err.kind == ERR_NONE ? NULL : &c->err);
}

/* This range has no more to do, or all of it has failed. */
static void range_ended(struct range *range, const struct err *err) {
	struct past_content *c = range->content;
	range->busy = false;
	c->busy--;
	if (err && c->err.kind == ERR_NONE) {
		c->err = *err;
		for (int i = 0; i < RESTORE_RANGES; i++)
			if (c->ranges[i].busy) past_fetch_cancel(&c->ranges[i].fetch);
	}
	if (!c->busy && !c->syncing) content_ended(c);
}

static bool is_over(const struct past_content *c) {
	return c->cancelled || c->err.kind != ERR_NONE;
}

/* ---- what is on the disk ---- */

static int sync_work(struct job *job, struct err *err) {
	const struct past_content *c = container_of(job, struct past_content, sync_job);
	struct stat stat;
	if (fstat(c->content->fd, &stat)) return err_sys(err, errno, "cannot look at it");
	c->content->ino = stat.st_ino;
	return disk_sync_bytes(c->content->fd, err);
}

static void sync_go(struct past_content *c);

static void sync_done(struct job *job, const struct err *err) {
	struct past_content *c = container_of(job, struct past_content, sync_job);
	c->syncing = false;
	c->sync_ms = loop_now_ms(c->options->loop);
	if (!err && !c->cancelled) {
		c->synced = c->sync_to;
		tell(c);
		c->content->noted(c->content, c->synced);
	}
	if (!c->busy)
		content_ended(c); /* a sync that fails does so again at the end */
	else if (!err)
		sync_go(c); /* what came meanwhile */
}

/* What is here without a gap. */
static int64_t here_bytes(const struct past_content *c) {
	int64_t upto = c->next;
	for (int i = 0; i < RESTORE_RANGES; i++) {
		const struct range *range = &c->ranges[i];
		if (range->busy && range->offset < upto) upto = range->offset;
	}
	return upto;
}

static void sync_go(struct past_content *c) {
	int64_t here = here_bytes(c), now_ms = loop_now_ms(c->options->loop);
	if (!c->content->noted || !c->version || c->syncing || is_over(c)) return;
	if (here <= c->synced || here >= c->size) return;
	if (now_ms - c->sync_ms < BRING_SYNC_MS) {
		timer_start(&c->sync_timer, c->sync_ms + BRING_SYNC_MS - now_ms);
		return;
	}
	c->syncing = true;
	c->sync_to = here;
	c->sync_job = (struct job){ .work = sync_work, .done = sync_done };
	job_start(c->options->loop, &c->sync_job);
}

static void sync_due(struct timer *timer) {
	sync_go(container_of(timer, struct past_content, sync_timer));
}

/* ---- its spans ---- */

static int write_work(struct job *job, struct err *err) {
	struct range *range = container_of(job, struct range, job);
	const struct buf *span = &range->fetch.op.answer_body;
	int fd = range->content->content->fd;
	if (!range->offset && ftruncate(fd, 0)) return err_sys(err, errno, "cannot empty it");
	return disk_write_span(fd, range->offset, span->at, span->len, err);
}

/* The next piece that nobody asked for yet. False: there is none. */
static bool range_take(struct range *range) {
	struct past_content *c = range->content;
	if (c->next >= c->size) return false;
	int64_t left = c->size - c->next;
	range->offset = c->next;
	range->end = c->next + (left < PAST_SPAN_BYTES ? left : PAST_SPAN_BYTES);
	c->next = range->end;
	return true;
}

static void range_went_on(struct range *range) {
	struct past_content *c = range->content;
	range->offset += (int64_t)range->fetch.op.answer_body.len;
	sync_go(c);
	if (is_over(c) || (range->offset >= range->end && !range_take(range)))
		range_ended(range, NULL);
	else
		range_next(range);
}

/* The others begin, as far as there is something for them. */
static void ranges_begin(struct past_content *c) {
	for (int i = 1; i < RESTORE_RANGES && !is_over(c); i++) {
		struct range *range = &c->ranges[i];
		const struct past_item *item = c->content->item;
		struct err err;
		range->content = c;
		if (!range_take(range)) return;
		if (past_fetch_init(
			    &range->fetch, c->options, item->kind, item->path, item->version, &err))
			return; /* the first one had the same name: it does not come here */
		range->used = range->busy = true;
		c->busy++;
		range->fetch.done = span_came;
		range_next(range);
	}
}

static void written(struct job *job, const struct err *err) {
	struct range *range = container_of(job, struct range, job);
	if (err) {
		range_ended(range, err);
		return;
	}
	if (!range->offset) ranges_begin(range->content); /* it was cut off before */
	range_went_on(range);
}

/* All of it in one answer: it is written where it gets its place, which is one job less. */
static void came_whole(struct range *range) {
	struct past_content *c = range->content;
	c->content->tail = range->fetch.op.answer_body;
	c->content->tail_at = 0;
	buf_init(&range->fetch.op.answer_body, 0);
	range_ended(range, NULL);
}

static void first_came(struct range *range) {
	struct past_content *c = range->content;
	const struct store_entry *entry = &range->fetch.op.entry;
	int64_t len = (int64_t)range->fetch.op.answer_body.len;
	c->size = entry->size;
	c->mtime_ns = entry->mtime_ns;
	c->mode = entry->mode;
	c->version = xstrdup(entry->version);
	range->end = len < c->size ? len : c->size;
	c->next = range->end;
}

static void link_came(struct range *range) {
	struct past_content *c = range->content;
	const struct buf *span = &range->fetch.op.answer_body;
	struct err full;
	c->size = (int64_t)span->len;
	c->mtime_ns = range->fetch.op.entry.mtime_ns;
	c->mode = range->fetch.op.entry.mode;
	if (!buf_add(&c->content->target, span->at, span->len)) {
		range_ended(range, NULL);
		return;
	}
	err_set(&full, ERR_INVALID, "its target is too long");
	range_ended(range, &full);
}

static void span_came(struct past_fetch *fetch, const struct err *err) {
	struct range *range = container_of(fetch, struct range, fetch);
	struct past_content *c = range->content;
	bool first = c->size < 0;
	struct err changed;
	if (err || is_over(c)) {
		range_ended(range, err);
		return;
	}
	if (c->content->item->kind == PAST_LINK) {
		link_came(range);
		return;
	}
	int64_t len = (int64_t)fetch->op.answer_body.len;
	if (first) first_came(range);
	if (fetch->op.entry.size != c->size || (!len && range->offset < c->size) ||
		range->offset + len > c->size) {
		err_set(&changed, ERR_CHANGED, "it changed while it was read");
		range_ended(range, &changed);
		return;
	}
	bool whole = c->content->whole;
	if (first && (len || whole) && len >= c->size) {
		came_whole(range);
		return;
	}
	if (whole) {
		err_set(&changed, ERR_CHANGED, "it is larger than it was listed");
		range_ended(range, &changed);
		return;
	}
	range->job.work = write_work;
	range->job.done = written;
	job_start(fetch->loop, &range->job);
}

static void range_next(struct range *range) {
	struct past_content *c = range->content;
	if (c->size >= 0)
		past_fetch_at(&range->fetch, range->offset, range->end - range->offset, c->version);
	past_fetch_next(&range->fetch);
}

/* The last byte is asked for in any case: the remote itself says that it is this version still. */
static void go_on(struct past_content *c) {
	const struct restore_content *content = c->content;
	c->size = content->size;
	c->version = xstrdup(content->version);
	c->mtime_ns = content->mtime_ns;
	c->mode = content->mode;
	c->synced = content->upto;
	c->next = content->upto < c->size ? content->upto : c->size - 1;
	range_take(&c->ranges[0]);
}

/* ---- for the restore ---- */

void restore_past_fetch(const struct past_options *options, struct restore_content *content) {
	const struct past_item *item = content->item;
	struct past_content *c = xcalloc(1, sizeof(*c));
	struct range *first = &c->ranges[0];
	struct err err;
	if (past_fetch_init(&first->fetch, options, item->kind, item->path, item->version, &err)) {
		free(c);
		content->impl = NULL;
		content->done(content, &err);
		return;
	}
	c->content = content;
	c->options = options;
	c->size = -1;
	c->sync_ms = loop_now_ms(options->loop);
	timer_init(&c->sync_timer, options->loop, sync_due);
	content->impl = c;
	first->content = c;
	first->used = first->busy = true;
	c->busy = 1;
	first->fetch.done = span_came;
	if (content->upto > 0) go_on(c);
	range_next(first);
	if (content->upto > 0) ranges_begin(c);
}

int64_t restore_past_moved(const struct restore_content *content) {
	const struct past_content *c = content->impl;
	int64_t left = 0;
	if (!c) return 0;
	if (c->size < 0) return c->ranges[0].fetch.op.moved_bytes;
	for (int i = 0; i < RESTORE_RANGES; i++) {
		const struct range *range = &c->ranges[i];
		if (range->busy) left += range->end - range->offset - range->fetch.op.moved_bytes;
	}
	return c->next - left;
}

void restore_past_cancel(struct restore_content *content) {
	struct past_content *c = content->impl;
	if (!c) return;
	c->cancelled = true;
	for (int i = 0; i < RESTORE_RANGES; i++)
		if (c->ranges[i].busy) past_fetch_cancel(&c->ranges[i].fetch);
}

void restore_past_release(struct restore_content *content) {
	struct past_content *c = content->impl;
	if (!c) return;
	for (int i = 0; i < RESTORE_RANGES; i++)
		if (c->ranges[i].used) past_fetch_release(&c->ranges[i].fetch);
	content->impl = NULL;
	free(c->version);
	free(c);
}
