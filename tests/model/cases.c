/* Single steps of the one-way model: what random stories found, each told alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

/* What was a file when we looked last is a pipe after a restart: it is gone. */
static void test_a_file_became_a_pipe_meanwhile(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "file");
	ground_open(g);
	case_durable(g);
	ground_close(g);
	disk_remove(g->disk, "file", &err);
	assert_int_equal(disk_memory_mkother(g->memory, "file", &err), 0);
	ground_open(g);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "file", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, "first", NULL), STORE_FILE);
	case_end(g);
}

/* A folder that is there already gets our permissions. */
static void test_an_adopted_folder_gets_its_permissions(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	int mode = 0;
	(void)state;
	disk_mkdir(g->disk, "d", 0700, &err);
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
	ground_open(g);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", &mode), STORE_FOLDER);
	assert_int_equal(mode & 0777, 0700);
	case_end(g);
}

/* SYNC.md §13, trap 15: a file of somebody else stands where our folder must go. It is theirs, so it
 * is said, and asked for now and then, however many files wait for the folder. */
static void test_a_folder_that_cannot_be_made(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
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
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_FILE);
	/* It is moved away: all goes on by itself. */
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "d");
	ground_run(g, 3600000);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d/199", NULL), STORE_FILE);
	case_end(g);
}

/* Somebody removed a folder over there: a barrier waits until it is made again. */
static void test_a_barrier_waits_for_lost_parents(void **state) {
	struct ground *g = case_begin(NULL);
	(void)state;
	edit_put(g, "d/e/file");
	ground_open(g);
	case_durable(g);
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "d/e/file");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/e");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	edit_put(g, "d/e/another");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d/e/another", NULL), STORE_FILE);
	case_end(g);
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
	struct ground *g = case_begin(NULL);
	(void)state;
	edit_put(g, "d/file");
	ground_open(g);
	case_durable(g);
	g->fault = busy_rmdir;
	g->odds.refused = 1;
	edit_remove_path(g, "d");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
	case_end(g);
}

/* What we hold for a folder is a file over there: it is not ours to remove, and no trouble for ever. */
static void test_another_kind_over_there(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	disk_mkdir(g->disk, "d", 0755, &err);
	edit_put(g, "f");
	ground_open(g);
	case_durable(g);
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "f");
	case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "f");
	edit_remove_path(g, "d");
	edit_remove_path(g, "f");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "f", NULL), STORE_FOLDER);
	case_end(g);
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
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "d/e/file");
	ground_open(g);
	case_durable(g);
	g->fault = refuse_removal;
	edit_remove_path(g, "d");
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	uint64_t turns = loop_counts(g->loop).turns;
	ground_run(g, 3600000);
	assert_true(loop_counts(g->loop).turns - turns < 1000);
	g->fault = NULL;
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
	case_end(g);
}

/* Where folders are markers: what would have spoken for it went before it was sent. */
static void test_a_folder_whose_content_went_unsent(void **state) {
	struct store_memory_options keys = { .keys_only = true };
	char *exclude[] = { (char *)"*.tmp", NULL };
	struct ground *g = case_begin(&keys);
	struct err err;
	(void)state;
	g->settings.exclude = exclude;
	g->settings.settle_ms = 1000;
	ground_open(g);
	case_durable(g);
	edit_put(g, "d/file");
	ground_run(g, 500); /* the folder was looked at, the file was not */
	disk_rename(g->disk, "d/file", "d/file.tmp", false, &err);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "d", NULL), STORE_FOLDER);
	case_end(g);
}

static struct err hide_root_at_list(struct ground *g, const struct store_op *op, bool *after) {
	if (op->verb == STORE_LIST && !*op->key && !g->odds.lost++) {
		disk_memory_hide_root(g->memory, true);
		watch_feed(g->watch, WATCH_ROOT_GONE, "", NULL);
	}
	(void)after;
	return (struct err){ .kind = ERR_NONE };
}

/* The root goes while the remote is listed, and the list comes all the same: it is one to a question of
 * before, and the folder is not taken for one that runs. */
