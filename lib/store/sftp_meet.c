#include <string.h>

#include "store/sftp.h"

/* What is there already: is it the work of an earlier try, whose answer was lost? */

void sftp_kept_before(struct sftp_op *x) {
	enum { ASK, ASKED };

	if (x->state == ASK && x->op->keep_key) {
		x->state = ASKED;
		sftp_ask(x, 0, SFTP_LSTAT, x->op->keep_key);
		return;
	}
	x->op->kept = x->op->keep_key && x->results[0].code == SFTP_OK;
	sftp_return(x);
}

/* ---- the two are the same ---- */

static void hash_of(struct sftp_op *x, const char *key, bool link, int then) {
	x->hash_key = key;
	x->hash_link = link;
	x->state = then;
	sftp_call(x, sftp_hash);
}

void sftp_meet_kept(struct sftp_op *x) {
	enum { LOOK, LOOKED, LEFT, RIGHT };
	const char *key = x->op->key, *keep = x->op->keep_key;
	struct sftp_attrs *kept = &x->made.attrs_kept;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, key);
		sftp_ask(x, 1, SFTP_LSTAT, keep);
		return;
	case LOOKED:
		if (sftp_seen(x, 0, key, &x->other) < 0 || sftp_seen(x, 1, keep, kept) < 0) break;
		if (x->results[0].code == SFTP_OK && x->results[1].code == SFTP_OK &&
			sftp_kind(&x->other) == sftp_kind(kept) && x->other.size == kept->size) {
			hash_of(x, key, sftp_kind(kept) == STORE_LINK, LEFT);
			return;
		}
		sftp_fail(x, ERR_CHANGED, "'%s' holds another version already", keep);
		break;
	case LEFT:
		if (sftp_has_failed(x)) break;
		memcpy(x->hash_other, x->hash, sizeof(x->hash));
		hash_of(x, keep, sftp_kind(kept) == STORE_LINK, RIGHT);
		return;
	default:
		if (!sftp_has_failed(x) &&
			memcmp(x->hash, x->hash_other, digest_len(SFTP_DIGEST)) != 0)
			sftp_fail(x, ERR_CHANGED, "'%s' holds another version already", keep);
	}
	sftp_return(x);
}

/* ---- it is what we wanted to put there ---- */

/* What is cheap to tell: kind, size, time. */
static bool looks_alike(struct sftp_op *x) {
	const struct sftp_made *made = &x->made;
	int there = sftp_seen(x, 0, made->to, &x->other);

	if (there < 0) return false;
	if (there && sftp_kind(&x->other) == STORE_FOLDER) {
		sftp_fail_folder(x, made->to);
		return false;
	}
	enum store_kind kind = made->link ? STORE_LINK : STORE_FILE;
	bool alike = there && sftp_kind(&x->other) == kind && (int64_t)x->other.size == made->size;
	if (alike && !made->link && made->mtime_ns != STORE_MTIME_UNKNOWN)
		alike = x->other.mtime == sftp_seconds(made->mtime_ns);
	if (!alike) sftp_fail_changed(x, made->to);
	return alike;
}

/* False: nothing of it is known. */
static bool our_hash(struct sftp_op *x) {
	const struct store_op *op = x->op;

	if (store_hash_tells(&x->sftp->store, &op->hash)) {
		memcpy(x->hash_other, op->hash.bytes, sizeof(x->hash_other));
	} else if (op->verb == STORE_PUT) {
		digest_of(SFTP_DIGEST, op->body, op->body_len, x->hash_other);
	} else {
		sftp_fail_changed(x, x->made.to);
		return false;
	}
	return true;
}

void sftp_meet_own(struct sftp_op *x) {
	enum { LOOK, LOOKED, OURS, THEIRS, KEPT };
	struct sftp_made *made = &x->made;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, made->to);
		return;
	case LOOKED:
		if (!looks_alike(x)) break;
		if (made->from) {
			hash_of(x, made->from, made->link, OURS);
			return;
		}
		if (!our_hash(x)) break;
		hash_of(x, made->to, made->link, THEIRS);
		return;
	case OURS:
		if (sftp_has_failed(x)) break;
		memcpy(x->hash_other, x->hash, sizeof(x->hash));
		hash_of(x, made->to, made->link, THEIRS);
		return;
	case THEIRS:
		if (!sftp_has_failed(x) &&
			memcmp(x->hash, x->hash_other, digest_len(SFTP_DIGEST)) != 0)
			sftp_fail_changed(x, made->to);
		if (sftp_has_failed(x)) break;
		made->met = true;
		x->op->existed = true;
		made->attrs = x->other;
		x->state = KEPT;
		sftp_call(x, sftp_kept_before);
		return;
	default: break;
	}
	sftp_return(x);
}
