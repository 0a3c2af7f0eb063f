#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void empty_is_a_string(void **state) {
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	assert_string_equal(buf.at, "");
	assert_int_equal(buf_add(&buf, "", 0), 0);
	assert_string_equal(buf.at, "");
	buf_clear(&buf);
	buf_consume(&buf, 0);
	char *text = buf_steal(&buf);
	assert_string_equal(text, "");
	free(text);
	buf_release(&buf);
}

static void adds_up_to_its_limit(void **state) {
	static const struct {
		size_t max;
		const char *parts[4];
		const char *content;
		bool full;
	} cases[] = {
		{ 10, { "hello", "world" }, "helloworld", false },
		{ 9, { "hello", "world" }, "hello", true },
		{ 6, { "hello", "world", "!" }, "hello!", true }, /* stays full until cleared */
		{ 0, { "x" }, "", true },
		{ 1000, { "", "a", "" }, "a", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf buf;
		buf_init(&buf, cases[i].max);
		for (size_t j = 0; cases[i].parts[j]; j++) buf_adds(&buf, cases[i].parts[j]);
		assert_string_equal(buf.at, cases[i].content);
		assert_int_equal(buf.len, strlen(cases[i].content));
		assert_int_equal(buf.full, cases[i].full);
		buf_clear(&buf);
		assert_false(buf.full);
		assert_string_equal(buf.at, "");
		buf_release(&buf);
	}
}

static void formats(void **state) {
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	assert_int_equal(buf_addf(&buf, "%d-%s", 12, "ab"), 0);
	assert_int_equal(buf_addc(&buf, '.'), 0);
	assert_string_equal(buf.at, "12-ab.");
	assert_int_equal(buf_addf(&buf, "%s", "xyz"), -1);
	assert_true(buf.full);
	assert_string_equal(buf.at, "12-ab.");
	buf_release(&buf);
}

static void grows_over_many_sizes(void **state) {
	struct buf buf;

	(void)state;
	buf_init(&buf, 5000);
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(buf_addc(&buf, (char)('a' + i % 26)), 0);
		assert_int_equal(buf.at[buf.len], '\0');
	}
	assert_int_equal(buf_addc(&buf, 'x'), -1);
	for (size_t i = 0; i < 5000; i++) assert_int_equal(buf.at[i], 'a' + i % 26);
	buf_release(&buf);
	assert_string_equal(buf.at, "");
}

static void consumes_and_gives_away(void **state) {
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_adds(&buf, "line one\nrest");
	buf_consume(&buf, 9);
	assert_string_equal(buf.at, "rest");
	assert_int_equal(buf.len, 4);
	char *text = buf_steal(&buf);
	assert_string_equal(text, "rest");
	free(text);
	assert_int_equal(buf.len, 0);
	buf_adds(&buf, "again");
	assert_string_equal(buf.at, "again");
	buf_consume(&buf, 5);
	assert_string_equal(buf.at, "");
	buf_release(&buf);
}

static void holds_bytes_that_are_no_text(void **state) {
	static const char bytes[] = { 1, 0, 2, 0 };
	struct buf buf;

	(void)state;
	buf_init(&buf, 100);
	buf_add(&buf, bytes, sizeof(bytes));
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.at, bytes, 4);
	buf_release(&buf);
}

static void is_written_in_place(void **state) {
	struct buf buf;

	(void)state;
	buf_init(&buf, 300);
	char *room = buf_room(&buf, 200);
	memset(room, 'x', 200);
	buf_filled(&buf, 150);
	assert_int_equal(buf.len, 150);
	assert_int_equal(buf.at[150], 0);
	assert_null(buf_room(&buf, 151));
	assert_true(buf.full);
	buf_clear(&buf);
	/* What does not fit the room at hand is written anew, and what exceeds the limit not at all. */
	for (int width = 1; width <= 300; width++) {
		buf_release(&buf);
		buf_adds(&buf, "a");
		int rc = buf_addf(&buf, "%*d", width, 7);
		assert_int_equal(rc, width < 300 ? 0 : -1);
		assert_int_equal(buf.len, width < 300 ? 1 + width : 1);
		assert_int_equal(strlen(buf.at), buf.len);
		if (!rc) assert_int_equal(buf.at[width], '7');
	}
	buf_release(&buf);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_a_string),
		cmocka_unit_test(adds_up_to_its_limit),
		cmocka_unit_test(formats),
		cmocka_unit_test(grows_over_many_sizes),
		cmocka_unit_test(consumes_and_gives_away),
		cmocka_unit_test(holds_bytes_that_are_no_text),
		cmocka_unit_test(is_written_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
