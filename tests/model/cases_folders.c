/* Folders that go, stay for what lies in them, or are made again: of what is in them nothing is forgotten, and nobody waits for ever. */
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

enum { LATENCY_MS = 3000, MOMENTS_MAX = 60 };

static bool is_here(struct ground *g, const char *path) {
	struct disk_stat stat;
	struct err err;
	return disk_stat(g->disk, path, &stat, &err) == 0;
}

static bool is_there(struct ground *g, const char *path) {
	return case_remote_kind(g, path, NULL) != STORE_OTHER;
}

static struct ground *begin_at(enum folder_mode mode, const struct store_memory_options *options) {
	struct ground *g = case_begin(options);
	g->settings.mode = mode;
	g->settings.poll_ms = 1000;
	return g;
}

static struct ground *begin(enum folder_mode mode, bool keys_only) {
	const struct store_memory_options options = { .keys_only = keys_only };
	return begin_at(mode, &options);
}

/* ---- made again before anybody saw what went in it ---- */

/* All that lies in "d" is agreed, and goes while nobody looks. */
static struct ground *tree_goes(enum folder_mode mode, bool keys_only) {
	struct ground *g = begin(mode, keys_only);
	edit_put(g, "d/file");
	edit_put(g, "d/sub/file");
	edit_put(g, "d/sub/deep/file");
	ground_open(g);
	case_durable(g);
	ground_run(g, 10000);
	return g;
}

static void all_went(struct ground *g) {
	assert_false(is_there(g, "d/file"));
	assert_false(is_there(g, "d/sub/file"));
	assert_false(is_there(g, "d/sub/deep/file"));
}

static struct err nothing_comes(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_GET && !path_is_within(op->key, ".tend"))
		err_set(&err, ERR_OFFLINE, "nobody answers");
	(void)g;
	(void)after;
	return err;
}

/* What comes into it from the other side makes it, after all that was listed has been seen. */
static void test_what_comes_makes_the_folder_again(void **state) {
	static const char *const news[] = { "a", "b", "c", "e", "d/sub/new" };
	(void)state;
	for (int keys_only = 0; keys_only < 2; keys_only++) {
		struct ground *g = tree_goes(FOLDER_TWO_WAY, keys_only);
		g->fault = nothing_comes;
		for (size_t i = 0; i < ARRAY_LEN(news); i++)
			case_remote_do(g, STORE_PUT, STORE_FILE, news[i]);
		ground_run(g, 5000);
		ground_kill(g, false, 0);
		edit_remove_path(g, "d");
		g->fault = NULL;
		g->late_ms = 3600000;
		g->settings.max_transfers = 1; /* one after the other, and what went at last */
		store_memory_latency(g->content, LATENCY_MS);
		ground_open(g);
		case_durable(g);
		assert_true(is_here(g, "d/sub/new"));
		all_went(g);
		case_end(g);
	}
}

static int moment; /* of the disk's looks, until a person makes it again */
static const char *made;

static void make_again(struct ground *g) {
	struct err err;
	if (--moment) return;
	g->paused = true;
	if (disk_mkdir_parents(g->disk, made, &err) || disk_mkdir(g->disk, made, 0755, &err))
		fail_msg("%s", err.text);
}

/* At whatever moment of a barrier a person makes it, which the system is slow to tell. */
static void made_again_at(enum folder_mode mode, bool keys_only, const char *path) {
	for (int at = 1; at < MOMENTS_MAX; at++) {
		struct ground *g = tree_goes(mode, keys_only);
		ground_kill(g, false, 0);
		edit_remove_path(g, "d");
		edit_put(g, "other");
		store_memory_latency(g->content, LATENCY_MS);
		g->late_ms = 3600000;
		g->edit = make_again;
		g->odds.edit_while_looking = 1000000;
		moment = at;
		made = path;
		ground_open(g);
		case_durable(g);
		g->edit = NULL;
		all_went(g);
		case_end(g);
	}
}

static void test_a_person_makes_the_folder_again(void **state) {
	static const enum folder_mode modes[] = { FOLDER_BACKUP, FOLDER_MIRROR, FOLDER_TWO_WAY };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		for (int keys_only = 0; keys_only < 2; keys_only++) {
			made_again_at(modes[i], keys_only, "d");
			made_again_at(modes[i], keys_only, "d/sub");
		}
	}
}

