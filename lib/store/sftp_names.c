#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* SET, MKDIR, MOVE, REMOVE: what changes names and attributes, and no bytes. */

/* Looks once more at `key`, and answers that. */
static void answer(struct sftp_op *x) {
	if (sftp_seen(x, 0, x->op->to_key ? x->op->to_key : x->op->key, &x->present) > 0)
		sftp_entry(&x->op->entry, &x->present);
	else if (!sftp_has_failed(x))
		sftp_fail(x, ERR_NOT_FOUND, "'%s' is not in the remote folder", x->op->key);
	sftp_finish(x);
}

/* ---- SET ---- */

/* What `op` asks for of x->present, with what a folder must keep: we work in it. */
static bool differs(const struct sftp_op *x, struct sftp_attrs *attrs) {
	const struct store_op *op = x->op;
	const struct sftp_attrs *now = &x->present;
	enum store_kind kind = sftp_kind(now);

	*attrs = (struct sftp_attrs){ 0 };
	if (op->mode != STORE_MODE_UNKNOWN && kind != STORE_LINK) {
		uint32_t mode = (uint32_t)op->mode & 0777;
		if (kind == STORE_FOLDER) mode |= 0700 | (now->mode & 07000);
		attrs->mode = mode;
		attrs->has_mode = mode != (now->mode & 07777);
	}
	if (op->mtime_ns != STORE_MTIME_UNKNOWN) {
		attrs->mtime = sftp_seconds(op->mtime_ns);
		attrs->atime = now->atime;
		attrs->has_times = attrs->mtime != now->mtime;
	}
	return attrs->has_mode || attrs->has_times;
}

static bool may_set(struct sftp_op *x, int there) {
	const struct store_op *op = x->op;
	struct sftp_attrs attrs;

	if (there == 0) sftp_fail(x, ERR_NOT_FOUND, "'%s' is not in the remote folder", op->key);
	/* Another version: our own earlier try, when there is nothing left to set and the size is
	 * that of the version asked for. */
	else if (there > 0 && op->if_version && !sftp_is_version(&x->present, op->if_version) &&
		 (differs(x, &attrs) || strtoull(op->if_version, NULL, 10) != x->present.size))
		sftp_fail_changed(x, op->key);
	return !sftp_has_failed(x);
}

static void set_them(struct sftp_op *x, const struct sftp_attrs *attrs) {
	x->committing = true;
	if (sftp_kind(&x->present) != STORE_LINK)
		sftp_ask_set(x, 1, x->op->key, attrs);
	else if (x->session->has.lsetstat)
		sftp_ask_set_link(x, 1, x->op->key, attrs);
	sftp_ask(x, 0, *x->op->key ? SFTP_LSTAT : SFTP_STAT, x->op->key);
}

void sftp_set(struct sftp_op *x) {
	enum { LOOK, LOOKED, SET };
	struct sftp_attrs attrs;

	switch (x->state) {
	case LOOK:
		x->state = LOOKED;
		sftp_ask(x, 0, *x->op->key ? SFTP_LSTAT : SFTP_STAT, x->op->key);
		return;
	case LOOKED:
		if (!may_set(x, sftp_seen(x, 0, x->op->key, &x->present))) break;
		if (!differs(x, &attrs)) {
			answer(x);
			return;
		}
		x->state = SET;
		set_them(x, &attrs);
		return;
	default:
		if (x->results[1].code != SFTP_OK && sftp_kind(&x->present) != STORE_LINK) {
			sftp_fail_code(x, x->results[1].code, "cannot set '%s'", x->op->key);
			break;
		}
		answer(x);
		return;
	}
	sftp_finish(x);
}

/* ---- MKDIR ---- */

