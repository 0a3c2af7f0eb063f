/* How many at once, how many a second, and what a busy server changes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/store.h"

enum { OPS = 40 };

struct one {
	struct store_op op;
	char key[32];
	struct world *world;
	bool done;
	enum err_kind kind;
};

struct world {
	struct loop *loop;
	struct store *store;
	struct one ops[OPS];
	int begun, ended;
	int order[OPS]; /* in which they were begun */
	int64_t begun_ms[OPS];
	bool all;
	int busy_until; /* the first so many are answered so */
	struct err busy;
};

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct world *world = user;
	struct one *one = container_of(op, struct one, op);

	world->begun_ms[world->begun] = loop_now_ms(world->loop);
	world->order[world->begun++] = (int)(one - world->ops);
	*delay_ms = 100;
	return world->begun <= world->busy_until ? world->busy : (struct err){ 0 };
}

static void ended(struct store_op *op, const struct err *err) {
	struct one *one = container_of(op, struct one, op);
	struct world *world = one->world;

	assert_false(one->done);
	one->done = true;
	one->kind = err ? err->kind : ERR_NONE;
	world->all = ++world->ended == OPS;
}

static void open_world(struct world *world, struct store_limits limits) {
	*world = (struct world){ 0 };
	world->loop = loop_new_simulated(5);
	struct store_fault_plan plan = { world, decide };
	world->store = store_limit(store_fault(store_memory_new(world->loop), plan), limits);
	for (int i = 0; i < OPS; i++) {
		struct one *one = &world->ops[i];
		one->world = world;
		snprintf(one->key, sizeof(one->key), "folder-%d", i);
		store_op_init(&one->op, STORE_MKDIR, one->key);
		one->op.kind = STORE_FOLDER;
		one->op.done = ended;
	}
}

static void run_all(struct world *world) {
	for (int i = 0; i < OPS; i++) store_start(world->store, &world->ops[i].op);
	loop_run_until(world->loop, &world->all);
}

static void close_world(struct world *world) {
	for (int i = 0; i < OPS; i++) store_op_release(&world->ops[i].op);
	store_free(world->store);
	loop_free(world->loop);
}

static void at_most_so_many_in_order(void **state) {
	static const int most[] = { 1, 3, 16, 0 };

	for (size_t i = 0; i < ARRAY_LEN(most); i++) {
		struct world world;

		open_world(&world, (struct store_limits){ most[i], 0 });
		run_all(&world);
		int at_once = most[i] ? most[i] : OPS; /* each takes 100 ms */
		for (int k = 0; k < OPS; k++) {
			assert_int_equal(world.begun_ms[k], world.begun_ms[0] + k / at_once * 100);
			assert_int_equal(world.order[k], k);
			assert_int_equal(world.ops[k].kind, ERR_NONE);
		}
		close_world(&world);
	}
}

static void at_most_so_many_a_second(void **state) {
	struct world world;

	open_world(&world, (struct store_limits){ 0, 10 });
	run_all(&world);
	/* In no second more than its share and one burst of a second. */
	for (int k = 20; k < OPS; k++) {
		assert_true(world.begun_ms[k] - world.begun_ms[k - 20] >= 1000 - 110);
	}
	int64_t all_ms = world.begun_ms[OPS - 1] - world.begun_ms[0];
	assert_true(all_ms >= 3800 && all_ms <= 4200);
	close_world(&world);
}

static void a_busy_server_gets_half(void **state) {
	struct world world;

	open_world(&world, (struct store_limits){ 16, 0 });
	world.busy_until = 16;
	world.busy.kind = ERR_BUSY;
	run_all(&world);
	/* The first sixteen came back busy together: that halves it once. */
	int at_once = 0;
	for (int k = 16; k < OPS; k++) at_once += world.begun_ms[k] == world.begun_ms[16];
	assert_int_equal(at_once, 8);
	close_world(&world);
}

static void a_server_that_asks_for_silence_gets_it(void **state) {
	struct world world;

	open_world(&world, (struct store_limits){ 4, 0 });
	world.busy_until = 1;
	world.busy.kind = ERR_BUSY;
	world.busy.retry_ms = 5000;
	run_all(&world);
	int64_t told_ms = world.begun_ms[0] + 100;
	for (int k = 4; k < OPS; k++) assert_true(world.begun_ms[k] >= told_ms + 5000);
	close_world(&world);
}

static void a_full_folder_is_no_busy_server(void **state) {
	struct world world;

	open_world(&world, (struct store_limits){ 16, 0 });
	world.busy_until = 16;
	world.busy.kind = ERR_BUSY;
	world.busy.sys = ENOTEMPTY;
	run_all(&world);
	int at_once = 0;
	for (int k = 16; k < OPS; k++) at_once += world.begun_ms[k] == world.begun_ms[16];
	assert_int_equal(at_once, 16);
	close_world(&world);
}

static void those_that_wait_can_be_given_up(void **state) {
	struct world world;

	open_world(&world, (struct store_limits){ 2, 0 });
	for (int i = 0; i < OPS; i++) store_start(world.store, &world.ops[i].op);
	for (int i = 5; i < OPS; i++) {
		store_cancel(world.store, &world.ops[i].op);
		assert_false(world.ops[i].done);
	}
	loop_run_until(world.loop, &world.all);
	assert_int_equal(world.begun, 5);
	for (int i = 0; i < OPS; i++) {
		assert_int_equal(world.ops[i].kind, i < 5 ? ERR_NONE : ERR_CANCELLED);
		assert_null(world.ops[i].op.frame);
	}
	close_world(&world);
}

/* What is allowed here bounds what the provider allows, and is told. */
static void the_slower_pace_is_told(void **state) {
	struct loop *loop = loop_new_simulated(1);
	const struct {
		double inner, rate, told;
	} rows[] = { { 0, 0, 0 }, { 0, 5, 5 }, { 2.5, 0, 2.5 }, { 2.5, 5, 2.5 }, { 2.5, 1, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store *memory = store_memory_new(loop);
		memory->makes_per_second = rows[i].inner;
		struct store *store = store_retry(
			store_limit(memory, (struct store_limits){ 0, rows[i].rate }), 1);
		assert_true(store->makes_per_second == rows[i].told);
		store_free(store);
	}
	loop_free(loop);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_most_so_many_in_order),
		cmocka_unit_test(at_most_so_many_a_second),
		cmocka_unit_test(a_busy_server_gets_half),
		cmocka_unit_test(a_server_that_asks_for_silence_gets_it),
		cmocka_unit_test(a_full_folder_is_no_busy_server),
		cmocka_unit_test(those_that_wait_can_be_given_up),
		cmocka_unit_test(the_slower_pace_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
