/* How often a path that keeps changing may be sent. */
#include "support/world.h"

#include "sync/pace.h"

enum { LESS_THAN_PATIENCE_MS = 20000 }; /* of 30 s, after which a deletion goes anyway */

static void test_table(void **state) {
	const struct {
		int64_t took, percent, wait;
	} rows[] = {
		{ 1000, 10, 9000 },
		{ 1000, 50, 1000 },
		{ 1000, 90, 111 },
		{ 1000, 100, 0 },
		{ 1000, 0, 0 },
		{ 0, 10, 0 },
		{ -5, 10, 0 },
		{ 1, 1, 99 },
		{ 99999, 10, 899991 },
		{ 100001, 10, PACE_MAX_MS },
		{ INT64_MAX, 1, PACE_MAX_MS },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(pace_wait_ms(rows[i].took, rows[i].percent), rows[i].wait);
}

static struct err slow_put(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	(void)user;
	(void)after;
	if (op->verb == STORE_PUT && str_equal(op->key, "hot")) *delay_ms = 400;
	return (struct err){ .kind = ERR_NONE };
}

static bool is_gone(struct bench *b) {
	char *path = path_join(b->cloud, "gone");
	bool gone = access(path, F_OK) != 0;
	free(path);
	return gone;
}

static bool is_pending(struct bench *b) {
	struct folder_status status = status_of(b);
	bool pending = status.pending > 0;
	folder_status_release(&status);
	return pending;
}

/* A deletion waits for what may be its new name, but not for what pace keeps back for longer. */
static void test_no_deletion_waits_for_it(void **state) {
	static const struct store_fault_plan plan = { .decide = slow_put };
	struct bench *b = *state;
	b->faults = &plan;
	b->settings.pace_percent = 1; /* 40 s */
	put(b, "hot", "hot\n");
	put(b, "gone", "gone\n");
	put(b, "stays", "stays\n");
	world_open(b);
	sent(b);
	put(b, "hot", "hotter\n");
	wait_until(b, "the mark", is_pending);
	shell("rm '%s/gone'", b->local);
	wait_within(b, LESS_THAN_PATIENCE_MS, "the deletion", is_gone);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test_setup_teardown(test_no_deletion_waits_for_it, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
