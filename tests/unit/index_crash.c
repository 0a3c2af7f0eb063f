/* What outlives the process: committed rows, totals, numbers; what does not: claims and the turn
 * that was open. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "index/past.h"

static struct err err;

struct place {
	char folder[32], path[48], copy[48];
};

static int setup(void **state) {
	struct place *place = xcalloc(1, sizeof(*place));

	strcpy(place->folder, "/tmp/tend-index-XXXXXX");
	if (!mkdtemp(place->folder)) return -1;
	(void)snprintf(place->path, sizeof(place->path), "%s/a.db", place->folder);
	(void)snprintf(place->copy, sizeof(place->copy), "%s/b.db", place->folder);
	*state = place;
	return 0;
}

static int teardown(void **state) {
	struct place *place = *state;
	static const char *const ends[] = { "a.db", "a.db-wal", "a.db-shm", "b.db", "b.db-wal",
		"b.db-shm" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char *path = path_join(place->folder, ends[i]);
		(void)unlink(path);
		free(path);
	}
	int failed = rmdir(place->folder);
	free(place);
	return failed;
}

static void copy_file(const char *from, const char *to, const char *end) {
	char *source = xasprintf("%s%s", from, end), *target = xasprintf("%s%s", to, end);
	FILE *in = fopen(source, "rb"), *out = fopen(target, "wb");
	char block[4096];
	size_t len;

	assert_true(in && out);
	while ((len = fread(block, 1, sizeof(block), in)) > 0) {
		assert_int_equal(fwrite(block, 1, len, out), len);
	}
	assert_int_equal(fclose(out), 0);
	(void)fclose(in);
	free(source);
	free(target);
}

static struct index *open_at(const char *path) {
	struct index *index = index_open(path, &err);

	if (!index) fail_msg("%s", err.text);
	return index;
}

static void put(struct index *index, const char *path) {
	struct index_entry entry = { .kind = INDEX_FILE, .size = 5 };

	assert_int_equal(index_put(index, path, &entry, &err), 0);
}

static bool has(struct index *index, const char *path) {
	struct index_entry entry;
	int got = index_get(index, path, false, &entry, &err);

	assert_true(got >= 0);
	index_entry_release(&entry);
	return got == 1;
}

static size_t claim(struct index *index, int64_t now) {
	struct index_dirty *rows;
	size_t count;

	assert_int_equal(index_claim_due(index, now, 9, &rows, &count, &err), 0);
	for (size_t i = 0; i < count; i++) index_dirty_release(&rows[i]);
	free(rows);
	return count;
}

static void a_crash_keeps_what_was_committed(void **state) {
	struct place *place = *state;
	struct index *index = open_at(place->path);

	for (int full = 0; full < 2; full++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "d/kept%d", full);
		put(index, path);
		assert_int_equal(index_mark(index, path, 0, 0, 0, 0, NULL, &err), 0);
		assert_true(index_has_uncommitted(index));
		assert_int_equal(index_commit(index, full, &err), 0);
		assert_false(index_has_uncommitted(index));
	}
	assert_int_equal(claim(index, 9), 2);
	int64_t sequence = index_sequence(index);
	assert_true(index_wal_bytes(index) > 0);

	put(index, "d/lost");
	assert_int_equal(index_mark(index, "e/lost", 0, 0, 0, 0, NULL, &err), 0);
	assert_int_equal(index_done(index, "d/kept0", INT64_MAX - 1, 0, &err), 0);
	assert_int_equal(index_meta_set(index, "fact", "lost", &err), 0);
	copy_file(place->path, place->copy, "");
	copy_file(place->path, place->copy, "-wal");

	struct index *again = open_at(place->copy);
	assert_true(has(again, "d/kept0") && has(again, "d/kept1"));
	assert_false(has(again, "d/lost"));
	assert_null(index_meta_get(again, "fact"));
	assert_int_equal(index_totals(again).files, 2);
	assert_int_equal(index_totals(again).bytes, 10);
	assert_int_equal(index_dirty_count(again), 2);
	assert_int_equal(claim(again, 9), 2);
	assert_true(index_sequence(again) >= sequence);
	index_close(again);

	assert_int_equal(index_commit(index, true, &err), 0);
	assert_int_equal(index_totals(index).files, 3);
	index_close(index);
}

static void numbers_go_on(void **state) {
	struct place *place = *state;
	int64_t last = 0;

	for (int round = 0; round < 3; round++) {
		struct index *index = open_at(place->path);
		assert_true(index_sequence(index) >= last);
		for (int i = 0; i < 10500; i++) {
			int64_t seq;
			assert_int_equal(index_mark(index, "a", i, 0, 0, 0, &seq, &err), 0);
			assert_true(seq > last);
			last = seq;
		}
		assert_int_equal(index_commit(index, false, &err), 0);
		/* A turn that is thrown away gave numbers too. */
		for (int i = 0; i < 10500; i++) {
			assert_int_equal(index_mark(index, "a", i, 0, 0, 0, NULL, &err), 0);
		}
		index_close(index);
	}
}

