#include "store/flow.h"

/*
 * COPY and MOVE. SOURCE: what is copied, so that its times and hash can be given to the copy where
 * the server leaves them behind. TARGET: where nothing may stand there, or the source is gone: the
 * try before may have done it.
 */

enum { COPY_SOURCE, COPY_COPY, COPY_TARGET, COPY_REMOVE, COPY_TIMES };

static void target_look(struct flow *flow) {
	flow->state = COPY_TARGET;
	flow->driver->look(flow, flow->op->to_key, flow->op->kind);
}

static void source_gone(struct flow *flow) {
	err_set(&flow->err, ERR_NOT_FOUND, "'%s' is not there", flow->op->key);
	flow_fail(flow);
}

static void target_there(struct flow *flow) {
	err_set(&flow->err, ERR_CHANGED, "'%s' is there already", flow->op->to_key);
	flow_fail(flow);
}

/* Where a file and a folder cannot have one name, what was seen may be of the other kind: then it is not what a MOVE is asked for. */
static bool is_asked_kind(const struct flow *flow) {
	bool folder = flow->op->kind == STORE_FOLDER;
	return flow->op->verb != STORE_MOVE || (flow->seen.kind == STORE_FOLDER) == folder;
}

static void after_source(struct flow *flow) {
	const struct store_op *op = flow->op;
	bool gone = flow->err.kind == ERR_NOT_FOUND || !is_asked_kind(flow);

	if (gone && op->verb == STORE_MOVE) {
		target_look(flow);
	} else if (gone) {
		source_gone(flow);
	} else if (op->if_version && !str_equal(op->if_version, flow->seen.version)) {
		err_set(&flow->err, ERR_CHANGED, "'%s' is not the version that was expected",
			op->key);
		flow_fail(flow);
	} else {
		flow_take_seen(flow, &flow->present);
		flow->looked = true;
		flow->state = COPY_COPY;
		flow->copy = (struct flow_copy){ .from = op->key,
			.to = op->to_key,
			.kind = op->kind,
			.move = op->verb == STORE_MOVE,
			.absent = op->if_absent };
		flow->driver->copy(flow, &flow->copy);
	}
}

static void after_copy(struct flow *flow) {
	bool move = flow->op->verb == STORE_MOVE;

	if (flow->err.kind == ERR_NONE) {
		flow_finish_with(flow, &flow->seen);
	} else if (flow->err.kind == ERR_CHANGED || (flow->err.kind == ERR_NOT_FOUND && move)) {
		flow->saved = flow->err;
		if (flow->err.kind == ERR_NOT_FOUND) flow->looked = false;
		target_look(flow);
	} else {
		flow_fail(flow);
	}
}

/* Both are there: equal? Then the copy is done. */
static void both_known(struct flow *flow) {
	struct store_entry *from = &flow->present, *to = &flow->other;
	const struct store_op *op = flow->op;
	bool alike =
		from->size == to->size && from->kind != STORE_FOLDER && to->kind != STORE_FOLDER;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
	} else if (alike && from->hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->key, op->kind, from, both_known);
	} else if (alike && to->hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->to_key, op->kind, to, both_known);
	} else if (!alike || !store_hash_equal(&from->hash, &to->hash)) {
		target_there(flow);
	} else if (op->verb == STORE_COPY) {
		flow->state = COPY_TIMES;
		if (!flow_times(flow, op->to_key, to, from)) flow_finish_with(flow, to);
	} else {
		flow->state = COPY_REMOVE;
		flow->driver->remove(flow, op->key, op->kind);
	}
}

static void after_target(struct flow *flow) {
	bool there = flow->err.kind == ERR_NONE;

	if (!there && flow->looked) {
		flow->err =
			flow->saved; /* it was there when the copy was refused, and is not now */
		flow_fail(flow);
	} else if (!there || (!flow->looked && !is_asked_kind(flow))) {
		source_gone(flow);
	} else if (!flow->looked) {
		flow_finish_with(flow, &flow->seen); /* moved by the try before */
	} else {
		flow_take_seen(flow, &flow->other);
		both_known(flow);
	}
}

static void copy_step(struct flow *flow) {
	enum err_kind kind = flow->err.kind;

	if (flow->state != COPY_COPY && kind != ERR_NONE && kind != ERR_NOT_FOUND) {
		flow_fail(flow);
		return;
	}
	switch (flow->state) {
	case COPY_SOURCE: after_source(flow); return;
	case COPY_COPY: after_copy(flow); return;
	case COPY_TARGET: after_target(flow); return;
	default: flow_finish_with(flow, &flow->other); return;
	}
}

void flow_copy_or_move(struct flow *flow) {
	flow->step = copy_step;
	flow->state = COPY_SOURCE;
	flow->driver->look(flow, flow->op->key, flow->op->kind);
}
