#include <stdlib.h>

#include "store/flow.h"

/*
 * PUT, PART_END and REMOVE: whatever replaces or removes what stands at a key.
 *
 * LOOK at what stands there, where a condition or keep_key needs it; LOOK_KEPT at the place it is
 * to be kept; KEEP it there; COMMIT. Where the server itself checks the conditions the look is left
 * out. A condition that fails may have failed by our own earlier try, whose answer was lost:
 * LOOK_AFTER tells, if need be by reading what is there.
 */

enum put_state {
	PUT_LOOK,
	PUT_LOOK_KEPT,
	PUT_KEPT_TIMES, /* an earlier try has kept it, and perhaps only its content */
	PUT_KEEP,
	PUT_COMMIT,
	PUT_LOOK_AFTER,
	PUT_WAS_KEPT,
	PUT_TIMES, /* the same, of what was put */
};

static void put_step(struct flow *flow);

static bool is_remove(const struct flow *flow) {
	return flow->op->verb == STORE_REMOVE;
}

static void look(struct flow *flow, enum put_state state, const char *key) {
	flow->state = (int)state;
	flow->driver->look(flow, key, flow->op->kind);
}

static void commit(struct flow *flow) {
	flow->state = PUT_COMMIT;
	if (is_remove(flow)) {
		flow->driver->remove(flow, flow->op->key, flow->op->kind);
	} else {
		flow->driver->commit(flow);
	}
}

static void fail_changed(struct flow *flow) {
	err_set(&flow->err, ERR_CHANGED, "'%s' is not what was expected there", flow->op->key);
	flow_fail(flow);
}

static void finish_ours(struct flow *flow) {
	struct store_entry *present = &flow->present;
	struct store_entry wanted = *present;

	flow->op->existed = true;
	store_set_entry(flow->op, &wanted);
	flow->state = PUT_TIMES;
	if (!flow_times(flow, flow->op->key, present, &wanted)) flow_finish_with(flow, present);
}

/* There by an earlier try of ours, or gone: was something kept then? */
static void was_done(struct flow *flow) {
	const struct store_op *op = flow->op;

	if (op->keep_key) {
		look(flow, PUT_WAS_KEPT, op->keep_key);
	} else if (is_remove(flow)) {
		flow_finish(flow, NULL);
	} else {
		finish_ours(flow);
	}
}

/* ---- KEEP ---- */

/* Something is at keep_key: what stands at the key, by an earlier try? Then that step is done. */
static void compare_kept(struct flow *flow) {
	struct store_entry *kept = &flow->other, *present = &flow->present;
	const struct store_op *op = flow->op;
	bool alike = kept->size == present->size;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
	} else if (alike && kept->hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->keep_key, op->kind, kept, compare_kept);
	} else if (alike && present->hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->key, op->kind, present, compare_kept);
	} else if (!alike || !store_hash_equal(&kept->hash, &present->hash)) {
		err_set(&flow->err, ERR_CHANGED, "'%s' holds another version", op->keep_key);
		flow_fail(flow);
	} else {
		flow->state = PUT_KEPT_TIMES;
		if (!flow_times(flow, op->keep_key, kept, present)) put_step(flow);
	}
}

/* What is to go goes there; what is replaced is copied, so that its name is never absent. */
static void keep_now(struct flow *flow) {
	flow->state = PUT_KEEP;
	flow->copy = (struct flow_copy){ .from = flow->op->key,
		.to = flow->op->keep_key,
		.kind = flow->op->kind,
		.move = is_remove(flow),
		.absent = true,
		.parents = true };
	flow->driver->copy(flow, &flow->copy);
}

static void after_look_kept(struct flow *flow) {
	if (flow->err.kind == ERR_NONE) {
		flow_take_seen(flow, &flow->other);
		compare_kept(flow);
	} else {
		keep_now(flow);
	}
}

static void after_keep(struct flow *flow) {
	if (flow->err.kind == ERR_NOT_FOUND && !flow->op->if_version) {
		commit(flow); /* it went meanwhile: nothing to keep */
	} else if (flow->err.kind != ERR_NONE) {
		if (flow->err.kind == ERR_NOT_FOUND) flow->err.kind = ERR_CHANGED;
		flow_fail(flow);
	} else {
		flow->op->kept = true;
		if (is_remove(flow)) {
			flow_finish(flow, NULL);
		} else {
			commit(flow);
		}
	}
}

/* ---- LOOK ---- */

static int64_t content_size(const struct store_op *op) {
	return op->verb == STORE_PUT ? (int64_t)op->body_len : op->size;
}

/* What it tells as long as the times have not come is no time of another content. */
static void take_present(struct flow *flow) {
	struct store_entry *present = &flow->present;
	int64_t given_ns = flow->op->mtime_ns;

	flow_take_seen(flow, present);
	if (flow->driver->times && present->mode == STORE_MODE_UNKNOWN &&
		present->mtime_ns == given_ns - given_ns % NS_PER_S)
		present->mtime_ns = STORE_MTIME_UNKNOWN;
}

