/* What flags of FSEvents mean, and where a path lies: as macOS tells them, judged on any system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "watch/fsevents.h"

/* Of FSEvents.h, beside those that say something. */
enum { META = 0x400, MODIFIED = 0x1000, IS_FILE = 0x10000, IS_LINK = 0x40000 };

static const struct {
	uint32_t flags;
	bool root;
	unsigned says;
} rows[] = {
	{ FSEVENTS_CREATED | MODIFIED | IS_FILE, false, FSEVENTS_SAYS_CHANGED },
	{ FSEVENTS_REMOVED | IS_FILE, false, FSEVENTS_SAYS_CHANGED },
	{ FSEVENTS_RENAMED | IS_LINK, false, FSEVENTS_SAYS_CHANGED },
	{ 0, false, FSEVENTS_SAYS_CHANGED }, /* without file events */
	{ FSEVENTS_CREATED | FSEVENTS_IS_FOLDER, false, FSEVENTS_SAYS_NEW },
	{ FSEVENTS_CLONED | FSEVENTS_IS_FOLDER, false, FSEVENTS_SAYS_NEW },
	{ FSEVENTS_REMOVED | FSEVENTS_IS_FOLDER, false, FSEVENTS_SAYS_GONE },
	{ FSEVENTS_RENAMED | FSEVENTS_IS_FOLDER, false, FSEVENTS_SAYS_GONE | FSEVENTS_SAYS_NEW },
	{ FSEVENTS_CREATED | FSEVENTS_REMOVED | FSEVENTS_IS_FOLDER, false,
		FSEVENTS_SAYS_GONE | FSEVENTS_SAYS_NEW },
	{ META | FSEVENTS_IS_FOLDER, false, FSEVENTS_SAYS_CHANGED },
	/* Lost, or not told one by one. */
	{ FSEVENTS_MUST_SCAN, false, FSEVENTS_SAYS_NEW },
	{ FSEVENTS_MUST_SCAN, true, FSEVENTS_SAYS_OVERFLOW },
	{ FSEVENTS_MUST_SCAN | FSEVENTS_USER_DROPPED, false, FSEVENTS_SAYS_OVERFLOW },
	{ FSEVENTS_MUST_SCAN | FSEVENTS_KERNEL_DROPPED, true, FSEVENTS_SAYS_OVERFLOW },
	/* Disks that come and go. */
	{ FSEVENTS_MOUNT, false, FSEVENTS_SAYS_NEW },
	{ FSEVENTS_MOUNT, true, FSEVENTS_SAYS_OVERFLOW },
	{ FSEVENTS_UNMOUNT, false, FSEVENTS_SAYS_OVERFLOW },
	/* The root. */
	{ FSEVENTS_ROOT_CHANGED, true, FSEVENTS_SAYS_ROOT_GONE },
	{ META | FSEVENTS_IS_FOLDER, true, 0 },
	/* Marks of the stream itself. */
	{ FSEVENTS_HISTORY_DONE, true, 0 },
	{ FSEVENTS_IDS_WRAPPED, false, 0 },
};

static void flags_say_what_is_to_be_looked_at(void **state) {
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned says = fsevents_say(rows[i].flags, rows[i].root);
		if (says != rows[i].says)
			fail_msg("row %zu: 0x%x says %u, not %u", i, rows[i].flags, says,
				rows[i].says);
	}
}

static void paths_lie_below_their_root(void **state) {
	assert_string_equal(fsevents_below("/Users/sophie/Mail", "/Users/sophie/Mail/a/b"), "a/b");
	assert_string_equal(fsevents_below("/Users/sophie/Mail", "/Users/sophie/Mail"), "");
	assert_string_equal(fsevents_below("/Users/sophie/Mail", "/Users/sophie/Mail/"), "");
	assert_string_equal(fsevents_below("/users/Sophie/mail", "/Users/sophie/Mail/A"), "A");
	assert_string_equal(
		fsevents_below("/Users/s", "/System/Volumes/Data/Users/s/file"), "file");
	assert_string_equal(
		fsevents_below("/System/Volumes/Data/x", "/System/Volumes/Data/x/y"), "y");
	assert_string_equal(fsevents_below("/", "/etc/hosts"), "etc/hosts");
	assert_null(fsevents_below("/Users/sophie/Mail", "/Users/sophie/Mailbox"));
	assert_null(fsevents_below("/Users/sophie/Mail", "/"));
	assert_null(fsevents_below("/Users/sophie/Mail", "/Users/sophie"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_say_what_is_to_be_looked_at),
		cmocka_unit_test(paths_lie_below_their_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
