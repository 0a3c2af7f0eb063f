/* A content from the remote itself, for a restore: span by span, each written in a job before the next is asked for. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk/disk.h"
#include "sync/restore.h"

struct past_content {
	struct past_fetch fetch;
	struct restore_content *content;
	struct job job;
	int64_t offset;
	bool cancelled;
};

static void content_ended(struct past_content *c, const struct err *err) {
	const struct store_entry *entry = &c->fetch.op.entry;
	struct restore_content *content = c->content;
	struct err changed;
	if (!err) {
		content->size = c->offset;
		content->mtime_ns = entry->mtime_ns;
		content->mode = entry->mode;
	}
	if (!err && content->fd >= 0 && c->offset != entry->size) {
		err_set(&changed, ERR_CHANGED, "it changed while it was read");
		err = &changed;
	}
	content->done(content, err);
}

static int write_work(struct job *job, struct err *err) {
	struct past_content *c = container_of(job, struct past_content, job);
	const struct buf *span = &c->fetch.op.answer_body;
	int fd = c->content->fd;
	if (!c->offset && ftruncate(fd, 0)) return err_sys(err, errno, "cannot empty it");
	return disk_write_span(fd, c->offset, span->at, span->len, err);
}

static void span_went_on(struct past_content *c) {
	struct err err;
	c->offset += (int64_t)c->fetch.op.answer_body.len;
	if (c->cancelled) {
		err_set(&err, ERR_CANCELLED, "cancelled");
		content_ended(c, &err);
	} else if (c->fetch.ended) {
		content_ended(c, NULL);
	} else {
		past_fetch_next(&c->fetch);
	}
}

static void written(struct job *job, const struct err *err) {
	struct past_content *c = container_of(job, struct past_content, job);
	if (err)
		content_ended(c, err);
	else
		span_went_on(c);
}

static void span_came(struct past_fetch *fetch, const struct err *err) {
	struct past_content *c = container_of(fetch, struct past_content, fetch);
	const struct buf *span = &fetch->op.answer_body;
	struct err full;
	if (err) {
		content_ended(c, err);
	} else if (c->content->fd >= 0) {
		c->job.work = write_work;
		c->job.done = written;
		job_start(fetch->loop, &c->job);
	} else if (buf_add(&c->content->target, span->at, span->len)) {
		err_set(&full, ERR_INVALID, "its target is too long");
		content_ended(c, &full);
	} else {
		span_went_on(c);
	}
}

void restore_past_fetch(const struct past_options *options, struct restore_content *content) {
	const struct past_item *item = content->item;
	struct past_content *c = xcalloc(1, sizeof(*c));
	struct err err;
	if (past_fetch_init(&c->fetch, options, item->kind, item->path, item->version, &err)) {
		free(c);
		content->impl = NULL;
		content->done(content, &err);
		return;
	}
	c->content = content;
	content->impl = c;
	c->fetch.done = span_came;
	past_fetch_next(&c->fetch);
}

void restore_past_cancel(struct restore_content *content) {
	struct past_content *c = content->impl;
	if (!c) return;
	c->cancelled = true;
	past_fetch_cancel(&c->fetch);
}

void restore_past_release(struct restore_content *content) {
	struct past_content *c = content->impl;
	if (!c) return;
	past_fetch_release(&c->fetch);
	content->impl = NULL;
	free(c);
}