static bool may_be_ours(const struct flow *flow) {
	const struct store_op *op = flow->op;
	const struct store_entry *present = &flow->present;

	return !is_remove(flow) && present->kind == op->kind && present->size == content_size(op) &&
	       store_hash_tells(flow->store, &op->hash) &&
	       (present->mtime_ns == STORE_MTIME_UNKNOWN || op->mtime_ns == STORE_MTIME_UNKNOWN ||
		       present->mtime_ns == op->mtime_ns);
}

static bool is_theirs(const struct flow *flow) {
	const struct store_op *op = flow->op;
	return op->if_absent ||
	       (op->if_version && !str_equal(op->if_version, flow->present.version));
}

/* Something stands there, and its hash is known where it could be ours. */
static void there_known(struct flow *flow) {
	const struct store_op *op = flow->op;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
	} else if (!is_remove(flow) && store_is_ours(op, &flow->present)) {
		was_done(flow);
	} else if (is_theirs(flow)) {
		fail_changed(flow);
	} else if (op->keep_key && op->keep_fresh) {
		keep_now(flow);
	} else if (op->keep_key) {
		look(flow, PUT_LOOK_KEPT, op->keep_key);
	} else {
		commit(flow);
	}
}

/* Is something of the kind in question there? Else a removal would take a folder with all below. */
static bool is_there(const struct flow *flow) {
	return flow->err.kind == ERR_NONE && flow->seen.kind != STORE_FOLDER;
}

static void after_look(struct flow *flow) {
	const struct store_op *op = flow->op;

	flow->looked = true;
	if (!is_there(flow)) {
		if (is_remove(flow)) {
			was_done(flow);
		} else if (op->if_version) {
			fail_changed(flow);
		} else {
			flow->looked = false;
			commit(flow);
		}
		return;
	}
	take_present(flow);
	bool asked = is_theirs(flow) || (op->keep_key && !op->if_version);
	if (asked && may_be_ours(flow) && flow->present.hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->key, op->kind, &flow->present, there_known);
	} else {
		there_known(flow);
	}
}

/* ---- COMMIT ---- */

static void after_commit(struct flow *flow) {
	const struct store_op *op = flow->op;
	enum err_kind kind = flow->err.kind;

	if (kind == ERR_NONE || (is_remove(flow) && kind == ERR_NOT_FOUND)) {
		flow_finish(flow, NULL);
	} else if (!is_remove(flow) &&
		   (kind == ERR_CHANGED || (kind == ERR_NOT_FOUND && op->verb == STORE_PART_END))) {
		flow->saved = flow->err;
		look(flow, PUT_LOOK_AFTER, op->key);
	} else {
		flow_fail(flow);
	}
}

static void fail_saved(struct flow *flow) {
	flow->err = flow->saved;
	flow->op->kept = false;
	flow_fail(flow);
}

static void after_known(struct flow *flow) {
	const struct store_op *op = flow->op;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
	} else if (store_is_ours(op, &flow->present)) {
		was_done(flow);
	} else if (!flow->distrust && flow->checks_version && op->if_version &&
		   str_equal(op->if_version, flow->present.version)) {
		/* The expected version after all, which the server does not see: a weak ETag of
		 * Apache's, say. We have looked, that must do. */
		flow->distrust = true;
		commit(flow);
	} else {
		fail_saved(flow);
	}
}

static void after_look_after(struct flow *flow) {
	if (!is_there(flow)) {
		fail_saved(flow);
		return;
	}
	take_present(flow);
	if (may_be_ours(flow) && flow->present.hash.kind == STORE_HASH_NONE) {
		flow_read(flow, flow->op->key, flow->op->kind, &flow->present, after_known);
	} else {
		after_known(flow);
	}
}

static void put_step(struct flow *flow) {
	enum put_state state = (enum put_state)flow->state;
	bool judges = state == PUT_KEEP || state == PUT_COMMIT;
	bool times = state == PUT_KEPT_TIMES || state == PUT_TIMES;
	bool absent = flow->err.kind == ERR_NOT_FOUND && !times;

	if (!judges && flow->err.kind != ERR_NONE && !absent) {
		flow_fail(flow);
		return;
	}
	switch (state) {
	case PUT_LOOK: after_look(flow); return;
	case PUT_LOOK_KEPT: after_look_kept(flow); return;
	case PUT_KEPT_TIMES:
		flow->op->kept = true;
		commit(flow);
		return;
	case PUT_KEEP: after_keep(flow); return;
	case PUT_COMMIT: after_commit(flow); return;
	case PUT_LOOK_AFTER: after_look_after(flow); return;
	case PUT_WAS_KEPT:
		flow->op->kept = flow->err.kind == ERR_NONE;
		if (is_remove(flow)) {
			flow_finish(flow, NULL);
		} else {
			finish_ours(flow);
		}
		return;
	case PUT_TIMES: flow_finish_with(flow, &flow->present); return;
	}
}

void flow_put(struct flow *flow) {
	const struct store_op *op = flow->op;

	flow->step = put_step;
	if (is_remove(flow) || op->keep_key || (op->if_absent && !flow->checks_absence) ||
		(op->if_version && !flow->checks_version)) {
		look(flow, PUT_LOOK, op->key);
	} else {
		commit(flow);
	}
}
