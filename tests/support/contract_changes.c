/* What others did, without a walk through everything: CHANGES, and versions of folders. */
#include "support/contract.h"

/* ---- CHANGES ---- */

/* A token from now on. The caller's. */
static char *begin(struct bench *bench) {
	struct store_op op;

	assert_true(bench->store->changes);
	store_op_init(&op, STORE_CHANGES, NULL);
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_int_equal(op.entry_count, 0);
	assert_true(op.complete);
	assert_non_null(op.next_token);
	char *token = xstrdup(op.next_token);
	store_op_release(&op);
	return token;
}

/* All that came since; `token` becomes the one to go on from. */
static void changes(struct bench *bench, char **token, int limit, struct listing *all) {
	bool complete = false;

	*all = (struct listing){ 0 };
	while (!complete) {
		struct store_op op;
		store_op_init(&op, STORE_CHANGES, NULL);
		op.page_token = *token;
		op.limit = limit;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		if (limit) assert_true(op.entry_count <= (size_t)limit);
		assert_non_null(op.next_token);
		complete = op.complete;
		free(*token);
		*token = xstrdup(op.next_token);
		listing_take(all, &op);
		store_op_release(&op);
	}
}

static const struct store_entry *with_id(const struct listing *all, const char *id) {
	const struct store_entry *found = NULL;

	for (size_t i = 0; i < all->count; i++) {
		if (!str_equal(all->entries[i].id, id)) continue;
		if (found) fail_msg("'%s' is told twice", id);
		found = &all->entries[i];
	}
	return found;
}

static char *id_of(struct bench *bench, const char *name, enum store_kind kind) {
	struct store_entry entry;

	assert_err(bench, bench_stat(bench, name, kind, &entry), ERR_NONE);
	char *id = xstrdup(entry.id);
	assert_non_null(id);
	store_entry_release(&entry);
	return id;
}

/* Another hand: a store object of its own. */
static struct bench other_hand(struct bench *bench) {
	struct bench other = *bench;

	other.store = bench->contract->open(bench->contract, &other.err);
	if (!other.store) fail_msg("%s", other.err.text);
	return other;
}

static void move(struct bench *bench, const char *from, const char *to, enum store_kind kind) {
	struct store_op op;

	store_op_init(&op, STORE_MOVE, bench_key(bench, from));
	op.to_key = bench_key(bench, to);
	op.kind = kind;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
}

static void what_others_did_is_told_once(void **state) {
	struct bench *bench = *state, other = other_hand(bench);
	struct listing all;

	bench_put(bench, "before", "before");
	bench_put(bench, "gone", "gone");
	bench_put(bench, "twice", "first");
	char *gone = id_of(bench, "gone", STORE_FILE);
	char *token = begin(bench);
	bench_mkdir(&other, "folder");
	bench_put(&other, "folder/new", "new");
	bench_put(&other, "twice", "second");
	bench_put(&other, "twice", "third");
	assert_err(&other, bench_remove(&other, "gone", STORE_FILE), ERR_NONE);
	changes(bench, &token, 1, &all);

	char *folder = id_of(bench, "folder", STORE_FOLDER);
	char *new = id_of(bench, "folder/new", STORE_FILE);
	char *twice = id_of(bench, "twice", STORE_FILE);
	char *before = id_of(bench, "before", STORE_FILE);
	const struct store_entry *entry = with_id(&all, folder);
	assert_non_null(entry);
	assert_string_equal(entry->name, "folder");
	assert_int_equal(entry->kind, STORE_FOLDER);
	assert_false(entry->gone);
	entry = with_id(&all, new);
	assert_non_null(entry);
	assert_string_equal(entry->name, "new");
	assert_string_equal(entry->parent_id, folder);
	bench_expect_entry(bench, entry, "new", 3);
	entry = with_id(&all, twice);
	assert_non_null(entry);
	char *version = bench_version(bench, "twice");
	assert_string_equal(entry->version, version);
	entry = with_id(&all, gone);
	assert_non_null(entry);
	assert_true(entry->gone);
	assert_null(with_id(&all, before));
	listing_release(&all);

	/* And that was all. */
	changes(bench, &token, 0, &all);
	assert_int_equal(all.count, 0);
	listing_release(&all);
	bench->contract->close(bench->contract, other.store);
	char *const texts[] = { gone, token, folder, new, twice, before, version };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
}

/* By id and version, whoever keeps those knows it again. */
static void our_own_is_told_too(void **state) {
	struct bench *bench = *state;
	char *token = begin(bench);
	struct store_op op;
	struct listing all;

	bench_put_init(bench, &op, "own", "own", 3);
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	changes(bench, &token, 0, &all);
	const struct store_entry *entry = with_id(&all, op.entry.id);
	assert_non_null(entry);
	assert_string_equal(entry->version, op.entry.version);
	listing_release(&all);
	store_op_release(&op);
	free(token);
}

/* What the store itself remembers of places must not outlive what it told. */
static void a_moved_folder_is_followed(void **state) {
	struct bench *bench = *state, other = other_hand(bench);
	struct listing all;

	bench_mkdir(bench, "a");
	bench_put(bench, "a/x", "x");
	char *id = id_of(bench, "a", STORE_FOLDER), *token = begin(bench);
	move(&other, "a", "b", STORE_FOLDER);
	changes(bench, &token, 0, &all);
	const struct store_entry *entry = with_id(&all, id);
	assert_non_null(entry);
	assert_string_equal(entry->name, "b");
	listing_release(&all);
	bench_expect_absent(bench, "a/x", STORE_FILE);
	bench_expect(bench, "b/x", "x");
	bench_mkdir(bench, "a");
	bench_put(bench, "a/y", "y");
	bench_expect_absent(&other, "b/y", STORE_FILE);
	bench_expect(&other, "a/y", "y");
	bench->contract->close(bench->contract, other.store);
	free(token);
	free(id);
}

