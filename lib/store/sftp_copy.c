#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* COPY: by the server itself where it can (OpenSSH 9.0), else through us. */

enum { SLICE_BYTES = 64 << 20, BLOCK_BYTES = 1 << 20 };

/* From handle 1 to handle 0, x->made.size bytes; x->span.code. */
static void copy_there(struct sftp_op *x) {
	enum { ASK, ASKED };

	if (x->state == ASK) {
		x->hash_at = 0;
		x->state = ASKED;
	} else if (x->results[2].code != SFTP_OK) {
		x->span.code = x->results[2].code;
		sftp_return(x);
		return;
	}
	int64_t left = x->made.size - x->hash_at;
	if (left == 0) {
		x->span.code = SFTP_OK;
		sftp_return(x);
		return;
	}
	/* In slices: a timeout is for an answer, not for a whole film. */
	int64_t len = left < SLICE_BYTES ? left : SLICE_BYTES;
	sftp_ask_copy(x, 2, 1, x->hash_at, len, 0);
	x->hash_at += len;
}

static void copy_through(struct sftp_op *x) {
	enum { READ, WRITE, WROTE };
	struct sftp_span *span = &x->span;

	if (x->state == READ && !x->block) {
		x->block = xmalloc(BLOCK_BYTES);
		span->offset = 0;
	}
	if (x->state == WRITE && span->code == SFTP_OK && span->end > 0) {
		span->handle = 0;
		span->from = x->block;
		span->len = span->end;
		x->state = WROTE;
		sftp_call(x, sftp_write_span);
		return;
	}
	if (x->state == WRITE || span->code != SFTP_OK) {
		free(x->block);
		x->block = NULL;
		sftp_return(x);
		return;
	}
	if (x->state == WROTE) span->offset += span->len;
	span->handle = 1;
	span->to = x->block;
	span->len = BLOCK_BYTES;
	x->state = WRITE;
	sftp_call(x, sftp_read_span);
}

static int begin(struct sftp_op *x) {
	struct store_op *op = x->op;
	int there = sftp_seen(x, 0, op->key, &x->present);

	if (there == 0)
		sftp_fail(x, ERR_NOT_FOUND, "'%s' is not in the remote folder", op->key);
	else if (there > 0 && sftp_kind(&x->present) == STORE_FOLDER)
		sftp_fail_folder(x, op->key);
	else if (there > 0 && sftp_kind(&x->present) == STORE_OTHER)
		sftp_fail(x, ERR_INVALID, "'%s' is no file or link", op->key);
	else if (there > 0 && op->if_version && !sftp_is_version(&x->present, op->if_version))
		sftp_fail_changed(x, op->key);
	if (sftp_has_failed(x)) return -1;
	x->made.to = op->to_key;
	x->made.from = op->key;
	x->made.link = sftp_kind(&x->present) == STORE_LINK;
	x->made.absent = op->if_absent;
	x->made.size = (int64_t)x->present.size;
	x->made.mtime_ns = (int64_t)x->present.mtime * NS_PER_S;
	return 0;
}

void sftp_copy(struct sftp_op *x) {
	enum { LOOK, LOOKED, LINK, OPENED, MADE, COPIED, EXPLAINED, ENDED, PLACED };
	struct store_op *op = x->op;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, op->key);
		return;
	case LOOKED:
		if (begin(x) < 0) break;
		if (str_equal(op->key, op->to_key)) {
			sftp_entry(&op->entry, &x->present);
			break;
		}
		if (x->made.link) {
			x->hash_key = op->key;
			x->hash_link = true;
			x->state = LINK;
			sftp_call(x, sftp_hash);
			return;
		}
		x->state = OPENED;
		sftp_ask_open(x, 1, op->key, SFTP_FOR_READ, -1);
		return;
	case LINK:
		if (sftp_has_failed(x)) break;
		x->made.tmp = sftp_tmp_key(x, "link");
		x->state = ENDED;
		sftp_call(x, sftp_make_link);
		return;
	case OPENED:
		if (x->results[1].code != SFTP_OK) {
			sftp_fail_code(x, x->results[1].code, "cannot read '%s'", op->key);
			break;
		}
		x->made.tmp = sftp_tmp_key(x, "copy");
		x->state = MADE;
		sftp_call(x, sftp_make_file);
		return;
	case MADE:
		if (sftp_has_failed(x)) break;
		x->span.code = SFTP_OK;
		x->state = COPIED;
		sftp_call(x, x->session->has.copy_data ? copy_there : copy_through);
		return;
	case COPIED:
		sftp_close(x, 1);
		x->state = x->span.code == SFTP_OK ? ENDED : EXPLAINED;
		sftp_call(x, x->span.code == SFTP_OK ? sftp_make_end : sftp_explain_write);
		return;
	case ENDED:
		if (x->err.kind == ERR_CORRUPT) {
			/* OpenSSH says OK of what it had no room to copy. */
			x->span.code = SFTP_FAILURE;
			x->state = EXPLAINED;
			sftp_call(x, sftp_explain_write);
			return;
		}
		if (sftp_has_failed(x)) break;
		x->state = PLACED;
		sftp_call(x, sftp_place);
		return;
	case PLACED:
		if (!sftp_has_failed(x)) sftp_answer_made(x);
		break;
	default: break;
	}
	sftp_finish(x);
}