static void a_reader_sees_what_was_committed(void **state) {
	struct place *place = *state;
	struct index *index = open_at(place->path);
	struct index_rows rows;

	put(index, "d/e/one");
	assert_int_equal(index_commit(index, false, &err), 0);
	struct index_reader *reader = index_reader_open(index, index_path(index), &err);
	assert_non_null(reader);
	put(index, "d/e/two");
	assert_int_equal(index_reader_list(reader, "d/e", &rows, &err), 0);
	assert_int_equal(rows.count, 1);
	assert_string_equal(rows.rows[0].name, "one");
	index_rows_release(&rows);
	assert_int_equal(index_commit(index, false, &err), 0);
	assert_int_equal(index_reader_list(reader, "d/e", &rows, &err), 0);
	assert_int_equal(rows.count, 2);
	index_rows_release(&rows);
	assert_int_equal(index_reader_list(reader, "d/none/e", &rows, &err), 0);
	assert_int_equal(rows.count, 0);
	/* The log is copied while both connections stand; the next write begins it anew. */
	int64_t before = index_wal_bytes(index);
	assert_int_equal(index_checkpoint(index_path(index), &err), 0);
	put(index, "d/e/three");
	assert_int_equal(index_commit(index, false, &err), 0);
	assert_true(index_wal_bytes(index) < before);
	index_reader_close(reader);
	index_close(index);

	index = index_open(NULL, &err);
	put(index, "f");
	reader = index_reader_open(index, index_path(index), &err);
	assert_int_equal(index_reader_list(reader, "", &rows, &err), 0);
	assert_int_equal(rows.count, 1);
	index_rows_release(&rows);
	index_reader_close(reader);
	index_close(index);
}

/* Folders that hold nothing any more are forgotten, so that files that come and go do not fill the
 * index. */
static void empty_folders_are_forgotten(void **state) {
	struct place *place = *state;
	struct index *index = open_at(place->path);
	struct stat stat0, stat1;

	put(index, "kept/a");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			char path[80];
			(void)snprintf(path, sizeof(path), "kept/build-%d-%d/some folder/deep/f",
				round, i);
			assert_int_equal(index_mark(index, path, 0, 0, 0, 0, NULL, &err), 0);
			if (i % 2) put(index, path);
			assert_int_equal(index_done(index, path, INT64_MAX - 1, 0, &err), 0);
			assert_int_equal(index_drop(index, path, false, &err), 0);
			if (i % 1000 == 0) assert_int_equal(index_commit(index, false, &err), 0);
		}
		assert_int_equal(index_commit(index, false, &err), 0);
		assert_int_equal(index_checkpoint(index_path(index), &err), 0);
		assert_int_equal(stat(place->path, round ? &stat1 : &stat0), 0);
	}
	assert_int_equal(stat0.st_size, stat1.st_size);
	assert_true(stat1.st_size < 1 << 20);
	assert_true(has(index, "kept/a"));
	index_close(index);
}

static void damaged_files_are_corrupt(void **state) {
	struct place *place = *state;
	struct index *index = open_at(place->path);
	static const struct {
		off_t at, cut;
		const char *bytes;
	} damages[] = {
		{ 0, 0, "no database at all" }, /* the header */
		{ 100, 0, "\xff\xff\xff\xff" }, /* the schema's page */
		{ 0, 5000, "" },                /* cut in the second page */
	};

	for (int i = 0; i < 500; i++) {
		char path[40];
		(void)snprintf(path, sizeof(path), "folder %d/%d", i % 50, i);
		put(index, path);
	}
	assert_int_equal(index_commit(index, true, &err), 0);
	index_close(index);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		copy_file(place->path, place->copy, "");
		int fd = open(place->copy, O_WRONLY);
		assert_true(fd >= 0);
		ssize_t len = (ssize_t)strlen(damages[i].bytes);
		assert_int_equal(pwrite(fd, damages[i].bytes, (size_t)len, damages[i].at), len);
		if (damages[i].cut) assert_int_equal(ftruncate(fd, damages[i].cut), 0);
		(void)close(fd);
		assert_null(index_open(place->copy, &err));
		assert_int_equal(err.kind, ERR_CORRUPT);
		assert_non_null(strstr(err.text, place->copy));
	}
}

static void a_place_that_is_not_there_is_an_error(void **state) {
	struct place *place = *state;

	assert_null(index_open("/nonexistent/folder/a.db", &err));
	assert_non_null(strstr(err.text, "/nonexistent/folder/a.db"));
	assert_null(index_reader_open(NULL, place->copy, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* In memory: what a crash rolls back is what was not on the disk yet, and no more than was asked. */
static void test_a_past_is_rolled_back(void **state) {
	struct index_past *past = index_past_new(3);
	struct index *index = index_past_open(past, &err);
	char text[16];
	assert_non_null(index);
	for (int i = 1; i <= 6; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(index_meta_set(index, "n", text, &err), 0);
		assert_int_equal(index_commit(index, i == 4, &err), 0);
	}
	assert_int_equal(index_meta_set(index, "n", "7", &err), 0); /* the turn that was open */
	index_close(index);
	assert_int_equal(index_past_crash(past, 1), 1);
	index = index_past_open(past, &err);
	assert_non_null(index);
	assert_int_equal(index_meta_int(index, "n", 0), 5);
	assert_int_equal(index_meta_set(index, "n", "8", &err), 0);
	assert_int_equal(index_commit(index, true, &err), 0);
	index_past_end(past);
	assert_int_equal(index_meta_set(index, "n", "9", &err), 0);
	assert_int_equal(index_commit(index, true, &err), 0);
	index_close(index);
	assert_int_equal(index_past_crash(past, 9), 0);
	index = index_past_open(past, &err);
	assert_non_null(index);
	assert_int_equal(index_meta_int(index, "n", 0), 8);
	index_close(index);
	index_past_free(past);
	(void)state;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_past_is_rolled_back),
		cmocka_unit_test_setup_teardown(a_crash_keeps_what_was_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_sees_what_was_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_folders_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_files_are_corrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_place_that_is_not_there_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
