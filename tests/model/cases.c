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

/* What we hold for a folder is a file over there: it is not ours to remove, and no trouble for ever. */
static void test_another_kind_over_there(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	disk_mkdir(g->disk, "d", 0755, &err);
	edit_put(g, "f");
	ground_open(g);
	durable(g);
	remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	remote_do(g, STORE_PUT, STORE_FILE, "d");
	remote_do(g, STORE_REMOVE, STORE_FILE, "f");
	remote_do(g, STORE_MKDIR, STORE_FOLDER, "f");
	edit_remove_path(g, "d");
	edit_remove_path(g, "f");
	durable(g);
	assert_int_equal(remote_kind(g, "d", NULL), STORE_FILE);
	assert_int_equal(remote_kind(g, "f", NULL), STORE_FOLDER);
	end(g);
}

static struct err refuse_removal(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_REMOVE && str_equal(op->key, "d/e/file"))
		err_set(&err, ERR_CORRUPT, "the server is out of order");
	(void)g;
	(void)after;
	return err;
}

/* A file that cannot be removed keeps the folders above it: a barrier says so, and nobody looks
 * again and again. */
static void test_a_removal_that_is_refused(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "d/e/file");
	ground_open(g);
	durable(g);
	g->fault = refuse_removal;
	edit_remove_path(g, "d");
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	uint64_t turns = loop_counts(g->loop).turns;
	ground_run(g, 3600000);
	assert_true(loop_counts(g->loop).turns - turns < 1000);
	g->fault = NULL;
	durable(g);
	assert_int_equal(remote_kind(g, "d", NULL), STORE_OTHER);
	end(g);
}

/* The answer to the removal of 'f' is lost, somebody puts an 'f' there, and takes it away again before
 * we look. */
static struct err version_left_over(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (!str_equal(op->key, "f") || op->kind == STORE_FOLDER) return err;
	if (op->verb == STORE_REMOVE && g->odds.lost++ == 0) {
		*after = true;
		err_set(&err, ERR_OFFLINE, "the answer was lost");
	} else if (op->verb == STORE_REMOVE) {
		remote_do(g, STORE_PUT, STORE_FILE, "f");
	} else if (op->verb == STORE_STAT && g->odds.lost == 2) {
		remote_do(g, STORE_REMOVE, STORE_FILE, "f");
		g->odds.lost++;
	}
	return err;
}

/* A version was kept, and nobody wrote that down: its place is taken when the next is to be kept. */
static void test_a_version_that_nobody_wrote_down(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "f");
	ground_open(g);
	durable(g);
	g->fault = version_left_over;
	edit_remove_path(g, "f");
	disk_mkdir(g->disk, "f", 0755, &err);
	durable(g);
	assert_int_equal(g->odds.lost, 3);
	edit_remove_path(g, "f");
	edit_put(g, "f");
	durable(g);
	edit_put(g, "f");
	unsigned ops = g->counts.ops;
	durable(g);
	assert_true(g->counts.ops - ops < 10);
	end(g);
}

/* Where folders are markers: what would have spoken for it went before it was sent. */
static void test_a_folder_whose_content_went_unsent(void **state) {
	struct store_memory_options keys = { .keys_only = true };
	char *exclude[] = { (char *)"*.tmp", NULL };
	struct ground *g = begin(&keys);
	struct err err;
	(void)state;
	g->settings.exclude = exclude;
	g->settings.settle_ms = 1000;
	ground_open(g);
	durable(g);
	edit_put(g, "d/file");
	ground_run(g, 500); /* the folder was looked at, the file was not */
	disk_rename(g->disk, "d/file", "d/file.tmp", false, &err);
	durable(g);
	assert_int_equal(remote_kind(g, "d", NULL), STORE_FOLDER);
	end(g);
}

/* The service stops, and only then it is seen that the folder is away. */
static void test_a_stop_finds_the_root_gone(void **state) {
	struct ground *g = begin(NULL);
	(void)state;
	g->late_ms = 5000;
	ground_open(g);
	durable(g);
	disk_memory_hide_root(g->memory, true);
	watch_feed(g->watch, WATCH_ROOT_GONE, "", NULL);
	ground_stop(g);
	disk_memory_hide_root(g->memory, false);
	if (g->wrong) fail_msg("%s", g->wrong);
	ground_free(g);
}

