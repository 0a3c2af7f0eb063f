#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/* STAT, GET and SET: one object that is there. */

static int not_there(struct s3_op *x) {
	return err_set(&x->err, ERR_NOT_FOUND, "'%s' is not there", x->op->key);
}

static int other_version(struct s3_op *x) {
	return err_set(
		&x->err, ERR_CHANGED, "'%s' is not the version that was expected", x->op->key);
}

/* ---- STAT ---- */

enum { STAT_OBJECT, STAT_CHILDREN };

static void count_key(void *user, const char *path, const char *text) {
	if (str_ends(path, "/Contents/Key")) ++*(int *)user;
}

static void stat_step(struct s3_op *x) {
	int keys = 0;

	if (x->state == STAT_CHILDREN) {
		if (x->err.kind == ERR_NONE) s3_read(x, "ListBucketResult", count_key, &keys);
		if (x->err.kind == ERR_NONE && keys == 0) not_there(x);
		x->op->entry.kind = STORE_FOLDER;
		s3_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
		return;
	}
	if (x->err.kind == ERR_NONE) {
		x->op->entry = s3_meta_entry(x, x->op->kind);
		s3_finish(x, NULL);
		return;
	}
	if (x->err.kind != ERR_NOT_FOUND || x->op->kind != STORE_FOLDER) {
		if (x->err.kind == ERR_NOT_FOUND) not_there(x);
		s3_fail(x);
		return;
	}
	/* No marker: a folder all the same, when something is below it. */
	x->state = STAT_CHILDREN;
	s3_query(&x->text, "list-type", "2");
	s3_query(&x->text, "max-keys", "1");
	s3_query(&x->text, "prefix", x->object);
	s3_send(x, &(struct s3_call){ .method = "GET", .query = x->text.at });
}

void s3_stat(struct s3_op *x) {
	x->step = stat_step;
	s3_look(x, x->object);
}

/* ---- GET ---- */

static int64_t span_length(const struct store_op *op) {
	return op->length > 0 && op->length < STORE_SPAN_MAX ? op->length : STORE_SPAN_MAX;
}

enum { GET_SPAN, GET_BEHIND };

static void get_ended(struct s3_op *x) {
	struct store_op *op = x->op;

	op->entry = s3_meta_entry(x, op->kind);
	if (op->if_version && op->entry.version && !str_equal(op->if_version, op->entry.version)) {
		other_version(x);
		s3_fail(x);
	} else {
		s3_finish(x, NULL);
	}
}

static void get_step(struct s3_op *x) {
	struct store_op *op = x->op;
	struct http_request *request = &x->request;

	if (x->state == GET_SPAN && request->status == 416) {
		/* The span is behind the end: no bytes, but an answer. Its headers are the
		 * error's own. */
		x->state = GET_BEHIND;
		s3_send(x, &(struct s3_call){ .method = "HEAD",
				   .object = x->object,
				   .query = x->text.len ? x->text.at : NULL });
		return;
	}
	if (x->err.kind == ERR_NOT_FOUND) {
		not_there(x);
	} else if (x->err.kind == ERR_NONE && x->state == GET_SPAN && request->status == 200 &&
		   (op->offset > 0 || (int64_t)request->answer.len > span_length(op))) {
		err_set(&x->err, ERR_CORRUPT, "'%s' does not give parts of objects",
			x->s3->endpoint);
	}
	if (x->err.kind != ERR_NONE) {
		s3_fail(x);
		return;
	}
	if (x->state == GET_SPAN) {
		buf_release(&op->answer_body);
		op->answer_body = request->answer;
		op->answer_body.max = STORE_SPAN_MAX;
		buf_init(&request->answer, 0);
	}
	get_ended(x);
}

void s3_get(struct s3_op *x) {
	int64_t from = x->op->offset, length = span_length(x->op);

	x->step = get_step;
	s3_header(x, "range: bytes=%lld-%lld", (long long)from, (long long)(from + length - 1));
	if (x->op->revision) s3_query(&x->text, "versionId", x->op->revision);
	s3_send(x, &(struct s3_call){ .method = "GET",
			   .object = x->object,
			   .query = x->text.len ? x->text.at : NULL,
			   .answer_max = (size_t)length });
}

/* ---- SET: the object copied onto itself with other metadata ---- */

enum { SET_LOOK, SET_COPY };

static void describe(struct s3_op *x) {
	const struct store_entry *entry = &x->present;

	for (size_t i = 0; x->preserved && x->preserved[i]; i++) {
		s3_header(x, "%s", x->preserved[i]);
	}
	s3_class_headers(x);
	s3_time_headers(x, entry->kind, entry->mtime_ns, entry->mode);
	/* Sent in parts by somebody who left it out: others can compare it from now on. */
	if (entry->hash.kind == STORE_HASH_MD5_PARTS) s3_md5_header(x);
}

static void set_done(struct s3_op *x) {
	x->op->entry = x->present;
	x->present = (struct store_entry){ 0 };
	s3_finish(x, NULL);
}

static void set_step(struct s3_op *x) {
	const struct store_op *op = x->op;

	if (x->err.kind == ERR_NOT_FOUND) not_there(x);
	if (x->err.kind == ERR_CHANGED) other_version(x);
	if (x->err.kind != ERR_NONE) {
		s3_fail(x);
		return;
	}
	if (x->state == SET_COPY) {
		if (s3_copy_etag(x) && op->kind != STORE_FOLDER) {
			free(x->present.version);
			x->present.version = xstrdup(s3_copy_etag(x));
		}
		set_done(x);
		return;
	}
	x->present = s3_meta_entry(x, op->kind);
	if (op->if_version && !str_equal(op->if_version, x->present.version)) {
		other_version(x);
		s3_fail(x);
	} else if (s3_meta_preserve(x, false)) {
		s3_fail(x);
	} else if (store_set_entry(op, &x->present)) {
		set_done(x);
	} else {
		x->state = SET_COPY;
		s3_copy(x, x->object, x->object, x->present.version, describe);
	}
}

void s3_set(struct s3_op *x) {
	x->step = set_step;
	s3_look(x, x->object);
}
