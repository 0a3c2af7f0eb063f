/*
 * Uploads that nobody goes on with: the path was deleted, excluded, renamed or became small before the last part was there, perhaps
 * while nobody ran. Their parts would lie at the store, and be billed, for ever. An upload under way has its path's mark, so that in a
 * folder where nothing is marked every session left is one of these.
 */
#include <stdlib.h>

#include "sync/internal.h"

enum { AGAIN_MS = 60000 }; /* a store that refuses is asked again so much later */

/* Also what the store no longer knows, or never could have. */
bool abandoned_is_gone(const struct err *err) {
	return !err || err->kind == ERR_NOT_FOUND || err->kind == ERR_INVALID;
}

/* `text`, the session's own, is the caller's while it runs. */
void abandoned_op(struct store_op *op, const struct index_session *session, const char *text) {
	op->kind = STORE_FILE;
	op->session = text;
	op->size = session->size;
	op->part_size = session->part_size;
}

static void aborted(struct folder *f, const struct err *err) {
	struct err failed;
	if (!abandoned_is_gone(err)) {
		log_debug("folder '%s': an upload stays begun: %s", f->name, err->text);
		f->sessions_ms = folder_clock_ms(f) + AGAIN_MS;
		return;
	}
	log_info("folder '%s': what was sent of '%s' is given up: nobody goes on with it", f->name,
		f->abandoned_path);
	if (index_session_drop(f->index, f->abandoned_path, &failed)) {
		folder_index_failed(f, &failed);
		return;
	}
	turn_end_want(&f->turn_end);
}

/* When nothing is marked. One at a time: there are few. */
void abandoned_step(struct folder *f) {
	struct index_session session;
	struct err err;
	if (f->sessions_none || f->op_in_flight || folder_clock_ms(f) < f->sessions_ms) return;
	free(f->abandoned_path);
	f->abandoned_path = NULL;
	int found = index_session_any(f->index, &f->abandoned_path, &session, &err);
	if (found < 0) {
		folder_index_failed(f, &err);
		return;
	}
	f->sessions_none = !found;
	if (!found) return;
	free(f->abandoned_session);
	f->abandoned_session = session.session;
	session.session = NULL;
	folder_op_start(f, STORE_PART_ABORT, f->remote_key, aborted);
	abandoned_op(&f->op, &session, f->abandoned_session);
	index_session_release(&session);
	folder_op_go(f);
}
