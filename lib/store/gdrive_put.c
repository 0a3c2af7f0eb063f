#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * PUT, and REMOVE of what is no folder. Drive knows no conditions: what stands there is looked at just
 * before. A replacement is new content of the same file, so that its id and links to it stay; what it
 * replaces is copied to keep_key first (revisions of Drive's own go after 30 days or 100 newer ones).
 * What is removed and kept is moved there in one request; else it goes to the trash.
 */

enum put_state { PUT_KEEP, PUT_COMMIT, PUT_MEET, PUT_MOVE, PUT_TRASH };

static bool is_remove(const struct gdrive_op *x) {
	return x->op->verb == STORE_REMOVE;
}

static void put_step(struct gdrive_op *x);

/* ---- ends ---- */

static void done(struct gdrive_op *x) {
	if (!is_remove(x)) {
		x->op->entry = x->at.file.entry;
		x->at.file.entry = (struct store_entry){ 0 };
	}
	gdrive_finish(x, NULL);
}

static void was_kept(struct gdrive_op *x) {
	x->op->kept = x->to.there;
	done(x);
}

/* There by an earlier try of ours, or gone: was something kept then? */
static void was_done(struct gdrive_op *x) {
	if (!x->op->keep_key) {
		done(x);
	} else if (x->to.looked) {
		was_kept(x);
	} else {
		x->to.make = false;
		gdrive_find(x, &x->to, NULL, was_kept);
	}
}

/* ---- COMMIT ---- */

static void add_part(struct buf *out, const char *boundary, const char *type) {
	buf_addf(out, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, type);
}

/* Metadata and content in one request: both or nothing. */
static void send_multipart(struct gdrive_op *x, const char *method, const char *url, json_t *json) {
	const struct store_op *op = x->op;
	uint8_t bits[16];
	char boundary[33], *text = json_dumps(json, JSON_COMPACT);
	char *type;

	loop_random(x->gd->store.loop, bits, sizeof(bits));
	hex_encode(bits, sizeof(bits), boundary);
	type = xasprintf("multipart/related; boundary=%s", boundary);
	buf_clear(&x->body);
	add_part(&x->body, boundary, "application/json; charset=UTF-8");
	buf_addf(&x->body, "%s\r\n", text);
	add_part(&x->body, boundary, gdrive_type_of(path_name(x->at.path)));
	buf_add(&x->body, op->body ? op->body : "", op->body_len);
	buf_addf(&x->body, "\r\n--%s--\r\n", boundary);
	free(text);
	json_decref(json);
	free(x->content_type);
	x->content_type = type;
	gdrive_send(x, &(struct gdrive_call){ .method = method,
			       .url = xstrdup(url),
			       .raw = x->body.at,
			       .raw_len = x->body.len,
			       .type = type,
			       .upload = true });
}

static void create(struct gdrive_op *x) {
	json_t *json = gdrive_metadata(x->op->kind, x->op->mtime_ns, x->op->mode);
	char *url = gdrive_url(x, "/upload/drive/v3/files",
		"uploadType=multipart&supportsAllDrives=true&fields=" GDRIVE_FIELDS);

	json_object_set_new(json, "id", json_string(x->new_id));
	gdrive_metadata_place(json, &x->at);
	x->step = put_step;
	send_multipart(x, "POST", url, json);
	free(url);
}

static void commit(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	x->state = PUT_COMMIT;
	x->step = put_step;
	if (!x->at.there) {
		gdrive_take_id(x, x->at.path, false, create);
		return;
	}
	char *encoded = str_percent_encode(x->at.file.entry.id, "");
	char *path = xasprintf("/upload/drive/v3/files/%s", encoded);
	char *url = gdrive_url(
		x, path, "uploadType=multipart&supportsAllDrives=true&fields=" GDRIVE_FIELDS);
	send_multipart(x, "PATCH", url, gdrive_metadata(op->kind, op->mtime_ns, op->mode));
	free(url);
	free(path);
	free(encoded);
}

/* What came of it: is it what was sent? */
static void committed(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	struct gdrive_file file = { 0 };

	if (!gdrive_file_read(x->answer, &file)) {
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a file");
	} else if (op->hash.kind == STORE_HASH_MD5 &&
		   !store_hash_equal(&op->hash, &file.entry.hash)) {
		err_set(&x->err, ERR_CORRUPT, "'%s' arrived damaged", op->key);
	}
	if (x->err.kind != ERR_NONE) {
		gdrive_file_release(&file);
		gdrive_fail(x);
		return;
	}
	gdrive_node_set(x->gd, x->at.path, false, file.entry.id);
	gdrive_file_release(&x->at.file);
	x->at.file = file;
	done(x);
}

/* ---- what is kept ---- */

static void looked(struct gdrive_op *x);

static void keep_now(struct gdrive_op *x) {
	x->step = put_step;
	if (is_remove(x)) {
		x->state = PUT_MOVE;
		gdrive_move_send(x, x->at.file.entry.id, x->at.file.parent, &x->to);
		return;
	}
	x->state = PUT_KEEP;
	gdrive_copy_send(x, &x->at.file, &x->to);
}

static void trash(struct gdrive_op *x) {
	x->state = PUT_TRASH;
	x->step = put_step;
	gdrive_trash_send(x, x->at.file.entry.id);
}

static void keep_looked(struct gdrive_op *x) {
	if (!x->to.parent_id) {
		err_set(&x->err, ERR_BUSY, "the folder for '%s' went as soon as it was made",
			x->op->keep_key);
		gdrive_fail(x);
	} else if (!x->to.there && is_remove(x)) {
		keep_now(x);
	} else if (!x->to.there) {
		gdrive_take_id(x, x->to.path, false, keep_now);
	} else if (!gdrive_same_content(&x->to.file.entry, &x->at.file.entry)) {
		err_set(&x->err, ERR_CHANGED, "'%s' holds another version", x->op->keep_key);
		gdrive_fail(x);
	} else { /* kept by an earlier try */
		x->op->kept = true;
		if (is_remove(x))
			trash(x);
		else
			commit(x);
	}
}

/* ---- the steps ---- */

static void looked(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	bool there = x->at.there;

	if (!x->at.parent_id && !is_remove(x)) {
		err_set(&x->err, op->if_version ? ERR_CHANGED : ERR_NOT_FOUND,
			"the folder of '%s' is not there", op->key);
		gdrive_fail(x);
	} else if ((there && !is_remove(x) && store_is_ours(op, &x->at.file.entry)) ||
		   (!there && is_remove(x))) {
		was_done(x);
	} else if (gdrive_is_rival(op, &x->at)) {
		gdrive_changed(x);
		gdrive_fail(x);
	} else if (there && op->keep_key) {
		x->to.make = true;
		gdrive_find(x, &x->to, NULL, keep_looked);
	} else if (is_remove(x)) {
		trash(x);
	} else {
		commit(x);
	}
}

static void kept(struct gdrive_op *x) {
	struct gdrive_file file = { 0 };

	if (x->err.kind == ERR_NONE && gdrive_file_read(x->answer, &file)) {
		gdrive_node_set(x->gd, x->to.path, false, file.entry.id);
		gdrive_file_release(&file);
		x->op->kept = true;
		commit(x);
	} else if (x->err.kind == ERR_CHANGED) { /* 409: an earlier try has copied it */
		gdrive_find(x, &x->to, NULL, keep_looked);
	} else if (x->err.kind == ERR_NOT_FOUND) {
		/* It went, or its folder: the next try sees which. */
		gdrive_node_forget(x->gd, x->at.path, false);
		err_set(&x->err, ERR_BUSY, "'%s' has just gone", x->op->key);
		gdrive_fail(x);
	} else {
		gdrive_fail(x);
	}
}

static void removed(struct gdrive_op *x) {
	bool moved = x->state == PUT_MOVE && x->err.kind == ERR_NONE;

	if (x->err.kind != ERR_NONE && x->err.kind != ERR_NOT_FOUND) {
		gdrive_fail(x);
		return;
	}
	if (moved) {
		x->op->kept = true;
		gdrive_node_set(x->gd, x->to.path, false, x->at.file.entry.id);
	}
	gdrive_node_forget(x->gd, x->at.path, false);
	gdrive_finish(x, NULL);
}

static void put_step(struct gdrive_op *x) {
	bool made = !x->at.there;

	switch ((enum put_state)x->state) {
	case PUT_KEEP: kept(x); return;
	case PUT_MOVE:
	case PUT_TRASH: removed(x); return;
	case PUT_MEET:
	case PUT_COMMIT: break;
	}
	if (x->err.kind == ERR_NONE) {
		committed(x);
	} else if (x->err.kind == ERR_CHANGED && made && x->state == PUT_COMMIT) {
		/* 409: an earlier try has made it. Is it this content? */
		x->state = PUT_MEET;
		gdrive_find(x, &x->at, NULL, looked);
	} else if (x->err.kind == ERR_NOT_FOUND) {
		char *parent = path_parent(x->at.path);
		gdrive_node_forget(x->gd, x->at.path, false);
		if (made) gdrive_node_forget(x->gd, parent, true);
		free(parent);
		if (!made) x->err.kind = ERR_CHANGED;
		gdrive_fail(x);
	} else {
		gdrive_fail(x);
	}
}

static void begin(struct gdrive_op *x) {
	gdrive_find(x, &x->at, x->op->id, looked);
}

void gdrive_put(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	gdrive_place_set(x, &x->at, op->key, op->kind);
	if (op->keep_key) gdrive_place_set(x, &x->to, op->keep_key, op->kind);
	x->at.written = !is_remove(x);
	x->to.written = true;
	x->step = put_step;
	if (is_remove(x))
		begin(x);
	else
		gdrive_check_body(x, begin);
}
