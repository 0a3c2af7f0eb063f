/* All rows of the queue, page by page, while it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "index/index.h"

static void mark(struct index *index, const char *path) {
	struct err err;
	assert_int_equal(index_mark(index, path, 1000, 0, 0, 1, NULL, &err), 0);
}

static struct index *open_with(int files) {
	struct err err;
	struct index *index = index_open(NULL, &err);
	assert_non_null(index);
	for (int i = 0; i < files; i++) {
		char path[64];
		snprintf(path, sizeof(path), "d%d/f%02d", i % 3, i);
		mark(index, path);
	}
	return index;
}

/* The walk's rest; a path that it tells again is counted again. */
static int walk(struct index *index, struct index_place *place, size_t limit, const char *wanted) {
	int found = 0;
	struct err err;
	char **paths;
	for (;;) {
		assert_int_equal(index_dirty_walk(index, place, limit, &paths, &err), 0);
		if (!paths) return found;
		size_t count = strv_count(paths);
		assert_true(count <= limit);
		for (size_t i = 0; i < count; i++) found += !wanted || str_equal(paths[i], wanted);
		strv_free(paths);
	}
}

static void each_row_comes_once(void **state) {
	(void)state;
	static const size_t limits[] = { 1, 2, 7, 30, 100 };
	struct index *index = open_with(30);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct index_place place = { 0 };
		assert_int_equal(walk(index, &place, limits[i], NULL), 30);
		index_place_release(&place);
		assert_int_equal(walk(index, &place, limits[i], "d2/f29"), 1);
		index_place_release(&place);
	}
	index_close(index);
}

static void none_is_no_page(void **state) {
	(void)state;
	struct index *index = open_with(0);
	struct index_place place = { 0 };
	assert_int_equal(walk(index, &place, 10, NULL), 0);
	index_place_release(&place);
	index_close(index);
}

static void one_in_trouble_is_left_out(void **state) {
	(void)state;
	struct index *index = open_with(3);
	struct index_place place = { 0 };
	struct err err;
	assert_int_equal(
		index_again(index, "d1/f01", INDEX_WHY_REFUSED, "its name", 0, 1, &err), 0);
	assert_int_equal(walk(index, &place, 10, NULL), 2);
	index_place_release(&place);
	assert_int_equal(walk(index, &place, 10, "d1/f01"), 0);
	index_place_release(&place);
	index_close(index);
}

/* Between two pages rows go and come: those that stay are told all the same. */
static void the_queue_may_change_meanwhile(void **state) {
	(void)state;
	struct index *index = open_with(9);
	struct index_place place = { 0 };
	struct err err;
	char **paths;
	assert_int_equal(index_dirty_walk(index, &place, 4, &paths, &err), 0);
	assert_int_equal(strv_count(paths), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(index_done(index, paths[i], INT64_MAX, 0, &err), 0);
	strv_free(paths);
	mark(index, "zz/behind");
	assert_int_equal(walk(index, &place, 4, NULL), 6);
	index_place_release(&place);
	index_close(index);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_comes_once),
		cmocka_unit_test(none_is_no_page),
		cmocka_unit_test(one_in_trouble_is_left_out),
		cmocka_unit_test(the_queue_may_change_meanwhile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
