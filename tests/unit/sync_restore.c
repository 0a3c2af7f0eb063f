/* Bringing back into a folder's own place: the rule as a table, and the flow with a directory store, cancelled and with edits meanwhile. */
#include "support/world.h"

#include "disk/disk.h"
#include "sync/restore_rule.h"

/* ---- the rule ---- */

#define UNKNOWN STORE_MTIME_UNKNOWN

enum { T = 1234567891 }; /* no whole millisecond */

struct row {
	const char *what;
	struct restore_rule_question question;
	enum restore_verdict verdict;
};

static const struct row rows[] = {
	{ "nothing there", { .kind = PAST_FILE, .size = 1, .mtime_ns = T }, RESTORE_WRITE },
	{ "as agreed, and that is wanted",
		{ .current = true, .there = true, .agreed = true, .here_size = 9, .mtime_ns = T },
		RESTORE_SAME },
	{ "as agreed, and an older one is wanted",
		{ .there = true, .agreed = true, .here_size = 9, .mtime_ns = UNKNOWN },
		RESTORE_LEAVE },
	{ "its size and time",
		{ .there = true, .size = 5, .here_size = 5, .mtime_ns = T, .here_mtime_ns = T },
		RESTORE_SAME },
	{ "its size, another time",
		{ .there = true, .size = 5, .here_size = 5, .mtime_ns = T, .here_mtime_ns = T + 1 },
		RESTORE_LEAVE },
	{ "its size and the millisecond that a listing tells",
		{ .there = true,
			.size = 5,
			.here_size = 5,
			.mtime_ns = 3 * NS_PER_MS,
			.here_mtime_ns = 3 * NS_PER_MS + 999 },
		RESTORE_SAME },
	{ "its size and another millisecond",
		{ .there = true,
			.size = 5,
			.here_size = 5,
			.mtime_ns = 3 * NS_PER_MS,
			.here_mtime_ns = 4 * NS_PER_MS },
		RESTORE_LEAVE },
	{ "its size, and nobody told the time yet",
		{ .there = true, .size = 5, .here_size = 5, .mtime_ns = UNKNOWN }, RESTORE_SEE },
	{ "its size, and nobody knows the time",
		{ .there = true, .size = 5, .here_size = 5, .mtime_ns = UNKNOWN, .seen = true },
		RESTORE_LEAVE },
	{ "the same, to be replaced",
		{ .there = true,
			.size = 5,
			.here_size = 5,
			.mtime_ns = UNKNOWN,
			.seen = true,
			.overwrite = true },
		RESTORE_WRITE },
	{ "the same, to be replaced, and nowhere else",
		{ .there = true,
			.size = 5,
			.here_size = 5,
			.mtime_ns = UNKNOWN,
			.seen = true,
			.unsent = true,
			.overwrite = true },
		RESTORE_LEAVE },
	{ "something else", { .there = true, .size = 5, .here_size = 6, .mtime_ns = T },
		RESTORE_LEAVE },
	{ "something else, to be replaced",
		{ .there = true, .size = 5, .here_size = 6, .mtime_ns = T, .overwrite = true },
		RESTORE_WRITE },
	{ "something else, to be replaced, and nowhere else",
		{ .there = true,
			.size = 5,
			.here_size = 6,
			.mtime_ns = T,
			.unsent = true,
			.overwrite = true },
		RESTORE_LEAVE },
	{ "a link of that size and time",
		{ .there = true,
			.here_kind = DISK_LINK,
			.size = 5,
			.here_size = 5,
			.mtime_ns = T,
			.here_mtime_ns = T },
		RESTORE_LEAVE },
	{ "a link for a link",
		{ .kind = PAST_LINK,
			.there = true,
			.here_kind = DISK_LINK,
			.size = 5,
			.here_size = 5,
			.mtime_ns = T,
			.here_mtime_ns = T },
		RESTORE_SAME },
	{ "a link, to be replaced",
		{ .there = true, .here_kind = DISK_LINK, .size = 5, .overwrite = true },
		RESTORE_WRITE },
	{ "a folder", { .there = true, .here_kind = DISK_FOLDER, .overwrite = true },
		RESTORE_LEAVE },
	{ "a socket", { .there = true, .here_kind = DISK_OTHER, .overwrite = true },
		RESTORE_LEAVE },
};

