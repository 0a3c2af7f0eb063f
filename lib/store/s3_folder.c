#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/* MKDIR and REMOVE of a folder: its marker "NAME/". */

static void make_step(struct s3_op *x) {
	const struct store_op *op = x->op;

	if (x->err.kind != ERR_NONE) {
		s3_fail(x);
		return;
	}
	x->op->entry.kind = STORE_FOLDER;
	x->op->entry.marker = true;
	x->op->entry.mtime_ns = op->mtime_ns;
	x->op->entry.mode = op->mode;
	s3_finish(x, NULL);
}

void s3_make_folder(struct s3_op *x) {
	const struct store_op *op = x->op;

	x->step = make_step;
	if (op->kind != STORE_FOLDER) { /* a verb that needs no kind */
		free(x->object);
		x->object = s3_object(x->s3, op->key, STORE_FOLDER);
	}
	s3_header(x, "content-type: application/octet-stream");
	s3_class_headers(x);
	s3_time_headers(x, STORE_FOLDER, op->mtime_ns, op->mode);
	s3_send(x, &(struct s3_call){ .method = "PUT", .object = x->object, .body = "" });
}

/* ---- REMOVE: two keys of what begins so tell all ---- */

enum { REMOVE_LIST, REMOVE_MARKER };

struct found {
	struct s3_op *x;
	bool encoded;
	char *keys[2];
	int count;
};

static void element_ended(void *user, const char *path, const char *text) {
	struct found *found = user;

	if (str_ends(path, "/EncodingType")) found->encoded = str_equal(text, "url");
	if (str_ends(path, "/Contents/Key") && found->count < 2) {
		found->keys[found->count++] = xstrdup(text);
	}
}

/* Neither this folder's own marker nor nothing. */
static bool has_children(struct s3_op *x, struct found *found) {
	bool children = found->count > 1;

	if (found->count == 1) {
		if (found->encoded) {
			for (char *at = found->keys[0]; *at; at++) {
				if (*at == '+') *at = ' ';
			}
			str_percent_decode(found->keys[0]);
		}
		children = !str_equal(found->keys[0], x->object);
	}
	return children;
}

static void remove_step(struct s3_op *x) {
	struct found found = { .x = x };

	if (x->state == REMOVE_MARKER && x->err.kind == ERR_NOT_FOUND) err_clear(&x->err);
	if (x->err.kind == ERR_NONE && x->state == REMOVE_LIST)
		s3_read(x, "ListBucketResult", element_ended, &found);
	if (x->err.kind == ERR_NONE && x->state == REMOVE_LIST && has_children(x, &found)) {
		err_set(&x->err, ERR_BUSY, "the folder '%s' is not empty", x->op->key);
		x->err.sys = ENOTEMPTY;
	}
	free(found.keys[0]);
	free(found.keys[1]);
	if (x->err.kind != ERR_NONE) {
		s3_fail(x);
	} else if (x->state == REMOVE_MARKER || found.count == 0) {
		s3_finish(x, NULL);
	} else {
		x->state = REMOVE_MARKER;
		s3_send(x, &(struct s3_call){ .method = "DELETE", .object = x->object });
	}
}

void s3_remove_folder(struct s3_op *x) {
	x->step = remove_step;
	s3_query(&x->text, "encoding-type", "url");
	s3_query(&x->text, "list-type", "2");
	s3_query(&x->text, "max-keys", "2");
	s3_query(&x->text, "prefix", x->object);
	s3_send(x, &(struct s3_call){ .method = "GET", .query = x->text.at });
}