void sftp_mkdir(struct sftp_op *x) {
	enum { MAKE, MADE, SET };
	struct store_op *op = x->op;
	struct sftp_attrs attrs;
	int mode = op->mode == STORE_MODE_UNKNOWN ? 0755 : (op->mode & 0777) | 0700;

	switch (x->state) {
	case MAKE:
		x->state = MADE;
		x->results[1].code = SFTP_FAILURE; /* the root is there */
		if (*op->key) sftp_ask_mkdir(x, 1, op->key, mode);
		sftp_ask(x, 0, *op->key ? SFTP_LSTAT : SFTP_STAT, op->key);
		return;
	case MADE: {
		int there = sftp_seen(x, 0, op->key, &x->present);
		if (there == 0)
			sftp_fail_code(
				x, x->results[1].code, "cannot make the folder '%s'", op->key);
		else if (there > 0 && sftp_kind(&x->present) != STORE_FOLDER)
			sftp_fail_changed(x, op->key);
		if (sftp_has_failed(x)) break;
		op->existed = x->results[1].code != SFTP_OK;
		/* The root folder is the user's own: it stays as it is. */
		if (!*op->key || !differs(x, &attrs)) {
			answer(x);
			return;
		}
		x->state = SET;
		set_them(x, &attrs);
		return;
	}
	default: answer(x); return;
	}
	sftp_finish(x);
}

/* ---- MOVE ---- */

/* Something of the other kind is not what is to be moved, nor what a try before has moved. */
static bool is_asked_kind(const struct sftp_op *x, const struct sftp_attrs *attrs) {
	return (sftp_kind(attrs) == STORE_FOLDER) == (x->op->kind == STORE_FOLDER);
}

static bool may_move(struct sftp_op *x, int from, int to) {
	const struct store_op *op = x->op;

	if (from < 0 || to < 0) return false;
	if (!from && !(to && is_asked_kind(x, &x->other)))
		sftp_fail(x, ERR_NOT_FOUND, "'%s' is not in the remote folder", op->key);
	else if (from && !str_equal(op->key, op->to_key) && path_is_within(op->to_key, op->key))
		sftp_fail(x, ERR_INVALID, "'%s' is inside of '%s'", op->to_key, op->key);
	else if (from && op->if_version && !sftp_is_version(&x->present, op->if_version))
		sftp_fail_changed(x, op->key);
	else if (from && to && !str_equal(op->key, op->to_key) &&
		 (op->if_absent || sftp_kind(&x->present) == STORE_FOLDER ||
			 sftp_kind(&x->other) == STORE_FOLDER))
		sftp_fail_changed(x, op->to_key);
	return !sftp_has_failed(x);
}

static void move(struct sftp_op *x, bool over) {
	const struct store_op *op = x->op;

	x->committing = true;
	if (over && x->session->has.posix_rename) {
		sftp_ask_rename_over(x, 1, op->key, op->to_key);
	} else {
		if (over) sftp_ask(x, 2, SFTP_REMOVE, op->to_key);
		sftp_ask_two(x, 1, SFTP_RENAME, op->key, op->to_key);
	}
	sftp_ask(x, 0, SFTP_LSTAT, op->to_key);
}

void sftp_move(struct sftp_op *x) {
	enum { LOOK, LOOKED, MOVED };
	const struct store_op *op = x->op;

	if (x->state == LOOK) {
		x->state = LOOKED;
		sftp_ask(x, 1, SFTP_LSTAT, op->key);
		sftp_ask(x, 0, SFTP_LSTAT, op->to_key);
		return;
	}
	if (x->state == LOOKED) {
		int from = sftp_seen(x, 1, op->key, &x->present);
		int to = sftp_seen(x, 0, op->to_key, &x->other);
		if (from > 0 && !is_asked_kind(x, &x->present)) from = 0;
		if (!may_move(x, from, to)) {
			sftp_finish(x);
		} else if (!from || str_equal(op->key, op->to_key)) {
			answer(x); /* moved by the try before */
		} else {
			x->state = MOVED;
			move(x, to > 0);
		}
		return;
	}
	uint32_t code = x->results[1].code;
	if (code == SFTP_OK) {
		answer(x);
		return;
	}
	/* A name that appeared meanwhile: RENAME refuses it. */
	if (code == SFTP_FAILURE && x->results[0].code == SFTP_OK)
		sftp_fail_changed(x, op->to_key);
	else
		sftp_fail_code(x, code, "cannot move '%s' to '%s'", op->key, op->to_key);
	sftp_finish(x);
}

/* ---- REMOVE ---- */

/* Is anything in it? FAILURE alone does not tell. */
static void take_child(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_bytes name;
	struct sftp_attrs attrs;

	if (request->type != SFTP_READDIR || answer->type != SFTP_NAME) return;
	while (sftp_next_name(answer, &name, &attrs) > 0)
		if (name.len > 2 || name.at[0] != '.' || name.at[name.len - 1] != '.')
			x->list_more = true;
}

