/* One file at a time: content, metadata, conditions, links, folders. */
#include <errno.h>
#include <stdio.h>

#include "support/contract.h"

static void what_is_put_is_there(void **state) {
	static const size_t sizes[] = { 0, 1, 4095, 65536, 1000003 };
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_op put, get;
		struct store_entry entry;
		char *bytes = xmalloc(sizes[i] + 1);

		for (size_t k = 0; k < sizes[i]; k++) bytes[k] = (char)(k * k >> 3);
		bench_put_init(bench, &put, "file", bytes, sizes[i]);
		assert_err(bench, bench_run(bench, &put), ERR_NONE);
		assert_null(put.entry.name);
		assert_false(put.kept);
		bench_expect_entry(bench, &put.entry, bytes, sizes[i]);

		assert_err(bench, bench_stat(bench, "file", STORE_FILE, &entry), ERR_NONE);
		bench_expect_entry(bench, &entry, bytes, sizes[i]);
		assert_string_equal(entry.version, put.entry.version);
		store_entry_release(&entry);

		store_op_init(&get, STORE_GET, bench_key(bench, "file"));
		get.length = STORE_SPAN_MAX;
		assert_err(bench, bench_run(bench, &get), ERR_NONE);
		assert_int_equal(get.answer_body.len, sizes[i]);
		assert_memory_equal(get.answer_body.at, bytes, sizes[i]);
		assert_int_equal(get.entry.size, sizes[i]);
		assert_string_equal(get.entry.version, put.entry.version);
		store_op_release(&get);
		store_op_release(&put);
		free(bytes);
	}
}

static void spans_are_read(void **state) {
	static const struct {
		int64_t offset, length;
		const char *want;
	} rows[] = {
		{ 0, 3, "012" },
		{ 3, 4, "3456" },
		{ 9, 1, "9" },
		{ 9, 100, "9" },
		{ 10, 5, "" },
		{ 500, 5, "" },
		{ 0, 10, "0123456789" },
	};
	struct bench *bench = *state;

	bench_put(bench, "file", "0123456789");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_op op;
		store_op_init(&op, STORE_GET, bench_key(bench, "file"));
		op.offset = rows[i].offset;
		op.length = rows[i].length;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_string_equal(op.answer_body.at, rows[i].want);
		store_op_release(&op);
	}
}

static void a_span_is_of_the_version_that_was_asked_for(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_put(bench, "file", "old content");
	char *version = bench_version(bench, "file");
	store_op_init(&op, STORE_GET, bench_key(bench, "file"));
	op.length = 3;
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_string_equal(op.answer_body.at, "old");
	bench_put(bench, "file", "new and longer content");
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	free(version);
}

static void absent_is_told(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_expect_absent(bench, "nothing", STORE_FILE);
	bench_expect_absent(bench, "nothing", STORE_FOLDER);
	bench_expect_absent(bench, "nothing", STORE_LINK);
	store_op_init(&op, STORE_GET, bench_key(bench, "nothing"));
	op.length = 10;
	assert_err(bench, bench_run(bench, &op), ERR_NOT_FOUND);
	store_op_release(&op);
	assert_err(bench, bench_remove(bench, "nothing", STORE_FILE), ERR_NONE);
	assert_err(bench, bench_remove(bench, "nothing", STORE_FOLDER), ERR_NONE);
	assert_err(bench, bench_remove(bench, "nothing", STORE_LINK), ERR_NONE);
}

static void times_and_modes_come_back(void **state) {
	static const struct {
		int64_t mtime_ns;
		int mode;
	} rows[] = {
		{ 0, 0644 },
		{ 1, 0600 },
		{ 999999999, 0755 },
		{ 1000000000, 0444 },
		{ 1700000000000000001, 0777 },
		{ 4102444800999999999, 0400 },
		{ -1, 0664 },
		{ -1000000001, 0711 },
	};
	struct bench *bench = *state;

	if (bench->contract->no_times) return;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_op op;
		struct store_entry entry;
		int64_t wanted_ns = bench_time(bench, rows[i].mtime_ns);

		if (bench->contract->time_grain_ns && rows[i].mtime_ns < 0) continue;
		bench_put_init(bench, &op, "file", "x", 1);
		op.mtime_ns = rows[i].mtime_ns;
		op.mode = rows[i].mode;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_true(op.entry.mtime_ns == wanted_ns);
		store_op_release(&op);
		assert_err(bench, bench_stat(bench, "file", STORE_FILE, &entry), ERR_NONE);
		assert_true(entry.mtime_ns == wanted_ns);
		assert_int_equal(entry.mode, rows[i].mode);
		store_entry_release(&entry);
	}
}

