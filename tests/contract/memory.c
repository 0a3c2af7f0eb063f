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

static const struct store_driver face = { "face", face_start, face_cancel, face_free, NULL, NULL };

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

	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct contract contract = {
			.name = "memory",
			.loop = loop_new_simulated(seed),
			.open = open_face,
			.close = close_face,
			.part_bytes = 1000,
		};
		content = store_memory_new(contract.loop);
		if (seed % 2 == 0) store_memory_latency(content, 20);
		failed += contract_run(&contract);
		store_free(content);
		loop_free(contract.loop);
	}
	return failed;
}
