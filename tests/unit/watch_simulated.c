/* The simulated watch: blind where nothing was added, loses on overflow, follows moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "watch/watch.h"

struct world {
	struct loop *loop;
	struct watch *watch;
	struct buf seen; /* "what path[<from]" joined by spaces */
	bool free_at_call;
};

static void happened(void *user, const struct watch_event *event) {
	static const char *const words[] = { "changed", "new", "gone", "moved", "overflow",
		"root" };
	struct world *world = user;

	buf_addf(&world->seen, "%s%s:%s", world->seen.len ? " " : "", words[event->what],
		event->path);
	if (event->from) buf_addf(&world->seen, "<%s", event->from);
	if (!world->free_at_call) return;
	watch_free(world->watch);
	world->watch = NULL;
}

static const struct watch_calls calls = { .happened = happened };

static int setup(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));

	world->loop = loop_new_simulated(1);
	world->watch = watch_new_simulated(world->loop, &calls, world);
	buf_init(&world->seen, 10000);
	*state = world;
	return 0;
}

static int teardown(void **state) {
	struct world *world = *state;

	watch_free(world->watch);
	loop_free(world->loop);
	buf_release(&world->seen);
	free(world);
	return 0;
}

static void add(struct world *world, const char *path) {
	struct err err;

	assert_int_equal(watch_add_folder(world->watch, path, &err), 0);
}

static void drained(struct world *world, const char *want) {
	watch_drain(world->watch);
	assert_string_equal(world->seen.at, want);
	buf_clear(&world->seen);
}

static void set_flag(struct timer *timer);
struct pause {
	struct timer timer;
	bool over;
};
static void set_flag(struct timer *timer) {
	container_of(timer, struct pause, timer)->over = true;
}

static void events_come_at_the_next_turn_once(void **state) {
	struct world *world = *state;
	struct pause pause = { .over = false };

	add(world, "");
	add(world, "a");
	assert_int_equal(watch_count(world->watch), 2);
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	watch_feed(world->watch, WATCH_FOLDER_NEW, "b", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "a/f", NULL);
	assert_int_equal(world->seen.len, 0);
	timer_init(&pause.timer, world->loop, set_flag);
	timer_start(&pause.timer, 1);
	loop_run_until(world->loop, &pause.over);
	assert_string_equal(world->seen.at, "changed:f new:b changed:f changed:a/f");
}

static void blind_where_nothing_was_added(void **state) {
	struct world *world = *state;

	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	drained(world, "");
	add(world, "");
	add(world, "a/b");
	watch_feed(world->watch, WATCH_CHANGED, "a/f", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "a/b/f", NULL);
	drained(world, "changed:a/b/f");
	watch_feed(world->watch, WATCH_FOLDER_MOVED, "c", "a");
	watch_feed(world->watch, WATCH_CHANGED, "a/b/f", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "c/b/f", NULL);
	drained(world, "moved:c<a changed:c/b/f");
	watch_feed(world->watch, WATCH_FOLDER_MOVED, "c/dark/b", "c/b"); /* seen by nobody */
	drained(world, "");
	watch_drop_folder(world->watch, "");
	assert_int_equal(watch_count(world->watch), 0);
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	drained(world, "");
}

static void overflow_loses_what_waits(void **state) {
	struct world *world = *state;

	add(world, "");
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	watch_feed(world->watch, WATCH_OVERFLOW, NULL, NULL);
	watch_feed(world->watch, WATCH_CHANGED, "g", NULL);
	drained(world, "overflow:");
	add(world, "");
	watch_feed(world->watch, WATCH_ROOT_GONE, NULL, NULL);
	watch_feed(world->watch, WATCH_CHANGED, "g", NULL);
	drained(world, "root:");
}

static void additions_meet_moves(void **state) {
	struct world *world = *state;
	struct watch_add one;
	struct err err;

	add(world, "");
	add(world, "a");
	watch_add_begin(&one, world->watch, "a/b");
	watch_feed(world->watch, WATCH_FOLDER_MOVED, "c", "a");
	watch_add_in_job(&one);
	assert_int_equal(watch_add_end(&one, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	drained(world, "moved:c<a new:c/b");

	watch_add_begin(&one, world->watch, "c");
	assert_int_equal(watch_add_end(&one, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);

	watch_add_begin(&one, world->watch, "c");
	watch_free(world->watch);
	world->watch = NULL;
	watch_add_in_job(&one);
	assert_int_equal(watch_add_end(&one, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);
}

static void it_may_be_freed_from_within(void **state) {
	struct world *world = *state;

	add(world, "");
	world->free_at_call = true;
	watch_feed(world->watch, WATCH_CHANGED, "f", NULL);
	watch_feed(world->watch, WATCH_CHANGED, "g", NULL);
	drained(world, "changed:f");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_come_at_the_next_turn_once, setup, teardown),
		cmocka_unit_test_setup_teardown(blind_where_nothing_was_added, setup, teardown),
		cmocka_unit_test_setup_teardown(overflow_loses_what_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(additions_meet_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(it_may_be_freed_from_within, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
