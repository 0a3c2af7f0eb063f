/* Rows of what is brought back: put over the strangers that they were, and strangers again where the pull does not end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/index.h"

static struct err err;

static struct index *open_memory(void) {
	struct index *index = index_open(NULL, &err);

	assert_non_null(index);
	return index;
}

static struct index_entry entry_of(struct index *index, const char *path, bool folder) {
	struct index_entry entry;

	assert_int_equal(index_get(index, path, folder, &entry, &err), 1);
	return entry;
}

static void a_row_is_put_over(void **state) {
	struct index *index = open_memory();
	struct index_entry stranger = { .flags = INDEX_STRANGER, .size = 7, .version = "v1" },
			   agreed = { .size = 9,
				   .mtime_ns = 1,
				   .ctime_ns = 2,
				   .btime_ns = 3,
				   .born_ns = 4,
				   .ino = 5,
				   .mode = 0644,
				   .epoch = 6,
				   .hash = { 8, 9 },
				   .hash_len = 16,
				   .id = "id",
				   .version = "v2",
				   .extra = "e",
				   .extra_len = 1 };

	assert_int_equal(index_put(index, "d/a", &stranger, &err), 0);
	assert_int_equal(index_put_over(index, "d/a", &stranger, &agreed, &err), 1);
	struct index_entry back = entry_of(index, "d/a", false);
	assert_true(back.kind == INDEX_FILE && back.flags == 0 && back.size == 9);
	assert_true(back.mtime_ns == 1 && back.ctime_ns == 2 && back.btime_ns == 3);
	assert_true(back.born_ns == 4 && back.ino == 5 && back.mode == 0644 && back.epoch == 6);
	assert_int_equal(back.hash_len, 16);
	assert_memory_equal(back.hash, agreed.hash, 16);
	assert_string_equal(back.id, "id");
	assert_string_equal(back.version, "v2");
	assert_int_equal(back.extra_len, 1);
	index_entry_release(&back);
	struct index_totals totals = index_totals(index);
	assert_true(totals.files == 1 && totals.bytes == 9 && totals.strangers == 0);
	assert_int_equal(totals.strangers_ever, 1);
	/* What goes by partial indexes sees it as well. */
	char **paths = NULL;
	assert_int_equal(index_find_inode(index, 5, false, 9, &paths, &err), 0);
	assert_true(paths && strcmp(paths[0], "d/a") == 0 && !paths[1]);
	strv_free(paths);
	struct index_strangers page = { 0 };
	assert_int_equal(index_strangers_next(index, 9, &page, &err), 0);
	assert_int_equal(page.count, 0);
	index_strangers_release(&page);
	index_close(index);
}

static void no_row_is_made(void **state) {
	struct index *index = open_memory();
	struct index_entry entry = { .size = 7 }, folder = { .kind = INDEX_FOLDER };

	assert_int_equal(index_put_over(index, "a/b", &entry, &entry, &err), 0);
	assert_int_equal(index_put_over(index, "a", &entry, &entry, &err), 0);
	/* A folder of its name is another row. */
	assert_int_equal(index_put(index, "a", &folder, &err), 0);
	assert_int_equal(index_put_over(index, "a", &entry, &entry, &err), 0);
	assert_true(index_totals(index).files == 0 && index_totals(index).folders == 1);
	index_close(index);
}

static void strangers_again(void **state) {
	struct index *index = open_memory();
	struct index_entry folder = { .kind = INDEX_FOLDER, .flags = INDEX_MARKER },
			   file = { .flags = INDEX_UNVERIFIED | INDEX_RACY,
				   .size = 5,
				   .epoch = 3,
				   .ino = 8,
				   .version = "v" },
			   link = { .kind = INDEX_LINK, .size = 4 },
			   stranger = { .flags = INDEX_STRANGER, .size = 6 };

	assert_int_equal(index_put(index, "d", &folder, &err), 0);
	assert_int_equal(index_put(index, "d/file", &file, &err), 0);
	assert_int_equal(index_put(index, "d/link", &link, &err), 0);
	assert_int_equal(index_put(index, "d/other", &stranger, &err), 0);
	assert_int_equal(index_estrange(index, &err), 0);
	struct index_totals totals = index_totals(index);
	assert_true(totals.files == 0 && totals.folders == 0 && totals.links == 0);
	assert_true(totals.bytes == 0 && totals.unverified == 0 && totals.strangers == 4);
	assert_int_equal(totals.strangers_ever, 4);
	struct index_entry back = entry_of(index, "d", true);
	assert_int_equal(back.flags, INDEX_STRANGER | INDEX_MARKER);
	index_entry_release(&back);
	back = entry_of(index, "d/file", false);
	assert_true(back.flags == INDEX_STRANGER && back.size == 5 && back.epoch == 0);
	assert_string_equal(back.version, "v");
	index_entry_release(&back);
	/* Nothing agreed, so nothing unsealed and nothing to be deleted. */
	assert_int_equal(index_has_children(index, "d", false, &err), 0);
	assert_int_equal(index_has_children(index, "d", true, &err), 1);
	char *cursor = NULL, **paths = NULL;
	assert_int_equal(index_unsealed(index, 0, 9, &cursor, &paths, &err), 0);
	assert_null(paths);
	free(cursor);
	/* Twice changes nothing. */
	assert_int_equal(index_estrange(index, &err), 0);
	assert_int_equal(index_totals(index).strangers_ever, 4);
	index_close(index);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_put_over),
		cmocka_unit_test(no_row_is_made),
		cmocka_unit_test(strangers_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