static void test_rule(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why;
		enum restore_verdict verdict = restore_rule(&rows[i].question, &why);
		if (verdict != rows[i].verdict || (verdict == RESTORE_LEAVE) != (why != NULL))
			fail_msg("%s: %d, '%s'", rows[i].what, (int)verdict, why ? why : "");
	}
}

/* ---- the flow ---- */

struct asked {
	struct restore *restore;
	struct buf told; /* "left PATH: WHY\n" */
	bool done;
	struct err err;
	struct restore_counts counts;
};

static void told(void *user, enum restore_news news, const char *path, const char *text) {
	static const char *const names[] = { "left", "failed", "aside" };
	struct asked *asked = user;
	buf_addf(&asked->told, "%s %s: %s\n", names[news], path, text);
}

static void done(void *user, const struct err *err) {
	struct asked *asked = user;
	asked->done = true;
	asked->counts = *restore_counts(asked->restore);
	if (err) asked->err = *err;
	restore_free(asked->restore);
	asked->restore = NULL;
}

static const struct restore_calls calls = { .told = told, .done = done };

static void ask_start(
	struct bench *b, struct asked *asked, char **paths, int64_t at_ns, bool overwrite) {
	struct restore_question question = {
		.paths = paths, .at_ns = at_ns, .overwrite = overwrite
	};
	struct err err;
	buf_init(&asked->told, 4096);
	asked->restore = folder_restore(b->folder, &question, &calls, asked, &err);
	if (!asked->restore) fail_msg("%s", err.text);
}

static struct restore_counts bring_back(
	struct bench *b, char **paths, int64_t at_ns, bool overwrite, const char *wanted) {
	struct asked asked = { 0 };
	ask_start(b, &asked, paths, at_ns, overwrite);
	loop_run_until(b->loop, &asked.done);
	if (asked.err.kind != ERR_NONE) fail_msg("%s", asked.err.text);
	assert_string_equal(asked.told.len ? asked.told.at : "", wanted);
	buf_release(&asked.told);
	return asked.counts;
}

static void test_into_its_place(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir -p d/e && echo 1 > d/file && ln -s file d/e/link && echo s > stays "
	      "&& chmod 750 d/e && cp -a . '%s/wanted'",
		b->local, b->dir);
	world_open(b);
	int64_t at = sent(b);
	/* Gone here, and not over there: also modes of folders, which versions do not tell. */
	folder_pause(b->folder);
	shell("rm -r '%s/d'", b->local);
	struct restore_counts counts = bring_back(b, NULL, PAST_NOW, false, "");
	assert_int_equal(counts.files, 1);
	assert_int_equal(counts.links, 1);
	assert_int_equal(counts.same, 1);
	assert_int_equal(counts.bytes, 2);
	shell("diff -r --no-dereference '%s' '%s/wanted'", b->local, b->dir);
	shell("test 750 = $(stat -c %%a '%s/d/e')", b->local);
	shell("test $(stat -c %%y '%s/d/file' | tr -d ' ') = $(stat -c %%y '%s/wanted/d/file' | tr "
	      "-d ' ')",
		b->local, b->dir);
	/* It is a change like any other, and then agreed. */
	folder_resume(b->folder);
	sent(b);
	assert_equal_trees(b);
	counts = bring_back(b, NULL, PAST_NOW, false, "");
	assert_int_equal(counts.same, 3);
	assert_int_equal(counts.files, 0);
	/* Gone over there as well. */
	shell("rm -r '%s/d'", b->local);
	sent(b);
	counts = bring_back(b, NULL, at, false, "");
	assert_int_equal(counts.files, 1);
	assert_int_equal(counts.same, 1);
	shell("diff -r --no-dereference '%s' '%s/wanted'", b->local, b->dir);
	world_close(b);
}

