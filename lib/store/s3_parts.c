#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * PART_BEGIN, PART_PUT, PART_QUERY, PART_ABORT, and the end that s3_put.c asks for. The session
 * names upload and key, so that the index needs to keep nothing else: "UPLOAD-ID KEY".
 */

int s3_open_session(struct s3_op *x) {
	const char *session = x->op->session;
	const char *space = session ? strchr(session, ' ') : NULL;

	if (!space || space == session)
		return err_set(&x->err, ERR_INVALID, "no session of this store");
	x->upload_id = xstrndup(session, (size_t)(space - session));
	free(x->object);
	x->object = s3_object(x->s3, space + 1, STORE_FILE);
	return 0;
}

/* ---- PART_BEGIN ---- */

static void begin_step(struct s3_op *x) {
	if (x->err.kind != ERR_NONE || s3_upload_began(x)) {
		s3_fail(x);
		return;
	}
	x->op->answer_session = xasprintf("%s %s", x->upload_id, x->op->key);
	s3_finish(x, NULL);
}

void s3_part_begin(struct s3_op *x) {
	x->step = begin_step;
	s3_meta_headers(x, true);
	s3_upload_begin(x, x->object);
}

/* ---- PART_PUT ---- */

static void put_step(struct s3_op *x) {
	if (x->err.kind == ERR_NONE) {
		x->op->receipt = rest_etag(http_header(&x->request, "etag"));
		if (!x->op->receipt) {
			err_set(&x->err, ERR_CORRUPT, "'%s' took a part without an ETag",
				x->s3->endpoint);
		}
	}
	s3_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
}

void s3_part_put(struct s3_op *x) {
	const struct store_op *op = x->op;

	if (s3_open_session(x)) {
		s3_refuse_start(x);
		return;
	}
	x->step = put_step;
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = x->object,
			   .query = s3_upload_query(x, op->part_number),
			   .body = op->body ? op->body : "",
			   .body_len = op->body_len,
			   .md5 = op->hash.kind == STORE_HASH_MD5 ? &op->hash : NULL,
			   .sha256 = op->hash.kind == STORE_HASH_SHA256 ? op->hash.bytes : NULL });
}

/* ---- PART_COPY ---- */

enum copy_state { COPY_PART, COPY_CHECK };

static void copy_send(struct s3_op *x) {
	const struct store_op *op = x->op;
	const char *version = x->s3->misjudges_parts ? NULL : op->if_version;

	x->state = (int)COPY_PART;
	s3_copy_source(x, x->to_object, version);
	s3_upload_copy(x, x->object, op->part_number, op->offset, op->length);
}

/* Are they the bytes that were meant? Ceph and Swift pass over the condition here, and say the
 * part's MD5 as its ETag; where ETags are opaque the condition must do. */
static int check_bytes(struct s3_op *x, const char *etag) {
	struct store_hash hash = s3_hash_of_etag(x->s3, etag);

	if (hash.kind == STORE_HASH_MD5 && store_hash_equal(&hash, &x->op->hash)) return 0;
	if (hash.kind == STORE_HASH_MD5)
		return err_set(
			&x->err, ERR_CHANGED, "'%s' holds other bytes than it should", x->op->key);
	bool conditional = x->op->if_version && !x->s3->misjudges_parts;
	if (conditional && s3_match_works(x->s3->copy_match)) return 0;
	return err_set(&x->err, ERR_INVALID, "'%s' does not tell what it copied", x->s3->endpoint);
}

static void copied(struct s3_op *x) {
	char *etag = s3_upload_copied(x);

	if (etag && check_bytes(x, etag)) {
		free(etag);
		etag = NULL;
	}
	x->op->receipt = etag;
	s3_finish(x, etag ? NULL : &x->err);
}

/* Swift calls its own ETag of a source in parts another version: then its hash alone must do. */
static void copy_checked(struct s3_op *x) {
	struct store_entry source = s3_meta_entry(x, STORE_FILE);
	bool same = str_equal(source.version, x->op->if_version);

	store_entry_release(&source);
	if (same) {
		x->s3->misjudges_parts = true;
		copy_send(x);
	} else {
		x->err = x->saved;
		s3_fail(x);
	}
}

