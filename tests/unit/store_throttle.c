/* Bytes a second: the timetable, who goes first, and that nothing without a body waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "store/bandwidth.h"

enum { OPS = 20, BODY = 100 << 10 };

struct one {
	struct store_op op;
	char key[32];
	struct world *world;
	bool done;
	enum err_kind kind;
	int64_t begun_ms;
};

struct world {
	struct loop *loop;
	struct bandwidth *up, *down;
	struct store *stores[2];
	struct one ops[OPS];
	char *body;
	struct timer timer;
	int begun, ended, wanted;
	bool all;
	int64_t speed; /* that the last one was told */
	int64_t takes_ms;
};

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct world *world = user;
	container_of(op, struct one, op)->begun_ms = loop_now_ms(world->loop);
	world->speed = op->bytes_per_second;
	world->begun++;
	*delay_ms = world->takes_ms;
	return (struct err){ 0 };
}

static void ended(struct store_op *op, const struct err *err) {
	struct one *one = container_of(op, struct one, op);
	assert_false(one->done);
	one->done = true;
	one->kind = err ? err->kind : ERR_NONE;
	one->world->all = ++one->world->ended >= one->world->wanted;
}

static void limit(struct bandwidth *bandwidth, const char *text) {
	struct err err;
	if (bandwidth_set(bandwidth, text, &err)) fail_msg("%s", err.text);
}

static struct bandwidth *limited(struct loop *loop, const char *text) {
	struct bandwidth *bandwidth = text ? bandwidth_new(loop) : NULL;
	if (text) limit(bandwidth, text);
	return bandwidth;
}

/* `own`, `down`: of each remote, what it sends and what comes. */
static void open_world_of(struct world *world, const char *own, const char *down) {
	*world = (struct world){ .loop = loop_new_simulated(7) };
	struct store_fault_plan plan = { world, decide };
	world->up = bandwidth_new(world->loop);
	world->down = bandwidth_new(world->loop);
	struct store_line line = { world->up, world->down };
	for (int i = 0; i < 2; i++) {
		struct store_line mine = { limited(world->loop, own), limited(world->loop, down) };
		world->stores[i] = store_throttle(
			store_fault(store_memory_new(world->loop), plan), &mine, &line);
	}
	world->body = xcalloc(1, BODY);
	for (int i = 0; i < OPS; i++) {
		struct one *one = &world->ops[i];
		one->world = world;
		snprintf(one->key, sizeof(one->key), "file-%d", i);
		store_op_init(&one->op, STORE_PUT, one->key);
		one->op.kind = STORE_FILE;
		one->op.body = world->body;
		one->op.body_len = BODY;
		one->op.size = BODY;
		one->op.done = ended;
	}
}

static void open_world(struct world *world, const char *own) {
	open_world_of(world, own, NULL);
}

/* The first `count`, in turn to both stores. */
static void run(struct world *world, int count) {
	world->wanted = count;
	for (int i = 0; i < count; i++) store_start(world->stores[i % 2], &world->ops[i].op);
	loop_run_until(world->loop, &world->all);
}

static void close_world(struct world *world) {
	for (int i = 0; i < OPS; i++) store_op_release(&world->ops[i].op);
	store_free(world->stores[0]);
	store_free(world->stores[1]);
	bandwidth_free(world->up);
	bandwidth_free(world->down);
	loop_free(world->loop);
	free(world->body);
}

static void about(int64_t value, int64_t wanted) {
	if (value < wanted - wanted / 50 - 5 || value > wanted + wanted / 50 + 5)
		fail_msg("%lld, not about %lld", (long long)value, (long long)wanted);
}

/* Both stores share the line: ten bodies take ten times as long, in the order they were asked for. */
static void shared_by_all_in_order(void **state) {
	struct world world;
	open_world(&world, NULL);
	limit(world.up, "100KiB");
	run(&world, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(world.ops[i].kind, ERR_NONE);
		about(world.ops[i].begun_ms - world.ops[0].begun_ms, i * 1000);
	}
	assert_int_equal(world.speed, 100 << 10);
	close_world(&world);
}

static void own_limit_holds_for_each(void **state) {
	struct world world;
	open_world(&world, "50KiB");
	limit(world.up, "1MiB");
	run(&world, 4);
	about(world.ops[2].begun_ms - world.ops[0].begun_ms, 2000);
	about(world.ops[3].begun_ms - world.ops[0].begun_ms, 2000);
	assert_int_equal(world.speed, 50 << 10);
	close_world(&world);
}

