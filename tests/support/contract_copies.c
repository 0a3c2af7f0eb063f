/* COPY and MOVE, on the server. */
#include "support/contract.h"

static enum err_kind copy(struct bench *bench, enum store_verb verb, const char *from,
	const char *to, bool if_absent) {
	struct store_op op;

	store_op_init(&op, verb, bench_key(bench, from));
	op.to_key = bench_key(bench, to);
	op.if_absent = if_absent;
	enum err_kind failed = bench_run(bench, &op);
	if (!failed) {
		assert_int_equal(op.entry.kind, STORE_FILE);
		assert_non_null(op.entry.version);
	}
	store_op_release(&op);
	return failed;
}

static void copies_keep_everything(void **state) {
	static const char text[] = "the content";
	struct bench *bench = *state;
	struct store_entry entry;

	bench_mkdir(bench, "folder");
	bench_put(bench, "from & + %41 é", text);
	for (int again = 0; again < 2; again++) {
		assert_err(bench, copy(bench, STORE_COPY, "from & + %41 é", "folder/to +%", true),
			ERR_NONE);
	}
	assert_err(bench, bench_stat(bench, "folder/to +%", STORE_FILE, &entry), ERR_NONE);
	bench_expect_entry(bench, &entry, text, strlen(text));
	store_entry_release(&entry);
	bench_expect(bench, "folder/to +%", text);
	bench_expect(bench, "from & + %41 é", text);

	bench_put(bench, "taken", "something else");
	assert_err(bench, copy(bench, STORE_COPY, "folder/to +%", "taken", true), ERR_CHANGED);
	bench_expect(bench, "taken", "something else");
	assert_err(bench, copy(bench, STORE_COPY, "folder/to +%", "taken", false), ERR_NONE);
	bench_expect(bench, "taken", text);
	assert_err(bench, copy(bench, STORE_COPY, "nothing", "to", false), ERR_NOT_FOUND);
}

static void moves_keep_everything(void **state) {
	static const char text[] = "the content";
	struct bench *bench = *state;
	struct store_entry entry;

	bench_mkdir(bench, "folder");
	bench_put(bench, "from", text);
	for (int again = 0; again < 2; again++) { /* gone, and the target is there: done */
		assert_err(bench, copy(bench, STORE_MOVE, "from", "folder/to", false), ERR_NONE);
	}
	bench_expect_absent(bench, "from", STORE_FILE);
	assert_err(bench, bench_stat(bench, "folder/to", STORE_FILE, &entry), ERR_NONE);
	bench_expect_entry(bench, &entry, text, strlen(text));
	store_entry_release(&entry);
	bench_expect(bench, "folder/to", text);

	bench_put(bench, "taken", "something else");
	assert_err(bench, copy(bench, STORE_MOVE, "folder/to", "taken", true), ERR_CHANGED);
	bench_expect(bench, "taken", "something else");
	bench_expect(bench, "folder/to", text);
	assert_err(bench, copy(bench, STORE_MOVE, "nothing", "nowhere", false), ERR_NOT_FOUND);
}

/* Not what somebody else put there meanwhile. */
static void only_the_version_asked_for_goes(void **state) {
	static const enum store_verb verbs[] = { STORE_COPY, STORE_MOVE };
	struct bench *bench = *state;
	struct store_op op;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		bench_put(bench, "file", "ours");
		char *version = bench_version(bench, "file");
		bench_put(bench, "file", "theirs");
		char *theirs = bench_version(bench, "file");
		store_op_init(&op, verbs[i], bench_key(bench, "file"));
		op.to_key = bench_key(bench, "to");
		op.if_absent = true;
		op.if_version = version;
		assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
		bench_expect(bench, "file", "theirs");
		bench_expect_absent(bench, "to", STORE_FILE);
		op.if_version = theirs;
		for (int again = 0; again < 2; again++)
			assert_err(bench, bench_run(bench, &op), ERR_NONE);
		bench_expect(bench, "to", "theirs");
		store_op_release(&op);
		store_op_init(&op, STORE_REMOVE, bench_key(bench, "to"));
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
		free(version);
		free(theirs);
	}
	bench_expect_absent(bench, "file", STORE_FILE);
}

static void folders_move_with_all_below(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	if (!(bench->store->caps & STORE_CAP_MOVE)) return; /* sync moves file by file there */
	bench_mkdir(bench, "a");
	bench_mkdir(bench, "a/b");
	bench_put(bench, "a/b/file", "deep");
	for (int again = 0; again < 2; again++) {
		store_op_init(&op, STORE_MOVE, bench_key(bench, "a"));
		op.to_key = bench_key(bench, "c");
		op.kind = STORE_FOLDER;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		assert_int_equal(op.entry.kind, STORE_FOLDER);
		store_op_release(&op);
	}
	bench_expect(bench, "c/b/file", "deep");
	bench_expect_absent(bench, "a", STORE_FOLDER);
}

static enum err_kind move(
	struct bench *bench, const char *from, const char *to, enum store_kind kind) {
	struct store_op op;

	store_op_init(&op, STORE_MOVE, bench_key(bench, from));
	op.to_key = bench_key(bench, to);
	op.kind = kind;
	op.if_absent = true;
	enum err_kind failed = bench_run(bench, &op);
	store_op_release(&op);
	return failed;
}

/* Somebody else may have made a folder where a file was; and what stands at the target is not what a try before has moved. */
static void only_the_kind_asked_for_goes(void **state) {
	struct bench *bench = *state;
	bool folders = (bench->store->caps & STORE_CAP_MOVE) != 0;

	bench_mkdir(bench, "folder");
	bench_put(bench, "folder/child", "child");
	bench_put(bench, "file", "file");
	assert_err(bench, move(bench, "folder", "to", STORE_FILE), ERR_NOT_FOUND);
	assert_err(bench, move(bench, "folder", "to", STORE_LINK), ERR_NOT_FOUND);
	assert_err(bench, move(bench, "nothing", "folder", STORE_FILE), ERR_NOT_FOUND);
	/* WebDAV servers have words of their own for a folder's address where a file stands. */
	assert_true(!folders || move(bench, "file", "to", STORE_FOLDER) != ERR_NONE);
	bench_expect(bench, "folder/child", "child");
	bench_expect(bench, "file", "file");
	bench_expect_absent(bench, "to", STORE_FILE);
	bench_expect_absent(bench, "to", STORE_FOLDER);
}

const struct CMUnitTest contract_copy_tests[] = {
	BENCH_TEST(copies_keep_everything),
	BENCH_TEST(moves_keep_everything),
	BENCH_TEST(only_the_version_asked_for_goes),
	BENCH_TEST(folders_move_with_all_below),
	BENCH_TEST(only_the_kind_asked_for_goes),
};
const size_t contract_copy_count = ARRAY_LEN(contract_copy_tests);
