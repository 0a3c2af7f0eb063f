#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"

/* How an operation on a memory store runs: what stands there is looked at, it takes effect, it is
 * answered. Each at a moment of its own, drawn from the loop. */

enum { KEY_MAX_BYTES = 1024 };

/* An operation between start and done. */
struct memory_op {
	struct timer timer;
	struct memory *memory;
	struct store_op *op;
	enum { LOOKS, TAKES_EFFECT, ANSWERS } next;
	bool failed;
	struct err err;
};

static int64_t draw_ms(const struct memory *memory) {
	uint32_t bits;

	if (memory->latency_ms <= 0) return 0;
	loop_random(memory->store.loop, &bits, sizeof(bits));
	return bits % (memory->latency_ms + 1);
}

/* A server without conditions is asked what stands there, a moment before. */
static int looked_up(struct memory *memory, const struct store_op *op, struct err *err) {
	bool guarded = op->if_absent || op->if_version;

	if (memory->options.conditions != STORE_CONDITIONS_REFUSED || !guarded) return 0;
	const struct memory_item *item = memory_at(memory, op->key, op->kind == STORE_FOLDER);
	if (op->to_key) return memory_check_source(op, memory, item, err);
	if (item && op->hash.kind != STORE_HASH_NONE && item->kind == op->kind &&
		store_hash_equal(&item->hash, &op->hash) && item->mtime_ns == op->mtime_ns)
		return 0; /* our own, whose answer was lost */
	return memory_check(op, memory, item, err);
}

static void answer(struct memory_op *running) {
	struct store_op *op = running->op;
	struct err err = running->err;
	bool failed = running->failed;

	op->impl = NULL;
	free(running);
	op->done(op, failed ? &err : NULL);
}

static void due(struct timer *timer) {
	struct memory_op *running = container_of(timer, struct memory_op, timer);
	struct memory *memory = running->memory;
	struct store_op *op = running->op;

	if (running->next == ANSWERS) {
		answer(running);
		return;
	}
	if (op->cancelled && !(memory->options.deaf && running->next == TAKES_EFFECT)) {
		running->failed = true;
		err_set(&running->err, ERR_CANCELLED, "cancelled");
	} else if (running->next == LOOKS) {
		running->failed = looked_up(memory, op, &running->err) != 0;
	} else {
		running->failed = memory_do(memory, op, &running->err) != 0;
	}
	running->next = running->next == LOOKS && !running->failed ? TAKES_EFFECT : ANSWERS;
	if (running->next == TAKES_EFFECT || memory->latency_ms > 0)
		timer_start(timer, draw_ms(memory));
	else
		answer(running);
}

static void memory_start(struct store *store, struct store_op *op) {
	struct memory *memory = container_of(store, struct memory, store);
	struct memory_op *running = xcalloc(1, sizeof(*running));

	assert(op->fd < 0);
	running->memory = memory;
	running->op = op;
	running->next =
		memory->options.conditions == STORE_CONDITIONS_REFUSED ? LOOKS : TAKES_EFFECT;
	op->impl = running;
	timer_init(&running->timer, store->loop, due);
	timer_start(&running->timer, draw_ms(memory));
}

static void memory_cancel(struct store *store, struct store_op *op) {
	(void)store;
	(void)op;
	/* op->cancelled says it all: before its effect it has none, after it the truth comes. */
}

static void memory_free(struct store *store) {
	struct memory *memory = container_of(store, struct memory, store);
	struct map_item *item;

	while ((item = map_next(&memory->uploads, NULL))) {
		memory_upload_free(memory, map_key(item));
	}
	map_release(&memory->uploads);
	memory_tree_release(&memory->tree);
	free(memory->gone);
	free(memory);
}

/* As S3 does. */
static int memory_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	const struct memory *memory = container_of(store, struct memory, store);
	size_t most = memory->options.keys_only ? KEY_MAX_BYTES : SIZE_MAX;

	if (strlen(key) + (memory->options.keys_only && kind == STORE_FOLDER) <= most) return 0;
	return err_set(err, ERR_INVALID, "its name is longer than %d bytes", KEY_MAX_BYTES);
}

const struct store_driver memory_driver = {
	.scheme = "memory",
	.start = memory_start,
	.cancel = memory_cancel,
	.free = memory_free,
	.refuse = memory_refuse,
};

struct store *store_memory_new(struct loop *loop) {
	struct memory *memory = xcalloc(1, sizeof(*memory));

	memory->store = (struct store){
		.driver = &memory_driver,
		.loop = loop,
		.caps = STORE_CAP_FOLDERS | STORE_CAP_FLAT_LIST | STORE_CAP_LIST_MTIME |
			STORE_CAP_MOVE,
		.part_size = 1 << 20,
		.part_from = STORE_SPAN_MAX + 1,
		.part_lanes = 3,
		.part_max = 10000,
		.part_copy_size = 1 << 20,
		.label = xstrdup("memory"),
	};
	map_init(&memory->uploads);
	return &memory->store;
}

void store_memory_latency(struct store *store, int64_t max_ms) {
	container_of(store, struct memory, store)->latency_ms = max_ms;
}

void store_memory_set(struct store *store, const struct store_memory_options *options) {
	struct memory *memory = container_of(store, struct memory, store);

	memory->options = *options;
	if (options->keys_only) store->caps &= ~(unsigned)(STORE_CAP_FOLDERS | STORE_CAP_MOVE);
	if (options->list_by_folder) store->caps &= ~(unsigned)STORE_CAP_FLAT_LIST;
	store->changes = options->changes && !options->keys_only;
	store->deep_versions = options->deep_versions && !options->keys_only;
	store->may_fold = options->folds;
	if (options->hash_first) store->caps |= STORE_CAP_HASH_FIRST;
	store->begin_wants_hash = options->hash_first;
	store->digest = options->sha256 ? DIGEST_SHA256 : DIGEST_MD5;
	memory_rehash(memory);
	if (options->part_from > 0) store->part_from = options->part_from;
	if (options->part_size > 0) store->part_size = store->part_copy_size = options->part_size;
	if (options->sends_parts) store->part_copy_size = 0;
}

int store_memory_now(struct store *store, struct store_op *op, struct err *err) {
	store_op_clear_answer(op);
	return memory_do(container_of(store, struct memory, store), op, err);
}
