/* Renames in the index: rows by inode, and a folder's rows and marks under its new name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/index.h"

static struct err err;

static void put(
	struct index *index, const char *path, enum index_kind kind, uint64_t ino, unsigned flags) {
	struct index_entry entry = { .kind = kind, .size = 1, .ino = ino, .flags = flags };

	assert_int_equal(index_put(index, path, &entry, &err), 0);
}

static bool has(struct index *index, const char *path) {
	struct index_entry entry;
	int got = index_get(index, path, false, &entry, &err);

	assert_true(got >= 0);
	index_entry_release(&entry);
	return got == 1;
}

static int64_t mark(struct index *index, const char *path, int64_t now_ms) {
	int64_t seq = 0;

	assert_int_equal(index_mark(index, path, now_ms, 0, 1000, 1, &seq, &err), 0);
	return seq;
}

static void by_inode(void **state) {
	struct index *index = index_open(NULL, &err);
	char **paths;

	put(index, "a/file", INDEX_FILE, 7, 0);
	put(index, "b/link to it", INDEX_FILE, 7, 0);
	put(index, "a/stranger", INDEX_FILE, 7, INDEX_STRANGER);
	put(index, "a/folder", INDEX_FOLDER, 7, 0);
	put(index, "a/symlink", INDEX_LINK, 7, 0);
	put(index, "none", INDEX_FILE, 0, 0);
	put(index, "huge", INDEX_FILE, UINT64_MAX, 0);
	assert_int_equal(index_find_inode(index, 7, false, 10, &paths, &err), 0);
	assert_int_equal(strv_count(paths), 2);
	strv_free(paths);
	assert_int_equal(index_find_inode(index, 7, false, 1, &paths, &err), 0);
	assert_int_equal(strv_count(paths), 1);
	strv_free(paths);
	assert_int_equal(index_find_inode(index, 7, true, 10, &paths, &err), 0);
	assert_int_equal(strv_count(paths), 1);
	assert_string_equal(paths[0], "a/folder");
	strv_free(paths);
	assert_int_equal(index_find_inode(index, 0, false, 10, &paths, &err), 0);
	assert_null(paths);
	assert_int_equal(index_find_inode(index, UINT64_MAX, false, 10, &paths, &err), 0);
	assert_string_equal(paths[0], "huge");
	strv_free(paths);
	index_close(index);
}

static void rows_and_marks_follow(void **state) {
	struct index *index = index_open(NULL, &err);
	struct index_dirty row;

	put(index, "from", INDEX_FOLDER, 1, 0);
	put(index, "from/a", INDEX_FILE, 2, 0);
	put(index, "from/sub", INDEX_FOLDER, 3, 0);
	put(index, "from/sub/b", INDEX_FILE, 4, 0);
	put(index, "beside", INDEX_FILE, 5, 0);
	int64_t first = mark(index, "from/a", 10);
	mark(index, "from/sub/b", 11);
	mark(index, "x/to/sub/b", 20); /* one row with the other's */
	int64_t last = mark(index, "x/to/sub/new", 21);
	mark(index, "x/to/only/here", 22);
	assert_int_equal(index_dirty_count(index), 5);
	assert_int_equal(index_move_folder(index, "from", "x/to", 100, &err), 1);
	assert_true(has(index, "x/to/a") && has(index, "x/to/sub/b") && has(index, "beside"));
	assert_true(!has(index, "from/a") && !has(index, "from/sub/b"));
	assert_int_equal(index_dirty_count(index), 4);
	assert_int_equal(index_dirty_get(index, "x/to/a", &row, &err), 1);
	assert_int_equal(row.since, first);
	index_dirty_release(&row);
	assert_int_equal(index_dirty_get(index, "x/to/sub/b", &row, &err), 1);
	assert_int_equal(row.since, first + 1);
	assert_int_equal(row.seen, first + 2);
	assert_int_equal(row.first_ms, 11);
	index_dirty_release(&row);
	assert_int_equal(index_dirty_get(index, "x/to/sub/new", &row, &err), 1);
	assert_int_equal(row.since, last);
	index_dirty_release(&row);
	assert_int_equal(index_dirty_get(index, "x/to/only/here", &row, &err), 1);
	index_dirty_release(&row);
	assert_int_equal(index_dirty_get(index, "from/a", &row, &err), 0);
	assert_int_equal(index_commit(index, false, &err), 0);
	/* Back again, to where nothing is known any more. */
	assert_int_equal(index_move_folder(index, "x/to", "from", 100, &err), 1);
	assert_true(has(index, "from/sub/b") && !has(index, "x/to/sub/b"));
	assert_int_equal(index_dirty_count(index), 4);
	index_close(index);
}

static void not_onto_what_is_known(void **state) {
	struct index *index = index_open(NULL, &err);

	put(index, "from/a", INDEX_FILE, 2, 0);
	put(index, "to/sub/b", INDEX_FILE, 3, INDEX_STRANGER);
	assert_int_equal(index_move_folder(index, "from", "to", 100, &err), 0);
	assert_true(has(index, "from/a") && has(index, "to/sub/b"));
	assert_int_equal(index_move_folder(index, "nothing", "there", 100, &err), 1);
	index_close(index);
}

static char *claim_one(struct index *index) {
	struct index_dirty *rows;
	size_t count;

	assert_int_equal(index_claim_due(index, 1000, 1, &rows, &count, &err), 0);
	assert_int_equal(count, 1);
	char *path = xstrdup(rows[0].path);
	index_dirty_release(&rows[0]);
	free(rows);
	return path;
}

/* What comes before removals, as words in order. */
static void before(struct index *index, int64_t upto, int64_t by_ms, const char *words) {
	char **paths, *joined = NULL;

	assert_int_equal(index_before_deletions(index, upto, by_ms, 10, &paths, &err), 0);
	for (size_t i = 0; paths && paths[i]; i++) {
		char *longer = xasprintf("%s%s%s", i ? joined : "", i ? " " : "", paths[i]);
		free(joined);
		joined = longer;
	}
	if (words)
		assert_string_equal(joined, words);
	else
		assert_null(joined);
	free(joined);
	strv_free(paths);
}

/* What may be half of a rename comes after the rest, and removals come last; a new mark lifts them. */
static void held_rows_come_last(void **state) {
	struct index *index = index_open(NULL, &err);
	static const char *const order[] = { "new", "pair", "gone" };

	mark(index, "gone", 1);
	mark(index, "pair", 2);
	for (int i = 0; i < 2; i++) free(claim_one(index));
	index_again(index, "gone", INDEX_WHY_DELETE, NULL, 3, 0, &err);
	index_again(index, "pair", INDEX_WHY_PAIR, NULL, 4, 0, &err);
	mark(index, "new", 5);
	before(index, 0, 9, NULL);
	before(index, 2, 9, "pair");
	before(index, 3, 9, "new pair");
	before(index, 3, 4, "pair");
	index_again(index, "pair", INDEX_WHY_PAIR, "refused", 4, 0, &err);
	before(index, 3, 9, "new");
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		char *path = claim_one(index);
		assert_string_equal(path, order[i]);
		free(path);
	}
	index_again(index, "gone", INDEX_WHY_DELETE, NULL, 6, 0, &err);
	index_again(index, "pair", INDEX_WHY_RETRY, NULL, 7, 0, &err);
	mark(index, "gone", 6);
	char *path = claim_one(index);
	assert_string_equal(path, "gone");
	free(path);
	index_close(index);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_inode),
		cmocka_unit_test(rows_and_marks_follow),
		cmocka_unit_test(not_onto_what_is_known),
		cmocka_unit_test(held_rows_come_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