static void set_changes_what_it_says_only(void **state) {
	struct bench *bench = *state;
	struct store_op op;
	struct store_entry entry;

	bench_put(bench, "file", "content");
	char *version = bench_version(bench, "file");
	bool told = !bench->contract->no_times;
	for (int again = 0; again < 2; again++) { /* twice is harmless */
		store_op_init(&op, STORE_SET, bench_key(bench, "file"));
		op.kind = STORE_FILE;
		op.size = 7;
		op.hash = bench_hash(bench->store, "content", 7);
		op.mtime_ns = 1234567890000000001;
		op.mode = 0700;
		op.if_version = again ? NULL : version;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_int_equal(op.entry.mtime_ns == bench_time(bench, 1234567890000000001), told);
		assert_int_equal(op.entry.mode == 0700, told);
		assert_int_equal(op.entry.size, 7);
		char *set_version = xstrdup(op.entry.version);
		store_op_release(&op);
		assert_err(bench, bench_stat(bench, "file", STORE_FILE, &entry), ERR_NONE);
		assert_int_equal(entry.mtime_ns == bench_time(bench, 1234567890000000001), told);
		assert_int_equal(entry.mode == 0700, told);
		assert_int_equal(entry.size, 7);
		assert_string_equal(entry.version, set_version);
		free(set_version);
		store_entry_release(&entry);
	}
	bench_expect(bench, "file", "content");

	bench_put(bench, "file", "other content");
	store_op_init(&op, STORE_SET, bench_key(bench, "file"));
	op.mtime_ns = 5;
	op.mode = 0600;
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	store_op_init(&op, STORE_SET, bench_key(bench, "nothing"));
	op.mtime_ns = 5;
	assert_err(bench, bench_run(bench, &op), ERR_NOT_FOUND);
	store_op_release(&op);
	free(version);
}

static void a_wrong_hash_stores_nothing(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_put(bench, "file", "before");
	bench_put_init(bench, &op, "file", "after!", 6);
	op.hash = bench_hash(bench->store, "what was hashed", 15);
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	bench_expect(bench, "file", "before");
}

/* ---- conditions ---- */

static void create_only_creates_only(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	for (int again = 0; again < 2; again++) { /* the second meets its own work */
		bench_put_init(bench, &op, "file", "mine", 4);
		op.if_absent = true;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_int_equal(op.entry.size, 4);
		assert_non_null(op.entry.version);
		store_op_release(&op);
	}
	bench_put_init(bench, &op, "file", "theirs", 6);
	op.if_absent = true;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	bench_put_init(bench, &op, "file", "mine",
		4); /* the same bytes of another time are not our own try */
	op.if_absent = true;
	op.mtime_ns += bench->contract->time_grain_ns ? bench->contract->time_grain_ns : 1;
	assert_err(
		bench, bench_run(bench, &op), bench->contract->no_times ? ERR_NONE : ERR_CHANGED);
	store_op_release(&op);
	bench_expect(bench, "file", "mine");
}

static void replace_only_replaces_what_it_knows(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_put(bench, "file", "one");
	char *version = bench_version(bench, "file");
	for (int again = 0; again < 2; again++) { /* the second meets its own work */
		bench_put_init(bench, &op, "file", "two!", 4);
		op.if_version = version;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
	}
	bench_put_init(bench, &op, "file", "three", 5);
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	bench_expect(bench, "file", "two!");

	bench_put_init(bench, &op, "nothing", "four", 4);
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	bench_expect_absent(bench, "nothing", STORE_FILE);
	free(version);
}

static void remove_knows_what_it_removes(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_put(bench, "file", "one");
	char *version = bench_version(bench, "file");
	bench_put(bench, "file", "two!");
	store_op_init(&op, STORE_REMOVE, bench_key(bench, "file"));
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	bench_expect(bench, "file", "two!");
	free(version);
	version = bench_version(bench, "file");
	for (int again = 0; again < 2; again++) {
		op.if_version = version;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
	}
	store_op_release(&op);
	bench_expect_absent(bench, "file", STORE_FILE);
	free(version);
}

/* ---- links and folders ---- */

