/* plan_path: every cell that matters, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sync/parts.h"
#include "sync/plan.h"

struct row {
	const char *what;
	struct plan_question question;
	enum plan_action action;
};

static const struct row rows[] = {
	{ "a new file", { .local = LOCAL_FILE, .same = SAME_NOT }, PLAN_PUT },
	{ "a new link", { .local = LOCAL_LINK, .same = SAME_NOT }, PLAN_PUT },
	{ "a new folder", { .local = LOCAL_FOLDER }, PLAN_MKDIR },
	{ "a socket", { .local = LOCAL_OTHER }, PLAN_REFUSE_KIND },
	{ "nothing anywhere", { .local = LOCAL_ABSENT }, PLAN_NOTHING },
	{ "a file as agreed", { .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_ALL },
		PLAN_NOTHING },
	{ "a touched file", { .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_CONTENT },
		PLAN_SET },
	{ "a file renamed over itself",
		{ .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_BYTES }, PLAN_RECORD },
	{ "an edited file", { .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_NOT },
		PLAN_PUT },
	{ "a deleted file", { .local = LOCAL_ABSENT, .file = BASE_AGREED }, PLAN_REMOVE },
	{ "a stranger is never deleted", { .local = LOCAL_ABSENT, .file = BASE_STRANGER },
		PLAN_NOTHING },
	{ "a strange folder is never deleted", { .local = LOCAL_ABSENT, .folder = BASE_STRANGER },
		PLAN_NOTHING },
	{ "a stranger with our bytes",
		{ .local = LOCAL_FILE, .file = BASE_STRANGER, .same = SAME_BYTES }, PLAN_ADOPT },
	{ "a stranger with our bytes and another mtime",
		{ .local = LOCAL_FILE, .file = BASE_STRANGER, .same = SAME_CONTENT }, PLAN_SET },
	{ "a stranger with other bytes",
		{ .local = LOCAL_FILE, .file = BASE_STRANGER, .same = SAME_NOT }, PLAN_PUT },
	{ "a strange folder", { .local = LOCAL_FOLDER, .folder = BASE_STRANGER }, PLAN_ADOPT },
	{ "a deleted folder, children first",
		{ .local = LOCAL_ABSENT, .folder = BASE_AGREED, .folder_has_children = true },
		PLAN_EMPTY_FOLDER },
	{ "a deleted folder, empty", { .local = LOCAL_ABSENT, .folder = BASE_AGREED },
		PLAN_REMOVE_FOLDER },
	{ "a file becomes a folder", { .local = LOCAL_FOLDER, .file = BASE_AGREED }, PLAN_REMOVE },
	{ "a folder becomes a file",
		{ .local = LOCAL_FILE,
			.folder = BASE_AGREED,
			.folder_has_children = true,
			.same = SAME_NOT },
		PLAN_EMPTY_FOLDER },
	{ "an emptied folder becomes a file",
		{ .local = LOCAL_FILE, .folder = BASE_AGREED, .same = SAME_NOT },
		PLAN_REMOVE_FOLDER },
	{ "a file becomes a link", { .local = LOCAL_LINK, .file = BASE_AGREED, .same = SAME_NOT },
		PLAN_REMOVE },
	{ "a link becomes a file",
		{ .local = LOCAL_FILE,
			.file = BASE_AGREED,
			.file_is_link = true,
			.same = SAME_NOT },
		PLAN_REMOVE },
	{ "a file becomes a socket", { .local = LOCAL_OTHER, .file = BASE_AGREED }, PLAN_REMOVE },
	{ "newly excluded", { .local = LOCAL_EXCLUDED, .file = BASE_AGREED }, PLAN_FORGET },
	{ "a newly excluded folder",
		{ .local = LOCAL_EXCLUDED, .folder = BASE_AGREED, .folder_has_children = true },
		PLAN_FORGET },
	{ "excluded and never agreed", { .local = LOCAL_EXCLUDED, .file = BASE_STRANGER },
		PLAN_NOTHING },
	{ "a folder's mode",
		{ .local = LOCAL_FOLDER, .folder = BASE_AGREED, .folder_differs = true },
		PLAN_MKDIR },
	{ "a folder as agreed", { .local = LOCAL_FOLDER, .folder = BASE_AGREED }, PLAN_NOTHING },
	{ "an unsealed file is asked for",
		{ .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_ALL, .unsealed = true },
		PLAN_CHECK },
	{ "an unsealed file that was edited goes again",
		{ .local = LOCAL_FILE, .file = BASE_AGREED, .same = SAME_NOT, .unsealed = true },
		PLAN_PUT },
	{ "an unsealed folder is made again",
		{ .local = LOCAL_FOLDER, .folder = BASE_AGREED, .unsealed = true }, PLAN_MKDIR },
};

static void test_rows(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum plan_action action = plan_path(&rows[i].question);
		if (action != rows[i].action)
			fail_msg("%s: planned %d, wanted %d", rows[i].what, action, rows[i].action);
	}
}

/* Whatever else is said: without an agreed base nothing is removed at the remote. */
static void test_no_base_no_removal(void **state) {
	(void)state;
	for (unsigned bits = 0; bits < 6u * 2 * 2 * 2 * 4 * 2 * 2 * 2; bits++) {
		unsigned n = bits;
		struct plan_question q = { 0 };
		q.local = n % 6, n /= 6;
		q.file = n % 2 ? BASE_STRANGER : BASE_NONE, n /= 2;
		q.folder = n % 2 ? BASE_STRANGER : BASE_NONE, n /= 2;
		q.file_is_link = n % 2, n /= 2;
		q.same = n % 4, n /= 4;
		q.folder_has_children = n % 2, n /= 2;
		q.unsealed = n % 2, n /= 2;
		q.folder_differs = n % 2;
		enum plan_action action = plan_path(&q);
		assert_true(action != PLAN_REMOVE && action != PLAN_REMOVE_FOLDER &&
			    action != PLAN_EMPTY_FOLDER);
	}
}

/* ---- parts that others sent ---- */

static const struct {
	int64_t size;
	int parts;
	int64_t bytes[3]; /* the habits to be tried, in order; 0: no more */
} habit_rows[] = {
	{ 17 << 20, 3, { 8 << 20 } },
	{ 16 << 20, 2, { 8 << 20, 15 << 20 } }, /* to the byte */
	{ (16 << 20) + 1, 2, { 16 << 20, 15 << 20 } },
	{ 17 << 20, 4, { 5 << 20 } },
	{ 100 << 20, 2, { 64 << 20 } },
	{ 100, 1, { 8 << 20, 5 << 20, 16 << 20 } },
	{ 17 << 20, 7, { 0 } },
	{ 0, 1, { 0 } },
	{ INT64_C(80000) << 20, 10000, { 8 << 20 } },
};

static void test_habits(void **state) {
	for (size_t i = 0; i < ARRAY_LEN(habit_rows); i++) {
		size_t at = 0;
		for (size_t n = 0; n < 3; n++, at++) {
			at = parts_habit(habit_rows[i].size, habit_rows[i].parts, at);
			if (!habit_rows[i].bytes[n]) {
				assert_true(at == PARTS_NO_HABIT);
				break;
			}
			assert_true(at != PARTS_NO_HABIT);
			assert_int_equal(parts_habit_bytes(at), habit_rows[i].bytes[n]);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_habits),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_base_no_removal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
