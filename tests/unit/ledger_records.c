/* What the ledger was told is there in the next life, and it never grows without bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/ledger.h"
#include "loop/loop.h"

static char folder[64];
static char path[96];
static struct ledger *ledger;
static struct err err;

static int set_up(void **state) {
	strcpy(folder, "/tmp/tend-ledger-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/ledger.db", folder);
	ledger = ledger_open(path, &err);
	assert_non_null(ledger);
	return 0;
}

static int tear_down(void **state) {
	char command[128];
	ledger_close(ledger);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

static void an_unknown_unit_has_an_empty_record(void **state) {
	struct ledger_service record;
	memset(&record, 1, sizeof(record));
	assert_int_equal(ledger_service_read(ledger, "service:none", &record, &err), 0);
	assert_string_equal(record.run, "");
	assert_int_equal(record.pid, 0);
	assert_string_equal(record.stopped_boot, "");
}

static void a_record_comes_back_in_the_next_life(void **state) {
	const struct ledger_service in = {
		.run = "00112233445566778899aabbccddeeff",
		.boot = "boot-1",
		.pid = 4711,
		.start_time = UINT64_MAX,
		.started_ns = 1,
		.restarts = 2,
		.failures = 3,
		.delay_step = 4,
		.ended = true,
		.exit_code = 5,
		.exit_signal = 9,
		.exit_oom = LEDGER_OOM_OTHERS | LEDGER_OOM_LIMIT,
		.ended_ns = 6,
		.stopped_boot = "boot-2",
		.done_boot = "boot-3",
	};
	struct ledger_service out;
	char **names;
	assert_int_equal(ledger_service_write(ledger, "service:a", &in, &err), 0);
	assert_int_equal(ledger_service_write(ledger, "service:b", &in, &err), 0);
	assert_int_equal(ledger_service_write(ledger, "service:a", &in, &err), 0);
	ledger_close(ledger);
	ledger = ledger_open(path, &err);
	assert_int_equal(ledger_service_read(ledger, "service:a", &out, &err), 0);
	assert_string_equal(out.run, in.run);
	assert_string_equal(out.boot, in.boot);
	assert_string_equal(out.stopped_boot, in.stopped_boot);
	assert_string_equal(out.done_boot, in.done_boot);
	assert_true(out.pid == in.pid && out.start_time == in.start_time);
	assert_true(out.started_ns == 1 && out.restarts == 2 && out.failures == 3);
	assert_true(out.delay_step == 4 && out.ended && out.exit_code == 5);
	assert_true(out.exit_signal == 9 && out.ended_ns == 6);
	assert_int_equal(out.exit_oom, LEDGER_OOM_OTHERS | LEDGER_OOM_LIMIT);
	assert_int_equal(ledger_service_forget(ledger, "service:a", &err), 0);
	assert_int_equal(ledger_service_names(ledger, &names, &err), 0);
	assert_int_equal(strv_count(names), 1);
	assert_string_equal(names[0], "service:b");
	strv_free(names);
}

static void collect(void *user, const struct ledger_event *event) {
	char ***texts = user;
	strv_add_owned(texts, xasprintf("%s %s %s", event->unit, event->event, event->text));
}

static void history_is_read_newest_first(void **state) {
	char **texts = NULL;
	ledger_history_add(ledger, 1, "service:a", "started", "pid 1", &err);
	ledger_history_add(ledger, 2, "service:b", "started", NULL, &err);
	ledger_history_add(ledger, 3, "service:a", "exited", "code 1", &err);
	assert_int_equal(ledger_history_read(ledger, NULL, 0, 2, collect, &texts, &err), 0);
	assert_int_equal(strv_count(texts), 2);
	assert_string_equal(texts[0], "service:a exited code 1");
	assert_string_equal(texts[1], "service:b started ");
	strv_free(texts);
	texts = NULL;
	assert_int_equal(ledger_history_read(ledger, "service:a", 0, 10, collect, &texts, &err), 0);
	assert_int_equal(strv_count(texts), 2);
	assert_string_equal(texts[1], "service:a started pid 1");
	strv_free(texts);
}

static void count(void *user, const struct ledger_event *event) {
	++*(size_t *)user;
}

static void history_is_bounded(void **state) {
	size_t rows = 0;
	for (int i = 0; i < LEDGER_HISTORY_MAX + 500; i++)
		assert_int_equal(ledger_history_add(ledger, i, "service:a", "x", "y", &err), 0);
	assert_int_equal(ledger_history_read(ledger, NULL, 0, SIZE_MAX, count, &rows, &err), 0);
	assert_in_range(rows, LEDGER_HISTORY_MAX - 200, LEDGER_HISTORY_MAX);
}

static void history_is_read_from_a_time_on(void **state) {
	size_t rows = 0;
	for (int i = 0; i < 10; i++)
		ledger_history_add(ledger, i * NS_PER_S, "service:a", "x", "y", &err);
	assert_int_equal(
		ledger_history_read(ledger, NULL, 7 * NS_PER_S, 100, count, &rows, &err), 0);
	assert_int_equal(rows, 3);
	rows = 0;
	assert_int_equal(
		ledger_history_read(ledger, "service:a", 8 * NS_PER_S, 100, count, &rows, &err), 0);
	assert_int_equal(rows, 2);
}

/* Also when few rows are added in a life: the first of each life looks. */
static void history_grows_no_older_than_its_days(void **state) {
	const int64_t day_ns = 24 * 3600 * NS_PER_S;
	size_t rows = 0;
	for (int i = 0; i < 150; i++)
		ledger_history_add(ledger, i * day_ns, "service:a", "x", "y", &err);
	ledger_close(ledger);
	ledger = ledger_open(path, &err);
	assert_non_null(ledger);
	ledger_history_add(ledger, 150 * day_ns, "service:a", "x", "y", &err);
	assert_int_equal(ledger_history_read(ledger, NULL, 0, SIZE_MAX, count, &rows, &err), 0);
	assert_int_equal(rows, LEDGER_HISTORY_DAYS + 1);
}

