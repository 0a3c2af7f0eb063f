#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* What stands over there: STAT, GET, ABOUT, and how attributes become an answer. */

enum { KIND_MASK = 0170000, KIND_FILE = 0100000, KIND_FOLDER = 0040000, KIND_LINK = 0120000 };

enum store_kind sftp_kind(const struct sftp_attrs *attrs) {
	switch (attrs->mode & KIND_MASK) {
	case KIND_FILE: return STORE_FILE;
	case KIND_FOLDER: return STORE_FOLDER;
	case KIND_LINK: return STORE_LINK;
	default: return STORE_OTHER;
	}
}

char *sftp_version(const struct sftp_attrs *attrs) {
	if (sftp_kind(attrs) == STORE_FOLDER) return NULL;
	return xasprintf("%llu-%u", (unsigned long long)attrs->size, attrs->mtime);
}

bool sftp_is_version(const struct sftp_attrs *attrs, const char *version) {
	char *now = sftp_version(attrs);
	bool same = str_equal(now, version);

	free(now);
	return same;
}

void sftp_entry(struct store_entry *entry, const struct sftp_attrs *attrs) {
	store_entry_release(entry);
	entry->kind = sftp_kind(attrs);
	entry->size = entry->kind == STORE_FOLDER ? 0 : (int64_t)attrs->size;
	if (attrs->has_times) entry->mtime_ns = (int64_t)attrs->mtime * NS_PER_S;
	if (entry->kind != STORE_LINK) entry->mode = (int)(attrs->mode & 0777);
	entry->version = sftp_version(attrs);
}

uint32_t sftp_seconds(int64_t ns) {
	int64_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0);

	if (seconds < 0) return 0;
	return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

char *sftp_tmp_key(struct sftp_op *x, const char *hint) {
	uint64_t bits;

	loop_random(x->sftp->store.loop, &bits, sizeof(bits));
	/* With the time it was made, which its own mtime does not tell (sftp_clean.c). */
	return xasprintf(SFTP_TMP "/" SFTP_TMP_PREFIX "%s.%08x.%016llx", hint,
		sftp_seconds(loop_wall_ns(x->sftp->store.loop)), (unsigned long long)bits);
}

bool sftp_is_tmp(const char *key) {
	const char *begin = SFTP_TMP "/" SFTP_TMP_PREFIX;

	return path_is_plain(key) && str_starts(key, begin) && !strchr(key + strlen(begin), '/');
}

int sftp_seen(struct sftp_op *x, int slot, const char *key, struct sftp_attrs *attrs) {
	const struct sftp_result *result = &x->results[slot];

	if (result->code == SFTP_NO_SUCH_FILE) return 0;
	*attrs = result->attrs;
	if (result->code == SFTP_OK && attrs->has_mode && attrs->has_size &&
		attrs->size <= INT64_MAX)
		return 1;
	sftp_fail_code(x, result->code, "cannot look at '%s'", key);
	return -1;
}

static void fail_absent(struct sftp_op *x) {
	sftp_fail(x, ERR_NOT_FOUND, "'%s' is not in the remote folder", x->op->key);
}

/* The root may be reached through a link; below it none is followed. */
static void ask_look(struct sftp_op *x) {
	sftp_ask(x, 0, *x->op->key ? SFTP_LSTAT : SFTP_STAT, x->op->key);
}

/* ---- STAT ---- */

void sftp_stat(struct sftp_op *x) {
	enum { LOOK, LOOKED, MENDED, AGAIN, TARGET, HASHED };
	struct store_op *op = x->op;
	enum store_kind kind;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		ask_look(x);
		return;
	case MENDED:
		if (sftp_has_failed(x)) break;
		x->state = AGAIN;
		ask_look(x);
		return;
	case LOOKED:
	case AGAIN: {
		int there = sftp_seen(x, 0, op->key, &x->present);
		/* For others "absent" is a deletion: it may be on its way to its name. */
		if (there == 0 && x->state == LOOKED) {
			x->state = MENDED;
			sftp_call(x, sftp_mend);
			return;
		}
		if (there == 0) fail_absent(x);
		if (there <= 0) break;
		sftp_entry(&op->entry, &x->present);
		kind = op->entry.kind;
		if (kind != STORE_LINK && !(op->want_hash && kind == STORE_FILE)) break;
		x->hash_key = op->key;
		x->hash_link = kind == STORE_LINK;
		x->state = x->hash_link ? TARGET : HASHED;
		sftp_call(x, sftp_hash);
		return;
	}
	case TARGET:
		op->entry.target = x->text;
		x->text = NULL;
		/* fallthrough */
	default:
		if (sftp_has_failed(x) || !op->want_hash) break;
		op->entry.hash = store_hash_from(&x->sftp->store, x->hash);
	}
	sftp_finish(x);
}

/* ---- GET ---- */

static bool is_wanted(struct sftp_op *x, enum store_kind kind) {
	const struct store_op *op = x->op;
	int there = sftp_seen(x, 0, op->key, &x->present);

	if (there < 0) return false;
	if (there == 0)
		fail_absent(x);
	else if (sftp_kind(&x->present) != kind)
		sftp_fail(x, ERR_INVALID, "'%s' is of another kind", op->key);
	else if (op->if_version && !sftp_is_version(&x->present, op->if_version))
		sftp_fail_changed(x, op->key);
	return !sftp_has_failed(x);
}