static void links_are_their_targets(void **state) {
	static const char *const targets[] = { "target", "../up/and/down", "/absolute/path",
		"dangling é 😀", "with space & + %41" };
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct store_op op;
		struct store_entry entry;

		bench_put_init(bench, &op, "link", targets[i], strlen(targets[i]));
		op.kind = STORE_LINK;
		op.mode = STORE_MODE_UNKNOWN;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_int_equal(op.entry.kind, STORE_LINK);
		store_op_release(&op);

		assert_err(bench, bench_stat(bench, "link", STORE_LINK, &entry), ERR_NONE);
		assert_int_equal(entry.kind, STORE_LINK);
		store_entry_release(&entry);
		char *got = bench_get(bench, "link", STORE_LINK);
		assert_string_equal(got, targets[i]);
		free(got);

		struct listing listing;
		assert_err(bench, bench_list(bench, "", false, 0, &listing), ERR_NONE);
		assert_int_equal(listing.count, 1);
		assert_non_null(listing_find(&listing, "link"));
		assert_int_equal(listing_find(&listing, "link")->kind, STORE_LINK);
		listing_release(&listing);
	}
	assert_err(bench, bench_remove(bench, "link", STORE_LINK), ERR_NONE);
	bench_expect_absent(bench, "link", STORE_LINK);
}

static void folders_are_there_while_empty(void **state) {
	struct bench *bench = *state;
	struct store_entry entry;
	struct listing listing;

	bench_mkdir(bench, "folder");
	bench_mkdir(bench, "folder"); /* is there: fine */
	bench_mkdir(bench, "folder/inner é");
	assert_err(bench, bench_stat(bench, "folder", STORE_FOLDER, &entry), ERR_NONE);
	assert_int_equal(entry.kind, STORE_FOLDER);
	if (!bench->contract->no_times) assert_int_equal(entry.mode, 0755);
	store_entry_release(&entry);
	assert_err(bench, bench_list(bench, "folder", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 1);
	assert_non_null(listing_find(&listing, "inner é"));
	assert_int_equal(listing_find(&listing, "inner é")->kind, STORE_FOLDER);
	listing_release(&listing);
	assert_err(bench, bench_list(bench, "folder/inner é", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 0);
	listing_release(&listing);
}

static void a_folder_goes_only_when_it_is_empty(void **state) {
	static const enum store_kind kinds[] = { STORE_FILE, STORE_FOLDER, STORE_LINK };
	struct bench *bench = *state;

	bench_mkdir(bench, "folder");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct store_op op;

		if (kinds[i] == STORE_FOLDER) {
			bench_mkdir(bench, "folder/child");
		} else {
			bench_put_init(bench, &op, "folder/child", "x", 1);
			op.kind = kinds[i];
			assert_err(bench, bench_run(bench, &op), ERR_NONE);
			store_op_release(&op);
		}
		assert_err(bench, bench_remove(bench, "folder", STORE_FOLDER), ERR_BUSY);
		assert_int_equal(bench->err.sys, ENOTEMPTY);
		assert_err(bench, bench_remove(bench, "folder/child", kinds[i]), ERR_NONE);
	}
	/* A name that begins alike is not inside. */
	bench_put(bench, "folder-not", "x");
	bench_put(bench, "folder.txt", "x");
	assert_err(bench, bench_remove(bench, "folder", STORE_FOLDER), ERR_NONE);
	bench_expect_absent(bench, "folder", STORE_FOLDER);
	bench_expect(bench, "folder-not", "x");
	bench_expect(bench, "folder.txt", "x");
}

static void it_tells_about_itself(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	for (int again = 0; again < 2; again++) {
		store_op_init(&op, STORE_ABOUT, bench_key(bench, ""));
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		if (op.about.server_ns) {
			int64_t off = op.about.server_ns - loop_wall_ns(bench->loop);
			assert_true(off > -60 * NS_PER_S && off < 60 * NS_PER_S);
		}
		store_op_release(&op);
	}
	store_op_init(&op, STORE_SYNC, NULL);
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	assert_non_null(bench->store->label);
}

const struct CMUnitTest contract_file_tests[] = {
	BENCH_TEST(what_is_put_is_there),
	BENCH_TEST(spans_are_read),
	BENCH_TEST(a_span_is_of_the_version_that_was_asked_for),
	BENCH_TEST(absent_is_told),
	BENCH_TEST(times_and_modes_come_back),
	BENCH_TEST(set_changes_what_it_says_only),
	BENCH_TEST(a_wrong_hash_stores_nothing),
	BENCH_TEST(create_only_creates_only),
	BENCH_TEST(replace_only_replaces_what_it_knows),
	BENCH_TEST(remove_knows_what_it_removes),
	BENCH_TEST(links_are_their_targets),
	BENCH_TEST(folders_are_there_while_empty),
	BENCH_TEST(a_folder_goes_only_when_it_is_empty),
	BENCH_TEST(it_tells_about_itself),
};
const size_t contract_file_count = ARRAY_LEN(contract_file_tests);
