#include <stdlib.h>

#include "store/s3.h"

/*
 * PUT, PART_END and REMOVE: whatever replaces or removes what stands at a key.
 *
 * LOOK at what stands there, where a condition or keep_key needs it; LOOK_KEPT at the place it is
 * to be kept; KEEP it there by a copy; COMMIT. Where the server itself keeps conditions, and they
 * tell enough, the looks are left out. A condition that fails may have failed by our own earlier
 * try, whose answer was lost: LOOK_AFTER tells.
 */

enum put_state { PUT_LOOK, PUT_LOOK_KEPT, PUT_KEEP, PUT_COMMIT, PUT_LOOK_AFTER, PUT_WAS_KEPT };

static bool is_remove(const struct s3_op *x) {
	return x->op->verb == STORE_REMOVE;
}

static void look(struct s3_op *x, enum put_state state, const char *object) {
	x->state = (int)state;
	s3_look(x, object);
}

/* ---- COMMIT ---- */

static void commit(struct s3_op *x) {
	const struct store_op *op = x->op;

	x->state = PUT_COMMIT;
	if (is_remove(x)) {
		s3_send(x, &(struct s3_call){ .method = "DELETE", .object = x->object });
		return;
	}
	if (op->verb == STORE_PART_END) {
		s3_part_end_send(x);
		return;
	}
	s3_meta_headers(x, false);
	if (op->if_absent && x->s3->creates_only) s3_header_is(x, "if-none-match: ", "*");
	if (!x->distrust) s3_match_header(x, "if-match", x->s3->put_match, op->if_version);
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = x->object,
			   .body = op->body ? op->body : "",
			   .body_len = op->body_len,
			   .md5 = op->hash.kind == STORE_HASH_MD5 ? &op->hash : NULL });
}

/* The entry of what we have just put: all of it is known. */
static int read_put(struct s3_op *x) {
	struct store_op *op = x->op;
	struct store_entry *entry = &op->entry;

	if (op->verb == STORE_PART_END) {
		if (s3_part_end_read(x)) return -1;
	} else {
		entry->version = rest_etag(http_header(&x->request, "etag"));
		if (!entry->version) {
			return err_set(&x->err, ERR_CORRUPT, "'%s' took an object without an ETag",
				x->s3->endpoint);
		}
		struct store_hash etag = s3_hash_of_etag(x->s3, entry->version);
		const struct store_hash *sent = op->hash.kind == STORE_HASH_MD5 ? &op->hash : NULL;
		entry->hash = sent ? *sent : etag;
		/* The server has checked Content-MD5: the bytes are right, only the ETag means
		 * something else. */
		if (sent && !store_hash_equal(sent, &etag)) x->s3->opaque_etags = true;
	}
	entry->kind = op->kind;
	entry->size = op->verb == STORE_PART_END ? op->size : (int64_t)op->body_len;
	entry->mtime_ns = op->mtime_ns;
	entry->mode = op->kind == STORE_LINK ? STORE_MODE_UNKNOWN : op->mode;
	if (op->hash.kind != STORE_HASH_NONE) entry->hash = op->hash;
	return 0;
}

/* ---- ends ---- */

/* There by an earlier try of ours, or gone: was something kept then? */
static void was_done(struct s3_op *x) {
	if (!is_remove(x)) {
		x->op->entry = x->present;
		x->present = (struct store_entry){ 0 };
	}
	if (x->to_object) {
		look(x, PUT_WAS_KEPT, x->to_object);
	} else {
		s3_finish(x, NULL);
	}
}

static void fail_changed(struct s3_op *x) {
	err_set(&x->err, ERR_CHANGED, "'%s' is not what was expected there", x->op->key);
	s3_fail(x);
}

/* ---- the steps ---- */

static void keep_now(struct s3_op *x) {
	const char *version = x->op->if_version ? x->op->if_version : x->present.version;

	x->state = PUT_KEEP;
	s3_copy(x, x->object, x->to_object, version, NULL);
}

static void keep(struct s3_op *x) {
	if (x->op->keep_fresh)
		keep_now(x);
	else
		look(x, PUT_LOOK_KEPT, x->to_object);
}

static void kept_known(struct s3_op *x);

static void after_look(struct s3_op *x) {
	const struct store_op *op = x->op;
	bool there = x->err.kind == ERR_NONE;

	x->looked = true;
	if (there) x->present = s3_meta_entry(x, op->kind);
	bool ours = there && !is_remove(x) && store_is_ours(op, &x->present);
	bool theirs = there && (op->if_absent || (op->if_version && !str_equal(op->if_version,
									    x->present.version)));

	if (ours || (!there && is_remove(x))) {
		was_done(x);
	} else if (theirs || (!there && op->if_version)) {
		fail_changed(x);
	} else if (there && x->other.version) {
		kept_known(x); /* what is kept was looked at before */
	} else if (there && x->to_object) {
		keep(x);
	} else {
		commit(x);
	}
}