/* ---- it is to go, and something in it stays ---- */

static int changes; /* so often it was asked for */

/* Nobody may read it from the moment on that it is known to be gone there. */
static struct err is_asked_for(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	(void)after;
	if (op->verb != STORE_STAT || !str_equal(op->key, "d/sub/file") || changes++) return err;
	if (disk_set(g->disk, op->key, DISK_TIME_KEEP, 0, &err)) fail_msg("%s", err.text);
	return err;
}

/* In trouble as what stays, it is no reason to wait for ever; and goes right after it. */
static void test_a_folder_stays_with_what_stays_in_it(void **state) {
	static const enum folder_mode modes[] = { FOLDER_TWO_WAY, FOLDER_FETCH };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct ground *g = begin(modes[i], false);
		struct err err;
		g->fine_clock = true;
		assert_int_equal(disk_remove(g->disk, "first", &err), 0);
		case_remote_do(g, STORE_PUT, STORE_FILE, "other");
		case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
		case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d/sub");
		case_remote_do(g, STORE_PUT, STORE_FILE, "d/sub/file");
		ground_open(g);
		case_durable(g);
		ground_run(g, 5000);
		changes = 0;
		g->fault = is_asked_for;
		case_remote_do(g, STORE_REMOVE, STORE_FILE, "d/sub/file");
		case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/sub");
		case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
		assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
		assert_true(changes > 0);
		unsigned ops = g->counts.ops;
		ground_run(g, 600000);
		/* A list each second, and a few questions. */
		assert_in_range(g->counts.ops - ops, 1, 600 + 100);
		ground_stop(g);
		ground_open(g);
		ground_run(g, 60000);
		assert_int_equal(disk_set(g->disk, "d/sub/file", DISK_TIME_KEEP, 0644, &err), 0);
		case_durable(g);
		assert_false(is_here(g, "d"));
		case_end(g);
	}
}

/* ---- a file here in its place ---- */

static struct err folder_comes_back(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	(void)after;
	if (!str_equal(op->key, "d")) return err;
	if (op->verb == STORE_GET && changes == 0) {
		changes++;
		case_remote_do(g, STORE_REMOVE, STORE_FILE, "d");
	} else if (op->verb == STORE_STAT && op->kind == STORE_FILE && changes == 1) {
		changes++;
		case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "d");
		case_remote_do(g, STORE_PUT, STORE_FILE, "d/new");
	}
	return err;
}

/* The folder was asked for, and was gone there as here, where a file took its place; and while the other one's file comes, that is the
 * folder again. */
static void test_a_folder_comes_back_while_its_file_comes(void **state) {
	/* They are kept by a look of ours, which finds the folder. */
	const struct store_memory_options options = { .conditions = STORE_CONDITIONS_REFUSED };
	struct ground *g = begin_at(FOLDER_TWO_WAY, &options);
	struct err err;
	(void)state;
	g->settings.settle_ms = g->settings.max_settle_ms = 5000; /* a poll comes before */
	assert_int_equal(disk_mkdir(g->disk, "d", 0755, &err), 0);
	ground_open(g);
	case_durable(g);
	ground_run(g, 10000);
	edit_remove_path(g, "d");
	edit_put(g, "d");
	case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
	changes = 0;
	g->fault = folder_comes_back;
	ground_run(g, 20000);
	assert_int_equal(changes, 2);
	case_durable(g);
	assert_true(is_here(g, "d/new"));
	case_end(g);
}

/* ---- it goes while a list of before is on its way ---- */

static void goes(struct ground *g) {
	edit_remove_path(g, "d");
}

static void is_renamed(struct ground *g) {
	struct err err;
	assert_int_equal(disk_rename(g->disk, "d", "e", false, &err), 0);
}

