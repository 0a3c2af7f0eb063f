/* The real watch on real folders, by inotify and then by fanotify: single events, storms compared with
 * the disk, overflow, limits, the root's end. Wants root, who alone may mark a file system. */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/watch_world.h"

/* ---- tests ---- */

static void single_events(void **state) {
	struct world *world = *state;

	world_put(world, "f", "1");
	world_put(world, "f", "2");
	world_put(world, "new\nline \xff", "");
	world_logged(world, "changed:f changed:new\nline \xff");
	world_make(world, "a");
	world_logged(world, "new:a");
	world_put(world, "a/f", "1");
	world_move(world, "f", "a/g");
	world_logged(world, "changed:a/f changed:f changed:a/g");
	world_make(world, "a/b");
	world_settle(world);
	buf_clear(&world->log);
	world_move(world, "a", "z");
	world_put(world, "z/b/h", "1");
	world_logged(world, "moved:z<a changed:z/b/h");
	assert_int_equal(watch_count(world->watch), 3);
	char full[128];
	world_at(world, full, sizeof(full), "z/f");
	assert_int_equal(chmod(full, 0600), 0);
	world_at(world, full, sizeof(full), "z/fl");
	assert_int_equal(symlink("nowhere", full), 0);
	world_logged(world, "changed:z/f changed:z/fl");
	world_at(world, full, sizeof(full), "z/b");
	assert_int_equal(chmod(full, 0755), 0);
	world_logged(world, "changed:z/b");
	world_discard(world, "z/b/h");
	world_discard(world, "z/b");
	world_logged(world, "changed:z/b/h gone:z/b");
	assert_int_equal(watch_count(world->watch), 2);
	/* Out of sight: the other half of the move never comes. */
	char out[128];
	(void)snprintf(out, sizeof(out), "%s-out", world->root);
	world_at(world, full, sizeof(full), "z");
	assert_int_equal(rename(full, out), 0);
	world_logged(world, "gone:z");
	assert_int_equal(watch_count(world->watch), 1);
	assert_int_equal(rename(out, full), 0);
	world_logged(world, "new:z");
	assert_int_equal(watch_count(world->watch), 2);
	world_compare(world);
}

/* The same without a drain: what is held comes by itself. */
static void a_folder_that_left_is_told_without_a_drain(void **state) {
	struct world *world = *state;
	char full[128], out[128];

	world_make(world, "a");
	world_settle(world);
	buf_clear(&world->log);
	world_at(world, full, sizeof(full), "a");
	(void)snprintf(out, sizeof(out), "%s-out", world->root);
	assert_int_equal(rename(full, out), 0);
	while (world->log.len == 0) world_run_ms(world, 1);
	assert_string_equal(world->log.at, "gone:a");
	assert_int_equal(rmdir(out), 0);
}

static void over_an_empty_folder(void **state) {
	struct world *world = *state;

	world_make(world, "a");
	world_make(world, "b");
	world_put(world, "a/f", "1");
	world_settle(world);
	buf_clear(&world->log);
	world_move(world, "a", "b");
	world_put(world, "b/f", "2");
	world_logged(world, "moved:b<a changed:b/f");
	assert_int_equal(watch_count(world->watch), 2);
	world_compare(world);
}

static void dropped_folders_are_silent(void **state) {
	struct world *world = *state;

	world_make(world, "a");
	world_make(world, "a/b");
	world_settle(world);
	assert_int_equal(watch_count(world->watch), 3);
	buf_clear(&world->log);
	watch_drop_folder(world->watch, "a");
	assert_int_equal(watch_count(world->watch), 1);
	world_put(world, "a/f", "1");
	world_put(world, "a/b/f", "1");
	world_put(world, "f", "1");
	world_logged(world, "changed:f");
}

