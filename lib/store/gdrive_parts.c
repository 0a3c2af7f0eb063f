#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * PART_BEGIN, PART_PUT, PART_QUERY and PART_ABORT by a resumable upload. Its bytes go in order, and the
 * server says how far it stands: it may hold less than was sent. With the last byte the file is there,
 * whatever has become of the path meanwhile; so it is made in a folder of our own, and PART_END
 * (gdrive_end.c) puts it at its place. The session is "ID SIZE ADDRESS": the address needs no token.
 */

enum { UNIT = 256 << 10, TRIES = 4 };

int gdrive_session_open(struct gdrive_op *x) {
	const char *session = x->op->session ? x->op->session : "";
	const char *size = strchr(session, ' '), *url = size ? strchr(size + 1, ' ') : NULL;
	char *number = url ? xstrndup(size + 1, (size_t)(url - size - 1)) : NULL;
	bool good = number && !str_to_int(number, 0, INT64_MAX, &x->size) && strstr(url, "://");

	free(number);
	if (!good) return err_set(&x->err, ERR_INVALID, "not begun in this store");
	x->file_id = xstrndup(session, (size_t)(size - session));
	x->session_url = xstrdup(url + 1);
	return 0;
}

/* ---- how much the server holds ---- */

static int64_t held_known(const struct gdrive_op *x) {
	const char *text = map_get(&x->gd->held, x->file_id);
	int64_t held;

	return text && !str_to_int(text, 0, INT64_MAX, &held) ? held : -1;
}

static void held_set(struct gdrive_op *x, int64_t held) {
	char *text = held < 0 ? NULL : xasprintf("%lld", (long long)held);

	free(text ? map_put(&x->gd->held, x->file_id, text) : map_take(&x->gd->held, x->file_id));
	x->held = held;
}

/* From "Range: bytes=0-N"; none: nothing. */
static int64_t held_said(const struct gdrive_op *x) {
	const char *range = http_header(&x->request, "range");
	const char *last = range ? strrchr(range, '-') : NULL;
	int64_t value;

	if (!range) return 0;
	return last && !str_to_int(last + 1, 0, INT64_MAX - 1, &value) ? value + 1 : -1;
}

/* ---- PART_BEGIN ---- */

static void begun(struct gdrive_op *x) {
	const char *where = http_header(&x->request, "location");

	if (x->err.kind == ERR_NONE && (!where || !strstr(where, "://") || strlen(where) > 3900))
		err_set(&x->err, ERR_CORRUPT, "Google Drive begins an upload without an address");
	if (x->err.kind == ERR_NOT_FOUND) {
		gdrive_node_forget(x->gd, x->at.parent_id ? x->at.path : "", true);
		x->err.kind = ERR_BUSY;
	}
	if (x->err.kind == ERR_NONE)
		x->op->answer_session =
			xasprintf("%s %lld %s", x->new_id, (long long)x->op->size, where);
	gdrive_end(x);
}

static void begin_send(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	json_t *json = gdrive_metadata(op->kind, op->mtime_ns, op->mode);
	const char *name = path_name(op->key);
	char *encoded = gdrive_name_encode(name, strlen(name));

	json_object_set_new(json, "id", json_string(x->new_id));
	json_object_set_new(json, "name", json_string(encoded));
	json_object_set_new(json, "parents", json_pack("[s]", x->at.parent_id));
	json_object_set_new(json, "mimeType", json_string(gdrive_type_of(name)));
	free(encoded);
	x->step = begun;
	gdrive_send(x, &(struct gdrive_call){ .method = "POST",
			       .url = gdrive_url(x, "/upload/drive/v3/files",
				       "uploadType=resumable&supportsAllDrives=true&"
				       "fields=" GDRIVE_FIELDS),
			       .json = json,
			       .upload = true,
			       .upload_size = op->size });
}

static void uploads_walked(struct gdrive_op *x, const char *id, bool fresh) {
	x->at.parent_id = xstrdup(id);
	gdrive_take_id(x, NULL, false, begin_send);
}

void gdrive_part_begin(struct gdrive_op *x) {
	x->at.path = gdrive_path(x->gd, GDRIVE_UPLOADS);
	x->walk.mode = STORE_MODE_UNKNOWN;
	gdrive_walk(x, x->at.path, true, uploads_walked);
}

/* ---- PART_PUT and PART_QUERY ---- */

enum part_state { PART_ASK, PART_SEND, PART_LOOK };

static void part_step(struct gdrive_op *x);

static void ask(struct gdrive_op *x) {
	char range[80];

	x->state = PART_ASK;
	x->step = part_step;
	snprintf(range, sizeof(range), "Content-Range: bytes */%lld", (long long)x->size);
	gdrive_send(x, &(struct gdrive_call){ .method = "PUT",
			       .url = xstrdup(x->session_url),
			       .raw = "",
			       .range = range,
			       .session = true });
}

