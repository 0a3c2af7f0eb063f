/* An index whose hashes an older version made, of another kind than those that the store tells now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

static char **sent;

static struct err note_sent(struct ground *g, const struct store_op *op, bool *after) {
	(void)g;
	(void)after;
	if (op->verb == STORE_PUT || op->verb == STORE_PART_END) strv_add(&sent, op->key);
	return (struct err){ .kind = ERR_NONE };
}

static void forget_sent(void) {
	strv_free(sent);
	sent = NULL;
}

static size_t count_sent(const char *key) {
	size_t count = 0;
	for (char **at = sent; at && *at; at++) count += !key || str_equal(*at, key);
	return count;
}

/* Between two lives: from MD5 to SHA-256, or back. */
static void change_hashes(struct ground *g, bool sha256) {
	struct store_memory_options options = { .sha256 = sha256 };
	store_memory_set(g->content, &options);
	g->store->digest = g->content->digest;
}

/* What the last life agreed on by hashes of its own kind, from files whose mtimes are not so young that they are read anew. */
static struct ground *begin_anew(bool sha256) {
	static const char *const paths[] = { "d/touched", "d/changed", "d/still", "d/named", "e/in",
		"gone" };
	struct store_memory_options options = { .sha256 = !sha256 };
	struct ground *g = case_begin(&options);
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		edit_put(g, paths[i]);
		disk_set(g->disk, paths[i], 1500000000 * NS_PER_S, 0600, &err);
	}
	ground_open(g);
	case_durable(g);
	ground_close(g);
	change_hashes(g, sha256);
	g->fault = note_sent;
	return g;
}

static void verify_all(struct ground *g) {
	struct folder_status status;
	struct err err;
	assert_int_equal(folder_verify(g->folder, true, &err), 0);
	ground_run(g, 600000);
	folder_status(g->folder, &status);
	assert_false(status.verifying);
	assert_true(status.verify_read > 0);
	assert_int_equal(status.verify_missing + status.verify_changed, 0);
	folder_status_release(&status);
}

static void go_on(bool sha256) {
	struct ground *g = begin_anew(sha256);
	struct err err;
	ground_open(g);
	case_durable(g);
	assert_int_equal(count_sent(NULL), 0);
	verify_all(g);
	assert_int_equal(disk_set(g->disk, "d/touched", 1700000000 * NS_PER_S, 0600, &err), 0);
	edit_put(g, "d/changed");
	assert_int_equal(disk_rename(g->disk, "d/named", "d/otherwise", false, &err), 0);
	assert_int_equal(disk_rename(g->disk, "e", "f", false, &err), 0);
	edit_remove_path(g, "gone");
	case_durable(g);
	/* The bytes of one that was only touched are compared over there; a renamed file is sent once. */
	assert_int_equal(count_sent("d/touched"), 0);
	assert_int_equal(count_sent("d/changed"), 1);
	assert_int_equal(count_sent(NULL), 2);
	assert_int_equal(case_remote_kind(g, "d/otherwise", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "d/named", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, "f/in", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "gone", NULL), STORE_OTHER);
	verify_all(g);
	/* By now it is known as the store tells it. */
	forget_sent();
	assert_int_equal(disk_set(g->disk, "d/touched", 1600000000 * NS_PER_S, 0600, &err), 0);
	assert_int_equal(disk_rename(g->disk, "d/otherwise", "d/named", false, &err), 0);
	case_durable(g);
	assert_int_equal(count_sent(NULL), 0);
	forget_sent();
	case_end(g);
}

static void test_to_sha256(void **state) {
	(void)state;
	go_on(true);
}

static void test_to_md5(void **state) {
	(void)state;
	go_on(false);
}

static void replace_bytes(struct ground *g, const char *key) {
	struct store_entry there;
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_GET, key);
	op.kind = STORE_FILE;
	op.length = STORE_SPAN_MAX;
	assert_int_equal(store_memory_now(g->content, &op, &err), 0);
	char *bytes = xmemdup(op.answer_body.at, op.answer_body.len + 1);
	size_t len = op.answer_body.len;
	there = store_op_take_entry(&op);
	store_op_release(&op);
	memset(bytes, 0, len);
	store_op_init(&op, STORE_PUT, key);
	op.kind = STORE_FILE;
	op.body = bytes;
	op.body_len = len;
	op.size = (int64_t)len;
	op.mtime_ns = there.mtime_ns;
	op.mode = there.mode;
	assert_int_equal(store_memory_now(g->content, &op, &err), 0);
	store_op_release(&op);
	store_entry_release(&there);
	free(bytes);
}

static struct err no_sync(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = note_sent(g, op, after);
	if (op->verb == STORE_SYNC) err_set(&err, ERR_OFFLINE, "not now");
	return err;
}

/* Nobody sealed it, and its bytes are not what its size and time say: a hash that cannot be compared is no reason to believe them. */
static void test_what_no_sync_sealed_is_not_believed(void **state) {
	struct store_memory_options options = { .sha256 = false };
	struct ground *g = case_begin(&options);
	struct err err;
	(void)state;
	disk_set(g->disk, "first", 1500000000 * NS_PER_S, 0600, &err);
	g->fault = no_sync;
	ground_open(g);
	ground_run(g, 5000);
	assert_int_equal(count_sent("first"), 1);
	assert_int_equal(case_remote_kind(g, "first", NULL), STORE_FILE);
	ground_close(g);
	replace_bytes(g, "first");
	change_hashes(g, true);
	forget_sent();
	g->fault = note_sent;
	ground_open(g);
	case_durable(g);
	assert_true(count_sent("first") > 0);
	forget_sent();
	case_end(g);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_sha256),
		cmocka_unit_test(test_to_md5),
		cmocka_unit_test(test_what_no_sync_sealed_is_not_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
