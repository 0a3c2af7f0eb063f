#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/* MKDIR; and REMOVE of a folder, only when it is empty: what Drive removes goes with all below. */

/* ---- MKDIR ---- */

static void make_walked(struct gdrive_op *x, const char *id, bool fresh);

static void make_looked(struct gdrive_op *x) {
	struct gdrive_file file = { 0 };
	bool gone = x->err.kind == ERR_NOT_FOUND;

	if (x->err.kind != ERR_NONE && !gone) {
		gdrive_fail(x);
		return;
	}
	if (!gone && gdrive_file_read(x->answer, &file) &&
		gdrive_file_is_at(&file, x->at.path, NULL, true)) {
		x->op->entry = file.entry;
		file.entry = (struct store_entry){ 0 };
		gdrive_file_release(&file);
		gdrive_finish(x, NULL);
		return;
	}
	gdrive_file_release(&file);
	/* Known, but removed or renamed by another hand meanwhile. */
	gdrive_node_forget(x->gd, x->at.path, true);
	if (x->tries++ < 2) {
		gdrive_walk(x, x->at.path, true, make_walked);
	} else {
		err_set(&x->err, ERR_BUSY, "'%s' goes as soon as it is made", x->op->key);
		gdrive_fail(x);
	}
}

static void make_walked(struct gdrive_op *x, const char *id, bool fresh) {
	struct gdrive_file *made = &x->walk.made;

	if (made->entry.id && str_equal(made->entry.id, id)) {
		x->op->entry = made->entry;
		made->entry = (struct store_entry){ 0 };
		gdrive_finish(x, NULL);
		return;
	}
	x->step = make_looked;
	gdrive_look_send(x, id);
}

void gdrive_make_folder(struct gdrive_op *x) {
	gdrive_place_set(x, &x->at, x->op->key, STORE_FOLDER);
	x->walk.mode = x->op->mode;
	gdrive_walk(x, x->at.path, true, make_walked);
}

/* ---- REMOVE ---- */

static void list_children(struct gdrive_op *x, const char *token);

static void not_empty(struct gdrive_op *x) {
	err_set(&x->err, ERR_BUSY, "the folder '%s' is not empty", x->op->key);
	x->err.sys = ENOTEMPTY;
	gdrive_fail(x);
}

static void removed(struct gdrive_op *x) {
	if (x->err.kind == ERR_NONE || x->err.kind == ERR_NOT_FOUND) {
		gdrive_node_forget(x->gd, x->at.path, true);
		gdrive_finish(x, NULL);
	} else {
		gdrive_fail(x);
	}
}

static void children_came(struct gdrive_op *x) {
	const json_t *answer = x->answer;
	const char *token = json_string_value(json_object_get(answer, "nextPageToken"));

	if (x->err.kind == ERR_NOT_FOUND) {
		removed(x);
	} else if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
	} else if (json_array_size(json_object_get(answer, "files"))) {
		not_empty(x);
	} else if (json_is_true(json_object_get(answer, "incompleteSearch"))) {
		err_set(&x->err, ERR_BUSY, "Google Drive could not look at all of '%s'",
			x->op->key);
		gdrive_fail(x);
	} else if (token) { /* a page may be empty and still not be the last */
		char *copy = xstrdup(token);
		list_children(x, copy);
		free(copy);
	} else {
		x->step = removed;
		gdrive_trash_send(x, x->file_id);
	}
}

static void list_children(struct gdrive_op *x, const char *token) {
	char *quoted = gdrive_quote(x->file_id);
	char *q = xasprintf("%s in parents and trashed = false", quoted);

	x->step = children_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_query_url(x, q, 10,
				       "nextPageToken,incompleteSearch,files(id)", token) });
	free(q);
	free(quoted);
}

static void remove_walked(struct gdrive_op *x, const char *id, bool fresh) {
	if (!id) {
		gdrive_finish(x, NULL);
	} else if (gdrive_node_has_children(x->gd, x->at.path)) {
		not_empty(x); /* which a list may not know yet */
	} else {
		x->file_id = xstrdup(id);
		list_children(x, NULL);
	}
}

void gdrive_remove_folder(struct gdrive_op *x) {
	gdrive_place_set(x, &x->at, x->op->key, STORE_FOLDER);
	gdrive_walk(x, x->at.path, false, remove_walked);
}
