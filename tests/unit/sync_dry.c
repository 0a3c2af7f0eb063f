/* What a sync would do, and that nothing is done for the answer. */
#include "support/world.h"

struct heard {
	char **lines;
};

static void found(void *user, enum dry_what what, const char *path, int64_t bytes) {
	static const char *const words[] = { "send", "set", "delete", "forget", "unreadable" };
	struct heard *heard = user;
	strv_add_owned(&heard->lines, xasprintf("%s %s %lld", words[what], path, (long long)bytes));
}

static int compare(const void *left, const void *right) {
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* All lines in order, each ended by ";". The caller's. */
static char *dry(struct bench *b, struct dry_totals *totals) {
	struct heard heard = { NULL };
	struct err err;
	struct buf text;
	char *index = xasprintf("%s/folders/test.db", b->state);
	struct loop *loop = loop_new(2, &err);
	struct store *store = store_directory_new(loop, b->cloud);
	if (dry_run(loop, index, &b->settings, store, found, &heard, totals, &err))
		fail_msg("%s", err.text);
	store_free(store);
	loop_free(loop);
	free(index);
	if (heard.lines) qsort(heard.lines, strv_count(heard.lines), sizeof(*heard.lines), compare);
	buf_init(&text, 1 << 20);
	for (size_t i = 0; heard.lines && heard.lines[i]; i++)
		buf_addf(&text, "%s;", heard.lines[i]);
	strv_free(heard.lines);
	return buf_steal(&text);
}

static void assert_dry(struct bench *b, struct dry_totals *totals, const char *expected) {
	shell("cd '%s' && find cloud state local -printf '%%p %%s %%T@ %%m\\n' | grep -v -e "
	      "'\\.db-' -e '^state/folders ' "
	      "| sort > before",
		b->dir);
	char *got = dry(b, totals);
	assert_string_equal(got, expected);
	free(got);
	shell("cd '%s' && find cloud state local -printf '%%p %%s %%T@ %%m\\n' | grep -v -e "
	      "'\\.db-' -e '^state/folders ' "
	      "| sort | diff before -",
		b->dir);
}

static void fill(struct bench *b) {
	shell("cd '%s' && mkdir -p d/e && echo 1 > d/1 && echo 22 > d/e/2 && echo 333 > 3 && ln -s "
	      "3 link && "
	      "touch -d 2020-01-01 3 d/1 d/e/2",
		b->local);
}

static void test_before_the_first_push(void **state) {
	struct bench *b = *state;
	struct dry_totals totals;
	fill(b);
	assert_dry(b, &totals, "send 3 4;send d/1 2;send d/e/2 3;send link 1;");
	assert_false(totals.contacted);
	assert_int_equal(totals.files[DRY_SEND], 4);
	assert_int_equal(totals.bytes[DRY_SEND], 10);
	/* What is there already is adopted; what only the remote has is no deletion. */
	shell("mkdir -p '%s/d' && cp -p '%s/d/1' '%s/d/1' && echo other > '%s/3' && echo stranger "
	      "> '%s/stranger'",
		b->cloud, b->local, b->cloud, b->cloud, b->cloud);
	assert_dry(b, &totals, "send 3 4;send d/e/2 3;send link 1;");
	assert_int_equal(totals.same, 1);
}

static void test_after_it(void **state) {
	struct bench *b = *state;
	struct dry_totals totals;
	char *exclude[] = { (char *)"/d/e/", NULL };
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	world_close(b);
	assert_dry(b, &totals, "");
	assert_true(totals.contacted);
	assert_int_equal(totals.same, 4);
	shell("cd '%s' && rm link && echo more >> d/1 && touch 3 && echo n > new && mkdir x && "
	      "echo '*.tmp' > x/.tendignore "
	      "&& echo t > x/a.tmp",
		b->local);
	assert_dry(b, &totals, "delete link 1;send d/1 7;send new 2;send x/.tendignore 6;set 3 0;");
	assert_false(totals.over_brake);
	b->settings.exclude = exclude;
	b->settings.max_delete = (char *)"0";
	assert_dry(b, &totals,
		"delete link 1;forget d/e/2 3;send d/1 7;send new 2;send x/.tendignore 6;set 3 0;");
	assert_true(totals.over_brake);
	b->settings.exclude = NULL;
	shell("rm -r '%s'/*", b->local);
	assert_dry(b, &totals, "delete 3 4;delete d/1 2;delete d/e/2 3;delete link 1;");
	assert_true(totals.over_brake);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_before_the_first_push, setup, teardown),
		cmocka_unit_test_setup_teardown(test_after_it, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
