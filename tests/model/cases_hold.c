/* Single steps of the one-way model: a store that asks for hours of patience, as Google does after a day's amount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

enum { HOUR_MS = 3600000 };

static int uploads, hours;

static struct err day_is_used_up(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb != STORE_PUT || str_starts(op->key, ".tend/")) return err;
	uploads++;
	err_set(&err, ERR_BUSY, "no more for now: goes on at noon");
	err.retry_ms = (uint32_t)hours * HOUR_MS;
	(void)after;
	(void)g;
	return err;
}

static struct ground *begin(int patience) {
	struct ground *g = case_begin(NULL);
	ground_open(g);
	case_durable(g);
	uploads = 0;
	hours = patience;
	g->fault = day_is_used_up;
	edit_put(g, "second");
	edit_put(g, "third");
	return g;
}

static bool says_when(struct ground *g) {
	struct folder_status status;
	folder_status(g->folder, &status);
	bool says = str_equal(status.state, "failed") && strstr(status.trouble.text, "at noon");
	folder_status_release(&status);
	return says;
}

/* Nothing is asked for, and status says so all the time; then it goes on by itself. */
static void test_hours_pass_in_silence(void **state) {
	struct ground *g = begin(3);
	(void)state;
	ground_run(g, 60000);
	int told = uploads;
	unsigned ops = g->counts.ops;
	assert_in_range(told, 1, 2);
	for (int i = 0; i < 17; i++) {
		ground_run(g, HOUR_MS / 6);
		assert_true(says_when(g));
	}
	assert_int_equal(uploads, told);
	assert_int_equal(g->counts.ops, ops);
	g->fault = NULL;
	ground_run(g, HOUR_MS / 3);
	assert_int_equal(case_remote_kind(g, "second", NULL), STORE_FILE);
	assert_int_equal(case_remote_kind(g, "third", NULL), STORE_FILE);
	assert_false(says_when(g));
	case_end(g);
}

/* A new start asks for nothing before its time; what was noted counts once. */
static void test_a_new_start_waits_on(void **state) {
	struct ground *g = begin(3);
	(void)state;
	ground_run(g, HOUR_MS);
	int told = uploads;
	ground_close(g);
	ground_open(g);
	ground_run(g, HOUR_MS);
	assert_int_equal(uploads, told);
	assert_true(says_when(g));
	g->fault = NULL;
	ground_run(g, HOUR_MS + 60000);
	assert_int_equal(case_remote_kind(g, "second", NULL), STORE_FILE);
	ground_close(g);
	ground_open(g);
	edit_put(g, "fourth");
	case_durable(g);
	assert_false(says_when(g));
	case_end(g);
}

/* A person who asks for it has it tried at once, also after a new start. */
static void test_a_person_need_not_wait(void **state) {
	struct ground *g = begin(3);
	(void)state;
	ground_run(g, HOUR_MS);
	ground_close(g);
	ground_open(g);
	ground_run(g, 60000);
	assert_true(says_when(g));
	g->fault = NULL;
	folder_sync(g->folder);
	ground_run(g, 60000);
	assert_int_equal(case_remote_kind(g, "second", NULL), STORE_FILE);
	assert_false(says_when(g));
	case_end(g);
}

/* A clock that was wrong then, or is now, does not silence it for a year. */
static void test_no_patience_for_a_year(void **state) {
	struct ground *g = begin(1000);
	(void)state;
	ground_run(g, 60000);
	int told = uploads;
	ground_run(g, INT64_C(25) * HOUR_MS);
	assert_true(uploads > told);
	case_end(g);
}

static int refusals;

static struct err not_yet(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_LIST && str_starts(op->key, ".tend/") && refusals-- > 0)
		err_set(&err, ERR_DENIED, "not yet allowed");
	(void)after;
	(void)g;
	return err;
}

/* Where nothing is sent, and something is refused for good, the next poll ends what was said of the remote. */
static void test_a_refusal_at_the_start_is_over(void **state) {
	struct ground *g = case_begin(NULL);
	struct folder_status status;
	struct err err;
	(void)state;
	g->settings.mode = FOLDER_FETCH;
	g->settings.poll_ms = 1000;
	case_remote_do(g, STORE_PUT, STORE_FILE, "other");
	case_remote_do(g, STORE_PUT, STORE_FILE, "d");
	edit_put(g, "d/file"); /* a folder in its place, which a person has to move away */
	ground_open(g);
	ground_run(g, 20000);
	ground_stop(g);
	refusals = 2;
	g->fault = not_yet;
	ground_open(g);
	ground_run(g, 60000);
	assert_int_equal(refusals, -1);
	folder_status(g->folder, &status);
	assert_int_equal(status.trouble.kind, ERR_NONE);
	folder_status_release(&status);
	assert_int_equal(ground_barrier(g, &err), GROUND_REFUSED);
	if (!strstr(err.text, "1 paths")) fail_msg("%s", err.text);
	edit_remove_path(g, "d");
	case_durable(g);
	case_end(g);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hours_pass_in_silence),
		cmocka_unit_test(test_a_new_start_waits_on),
		cmocka_unit_test(test_a_person_need_not_wait),
		cmocka_unit_test(test_no_patience_for_a_year),
		cmocka_unit_test(test_a_refusal_at_the_start_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
