/* What is fanotify's alone: when it takes over, what its queue merges, who else is on the file system,
 * what lies on another. Wants root. What it shares with inotify: watch_inotify.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/watch_world.h"

/* Calls that are left before the system has no more watches; -1: it has. In place of libc's. */
static atomic_int watches_left = -1;

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
	int left = atomic_load(&watches_left);
	/* Asked by several threads at once. */
	while (left > 0 && !atomic_compare_exchange_weak(&watches_left, &left, left - 1)) {
	}
	if (left == 0) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

static int many_folders(void **state) {
	world_way = "inotify";
	return setenv("TEND_FANOTIFY_FROM", "6", 1) == 0 ? world_setup(state) : -1;
}

static int at_once(void **state) {
	world_way = "fanotify";
	return setenv("TEND_FANOTIFY_FROM", "0", 1) == 0 ? world_setup(state) : -1;
}

static int much_later(void **state) {
	world_way = "inotify";
	return setenv("TEND_FANOTIFY_FROM", "100000", 1) == 0 ? world_setup(state) : -1;
}

static void make_many(struct world *world, int from, int to) {
	for (int i = from; i < to; i++) {
		char path[16];
		(void)snprintf(path, sizeof(path), "d%d", i);
		world_make(world, path);
	}
}

static void it_takes_over_where_folders_are_many(void **state) {
	struct world *world = *state;

	make_many(world, 0, 4);
	world_settle(world);
	assert_string_equal(watch_way(world->watch), "inotify");
	make_many(world, 4, 8);
	world_settle(world);
	assert_string_equal(watch_way(world->watch), "fanotify");
	assert_int_equal(world->overflows, 1); /* one scan, and no second */
	assert_int_equal(watch_count(world->watch), 9);
	world_compare(world);
	buf_clear(&world->log);
	world_put(world, "d3/f", "1");
	world_move(world, "d3", "d7/e");
	world_put(world, "d7/e/f", "2");
	/* Three events of one file in one folder are one, where the first stood. */
	world_settle(world);
	assert_non_null(strstr(world->log.at, "moved:d7/e<d3"));
	world_compare(world);
}

static void it_cures_a_limit_of_watches(void **state) {
	struct world *world = *state;

	watches_left = 3;
	make_many(world, 0, 6);
	world_settle(world);
	assert_string_equal(watch_way(world->watch), "fanotify");
	assert_false(watch_is_degraded(world->watch));
	assert_int_equal(world->degraded.kind, ERR_NONE);
	assert_int_equal(watch_count(world->watch), 7);
	buf_clear(&world->log);
	world_put(world, "d5/f", "1");
	world_logged(world, "changed:d5/f");
	watches_left = -1;
}

/* The kernel makes one of the first and the last of these. */
static void renames_that_are_merged_are_seen_through(void **state) {
	struct world *world = *state;

	world_make(world, "a");
	world_make(world, "a/in");
	world_settle(world);
	buf_clear(&world->log);
	world_move(world, "a", "b");
	world_move(world, "b", "a");
	world_move(world, "a", "b");
	world_logged(world, "moved:b<a moved:a<b gone:a new:b");
	world_compare(world);
	assert_int_equal(watch_count(world->watch), 3);
	world_put(world, "b/in/f", "1");
	world_logged(world, "changed:b/in/f");

	/* One that was overwritten, as it seemed, and is elsewhere. */
	world_make(world, "x");
	world_make(world, "y");
	world_settle(world);
	buf_clear(&world->log);
	world_move(world, "y", "z");
	world_move(world, "z", "y");
	world_move(world, "y", "z");
	world_move(world, "x", "y");
	world_settle(world);
	world_compare(world);
	world_put(world, "y/f", "1");
	world_put(world, "z/f", "1");
	world_settle(world);
	world_compare(world);
}

/* Made and removed while nobody read: one event, and in the end there is a file. */
static void a_name_that_was_many_things(void **state) {
	struct world *world = *state;

	world_put(world, "f", "1");
	world_move(world, "f", "g");
	world_make(world, "f");
	world_discard(world, "f");
	world_move(world, "g", "f");
	world_settle(world);
	world_compare(world);
	world_discard(world, "f");
	world_make(world, "f");
	world_make(world, "f/d");
	world_settle(world);
	world_compare(world);
	assert_int_equal(watch_count(world->watch), 3);
}

