/* Single steps of the one-way model: an answer is lost, and something else happens before it is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

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
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	ground_open(g);
	case_durable(g);
	g->fault = lose_mkdir;
	edit_put(g, "d/file");
	ground_run(g, 1000);
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
	g->fault = no_child;
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	g->fault = NULL;
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "d");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d/file", NULL), STORE_FILE);
	case_end(g);
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
		case_remote_do(g, STORE_PUT, STORE_FILE, "f");
	} else if (op->verb == STORE_STAT && g->odds.lost == 2) {
		case_remote_do(g, STORE_REMOVE, STORE_FILE, "f");
		g->odds.lost++;
	}
	return err;
}

/* A version was kept, and nobody wrote that down: its place is taken when the next is to be kept. */
static void test_a_version_that_nobody_wrote_down(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "f");
	ground_open(g);
	case_durable(g);
	g->fault = version_left_over;
	edit_remove_path(g, "f");
	disk_mkdir(g->disk, "f", 0755, &err);
	case_durable(g);
	assert_int_equal(g->odds.lost, 3);
	edit_remove_path(g, "f");
	edit_put(g, "f");
	case_durable(g);
	edit_put(g, "f");
	unsigned ops = g->counts.ops;
	case_durable(g);
	assert_true(g->counts.ops - ops < 10);
	case_end(g);
}

static struct err lose_marker(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_MKDIR || !str_equal(op->key, "d") || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

/* Where folders are markers: one was made, the answer was lost, and the folder is gone before anybody
 * asks. */
static void test_a_marker_that_nobody_wrote_down(void **state) {
	struct store_memory_options keys = { .keys_only = true };
	struct ground *g = case_begin(&keys);
	struct err err;
	(void)state;
	ground_open(g);
	case_durable(g);
	g->fault = lose_marker;
	disk_mkdir(g->disk, "d", 0755, &err);
	ground_run(g, 1500);
	assert_true(g->odds.lost > 0);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_FOLDER);
	edit_remove_path(g, "d");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
	case_end(g);
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
	struct ground *g = case_begin(NULL);
	struct err err;
	int mode = 0;
	(void)state;
	disk_mkdir(g->disk, "d", 0755, &err);
	ground_open(g);
	case_durable(g);
	g->fault = lose_set;
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0700, &err);
	disk_set(g->disk, "first", DISK_TIME_KEEP, 0600, &err);
	ground_run(g, 1000);
	assert_true(g->odds.lost > 0);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0755, &err);
	disk_set(g->disk, "first", DISK_TIME_KEEP, 0644, &err);
	case_durable(g);
	case_remote_kind(g, "d", &mode);
	assert_int_equal(mode & 0777, 0755);
	case_remote_kind(g, "first", &mode);
	assert_int_equal(mode & 0777, 0644);
	case_end(g);
}

static struct err lose_move(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_MOVE || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

/* It was moved over there, the answer was lost, and it is moved back here: nothing differs from what
 * was agreed, and yet it is not there. */
static void test_a_rename_that_is_taken_back(void **state) {
	static const char *const names[][2] = { { "a", "b" }, { "d", "e" } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *from = names[i][0], *to = names[i][1];
		struct ground *g = case_begin(NULL);
		struct err err;
		edit_put(g, "a");
		edit_put(g, "d/file");
		ground_open(g);
		case_durable(g);
		ground_run(g, 10000);
		g->fault = lose_move;
		disk_rename(g->disk, from, to, false, &err);
		ground_run(g, 1500);
		assert_true(g->odds.lost > 0);
		disk_rename(g->disk, to, from, false, &err);
		case_durable(g);
		assert_int_equal(case_remote_kind(g, "a", NULL), STORE_FILE);
		assert_int_equal(case_remote_kind(g, "d/file", NULL), STORE_FILE);
		if (i == 0) assert_int_equal(case_remote_kind(g, "b", NULL), STORE_OTHER);
		case_end(g);
	}
}

static struct err lose_move_and_see_puts(struct ground *g, const struct store_op *op, bool *after) {
	if (op->verb == STORE_PUT && str_equal(op->key, "c"))
		ground_wrong(g, "sent, though it stands there under another name", op->key);
	return lose_move(g, op, after);
}

/* It was moved over there, the answer was lost, and it is moved on here: what stands under the middle name
 * is known for what it is, goes along, and is no deletion. */
static void test_a_rename_that_goes_on(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "a");
	ground_open(g);
	case_durable(g);
	ground_run(g, 10000);
	g->fault = lose_move_and_see_puts;
	disk_rename(g->disk, "a", "b", false, &err);
	ground_run(g, 1500);
	assert_true(g->odds.lost > 0);
	disk_rename(g->disk, "b", "c", false, &err);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "a", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, "b", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, "c", NULL), STORE_FILE);
	case_end(g);
}

