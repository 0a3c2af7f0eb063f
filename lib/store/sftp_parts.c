#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/*
 * A large PUT is written in place into one temporary file, so that its end is a rename. Which parts
 * are there, empty files beside it tell by their names, NAME.NUMBER.SIZE.HASH: each made when the
 * part's bytes are on the disk, all at once or not at all, whoever else is at work. A session is
 * "PART_SIZE:KEY of the temporary file".
 */

enum { RECEIPT_LEN = 32 };

static int read_session(struct sftp_op *x) {
	const char *text = x->op->session, *begin = SFTP_TMP "/" SFTP_TMP_PREFIX "parts.";
	const char *colon = strchr(text, ':');
	char *number = xstrndup(text, colon ? (size_t)(colon - text) : 0);
	int rc = str_to_int(number, 1, INT64_MAX / 2, &x->part_size);

	free(number);
	/* Only what we would have made: a session is read back from outside. */
	if (rc < 0 || !colon || !path_is_plain(colon + 1) || !str_starts(colon + 1, begin) ||
		strchr(colon + 1 + strlen(begin), '/')) {
		sftp_fail(x, ERR_INVALID, "not a session of this store");
		return -1;
	}
	x->session_path = xstrdup(colon + 1);
	return 0;
}

static char *marker_of(const struct sftp_op *x, int number, int64_t size, const char *receipt) {
	return xasprintf("%s.%d.%lld.%s", x->session_path, number, (long long)size, receipt);
}

/* ---- which parts are there ---- */

static void add_part(struct sftp_op *x, const struct sftp_bytes *name) {
	const char *session = path_name(x->session_path);
	char *copy = xstrndup(name->at, name->len), *rest, *words[3];
	int64_t number, size;
	size_t len = strlen(session);

	if (strncmp(copy, session, len) != 0 || copy[len] != '.') goto out;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		words[i] = strtok_r(i == 0 ? copy + len : NULL, ".", &rest);
		if (!words[i]) goto out;
	}
	if (str_to_int(words[0], 1, INT32_MAX, &number) < 0) goto out;
	if (str_to_int(words[1], 0, INT64_MAX, &size) < 0) goto out;
	if (strlen(words[2]) != RECEIPT_LEN) goto out;
	store_part_add(x->op, (int)number, size, words[2]);
out:
	free(copy);
}

static void take_names(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_bytes name;
	struct sftp_attrs attrs;
	int rc;

	if (request->type != SFTP_READDIR) return;
	if (answer->type == SFTP_STATUS) {
		if (answer->code != SFTP_EOF)
			sftp_fail_code(x, answer->code, "cannot list '%s'", SFTP_TMP);
		return;
	}
	while ((rc = sftp_next_name(answer, &name, &attrs)) > 0) add_part(x, &name);
	if (rc < 0) sftp_fail(x, ERR_CORRUPT, "the list of '%s' makes no sense", SFTP_TMP);
	if (rc == 0) sftp_ask_handle(x, 1, SFTP_READDIR, 0);
}

/* Into op->answer_parts; ERR_NOT_FOUND: no such upload. x->present: the temporary file. */
static void find_parts(struct sftp_op *x) {
	enum { OPEN, OPENED, READ };

	switch (x->state) {
	case OPEN:
		x->state = OPENED;
		sftp_ask(x, 1, SFTP_LSTAT, x->session_path);
		sftp_ask(x, 0, SFTP_OPENDIR, SFTP_TMP);
		return;
	case OPENED: {
		int there = sftp_seen(x, 1, x->session_path, &x->present);
		if (there == 0)
			sftp_fail(x, ERR_NOT_FOUND, "the upload is not known");
		else if (there > 0 && x->results[0].code != SFTP_OK)
			sftp_fail_code(x, x->results[0].code, "cannot list '%s'", SFTP_TMP);
		if (sftp_has_failed(x)) break;
		x->state = READ;
		x->take = take_names;
		sftp_ask_handle(x, 1, SFTP_READDIR, 0);
		return;
	}
	default: x->take = NULL;
	}
	sftp_close(x, 0);
	sftp_return(x);
}

