#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* What is made aside until it gets its name, and what it answers when it has it. */

void sftp_make_file(struct sftp_op *x) {
	enum { OPEN, OPENED, PARENTS };

	switch (x->state) {
	case OPEN:
		x->state = OPENED;
		sftp_ask_open(x, 0, x->made.tmp,
			SFTP_FOR_READ | SFTP_FOR_WRITE | SFTP_MAKE | SFTP_EXCLUSIVE, 0600);
		return;
	case OPENED:
		if (x->results[0].code == SFTP_NO_SUCH_FILE && !x->made.parents) {
			x->made.parents = true;
			x->parents_of = x->made.tmp;
			x->state = OPEN;
			sftp_call(x, sftp_parents);
			return;
		}
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(
				x, x->results[0].code, "cannot make a file in '%s'", SFTP_TMP);
			free(x->made.tmp);
			x->made.tmp = NULL;
		}
		break;
	default: break;
	}
	x->made.parents = false;
	sftp_return(x);
}

void sftp_make_link(struct sftp_op *x) {
	enum { ASK, ASKED, SET };

	switch (x->state) {
	case ASK:
		x->state = ASKED;
		sftp_ask_symlink(x, 0, x->text, x->made.tmp);
		return;
	case ASKED:
		if (x->results[0].code == SFTP_NO_SUCH_FILE && !x->made.parents) {
			x->made.parents = true;
			x->parents_of = x->made.tmp;
			x->state = ASK;
			sftp_call(x, sftp_parents);
			return;
		}
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(
				x, x->results[0].code, "cannot make a link in '%s'", SFTP_TMP);
			free(x->made.tmp);
			x->made.tmp = NULL;
			break;
		}
		if (x->made.mtime_ns == STORE_MTIME_UNKNOWN || !x->session->has.lsetstat) break;
		x->state = SET;
		uint32_t time = sftp_seconds(x->made.mtime_ns);
		sftp_ask_set_link(x, 0, x->made.tmp,
			&(struct sftp_attrs){ .has_times = true, .atime = time, .mtime = time });
		return;
	default: break; /* a time that a link does not take is no loss */
	}
	x->made.parents = false;
	sftp_return(x);
}

/* After the bytes, which move the time. What may replace something is on the disk before the old one
 * goes; what is new waits for SYNC. */
void sftp_make_end(struct sftp_op *x) {
	enum { ASK, ASKED };
	bool sync = x->session->has.fsync &&
		    (!x->made.absent || x->sftp->unsynced_count == SFTP_UNSYNCED_MAX);
	int mode = x->op->mode == STORE_MODE_UNKNOWN ? 0644 : x->op->mode & 0777;

	if (x->state == ASK) {
		struct sftp_attrs attrs = { .has_mode = true, .mode = (uint32_t)mode };
		if (x->made.from) attrs.mode = x->present.mode & 0777;
		if (x->made.mtime_ns != STORE_MTIME_UNKNOWN) {
			attrs.has_times = true;
			attrs.atime = attrs.mtime = sftp_seconds(x->made.mtime_ns);
		}
		x->state = ASKED;
		sftp_ask_set_open(x, 0, 0, &attrs);
		if (sync) sftp_ask_fsync(x, 2, 0);
		sftp_ask_handle(x, 1, SFTP_FSTAT, 0);
		sftp_ask_handle(x, 3, SFTP_CLOSE, 0);
		return;
	}
	x->made.attrs = x->results[1].attrs;
	for (int slot = 0; slot < 4 && !sftp_has_failed(x); slot++)
		if (x->results[slot].code != SFTP_OK)
			sftp_fail_code(x, x->results[slot].code, "cannot finish '%s'", x->made.to);
	if (!sftp_has_failed(x) && (int64_t)x->made.attrs.size != x->made.size)
		sftp_fail(x, ERR_CORRUPT, "'%s' has %llu bytes at the server instead of %lld",
			x->made.to, (unsigned long long)x->made.attrs.size,
			(long long)x->made.size);
	sftp_return(x);
}

void sftp_answer_made(struct sftp_op *x) {
	struct store_op *op = x->op;

	sftp_entry(&op->entry, &x->made.attrs);
	if (store_hash_tells(&x->sftp->store, &op->hash) && !x->made.from)
		op->entry.hash = op->hash;
	if (!x->made.link) sftp_note_unsynced(x->sftp, x->made.to);
}
