#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* How an operation goes on: batches of requests, flows that call each other, and its one end. */

void sftp_call(struct sftp_op *x, sftp_step *step) {
	if (x->depth == SFTP_DEPTH) abort(); /* our own nesting is wrong */
	x->callers[x->depth].step = x->step;
	x->callers[x->depth++].state = x->state;
	x->step = step;
	x->state = 0;
	err_clear(&x->err);
	step(x);
}

void sftp_return(struct sftp_op *x) {
	if (x->depth == 0) {
		sftp_finish(x);
		return;
	}
	x->step = x->callers[--x->depth].step;
	x->state = x->callers[x->depth].state;
	x->step(x);
}

int sftp_has_failed(const struct sftp_op *x) {
	return x->err.kind != ERR_NONE;
}

/* ---- errors ---- */

static void set_text(struct sftp_op *x, enum err_kind kind, const char *format, va_list args) {
	char *text = xvasprintf(format, args);

	err_set(&x->err, kind, "%s", text);
	free(text);
}

void sftp_fail(struct sftp_op *x, enum err_kind kind, const char *format, ...) {
	va_list args;

	va_start(args, format);
	set_text(x, kind, format, args);
	va_end(args);
}

void sftp_fail_code(struct sftp_op *x, uint32_t code, const char *format, ...) {
	/* OpenSSH has five codes for all of errno: what is none of the others is FAILURE. */
	static const struct {
		enum err_kind kind;
		const char *words;
	} known[] = {
		[SFTP_OK] = { ERR_SYSTEM, "an answer of another kind" },
		[SFTP_EOF] = { ERR_SYSTEM, "end of file" },
		[SFTP_NO_SUCH_FILE] = { ERR_NOT_FOUND, "no such file" },
		[SFTP_PERMISSION_DENIED] = { ERR_DENIED, "permission denied at the server" },
		[SFTP_FAILURE] = { ERR_SYSTEM, "the server says no more than 'failure'" },
		[SFTP_BAD_MESSAGE] = { ERR_INVALID, "the server finds it wrong" },
		[SFTP_NO_CONNECTION] = { ERR_OFFLINE, "the server has no connection" },
		[SFTP_CONNECTION_LOST] = { ERR_OFFLINE, "the server lost its connection" },
		[SFTP_UNSUPPORTED] = { ERR_INVALID, "the server cannot do that" },
	};
	size_t at = code < ARRAY_LEN(known) ? code : SFTP_FAILURE;
	va_list args;

	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	err_set(&x->err, known[at].kind, "%s: %s", text, known[at].words);
	free(text);
}

void sftp_fail_folder(struct sftp_op *x, const char *key) {
	sftp_fail(x, ERR_INVALID, "a folder stands at '%s' in the remote folder", key);
}

void sftp_fail_changed(struct sftp_op *x, const char *key) {
	sftp_fail(x, ERR_CHANGED, "'%s' in the remote folder was changed by somebody else", key);
}

/* ---- answers ---- */

void sftp_one_less(struct sftp_op *x) {
	if (--x->pending > 0) return;
	/* What was cancelled goes no further; only a name on its way had to be waited for. */
	if (x->op->cancelled && !x->committing) {
		err_set(&x->err, ERR_CANCELLED, "cancelled");
		sftp_finish(x);
		return;
	}
	x->step(x);
}

static void take_handle(struct sftp_op *x, int slot, const struct sftp_bytes *bytes) {
	struct sftp_handle *handle = &x->handles[slot];

	handle->open = true;
	handle->len = (uint8_t)bytes->len;
	memcpy(handle->bytes, bytes->at, bytes->len);
}

/* A link's text: one name. */
static void take_text(struct sftp_op *x, int slot, struct sftp_answer *answer) {
	struct sftp_attrs ignored;
	struct sftp_bytes name;

	free(x->text);
	x->text = NULL;
	if (sftp_next_name(answer, &name, &ignored) == 1 && !memchr(name.at, '\0', name.len))
		x->text = xstrndup(name.at, name.len);
	else
		x->results[slot].code = SFTP_FAILURE;
}

