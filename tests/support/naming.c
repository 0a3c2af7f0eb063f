#include "support/naming.h"

#include <stdlib.h>

#include "store/internal.h"

struct naming {
	struct store store, *inner;
	struct ground *g;
	struct map under_way; /* place to the id that something is made with there */
	unsigned last;
};

struct naming_op {
	struct store_frame frame;
	char *place, *id;
	uint64_t commits; /* to the disk, when it was told */
};

static bool makes(const struct store_op *op) {
	return op->verb == STORE_PUT || op->verb == STORE_MKDIR || op->verb == STORE_COPY ||
	       op->verb == STORE_PART_BEGIN;
}

static void finish(struct store_op *op, const struct err *err) {
	struct naming_op *x = container_of(op->frame, struct naming_op, frame);
	struct naming *n = container_of(x->frame.owner, struct naming, store);

	/* An answer that nobody hears of any more is none. */
	if (!n->g->frozen && str_equal(map_get(&n->under_way, x->place), x->id))
		free(map_take(&n->under_way, x->place));
	store_frame_pop(&x->frame);
	free(x->place);
	free(x->id);
	free(x);
	op->done(op, err);
}

static void kept(struct store_op *op) {
	const struct naming_op *x = container_of(op->frame, struct naming_op, frame);
	struct naming *n = container_of(x->frame.owner, struct naming, store);

	/* By then others may have noted more, which waits for its own. */
	if (!n->g->frozen && index_past_full(n->g->past) == x->commits)
		ground_wrong(n->g, "made before its id was committed", x->place);
	free(map_put(&n->under_way, x->place, xstrdup(x->id)));
	store_start(n->inner, op);
}

static void naming_start(struct store *store, struct store_op *op) {
	struct naming *n = container_of(store, struct naming, store);
	const char *key = op->verb == STORE_COPY ? op->to_key : op->key;

	if (!n->g->names || !op->making || !makes(op)) {
		store_start(n->inner, op);
		return;
	}
	struct naming_op *x = xcalloc(1, sizeof(*x));
	x->place = xstrdup(key);
	x->id = xasprintf("id-%u", ++n->last);
	store_frame_push(&x->frame, store, op, finish);
	x->commits = index_past_full(n->g->past);
	op->go_on = kept;
	op->making(op, x->place, false, x->id);
}

static void naming_cancel(struct store *store, struct store_op *op) {
	struct naming *n = container_of(store, struct naming, store);
	struct err err;

	if (!op->go_on) {
		store_cancel(n->inner, op);
		return;
	}
	op->go_on = NULL;
	err_set(&err, ERR_CANCELLED, "cancelled");
	store_done_later(store, op, &err);
}

/* What is told of a life that never went on with it is harmless. */
static void naming_remember(struct store *store, const char *place, const char *id) {
	struct naming *n = container_of(store, struct naming, store);
	const char *known = map_get(&n->under_way, place);

	if (str_equal(known, id)) free(map_take(&n->under_way, place));
}

void naming_opened(struct store *store) {
	struct naming *n = container_of(store, struct naming, store);
	struct map_item *item;

	while ((item = map_next(&n->under_way, NULL))) {
		ground_wrong(n->g, "its id was not told again", map_key(item));
		free(map_take(&n->under_way, map_key(item)));
	}
}

static void naming_free(struct store *store) {
	struct naming *n = container_of(store, struct naming, store);

	for (struct map_item *item = NULL; (item = map_next(&n->under_way, item));)
		free(map_value(item));
	map_release(&n->under_way);
	if (!n->g->beside) store_free(n->inner);
	free(n);
}

static int naming_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(container_of(store, struct naming, store)->inner, key, kind, err);
}

static const struct store_driver naming_driver = {
	.scheme = "naming",
	.start = naming_start,
	.cancel = naming_cancel,
	.free = naming_free,
	.refuse = naming_refuse,
	.remember = naming_remember,
};

struct store *naming_new(struct ground *g, struct store *inner) {
	struct naming *n = xcalloc(1, sizeof(*n));

	store_look_like(&n->store, inner);
	n->store.driver = &naming_driver;
	n->inner = inner;
	n->g = g;
	map_init(&n->under_way);
	return &n->store;
}
