/* Names that the remote takes for one: who was there first stays, the other is refused and said, and neither is ever in the other's place. */
#include "support/world.h"

static const struct store_memory_options folding = { .folds = true };

static void start(struct bench *b, const char *make) {
	b->memory = &folding;
	shell("cd '%s' && %s", b->local, make);
	world_open(b);
}

/* What the remote holds under this very spelling. NULL: nothing. The caller's. */
static char *held(struct bench *b, const char *key) {
	struct store_op op;
	struct err err;
	char *parent = path_parent(key), *text = NULL;
	bool listed = false;
	store_op_init(&op, STORE_LIST, parent);
	op.kind = STORE_FOLDER;
	if (store_memory_now(b->store, &op, &err) == 0)
		for (size_t i = 0; i < op.entry_count; i++)
			listed |= str_equal(op.entries[i].name, path_name(key));
	store_op_release(&op);
	free(parent);
	if (!listed) return NULL;
	store_op_init(&op, STORE_GET, key);
	op.kind = STORE_FILE;
	buf_init(&op.answer_body, 1000);
	if (store_memory_now(b->store, &op, &err) == 0)
		text = xstrndup((const char *)op.answer_body.at, op.answer_body.len);
	store_op_release(&op);
	return text;
}

static void expect_held(struct bench *b, const char *key, const char *text) {
	char *there = held(b, key);
	if (!there) fail_msg("'%s' is not there", key);
	assert_string_equal(there, text);
	free(there);
}

static void expect_absent(struct bench *b, const char *key) {
	char *there = held(b, key);
	if (there) fail_msg("'%s' holds %s", key, there);
}

/* Is it refused, and does the reason name the other one? */
static void expect_clash(struct bench *b, const char *path, const char *twin) {
	struct folder_trouble *troubles;
	bool found = false;
	char *name = xasprintf("'%s'", twin);
	size_t count = folder_troubles(b->folder, 100, &troubles);
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(troubles[i].path, path)) continue;
		found = true;
		assert_non_null(strstr(troubles[i].reason, "clash"));
		assert_non_null(strstr(troubles[i].reason, name));
	}
	if (!found) fail_msg("'%s' is not refused", path);
	folder_troubles_free(troubles, count);
	free(name);
}

static void one_of_two_files_is_refused(void **state) {
	struct bench *b = *state;
	start(b, "printf upper > Name && printf other > plain");
	assert_int_equal(durable(b).kind, ERR_NONE);
	/* Of other bytes, and of the very same. */
	shell("cd '%s' && printf lower > name && cp -p plain PLAIN", b->local);
	assert_int_equal(durable(b).kind, ERR_INVALID);
	expect_clash(b, "name", "Name");
	expect_clash(b, "PLAIN", "plain");
	expect_held(b, "Name", "upper");
	expect_held(b, "plain", "other");
	expect_absent(b, "name");
	expect_absent(b, "PLAIN");
	/* The first goes on as ever. */
	shell("cd '%s' && printf newer > Name", b->local);
	assert_int_equal(durable(b).kind, ERR_INVALID);
	expect_held(b, "Name", "newer");
	/* A person mends it: nothing is left to refuse. */
	shell("cd '%s' && mv name another && rm PLAIN", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "another", "lower");
	expect_held(b, "Name", "newer");
	expect_held(b, "plain", "other");
	world_close(b);
}

static void the_first_goes_and_the_other_comes(void **state) {
	struct bench *b = *state;
	start(b, "printf upper > Name");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("cd '%s' && printf lower > name", b->local);
	assert_int_equal(durable(b).kind, ERR_INVALID);
	shell("cd '%s' && rm Name", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "name", "lower");
	expect_absent(b, "Name");
	world_close(b);
}

static void folders_are_not_merged(void **state) {
	struct bench *b = *state;
	start(b, "mkdir Dir && printf 1 > Dir/one");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("cd '%s' && mkdir dir && printf 2 > dir/one && printf 3 > dir/two", b->local);
	assert_int_equal(durable(b).kind, ERR_INVALID);
	expect_clash(b, "dir", "Dir");
	expect_held(b, "Dir/one", "1");
	expect_absent(b, "Dir/two");
	shell("cd '%s' && mv dir second", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "second/one", "2");
	expect_held(b, "second/two", "3");
	expect_held(b, "Dir/one", "1");
	world_close(b);
}

static void a_name_is_spelled_anew(void **state) {
	struct bench *b = *state;
	start(b, "mkdir Dir && printf 1 > Dir/one && printf upper > Name && printf same > Same");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("cd '%s' && mv Name NAME && mv Dir DIR && mv Same same", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "NAME", "upper");
	expect_held(b, "same", "same");
	expect_held(b, "DIR/one", "1");
	expect_absent(b, "Name");
	world_close(b);
}

static void a_store_that_tells_them_apart_has_both(void **state) {
	struct bench *b = *state;
	const struct store_memory_options plain = { .folds = false };
	b->memory = &plain;
	shell("cd '%s' && mkdir Dir dir && printf 1 > Dir/one && printf 2 > dir/one && printf "
	      "upper > Name && printf lower > name",
		b->local);
	world_open(b);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "Name", "upper");
	expect_held(b, "name", "lower");
	expect_held(b, "Dir/one", "1");
	expect_held(b, "dir/one", "2");
	shell("cd '%s' && rm name && mv Name name && mv Dir dIR", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	expect_held(b, "name", "upper");
	expect_held(b, "dIR/one", "1");
	expect_held(b, "dir/one", "2");
	expect_absent(b, "Name");
	world_close(b);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(one_of_two_files_is_refused),
		TEST(the_first_goes_and_the_other_comes),
		TEST(folders_are_not_merged),
		TEST(a_name_is_spelled_anew),
		TEST(a_store_that_tells_them_apart_has_both),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
