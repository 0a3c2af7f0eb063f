#include <stdlib.h>

#include "store/s3.h"

/*
 * ABOUT: is the bucket there, may we list and write it, what does its clock say; and once for each
 * store object, which conditions this server keeps. They differ widely: kept, kept for an ETag
 * without quotes only, refused with 501, silently ignored (TESTBENCH of 2026: all four seen).
 */

enum about_state {
	ABOUT_LIST,
	ABOUT_CREATE,       /* a first object: may we write? */
	ABOUT_CREATE_AGAIN, /* If-None-Match: *            must be refused */
	ABOUT_MATCH_WRONG,  /* If-Match: another's         must be refused */
	ABOUT_MATCH_QUOTED, /* If-Match: its own           must be taken ... */
	ABOUT_MATCH_BARE,   /* ... if need be without quotes */
	ABOUT_COPY_WRONG,   /* the same for the source of a copy */
	ABOUT_COPY_QUOTED,
	ABOUT_COPY_BARE,
	ABOUT_REMOVE_COPY,
	ABOUT_REMOVE,
};

static const char wrong_etag[] = "00000000000000000000000000000000";

static void put(struct s3_op *x, enum about_state state, enum s3_match match, const char *etag) {
	x->state = (int)state;
	s3_header(x, "content-type: application/octet-stream");
	s3_match_header(x, "if-match", match, etag);
	if (state == ABOUT_CREATE_AGAIN) s3_header(x, "if-none-match: *");
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = x->s3->probe_key,
			   .body = "probe",
			   .body_len = 5 });
}

static void copy(struct s3_op *x, enum about_state state, enum s3_match match, const char *etag) {
	char *encoded = str_percent_encode(x->s3->probe_key, "/");

	x->state = (int)state;
	s3_header(x, "x-amz-copy-source: /%s/%s", x->s3->bucket, encoded);
	s3_match_header(x, "x-amz-copy-source-if-match", match, etag);
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = x->s3->probe_copy_key,
			   .body = "",
			   .no_md5 = true });
	free(encoded);
}

static void take_away(struct s3_op *x, enum about_state state, const char *object) {
	x->state = (int)state;
	s3_send(x, &(struct s3_call){ .method = "DELETE", .object = object });
}

static void done(struct s3_op *x, const struct err *err) {
	struct s3 *s3 = x->s3;

	s3->probing = false;
	x->op->about.conditions = s3->creates_only && s3_match_works(s3->put_match);
	x->op->about.conditions_known = s3->probed;
	s3_finish(x, err);
}

static void ignore(void *user, const char *path, const char *text) {
}

static void listed(struct s3_op *x) {
	struct s3 *s3 = x->s3;

	if (x->err.kind == ERR_NONE) s3_read(x, "ListBucketResult", ignore, NULL);
	if (x->err.kind == ERR_NONE) {
		x->op->about.free_bytes = -1;
		x->op->about.server_ns = s3_server_ns(x);
		s3->names_requests = http_header(&x->request, "x-amz-request-id") != NULL;
	}
	/* Somebody else who asks at the same time need not wait for the probe: until it has
	 * ended, the store looks before it writes. */
	if (x->err.kind != ERR_NONE || s3->probed || s3->probing) {
		x->op->about.conditions = s3->creates_only && s3_match_works(s3->put_match);
		x->op->about.conditions_known = s3->probed;
		s3_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
		return;
	}
	s3->probing = true;
	put(x, ABOUT_CREATE, S3_MATCH_NONE, NULL);
}

static void tell(const struct s3 *s3) {
	static const char *const words[] = { "unknown", "no", "yes", "without quotes" };

	log_debug("%s: If-None-Match %s, If-Match %s, copy-source-if-match %s", s3->store.label,
		words[s3->creates_only ? S3_MATCH_QUOTED : S3_MATCH_NONE], words[s3->put_match],
		words[s3->copy_match]);
}

static void about_step(struct s3_op *x) {
	struct s3 *s3 = x->s3;
	bool good = x->err.kind == ERR_NONE, refused = x->request.status == 412;
	enum about_state state = (enum about_state)x->state;

	if (state == ABOUT_LIST) {
		listed(x);
		return;
	}
	/* Trouble is no answer to what was asked: next time. */
	if (x->err.kind == ERR_OFFLINE || x->err.kind == ERR_BUSY || x->err.kind == ERR_CANCELLED ||
		(state == ABOUT_CREATE && !good)) {
		s3->put_match = s3->copy_match = S3_MATCH_UNKNOWN;
		s3->creates_only = false;
		done(x, &x->err);
		return;
	}
	if (good && x->request.status == 200 && state < ABOUT_COPY_WRONG) {
		store_entry_release(&x->present);
		x->present = s3_meta_entry(x, STORE_FILE);
	}
	const char *etag = x->present.version;
	switch (state) {
	case ABOUT_LIST: return;
	case ABOUT_CREATE: put(x, ABOUT_CREATE_AGAIN, S3_MATCH_NONE, NULL); return;
	case ABOUT_CREATE_AGAIN:
		s3->creates_only = refused;
		put(x, ABOUT_MATCH_WRONG, S3_MATCH_QUOTED, wrong_etag);
		return;
	case ABOUT_MATCH_WRONG:
		s3->put_match = S3_MATCH_NONE;
		if (refused) {
			put(x, ABOUT_MATCH_QUOTED, S3_MATCH_QUOTED, etag);
		} else {
			copy(x, ABOUT_COPY_WRONG, S3_MATCH_QUOTED, wrong_etag);
		}
		return;
	case ABOUT_MATCH_QUOTED:
		if (good) s3->put_match = S3_MATCH_QUOTED;
		if (good) {
			copy(x, ABOUT_COPY_WRONG, S3_MATCH_QUOTED, wrong_etag);
		} else {
			put(x, ABOUT_MATCH_BARE, S3_MATCH_BARE, etag);
		}
		return;
	case ABOUT_MATCH_BARE:
		if (good) s3->put_match = S3_MATCH_BARE;
		copy(x, ABOUT_COPY_WRONG, S3_MATCH_QUOTED, wrong_etag);
		return;
	case ABOUT_COPY_WRONG:
		s3->copy_match = S3_MATCH_NONE;
		if (refused) {
			copy(x, ABOUT_COPY_QUOTED, S3_MATCH_QUOTED, etag);
		} else {
			take_away(x, ABOUT_REMOVE_COPY, s3->probe_copy_key);
		}
		return;
	case ABOUT_COPY_QUOTED:
		if (good) s3->copy_match = S3_MATCH_QUOTED;
		if (good) {
			take_away(x, ABOUT_REMOVE_COPY, s3->probe_copy_key);
		} else {
			copy(x, ABOUT_COPY_BARE, S3_MATCH_BARE, etag);
		}
		return;
	case ABOUT_COPY_BARE:
		if (good) s3->copy_match = S3_MATCH_BARE;
		take_away(x, ABOUT_REMOVE_COPY, s3->probe_copy_key);
		return;
	case ABOUT_REMOVE_COPY: take_away(x, ABOUT_REMOVE, s3->probe_key); return;
	case ABOUT_REMOVE:
		s3->probed = true;
		tell(s3);
		done(x, NULL);
		return;
	}
}

void s3_about(struct s3_op *x) {
	x->step = about_step;
	x->state = ABOUT_LIST;
	s3_query(&x->text, "list-type", "2");
	s3_query(&x->text, "max-keys", "1");
	s3_query(&x->text, "prefix", x->s3->prefix);
	s3_send(x, &(struct s3_call){ .method = "GET", .query = x->text.at });
}
