/* Deletions: how many are too many, and what happens to those that are. */
#include "support/world.h"

#include "sync/brake_rule.h"

/* ---- the rule ---- */

static void test_rule_is_read(void **state) {
	static const struct {
		const char *text;
		bool versions;
		struct brake_rule rule;
	} rows[] = {
		{ NULL, true, { 50, -1 } },
		{ NULL, false, { 50, 1000 } },
		{ "none", false, { -1, -1 } },
		{ "20%", false, { 20, -1 } },
		{ "7", true, { -1, 7 } },
		{ "0", true, { -1, 0 } },
		{ " 10%  500 ", true, { 10, 500 } },
		{ "500\n10%", true, { 10, 500 } },
	};
	static const char *const bad[] = { "", "lots", "101%", "-1", "%", "5 6", "5% 6%", "none 5",
		"5 none" };
	struct brake_rule rule;
	struct err err;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(brake_rule_parse(&rule, rows[i].text, rows[i].versions, &err), 0);
		assert_int_equal(rule.percent, rows[i].rule.percent);
		assert_int_equal(rule.most, rows[i].rule.most);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (!brake_rule_parse(&rule, bad[i], true, &err))
			fail_msg("'%s' was taken", bad[i]);
}

static void test_verdicts(void **state) {
	static const struct brake_rule half = { 50, -1 }, mirror = { 50, 1000 }, few = { -1, 3 },
				       none = { -1, -1 };
	static const struct {
		const char *what;
		const struct brake_rule *rule;
		struct brake_question q;
		enum brake_verdict verdict;
	} rows[] = {
		{ "nothing to go", &half, { .base = 10 }, BRAKE_GO },
		{ "a small folder may lose a hundred", &half, { .base = 100, .now = 100 },
			BRAKE_GO },
		{ "but no more", &half, { .base = 101, .now = 101 }, BRAKE_STOP_COUNT },
		{ "half may go", &half, { .base = 1000, .now = 500 }, BRAKE_GO },
		{ "one more may not", &half, { .base = 1000, .now = 501 }, BRAKE_STOP_COUNT },
		{ "rounded down", &half, { .base = 1001, .now = 501 }, BRAKE_STOP_COUNT },
		{ "what went in the hour counts", &half, { .base = 1000, .gone = 400, .now = 101 },
			BRAKE_STOP_COUNT },
		{ "up to the same number", &half, { .base = 1000, .gone = 400, .now = 100 },
			BRAKE_GO },
		{ "large trees", &half, { .base = INT64_MAX / 2, .now = INT64_MAX / 4 }, BRAKE_GO },
		{ "without versions at most a thousand", &mirror, { .base = 1000000, .now = 1001 },
			BRAKE_STOP_COUNT },
		{ "and a thousand go", &mirror, { .base = 1000000, .now = 1000 }, BRAKE_GO },
		{ "the smaller of both", &mirror, { .base = 300, .now = 151 }, BRAKE_STOP_COUNT },
		{ "a count alone has no floor", &few, { .base = 1000, .now = 4 },
			BRAKE_STOP_COUNT },
		{ "no brake", &none, { .base = 1000, .now = 999 }, BRAKE_GO },
		{ "an empty root always stops", &none, { .base = 2, .now = 2, .root_empty = true },
			BRAKE_STOP_EMPTY },
		{ "but not for empty folders", &half, { .base = 0, .now = 0, .root_empty = true },
			BRAKE_GO },
		{ "what comes while a person is asked waits", &half,
			{ .base = 1000, .now = 1, .stopped = true }, BRAKE_STOP_COUNT },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (brake_judge(rows[i].rule, &rows[i].q) != rows[i].verdict)
			fail_msg("%s: judged otherwise", rows[i].what);
}

static void test_the_hour_slides(void **state) {
	struct brake_window w = { .used = 0 }, read;
	int64_t base = -1;
	(void)state;
	assert_int_equal(brake_window_sum(&w, 1000, &base), 0);
	assert_int_equal(base, -1);
	/* 70 minutes with deletions in each: only the last 60 count, against the base at their start. */
	for (int64_t minute = 1000; minute < 1070; minute++) {
		brake_window_add(&w, minute, 2, 5000 - 3 * (minute - 1000));
		brake_window_add(&w, minute, 1, 1);
	}
	assert_int_equal(brake_window_sum(&w, 1069, &base), 180);
	assert_int_equal(base, 5000 - 30);
	assert_int_equal(brake_window_sum(&w, 1069 + 59, &base), 3);
	assert_int_equal(brake_window_sum(&w, 1069 + 60, &base), 0);
	/* A clock that was set back forgets nothing. */
	brake_window_add(&w, 3, 5, 9);
	assert_int_equal(brake_window_sum(&w, 3, &base), 185);
	char *text = brake_window_write(&w);
	brake_window_read(&read, text);
	free(text);
	assert_int_equal(read.used, w.used);
	assert_memory_equal(read.minutes, w.minutes, w.used * sizeof(*w.minutes));
	static const char *const odd[] = { "", "x", "1 2", "5 1 1\n5 1 1\n5 1 1\n",
		"9 1 1\n8 1 1\n" };
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		brake_window_read(&read, odd[i]);
		assert_true(read.used <= 1);
	}
}