static void test_what_is_there(void **state) {
	struct bench *b = *state;
	char *file[] = { "file", NULL };
	put(b, "file", "first");
	world_open(b);
	int64_t at = sent(b);
	put(b, "file", "the second");
	sent(b);
	bring_back(b, file, at, false, "left file: is there already\n");
	shell("grep -qx 'the second' '%s/file'", b->local);
	/* Written while nothing is sent, it is nowhere else. */
	folder_pause(b->folder);
	put(b, "file", "the third");
	bring_back(b, file, at, true, "left file: was changed here and is not in the remote yet\n");
	shell("grep -qx 'the third' '%s/file'", b->local);
	folder_resume(b->folder);
	sent(b);
	struct restore_counts counts = bring_back(b, file, at, true, "");
	assert_int_equal(counts.files, 1);
	shell("grep -qx first '%s/file'", b->local);
	sent(b);
	shell("grep -qx first '%s/file' && grep -rqx 'the third' '%s/.tend/versions'", b->cloud,
		b->cloud);
	world_close(b);
}

/* Somebody writes while it is fetched. */
static struct err write_meanwhile(
	void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_GET) put(user, "file", "mine");
	return err;
}

static void test_a_name_that_appears_wins(void **state) {
	struct bench *b = *state;
	struct store_fault_plan plan = { .decide = write_meanwhile, .user = b };
	b->faults = &plan;
	put(b, "file", "theirs");
	put(b, "stays", "stays");
	world_open(b);
	int64_t at = sent(b);
	shell("rm '%s/file'", b->local);
	sent(b);
	bring_back(b, NULL, at, true, "left file: was changed meanwhile\n");
	shell("grep -qx mine '%s/file' && test 2 = $(ls -A '%s' | wc -l)", b->local, b->local);
	world_close(b);
}

static void test_words_that_lead_out(void **state) {
	struct bench *b = *state;
	static const char *const paths[] = { "..", "../x", "a/../../b", "/etc/passwd", "a//b",
		"./a", "a/" };
	struct err err;
	world_open(b);
	sent(b);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char *list[] = { "fine", (char *)(uintptr_t)paths[i], NULL };
		struct restore_question question = { .paths = list, .at_ns = PAST_NOW };
		assert_null(folder_restore(b->folder, &question, &calls, NULL, &err));
		assert_int_equal(err.kind, ERR_INVALID);
	}
	world_close(b);
}

/* The folder waits for it, and it for nobody. */
static void test_folder_closes_meanwhile(void **state) {
	struct bench *b = *state;
	struct asked asked = { 0 };
	struct restore_question question = { .at_ns = PAST_NOW };
	struct err err;
	shell("cd '%s' && for i in $(seq 300); do echo $i > $i; done", b->local);
	world_open(b);
	int64_t at = sent(b);
	shell("rm '%s'/*", b->local);
	put(b, "new", "new");
	durable(b); /* the brake holds: all is still there */
	ask_start(b, &asked, NULL, at, false);
	assert_null(folder_restore(b->folder, &question, &calls, NULL, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	world_close(b);
	assert_true(asked.done);
	assert_int_equal(asked.err.kind, ERR_CANCELLED);
	shell("test -z \"$(ls -A '%s' | grep tend-tmp)\"", b->local);
	buf_release(&asked.told);
}

/* What a kill left is removed by the next start, what is somebody else's is not. */
static void test_leftovers_go(void **state) {
	struct bench *b = *state;
	put(b, "file", "x");
	world_open(b);
	sent(b);
	world_close(b);
	shell("sqlite3 '%s/folders/test.db' \"insert into meta values('restoring','1')\" && mkdir "
	      "'%s/d' && touch '%s/d/.tend-tmp.00ff.restore' '%s/d/.tend-tmp.00ff.other'",
		b->state, b->local, b->local, b->local);
	world_open(b);
	sent(b);
	shell("test .tend-tmp.00ff.other = \"$(ls -A '%s/d')\"", b->local);
	shell("touch '%s/d/.tend-tmp.00ff.restore'", b->local);
	folder_sync(b->folder);
	sent(b);
	shell("test -e '%s/d/.tend-tmp.00ff.restore'", b->local);
	shell("test -z \"$(ls -A '%s/d')\"", b->cloud);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test_setup_teardown(test_into_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_name_that_appears_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_words_that_lead_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_closes_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leftovers_go, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