static void additions_end_in_every_way(void **state) {
	struct world *world = *state;
	struct watch_add add;
	struct err err;

	assert_int_equal(watch_add_folder(world->watch, "nowhere", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	world_put(world, "f", "1");
	assert_int_equal(watch_add_folder(world->watch, "f", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	world_make(world, "a");
	world_settle(world);
	assert_int_equal(watch_add_folder(world->watch, "a", &err), 0);
	assert_int_equal(watch_count(world->watch), 2);

	watch_add_begin(&add, world->watch, "a");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);

	/* It moves after the job looked: the number is right, the place is not. */
	world_make(world, "a/b");
	world_settle(world);
	watch_drop_folder(world->watch, "a/b");
	buf_clear(&world->log);
	watch_add_begin(&add, world->watch, "a/b");
	watch_add_in_job(&add);
	world_move(world, "a", "c");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	world_logged(world, "moved:c<a new:c/b");
	assert_int_equal(watch_count(world->watch), 3);

	/* It is replaced after the job looked. */
	watch_drop_folder(world->watch, "c/b");
	watch_add_begin(&add, world->watch, "c/b");
	watch_add_in_job(&add);
	world_discard(world, "c/b");
	world_make(world, "c/b");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	world_settle(world);
	buf_clear(&world->log);
	world_put(world, "c/b/f", "1");
	world_logged(world, "changed:c/b/f");

	/* Something happens in it before the end: it is to be listed again. */
	watch_drop_folder(world->watch, "c/b");
	watch_add_begin(&add, world->watch, "c/b");
	watch_add_in_job(&add);
	world_put(world, "c/b/g", "1");
	watch_drain(world->watch);
	assert_int_equal(watch_add_end(&add, &err), 0);
	world_logged(world, "new:c/b");
	world_compare(world);

	/* The watch ends first. */
	watch_add_begin(&add, world->watch, "c");
	watch_free(world->watch);
	world->watch = NULL;
	watch_add_in_job(&add);
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);
}

/* One folder in two trees, and a move from one tree to the other: one number, two places. */
static void two_watches_of_one_folder(void **state) {
	struct world *outer = *state;
	struct world inner = { .loop = outer->loop };
	struct err err;

	world_make(outer, "in");
	world_settle(outer);
	world_at(outer, inner.root, sizeof(inner.root), "in");
	inner.watch = watch_new(inner.loop, inner.root, &world_calls, &inner, &err);
	assert_non_null(inner.watch);
	buf_init(&inner.log, 10000);
	map_init(&inner.picture);
	map_init(&inner.wanted);
	world_scan(&inner, "");
	world_settle(&inner);
	buf_clear(&outer->log);
	world_make(outer, "in/a");
	world_settle(&inner);
	world_settle(outer);
	buf_clear(&outer->log);
	buf_clear(&inner.log);
	world_put(outer, "in/a/f", "1");
	world_settle(&inner);
	world_logged(outer, "changed:in/a/f");
	world_logged(&inner, "changed:a/f");
	world_move(outer, "in/a", "b");
	world_logged(&inner, "gone:a");
	world_settle(outer);
	world_put(outer, "b/f", "2");
	world_logged(outer, "moved:b<in/a changed:b/f");
	world_move(outer, "b", "in/c");
	world_settle(&inner);
	world_put(outer, "in/c/f", "2");
	world_settle(&inner);
	world_settle(outer);
	world_compare(outer);
	world_compare(&inner);
	watch_drop_folder(outer->watch, "in/c");
	buf_clear(&outer->log);
	buf_clear(&inner.log);
	world_put(outer, "in/c/f", "3");
	world_logged(outer, "");
	world_logged(&inner, "changed:c/f");
	watch_free(inner.watch);
	world_picture_move(&inner, "", NULL);
	map_release(&inner.picture);
	buf_release(&inner.log);
	world_put(outer, "in/f", "1");
	world_logged(outer, "changed:in/f");
}

static void the_root_ends(void **state) {
	struct world *world = *state;
	char moved[128];

	(void)snprintf(moved, sizeof(moved), "%s-moved", world->root);
	assert_int_equal(rename(world->root, moved), 0);
	world_settle(world);
	assert_int_equal(world->roots, 1);
	assert_int_equal(rmdir(moved), 0);
	world_settle(world);
	assert_int_equal(world->roots, 1);
	struct err err;
	assert_int_equal(watch_add_folder(world->watch, "", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void the_root_is_removed(void **state) {
	struct world *world = *state;

	world_make(world, "a");
	world_settle(world);
	world_discard(world, "a");
	world_discard(world, "");
	world_settle(world);
	assert_int_equal(world->roots, 1);
}

/* ---- storms ---- */

static uint64_t seed = 7;

static unsigned pick(unsigned below) {
	/* splitmix64 */
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (unsigned)((z ^ (z >> 31)) % below);
}

static int write_one(const char *path, int i) {
	char text[16];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600),
	    len = snprintf(text, sizeof(text), "%d", i);

	if (fd < 0) return -1;
	ssize_t wrote = write(fd, text, (size_t)len);
	return close(fd) == 0 && wrote == len ? 0 : -1;
}

/* In a process of its own: what trap 12 says, and everything else that moves folders about. Steps
 * that cannot be done are left out. */
static void storm(int rounds) {
	char a[64], b[128], in[128];

	for (int i = 0; i < rounds; i++) {
		(void)snprintf(a, sizeof(a), "r%u", pick(12));
		(void)snprintf(b, sizeof(b), "%s/r%u", pick(2) ? "." : a, pick(12));
		switch (pick(8)) {
		case 0:
		case 1:
		case 2:
			(void)mkdir("a", 0700);
			(void)mkdir("a/b", 0700);
			(void)mkdir("a/b/c", 0700);
			(void)write_one("a/b/c/f", i);
			if (rename("a", a) < 0) (void)rename("a", b);
			break;
		case 3: (void)rename(a, b); break;
		case 4:
			(void)snprintf(in, sizeof(in), "%s/b/c/f", a);
			(void)write_one(in, i);
			break;
		case 5:
			(void)snprintf(in, sizeof(in), "%s/b", a);
			(void)rename(in, b);
			break;
		case 6: (void)nftw(a, world_remove_one, 16, FTW_DEPTH | FTW_PHYS); break;
		default:
			(void)mkdir(a, 0700);
			(void)snprintf(in, sizeof(in), "%s/g", a);
			(void)write_one(in, i);
			(void)rename(in, "g");
			break;
		}
	}
}

static pid_t fork_in(const char *root, void (*work)(int rounds), int rounds) {
	pid_t child = fork();

	assert_true(child >= 0);
	if (child > 0) return child;
	if (chdir(root) < 0) _exit(1);
	work(rounds);
	_exit(0);
}

static void wait_for(struct world *world, pid_t child) {
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) world_run_ms(world, 1);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void storms_are_not_missed(void **state) {
	struct world *world = *state;

	world->watching = true;
	for (int round = 0; round < 10; round++) {
		pid_t child = fork_in(world->root, storm, 300);
		wait_for(world, child);
		world_settle(world);
		world_compare(world);
		seed += 1000;
	}
	assert_int_equal(world->overflows, 0);
	/* It was a storm: additions met moves, and watches followed. */
	assert_true(world->stale > 0 && world->moves > 0);
}

static void flood(int rounds) {
	char path[32];

	for (int i = 0; i < rounds; i++) {
		(void)snprintf(path, sizeof(path), "d/%d", i);
		if (write_one(path, i) < 0) _exit(1);
	}
	if (mkdir("late", 0700) < 0 || rename("d", "late/e") < 0) _exit(1);
}

/* More than the queue holds while nobody reads: told, and cured by the scan. */
static void an_overflow_is_told(void **state) {
	struct world *world = *state;
	char text[32];
	int status;
	/* Of a file made and written inotify tells three things, which fanotify merges into one. */
	bool merges = str_equal(world_way, "fanotify");
	FILE *file = fopen(merges ? "/proc/sys/fs/fanotify/max_queued_events"
				  : "/proc/sys/fs/inotify/max_queued_events",
		"r");

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	int most = (int)strtol(text, NULL, 10);
	world_make(world, "d");
	world_make(world, "d/deep");
	world_settle(world);
	buf_clear(&world->log);
	world->watching = true;
	pid_t child = fork_in(world->root, flood, merges ? most + 10 : most / 2);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	world_settle(world);
	assert_int_equal(world->overflows, 1);
	assert_int_equal(watch_count(world->watch), 4);
	world_compare(world);
	/* It goes on where it stands now. */
	world->watching = false;
	world_put(world, "late/e/deep/f", "1");
	world_logged(world, "changed:late/e/deep/f");
	world_compare(world);
}

/* ---- limits ---- */

static void write_text(const char *path, const char *text) {
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) _exit(10);
	(void)close(fd);
}

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)

/* In a user namespace of its own, so that the limit is nobody else's. */
static int at_the_limit(void) {
	void *state = NULL;

	write_text("/proc/sys/user/max_inotify_watches", "3");
	CHECK(world_setup(&state) == 0);
	struct world *world = state;
	for (int i = 0; i < 6; i++) {
		char path[16];
		(void)snprintf(path, sizeof(path), "d%d", i);
		world_make(world, path);
	}
	world_settle(world);
	CHECK(watch_is_degraded(world->watch));
	CHECK(watch_count(world->watch) == 3);
	CHECK(world->degraded.kind == ERR_FULL);
	CHECK(str_starts(world->degraded.text, "fs.inotify.max_user_watches is "));
	CHECK(strstr(world->degraded.text, ": run 'sysctl fs.inotify.max_user_watches="));
	/* Raised, and scanned again: cured. Folders that are gone need no watch. */
	write_text("/proc/sys/user/max_inotify_watches", "6");
	world_discard(world, "d0");
	world_scan(world, "");
	world_settle(world);
	CHECK(!watch_is_degraded(world->watch));
	CHECK(watch_count(world->watch) == 6);
	CHECK(world->degraded.kind == ERR_NONE);

	/* Descriptors: the first is shared. */
	struct err err;
	write_text("/proc/sys/user/max_inotify_instances", "1");
	struct watch *second = watch_new(world->loop, world->root, &world_calls, world, &err);
	CHECK(second);
	watch_free(second);
	watch_free(world->watch);
	world->watch = NULL;
	write_text("/proc/sys/user/max_inotify_instances", "0");
	CHECK(!watch_new(world->loop, world->root, &world_calls, world, &err));
	CHECK(err.kind == ERR_FULL);
	CHECK(strstr(err.text, "run 'sysctl fs.inotify.max_user_instances="));
	CHECK(world_teardown(&state) == 0);
	return 0;
}

/* A namespace is entered by a process without threads, and sanitizers start some. */
static void limits_name_the_line_to_run(void **state) {
	char self[4096] = "";
	int status;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)execlp("unshare", "unshare", "--map-root-user", self, "limit", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int by_inotify(void **state) {
	world_way = "inotify";
	return unsetenv("TEND_FANOTIFY_FROM");
}

static int by_fanotify(void **state) {
	world_way = "fanotify";
	return setenv("TEND_FANOTIFY_FROM", "0", 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(single_events, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(
		a_folder_that_left_is_told_without_a_drain, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(over_an_empty_folder, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(dropped_folders_are_silent, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(additions_end_in_every_way, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(two_watches_of_one_folder, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(the_root_ends, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(the_root_is_removed, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(storms_are_not_missed, world_setup, world_teardown),
	cmocka_unit_test_setup_teardown(an_overflow_is_told, world_setup, world_teardown),
};

int main(int argc, char **argv) {
	const struct CMUnitTest limits[] = { cmocka_unit_test(limits_name_the_line_to_run) };

	if (argc == 2 && str_equal(argv[1], "limit")) return at_the_limit();
	if (world_alone() < 0) return 1;
	int failed = cmocka_run_group_tests_name("limits", limits, NULL, NULL);
	failed += cmocka_run_group_tests_name("inotify", tests, by_inotify, NULL);
	return failed + cmocka_run_group_tests_name("fanotify", tests, by_fanotify, NULL);
}