/* At whatever moment between two polls, what is gone here does not come again. */
static void gone_for_good(bool keys_only, void (*edit)(struct ground *ground)) {
	for (int at = 0; at < MOMENTS_MAX; at++) {
		struct ground *g = begin(FOLDER_TWO_WAY, keys_only);
		struct err err;
		edit_put(g, "d/file");
		edit_put(g, "d/sub/file");
		assert_int_equal(disk_mkdir(g->disk, "d/bare", 0755, &err), 0);
		ground_open(g);
		case_durable(g);
		store_memory_latency(g->content, LATENCY_MS);
		ground_run(g, 10000 + at * 200);
		edit(g);
		for (int step = 0; step < 300; step++) {
			ground_run(g, 100);
			assert_false(is_here(g, "d"));
		}
		case_durable(g);
		assert_false(is_here(g, "d") || is_there(g, "d") || is_there(g, "d/sub"));
		case_end(g);
	}
}

static void test_what_goes_stays_gone(void **state) {
	(void)state;
	for (int keys_only = 0; keys_only < 2; keys_only++) {
		gone_for_good(keys_only, goes);
		gone_for_good(keys_only, is_renamed);
	}
}

static int no_list(struct ground *g, enum disk_part part, const char *path) {
	(void)g;
	return part == DISK_PART_LIST && !*path ? EIO : 0;
}

static int failures; /* so often it cannot be listed */

static int no_list_for_now(struct ground *g, enum disk_part part, const char *path) {
	(void)g;
	return part == DISK_PART_LIST && str_equal(path, "d") && failures-- > 0 ? EIO : 0;
}

/* Whoever waits for the folder waits for what is found in it later, once it can be listed. */
static void test_a_folder_that_cannot_be_listed_at_first(void **state) {
	(void)state;
	for (int often = 1; often < 5; often++) {
		for (int64_t ms = 0; ms < 1000; ms += 50) {
			struct ground *g = case_begin(NULL);
			g->disk_fault = no_list_for_now;
			ground_open(g);
			case_durable(g);
			failures = often;
			edit_put(g, "d/sub/file");
			ground_run(g, ms);
			struct err err;
			if (ground_barrier(g, &err) == GROUND_DURABLE)
				assert_true(is_there(g, "d/sub/file"));
			g->disk_fault = NULL;
			case_end(g);
		}
	}
}

/* Nothing is known of what is in the root: that is said, and it is listed once it can be. */
static void test_a_root_that_cannot_be_listed(void **state) {
	struct ground *g = case_begin(NULL);
	struct err err;
	(void)state;
	g->disk_fault = no_list;
	ground_open(g);
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	if (!strstr(err.text, "cannot be read")) fail_msg("%s", err.text);
	unsigned ops = g->counts.ops;
	ground_run(g, 600000);
	assert_int_equal(g->counts.ops, ops); /* the remote has nothing to do with it */
	g->disk_fault = NULL;
	ground_run(g, 120000);
	case_durable(g);
	assert_int_equal(case_remote_kind(g, "first", NULL), STORE_FILE);
	case_end(g);
}

/* A root of which nobody knows what is in it is not empty, and what is gone from it goes there once that is known. */
static void test_a_root_that_cannot_be_looked_at(void **state) {
	struct ground *g = case_begin(NULL);
	struct folder_status status;
	(void)state;
	edit_put(g, "second");
	ground_open(g);
	case_durable(g);
	edit_remove_path(g, "second");
	g->disk_fault = no_list;
	ground_run(g, 10000);
	folder_status(g->folder, &status);
	assert_false(status.stopped_deletions);
	folder_status_release(&status);
	assert_true(is_there(g, "second"));
	g->disk_fault = NULL;
	ground_run(g, 600000);
	case_durable(g);
	assert_false(is_there(g, "second"));
	case_end(g);
}

/* ---- a folder of ours gets another name there while lists are on their way ---- */

static int files_in(struct ground *g, const char *folder) {
	struct disk_list list;
	struct err err;
	if (disk_list(g->disk, folder, &list, &err)) fail_msg("%s", err.text);
	int count = (int)list.count;
	disk_list_release(&list);
	return count;
}