/* They are there, each at both stores; then each is fetched by a question for so many bytes. */
static void fetch(struct world *world, int count, int64_t size, int64_t length) {
	world->body[0] = 'x';
	for (int i = 0; i < 2 * count; i++) {
		struct one *one = &world->ops[i];
		snprintf(one->key, sizeof(one->key), "file-%d", i / 2);
		one->op.body_len = (size_t)size;
		one->op.size = size;
	}
	run(world, 2 * count);
	world->ended = 0;
	world->all = false;
	for (int i = 0; i < count; i++) {
		struct one *one = &world->ops[i];
		store_op_release(&one->op);
		store_op_init(&one->op, STORE_GET, one->key);
		one->op.kind = STORE_FILE;
		one->op.length = length;
		one->op.done = ended;
		one->done = false;
	}
	run(world, count);
	for (int i = 0; i < count; i++) {
		assert_int_equal(world->ops[i].kind, ERR_NONE);
		assert_int_equal(world->ops[i].op.answer_body.len, size);
	}
}

/* What is fetched has limits of its own: all remotes' together, and each one's. What is sent uses none of them. */
static void what_comes_has_its_own_limits(void **state) {
	struct world world;
	open_world_of(&world, NULL, NULL);
	limit(world.down, "100KiB");
	fetch(&world, 8, BODY, BODY);
	for (int i = 0; i < 8; i++) about(world.ops[i].begun_ms - world.ops[0].begun_ms, i * 1000);
	assert_int_equal(world.speed, 100 << 10);
	close_world(&world);

	open_world_of(&world, "1MiB", "50KiB");
	limit(world.down, "1MiB");
	fetch(&world, 8, BODY, BODY);
	for (int i = 2; i < 8; i++) /* the first have what was saved up */
		about(world.ops[i].begun_ms - world.ops[2].begun_ms, (i / 2 - 1) * 2000);
	assert_int_equal(world.speed, 50 << 10);
	close_world(&world);

	/* By the time of day, as what is sent. */
	open_world_of(&world, NULL, "00:00-24:00 50KiB, else none");
	fetch(&world, 6, BODY, BODY);
	about(world.ops[5].begun_ms - world.ops[3].begun_ms, 2000);
	close_world(&world);
}

/* A file of 1 KiB costs 1 KiB, however much would have been taken. */
static void a_small_file_owes_its_own_bytes(void **state) {
	struct world world;
	open_world_of(&world, NULL, "100KiB");
	limit(world.down, "100KiB");
	fetch(&world, 10, 1 << 10, STORE_SPAN_MAX);
	assert_true(world.ops[9].begun_ms - world.ops[0].begun_ms < 200);
	close_world(&world);
}

static void small_bodies_have_the_whole_rate(void **state) {
	struct world world;
	open_world(&world, NULL);
	limit(world.up, "10MiB");
	for (int i = 0; i < OPS; i++) world.ops[i].op.body_len = world.ops[i].op.size = 1 << 10;
	int64_t from_ms = loop_now_ms(world.loop);
	for (int round = 0; round < 2000 / OPS; round++) {
		for (int i = 0; i < OPS; i++) world.ops[i].done = false;
		world.ended = 0;
		world.all = false;
		run(&world, OPS);
	}
	about(loop_now_ms(world.loop) - from_ms, 2000 * 1000 / 10240);
	close_world(&world);
}

static void questions_pass(void **state) {
	struct world world;
	open_world(&world, NULL);
	limit(world.up, "8KiB");
	limit(world.down, "8KiB");
	store_start(world.stores[0], &world.ops[0].op);
	store_start(world.stores[0], &world.ops[1].op);
	store_op_release(&world.ops[2].op);
	store_op_init(&world.ops[2].op, STORE_LIST, "");
	world.ops[2].op.done = ended;
	world.wanted = 2;
	store_start(world.stores[0], &world.ops[2].op);
	loop_run_until(world.loop, &world.all);
	assert_true(world.ops[0].done && world.ops[2].done);
	assert_false(world.ops[1].done);
	/* A change of the limit holds at once for what waits. */
	world.wanted = 3;
	world.all = false;
	limit(world.up, NULL);
	loop_run_until(world.loop, &world.all);
	assert_true(loop_now_ms(world.loop) - world.ops[0].begun_ms < 1000);
	close_world(&world);
}

static void cancelled_while_waiting(void **state) {
	struct world world;
	open_world(&world, "100KiB");
	limit(world.up, "100KiB");
	for (int i = 0; i < 6; i++) store_start(world.stores[i % 2], &world.ops[i].op);
	store_cancel(world.stores[0], &world.ops[2].op);
	store_cancel(world.stores[1], &world.ops[1].op);
	world.wanted = 6;
	loop_run_until(world.loop, &world.all);
	assert_int_equal(world.ops[1].kind, ERR_CANCELLED);
	assert_int_equal(world.ops[2].kind, ERR_CANCELLED);
	assert_int_equal(world.ops[5].kind, ERR_NONE);
	assert_int_equal(world.begun, 4);
	close_world(&world);
}

