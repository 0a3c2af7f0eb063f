#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"
#include "store/rest.h"

/* STAT, GET and SET: one thing that is there. */

static void not_there(struct gdrive_op *x) {
	err_set(&x->err, ERR_NOT_FOUND, "'%s' is not there", x->op->key);
	gdrive_fail(x);
}

/* Moves what was found into the answer. */
static void answer(struct gdrive_op *x) {
	x->op->entry = x->at.file.entry;
	x->at.file.entry = (struct store_entry){ 0 };
	gdrive_finish(x, NULL);
}

/* ---- STAT ---- */

static void stat_found(struct gdrive_op *x) {
	if (x->at.there) {
		answer(x);
	} else {
		not_there(x);
	}
}

/* The base itself, of which nobody needs more than the id. */
static void base_known(struct gdrive_op *x) {
	x->op->entry.kind = STORE_FOLDER;
	x->op->entry.id = xstrdup(x->gd->base_id);
	x->op->entry.mtime_ns = STORE_MTIME_UNKNOWN;
	x->op->entry.mode = STORE_MODE_UNKNOWN;
	gdrive_finish(x, NULL);
}

void gdrive_stat(struct gdrive_op *x) {
	if (!*x->op->key && !*x->gd->prefix) {
		gdrive_base(x, base_known);
		return;
	}
	gdrive_place_set(x, &x->at, x->op->key, x->op->kind);
	x->at.either = true;
	gdrive_find(x, &x->at, x->op->id, stat_found);
}

/* ---- GET ---- */

static bool is_trashed(const struct store_op *op) {
	return op->revision && *op->revision == GDRIVE_TRASHED;
}

/* NULL: what stands there now, or what lies in the trash, which is a file of its own. */
static const char *revision_of(const struct store_op *op) {
	return is_trashed(op) ? NULL : op->revision;
}

/* What stands there now is not what was asked for. */
static void entry_of_revision(struct gdrive_op *x) {
	struct store_entry *entry = &x->at.file.entry;

	/* The length of a refusal says nothing of it: 416 is the answer behind its end. */
	entry->size = x->request.status == 416 ? x->op->offset : rest_size(&x->request);
	entry->hash.kind = STORE_HASH_NONE;
	entry->mtime_ns = STORE_MTIME_UNKNOWN;
	free(entry->version);
	entry->version = xstrdup(x->op->revision);
}

static int64_t span_length(const struct store_op *op) {
	return op->length > 0 && op->length < STORE_SPAN_MAX ? op->length : STORE_SPAN_MAX;
}

static void get_came(struct gdrive_op *x) {
	struct http_request *request = &x->request;

	if (x->err.kind == ERR_NONE && request->status == 200 &&
		(x->op->offset > 0 || (int64_t)request->answer.len > span_length(x->op))) {
		err_set(&x->err, ERR_CORRUPT, "Google Drive does not give parts of files");
	}
	if (x->err.kind == ERR_NOT_FOUND) {
		not_there(x);
		return;
	}
	/* Behind its end, or there are no bytes at all. */
	const char *revision = revision_of(x->op);
	bool behind = revision && request->status == 416;
	if (x->err.kind != ERR_NONE && !behind) {
		gdrive_fail(x);
		return;
	}
	if (revision) entry_of_revision(x);
	if (behind) {
		answer(x);
		return;
	}
	buf_release(&x->op->answer_body);
	x->op->answer_body = request->answer;
	x->op->answer_body.max = STORE_SPAN_MAX;
	buf_init(&request->answer, 0);
	answer(x);
}

static void get_found(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	const struct store_entry *entry = &x->at.file.entry;
	int64_t length = span_length(op);
	char range[80];

	if (!x->at.there) {
		not_there(x);
		return;
	}
	const char *revision = revision_of(op);
	if (revision ? op->if_version && !str_equal(op->if_version, revision) && gdrive_changed(x)
		     : gdrive_expect_version(x, entry)) {
		gdrive_fail(x);
		return;
	}
	if (!revision && op->offset >= entry->size) { /* no bytes, but an answer */
		answer(x);
		return;
	}
	x->step = get_came;
	snprintf(range, sizeof(range), "Range: bytes=%lld-%lld", (long long)op->offset,
		(long long)(op->offset + length - 1));
	gdrive_send(x,
		&(struct gdrive_call){ .method = "GET",
			.url = revision ? gdrive_revision_url(x, entry->id, revision, "alt=media")
					: gdrive_file_url(x, entry->id, "alt=media"),
			.range = range,
			.answer_max = (size_t)length });
}

static void trashed_looked(struct gdrive_op *x) {
	if (x->err.kind != ERR_NONE && x->err.kind != ERR_NOT_FOUND) {
		gdrive_fail(x);
		return;
	}
	struct gdrive_file *file = &x->at.file;
	/* No way to what merely has an id. */
	if (x->err.kind == ERR_NONE && gdrive_file_read(x->answer, file) && file->trashed) {
		gdrive_name_decode(file->name);
		char *name = gdrive_file_name(file);
		x->at.there =
			file->entry.kind == x->op->kind && str_equal(name, path_name(x->op->key));
		free(name);
	}
	err_clear(&x->err);
	get_found(x);
}

void gdrive_get(struct gdrive_op *x) {
	if (is_trashed(x->op)) {
		x->step = trashed_looked;
		gdrive_look_send(x, x->op->revision + 1);
		return;
	}
	gdrive_place_set(x, &x->at, x->op->key, x->op->kind);
	gdrive_find(x, &x->at, x->op->id, get_found);
}

/* ---- SET ---- */

static void set_came(struct gdrive_op *x) {
	struct gdrive_file file;

	if (x->err.kind == ERR_NOT_FOUND) {
		not_there(x);
		return;
	}
	if (x->err.kind == ERR_NONE && !gdrive_file_read(x->answer, &file))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a file");
	if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
		return;
	}
	gdrive_file_release(&x->at.file);
	x->at.file = file;
	answer(x);
}

static void set_found(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	const struct store_entry *entry = &x->at.file.entry;
	bool folder = x->at.there && entry->kind == STORE_FOLDER;

	if (!x->at.there) {
		not_there(x);
		return;
	}
	if (gdrive_expect_version(x, entry)) {
		gdrive_fail(x);
		return;
	}
	int64_t mtime_ns = op->mtime_ns != STORE_MTIME_UNKNOWN ? op->mtime_ns : entry->mtime_ns;
	int mode = op->mode != STORE_MODE_UNKNOWN ? op->mode : entry->mode;
	if (folder) mtime_ns = STORE_MTIME_UNKNOWN;
	if (entry->kind == STORE_LINK) mode = STORE_MODE_UNKNOWN;
	if (mtime_ns == entry->mtime_ns && mode == entry->mode) {
		answer(x);
		return;
	}
	x->step = set_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "PATCH",
			       .url = gdrive_file_url(x, entry->id, "fields=" GDRIVE_FIELDS),
			       .json = gdrive_metadata(entry->kind, mtime_ns, mode) });
}

void gdrive_set(struct gdrive_op *x) {
	gdrive_place_set(x, &x->at, x->op->key, x->op->kind);
	gdrive_find(x, &x->at, x->op->id, set_found);
}