/* What lies in it was edited too: the lists that find it under its new name before the rows follow tell of nobody else's edit. */
static void test_a_folder_moves_while_it_is_listed(void **state) {
	(void)state;
	for (int how = 0; how < 2; how++) {
		const struct store_memory_options options = { .list_by_folder = how,
			.hash_first = true };
		for (int64_t settle_ms = 100; settle_ms < 4000; settle_ms += 100) {
			struct ground *g = begin_at(FOLDER_TWO_WAY, &options);
			struct err err;
			g->fine_clock = true;
			g->settings.poll_ms = 100;
			edit_put(g, "d/file");
			edit_put(g, "d/sub/file");
			ground_open(g);
			case_durable(g);
			ground_close(g);
			g->settings.settle_ms = settle_ms;
			g->settings.max_settle_ms = 10000;
			store_memory_latency(g->content, 1000);
			ground_open(g);
			ground_run(g, 20000);
			assert_int_equal(disk_rename(g->disk, "d", "e", false, &err), 0);
			edit_put(g, "e/file");
			edit_put(g, "e/sub/file");
			ground_run(g, 30000);
			case_durable(g);
			case_durable(g);
			assert_int_equal(files_in(g, "e"), 2);
			assert_int_equal(files_in(g, "e/sub"), 1);
			assert_false(is_here(g, "d"));
			assert_false(is_there(g, "d/file"));
			case_end(g);
		}
	}
}

/* A file takes the place of a folder there, and is told of before the walk has come to what went: nobody's edit is another one's. */
static void test_a_file_in_place_of_a_folder_while_it_is_listed(void **state) {
	(void)state;
	for (int how = 0; how < 2; how++) {
		const struct store_memory_options options = { .list_by_folder = how };
		for (int64_t latency_ms = 0; latency_ms < 4000; latency_ms += 200) {
			struct ground *g = begin_at(FOLDER_TWO_WAY, &options);
			size_t len = 0;
			edit_put(g, "d/file");
			edit_put(g, "d/sub/file");
			edit_put(g, "e/file");
			edit_put(g, "f/file");
			ground_open(g);
			case_durable(g);
			ground_close(g);
			case_remote_do(g, STORE_REMOVE, STORE_FILE, "d/sub/file");
			case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d/sub");
			case_remote_do(g, STORE_REMOVE, STORE_FILE, "d/file");
			case_remote_do(g, STORE_REMOVE, STORE_FOLDER, "d");
			case_remote_do(g, STORE_PUT, STORE_FILE, "d");
			store_memory_latency(g->content, latency_ms);
			ground_open(g);
			case_durable(g);
			case_durable(g);
			assert_non_null(disk_memory_peek(g->memory, "d", &len));
			assert_int_equal(len, strlen("theirs"));
			assert_int_equal(files_in(g, ""), 4);
			case_end(g);
		}
	}
}

/* ---- what the remote has, before anything is agreed ---- */

static int lists;

static struct err each_fifth_list_fails(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	(void)g;
	(void)after;
	if (op->verb == STORE_LIST && !path_is_within(op->key, ".tend") && ++lists % 5 == 0)
		err_set(&err, lists % 2 ? ERR_OFFLINE : ERR_BUSY, "nobody answers");
	return err;
}

/* It goes on where it was: what begins anew whenever one question fails would never end. */
static void test_many_folders_of_a_remote_that_fails_now_and_then(void **state) {
	static const enum folder_mode modes[] = { FOLDER_BACKUP, FOLDER_TWO_WAY, FOLDER_FETCH };
	const struct store_memory_options options = { .list_by_folder = true };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct ground *g = begin_at(modes[i], &options);
		for (char name[] = "a"; *name <= 'l'; (*name)++)
			case_remote_do(g, STORE_MKDIR, STORE_FOLDER, name);
		lists = 0;
		g->fault = each_fifth_list_fails;
		ground_open(g);
		case_durable(g);
		assert_in_range(lists, 13, 2 * (13 + 4));
		case_end(g);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_makes_the_folder_again),
		cmocka_unit_test(test_a_person_makes_the_folder_again),
		cmocka_unit_test(test_a_folder_stays_with_what_stays_in_it),
		cmocka_unit_test(test_a_folder_comes_back_while_its_file_comes),
		cmocka_unit_test(test_what_goes_stays_gone),
		cmocka_unit_test(test_a_folder_that_cannot_be_listed_at_first),
		cmocka_unit_test(test_a_root_that_cannot_be_listed),
		cmocka_unit_test(test_a_root_that_cannot_be_looked_at),
		cmocka_unit_test(test_a_folder_moves_while_it_is_listed),
		cmocka_unit_test(test_a_file_in_place_of_a_folder_while_it_is_listed),
		cmocka_unit_test(test_many_folders_of_a_remote_that_fails_now_and_then),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