static void get_link(struct sftp_op *x) {
	enum { LOOK, LOOKED, READ };
	struct store_op *op = x->op;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, op->key);
		return;
	case LOOKED:
		if (!is_wanted(x, STORE_LINK)) break;
		x->state = READ;
		x->hash_key = op->key;
		x->hash_link = true;
		sftp_call(x, sftp_hash);
		return;
	default:
		if (sftp_has_failed(x)) break;
		buf_adds(&op->answer_body, x->text);
		sftp_entry(&op->entry, &x->present);
	}
	sftp_finish(x);
}

/* The span that the file has of what is asked for. */
static int64_t span_length(const struct sftp_op *x) {
	const struct store_op *op = x->op;
	int64_t size = (int64_t)x->present.size, left = size > op->offset ? size - op->offset : 0;

	return op->length > 0 && op->length < left ? op->length : left;
}

static void get_file(struct sftp_op *x) {
	enum { LOOK, LOOKED, OPENED, READ, CHECKED };
	struct store_op *op = x->op;
	struct sftp_span *span = &x->span;
	int64_t len;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, op->key);
		return;
	case LOOKED:
		if (!is_wanted(x, STORE_FILE)) break;
		if (span_length(x) > STORE_SPAN_MAX) {
			sftp_fail(x, ERR_INVALID, "a span of '%s' is too long", op->key);
			break;
		}
		x->state = OPENED;
		sftp_ask_open(x, 0, op->key, SFTP_FOR_READ, -1);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(x, x->results[0].code, "cannot read '%s'", op->key);
			break;
		}
		len = span_length(x);
		buf_release(&op->answer_body);
		buf_init(&op->answer_body, STORE_SPAN_MAX);
		/* Room for all of it at once, where each answer has its place. */
		op->answer_body.at = xmalloc((size_t)len + 1);
		op->answer_body.at[0] = '\0';
		op->answer_body.cap = (size_t)len + 1;
		span->handle = 0;
		span->to = op->answer_body.at;
		span->offset = op->offset;
		span->len = len;
		x->state = READ;
		sftp_call(x, sftp_read_span);
		return;
	case READ:
		op->answer_body.len = (size_t)span->end;
		op->answer_body.at[span->end] = '\0';
		if (span->code != SFTP_OK) {
			sftp_fail_code(x, span->code, "cannot read '%s'", op->key);
			break;
		}
		x->state = CHECKED;
		sftp_ask_handle(x, 0, SFTP_FSTAT, 0);
		return;
	default:
		/* By the handle: what was opened may be another than what was looked at. */
		if (sftp_seen(x, 0, op->key, &x->other) <= 0) {
			if (!sftp_has_failed(x)) sftp_fail_changed(x, op->key);
		} else if (x->other.size != x->present.size || x->other.mtime != x->present.mtime ||
			   span->end != span->len) {
			sftp_fail_changed(x, op->key);
		} else {
			sftp_entry(&op->entry, &x->present);
		}
	}
	sftp_finish(x);
}

void sftp_get(struct sftp_op *x) {
	if (x->op->kind == STORE_LINK)
		get_link(x);
	else
		get_file(x);
}

/* ---- ABOUT ---- */

static void take_space(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	x->op->about.free_bytes = sftp_next_room(answer);
}

/* Whether we may write there, and what time it is there, a file of ours tells. */
void sftp_about(struct sftp_op *x) {
	enum { SPACE, OPEN, OPENED, WROTE, REMOVED };
	struct store_about *about = &x->op->about;
	static const char byte = 0;

	switch (x->state) {
	case SPACE:
		about->free_bytes = -1;
		/* Create-only is kept by the server; a version is looked up just before. */
		about->conditions_known = true;
		x->state = OPEN;
		if (x->session->has.statvfs) {
			x->take = take_space;
			sftp_ask_statvfs(x, 0, "");
			return;
		}
		/* fallthrough */
	case OPEN:
		x->take = NULL;
		x->made.tmp = sftp_tmp_key(x, "clock");
		x->made.parents = true; /* no folder is made only to ask */
		x->state = OPENED;
		sftp_call(x, sftp_make_file);
		return;
	case OPENED:
		if (x->err.kind == ERR_NOT_FOUND) {
			/* Nothing of ours stands there yet. */
			err_clear(&x->err);
			break;
		}
		if (sftp_has_failed(x)) break;
		x->state = WROTE;
		sftp_ask_write(x, 0, 0, &byte, 1);
		sftp_ask_handle(x, 1, SFTP_FSTAT, 0);
		return;
	case WROTE:
		if (x->results[1].code == SFTP_OK && x->results[1].attrs.has_times)
			about->server_ns = (int64_t)x->results[1].attrs.mtime * NS_PER_S;
		/* Waited for: who asks this often ends its session with the answer. */
		x->state = REMOVED;
		sftp_close(x, 0);
		sftp_ask(x, 0, SFTP_REMOVE, x->made.tmp);
		return;
	default:
		/* What cannot be removed now sftp_clean removes one day. */
		free(x->made.tmp);
		x->made.tmp = NULL;
	}
	sftp_finish(x);
}