/* ---- folders ---- */

static bool is_stopped(struct bench *b) {
	struct folder_status status = status_of(b);
	bool stopped = str_equal(status.state, "stopped") && status.needs_person &&
		       status.stopped_deletions;
	folder_status_release(&status);
	return stopped;
}

static int64_t held(struct bench *b) {
	struct folder_status status = status_of(b);
	int64_t files = status.held_files;
	folder_status_release(&status);
	return files;
}

static bool has_120(struct bench *b) {
	return held(b) == 120;
}

static bool has_70(struct bench *b) {
	return held(b) == 70;
}

static bool new_arrived(struct bench *b) {
	char *path = path_join(b->cloud, "new");
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}

static int64_t list_named(struct bench *b, size_t *count) {
	struct folder_deletion *list;
	int64_t upto;
	*count = folder_deletions(b->folder, 1000, &list, &upto);
	folder_deletions_free(list, *count);
	return upto;
}

/* 150 files of which 120 go: half of them, but never fewer than a hundred, may. */
static void fill(struct bench *b) {
	shell("cd '%s' && mkdir -p d/e && for i in $(seq 100); do echo $i > d/$i; done && "
	      "for i in $(seq 50); do echo $i > d/e/$i; done",
		b->local);
}

static void assert_files_at_cloud(struct bench *b, int count) {
	shell("test $(find '%s' -path '*/.tend' -prune -o -type f -print | wc -l) = %d", b->cloud,
		count);
}

