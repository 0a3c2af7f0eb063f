#include <stdlib.h>

#include "store/gdrive.h"

/*
 * PART_END: the whole file lies in the folder of uploads. It is put at its place first, then what stood
 * there is moved to keep_key, or to the trash: the path is never absent. A try that was cut off between
 * the two leaves two of that name; the next one sees the file at its place and its twin.
 */

enum end_state { END_STAGED, END_PLACE, END_OLD, END_OLD_LOOK };

static void end_step(struct gdrive_op *x);

static void done(struct gdrive_op *x) {
	free(map_take(&x->gd->held, x->file_id));
	gdrive_node_set(x->gd, x->at.path, false, x->staged.entry.id);
	x->op->entry = x->staged.entry;
	x->staged.entry = (struct store_entry){ 0 };
	gdrive_finish(x, NULL);
}

/* ---- the old one ---- */

static void old_goes(struct gdrive_op *x) {
	x->state = END_OLD;
	x->step = end_step;
	if (x->op->keep_key && !x->to.there)
		gdrive_move_send(x, x->at.file.entry.id, x->at.file.parent, &x->to);
	else
		gdrive_trash_send(x, x->at.file.entry.id);
}

static void place_now(struct gdrive_op *x) {
	x->state = END_PLACE;
	x->step = end_step;
	gdrive_move_send(x, x->staged.entry.id, x->staged.parent, &x->at);
}

static void keep_looked(struct gdrive_op *x) {
	bool other = x->to.there && !gdrive_same_content(&x->to.file.entry, &x->at.file.entry);

	if (!x->to.parent_id || other) {
		err_set(&x->err, other ? ERR_CHANGED : ERR_BUSY, "'%s' holds another version",
			x->op->keep_key);
		gdrive_fail(x);
		return;
	}
	x->op->kept = true;
	if (x->settled)
		old_goes(x);
	else
		place_now(x);
}

static void was_kept(struct gdrive_op *x) {
	x->op->kept = x->to.there;
	done(x);
}

/* ---- it is at its place already ---- */

static void twin_came(struct gdrive_op *x) {
	gdrive_file_release(&x->at.file);
	x->at.there = x->err.kind == ERR_NONE && gdrive_file_read(x->answer, &x->at.file) &&
		      !x->at.file.trashed;
	if (x->err.kind != ERR_NONE && x->err.kind != ERR_NOT_FOUND) {
		gdrive_fail(x);
		return;
	}
	x->settled = true;
	x->to.make = x->at.there;
	if (!x->op->keep_key) {
		if (x->at.there)
			old_goes(x);
		else
			done(x);
	} else {
		gdrive_find(x, &x->to, NULL, x->at.there ? keep_looked : was_kept);
	}
}

static void twin_found(struct gdrive_op *x) {
	const char *other = NULL;

	if (x->at.there && !str_equal(x->at.file.entry.id, x->staged.entry.id))
		other = x->at.file.ours ? x->at.file.entry.id : NULL;
	else
		other = x->at.twin;
	if (other) {
		x->state = END_OLD_LOOK;
		x->step = end_step;
		gdrive_look_send(x, other);
	} else if (x->op->keep_key) {
		gdrive_find(x, &x->to, NULL, was_kept);
	} else {
		done(x);
	}
}

/* ---- the steps ---- */

static void looked(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	if (!x->at.parent_id) {
		err_set(&x->err, op->if_version ? ERR_CHANGED : ERR_NOT_FOUND,
			"the folder of '%s' is not there", op->key);
		gdrive_fail(x);
	} else if (str_equal(x->staged.parent, x->at.parent_id)) {
		/* Put there by an earlier try. Did what stood there go? Only a query tells. */
		gdrive_node_forget(x->gd, x->at.path, false);
		x->at.parent_fresh = false;
		gdrive_find(x, &x->at, NULL, twin_found);
	} else if (gdrive_is_rival(op, &x->at)) {
		gdrive_changed(x);
		gdrive_fail(x);
	} else if (x->at.there && op->keep_key) {
		x->to.make = true;
		gdrive_find(x, &x->to, NULL, keep_looked);
	} else {
		place_now(x);
	}
}

static void staged_came(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	if (x->err.kind == ERR_NONE && !gdrive_file_read(x->answer, &x->staged))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a file");
	if (x->err.kind == ERR_NONE && x->staged.trashed)
		err_set(&x->err, ERR_NOT_FOUND, "this upload was given up");
	if (x->err.kind == ERR_NONE && op->hash.kind == STORE_HASH_MD5 &&
		!store_hash_equal(&op->hash, &x->staged.entry.hash))
		err_set(&x->err, ERR_CORRUPT, "'%s' arrived damaged", op->key);
	if (x->err.kind != ERR_NONE)
		gdrive_fail(x);
	else
		gdrive_find(x, &x->at, op->id, looked);
}

static void placed(struct gdrive_op *x) {
	gdrive_file_release(&x->staged);
	if (!gdrive_file_read(x->answer, &x->staged)) {
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a file");
		gdrive_fail(x);
	} else if (x->at.there) {
		old_goes(x);
	} else {
		done(x);
	}
}

static void end_step(struct gdrive_op *x) {
	bool gone = x->err.kind == ERR_NOT_FOUND;

	switch ((enum end_state)x->state) {
	case END_STAGED: staged_came(x); return;
	case END_OLD_LOOK: twin_came(x); return;
	case END_PLACE:
	case END_OLD: break;
	}
	if (x->state == END_OLD && (gone || x->err.kind == ERR_NONE)) {
		if (x->op->keep_key && !x->to.there && !gone)
			gdrive_node_set(x->gd, x->to.path, false, x->at.file.entry.id);
		done(x);
	} else if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
	} else {
		placed(x);
	}
}

void gdrive_part_end(struct gdrive_op *x) {
	const struct store_op *op = x->op;

	if (gdrive_session_open(x)) {
		gdrive_fail(x);
		return;
	}
	gdrive_place_set(x, &x->at, op->key, STORE_FILE);
	if (op->keep_key) gdrive_place_set(x, &x->to, op->keep_key, STORE_FILE);
	x->at.written = x->to.written = true;
	x->state = END_STAGED;
	x->step = end_step;
	gdrive_look_send(x, x->file_id);
}
