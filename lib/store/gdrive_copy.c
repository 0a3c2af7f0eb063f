#include <stdlib.h>

#include "store/gdrive.h"

/* COPY of a file, MOVE of anything, both on the server. A move is one request, also for a folder with all
 * below it. What stood at the target goes to the trash after: the target is never absent. */

enum copy_state { COPY_COPY, COPY_MOVE, COPY_TRASH_OLD, COPY_TRASH_SOURCE };

static void copy_step(struct gdrive_op *x);

static bool is_move(const struct gdrive_op *x) {
	return x->op->verb == STORE_MOVE;
}

static void done(struct gdrive_op *x) {
	x->op->entry = x->staged.entry;
	x->staged.entry = (struct store_entry){ 0 };
	gdrive_finish(x, NULL);
}

static void target_is_it(struct gdrive_op *x) {
	x->staged = x->to.file;
	x->to.file = (struct gdrive_file){ 0 };
	x->to.there = false;
}

static void source_gone(struct gdrive_op *x) {
	err_set(&x->err, ERR_NOT_FOUND, "'%s' is not there", x->op->key);
	gdrive_fail(x);
}

static void trash(struct gdrive_op *x, enum copy_state state, const char *id) {
	x->state = (int)state;
	x->step = copy_step;
	gdrive_trash_send(x, id);
}

static void copy_now(struct gdrive_op *x) {
	x->state = COPY_COPY;
	x->step = copy_step;
	gdrive_copy_send(x, &x->at.file, &x->to);
}

static void act(struct gdrive_op *x) {
	if (is_move(x)) {
		x->state = COPY_MOVE;
		x->step = copy_step;
		gdrive_move_send(x, x->at.file.entry.id, x->at.file.parent, &x->to);
	} else {
		gdrive_take_id(x, x->to.path, false, copy_now);
	}
}

static void target_found(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	bool source = x->at.there, target = x->to.there;
	bool same = source && target && !x->to.folder &&
		    gdrive_same_content(&x->at.file.entry, &x->to.file.entry);

	if (!source && target && is_move(x)) { /* moved by the try before */
		target_is_it(x);
		done(x);
	} else if (!source) {
		source_gone(x);
	} else if (gdrive_expect_version(x, &x->at.file.entry)) {
		gdrive_fail(x);
	} else if (!x->to.parent_id) {
		err_set(&x->err, ERR_NOT_FOUND, "the folder of '%s' is not there", op->to_key);
		gdrive_fail(x);
	} else if (same && op->if_absent) {
		target_is_it(x);
		if (is_move(x))
			trash(x, COPY_TRASH_SOURCE, x->at.file.entry.id);
		else
			done(x);
	} else if (target && (op->if_absent || x->to.folder)) {
		err_set(&x->err, ERR_CHANGED, "'%s' is there already", op->to_key);
		gdrive_fail(x);
	} else {
		act(x);
	}
}

static void arrived(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;

	if (!gdrive_file_read(x->answer, &x->staged)) {
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a file");
		gdrive_fail(x);
		return;
	}
	if (is_move(x)) gdrive_node_forget(gd, x->at.path, x->at.folder);
	gdrive_node_forget(gd, x->to.path, x->to.folder);
	gdrive_node_set(gd, x->to.path, x->to.folder, x->staged.entry.id);
	if (x->to.there)
		trash(x, COPY_TRASH_OLD, x->to.file.entry.id);
	else
		done(x);
}

static void copy_step(struct gdrive_op *x) {
	bool gone = x->err.kind == ERR_NOT_FOUND;

	switch ((enum copy_state)x->state) {
	case COPY_COPY:
		if (x->err.kind == ERR_CHANGED) { /* 409: copied by the try before */
			gdrive_find(x, &x->to, NULL, target_found);
			return;
		}
		break;
	case COPY_MOVE: break;
	case COPY_TRASH_OLD:
	case COPY_TRASH_SOURCE:
		if (gone || x->err.kind == ERR_NONE) {
			if (x->state == COPY_TRASH_SOURCE)
				gdrive_node_forget(x->gd, x->at.path, false);
			done(x);
			return;
		}
		break;
	}
	if (gone) {
		gdrive_node_forget(x->gd, x->at.path, x->at.folder);
		source_gone(x);
	} else if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
	} else {
		arrived(x);
	}
}

static void source_found(struct gdrive_op *x) {
	gdrive_find(x, &x->to, NULL, target_found);
}

void gdrive_copy_or_move(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	gdrive_place_set(x, &x->at, op->key, op->kind);
	gdrive_place_set(x, &x->to, op->to_key, op->kind);
	x->step = copy_step;
	gdrive_find(x, &x->at, op->id, source_found);
}
