/* What is tried again, how long is waited, and how often. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/store.h"

static void waits_are_a_table(void **state) {
	static const struct {
		enum err_kind kind;
		int sys;
		uint32_t retry_ms;
		enum store_verb verb;
		int tries;
		double random;
		int64_t wait_ms;
	} rows[] = {
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 1, 0, 100 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 1, 0.5, 150 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 1, 0.999999, 199 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 2, 0, 200 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 3, 0, 400 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 9, 0, 25600 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 10, 0, 30000 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 1000, 0, 30000 },
		{ ERR_OFFLINE, 0, 0, STORE_PUT, 1000, 0.999999, 59999 },
		{ ERR_BUSY, 0, 0, STORE_PUT, 1, 0, 100 },
		{ ERR_BUSY, 0, 5000, STORE_PUT, 1, 0, 5000 },
		{ ERR_BUSY, 0, 50, STORE_PUT, 1, 0, 100 },
		{ ERR_BUSY, 0, 5001, STORE_PUT, 1, 0, -1 },
		{ ERR_BUSY, ENOTEMPTY, 0, STORE_REMOVE, 1, 0, -1 },
		{ ERR_SYSTEM, 0, 0, STORE_PUT, 2, 0, 200 },
		{ ERR_SYSTEM, 0, 0, STORE_PUT, 3, 0, -1 },
		{ ERR_CORRUPT, 0, 0, STORE_LIST, 1, 0, 100 },
		{ ERR_CORRUPT, 0, 0, STORE_LIST, 3, 0, -1 },
		{ ERR_OFFLINE, 0, 0, STORE_ABOUT, 1, 0, 100 },
		{ ERR_OFFLINE, 0, 0, STORE_ABOUT, 2, 0, -1 },
		{ ERR_NOT_FOUND, 0, 0, STORE_GET, 1, 0, -1 },
		{ ERR_CHANGED, 0, 0, STORE_PUT, 1, 0, -1 },
		{ ERR_DENIED, 0, 0, STORE_PUT, 1, 0, -1 },
		{ ERR_INVALID, 0, 0, STORE_PUT, 1, 0, -1 },
		{ ERR_FULL, 0, 0, STORE_PUT, 1, 0, -1 },
		{ ERR_CANCELLED, 0, 0, STORE_PUT, 1, 0, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {
			.kind = rows[i].kind, .sys = rows[i].sys, .retry_ms = rows[i].retry_ms
		};
		int64_t wait_ms =
			store_retry_wait(&err, rows[i].verb, rows[i].tries, rows[i].random);
		if (wait_ms != rows[i].wait_ms) {
			fail_msg("row %zu: %lld instead of %lld", i, (long long)wait_ms,
				(long long)rows[i].wait_ms);
		}
	}
}

/* ---- with a store behind it ---- */

struct world {
	struct loop *loop;
	struct store *store;
	struct store_op op;
	int fail; /* so many tries do */
	enum err_kind kind;
	int tries;
	bool done;
	struct err err;
};

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct world *world = user;
	struct err err = { 0 };

	world->tries++;
	if (world->fail-- > 0) err_set(&err, world->kind, "planned");
	return err;
}

static void ended(struct store_op *op, const struct err *err) {
	struct world *world = container_of(op, struct world, op);

	assert_false(world->done);
	world->done = true;
	world->err = err ? *err : (struct err){ 0 };
}

static void open_world(struct world *world, int max_tries) {
	*world = (struct world){ 0 };
	world->loop = loop_new_simulated(3);
	struct store_fault_plan plan = { world, decide };
	world->store = store_retry(store_fault(store_memory_new(world->loop), plan), max_tries);
	store_op_init(&world->op, STORE_MKDIR, "folder");
	world->op.kind = STORE_FOLDER;
	world->op.done = ended;
}

static void close_world(struct world *world) {
	store_op_release(&world->op);
	store_free(world->store);
	loop_free(world->loop);
}