/* Nobody waits for it: what stays is cleaned as a leftover. */
static void forget(struct sftp_op *x) {
	struct store_op *op = x->op;

	for (size_t i = 0; i < op->answer_part_count; i++) {
		const struct store_part *part = &op->answer_parts[i];
		char *marker = marker_of(x, part->number, part->size, part->receipt);
		sftp_ask(x, 1, SFTP_REMOVE, marker);
		free(marker);
	}
	sftp_ask(x, 0, SFTP_REMOVE, x->session_path);
}

/* ---- the verbs ---- */

static void take_room(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	int64_t room = sftp_next_room(answer);

	/* Better now than after hours, on a disk that is full for everybody by then. */
	if (room >= 0 && room < x->op->size) sftp_fail_full(x);
}

void sftp_part_begin(struct sftp_op *x) {
	enum { LOOK, LOOKED, MADE };
	struct store_op *op = x->op;
	int64_t part_size = op->part_size > 0 ? op->part_size : SFTP_PART_BYTES;

	switch (x->state) {
	case LOOK: {
		char *parent = path_parent(op->key);
		x->state = LOOKED;
		x->take = take_room;
		sftp_ask(x, 0, SFTP_STAT, parent);
		if (x->session->has.statvfs) sftp_ask_statvfs(x, 1, parent);
		free(parent);
		return;
	}
	case LOOKED:
		x->take = NULL;
		if (x->results[0].code != SFTP_OK)
			sftp_fail_code(x, x->results[0].code, "the folder of '%s'", op->key);
		if (sftp_has_failed(x)) break;
		x->made.tmp = sftp_tmp_key(x, "parts");
		x->state = MADE;
		sftp_call(x, sftp_make_file);
		return;
	default:
		if (sftp_has_failed(x)) break;
		op->answer_session = xasprintf("%lld:%s", (long long)part_size, x->made.tmp);
		x->made.lasting = true;
	}
	sftp_finish(x);
}

void sftp_part_put(struct sftp_op *x) {
	enum { OPEN, OPENED, WROTE, EXPLAINED, SYNCED, MARKED };
	struct store_op *op = x->op;
	char receipt[RECEIPT_LEN + 1], *marker;

	switch (x->state) {
	case OPEN:
		if (read_session(x) < 0) break;
		if (op->part_number < 1 || (int64_t)op->body_len > x->part_size) {
			sftp_fail(x, ERR_INVALID, "part %d does not fit", op->part_number);
			break;
		}
		x->state = OPENED;
		sftp_ask_open(x, 0, x->session_path, SFTP_FOR_WRITE, -1);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(x, x->results[0].code, "the upload is not known");
			break;
		}
		sftp_body_begin(x, (op->part_number - 1) * x->part_size);
		x->state = WROTE;
		sftp_call(x, sftp_write_span);
		return;
	case WROTE:
		sftp_body_end(x);
		if (sftp_has_failed(x)) break;
		if (x->span.code != SFTP_OK) {
			x->state = EXPLAINED;
			sftp_call(x, sftp_explain_write);
			return;
		}
		/* Before the name that says it is there: a power cut must not leave that alone. */
		x->state = SYNCED;
		if (x->session->has.fsync) sftp_ask_fsync(x, 0, 0);
		sftp_ask_handle(x, 1, SFTP_CLOSE, 0);
		return;
	case SYNCED:
		for (int slot = 0; slot < 2 && !sftp_has_failed(x); slot++)
			if (x->results[slot].code != SFTP_OK)
				sftp_fail_code(x, x->results[slot].code, "cannot write part %d",
					op->part_number);
		if (sftp_has_failed(x)) break;
		hex_encode(x->hash, RECEIPT_LEN / 2, receipt);
		op->receipt = xstrdup(receipt);
		marker = marker_of(x, op->part_number, (int64_t)op->body_len, receipt);
		x->state = MARKED;
		sftp_ask_open(x, 0, marker, SFTP_FOR_WRITE | SFTP_MAKE, 0600);
		free(marker);
		return;
	case MARKED:
		if (x->results[0].code != SFTP_OK)
			sftp_fail_code(
				x, x->results[0].code, "cannot note part %d", op->part_number);
		break;
	default: break;
	}
	sftp_finish(x);
}

