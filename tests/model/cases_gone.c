/* Folders that go here as they went at the remote, and what stands in the way of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

/* A folder that was gone there stayed here for what is not synced in it. When it goes here as well, a file of its name comes. */
static void test_a_file_in_place_of_a_folder_that_stayed(void **state) {
	static char *exclude[] = { (char *)"*.tmp", NULL };
	struct ground *g = case_begin(NULL);
	struct err err;
	size_t len;
	(void)state;
	g->settings.mode = FOLDER_FETCH;
	g->settings.exclude = exclude;
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
	case_remote_do(g, STORE_PUT, STORE_FILE, "other");
	ground_open(g);
	case_durable(g);
	edit_put(g, "d/mine.tmp");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	case_durable(g);
	assert_non_null(disk_memory_peek(g->memory, "d/mine.tmp", &len));
	assert_int_equal(disk_remove(g->disk, "d/mine.tmp", &err), 0);
	assert_int_equal(disk_rmdir(g->disk, "d", &err), 0);
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
	case_durable(g);
	assert_non_null(disk_memory_peek(g->memory, "d", &len));
	assert_int_equal(len, strlen("theirs"));
	case_end(g);
}

/* One that had stayed here so lies in a folder that goes on both sides: no poll tells of it any more. */
static void test_a_folder_that_stayed_goes_with_its_own(void **state) {
	static char *exclude[] = { (char *)"*.tmp", NULL };
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	g->settings.mode = FOLDER_FETCH;
	g->settings.exclude = exclude;
	g->settings.poll_ms = 1000;
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d/in");
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d/in/deep");
	case_remote_do(g, STORE_PUT, STORE_FILE, "other");
	ground_open(g);
	case_durable(g);
	edit_put(g, "d/in/deep/mine.tmp");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/in/deep");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/in");
	case_durable(g);
	assert_int_equal(disk_remove(g->disk, "d/in/deep/mine.tmp", &err), 0);
	assert_int_equal(disk_rmdir(g->disk, "d/in/deep", &err), 0);
	assert_int_equal(disk_rmdir(g->disk, "d/in", &err), 0);
	assert_int_equal(disk_rmdir(g->disk, "d", &err), 0);
	ground_run(g, 5000);
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	case_durable(g);
	assert_int_equal(index_has_children(g->index, "", true, &err), 1);
	assert_int_equal(index_totals(g->index).folders, 0);
	case_end(g);
}

/* ---- the last thing in a folder goes while that goes ---- */

static struct last {
	int looks; /* of the engine at the disk, since the folder went there; negative: none counts */
	int comes, goes; /* with which of them */
	const char *path;
} last;

static void come_and_go(struct ground *g) {
	struct disk_stat stat;
	struct err err;
	if (last.looks < 0) return;
	last.looks++;
	if (last.looks == last.comes && !disk_stat(g->disk, "d", &stat, &err))
		edit_put(g, last.path);
	if (last.looks == last.goes) disk_remove(g->disk, last.path, &err);
}

static void goes_with_its_folder(enum folder_mode mode, int comes, int goes, const char *path) {
	static char *exclude[] = { (char *)"*.tmp", NULL };
	struct ground *g = case_begin(NULL);
	struct disk_stat stat;
	struct err err;
	last = (struct last){ .looks = -1, .comes = comes, .goes = goes, .path = path };
	g->settings.mode = mode;
	g->settings.exclude = exclude;
	g->settings.poll_ms = 1000;
	g->late_ms = 500;
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
	case_remote_do(g, STORE_PUT, STORE_FILE, "other");
	ground_open(g);
	case_durable(g);
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	g->edit = come_and_go;
	g->odds.edit_while_looking = 1000000;
	last.looks = 0;
	case_durable(g);
	ground_run(g, 5000);
	case_durable(g);
	assert_int_equal(disk_stat(g->disk, "d", &stat, &err), -1);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
	case_end(g);
}

/* Between the engine's rmdir and its look at what is in the way of that, or right after. */
static void test_the_last_thing_goes_with_its_folder(void **state) {
	(void)state;
	for (int comes = 1; comes < 30; comes++) {
		for (int goes = comes + 1; goes <= comes + 2; goes++) {
			goes_with_its_folder(FOLDER_FETCH, comes, goes, "d/left out.tmp");
			goes_with_its_folder(FOLDER_TWO_WAY, comes, goes, "d/left out.tmp");
			goes_with_its_folder(FOLDER_TWO_WAY, comes, goes, "d/ours");
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_in_place_of_a_folder_that_stayed),
		cmocka_unit_test(test_a_folder_that_stayed_goes_with_its_own),
		cmocka_unit_test(test_the_last_thing_goes_with_its_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
