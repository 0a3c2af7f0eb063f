/* Renames in the index: rows by inode, and a folder's rows and marks under its new name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/past.h"

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

/* Of an index that was opened empty not every question reaches the table: the answers are those of a plain list. */
enum { PLACES = 40, INODES = 16, LOOK_STEPS = 60 };

struct known {
	bool file, folder;
	uint64_t file_ino, folder_ino;
};

static void path_of(char path[32], size_t at) {
	(void)snprintf(path, 32, "d%zu/n%zu", at % 4, at / 4);
}

static void looks_are_right(
	struct index *index, const struct known known[], size_t at, uint64_t ino) {
	struct index_pair pair;
	char path[32], **paths;
	size_t count[2] = { 0 };

	path_of(path, at);
	assert_int_equal(index_get_both(index, path, &pair, &err), 0);
	assert_int_equal(pair.has_file, known[at].file);
	assert_int_equal(pair.has_folder, known[at].folder);
	index_entry_release(&pair.file);
	index_entry_release(&pair.folder);
	for (size_t i = 0; i < PLACES; i++) {
		count[0] += known[i].file && known[i].file_ino == ino;
		count[1] += known[i].folder && known[i].folder_ino == ino;
	}
	for (int folder = 0; folder < 2 && ino; folder++) {
		assert_int_equal(index_find_inode(index, ino, folder, 99, &paths, &err), 0);
		assert_int_equal(strv_count(paths), count[folder]);
		strv_free(paths);
	}
}

static void change(struct index *index, struct known *it, size_t at, unsigned dice) {
	uint64_t ino = dice % INODES;
	bool folder = dice / INODES % 3 == 0;
	struct index_entry entry = { .kind = folder ? INDEX_FOLDER : INDEX_FILE, .ino = ino };
	bool *there = folder ? &it->folder : &it->file;
	char path[32];
	int put = 1;

	path_of(path, at);
	switch (dice / INODES / 3 % 4) {
	case 0: assert_int_equal(index_put(index, path, &entry, &err), 0); break;
	case 1: put = index_add(index, path, &entry, &err); break;
	default:
		assert_int_equal(index_drop(index, path, folder, &err), 0);
		*there = false;
		return;
	}
	assert_int_equal(put || *there, 1);
	*there = true;
	if (put) *(folder ? &it->folder_ino : &it->file_ino) = ino;
}

static void a_round_of_looks(uint64_t *seed) {
	struct known known[PLACES] = { 0 };
	struct index_past *past = index_past_new(1);
	struct index *index = index_past_open(past, &err);

	for (int step = 0; step < LOOK_STEPS; step++) {
		*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
		unsigned dice = (unsigned)(*seed >> 33);
		size_t at = dice % PLACES;
		change(index, &known[at], at, dice / PLACES);
		for (size_t i = 0; i < PLACES; i++) looks_are_right(index, known, i, i % INODES);
		if (step != LOOK_STEPS / 2) continue;
		/* What is there from before was put by nobody of now. */
		assert_int_equal(index_commit(index, false, &err), 0);
		index_close(index);
		index = index_past_open(past, &err);
		assert_non_null(index);
	}
	index_close(index);
	index_past_free(past);
}

static void looks_at_what_was_never_put(void **state) {
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 20; round++) a_round_of_looks(&seed);
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
		cmocka_unit_test(looks_at_what_was_never_put),
		cmocka_unit_test(rows_and_marks_follow),
		cmocka_unit_test(not_onto_what_is_known),
		cmocka_unit_test(held_rows_come_last),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