void sftp_part_query(struct sftp_op *x) {
	enum { FIND, FOUND };

	if (x->state == FIND && read_session(x) == 0) {
		x->state = FOUND;
		sftp_call(x, find_parts);
		return;
	}
	sftp_finish(x);
}

void sftp_part_abort(struct sftp_op *x) {
	enum { FIND, FOUND, REMOVED };

	if (x->state == FIND && read_session(x) == 0) {
		x->state = FOUND;
		sftp_call(x, find_parts);
		return;
	}
	if (x->state == FOUND && !sftp_has_failed(x)) {
		x->state = REMOVED;
		forget(x);
		return;
	}
	if (x->err.kind == ERR_NOT_FOUND) err_clear(&x->err);
	sftp_finish(x);
}

static int by_number(const void *left, const void *right) {
	const struct store_part *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

/* Goes on from `*at`: both are in order, and may be 100,000. */
static const struct store_part *find_part(
	const struct store_op *op, const struct store_part *asked, size_t *at) {
	for (; *at < op->answer_part_count; (*at)++) {
		const struct store_part *part = &op->answer_parts[*at];
		if (part->number == asked->number && str_equal(part->receipt, asked->receipt))
			return part;
	}
	return NULL;
}

/* Are the parts that the caller counts on those that are there, without a hole? */
static bool has_all(struct sftp_op *x) {
	const struct store_op *op = x->op;
	size_t at = 0;

	if (op->answer_part_count > 0)
		qsort(op->answer_parts, op->answer_part_count, sizeof(*op->answer_parts),
			by_number);
	x->made.size = 0;
	for (size_t i = 0; i < op->part_count; i++) {
		const struct store_part *there = find_part(op, &op->parts[i], &at);
		bool last = i + 1 == op->part_count;
		if (op->parts[i].number != (int)i + 1 || !there ||
			(!last && there->size != x->part_size)) {
			sftp_fail(x, ERR_INVALID, "part %d of '%s' is not there", (int)i + 1,
				op->key);
			return false;
		}
		x->made.size += there->size;
	}
	if ((int64_t)x->present.size != x->made.size || (op->size > 0 && op->size != x->made.size))
		sftp_fail(x, ERR_CHANGED, "the parts of '%s' are %lld bytes in all", op->key,
			(long long)x->made.size);
	return !sftp_has_failed(x);
}

void sftp_part_end(struct sftp_op *x) {
	enum { FIND, FOUND, OPENED, ENDED, PLACED, MET };
	struct store_op *op = x->op;

	switch (x->state) {
	case FIND:
		x->made.to = op->key;
		x->made.absent = op->if_absent;
		x->made.size = op->size;
		x->made.mtime_ns = op->mtime_ns;
		x->made.lasting = true;
		if (read_session(x) < 0) break;
		x->state = FOUND;
		sftp_call(x, find_parts);
		return;
	case FOUND:
		if (x->err.kind == ERR_NOT_FOUND) {
			/* By the end that an earlier try made of it? */
			x->state = MET;
			sftp_call(x, sftp_meet_own);
			return;
		}
		if (sftp_has_failed(x) || !has_all(x)) break;
		x->made.tmp = xstrdup(x->session_path);
		x->state = OPENED;
		sftp_ask_open(x, 0, x->session_path, SFTP_FOR_READ | SFTP_FOR_WRITE, -1);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(x, x->results[0].code, "the upload of '%s'", op->key);
			break;
		}
		x->state = ENDED;
		sftp_call(x, sftp_make_end);
		return;
	case ENDED:
		if (sftp_has_failed(x)) break;
		x->state = PLACED;
		sftp_call(x, sftp_place);
		return;
	case PLACED:
		if (sftp_has_failed(x)) break; /* the parts stand, and can be ended again */
		sftp_answer_made(x);
		forget(x);
		sftp_session_forget(x->session, x);
		break;
	default:
		if (!sftp_has_failed(x))
			sftp_answer_made(x);
		else if (x->err.kind == ERR_CHANGED || x->err.kind == ERR_NOT_FOUND)
			sftp_fail(x, ERR_NOT_FOUND, "the upload of '%s' is not known", op->key);
	}
	sftp_finish(x);
}