static void copy_step(struct s3_op *x) {
	bool good = x->err.kind == ERR_NONE;

	if (x->state == COPY_CHECK && good) {
		copy_checked(x);
	} else if (x->state == COPY_PART && good) {
		copied(x);
	} else if (x->state == COPY_PART && x->request.status == 412 && !x->looked) {
		x->looked = true;
		x->saved = x->err;
		x->saved.kind = ERR_CHANGED;
		x->state = (int)COPY_CHECK;
		s3_look(x, x->to_object);
	} else {
		s3_fail(x);
	}
}

/* x->object is what is made, x->to_object where the bytes come from. */
void s3_part_copy(struct s3_op *x) {
	if (s3_open_session(x)) {
		s3_refuse_start(x);
		return;
	}
	x->to_object = s3_object(x->s3, x->op->key, STORE_FILE);
	x->step = copy_step;
	copy_send(x);
}

/* ---- PART_QUERY: pages of a thousand ---- */

struct query {
	struct store_op *op;
	int number;
	int64_t size;
	char *etag;
	bool truncated;
};

static void part_ended(void *user, const char *path, const char *text) {
	struct query *query = user;
	int64_t value;

	if (str_ends(path, "/Part/PartNumber") && !str_to_int(text, 1, 10000, &value)) {
		query->number = (int)value;
	} else if (str_ends(path, "/Part/Size")) {
		if (str_to_int(text, 0, INT64_MAX, &query->size)) query->size = -1;
	} else if (str_ends(path, "/Part/ETag")) {
		free(query->etag);
		query->etag = rest_etag(text);
	} else if (str_ends(path, "/Part")) {
		if (query->number && query->etag) {
			store_part_add(query->op, query->number, query->size, query->etag);
		}
	} else if (str_ends(path, "/IsTruncated")) {
		query->truncated = str_equal(text, "true");
	}
}

static void query_send(struct s3_op *x) {
	char marker[16];

	buf_clear(&x->text);
	s3_query(&x->text, "max-parts", "1000");
	snprintf(marker, sizeof(marker), "%d", x->number);
	if (x->number) s3_query(&x->text, "part-number-marker", marker);
	s3_query(&x->text, "uploadId", x->upload_id);
	s3_send(x, &(struct s3_call){ .method = "GET",
			   .object = x->object,
			   .query = x->text.at,
			   .answer_max = 4 << 20 });
}

static void query_step(struct s3_op *x) {
	struct query query = { .op = x->op };

	if (x->err.kind == ERR_NONE) s3_read(x, "ListPartsResult", part_ended, &query);
	free(query.etag);
	if (x->err.kind != ERR_NONE) {
		struct err err = x->err;
		store_op_clear_answer(x->op); /* some of the parts are not the parts */
		s3_finish(x, &err);
	} else if (query.truncated && query.number > x->number) {
		x->number = query.number;
		query_send(x);
	} else {
		s3_finish(x, NULL);
	}
}

void s3_part_query(struct s3_op *x) {
	if (s3_open_session(x)) {
		s3_refuse_start(x);
		return;
	}
	x->step = query_step;
	query_send(x);
}

/* ---- PART_ABORT ---- */

static void abort_step(struct s3_op *x) {
	if (x->err.kind == ERR_NOT_FOUND) err_clear(&x->err); /* gone is what was wanted */
	s3_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
}

void s3_part_abort(struct s3_op *x) {
	if (s3_open_session(x)) {
		s3_refuse_start(x);
		return;
	}
	x->step = abort_step;
	s3_send(x,
		&(struct s3_call){
			.method = "DELETE", .object = x->object, .query = s3_upload_query(x, 0) });
}

/* ---- the end ---- */

void s3_part_end_send(struct s3_op *x) {
	const struct store_op *op = x->op;

	s3_upload_end(x, x->object, op->parts, op->part_count);
}

int s3_part_end_read(struct s3_op *x) {
	char *etag;

	if (s3_upload_ended(x, &etag)) return -1;
	x->op->entry.version = etag;
	return 0;
}
