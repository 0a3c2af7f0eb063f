#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/*
 * Where nothing can be renamed over what is there, a name is absent for a moment: the old one is
 * renamed away, then the new one to its place. Should the connection break between the two, a record
 * below SFTP_SWAPS, written before, tells whoever comes next what was meant: the name, where the old
 * one is then, and what waits for the name ("": what may wait for ever), each ended by a NUL.
 *
 * What is put back is the old one: of the new one nobody knows whether its bytes are on the disk. Any
 * machine may do it at any moment, since RENAME refuses a name that is taken, and what is put aside
 * has a name of its own each time: then the first of the two to be done counts, and the other begins
 * anew.
 */

enum { RECORD_MAX = 16 << 10 };

/* ---- the record ---- */

/* The same for the same two names: a repeat writes no second one, which would be left alone. */
static char *record_key(const char *to, const char *aside) {
	uint8_t md5[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	struct digest digest;

	digest_init(&digest, DIGEST_MD5);
	digest_add(&digest, to, strlen(to) + 1);
	digest_add(&digest, aside, strlen(aside));
	hex_encode(md5, digest_end(&digest, md5), hex);
	return xasprintf(SFTP_SWAPS "/%s", hex);
}

static void write_record(struct sftp_op *x, const char *aside) {
	const char *texts[] = { x->made.to, aside, x->made.lasting ? "" : x->made.tmp };
	struct buf record;

	buf_init(&record, RECORD_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_add(&record, texts[i], strlen(texts[i]) + 1);
	x->swap.size = record.len;
	sftp_ask_write(x, 0, 0, record.at, (uint32_t)record.len);
	sftp_ask_handle(x, 1, SFTP_FSTAT, 0);
	if (x->session->has.fsync) sftp_ask_fsync(x, 2, 0);
	sftp_ask_handle(x, 3, SFTP_CLOSE, 0);
	buf_release(&record);
}

void sftp_swap_note(struct sftp_op *x) {
	enum { OPEN, OPENED, AGAIN, OPENED_AGAIN, WROTE };

	switch (x->state) {
	case OPEN:
		free(x->made.record);
		x->made.record = record_key(x->made.to, x->made.aside);
		/* fallthrough */
	case AGAIN:
		x->state++;
		sftp_ask_open(x, 0, x->made.record, SFTP_FOR_WRITE | SFTP_MAKE | SFTP_EMPTY, 0600);
		return;
	case OPENED:
		if (x->results[0].code == SFTP_NO_SUCH_FILE) {
			x->parents_of = x->made.record;
			x->state = AGAIN;
			sftp_call(x, sftp_parents);
			return;
		}
		/* fallthrough */
	case OPENED_AGAIN:
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(
				x, x->results[0].code, "cannot make a file in '%s'", SFTP_SWAPS);
			break;
		}
		x->results[2].code = SFTP_OK;
		x->state = WROTE;
		write_record(x, x->made.aside);
		return;
	default:
		for (int slot = 1; slot < 4 && !sftp_has_failed(x); slot++)
			if (x->results[slot].code != SFTP_OK)
				sftp_fail_code(x, x->results[slot].code, "cannot write '%s'",
					x->made.record);
		if (!sftp_has_failed(x) && x->results[1].attrs.size != x->swap.size)
			sftp_fail_code(x, SFTP_FAILURE, "cannot write '%s'", x->made.record);
		if (sftp_has_failed(x)) sftp_swap_over(x);
	}
	sftp_return(x);
}

void sftp_swap_over(struct sftp_op *x) {
	sftp_drop(x, x->made.record);
	free(x->made.record);
	x->made.record = NULL;
}

/* ---- what broke off ---- */

static bool is_text(const char *text, const char *end) {
	return text < end && memchr(text, '\0', (size_t)(end - text));
}

/* Only what we would have written: it is read back from outside. */
static int read_record(struct sftp_swap *swap) {
	const char *end = swap->record.at + swap->record.len;

	swap->to = swap->record.at;
	if (!is_text(swap->to, end)) return -1;
	swap->aside = swap->to + strlen(swap->to) + 1;
	if (!is_text(swap->aside, end)) return -1;
	swap->tmp = swap->aside + strlen(swap->aside) + 1;
	if (!is_text(swap->tmp, end) || swap->tmp + strlen(swap->tmp) + 1 != end) return -1;
	if (!path_is_plain(swap->to) || !path_is_plain(swap->aside)) return -1;
	return *swap->tmp && !sftp_is_tmp(swap->tmp) ? -1 : 0;
}

static void take_record(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	if (request->type == SFTP_READ && answer->type == SFTP_DATA)
		buf_add(&x->swap.record, answer->text.at, answer->text.len);
}

/* One that is at work in this very process. */
static bool is_ours(const struct sftp *sftp, const char *key) {
	list_each(&sftp->sessions, link) {
		struct sftp_session *session = list_entry(link, struct sftp_session, link);
		list_each(&session->ops, each)
			if (str_equal(list_entry(each, struct sftp_op, link)->made.record, key))
				return true;
	}
	return false;
}

/* It matters to the operation whether there is something by this name. */
static bool asks_for(const struct store_op *op, const char *key) {
	if (op->verb == STORE_STAT || op->verb == STORE_GET) return str_equal(op->key, key);
	if (op->verb != STORE_LIST) return false;
	char *parent = path_parent(key);
	bool in_it = str_equal(op->key, parent);
	free(parent);
	return in_it;
}

/* The swap is over, this way or the other. */
static void forget(struct sftp_op *x) {
	/* A kept version stays. */
	if (sftp_is_tmp(x->swap.aside)) sftp_drop(x, x->swap.aside);
	sftp_drop(x, x->swap.keys[x->swap.at]);
}

/* Not begun yet, by somebody who is about to, or who never will. */
static void judge_inert(struct sftp_op *x) {
	int64_t now_s = loop_wall_ns(x->sftp->store.loop) / NS_PER_S;

	if (now_s - x->swap.mtime > SFTP_LEFTOVER_S) sftp_drop(x, x->swap.keys[x->swap.at]);
}

static void put_back(struct sftp_op *x) {
	sftp_ask_two(x, 0, SFTP_RENAME, x->swap.aside, x->swap.to);
	sftp_ask(x, 1, SFTP_LSTAT, x->swap.to);
	sftp_ask(x, 2, SFTP_LSTAT, x->swap.aside);
}

static void put_back_answered(struct sftp_op *x) {
	uint32_t code = x->results[0].code;

	if (code == SFTP_OK) {
		log_info("'%s' in the remote folder is there again, after a replacement that broke "
			 "off",
			x->swap.to);
		if (*x->swap.tmp) sftp_drop(x, x->swap.tmp);
		sftp_drop(x, x->swap.keys[x->swap.at]);
	} else if (x->results[1].code == SFTP_OK || x->results[2].code != SFTP_OK) {
		return; /* somebody else was here meanwhile */
	} else if (code == SFTP_NO_SUCH_FILE) {
		forget(x); /* its folder was removed */
	} else {
		x->swap.stuck = true;
		if (asks_for(x->op, x->swap.to))
			sftp_fail(x, ERR_BUSY,
				"a replacement of '%s' broke off, and the old one, now '%s', "
				"cannot be put back",
				x->swap.to, x->swap.aside);
	}
}

static void mend_one(struct sftp_op *x) {
	enum { OPEN, OPENED, READ, LOOKED, PUT_BACK };
	struct sftp_swap *swap = &x->swap;

	switch (x->state) {
	case OPEN:
		if (is_ours(x->sftp, swap->keys[swap->at])) break;
		x->state = OPENED;
		sftp_ask_open(x, 1, swap->keys[swap->at], SFTP_FOR_READ, -1);
		return;
	case OPENED:
		if (x->results[1].code != SFTP_OK) break;
		buf_release(&swap->record);
		buf_init(&swap->record, SFTP_PACKET_MAX);
		x->state = READ;
		x->take = take_record;
		sftp_ask_read(x, 1, 0, RECORD_MAX);
		sftp_ask_handle(x, 2, SFTP_FSTAT, 1);
		sftp_ask_handle(x, 3, SFTP_CLOSE, 1);
		return;
	case READ:
		x->take = NULL;
		if (x->results[2].code != SFTP_OK) break;
		swap->mtime = x->results[2].attrs.mtime;
		if (read_record(swap) < 0) {
			judge_inert(x);
			break;
		}
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, swap->to);
		sftp_ask(x, 1, SFTP_LSTAT, swap->aside);
		return;
	case LOOKED:
		if (x->results[1].code == SFTP_NO_SUCH_FILE) {
			judge_inert(x);
		} else if (x->results[1].code == SFTP_OK && x->results[0].code == SFTP_OK) {
			forget(x);
		} else if (x->results[1].code == SFTP_OK &&
			   x->results[0].code == SFTP_NO_SUCH_FILE) {
			x->state = PUT_BACK;
			put_back(x);
			return;
		}
		break;
	default: put_back_answered(x);
	}
	sftp_return(x);
}

