/* keep_key: what is replaced or removed stays at another key, however often it is tried. */
#include "support/contract.h"

#define KEPT ".kept/a/b/file/20261122T140307.123Z~20261121T000000.000Z"

static enum err_kind put(struct bench *bench, const char *text, const char *keep,
	const char *if_version, bool *kept) {
	struct store_op op;

	bench_put_init(bench, &op, "file", text, strlen(text));
	op.keep_key = keep ? bench_key(bench, keep) : NULL;
	op.if_version = if_version;
	enum err_kind failed = bench_run(bench, &op);
	if (kept) *kept = op.kept;
	store_op_release(&op);
	return failed;
}

static enum err_kind take(
	struct bench *bench, const char *keep, const char *if_version, bool *kept) {
	struct store_op op;

	store_op_init(&op, STORE_REMOVE, bench_key(bench, "file"));
	op.keep_key = bench_key(bench, keep);
	op.if_version = if_version;
	enum err_kind failed = bench_run(bench, &op);
	*kept = op.kept;
	store_op_release(&op);
	return failed;
}

static void a_replaced_file_is_kept(void **state) {
	struct bench *bench = *state;
	struct store_entry entry;
	bool kept;

	bench_put(bench, "file", "old");
	char *version = bench_version(bench, "file");
	for (int again = 0; again < 3;
		again++) { /* a repeat must not keep the new one in its place */
		assert_err(bench, put(bench, "new!", KEPT, version, &kept), ERR_NONE);
		assert_true(kept);
		bench_expect(bench, "file", "new!");
		bench_expect(bench, KEPT, "old");
	}
	assert_err(bench, bench_stat(bench, KEPT, STORE_FILE, &entry), ERR_NONE);
	if (!bench->contract->no_times) {
		assert_true(entry.mtime_ns == bench_time(bench, BENCH_MTIME_NS));
		assert_int_equal(entry.mode, BENCH_MODE);
	}
	assert_true(store_hash_tells(bench->store, &entry.hash));
	store_entry_release(&entry);
	free(version);
}

static void a_repeat_without_a_condition_keeps_too(void **state) {
	struct bench *bench = *state;
	bool kept;

	bench_put(bench, "file", "old");
	for (int again = 0; again < 3; again++) {
		assert_err(bench, put(bench, "new!", KEPT, NULL, &kept), ERR_NONE);
		assert_true(kept);
		bench_expect(bench, "file", "new!");
		bench_expect(bench, KEPT, "old");
	}
}

static void nothing_to_keep(void **state) {
	struct bench *bench = *state;
	bool kept;

	assert_err(bench, put(bench, "first", KEPT, NULL, &kept), ERR_NONE);
	assert_false(kept);
	bench_expect(bench, "file", "first");
	bench_expect_absent(bench, KEPT, STORE_FILE);
}

static void a_stale_replacement_keeps_nothing(void **state) {
	struct bench *bench = *state;

	bench_put(bench, "file", "old");
	char *version = bench_version(bench, "file");
	bench_put(bench, "file", "theirs");
	assert_err(bench, put(bench, "mine", KEPT, version, NULL), ERR_CHANGED);
	bench_expect(bench, "file", "theirs");
	bench_expect_absent(bench, KEPT, STORE_FILE);
	free(version);
}

static void a_kept_version_is_never_overwritten(void **state) {
	struct bench *bench = *state;

	bench_put(bench, "file", "one");
	assert_err(bench, put(bench, "two!", KEPT, NULL, NULL), ERR_NONE);
	char *version = bench_version(bench, "file");
	assert_err(bench, put(bench, "three", KEPT, NULL, NULL), ERR_CHANGED);
	assert_err(bench, put(bench, "three", KEPT, version, NULL), ERR_CHANGED);
	bench_expect(bench, "file", "two!");
	bench_expect(bench, KEPT, "one");
	free(version);
}

static void a_removed_file_is_kept(void **state) {
	struct bench *bench = *state;
	bool kept;

	bench_put(bench, "file", "old");
	char *version = bench_version(bench, "file");
	for (int again = 0; again < 3; again++) {
		assert_err(bench, take(bench, KEPT, version, &kept), ERR_NONE);
		assert_true(kept);
		bench_expect_absent(bench, "file", STORE_FILE);
		bench_expect(bench, KEPT, "old");
	}
	free(version);
}

static void a_stale_removal_keeps_nothing(void **state) {
	struct bench *bench = *state;
	bool kept;

	bench_put(bench, "file", "old");
	char *version = bench_version(bench, "file");
	bench_put(bench, "file", "theirs");
	assert_err(bench, take(bench, KEPT, version, &kept), ERR_CHANGED);
	bench_expect(bench, "file", "theirs");
	bench_expect_absent(bench, KEPT, STORE_FILE);
	free(version);

	assert_err(bench, bench_remove(bench, "file", STORE_FILE), ERR_NONE);
	assert_err(bench, take(bench, KEPT, NULL, &kept), ERR_NONE);
	assert_false(kept);
}

static void a_link_is_kept_as_a_link(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	for (int i = 0; i < 2; i++) {
		bench_put_init(bench, &op, "file", i ? "new" : "old", 3);
		op.kind = STORE_LINK;
		op.keep_key = i ? bench_key(bench, KEPT) : NULL;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
	}
	char *kept = bench_get(bench, KEPT, STORE_LINK);
	assert_string_equal(kept, "old");
	free(kept);
}

/* Who made the place's name up for this try says so: it need not be looked at. */
static void a_fresh_place_is_taken_as_free(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	bench_put(bench, "file", "old");
	char *version = bench_version(bench, "file");
	bench_put_init(bench, &op, "file", "newer", 5);
	op.keep_key = bench_key(bench, KEPT);
	op.keep_fresh = true;
	op.if_version = version;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_true(op.kept);
	store_op_release(&op);
	bench_expect(bench, KEPT, "old");
	bench_expect(bench, "file", "newer");

	store_op_init(&op, STORE_REMOVE, bench_key(bench, "file"));
	op.keep_key = bench_key(bench, KEPT "~deleted");
	op.keep_fresh = true;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_true(op.kept);
	store_op_release(&op);
	bench_expect(bench, KEPT "~deleted", "newer");
	bench_expect_absent(bench, "file", STORE_FILE);
	free(version);
}

const struct CMUnitTest contract_keep_tests[] = {
	BENCH_TEST(a_replaced_file_is_kept),
	BENCH_TEST(a_repeat_without_a_condition_keeps_too),
	BENCH_TEST(nothing_to_keep),
	BENCH_TEST(a_stale_replacement_keeps_nothing),
	BENCH_TEST(a_kept_version_is_never_overwritten),
	BENCH_TEST(a_removed_file_is_kept),
	BENCH_TEST(a_stale_removal_keeps_nothing),
	BENCH_TEST(a_link_is_kept_as_a_link),
	BENCH_TEST(a_fresh_place_is_taken_as_free),
};
const size_t contract_keep_count = ARRAY_LEN(contract_keep_tests);