static void bad_words_are_told(void **state) {
	static const char *const bad[] = { "", "much", "-1MiB", "1KiB", "8:00-18:00 1MiB",
		"08:00-25:00 1MiB", "08:00-08:00 1MiB", "08:00-18:00", "08:00-18:00 1MiB,",
		"else 1MiB, 08:00-18:00 1MiB", "1MiB, none", "08:60-09:00 1MiB", "08:00 1MiB" };
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!bandwidth_check(bad[i], &err)) fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(bandwidth_check(NULL, &err), 0);
}

static void by_the_time_of_day(void **state) {
	static const char table[] =
		"08:00-18:00 1MiB, 22:30-06:00 none, 18:00-24:00 2MiB, else 64KiB";
	static const struct {
		int hour, minute;
		int64_t rate;
	} rows[] = {
		{ 8, 0, 1 << 20 },
		{ 17, 59, 1 << 20 },
		{ 18, 0, 2 << 20 },
		{ 22, 29, 2 << 20 },
		{ 22, 30, 0 },
		{ 0, 0, 0 },
		{ 5, 59, 0 },
		{ 6, 0, 64 << 10 },
		{ 7, 59, 64 << 10 },
	};
	struct loop *loop = loop_new_simulated(1);
	struct bandwidth *bandwidth = bandwidth_new(loop);
	limit(bandwidth, table);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t day_ns = 86400 * NS_PER_S;
		int64_t wanted = (rows[i].hour * 60 + rows[i].minute) * 60 * NS_PER_S;
		loop_skew_wall(loop, wanted - loop_wall_ns(loop) % day_ns);
		if (bandwidth_rate(bandwidth) != rows[i].rate)
			fail_msg("%02d:%02d: %lld", rows[i].hour, rows[i].minute,
				(long long)bandwidth_rate(bandwidth));
	}
	bandwidth_free(bandwidth);
	loop_free(loop);
}

/* What waits at a page's turn does not wait by the old page. */
static void the_page_turns(void **state) {
	struct world world;
	open_world(&world, NULL);
	int64_t day_ns = 86400 * NS_PER_S;
	loop_skew_wall(world.loop, (12 * 3600 - 90) * NS_PER_S - loop_wall_ns(world.loop) % day_ns);
	limit(world.up, "08:00-12:00 8KiB, else none");
	world.ops[0].op.size = world.ops[0].op.body_len = BODY;
	int64_t from_ms = loop_now_ms(world.loop);
	run(&world, OPS); /* at the old rate: 250 s; the first body of the new page: after 100 s */
	about(loop_now_ms(world.loop) - from_ms, 100000);
	close_world(&world);
}

static void cancel_first(struct timer *timer) {
	struct world *world = container_of(timer, struct world, timer);
	world->takes_ms = 0;
	store_cancel(world->stores[0], &world->ops[0].op);
}

/* It owes for the tenth of a second in which it was sent, not for all of its second. */
static void cancelled_in_the_middle(void **state) {
	struct world world;
	open_world(&world, "100KiB");
	limit(world.up, "100KiB");
	world.takes_ms = 1000;
	world.ops[1].op.body_len = world.ops[1].op.size = 10;
	timer_init(&world.timer, world.loop, cancel_first);
	timer_start(&world.timer, 100);
	int64_t from_ms = loop_now_ms(world.loop);
	world.wanted = 2;
	store_start(world.stores[0], &world.ops[0].op);
	store_start(world.stores[0], &world.ops[1].op);
	loop_run_until(world.loop, &world.all);
	assert_int_equal(world.ops[0].kind, ERR_CANCELLED);
	assert_int_equal(world.ops[1].kind, ERR_NONE);
	about(world.ops[1].begun_ms - from_ms, 100);
	close_world(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_by_all_in_order),
		cmocka_unit_test(own_limit_holds_for_each),
		cmocka_unit_test(what_comes_has_its_own_limits),
		cmocka_unit_test(a_small_file_owes_its_own_bytes),
		cmocka_unit_test(small_bodies_have_the_whole_rate),
		cmocka_unit_test(questions_pass),
		cmocka_unit_test(cancelled_while_waiting),
		cmocka_unit_test(cancelled_in_the_middle),
		cmocka_unit_test(bad_words_are_told),
		cmocka_unit_test(by_the_time_of_day),
		cmocka_unit_test(the_page_turns),
	};
	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
