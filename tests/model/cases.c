/* Single steps of the one-way model: what random stories found, each told alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/edits.h"

static struct ground *begin(const struct store_memory_options *options) {
	static const struct store_memory_options usual;
	struct ground *g = ground_new(1, options ? options : &usual, false);
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	g->settings = (struct folder_settings){ .enabled = true,
		.path = (char *)"/memory",
		.remote = (char *)"cloud:",
		.mode = FOLDER_BACKUP,
		.settle_ms = 100,
		.max_settle_ms = 1000,
		.max_transfers = 4 };
	edit_put(g, "first");
	return g;
}

static void end(struct ground *g) {
	ground_close(g);
	if (g->wrong) fail_msg("%s: '%s'", g->wrong, g->wrong_path);
	ground_free(g);
}

static void durable(struct ground *g) {
	struct err err;
	if (ground_barrier(g, &err) != GROUND_DURABLE) fail_msg("%s", err.text);
}

/* STORE_OTHER: nothing is there. */
static enum store_kind remote_kind(struct ground *g, const char *key, int *mode) {
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_STAT, key);
	op.kind = STORE_FOLDER;
	enum store_kind kind =
		store_memory_now(g->content, &op, &err) ? STORE_OTHER : op.entry.kind;
	if (mode) *mode = op.entry.mode;
	store_op_release(&op);
	return kind;
}

/* By somebody else. */
static void remote_do(
	struct ground *g, enum store_verb verb, enum store_kind kind, const char *key) {
	struct store_op op;
	struct err err;
	store_op_init(&op, verb, key);
	op.kind = kind;
	op.body = "theirs";
	op.body_len = strlen(op.body);
	op.size = (int64_t)op.body_len;
	op.mode = 0755;
	op.mtime_ns = 1700000000 * NS_PER_S;
	if (store_memory_now(g->content, &op, &err)) fail_msg("%s", err.text);
	store_op_release(&op);
}

/* What was a file when we looked last is a pipe after a restart: it is gone. */
static void test_a_file_became_a_pipe_meanwhile(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "file");
	ground_open(g);
	durable(g);
	ground_close(g);
	disk_remove(g->disk, "file", &err);
	assert_int_equal(disk_memory_mkother(g->memory, "file", &err), 0);
	ground_open(g);
	durable(g);
	assert_int_equal(remote_kind(g, "file", NULL), STORE_OTHER);
	assert_int_equal(remote_kind(g, "first", NULL), STORE_FILE);
	end(g);
}

/* A folder that is there already gets our permissions. */
static void test_an_adopted_folder_gets_its_permissions(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	int mode = 0;
	(void)state;
	disk_mkdir(g->disk, "d", 0700, &err);
	remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
	ground_open(g);
	durable(g);
	assert_int_equal(remote_kind(g, "d", &mode), STORE_FOLDER);
	assert_int_equal(mode & 0777, 0700);
	end(g);
}

/* SYNC.md §13, trap 15: a file of somebody else stands where our folder must go. It is theirs, so it
 * is said, and asked for now and then, however many files wait for the folder. */
static void test_a_folder_that_cannot_be_made(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	remote_do(g, STORE_PUT, STORE_FILE, "d");
	for (int i = 0; i < 200; i++) {
		char *path = xasprintf("d/%d", i);
		edit_put(g, path);
		free(path);
	}
	ground_open(g);
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	struct folder_trouble *troubles;
	size_t count = folder_troubles(g->folder, 1000, &troubles);
	bool named = false;
	for (size_t i = 0; i < count; i++)
		named |= str_equal(troubles[i].path, "d") && strstr(troubles[i].reason, "move it");
	assert_true(named);
	folder_troubles_free(troubles, count);
	unsigned ops = g->counts.ops;
	ground_run(g, 600000);
	assert_true(g->counts.ops - ops < 60);
	assert_int_equal(remote_kind(g, "d", NULL), STORE_FILE);
	/* It is moved away: all goes on by itself. */
	remote_do(g, STORE_REMOVE, STORE_FILE, "d");
	ground_run(g, 3600000);
	durable(g);
	assert_int_equal(remote_kind(g, "d/199", NULL), STORE_FILE);
	end(g);
}

static struct err lose_mkdir(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_MKDIR && str_equal(op->key, "d"))
		err_set(&err, ERR_OFFLINE, "nobody answered");
	(void)after;
	(void)g;
	return err;
}

static struct err no_child(struct ground *g, const struct store_op *op, bool *after) {
	if (op->verb == STORE_PUT && str_equal(op->key, "d/file"))
		ground_wrong(g, "sent before its folder", op->key);
	(void)after;
	return (struct err){ .kind = ERR_NONE };
}

/* Whether our MKDIR had an effect is asked; a file that stands there is not the folder. */
static void test_an_intent_meets_another_kind(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	ground_open(g);
	durable(g);
	g->fault = lose_mkdir;
	edit_put(g, "d/file");
	ground_run(g, 1000);
	remote_do(g, STORE_PUT, STORE_FILE, "d");
	g->fault = no_child;
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	g->fault = NULL;
	remote_do(g, STORE_REMOVE, STORE_FILE, "d");
	durable(g);
	assert_int_equal(remote_kind(g, "d/file", NULL), STORE_FILE);
	end(g);
}

/* Somebody removed a folder over there: a barrier waits until it is made again. */
static void test_a_barrier_waits_for_lost_parents(void **state) {
	struct ground *g = begin(NULL);
	(void)state;
	edit_put(g, "d/e/file");
	ground_open(g);
	durable(g);
	remote_do(g, STORE_REMOVE, STORE_FILE, "d/e/file");
	remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/e");
	remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	edit_put(g, "d/e/another");
	durable(g);
	assert_int_equal(remote_kind(g, "d/e/another", NULL), STORE_FILE);
	end(g);
}

static struct err busy_rmdir(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_REMOVE && op->kind == STORE_FOLDER && g->odds.refused) {
		g->odds.refused--;
		err_set(&err, ERR_BUSY, "too many requests");
	}
	(void)after;
	return err;
}

/* A server that is busy does not say that the folder is not empty. */
static void test_a_busy_server_is_no_full_folder(void **state) {
	struct ground *g = begin(NULL);
	(void)state;
	edit_put(g, "d/file");
	ground_open(g);
	durable(g);
	g->fault = busy_rmdir;
	g->odds.refused = 1;
	edit_remove_path(g, "d");
	durable(g);
	assert_int_equal(remote_kind(g, "d", NULL), STORE_OTHER);
	end(g);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_became_a_pipe_meanwhile),
		cmocka_unit_test(test_an_adopted_folder_gets_its_permissions),
		cmocka_unit_test(test_a_folder_that_cannot_be_made),
		cmocka_unit_test(test_an_intent_meets_another_kind),
		cmocka_unit_test(test_a_barrier_waits_for_lost_parents),
		cmocka_unit_test(test_a_busy_server_is_no_full_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