static struct err lose_second_put(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_PUT || !str_equal(op->key, "a") || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

static void hear_of_others(enum log_level level, const char *line, void *user) {
	(void)level;
	if (strstr(line, "by somebody else")) ++*(int *)user;
}

/* A new file took the name of one that moved away, was stored there, and the answer was lost: what was
 * agreed under that name is not what stands there, and is not moved as if it were. */
static void test_a_rename_from_where_a_put_was_lost(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	int others = 0;
	(void)state;
	edit_put(g, "a");
	ground_open(g);
	case_durable(g);
	ground_run(g, 10000);
	g->fault = lose_second_put;
	log_open(LOG_LEVEL_WARN, LOG_TEXT);
	log_tap(hear_of_others, &others);
	disk_rename(g->disk, "a", "b", false, &err);
	edit_put(g, "a");
	case_durable(g);
	assert_true(g->odds.lost > 0);
	assert_int_equal(case_remote_kind(g, "a", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "b", NULL), STORE_FILE);
	log_tap(NULL, NULL);
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	assert_int_equal(others, 0);
	case_end(g);
}

static struct err lose_removal(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_REMOVE || !str_equal(op->key, "d") || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

/* A folder was removed over there, the answer was lost, and it is made again here: nothing differs from
 * what was agreed, and yet it is not there. */
static void test_a_folder_that_is_made_again(void **state) {
	struct store_memory_options keys = { .keys_only = true };
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ground *g = case_begin(i ? &keys : NULL);
		struct err err;
		disk_mkdir(g->disk, "d", 0755, &err);
		ground_open(g);
		case_durable(g);
		g->fault = lose_removal;
		edit_remove_path(g, "d");
		for (int tries = 0; tries < 100 && !g->odds.lost; tries++) ground_run(g, 100);
		assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
		disk_mkdir(g->disk, "d", 0755, &err);
		case_durable(g);
		assert_int_equal(case_remote_kind(g, "d", NULL), STORE_FOLDER);
		case_end(g);
	}
}

static struct err lose_set_of_file(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_SET || !str_equal(op->key, "f") || g->odds.lost++) return err;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

/* Permissions were set over there, and the power went before anybody wrote down that they were to be. */
static void test_permissions_that_nobody_remembers(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	int mode = 0;
	(void)state;
	ground_open(g);
	case_durable(g);
	edit_put(g, "f");
	for (int tries = 0; tries < 100 && case_remote_kind(g, "f", NULL) == STORE_OTHER; tries++)
		ground_run(g, 10);
	ground_run(g, 50);
	g->fault = lose_set_of_file;
	disk_set(g->disk, "f", DISK_TIME_KEEP, 0400, &err);
	for (int tries = 0; tries < 100 && !g->odds.lost; tries++) ground_run(g, 10);
	ground_kill(g, true, 2);
	disk_set(g->disk, "f", DISK_TIME_KEEP, 0644, &err);
	ground_open(g);
	case_durable(g);
	case_remote_kind(g, "f", &mode);
	assert_int_equal(mode & 0777, 0644);
	case_end(g);
}

/* A file was removed over there, and the power took back that it was removed here, with all that was written down of it. */
static void test_a_deletion_that_the_power_takes_back(void **state) {
	static char *exclude[] = { (char *)"*.tmp", NULL };
	static const enum folder_mode modes[] = { FOLDER_BACKUP, FOLDER_MIRROR };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct ground *g = case_begin(NULL);
		struct err err;
		g->settings.exclude = exclude;
		g->settings.mode = modes[i];
		edit_put(g, "f");
		ground_open(g);
		case_durable(g);
		ground_run(g, 10000);
		disk_rename(g->disk, "f", "f.tmp", false, &err); /* for the folder it is gone */
		for (int n = 0; n < 1000 && case_remote_kind(g, "f", NULL) == STORE_FILE; n++)
			ground_run(g, 100);
		assert_int_equal(case_remote_kind(g, "f", NULL), STORE_OTHER);
		ground_kill(g, true, 3);
		disk_rename(g->disk, "f.tmp", "f", false, &err);
		ground_open(g);
		case_durable(g);
		assert_int_equal(case_remote_kind(g, "f", NULL), STORE_FILE);
		case_end(g);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_intent_meets_another_kind),
		cmocka_unit_test(test_a_version_that_nobody_wrote_down),
		cmocka_unit_test(test_a_marker_that_nobody_wrote_down),
		cmocka_unit_test(test_permissions_that_are_set_back),
		cmocka_unit_test(test_a_rename_that_is_taken_back),
		cmocka_unit_test(test_a_rename_that_goes_on),
		cmocka_unit_test(test_a_rename_from_where_a_put_was_lost),
		cmocka_unit_test(test_a_folder_that_is_made_again),
		cmocka_unit_test(test_permissions_that_nobody_remembers),
		cmocka_unit_test(test_a_deletion_that_the_power_takes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
