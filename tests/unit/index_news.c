/* News beside the base, and conflicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "index/index.h"

static struct err err;

static int setup(void **state) {
	*state = index_open(NULL, &err);
	return *state ? 0 : -1;
}

static int teardown(void **state) {
	index_close(*state);
	return 0;
}

static void news_stand_beside_the_base(void **state) {
	struct index *index = *state;
	struct index_entry got,
		base = { .kind = INDEX_FILE, .size = 7, .version = (char *)"v1" },
		file = { .kind = INDEX_FILE, .size = 9, .version = (char *)"v2", .mode = 0640 },
		gone = { .kind = INDEX_FOLDER, .flags = INDEX_GONE };
	assert_int_equal(index_news_any(index, &err), 0);
	assert_int_equal(index_put(index, "a/x", &base, &err), 0);
	assert_int_equal(index_news_put(index, "a/x", &file, &err), 0);
	assert_int_equal(index_news_put(index, "a/x", &gone, &err), 0);
	assert_int_equal(index_news_any(index, &err), 1);
	/* The base says what was agreed; a file and a folder of one name are two. */
	assert_int_equal(index_get(index, "a/x", false, &got, &err), 1);
	assert_string_equal(got.version, "v1");
	index_entry_release(&got);
	assert_int_equal(index_news_get(index, "a/x", false, &got, &err), 1);
	assert_string_equal(got.version, "v2");
	assert_int_equal(got.size, 9);
	assert_int_equal(got.mode, 0640);
	index_entry_release(&got);
	assert_int_equal(index_news_get(index, "a/x", true, &got, &err), 1);
	assert_int_equal(got.flags, INDEX_GONE);
	index_entry_release(&got);
	assert_int_equal(index_totals(index).files, 1);
	assert_int_equal(index_news_drop(index, "a/x", false, &err), 0);
	assert_int_equal(index_news_get(index, "a/x", false, &got, &err), 0);
	assert_int_equal(index_news_drop(index, "a/x", true, &err), 0);
	assert_int_equal(index_news_drop(index, "never/seen", true, &err), 0);
	assert_int_equal(index_news_any(index, &err), 0);
}

/* Also where nothing else is known of the folder they lie in. */
/* While there are none no path is asked for: it must be known when there are some. */
static void news_of_before_are_found(void **state) {
	const struct index_entry file = { .kind = INDEX_FILE, .size = 3 };
	char folder[] = "/tmp/tend-news-XXXXXX";
	struct index_entry got;
	(void)state;
	assert_non_null(mkdtemp(folder));
	char *path = path_join(folder, "index");
	struct index *index = index_open(path, &err);
	assert_non_null(index);
	assert_int_equal(index_news_put(index, "a/x", &file, &err), 0);
	assert_int_equal(index_commit(index, true, &err), 0);
	index_close(index);

	index = index_open(path, &err);
	assert_non_null(index);
	assert_int_equal(index_news_get(index, "a/x", false, &got, &err), 1);
	index_entry_release(&got);
	assert_int_equal(index_news_drop(index, "a/x", false, &err), 0);
	assert_int_equal(index_news_any(index, &err), 0);
	assert_int_equal(index_news_get(index, "a/x", false, &got, &err), 0);
	assert_int_equal(index_news_put(index, "a/x", &file, &err), 0);
	assert_int_equal(index_news_get(index, "a/x", false, &got, &err), 1);
	index_entry_release(&got);
	index_close(index);
	static const char *const ends[] = { "", "-wal", "-shm" };
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char *file_path = xasprintf("%s%s", path, ends[i]);
		unlink(file_path);
		free(file_path);
	}
	rmdir(folder);
	free(path);
}

static void news_alone_keep_their_folder(void **state) {
	struct index *index = *state;
	struct index_entry got, file = { .kind = INDEX_FILE, .size = 1 };
	assert_int_equal(index_put(index, "deep/below/x", &file, &err), 0);
	assert_int_equal(index_news_put(index, "deep/below/x", &file, &err), 0);
	assert_int_equal(index_drop(index, "deep/below/x", false, &err), 0);
	assert_int_equal(index_news_get(index, "deep/below/x", false, &got, &err), 1);
	index_entry_release(&got);
}

static void news_go_along_with_a_folder(void **state) {
	struct index *index = *state;
	struct index_entry got, file = { .kind = INDEX_FILE, .size = 3 };
	assert_int_equal(index_put(index, "from/x", &file, &err), 0);
	assert_int_equal(index_news_put(index, "from/x", &file, &err), 0);
	assert_int_equal(index_move_folder(index, "from", "to", 0, &err), 1);
	assert_int_equal(index_news_get(index, "to/x", false, &got, &err), 1);
	index_entry_release(&got);
	assert_int_equal(index_news_get(index, "from/x", false, &got, &err), 0);
	/* Where news stand already nothing is moved over them. */
	assert_int_equal(index_news_put(index, "taken/y", &file, &err), 0);
	assert_int_equal(index_move_folder(index, "to", "taken", 0, &err), 0);
	/* Nothing is agreed any more: nothing is news. */
	assert_int_equal(index_disagree(index, &err), 0);
	assert_int_equal(index_news_any(index, &err), 0);
}

static void conflicts_are_listed(void **state) {
	struct index *index = *state;
	struct index_conflict *rows = NULL;
	size_t count = 0;
	static const struct index_conflict all[] = { { (char *)"b (conflict)", (char *)"b", 10 },
		{ (char *)"c (conflict)", (char *)"c", 30 },
		{ (char *)"a (conflict)", (char *)"a", 20 } };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(index_conflict_add(index, &all[i], &err), 0);
	assert_int_equal(index_conflict_count(index), 3);
	assert_int_equal(index_conflicts(index, 2, &rows, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(rows[0].path, "c (conflict)");
	assert_string_equal(rows[1].origin, "a");
	index_conflicts_free(rows, count);
	assert_int_equal(index_conflict_drop(index, "c (conflict)", &err), 0);
	assert_int_equal(index_conflict_drop(index, "none", &err), 0);
	assert_int_equal(index_conflicts(index, 9, &rows, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].noted_ns, 20);
	index_conflicts_free(rows, count);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(news_stand_beside_the_base, setup, teardown),
		cmocka_unit_test(news_of_before_are_found),
		cmocka_unit_test_setup_teardown(news_alone_keep_their_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(news_go_along_with_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(conflicts_are_listed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