static void test_a_list_comes_after_the_root_went(void **state) {
	struct store_memory_options deaf = { .deaf = true };
	struct ground *g = case_begin(&deaf);
	(void)state;
	store_memory_latency(g->content, 1000);
	g->fault = hide_root_at_list;
	ground_open(g);
	ground_run(g, 20000);
	ground_stop(g);
	disk_memory_hide_root(g->memory, false);
	g->fault = NULL;
	ground_open(g);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "first", NULL), STORE_FILE);
	case_end(g);
}

/* The service stops, and only then it is seen that the folder is away. */
static void test_a_stop_finds_the_root_gone(void **state) {
	struct ground *g = case_begin(NULL);
	(void)state;
	g->late_ms = 5000;
	ground_open(g);
	case_durable(g);
	disk_memory_hide_root(g->memory, true);
	watch_feed(g->watch, WATCH_ROOT_GONE, "", NULL);
	ground_stop(g);
	disk_memory_hide_root(g->memory, false);
	if (g->wrong) fail_msg("%s", g->wrong);
	ground_free(g);
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
	struct ground *g = case_begin(NULL);
	(void)state;
	ground_open(g);
	case_durable(g);
	g->fault = move_meanwhile;
	edit_put(g, "d/file");
	case_durable(g);
	case_durable(g); /* what happened during the first is asked for by the second */
	assert_int_equal(case_remote_kind(g, "e/file", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "d/file", NULL), STORE_OTHER);
	case_end(g);
}

static struct err remove_unseen(struct ground *g, const struct store_op *op, bool *after) {
	(void)after;
	if (op->verb == STORE_PUT && str_equal(op->key, "d/file") && !g->odds.lost++) {
		edit_remove_tree(g, "d");
		folder_sync(g->folder);
	}
	return (struct err){ .kind = ERR_NONE };
}

/* A scan sees that a folder went, before anybody tells it: it is not empty over there, by what has just
 * come. */
static void test_a_folder_goes_as_a_file_comes(void **state) {
	(void)state;
	for (int64_t latency = 20; latency <= 200; latency += 20) {
		struct ground *g = case_begin(NULL);
		store_memory_latency(g->content, latency);
		g->late_ms = 4000;
		ground_open(g);
		case_durable(g);
		g->fault = remove_unseen;
		edit_put(g, "d/file");
		folder_sync(g->folder);
		case_durable(g);
		case_durable(g); /* what happened during the first is asked for by the second */
		assert_int_equal(case_remote_kind(g, "d", NULL), STORE_OTHER);
		case_end(g);
	}
}

static struct err remove_under_way(struct ground *g, const struct store_op *op, bool *after) {
	(void)after;
	if (op->verb == STORE_PUT && str_equal(op->key, "d/file") && !g->odds.lost++) {
		edit_remove_path(g, "d/file");
		folder_sync(g->folder);
	}
	return (struct err){ .kind = ERR_NONE };
}

/* A file is sent, and goes before anybody watches its folder: the list knows of no such file, and the index of
 * none either, until the answer comes. */
static void test_a_file_goes_while_it_is_sent(void **state) {
	struct ground *g = case_begin(NULL);
	(void)state;
	store_memory_latency(g->content, 2000);
	g->late_ms = 3600000; /* as if nobody told */
	edit_put(g, "d/other");
	ground_open(g);
	case_durable(g);
	g->fault = remove_under_way;
	edit_put(g, "d/file");
	folder_sync(g->folder);
	ground_run(g, 120000);
	assert_true(g->odds.lost > 0);
	assert_int_equal(case_remote_kind(g, "d/file", NULL), STORE_OTHER);
	case_end(g);
}

/* A file makes way for a folder of its name that the rules leave out: the file was deleted, not left out,
 * and what it held is kept. */
static void test_a_file_makes_way_for_a_folder_left_out(void **state) {
	static char *exclude[] = { (char *)"cache/", NULL };
	struct ground *g = case_begin(NULL);
	(void)state;
	g->settings.exclude = exclude;
	edit_put(g, "cache");
	ground_open(g);
	case_durable(g);
	edit_remove_path(g, "cache");
	edit_put(g, "cache/file");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "cache", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, "cache/file", NULL), STORE_OTHER);
	assert_int_equal(case_remote_kind(g, ".tend/versions/cache", NULL), STORE_FOLDER);
	/* And back. */
	edit_remove_tree(g, "cache");
	edit_put(g, "cache");
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "cache", NULL), STORE_FILE);
	case_end(g);
}

