#include "support/contract.h"

/* The content of a memory store dies with it, so what the suite opens and closes is only a face
 * before it. */
static struct store *content;

static void face_start(struct store *store, struct store_op *op) {
	store_start(content, op);
}

static void face_cancel(struct store *store, struct store_op *op) {
	store_cancel(content, op);
}

static void face_free(struct store *store) {
	free(store);
}

static int face_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store_refuse(content, key, kind, err);
}

static const struct store_driver face = { .scheme = "face",
	.start = face_start,
	.cancel = face_cancel,
	.free = face_free,
	.refuse = face_refuse };

static struct store *open_face(struct contract *contract, struct err *err) {
	struct store *store = xmemdup(content, sizeof(*store));

	store->driver = &face;
	store->label = xstrdup("face");
	return store;
}

static void close_face(struct contract *contract, struct store *store) {
	store_free(store);
}

int main(void) {
	int failed = 0;

	/* With folders, and with keys only. */
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct store_memory_options options = {
			.keys_only = seed > 4,
			.times_in_version = seed % 3 == 0,
			.list_by_folder = seed % 4 == 1,
			.hash_first = seed > 6,
			.changes = seed % 2 == 0,
			.deep_versions = seed == 1 || seed == 4,
		};
		struct contract contract = {
			.name = "memory",
			.loop = loop_new_simulated(seed),
			.open = open_face,
			.close = close_face,
			.part_bytes = 1000,
			.key_limit = options.keys_only,
			.changes = options.changes && !options.keys_only,
			.deep_versions = options.deep_versions,
		};
		content = store_memory_new(contract.loop);
		store_memory_set(content, &options);
		if (seed % 2 == 0) store_memory_latency(content, 20);
		failed += contract_run(&contract);
		store_free(content);
		loop_free(contract.loop);
	}
	return failed;
}