/* Something is at keep_key: what stands at the key, by an earlier try? Then that step is done. */
static void kept_known(struct s3_op *x) {
	const struct store_entry *kept = &x->other, *present = &x->present;
	bool same = store_hash_equal(&kept->hash, &present->hash) ||
		    str_equal(kept->version, present->version);

	if (!same || kept->size != present->size) {
		err_set(&x->err, ERR_CHANGED, "'%s' holds another version", x->op->keep_key);
		s3_fail(x);
		return;
	}
	x->op->kept = true;
	commit(x);
}

static void after_look_kept(struct s3_op *x) {
	if (x->err.kind == ERR_NOT_FOUND) {
		keep_now(x);
		return;
	}
	x->other = s3_meta_entry(x, x->op->kind);
	if (x->looked) {
		kept_known(x);
	} else {
		look(x, PUT_LOOK, x->object);
	}
}

static void after_keep(struct s3_op *x) {
	if (x->err.kind == ERR_NONE) {
		x->op->kept = true;
		commit(x);
	} else if (x->err.kind == ERR_CHANGED ||
		   (x->err.kind == ERR_NOT_FOUND && x->op->if_version)) {
		x->saved = x->err;
		look(x, PUT_LOOK_AFTER, x->object);
	} else if (x->err.kind == ERR_NOT_FOUND) {
		commit(x); /* it went meanwhile: nothing to keep */
	} else {
		s3_fail(x);
	}
}

/* A condition that the server did not find true, or an upload that it does not know any more. */
static bool may_be_done(const struct s3_op *x) {
	int status = x->request.status;

	if (x->op->verb == STORE_PART_END) return status == 412 || x->err.kind == ERR_NOT_FOUND;
	return status == 412 || (x->op->if_version && x->err.kind == ERR_NOT_FOUND);
}

static void after_commit(struct s3_op *x) {
	bool good = x->err.kind == ERR_NONE;

	if (is_remove(x)) {
		if (good || x->err.kind == ERR_NOT_FOUND) {
			s3_finish(x, NULL);
		} else {
			s3_fail(x);
		}
		return;
	}
	if (good && !read_put(x)) {
		s3_finish(x, NULL);
	} else if (may_be_done(x)) {
		x->saved = x->err;
		if (x->op->verb == STORE_PUT) x->saved.kind = ERR_CHANGED;
		look(x, PUT_LOOK_AFTER, x->object);
	} else {
		s3_fail(x);
	}
}

static void after_look_after(struct s3_op *x) {
	if (x->err.kind == ERR_NONE) {
		store_entry_release(&x->present);
		x->present = s3_meta_entry(x, x->op->kind);
		if (!is_remove(x) && store_is_ours(x->op, &x->present)) {
			was_done(x);
			return;
		}
		/* It is the expected version after all, which the server does not see: so is
		 * Ceph with some ETags. We have looked, that must do. */
		if (x->op->verb == STORE_PUT && !x->distrust && x->op->if_version &&
			str_equal(x->op->if_version, x->present.version)) {
			x->distrust = true;
			commit(x);
			return;
		}
	} else if (is_remove(x)) {
		was_done(x);
		return;
	}
	x->op->kept = false;
	s3_finish(x, &x->saved);
}

static void put_step(struct s3_op *x) {
	enum put_state state = (enum put_state)x->state;
	bool looks = state != PUT_KEEP && state != PUT_COMMIT;

	if (looks && x->err.kind != ERR_NONE && x->err.kind != ERR_NOT_FOUND) {
		s3_fail(x);
		return;
	}
	switch (state) {
	case PUT_LOOK: after_look(x); return;
	case PUT_LOOK_KEPT: after_look_kept(x); return;
	case PUT_KEEP: after_keep(x); return;
	case PUT_COMMIT: after_commit(x); return;
	case PUT_LOOK_AFTER: after_look_after(x); return;
	case PUT_WAS_KEPT:
		x->op->kept = x->err.kind == ERR_NONE;
		s3_finish(x, NULL);
		return;
	}
}

void s3_put(struct s3_op *x) {
	const struct store_op *op = x->op;
	const struct s3 *s3 = x->s3;
	bool put = op->verb == STORE_PUT, kept = op->keep_key != NULL;
	/* Does some request of ours carry the condition, so that the server checks it at the
	 * right moment? */
	bool version_is_checked =
		kept ? s3_match_works(s3->copy_match) : put && s3_match_works(s3->put_match);
	bool absence_is_checked = put && s3->creates_only;

	x->step = put_step;
	if (op->verb == STORE_PART_END && s3_open_session(x)) {
		s3_refuse_start(x);
		return;
	}
	if (kept) x->to_object = s3_object(s3, op->keep_key, op->kind);
	if ((op->if_version && !version_is_checked) || (op->if_absent && !absence_is_checked) ||
		(kept && !op->if_version)) {
		look(x, PUT_LOOK, x->object);
	} else if (kept) {
		keep(x);
	} else {
		commit(x);
	}
}
