/* Folders that go, stay for what lies in them, or are made again: of what is in them nothing is forgotten, and nobody waits for ever. */
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

static struct ground *begin(enum folder_mode mode, bool keys_only) {
	const struct store_memory_options options = { .keys_only = keys_only };
	struct ground *g = case_begin(&options);
	g->settings.mode = mode;
	g->settings.poll_ms = 1000;
	return g;
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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes_makes_the_folder_again),
		cmocka_unit_test(test_a_person_makes_the_folder_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
