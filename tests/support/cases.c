#include "support/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/edits.h"

struct ground *case_begin(const struct store_memory_options *options) {
	static const struct store_memory_options usual;
	struct ground *g = ground_new(1, options ? options : &usual, false);
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	g->settings = (struct folder_settings){ .enabled = true,
		.path = (char *)"/memory",
		.remote = (char *)"cloud:",
		.mode = FOLDER_BACKUP,
		.settle_ms = 100,
		.max_settle_ms = 1000,
		.max_transfers = 4 };
	edit_put(g, "first");
	return g;
}

void case_end(struct ground *g) {
	ground_close(g);
	if (g->wrong) fail_msg("%s: '%s'", g->wrong, g->wrong_path);
	ground_free(g);
}

void case_durable(struct ground *g) {
	struct err err;
	if (ground_barrier(g, &err) != GROUND_DURABLE) fail_msg("%s", err.text);
}

/* STORE_OTHER: nothing is there. */
enum store_kind case_remote_kind(struct ground *g, const char *key, int *mode) {
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_STAT, key);
	op.kind = STORE_FOLDER;
	enum store_kind kind =
		store_memory_now(g->content, &op, &err) ? STORE_OTHER : op.entry.kind;
	if (mode) *mode = op.entry.mode;
	store_op_release(&op);
	return kind;
}

/* By somebody else. */
void case_remote_do(struct ground *g, enum store_verb verb, enum store_kind kind, const char *key) {
	struct store_op op;
	struct err err;
	store_op_init(&op, verb, key);
	op.kind = kind;
	op.body = "theirs";
	op.body_len = strlen(op.body);
	op.size = (int64_t)op.body_len;
	op.mode = 0755;
	op.mtime_ns = 1700000000 * NS_PER_S;
	if (store_memory_now(g->content, &op, &err)) fail_msg("%s", err.text);
	store_op_release(&op);
}