/* Deletions are held for a person: a stop does not wait for that, also where only a part of a folder
 * was let go. */
static void test_a_stop_while_deletions_are_held(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	g->settings.max_delete = (char *)"2";
	for (int i = 0; i < 6; i++) {
		char *path = xasprintf("d/e/%d", i);
		edit_put(g, path);
		free(path);
	}
	ground_open(g);
	case_durable(g);
	edit_remove_path(g, "d/e/0");
	case_durable(g);
	edit_remove_path(g, "d");
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	ground_run(g, 200000);
	ground_stop(g);
	if (g->wrong) fail_msg("%s", g->wrong);
	assert_int_equal(case_remote_kind(g, "d/e/5", NULL), STORE_FILE);
	ground_free(g);
}

static struct err write_more(struct ground *g, const struct store_op *op, bool *after) {
	(void)after;
	if (op->verb == STORE_PUT && !g->paused) {
		char *path = xasprintf("more/%u", g->counts.ops);
		edit_put(g, path);
		free(path);
	}
	return (struct err){ .kind = ERR_NONE };
}

/* Somebody else goes on writing: a stop sends what was there before it, and ends. */
static void test_a_stop_while_others_write(void **state) {
	struct ground *g = case_begin(NULL);
	(void)state;
	g->settings.settle_ms = 0;
	store_memory_latency(g->content, 500);
	ground_open(g);
	case_durable(g);
	g->fault = write_more;
	edit_put(g, "d/before");
	int64_t began_ms = loop_now_ms(g->loop);
	ground_stop(g);
	if (g->wrong) fail_msg("%s", g->wrong);
	assert_true(loop_now_ms(g->loop) - began_ms < 20000); /* of simulated time */
	assert_int_equal(case_remote_kind(g, "d/before", NULL), STORE_FILE);
	g->paused = true;
	ground_open(g);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "more", NULL), STORE_FOLDER);
	case_end(g);
}

/* What cannot be read is tried less and less often, and at once when something happens to it. */
static void test_an_unreadable_folder_is_left_alone(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	edit_put(g, "d/file");
	ground_open(g);
	case_durable(g);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0, &err);
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	uint64_t turns = loop_counts(g->loop).turns;
	ground_run(g, 3600000);
	assert_true(loop_counts(g->loop).turns - turns < 500);
	assert_int_equal(case_remote_kind(g, "d/file", NULL), STORE_FILE);
	disk_set(g->disk, "d", DISK_TIME_KEEP, 0755, &err);
	ground_run(g, 2000);
	struct folder_status status;
	folder_status(g->folder, &status);
	assert_int_equal(status.refused, 0);
	folder_status_release(&status);
	case_end(g);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_became_a_pipe_meanwhile),
		cmocka_unit_test(test_an_adopted_folder_gets_its_permissions),
		cmocka_unit_test(test_a_folder_that_cannot_be_made),
		cmocka_unit_test(test_a_barrier_waits_for_lost_parents),
		cmocka_unit_test(test_a_busy_server_is_no_full_folder),
		cmocka_unit_test(test_another_kind_over_there),
		cmocka_unit_test(test_a_removal_that_is_refused),
		cmocka_unit_test(test_a_folder_whose_content_went_unsent),
		cmocka_unit_test(test_a_stop_finds_the_root_gone),
		cmocka_unit_test(test_a_list_comes_after_the_root_went),
		cmocka_unit_test(test_a_folder_is_moved_under_a_transfer),
		cmocka_unit_test(test_a_folder_goes_as_a_file_comes),
		cmocka_unit_test(test_a_file_goes_while_it_is_sent),
		cmocka_unit_test(test_a_file_makes_way_for_a_folder_left_out),
		cmocka_unit_test(test_a_stop_while_deletions_are_held),
		cmocka_unit_test(test_a_stop_while_others_write),
		cmocka_unit_test(test_an_unreadable_folder_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