/* More of them than are remembered: who is being added might be among them. */
static void strangers_do_no_harm(void **state) {
	struct world *world = *state;
	char out[2][96], path[128];
	struct watch_add add;
	struct err err;

	world_make(world, "a");
	world_settle(world);
	watch_drop_folder(world->watch, "a");
	buf_clear(&world->log);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(out[i], sizeof(out[i]), "%s-%d", world->root, i);
		assert_int_equal(mkdir(out[i], 0700), 0);
	}
	watch_add_begin(&add, world->watch, "a");
	watch_add_in_job(&add);
	for (int i = 0; i < 4200; i++) {
		(void)snprintf(path, sizeof(path), "%s/%d", out[i % 2], i);
		assert_int_equal(symlink("nowhere", path), 0);
	}
	assert_int_equal(watch_add_end(&add, &err), 0);
	world_logged(world, "new:a");
	for (int i = 0; i < 2; i++)
		assert_int_equal(nftw(out[i], world_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- in a process of its own ---- */

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)

/* Another file system below: a mount that comes is a new folder there, its folders move within it. */
static int another_below(void) {
	void *state = NULL;
	char command[160];

	CHECK(at_once(&state) == 0);
	struct world *world = state;
	world_make(world, "m");
	world_settle(world);
	(void)snprintf(command, sizeof(command), "mount -t tmpfs none %s/m", world->root);
	CHECK(system(command) == 0); // NOLINT(cert-env33-c): a path of our own
	world_settle(world);
	world_make(world, "m/a");
	world_settle(world);
	world_put(world, "m/a/f", "1");
	world_move(world, "m/a", "m/b");
	world_put(world, "m/b/g", "1");
	world_settle(world);
	CHECK(world->moves == 1);
	CHECK(watch_count(world->watch) == 3);
	world_compare(world);
	/* What holds it moves as a whole. */
	world_make(world, "top");
	world_settle(world);
	world_put(world, "m/b/h", "1");
	world_settle(world);
	world_compare(world);
	(void)snprintf(command, sizeof(command), "umount %s/m", world->root);
	CHECK(system(command) == 0); // NOLINT(cert-env33-c): a path of our own
	world_settle(world);
	CHECK(world->overflows > 0);
	world_compare(world);
	return world_teardown(&state);
}

static int without_the_right(void) {
	void *state = NULL;

	CHECK(setenv("TEND_FANOTIFY_FROM", "0", 1) == 0);
	world_way = "inotify";
	CHECK(world_setup(&state) == 0);
	struct world *world = state;
	world_make(world, "a");
	world_settle(world);
	CHECK(watch_count(world->watch) == 2);
	return world_teardown(&state);
}

static void run_again(const char *how) {
	char self[4096] = "", command[4300];

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	(void)snprintf(command, sizeof(command), how, self);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): our own
}

static void other_file_systems_keep_inotify(void **state) {
	run_again("unshare --mount %s below");
}

static void who_may_not_has_inotify(void **state) {
	run_again("setpriv --bounding-set -sys_admin %s plain");
	run_again("TEND_WITHOUT=nothing,fanotify %s plain");
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_takes_over_where_folders_are_many, many_folders, world_teardown),
		cmocka_unit_test_setup_teardown(
			it_cures_a_limit_of_watches, much_later, world_teardown),
		cmocka_unit_test_setup_teardown(
			renames_that_are_merged_are_seen_through, at_once, world_teardown),
		cmocka_unit_test_setup_teardown(
			a_name_that_was_many_things, at_once, world_teardown),
		cmocka_unit_test_setup_teardown(strangers_do_no_harm, at_once, world_teardown),
		cmocka_unit_test(other_file_systems_keep_inotify),
		cmocka_unit_test(who_may_not_has_inotify),
	};

	if (argc == 2 && str_equal(argv[1], "below")) return another_below();
	if (argc == 2 && str_equal(argv[1], "plain")) return without_the_right();
	if (world_alone() < 0) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
