#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * ABOUT: is the bucket there, may we list and write it, what does its clock say; and once a month,
 * which conditions this server keeps: the caller remembers that. They differ widely: kept, kept for an ETag
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

#define KNOWN_NS (30 * 24 * 3600 * NS_PER_S)

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

/* ---- what an earlier run found out; a server may be another one after a while ---- */

static char *place(const struct s3 *s3) {
	return xasprintf("%s/%s", s3->endpoint, s3->bucket);
}

static char *learned(const struct s3 *s3) {
	char *where = place(s3);
	char *text = xasprintf("1 %d %d %d %lld %s", s3->creates_only, (int)s3->put_match,
		(int)s3->copy_match, (long long)s3->probed_ns, where);

	free(where);
	return text;
}

/* Five numbers, then the place. False: of another form, place or time. */
static bool read_known(struct s3 *s3, const char *text) {
	int64_t number[5], now = loop_wall_ns(s3->store.loop);
	char *where = place(s3), *field;
	bool good = true;

	for (size_t i = 0; i < ARRAY_LEN(number) && good; i++) {
		size_t len = strcspn(text, " ");
		field = xstrndup(text, len);
		good = text[len] == ' ' && !str_to_int(field, 0, INT64_MAX, &number[i]);
		free(field);
		if (good) text += len + 1;
	}
	good = good && str_equal(text, where) && number[0] == 1 && number[1] <= 1 &&
	       number[2] <= S3_MATCH_BARE && number[3] <= S3_MATCH_BARE && number[4] <= now &&
	       now - number[4] < KNOWN_NS;
	free(where);
	if (!good) return false;
	s3->creates_only = number[1] == 1;
	s3->put_match = (enum s3_match)number[2];
	s3->copy_match = (enum s3_match)number[3];
	s3->probed_ns = number[4];
	return true;
}

/* ---- */

static void done(struct s3_op *x, const struct err *err) {
	struct s3 *s3 = x->s3;

	x->op->about.conditions = s3->creates_only && s3_match_works(s3->put_match);
	x->op->about.conditions_known = s3->probed;
	if (s3->probed) x->op->learned = learned(s3);
	s3_finish(x, err);
}

static void probe_done(struct s3_op *x, const struct err *err) {
	x->s3->probing = false;
	done(x, err);
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
	if (!s3->probed && !s3->probing && x->op->known) s3->probed = read_known(s3, x->op->known);
	/* Somebody else who asks at the same time need not wait for the probe: until it has
	 * ended, the store looks before it writes. */
	if (x->err.kind != ERR_NONE || s3->probed || s3->probing) {
		done(x, x->err.kind == ERR_NONE ? NULL : &x->err);
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
		probe_done(x, &x->err);
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
		s3->probed_ns = loop_wall_ns(s3->store.loop);
		tell(s3);
		probe_done(x, NULL);
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
