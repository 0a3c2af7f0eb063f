/* A write of the index fails, each of them in turn: nothing is used after it is gone, the folder opens anew, and it converges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"
#include "support/trees.h"

enum { WRITES_MAX = 4000, TRIES = 20 };

/* What a folder meets in a day: new, changed, gone, renamed, of another kind, and above what is on its way. */
static void live(struct ground *g) {
	struct err err;
	edit_put(g, "a/new");
	edit_put(g, "a/changed");
	edit_remove_path(g, "a/gone");
	disk_rename(g->disk, "a/old", "a/renamed", true, &err);
	disk_rename(g->disk, "moved", "a/there", true, &err);
	edit_remove_tree(g, "kind");
	edit_remove_path(g, "kind");
	edit_put(g, "kind");
	edit_remove_tree(g, "empty");
	edit_put(g, "deep/er/and/deeper");
	ground_run(g, 700);
	edit_put(g, "a/new");
	disk_rename(g->disk, "a", "b", true, &err);
	edit_put(g, "b/late");
	ground_run(g, 300);
}

static void prepare(struct ground *g) {
	static const char *const paths[] = { "a/changed", "a/gone", "a/old", "moved/x", "moved/y",
		"kind/below", "empty/last" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) edit_put(g, paths[i]);
	ground_open(g);
	case_durable(g);
}

/* Whether the write came that was to fail. */
static bool tell(
	const struct store_memory_options *options, enum folder_mode mode, uint64_t write) {
	struct ground *g = case_begin(options);
	struct story s = { .g = g, .backup = mode == FOLDER_BACKUP };
	struct err err;
	map_init(&s.durable);
	map_init(&s.theirs);
	map_init(&s.strange);
	g->settings.mode = mode;
	g->settings.poll_ms = 1000;
	g->settings.max_delete = (char *)"none";
	prepare(g);
	index_past_fail(g->past, write);
	live(g);
	/* Who asks is told of the trouble, until it is over. */
	for (int i = 0; ground_barrier(g, &err) != GROUND_DURABLE; i++) {
		if (i == TRIES) fail_msg("write %llu: %s", (unsigned long long)write, err.text);
		ground_run(g, 5000);
	}
	bool failed = index_past_fail(g->past, 0) == 0;
	story_compare(&s, NULL);
	if (g->wrong) print_error("write %llu\n", (unsigned long long)write);
	story_release(&s);
	case_end(g);
	return failed;
}

static void sweep(const struct store_memory_options *options, enum folder_mode mode) {
	uint64_t write = 1;
	while (write < WRITES_MAX && tell(options, mode, write)) write++;
	assert_true(write > 50);
	assert_true(write < WRITES_MAX);
}

static void test_backup(void **state) {
	(void)state;
	sweep(NULL, FOLDER_BACKUP);
}

static void test_where_folders_are_markers(void **state) {
	struct store_memory_options keys = { .keys_only = true };
	(void)state;
	sweep(&keys, FOLDER_MIRROR);
}

static void test_two_way(void **state) {
	(void)state;
	sweep(NULL, FOLDER_TWO_WAY);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_where_folders_are_markers),
		cmocka_unit_test(test_two_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
