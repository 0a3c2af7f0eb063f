/* The compare that comes by itself: on its timer, also over a new start, and with some of the files read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

enum { HOUR_MS = 3600000, WEEK_HOURS = 168, FILES = 100 };

static int lists, reads[FILES];

static struct err count(struct ground *g, const struct store_op *op, bool *after) {
	int number;

	lists += op->verb == STORE_LIST && !str_starts(op->key, ".tend");
	if (op->verb == STORE_GET && sscanf(op->key, "d/%d", &number) == 1) reads[number]++;
	(void)g;
	(void)after;
	return (struct err){ .kind = ERR_NONE };
}

static struct ground *begin(enum folder_mode mode, int per_cent) {
	struct ground *g = case_begin(NULL);
	char name[16];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		edit_put(g, name);
	}
	g->settings.mode = mode;
	g->settings.verify_ms = (int64_t)WEEK_HOURS * HOUR_MS;
	g->settings.verify_read = per_cent;
	ground_open(g);
	case_durable(g);
	lists = 0;
	memset(reads, 0, sizeof(reads));
	g->fault = count;
	return g;
}

static void hours(struct ground *g, int64_t count_of) {
	ground_run(g, count_of * HOUR_MS);
}

static struct folder_status status_of(struct ground *g) {
	struct folder_status status;

	folder_status(g->folder, &status);
	return status;
}

static int64_t compared(struct ground *g) {
	struct folder_status status = status_of(g);
	int64_t many = status.verify_text ? status.verify_compared : 0;

	folder_status_release(&status);
	return many;
}

static int were_read(int *times) {
	int files = 0;

	*times = 0;
	for (int i = 0; i < FILES; i++) {
		files += reads[i] > 0;
		*times += reads[i];
	}
	return files;
}

/* Nothing is listed before its time; what is missing there by then is sent again, and a week later the next one comes. */
static void test_it_comes_each_week(void **state) {
	struct ground *g = begin(FOLDER_BACKUP, 0);
	int times;
	(void)state;
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "d/7");
	hours(g, WEEK_HOURS - 1);
	assert_int_equal(lists, 0);
	assert_int_equal(compared(g), 0);
	assert_int_equal(case_remote_kind(g, "d/7", NULL), STORE_OTHER);
	hours(g, 2);
	assert_int_equal(compared(g), FILES + 1);
	int once = lists;
	assert_true(once > 0);
	assert_int_equal(case_remote_kind(g, "d/7", NULL), STORE_FILE);
	hours(g, WEEK_HOURS - 2);
	assert_int_equal(lists, once);
	hours(g, 2);
	assert_in_range(lists, once + 1, 2 * once);
	assert_int_equal(were_read(&times), 0);
	case_end(g);
}

/* A machine that is on for a day at a time has its compare all the same. */
static void test_a_new_start_does_not_put_it_off(void **state) {
	struct ground *g = begin(FOLDER_BACKUP, 0);
	(void)state;
	for (int day = 0; day < 6; day++) {
		hours(g, 24);
		ground_close(g);
		lists = 0;
		ground_open(g);
		hours(g, 1);
	}
	assert_int_equal(compared(g), 0);
	hours(g, 24);
	assert_int_equal(compared(g), FILES + 1);
	case_end(g);
}

/* So many of a hundred each time, others each time: in the end all were. */
static void test_some_are_read(void **state) {
	struct ground *g = begin(FOLDER_BACKUP, 20);
	int times;
	(void)state;
	hours(g, WEEK_HOURS + 1);
	assert_in_range(were_read(&times), 8, 35);
	struct folder_status status = status_of(g);
	assert_in_range(status.verify_read, times, times + 1); /* "first" as well */
	folder_status_release(&status);
	for (int week = 0; week < 40; week++) hours(g, WEEK_HOURS);
	assert_int_equal(were_read(&times), FILES);
	assert_in_range(times, 41 * FILES / 6, 41 * FILES / 4);
	case_end(g);
}

/* Where things come here each poll compares all but the bytes. */
static void test_both_ways_are_compared_to_be_read(void **state) {
	(void)state;
	for (int per_cent = 0; per_cent <= 20; per_cent += 20) {
		struct ground *g = begin(FOLDER_TWO_WAY, per_cent);
		int times;
		hours(g, 2 * WEEK_HOURS);
		assert_int_equal(compared(g) > 0, per_cent > 0);
		assert_int_equal(were_read(&times) > 0, per_cent > 0);
		case_end(g);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_comes_each_week),
		cmocka_unit_test(test_a_new_start_does_not_put_it_off),
		cmocka_unit_test(test_some_are_read),
		cmocka_unit_test(test_both_ways_are_compared_to_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