static struct err lose_set(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_SET || op->kind != STORE_FOLDER || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

/* Permissions were set over there, the answer was lost, and they are set back here. */
static void test_permissions_that_are_set_back(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	int mode = 0;
	(void)state;
	disk_mkdir(g->disk, "d", 0755, &err);
	ground_open(g);
	durable(g);
	g->fault = lose_set;
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0700, &err);
	disk_set(g->disk, "first", DISK_TIME_KEEP, 0600, &err);
	ground_run(g, 1000);
	assert_true(g->odds.lost > 0);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0755, &err);
	disk_set(g->disk, "first", DISK_TIME_KEEP, 0644, &err);
	durable(g);
	remote_kind(g, "d", &mode);
	assert_int_equal(mode & 0777, 0755);
	remote_kind(g, "first", &mode);
	assert_int_equal(mode & 0777, 0644);
	end(g);
}

static struct err move_meanwhile(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_PUT || !str_equal(op->key, "d/file") || g->odds.lost++) return err;
	disk_rename(g->disk, "d", "e", false, &err);
	disk_mkdir(g->disk, "d", 0755, &err);
	err_clear(&err);
	(void)after;
	return err;
}

/* A file is on its way while its folder gets another name, and a new folder the old one. */
static void test_a_folder_is_moved_under_a_transfer(void **state) {
	struct ground *g = begin(NULL);
	(void)state;
	ground_open(g);
	durable(g);
	g->fault = move_meanwhile;
	edit_put(g, "d/file");
	durable(g);
	durable(g); /* what happened during the first is asked for by the second */
	assert_int_equal(remote_kind(g, "e/file", NULL), STORE_FILE);
	assert_int_equal(remote_kind(g, "d/file", NULL), STORE_OTHER);
	end(g);
}

/* Deletions are held for a person: a stop does not wait for that, also where only a part of a folder
 * was let go. */
static void test_a_stop_while_deletions_are_held(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	g->settings.max_delete = (char *)"2";
	for (int i = 0; i < 6; i++) {
		char *path = xasprintf("d/e/%d", i);
		edit_put(g, path);
		free(path);
	}
	ground_open(g);
	durable(g);
	edit_remove_path(g, "d/e/0");
	durable(g);
	edit_remove_path(g, "d");
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	ground_run(g, 200000);
	ground_stop(g);
	if (g->wrong) fail_msg("%s", g->wrong);
	assert_int_equal(remote_kind(g, "d/e/5", NULL), STORE_FILE);
	ground_free(g);
}

/* What cannot be read is tried less and less often, and at once when something happens to it. */
static void test_an_unreadable_folder_is_left_alone(void **state) {
	struct ground *g = begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "d/file");
	ground_open(g);
	durable(g);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0, &err);
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	uint64_t turns = loop_counts(g->loop).turns;
	ground_run(g, 3600000);
	assert_true(loop_counts(g->loop).turns - turns < 500);
	assert_int_equal(remote_kind(g, "d/file", NULL), STORE_FILE);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0755, &err);
	ground_run(g, 2000);
	struct folder_status status;
	folder_status(g->folder, &status);
	assert_int_equal(status.refused, 0);
	folder_status_release(&status);
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
		cmocka_unit_test(test_another_kind_over_there),
		cmocka_unit_test(test_a_removal_that_is_refused),
		cmocka_unit_test(test_a_version_that_nobody_wrote_down),
		cmocka_unit_test(test_a_folder_whose_content_went_unsent),
		cmocka_unit_test(test_a_stop_finds_the_root_gone),
		cmocka_unit_test(test_permissions_that_are_set_back),
		cmocka_unit_test(test_a_folder_is_moved_under_a_transfer),
		cmocka_unit_test(test_a_stop_while_deletions_are_held),
		cmocka_unit_test(test_an_unreadable_folder_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