static void remove_folder(struct sftp_op *x) {
	enum { REMOVE, REMOVED, OPENED, READ };
	const char *key = x->op->key;
	uint32_t code = x->results[0].code;

	switch (x->state) {
	case REMOVE:
		x->committing = true;
		x->state = REMOVED;
		sftp_ask(x, 0, SFTP_RMDIR, key);
		return;
	case REMOVED:
		if (code == SFTP_OK || code == SFTP_NO_SUCH_FILE) break;
		x->results[1].code = code;
		x->state = OPENED;
		sftp_ask(x, 0, SFTP_OPENDIR, key);
		return;
	case OPENED:
		x->state = READ;
		x->take = take_child;
		if (code == SFTP_OK) {
			sftp_ask_handle(x, 0, SFTP_READDIR, 0);
			return;
		}
		/* fallthrough */
	default:
		if (x->list_more) {
			sftp_fail(x, ERR_BUSY, "the folder '%s' is not empty", key);
			x->err.sys = ENOTEMPTY;
		} else {
			sftp_fail_code(x, x->results[1].code, "cannot remove the folder '%s'", key);
		}
	}
	sftp_return(x);
}

/* Away to keep_key, which may need its folders first, or be there from an earlier try. */
static void remove_kept(struct sftp_op *x) {
	enum { MOVE, MOVED, SEEN, MET, REMOVED };
	const struct store_op *op = x->op;
	uint32_t code = x->results[0].code;

	switch (x->state) {
	case MOVE:
		x->committing = true;
		x->state = MOVED;
		sftp_ask_two(x, 0, SFTP_RENAME, op->key, op->keep_key);
		sftp_ask(x, 1, SFTP_LSTAT, op->keep_key);
		return;
	case MOVED:
		if (code == SFTP_OK) {
			x->op->kept = true;
			break;
		}
		if (x->results[1].code == SFTP_OK) {
			x->state = MET;
			sftp_call(x, sftp_meet_kept);
			return;
		}
		if (!x->made.parents) {
			x->made.parents = true;
			x->parents_of = op->keep_key;
			x->state = MOVE;
			sftp_call(x, sftp_parents);
			return;
		}
		sftp_fail_code(x, code, "'%s' is not kept", op->key);
		break;
	case MET:
		if (sftp_has_failed(x)) break;
		x->op->kept = true;
		x->state = REMOVED;
		sftp_ask(x, 0, SFTP_REMOVE, op->key);
		return;
	default:
		if (code != SFTP_OK && code != SFTP_NO_SUCH_FILE)
			sftp_fail_code(x, code, "cannot remove '%s'", op->key);
	}
	sftp_return(x);
}

static void remove_file(struct sftp_op *x) {
	enum { REMOVE, REMOVED };
	uint32_t code = x->results[0].code;

	if (x->state == REMOVE) {
		x->committing = true;
		x->state = REMOVED;
		sftp_ask(x, 0, SFTP_REMOVE, x->op->key);
		return;
	}
	if (code != SFTP_OK && code != SFTP_NO_SUCH_FILE)
		sftp_fail_code(x, code, "cannot remove '%s'", x->op->key);
	sftp_return(x);
}

void sftp_remove(struct sftp_op *x) {
	enum { LOOK, LOOKED, DONE };
	const struct store_op *op = x->op;

	if (x->state == LOOK) {
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, op->key);
		return;
	}
	if (x->state == DONE) {
		sftp_finish(x);
		return;
	}
	int there = sftp_seen(x, 0, op->key, &x->present);
	bool folder = there > 0 && sftp_kind(&x->present) == STORE_FOLDER;
	x->state = DONE;
	if (there == 0) {
		sftp_call(x, sftp_kept_before);
		return;
	}
	if (there > 0 && folder != (op->kind == STORE_FOLDER))
		sftp_fail(x, ERR_INVALID, "'%s' is of another kind", op->key);
	else if (there > 0 && op->if_version && !sftp_is_version(&x->present, op->if_version))
		sftp_fail_changed(x, op->key);
	if (sftp_has_failed(x))
		sftp_finish(x);
	else
		sftp_call(x, folder ? remove_folder : op->keep_key ? remove_kept : remove_file);
}