static bool is_record(const char *name) {
	return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

static void take_names(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_bytes name;
	struct sftp_attrs attrs;

	if (request->type != SFTP_READDIR || answer->type != SFTP_NAME) return;
	while (sftp_next_name(answer, &name, &attrs) > 0) {
		char *copy = xstrndup(name.at, name.len);
		if (is_record(copy)) strv_add_owned(&x->swap.keys, path_join(SFTP_SWAPS, copy));
		free(copy);
	}
	sftp_ask_handle(x, 2, SFTP_READDIR, 0);
}

void sftp_swap_release(struct sftp_op *x) {
	strv_free(x->swap.keys);
	buf_release(&x->swap.record);
	x->swap = (struct sftp_swap){ 0 };
}

void sftp_mend(struct sftp_op *x) {
	enum { OPEN, OPENED, EACH, DONE };
	struct sftp_swap *swap = &x->swap;

	switch (x->state) {
	case OPEN:
		swap->losses = x->sftp->losses;
		x->state = OPENED;
		sftp_ask(x, 0, SFTP_OPENDIR, SFTP_SWAPS);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK)
			break; /* as good as always: none was ever made */
		x->state = EACH;
		x->take = take_names;
		sftp_ask_handle(x, 2, SFTP_READDIR, 0);
		return;
	case EACH:
		x->take = NULL;
		sftp_close(x, 0);
		/* fallthrough */
	default:
		if (x->state == DONE) swap->at++;
		if (sftp_has_failed(x) || !swap->keys || !swap->keys[swap->at]) break;
		x->state = DONE;
		sftp_call(x, mend_one);
		return;
	}
	if (!swap->stuck) {
		x->sftp->mended = swap->losses;
		x->sftp->mended_ms = loop_now_ms(x->sftp->store.loop);
	}
	sftp_swap_release(x);
	sftp_return(x);
}