static void tell_parts(struct gdrive_op *x) {
	struct store_op *op = x->op;
	int64_t part = op->part_size > 0 ? op->part_size : STORE_SPAN_MAX;
	int number = 1;

	for (int64_t from = 0; from < x->size; from += part, number++) {
		int64_t end = from + part < x->size ? from + part : x->size;
		char receipt[32];
		if (end > x->held) break;
		snprintf(receipt, sizeof(receipt), "%lld", (long long)end);
		store_part_add(op, number, end - from, receipt);
	}
	gdrive_finish(x, NULL);
}

static void send_rest(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	int64_t end = op->offset + (int64_t)op->body_len;
	char range[112];

	if (x->held >= end) {
		x->op->receipt = xasprintf("%lld", (long long)end);
		gdrive_finish(x, NULL);
		return;
	}
	if (x->held < op->offset) {
		err_set(&x->err, ERR_CHANGED, "the server holds %lld bytes of '%s' only",
			(long long)x->held, op->key ? op->key : "");
		gdrive_fail(x);
		return;
	}
	if (x->tries++ >= TRIES) {
		err_set(&x->err, ERR_BUSY, "the server takes no more of '%s' now",
			op->key ? op->key : "");
		gdrive_fail(x);
		return;
	}
	int64_t from = x->sent_from = x->held;
	/* Unknown until it is answered. */
	held_set(x, -1);
	x->state = PART_SEND;
	x->step = part_step;
	snprintf(range, sizeof(range), "Content-Range: bytes %lld-%lld/%lld", (long long)from,
		(long long)(end - 1), (long long)x->size);
	gdrive_send(x, &(struct gdrive_call){ .method = "PUT",
			       .url = xstrdup(x->session_url),
			       .raw = (const char *)op->body + (from - op->offset),
			       .raw_len = (size_t)(end - from),
			       .type = "application/octet-stream",
			       .range = range,
			       .upload = true,
			       .session = true });
}

static void held_came(struct gdrive_op *x, int64_t held) {
	/* Progress gives new tries. */
	if (x->state == PART_SEND && held > x->sent_from && held != x->size) x->tries = 1;
	held_set(x, held);
	if (x->op->verb == STORE_PART_QUERY)
		tell_parts(x);
	else
		send_rest(x);
}

static void part_step(struct gdrive_op *x) {
	int status = x->request.status;
	bool good = x->err.kind == ERR_NONE;

	if (x->state == PART_LOOK) { /* the upload is not known any more: is it done? */
		bool there = good && !json_is_true(json_object_get(x->answer, "trashed"));
		if (there) {
			held_came(x, x->size);
		} else {
			if (good) err_set(&x->err, ERR_NOT_FOUND, "this upload was given up");
			gdrive_fail(x);
		}
	} else if (good && status == 308) {
		int64_t held = held_said(x);
		if (held >= 0) {
			held_came(x, held);
			return;
		}
		err_set(&x->err, ERR_CORRUPT, "Google Drive does not tell what it holds");
		gdrive_fail(x);
	} else if (good) {
		held_came(x, x->size);
	} else if (x->err.kind == ERR_NOT_FOUND || status == 499) {
		x->state = PART_LOOK;
		gdrive_look_send(x, x->file_id);
	} else {
		gdrive_fail(x);
	}
}

static void begin_part(struct gdrive_op *x) {
	x->held = held_known(x);
	if (x->held < 0)
		ask(x);
	else
		send_rest(x);
}

static void body_checked(struct gdrive_op *x) {
	begin_part(x);
}

void gdrive_part_put(struct gdrive_op *x) {
	if (gdrive_session_open(x)) {
		gdrive_fail(x);
	} else if (x->op->verb == STORE_PART_QUERY) {
		ask(x);
	} else {
		gdrive_check_body(x, body_checked);
	}
}

/* ---- PART_ABORT ---- */

enum { ABORT_SESSION, ABORT_FILE };

static void abort_step(struct gdrive_op *x) {
	/* Gone, or 499 as Google says it, is what was wanted. */
	bool gone = x->err.kind == ERR_NOT_FOUND || x->request.status == 499;

	if (x->err.kind != ERR_NONE && !gone) {
		gdrive_fail(x);
	} else if (x->state == ABORT_SESSION) {
		held_set(x, -1);
		x->state = ABORT_FILE;
		gdrive_trash_send(x, x->file_id);
	} else {
		gdrive_finish(x, NULL);
	}
}

void gdrive_part_abort(struct gdrive_op *x) {
	if (gdrive_session_open(x)) {
		gdrive_fail(x);
		return;
	}
	x->state = ABORT_SESSION;
	x->step = abort_step;
	gdrive_send(
		x, &(struct gdrive_call){
			   .method = "DELETE", .url = xstrdup(x->session_url), .session = true });
}
