/* The longest keys: 1,024 bytes with all that the driver puts before them, as S3 takes, and one more. */
#include <stdio.h>

#include "support/contract.h"

enum { LONGEST = 1024, LAST_MOST = 200, LEVEL = 40 };

/* In folders of 40 bytes each, which are made; the key is `len` bytes long and ends in `end`. The caller's. */
static char *long_name(struct bench *bench, size_t len, char end) {
	size_t room = len - strlen(bench->root) - 1, at = 0;
	char *name = xcalloc(1, room + 1);

	for (int level = 0; room - at > LAST_MOST; level++) {
		at += (size_t)snprintf(name + at, room - at, "level-%02d-%.*s", level, LEVEL - 10,
			"012345678901234567890123456789");
		bench_mkdir(bench, name);
		name[at++] = '/';
	}
	memset(name + at, 'x', room - at);
	name[room - 1] = end;
	assert_int_equal(strlen(bench_key(bench, name)), len);
	return name;
}

static size_t longest(const struct bench *bench) {
	return LONGEST - bench->contract->key_before;
}

static int refused(struct bench *bench, const char *name, enum store_kind kind) {
	return store_refuse(bench->store, bench_key(bench, name), kind, &bench->err);
}

static void go(struct bench *bench, enum store_verb verb, const char *from, const char *to) {
	struct store_op op;

	store_op_init(&op, verb, bench_key(bench, from));
	op.to_key = bench_key(bench, to);
	op.if_absent = verb == STORE_COPY;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
}

static void expect_listed(
	struct bench *bench, const char *name, enum store_kind kind, const char *text) {
	char *folder = path_parent(name);
	struct listing listing;

	assert_err(bench, bench_list(bench, folder, false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 1);
	assert_string_equal(listing.entries[0].name, path_name(name));
	assert_int_equal(listing.entries[0].kind, kind);
	if (text) assert_int_equal(listing.entries[0].size, strlen(text));
	listing_release(&listing);
	free(folder);
	if (!(bench->store->caps & STORE_CAP_FLAT_LIST)) return;
	assert_err(bench, bench_list(bench, "", true, 0, &listing), ERR_NONE);
	assert_non_null(listing_find(&listing, name));
	listing_release(&listing);
}

/* All that can be done to a file. */
static void live(struct bench *bench, const char *name, const char *to) {
	static const char text[] = "far down";
	struct store_entry entry;

	assert_int_equal(refused(bench, name, STORE_FILE), 0);
	bench_put(bench, name, "what was before");
	bench_put(bench, name, text);
	bench_expect(bench, name, text);
	assert_err(bench, bench_stat(bench, name, STORE_FILE, &entry), ERR_NONE);
	bench_expect_entry(bench, &entry, text, strlen(text));
	store_entry_release(&entry);
	expect_listed(bench, name, STORE_FILE, text);
	go(bench, STORE_COPY, name, to);
	bench_expect(bench, to, text);
	assert_err(bench, bench_remove(bench, to, STORE_FILE), ERR_NONE);
	go(bench, STORE_MOVE, name, to);
	bench_expect_absent(bench, name, STORE_FILE);
	bench_expect(bench, to, text);
	assert_err(bench, bench_remove(bench, to, STORE_FILE), ERR_NONE);
	bench_expect_absent(bench, to, STORE_FILE);
}

static void a_file_of_1024_bytes(void **state) {
	struct bench *bench = *state;
	char *name = long_name(bench, longest(bench), 'x'),
	     *to = long_name(bench, longest(bench), 'y');

	live(bench, name, to);
	free(name);
	free(to);
}

/* Refused beforehand, or kept as any other. */
static void a_file_of_one_byte_more(void **state) {
	struct bench *bench = *state;
	char *name = long_name(bench, longest(bench) + 1, 'x'),
	     *to = long_name(bench, longest(bench) + 1, 'y');

	if (bench->contract->key_limit) {
		assert_int_equal(refused(bench, name, STORE_FILE), -1);
		assert_int_equal(bench->err.kind, ERR_INVALID);
		assert_non_null(strstr(bench->err.text, "1024"));
	} else {
		live(bench, name, to);
	}
	free(name);
	free(to);
}

/* Where an object stands for it, its name ends in a slash. */
static void a_folder_of_1024_bytes(void **state) {
	struct bench *bench = *state;
	bool slash = bench->contract->key_limit;
	char *name = long_name(bench, longest(bench) - slash, 'x'),
	     *more = long_name(bench, longest(bench) - slash + 1, 'x');

	assert_int_equal(refused(bench, name, STORE_FOLDER), 0);
	bench_mkdir(bench, name);
	expect_listed(bench, name, STORE_FOLDER, NULL);
	assert_err(bench, bench_remove(bench, name, STORE_FOLDER), ERR_NONE);
	bench_expect_absent(bench, name, STORE_FOLDER);
	if (slash) assert_int_equal(refused(bench, more, STORE_FOLDER), -1);
	free(name);
	free(more);
}

/* Where the limit is one of characters, a name may have twice as many bytes. */
static void a_file_of_1024_characters(void **state) {
	struct bench *bench = *state;
	enum { LETTERS = 100 };
	char *name = long_name(bench, longest(bench), 'x');
	size_t len = strlen(name);

	if (bench->contract->key_characters) {
		struct buf wide;
		buf_init(&wide, 4 * LONGEST);
		buf_add(&wide, name, len - LETTERS);
		for (int i = 0; i < LETTERS; i++) buf_adds(&wide, "é");
		char *to = xstrdup(wide.at);
		to[len - LETTERS - 1] = 'y';
		live(bench, wide.at, to);
		buf_adds(&wide, "é");
		assert_int_equal(refused(bench, wide.at, STORE_FILE), -1);
		buf_release(&wide);
		free(to);
	}
	free(name);
}

const struct CMUnitTest contract_long_tests[] = {
	BENCH_TEST(a_file_of_1024_bytes),
	BENCH_TEST(a_file_of_one_byte_more),
	BENCH_TEST(a_folder_of_1024_bytes),
	BENCH_TEST(a_file_of_1024_characters),
};
const size_t contract_long_count = ARRAY_LEN(contract_long_tests);