static void test_too_many_stop_and_others_go_on(void **state) {
	struct bench *b = *state;
	size_t count;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s' && rm $(ls d | grep -v e | sed 's,^,d/,' | head -70) d/e/*", b->local);
	put(b, "new", "goes on");
	wait_until(b, "it stops", is_stopped);
	wait_until(b, "all are held", has_120);
	wait_until(b, "what is new goes on", new_arrived);
	assert_files_at_cloud(b, 151);
	struct err err = durable(b);
	assert_int_equal(err.kind, ERR_DENIED);
	/* A restart is no answer. */
	world_again(b);
	wait_until(b, "it is still stopped", is_stopped);
	assert_int_equal(held(b), 120);
	/* What comes back is no longer on the list. */
	shell("cd '%s' && for i in $(seq 50); do echo $i > d/e/$i; done", b->local);
	wait_until(b, "the list shrinks", has_70);
	/* What goes after the list was seen is not covered by the answer. */
	int64_t seen = list_named(b, &count);
	assert_int_equal(count, 70);
	shell("rm -r '%s/d/e'", b->local);
	wait_until(b, "more is held", has_120);
	assert_int_equal(folder_approve(b->folder, seen, &err), 0);
	struct folder_status status = status_of(b);
	assert_int_equal(status.held_files, 50);
	folder_status_release(&status);
	assert_true(is_stopped(b));
	assert_int_equal(folder_approve(b->folder, list_named(b, &count), &err), 0);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	assert_int_equal(folder_approve(b->folder, INT64_MAX, &err), -1);
	/* What a person approved does not count against the next ones. */
	shell("cd '%s' && rm $(ls d | sed 's,^,d/,' | head -10)", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	world_close(b);
}

static void test_the_hour_outlives_a_restart(void **state) {
	struct bench *b = *state;
	b->settings.max_delete = (char *)"15";
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s/d' && rm 1 2 3 4 5 6 7 8", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_files_at_cloud(b, 142);
	world_again(b);
	wait_until(b, "looked again", is_idle);
	shell("cd '%s/d' && rm 11 12 13 14 15 16 17 18", b->local);
	assert_int_equal(durable(b).kind, ERR_DENIED);
	assert_files_at_cloud(b, 142);
	/* A looser rule is for what comes; what was stopped is still asked about. */
	assert_int_equal(held(b), 8);
	world_close(b);
}

static void test_a_folder_counts_with_all_it_holds(void **state) {
	struct bench *b = *state;
	struct err err;
	size_t count;
	b->settings.max_delete = (char *)"60";
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("rm -r '%s/d'; touch '%s/stays'", b->local, b->local);
	wait_until(b, "it stops", is_stopped);
	assert_int_equal(held(b), 150);
	assert_files_at_cloud(b, 151);
	int64_t upto = list_named(b, &count);
	assert_true(count >= 150);
	assert_int_equal(folder_approve(b->folder, upto, &err), 0);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	world_close(b);
}

static void test_an_empty_root_may_be_approved(void **state) {
	struct bench *b = *state;
	struct err err;
	size_t count;
	put(b, "one", "1");
	put(b, "two", "2");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("rm '%s/one' '%s/two'", b->local, b->local);
	wait_until(b, "it stops", is_stopped);
	assert_files_at_cloud(b, 2);
	assert_int_equal(folder_approve(b->folder, list_named(b, &count), &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_files_at_cloud(b, 0);
	world_close(b);
}

static bool are_moved(struct bench *b) {
	char *path = path_join(b->cloud, "other/1");
	bool there = access(path, F_OK) == 0;
	free(path);
	return there && is_idle(b);
}

/* Renames are no deletions, however many, and whether a person waits for them or not. */
static void test_renames_are_no_deletions(void **state) {
	struct bench *b = *state;
	b->settings.max_delete = (char *)"5";
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s' && mkdir other && mv d/[0-9]* other", b->local);
	wait_until(b, "moved", are_moved);
	assert_equal_trees(b);
	shell("cd '%s' && mv other/* d && mv d elsewhere", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	struct folder_status status = status_of(b);
	assert_int_equal(status.held_files, 0);
	assert_true(status.sent_files < 200);
	folder_status_release(&status);
	world_close(b);
}

static void test_a_stop_does_not_hold_the_flush(void **state) {
	struct bench *b = *state;
	b->settings.max_delete = (char *)"0";
	put(b, "one", "1");
	put(b, "two", "2");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("rm '%s/one'", b->local);
	put(b, "new", "written before the stop");
	bool down = false;
	unit_graph_stop(b->graph, false, closed, &down);
	loop_run_until(b->loop, &down);
	assert_files_at_cloud(b, 3);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_is_read),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_the_hour_slides),
		cmocka_unit_test_setup_teardown(
			test_too_many_stop_and_others_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_hour_outlives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_folder_counts_with_all_it_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_empty_root_may_be_approved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renames_are_no_deletions, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_stop_does_not_hold_the_flush, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
