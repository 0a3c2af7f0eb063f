/* A name that is a file's on one side and a folder's on the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

static bool took_it;

/* Right before our MOVE of the file "f" somebody puts a folder in its place. */
static struct err folder_takes_the_name(struct ground *g, const struct store_op *op, bool *after) {
	(void)after;
	if (op->verb == STORE_MOVE && str_equal(op->key, "f") && !took_it) {
		took_it = true;
		case_remote_do(g, STORE_REMOVE, STORE_FILE, "f");
		case_remote_do(g, STORE_MKDIR, STORE_FOLDER, "f");
		case_remote_do(g, STORE_PUT, STORE_FILE, "f/in");
	}
	return (struct err){ .kind = ERR_NONE };
}

/* Its new name is one that the rules leave out where it is a folder's: what came there would be nobody's, and in the way for ever. Also where the
 * server compares no versions. */
static void test_a_rename_takes_no_folder_along(void **state) {
	static char *exclude[] = { (char *)"/cache/", NULL };
	static const struct store_memory_options stores[] = {
		{ .conditions = STORE_CONDITIONS_IGNORED },
		{ .conditions = STORE_CONDITIONS_REFUSED },
		{ .conditions = STORE_CONDITIONS_KEPT },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stores); i++) {
		struct ground *g = case_begin(&stores[i]);
		struct err err;
		size_t len;
		took_it = false;
		g->settings.mode = FOLDER_TWO_WAY;
		g->settings.exclude = exclude;
		g->settings.poll_ms = 1000;
		edit_put(g, "f");
		ground_open(g);
		case_durable(g);
		g->fault = folder_takes_the_name;
		assert_int_equal(disk_rename(g->disk, "f", "cache", false, &err), 0);
		case_durable(g);
		ground_run(g, 5000);
		case_durable(g);
		assert_true(took_it);
		assert_int_equal(case_remote_kind(g, "cache", NULL), STORE_FILE);
		assert_int_equal(case_remote_kind(g, "f/in", NULL), STORE_FILE);
		assert_non_null(disk_memory_peek(g->memory, "f/in", &len));
		assert_non_null(disk_memory_peek(g->memory, "cache", &len));
		case_end(g);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rename_takes_no_folder_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
