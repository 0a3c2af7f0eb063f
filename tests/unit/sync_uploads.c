/* Uploads in parts that nobody goes on with are given up at the store, also by the next run. */
#include "support/world.h"

struct parts {
	int allowed; /* PART_PUTs that pass; the next ones find nobody */
	int begun, put, aborted;
	struct store_fault_plan plan;
};

static struct parts parts;

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct err err = { .kind = ERR_NONE };
	(void)user;
	(void)after;
	(void)delay_ms;
	parts.begun += op->verb == STORE_PART_BEGIN;
	parts.aborted += op->verb == STORE_PART_ABORT;
	if (op->verb != STORE_PART_PUT) return err;
	if (parts.put >= parts.allowed)
		err_set(&err, ERR_OFFLINE, "nobody answers");
	else
		parts.put++;
	return err;
}

static bool is_stuck(struct bench *b) {
	return parts.put == parts.allowed && in_trouble(b);
}

static void begin(struct bench *b) {
	parts = (struct parts){ .allowed = 1 };
	parts.plan = (struct store_fault_plan){ .decide = decide };
	b->faults = &parts.plan;
	put(b, "small", "x");
	shell("head -c 150000000 /dev/zero > '%s/large'", b->local);
	world_open(b);
	wait_until(b, "some of it is sent", is_stuck);
	assert_int_equal(parts.begun, 1);
}

/* At the store: nothing of it is left. */
static bool is_given_up(struct bench *b) {
	char *command = xasprintf("test -z \"$(find '%s/.tend/tmp' -type f)\"", b->cloud);
	bool empty = parts.aborted > 0 && is_idle(b) && system(command) == 0; /* NOLINT */
	free(command);
	return empty;
}

static void end(struct bench *b) {
	wait_until(b, "it is given up", is_given_up);
	assert_int_equal(parts.aborted, 1);
	world_close(b);
}

static void test_deleted(void **state) {
	struct bench *b = *state;
	begin(b);
	shell("rm '%s/large'", b->local);
	parts.allowed = 1000;
	folder_sync(b->folder);
	end(b);
}

static void test_deleted_while_nobody_ran(void **state) {
	struct bench *b = *state;
	begin(b);
	world_close(b);
	shell("rm '%s/large'", b->local);
	parts.allowed = 1000;
	world_open(b);
	end(b);
}

static void test_excluded(void **state) {
	struct bench *b = *state;
	char *exclude[] = { (char *)"large", NULL };
	struct err err;
	begin(b);
	b->settings.exclude = exclude;
	parts.allowed = 1000;
	assert_int_equal(folder_apply(b->folder, &b->settings, &err), 0);
	folder_sync(b->folder);
	end(b);
}

static void test_small_now(void **state) {
	struct bench *b = *state;
	begin(b);
	put(b, "large", "no longer");
	parts.allowed = 1000;
	folder_sync(b->folder);
	end(b);
}

/* What goes on is not given up. */
static void test_goes_on(void **state) {
	struct bench *b = *state;
	begin(b);
	parts.allowed = 1000;
	world_again(b);
	wait_until(b, "sent", is_idle);
	assert_equal_trees(b);
	assert_int_equal(parts.begun, 1);
	assert_int_equal(parts.aborted, 0);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted_while_nobody_ran, setup, teardown),
		cmocka_unit_test_setup_teardown(test_excluded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_now, setup, teardown),
		cmocka_unit_test_setup_teardown(test_goes_on, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
