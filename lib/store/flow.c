#include <assert.h>

#include "store/flow.h"

/* What the flows share, and STAT and SET: one thing that is there. */

enum { READ_SPAN = 1 << 20 }; /* so much is hashed on the loop in 2 ms */

void flow_init(struct flow *flow, struct store *store, struct store_op *op,
	const struct flow_driver *driver) {
	*flow = (struct flow){ .store = store, .op = op, .driver = driver };
	struct store_entry none = { .mtime_ns = STORE_MTIME_UNKNOWN, .mode = STORE_MODE_UNKNOWN };
	flow->seen = flow->present = flow->other = none;
}

void flow_next(struct flow *flow) {
	flow->step(flow);
}

/* ---- the end ---- */

static void release(struct flow *flow) {
	flow->op->impl = NULL;
	store_entry_release(&flow->seen);
	store_entry_release(&flow->present);
	store_entry_release(&flow->other);
	digest_release(&flow->digest);
	flow->driver->release(flow);
}

void flow_finish(struct flow *flow, const struct err *err) {
	struct store_op *op = flow->op;
	struct err copy;

	if (err) copy = *err; /* it may stand in `flow` */
	release(flow);
	op->done(op, err ? &copy : NULL);
}

void flow_fail(struct flow *flow) {
	assert(flow->err.kind != ERR_NONE);
	flow_finish(flow, &flow->err);
}

void flow_end(struct flow *flow) {
	flow_finish(flow, flow->err.kind == ERR_NONE ? NULL : &flow->err);
}

void flow_refuse_start(struct flow *flow) {
	struct store *store = flow->store;
	struct store_op *op = flow->op;
	struct err err = flow->err;

	release(flow);
	store_done_later(store, op, &err);
}

void flow_finish_with(struct flow *flow, struct store_entry *entry) {
	flow->op->entry = *entry;
	*entry = (struct store_entry){ 0 };
	flow_finish(flow, NULL);
}

void flow_take_seen(struct flow *flow, struct store_entry *entry) {
	store_entry_release(entry);
	*entry = flow->seen;
	flow->seen = (struct store_entry){ 0 };
}

/* ---- reading ---- */

static void span_start(struct flow *flow) {
	flow->reading = true;
	flow->store->driver->start(flow->store, &flow->get);
}

static void read_ended(struct flow *flow, const struct err *err) {
	store_op_release(&flow->get);
	flow->reading = false;
	if (err) {
		flow->err = *err;
		digest_release(&flow->digest);
	} else {
		uint8_t hash[DIGEST_MAX];
		digest_end(&flow->digest, hash);
		flow->read_entry->hash = store_hash_from(flow->store, hash);
		err_clear(&flow->err);
	}
	flow->after_read(flow);
}

static void span_done(struct store_op *get, const struct err *err) {
	struct flow *flow = container_of(get, struct flow, get);
	struct err copy;

	if (err) {
		copy = *err;
		read_ended(flow, &copy);
		return;
	}
	size_t len = get->answer_body.len;
	digest_add(&flow->digest, get->answer_body.at, len);
	get->offset += (int64_t)len;
	if (len == 0 || get->offset >= flow->read_entry->size) {
		read_ended(flow, NULL);
		return;
	}
	store_op_clear_answer(get);
	span_start(flow);
}

void flow_read(struct flow *flow, const char *key, enum store_kind kind, struct store_entry *entry,
	void (*after)(struct flow *flow)) {
	struct store_op *get = &flow->get;

	flow->read_entry = entry;
	flow->after_read = after;
	digest_init(&flow->digest, flow->store->digest);
	store_op_init(get, STORE_GET, key);
	get->kind = kind;
	get->length = READ_SPAN;
	get->if_version = entry->version;
	get->done = span_done;
	get->owner = flow->store;
	get->cancelled = flow->op->cancelled;
	span_start(flow);
}

bool flow_cancel(struct flow *flow) {
	if (!flow->reading) return false;
	flow->get.cancelled = true;
	flow->store->driver->cancel(flow->store, &flow->get);
	return true;
}

/* ---- times ---- */

bool flow_times(struct flow *flow, const char *key, struct store_entry *entry,
	const struct store_entry *from) {
	bool same = entry->mtime_ns == from->mtime_ns && entry->mode == from->mode;

	if (same || !flow->driver->times) return false;
	entry->mtime_ns = from->mtime_ns;
	entry->mode = from->mode;
	flow->driver->times(flow, key, entry);
	return true;
}

/* ---- STAT ---- */

static void stat_read(struct flow *flow) {
	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
	} else {
		flow_finish_with(flow, &flow->present);
	}
}

static void stat_step(struct flow *flow) {
	const struct store_op *op = flow->op;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
		return;
	}
	flow_take_seen(flow, &flow->present);
	struct store_entry *entry = &flow->present;
	if (op->want_hash && entry->kind != STORE_FOLDER && entry->hash.kind == STORE_HASH_NONE) {
		flow_read(flow, op->key, entry->kind, entry, stat_read);
	} else {
		flow_finish_with(flow, entry);
	}
}

void flow_stat(struct flow *flow) {
	flow->step = stat_step;
	flow->driver->look(flow, flow->op->key, flow->op->kind);
}

/* ---- SET ---- */

enum { SET_LOOK, SET_SET };

static void set_step(struct flow *flow) {
	const struct store_op *op = flow->op;

	if (flow->err.kind != ERR_NONE) {
		flow_fail(flow);
		return;
	}
	if (flow->state == SET_SET) {
		flow_finish_with(flow, &flow->present);
		return;
	}
	flow_take_seen(flow, &flow->present);
	flow->looked = true;
	if (op->if_version && !str_equal(op->if_version, flow->present.version)) {
		err_set(&flow->err, ERR_CHANGED, "'%s' is not the version that was expected",
			op->key);
		flow_fail(flow);
		return;
	}
	/* Where the hash is told beside the times, it must go along: of this content it is known. */
	if (flow->present.hash.kind == STORE_HASH_NONE && op->if_version)
		flow->present.hash = op->hash;
	if (store_set_entry(op, &flow->present)) {
		flow_finish_with(flow, &flow->present);
		return;
	}
	flow->state = SET_SET;
	flow->driver->set(flow);
}

void flow_set(struct flow *flow) {
	flow->step = set_step;
	flow->driver->look(flow, flow->op->key, flow->op->kind);
}
