#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* PUT: beside, whole and checked, then the name. */

enum { TARGET_MAX_BYTES = 4096 };

void sftp_fail_full(struct sftp_op *x) {
	sftp_fail(x, ERR_FULL, "no room for '%s' at the server; make room on its disk",
		x->op->key ? x->op->key : "a part");
}

/* The server tells no more than FAILURE when it has no room: is there any? */
static void take_room(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	int64_t room = sftp_next_room(answer);

	if (room >= 0 && room < (int64_t)x->span.len + (1 << 20)) sftp_fail_full(x);
}

void sftp_explain_write(struct sftp_op *x) {
	enum { ASK, ASKED };

	if (x->state == ASK) {
		x->state = ASKED;
		sftp_fail_code(
			x, x->span.code, "cannot write '%s'", x->op->key ? x->op->key : "a part");
		if (x->span.code == SFTP_FAILURE && x->session->has.statvfs) {
			x->take = take_room;
			sftp_ask_statvfs(x, 0, "");
			return;
		}
	}
	x->take = NULL;
	sftp_return(x);
}

/* What op->hash says of the body is told by the same. */
static enum digest_kind digest_like(const struct store_hash *hash) {
	enum digest_kind kind = SFTP_DIGEST;

	store_hash_digest(hash, &kind);
	return kind;
}

void sftp_body_begin(struct sftp_op *x, int64_t offset) {
	x->span.handle = 0;
	x->span.from = x->op->body;
	x->span.offset = offset;
	x->span.len = (int64_t)x->op->body_len;
	if (x->op->hash.kind != STORE_HASH_NONE) digest_init(&x->digest, digest_like(&x->op->hash));
}

void sftp_body_end(struct sftp_op *x) {
	const struct store_hash *hash = &x->op->hash;

	if (!x->digest.context) return;
	size_t len = digest_end(&x->digest, x->hash);

	if (hash->kind != STORE_HASH_NONE && memcmp(x->hash, hash->bytes, len) != 0)
		sftp_fail(x, ERR_CHANGED, "'%s' is not what its hash says",
			x->op->key ? x->op->key : "a part");
}

static int begin(struct sftp_op *x) {
	struct store_op *op = x->op;

	x->made.to = op->key;
	x->made.link = op->kind == STORE_LINK;
	x->made.absent = op->if_absent;
	x->made.size = (int64_t)op->body_len;
	x->made.mtime_ns = op->mtime_ns;
	x->made.tmp = sftp_tmp_key(x, x->made.link ? "link" : "put");
	if (x->made.link) {
		digest_init(&x->digest, digest_like(&op->hash));
		digest_add(&x->digest, op->body, op->body_len);
		sftp_body_end(x);
	}
	if (x->made.link && (op->body_len == 0 || op->body_len >= TARGET_MAX_BYTES ||
				    memchr(op->body, '\0', op->body_len)))
		sftp_fail(x, ERR_INVALID, "the target of link '%s' cannot be stored", op->key);
	else if (x->made.link && !sftp_has_failed(x))
		x->text = xstrndup(op->body, op->body_len);
	return sftp_has_failed(x) ? -1 : 0;
}

void sftp_put(struct sftp_op *x) {
	enum { MAKE, MADE, WROTE, EXPLAINED, ENDED, PLACED };
	struct store_op *op = x->op;

	switch (x->state) {
	case MAKE:
		if (begin(x) < 0) {
			free(x->made.tmp);
			x->made.tmp = NULL;
			break;
		}
		x->state = x->made.link ? ENDED : MADE;
		sftp_call(x, x->made.link ? sftp_make_link : sftp_make_file);
		return;
	case MADE:
		if (sftp_has_failed(x)) break;
		sftp_body_begin(x, 0);
		x->state = WROTE;
		sftp_call(x, sftp_write_span);
		return;
	case WROTE:
		sftp_body_end(x);
		if (sftp_has_failed(x)) break;
		x->state = x->span.code == SFTP_OK ? ENDED : EXPLAINED;
		sftp_call(x, x->span.code == SFTP_OK ? sftp_make_end : sftp_explain_write);
		return;
	case ENDED:
		if (sftp_has_failed(x)) break;
		x->state = PLACED;
		sftp_call(x, sftp_place);
		return;
	case PLACED:
		if (!sftp_has_failed(x)) sftp_answer_made(x);
		break;
	default: break;
	}
	/* A parent that is not there is the caller's to make; one of SFTP_TMP's never is. */
	if (sftp_has_failed(x)) err_wrap(&x->err, "cannot put '%s'", op->key);
	sftp_finish(x);
}