void sftp_answered(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_result *result = &x->results[request->slot];

	if (request->type != SFTP_READ && request->type != SFTP_WRITE) {
		if (answer->type == SFTP_STATUS) result->code = answer->code;
		if (answer->type == SFTP_ATTRS) result->attrs = answer->attrs;
		if (answer->type == SFTP_HANDLE) take_handle(x, request->slot, &answer->text);
		if (answer->type == SFTP_NAME && request->type == SFTP_READLINK)
			take_text(x, request->slot, answer);
		/* An OK where a handle or attributes are due is none. */
		bool due = request->type == SFTP_OPEN || request->type == SFTP_OPENDIR
				   ? answer->type == SFTP_HANDLE
			   : request->type == SFTP_LSTAT || request->type == SFTP_STAT ||
					   request->type == SFTP_FSTAT
				   ? answer->type == SFTP_ATTRS
				   : true;
		if (!due && result->code == SFTP_OK) result->code = SFTP_FAILURE;
	}
	if (x->take) x->take(x, request, answer);
	sftp_one_less(x);
}

/* ---- the end ---- */

/* Lets go of the session: what is open over there is closed, what got no name is removed, and nobody
 * waits for that. */
static void leave(struct sftp_op *x) {
	struct sftp_session *session = x->session;

	sftp_span_stop(x);
	list_remove(&x->link);
	if (!session) return;
	if (session->state == SFTP_READY) {
		sftp_session_forget(session, x);
		for (int i = 0; i < SFTP_HANDLES; i++) sftp_close(x, i);
		if (x->made.tmp && !x->made.lasting) {
			sftp_ask(x, 0, SFTP_REMOVE, x->made.tmp);
			sftp_session_forget(session, x);
		}
	}
	session->op_count--;
	x->session = NULL;
}

void sftp_op_free(struct sftp_op *x) {
	leave(x);
	digest_release(&x->digest);
	strv_free(x->keys);
	free(x->made.tmp);
	free(x->made.aside);
	free(x->made.record);
	sftp_swap_release(x);
	free(x->text);
	free(x->block);
	free(x->session_path);
	free(x);
}

void sftp_finish(struct sftp_op *x) {
	struct store_op *op = x->op;
	struct sftp *sftp = x->sftp;
	struct err err = x->err;

	op->impl = NULL;
	if (err.kind != ERR_NONE) op->complete = false;
	sftp_op_free(x);
	defer_start(sftp->store.loop, &sftp->dispatch);
	op->done(op, err.kind == ERR_NONE ? NULL : &err);
}

static void given_up(struct defer *defer) {
	struct sftp_op *x = container_of(defer, struct sftp_op, given_up);

	err_set(&x->err, ERR_CANCELLED, "cancelled");
	sftp_finish(x);
}

bool sftp_abandon(struct sftp_op *x) {
	if (x->committing || x->abandoned) return false;
	x->abandoned = true;
	leave(x);
	defer_init(&x->given_up, given_up);
	defer_start(x->sftp->store.loop, &x->given_up);
	return true;
}

/* ---- folders above a key ---- */

/* All at once: the server makes them in this order, and those that are there stay. */
void sftp_parents(struct sftp_op *x) {
	enum { ASK, ASKED };

	if (x->state == ASKED) {
		sftp_return(x); /* whether it helped, the next try tells */
		return;
	}
	x->state = ASKED;
	char *path = xstrdup(x->parents_of);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* What is below SFTP_OWN is nobody's to read but ours. */
		sftp_ask_mkdir(x, 0, path, str_starts(path, SFTP_OWN) ? 0700 : 0755);
		*slash = '/';
	}
	free(path);
	if (x->pending == 0) sftp_return(x);
}