static void tries_until_it_works(void **state) {
	static const struct {
		enum err_kind kind;
		int fail, max_tries, tries;
		enum err_kind end;
	} rows[] = {
		{ ERR_OFFLINE, 0, 6, 1, ERR_NONE },
		{ ERR_OFFLINE, 5, 6, 6, ERR_NONE },
		{ ERR_OFFLINE, 6, 6, 6, ERR_OFFLINE },
		{ ERR_BUSY, 3, 6, 4, ERR_NONE },
		{ ERR_SYSTEM, 2, 6, 3, ERR_NONE },
		{ ERR_SYSTEM, 3, 6, 3, ERR_SYSTEM },
		{ ERR_DENIED, 1, 6, 1, ERR_DENIED },
		{ ERR_OFFLINE, 1, 1, 1, ERR_OFFLINE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world world;

		open_world(&world, rows[i].max_tries);
		world.kind = rows[i].kind;
		world.fail = rows[i].fail;
		store_start(world.store, &world.op);
		assert_false(world.done);
		loop_run_until(world.loop, &world.done);
		assert_int_equal(world.tries, rows[i].tries);
		assert_int_equal(world.err.kind, rows[i].end);
		assert_null(world.op.frame); /* the stack of wrappers is empty again */
		close_world(&world);
	}
}

/* Looks every millisecond whether somebody would be told. */
struct trouble_look {
	struct timer timer;
	struct world *world;
	bool *told;
};

static void look_at_trouble(struct timer *timer) {
	struct trouble_look *look = container_of(timer, struct trouble_look, timer);
	struct err err;

	if (store_trouble(look->world->store, &err)) {
		assert_int_equal(err.kind, ERR_BUSY);
		*look->told = true;
	}
	timer_start(timer, 1);
}

struct canceller {
	struct timer timer;
	struct world *world;
};

static void cancel_now(struct timer *timer) {
	struct world *world = container_of(timer, struct canceller, timer)->world;

	store_cancel(world->store, &world->op);
	assert_false(world->done);
}

static void a_second_failure_is_told(void **state) {
	struct world world;
	struct err err = { 0 };

	for (int fail = 1; fail <= 2; fail++) {
		open_world(&world, 4);
		world.kind = ERR_BUSY;
		world.fail = fail;
		assert_false(store_trouble(world.store, &err));
		store_start(world.store, &world.op);
		bool told = false;
		struct trouble_look look = { .world = &world, .told = &told };
		timer_init(&look.timer, world.loop, look_at_trouble);
		timer_start(&look.timer, 1);
		loop_run_until(world.loop, &world.done);
		timer_cancel(&look.timer);
		assert_int_equal(told, fail == 2);
		assert_false(store_trouble(world.store, &err));
		close_world(&world);
	}
}

static void a_wait_can_be_given_up(void **state) {
	struct world world;
	struct canceller canceller = { .world = &world };

	open_world(&world, 100);
	world.kind = ERR_OFFLINE;
	world.fail = 100;
	timer_init(&canceller.timer, world.loop, cancel_now);
	timer_start(&canceller.timer, 10000);
	int64_t began_ms = loop_now_ms(world.loop);
	store_start(world.store, &world.op);
	loop_run_until(world.loop, &world.done);
	assert_int_equal(world.err.kind, ERR_CANCELLED);
	assert_int_equal(loop_now_ms(world.loop) - began_ms, 10000);

	/* The same op again, as if nothing had been. */
	world.done = false;
	world.fail = 0;
	store_start(world.store, &world.op);
	loop_run_until(world.loop, &world.done);
	assert_int_equal(world.err.kind, ERR_NONE);
	close_world(&world);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_a_table),
		cmocka_unit_test(tries_until_it_works),
		cmocka_unit_test(a_second_failure_is_told),
		cmocka_unit_test(a_wait_can_be_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
