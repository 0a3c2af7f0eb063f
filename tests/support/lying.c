#include "support/lying.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "support/ground.h"

struct lying {
	struct store store, *inner;
	struct ground *g;
};

struct lying_op {
	struct store_frame frame;
	enum lie lie;
	bool whole; /* the answer is of the folder's own place */
};

/* ---- answers ---- */

static void keep_entries(struct store_op *op, size_t count) {
	while (op->entry_count > count) store_entry_release(&op->entries[--op->entry_count]);
	free(op->next_token);
	op->next_token = NULL;
}

static void add_foreign(struct store_op *op) {
	struct store_entry entry = { .kind = STORE_FILE,
		.name = xstrdup("somebody else's"),
		.size = 7,
		.mtime_ns = 1700000000 * NS_PER_S,
		.mode = 0644,
		.version = xstrdup("theirs") };
	store_entry_add(op, entry);
}

static void finish(struct store_op *op, const struct err *err) {
	struct lying_op *x = container_of(op->frame, struct lying_op, frame);
	struct err away;
	enum lie lie = x->lie;
	bool whole = x->whole;
	store_frame_pop(&x->frame);
	free(x);
	if (!err && lie == LIE_CUT) keep_entries(op, op->entry_count / 2);
	if (!err && lie != LIE_CUT) keep_entries(op, 0);
	if (!err && lie == LIE_FOREIGN && whole) add_foreign(op);
	if (!err && lie == LIE_AWAY) {
		store_op_clear_answer(op);
		err = &away;
		err_set(&away, ERR_NOT_FOUND, "nothing of this name is there");
	}
	op->done(op, err);
}

/* ---- questions ---- */

static bool is_read(enum store_verb verb) {
	return verb == STORE_STAT || verb == STORE_GET;
}

static bool is_harmless(enum store_verb verb) {
	return verb == STORE_ABOUT || verb == STORE_SYNC || verb == STORE_LIST;
}

/* What tend itself keeps there is not lied about: that would be another story. */
static bool is_ours(const struct store_op *op) {
	return op->key && path_is_within(op->key, ".tend");
}

static void lying_start(struct store *store, struct store_op *op) {
	struct lying *l = container_of(store, struct lying, store);
	enum lie lie = l->g->lie;
	struct err err;
	bool elsewhere = lie == LIE_BUCKET || lie == LIE_FOREIGN;
	if (lie == LIE_NONE || is_ours(op)) {
		store_start(l->inner, op);
	} else if (op->verb == STORE_LIST) {
		struct lying_op *x = xcalloc(1, sizeof(*x));
		x->lie = lie;
		x->whole = str_equal(op->key, strchr(l->g->settings.remote, ':') + 1);
		l->g->counts.lies++;
		store_frame_push(&x->frame, store, op, finish);
		store_start(l->inner, op);
	} else if (elsewhere && is_read(op->verb)) {
		err_set(&err, ERR_NOT_FOUND, "nothing of this name is there");
		store_done_later(store, op, &err);
	} else if (elsewhere && !is_harmless(op->verb)) {
		err_set(&err, ERR_OFFLINE, "nobody may write there");
		store_done_later(store, op, &err);
	} else {
		store_start(l->inner, op);
	}
}

static void lying_cancel(struct store *store, struct store_op *op) {
	struct lying *l = container_of(store, struct lying, store);
	store_cancel(l->inner, op);
}

static void lying_remember(struct store *store, const char *place, const char *id) {
	struct lying *l = container_of(store, struct lying, store);
	store_remember(l->inner, place, id);
}

static void lying_free(struct store *store) {
	struct lying *l = container_of(store, struct lying, store);
	store_free(l->inner);
	free(l);
}

static int lying_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct lying, store)->inner, key, kind, err);
}

static const struct store_driver lying_driver = {
	.scheme = "lying",
	.start = lying_start,
	.cancel = lying_cancel,
	.free = lying_free,
	.refuse = lying_refuse,
	.remember = lying_remember,
};

struct store *lying_new(struct ground *g, struct store *inner) {
	struct lying *l = xcalloc(1, sizeof(*l));
	store_look_like(&l->store, inner);
	l->store.driver = &lying_driver;
	l->inner = inner;
	l->g = g;
	return &l->store;
}
