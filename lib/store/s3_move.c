#include "store/s3.h"

/*
 * COPY and MOVE of one object. A move is a copy and a delete: either may have been done by a try
 * whose answer was lost, so each step first believes what it finds.
 */

enum move_state {
	MOVE_TARGET,
	MOVE_SOURCE,
	MOVE_CHECK,
	MOVE_COPY,
	MOVE_ARRIVED,
	MOVE_RESULT,
	MOVE_DELETE
};

static void look(struct s3_op *x, enum move_state state, const char *object) {
	x->state = (int)state;
	s3_look(x, object);
}

static void copy_now(struct s3_op *x) {
	x->state = MOVE_COPY;
	s3_copy(x, x->object, x->to_object, x->op->if_version, NULL);
}

/* A server that does not compare versions by itself: what stands there is looked at just before. */
static void check_or_copy(struct s3_op *x) {
	if (x->op->if_version && !s3_match_works(x->s3->copy_match))
		look(x, MOVE_CHECK, x->object);
	else
		copy_now(x);
}

static void done(struct s3_op *x) {
	x->op->entry = x->other;
	x->other = (struct store_entry){ 0 };
	s3_finish(x, NULL);
}

static void target_there(struct s3_op *x) {
	err_set(&x->err, ERR_CHANGED, "'%s' is there already", x->op->to_key);
	s3_fail(x);
}

static void source_gone(struct s3_op *x) {
	err_set(&x->err, ERR_NOT_FOUND, "'%s' is not there", x->op->key);
	s3_fail(x);
}

/* The target is there: the copy is done. */
static void arrived(struct s3_op *x) {
	if (x->op->verb == STORE_COPY) {
		done(x);
		return;
	}
	x->state = MOVE_DELETE;
	s3_send(x, &(struct s3_call){ .method = "DELETE", .object = x->object });
}

static void move_step(struct s3_op *x) {
	bool gone = x->err.kind == ERR_NOT_FOUND, good = x->err.kind == ERR_NONE;
	bool move = x->op->verb == STORE_MOVE;

	if (!good && !gone) {
		s3_fail(x);
		return;
	}
	switch ((enum move_state)x->state) {
	case MOVE_TARGET: /* if_absent */
		if (gone) {
			check_or_copy(x);
			return;
		}
		x->other = s3_meta_entry(x, x->op->kind);
		look(x, MOVE_SOURCE, x->object);
		return;
	case MOVE_CHECK:
		if (gone) {
			source_gone(x);
			return;
		}
		x->present = s3_meta_entry(x, x->op->kind);
		if (str_equal(x->present.version, x->op->if_version)) {
			copy_now(x);
		} else {
			err_set(&x->err, ERR_CHANGED, "'%s' is not the version that was expected",
				x->op->key);
			s3_fail(x);
		}
		return;
	case MOVE_SOURCE: /* both are there, or the source has gone */
		if (gone && move) {
			done(x);
			return;
		}
		if (gone) {
			source_gone(x);
			return;
		}
		x->present = s3_meta_entry(x, x->op->kind);
		if (store_hash_equal(&x->present.hash, &x->other.hash)) {
			arrived(x);
		} else {
			target_there(x);
		}
		return;
	case MOVE_COPY:
		if (gone && !move) {
			source_gone(x);
		} else {
			look(x, gone ? MOVE_ARRIVED : MOVE_RESULT, x->to_object);
		}
		return;
	case MOVE_ARRIVED: /* no source: moved by the try before? */
	case MOVE_RESULT:
		if (gone) {
			source_gone(x);
			return;
		}
		x->other = s3_meta_entry(x, x->op->kind);
		if (x->state == MOVE_ARRIVED) {
			done(x);
		} else {
			arrived(x);
		}
		return;
	case MOVE_DELETE: done(x); return;
	}
}

void s3_copy_or_move(struct s3_op *x) {
	const struct store_op *op = x->op;

	x->step = move_step;
	x->to_object = s3_object(x->s3, op->to_key, op->kind);
	if (op->if_absent) {
		look(x, MOVE_TARGET, x->to_object);
	} else {
		check_or_copy(x);
	}
}