static void a_damaged_file_is_put_aside(void **state) {
	char aside[128];
	struct ledger_service record = { .pid = 1 };
	ledger_close(ledger);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 1000; i++) fputs("this is no database ", file);
	fclose(file);
	ledger = ledger_open(path, &err);
	assert_non_null(ledger);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(ledger_service_write(ledger, "service:a", &record, &err), 0);
}

static void a_folder_that_is_not_there_is_an_error(void **state) {
	assert_null(ledger_open("/no/such/folder/ledger.db", &err));
	assert_non_null(strstr(err.text, "cannot open the ledger '/no/such/folder/ledger.db'"));
}

/* What another process sees of it, or the next life after a kill. */
static size_t rows_for_others(void) {
	size_t rows = 0;
	struct ledger *other = ledger_open(path, &err);
	assert_non_null(other);
	assert_int_equal(ledger_history_read(other, NULL, 0, SIZE_MAX, count, &rows, &err), 0);
	ledger_close(other);
	return rows;
}

static void stop(struct timer *timer) {
	loop_stop(timer->loop);
}

static void a_turn_is_one_transaction(void **state) {
	struct ledger_service record = { .pid = 1 };
	struct ledger_step step = { .pid = 1 };
	struct loop *loop = loop_new_simulated(1);
	struct timer timer;
	(void)state;
	ledger_gather(ledger, loop);
	ledger_history_add(ledger, 1, "service:a", "x", "y", &err);
	ledger_service_write(ledger, "service:a", &record, &err);
	assert_int_equal(ledger_service_read(ledger, "service:a", &record, &err), 0);
	assert_int_equal(record.pid, 1);
	assert_int_equal(rows_for_others(), 0);
	assert_int_equal(ledger_settle(ledger), 0);
	assert_int_equal(rows_for_others(), 1);
	/* The next begins by itself, and ends with the turn or with what never waits. */
	ledger_history_add(ledger, 2, "service:a", "x", "y", &err);
	assert_int_equal(rows_for_others(), 1);
	timer_init(&timer, loop, stop);
	timer_start(&timer, 0);
	loop_run(loop);
	assert_int_equal(rows_for_others(), 2);
	ledger_history_add(ledger, 3, "service:a", "x", "y", &err);
	assert_int_equal(ledger_step_write(ledger, "step:a", &step, &err), 0);
	assert_int_equal(rows_for_others(), 3);
	ledger_history_add(ledger, 4, "service:a", "x", "y", &err);
	ledger_close(ledger);
	loop_free(loop);
	ledger = ledger_open(path, &err);
	assert_int_equal(rows_for_others(), 4);
}

static void a_step_comes_back_as_it_was(void **state) {
	static const struct ledger_step in = { .definition = "d",
		.machine = "m",
		.done_boot = "b",
		.done_ns = 1,
		.wrote = "w",
		.run = "r",
		.run_boot = "rb",
		.running = "rd",
		.pid = 2,
		.start_time = 3,
		.started_ns = 4,
		.tries = 5,
		.reboot_boot = "x" };
	static const struct ledger_step none;
	struct ledger_step out;
	(void)state;
	assert_int_equal(ledger_step_read(ledger, "step:a", &out, &err), 0);
	assert_memory_equal(&out, &none, sizeof(out));
	assert_int_equal(ledger_step_write(ledger, "step:a", &in, &err), 0);
	assert_int_equal(ledger_step_write(ledger, "step:b", &none, &err), 0);
	ledger_close(ledger);
	ledger = ledger_open(path, &err);
	assert_int_equal(ledger_step_read(ledger, "step:a", &out, &err), 0);
	assert_memory_equal(&out, &in, sizeof(out));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_unknown_unit_has_an_empty_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_record_comes_back_in_the_next_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_step_comes_back_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_turn_is_one_transaction, set_up, tear_down),
		cmocka_unit_test_setup_teardown(history_is_read_newest_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(history_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(history_is_read_from_a_time_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			history_grows_no_older_than_its_days, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_put_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_folder_that_is_not_there_is_an_error, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