/* In a folder that we have just made we look for nothing: until others are known to write there. */
static void what_others_put_into_our_folder_is_met(void **state) {
	struct bench *bench = *state, other = other_hand(bench);
	struct store_op op;
	struct listing all;

	char *token = begin(bench);
	bench_mkdir(bench, "ours");
	bench_put(&other, "ours/x", "theirs");
	changes(bench, &token, 0, &all);
	listing_release(&all);
	bench_put_init(bench, &op, "ours/x", "ours", 4);
	op.if_absent = true;
	assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
	store_op_release(&op);
	bench_expect(bench, "ours/x", "theirs");
	bench->contract->close(bench->contract, other.store);
	free(token);
}

static void an_unknown_token_is_told(void **state) {
	struct bench *bench = *state;
	struct store_op op;

	store_op_init(&op, STORE_CHANGES, NULL);
	op.page_token = "no token & no number";
	assert_err(bench, bench_run(bench, &op), ERR_NOT_FOUND);
	assert_false(op.complete);
	store_op_release(&op);
}

const struct CMUnitTest contract_change_tests[] = {
	BENCH_TEST(what_others_did_is_told_once),
	BENCH_TEST(our_own_is_told_too),
	BENCH_TEST(a_moved_folder_is_followed),
	BENCH_TEST(what_others_put_into_our_folder_is_met),
	BENCH_TEST(an_unknown_token_is_told),
};
const size_t contract_change_count = ARRAY_LEN(contract_change_tests);

/* ---- versions of folders ---- */

/* Of "", "a", "a/b" and "other", as a look tells them and as a list does. */
struct folders {
	char *versions[4];
};

static char *folder_version(struct bench *bench, const char *name) {
	struct store_entry entry;

	assert_err(bench, bench_stat(bench, name, STORE_FOLDER, &entry), ERR_NONE);
	assert_non_null(entry.version);
	char *version = xstrdup(entry.version);
	store_entry_release(&entry);
	return version;
}

static void look(struct bench *bench, struct folders *seen) {
	static const char *const names[] = { "", "a", "a/b", "other" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		seen->versions[i] = folder_version(bench, names[i]);
		if (i == 0) continue;
		char *above = path_parent(names[i]);
		struct listing listing;
		assert_err(bench, bench_list(bench, above, false, 0, &listing), ERR_NONE);
		const struct store_entry *entry = listing_find(&listing, path_name(names[i]));
		assert_non_null(entry);
		assert_string_equal(entry->version, seen->versions[i]);
		listing_release(&listing);
		free(above);
	}
}

/* Exactly those that lie on the way to a change are others now. */
static void expect_moved(struct bench *bench, struct folders *seen, const bool *moved) {
	struct folders now = { 0 };

	look(bench, &now);
	for (size_t i = 0; i < ARRAY_LEN(now.versions); i++) {
		if (str_equal(now.versions[i], seen->versions[i]) == moved[i])
			fail_msg("folder %zu: '%s' after '%s'", i, now.versions[i],
				seen->versions[i]);
		free(seen->versions[i]);
	}
	*seen = now;
}

static void a_folder_s_version_tells_of_all_below(void **state) {
	struct bench *bench = *state, other = other_hand(bench);
	struct folders seen = { 0 };
	static const bool none[] = { false, false, false, false };
	static const bool deep[] = { true, true, true, false };
	static const bool beside[] = { true, false, false, true };

	assert_true(bench->store->deep_versions);
	bench_mkdir(bench, "a");
	bench_mkdir(bench, "a/b");
	bench_mkdir(bench, "other");
	bench_put(bench, "a/b/file", "one");
	look(bench, &seen);
	expect_moved(bench, &seen, none);
	bench_put(&other, "a/b/file", "two");
	expect_moved(bench, &seen, deep);
	bench_mkdir(&other, "a/b/c");
	expect_moved(bench, &seen, deep);
	assert_err(&other, bench_remove(&other, "a/b/c", STORE_FOLDER), ERR_NONE);
	expect_moved(bench, &seen, deep);
	bench_put(&other, "other/file", "three");
	expect_moved(bench, &seen, beside);
	move(&other, "other/file", "other/renamed", STORE_FILE);
	expect_moved(bench, &seen, beside);
	expect_moved(bench, &seen, none);
	for (size_t i = 0; i < ARRAY_LEN(seen.versions); i++) free(seen.versions[i]);
	bench->contract->close(bench->contract, other.store);
}

/* The root's is asked for: it is all that an idle poll costs. */
static void so_does_the_root_s(void **state) {
	struct bench *bench = *state;
	struct bench root = *bench;

	root.root = "";
	char *before = folder_version(&root, ""), *same = folder_version(&root, "");
	bench_put(bench, "file", "x");
	char *after = folder_version(&root, "");
	assert_string_equal(before, same);
	assert_string_not_equal(before, after);
	free(before);
	free(same);
	free(after);
}

const struct CMUnitTest contract_deep_tests[] = {
	BENCH_TEST(a_folder_s_version_tells_of_all_below),
	BENCH_TEST(so_does_the_root_s),
};
const size_t contract_deep_count = ARRAY_LEN(contract_deep_tests);
