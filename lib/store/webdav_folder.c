#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/* Folders: MKCOL, the ways to say that one is there already, and a removal that never takes more. */

/* ---- parents ---- */

static void parent_next(struct webdav_op *x);

/* What a MKCOL of a folder that is there answers. Apache says 403 when another made it meanwhile. */
static bool may_be_there(const struct webdav_op *x) {
	return x->status == 405 || x->status == 406 || x->status == 301 || x->status == 403;
}

static void parent_found(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE && x->was_found && x->found.kind == STORE_FOLDER) {
		parent_next(x);
	} else {
		x->flow.err = x->flow.saved;
		x->folders_made(x);
	}
}

static void parent_answered(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE || (may_be_there(x) && x->status != 403)) {
		err_clear(&x->flow.err);
		parent_next(x);
	} else if (x->status == 403) {
		char *parent = xstrndup(x->folder, x->folder_len);
		x->flow.saved = x->flow.err;
		webdav_find(x, parent, STORE_FOLDER, parent_found);
		free(parent);
	} else {
		x->folders_made(x);
	}
}

static void parent_next(struct webdav_op *x) {
	const char *slash = strchr(x->folder + x->folder_len, '/');

	if (!slash || !slash[1]) {
		x->folders_made(x);
		return;
	}
	x->folder_len = (size_t)(slash + 1 - x->folder);
	char *parent = xstrndup(x->folder, x->folder_len);
	webdav_send(x, &(struct webdav_call){ .method = "MKCOL", .path = parent }, parent_answered);
	free(parent);
}

void webdav_parents(struct webdav_op *x, const char *path, void (*then)(struct webdav_op *x)) {
	free(x->folder);
	x->folder = xstrdup(path);
	x->folder_len = strlen(x->dav->root) + 1;
	x->folders_made = then;
	err_clear(&x->flow.err);
	parent_next(x);
}

/* ---- MKDIR ---- */

static void mkdir_described(struct webdav_op *x) {
	struct store_entry *entry = &x->flow.op->entry;

	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	*entry = x->meta;
	x->meta = (struct store_entry){ 0 };
	flow_finish(&x->flow, NULL);
}

static void mkdir_describe(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	store_entry_release(&x->meta);
	x->meta.kind = STORE_FOLDER;
	x->meta.mtime_ns = op->mtime_ns;
	x->meta.mode = op->mode;
	if (op->mode == STORE_MODE_UNKNOWN && op->mtime_ns == STORE_MTIME_UNKNOWN) {
		mkdir_described(x);
	} else {
		webdav_meta_put(x, x->path, mkdir_described);
	}
}

static void mkdir_found(struct webdav_op *x) {
	struct err *err = &x->flow.err;

	if (err->kind == ERR_NONE && !x->was_found) *err = x->flow.saved;
	if (err->kind == ERR_NONE && x->found.kind != STORE_FOLDER)
		err_set(err, ERR_CHANGED, "'%s' is there and is no folder", x->flow.op->key);
	if (err->kind == ERR_NONE) {
		x->flow.op->existed = true;
		mkdir_describe(x);
		return;
	}
	if (err->kind == ERR_NOT_FOUND) *err = x->flow.saved;
	flow_fail(&x->flow);
}

static void mkdir_answered(struct webdav_op *x) {
	if (may_be_there(x)) {
		x->flow.saved = x->flow.err;
		webdav_find(x, x->path, STORE_FOLDER, mkdir_found);
	} else if (x->flow.err.kind == ERR_NONE) {
		mkdir_describe(x);
	} else {
		if (x->flow.err.kind == ERR_NOT_FOUND)
			err_set(&x->flow.err, ERR_NOT_FOUND, "the folder above '%s' is not there",
				x->flow.op->key);
		flow_fail(&x->flow);
	}
}

void webdav_mkdir(struct webdav_op *x) {
	x->path = webdav_path(x->dav, x->flow.op->key, STORE_FOLDER);
	webdav_send(x, &(struct webdav_call){ .method = "MKCOL", .path = x->path }, mkdir_answered);
}

/* ---- REMOVE ---- */

static void rmdir_answered(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE || x->flow.err.kind == ERR_NOT_FOUND) {
		flow_finish(&x->flow, NULL);
	} else {
		flow_fail(&x->flow);
	}
}

static void child_came(struct webdav_op *x, const struct webdav_item *item) {
	size_t own = strlen(x->path);

	while (own && x->path[own - 1] == '/') own--;
	bool itself = strncmp(item->path, x->path, own) == 0 && !item->path[own];
	if (!itself) x->children++;
	if (itself) x->was_found = item->is_folder;
}

/* A DELETE takes all that is below, so a folder is looked into first. */
static void children_known(struct webdav_op *x) {
	struct err *err = &x->flow.err;

	if (err->kind == ERR_NOT_FOUND || (err->kind == ERR_NONE && !x->was_found)) {
		flow_finish(&x->flow, NULL);
	} else if (err->kind != ERR_NONE) {
		flow_fail(&x->flow);
	} else if (x->children) {
		err_set(err, ERR_BUSY, "the folder '%s' is not empty", x->flow.op->key);
		err->sys = ENOTEMPTY;
		flow_fail(&x->flow);
	} else {
		x->item_came = NULL;
		webdav_send(x,
			&(struct webdav_call){
				.method = "DELETE", .path = x->path, .multistatus = true },
			rmdir_answered);
	}
}

void webdav_rmdir(struct webdav_op *x) {
	x->path = webdav_path(x->dav, x->flow.op->key, STORE_FOLDER);
	x->was_found = false;
	webdav_propfind(x, x->path, "1", child_came, children_known);
}
