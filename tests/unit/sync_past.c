/* What stood at a remote at a time: from a directory store, with faults, and with the folder going away meanwhile. */
#include "support/world.h"

struct asked {
	struct past *past;
	struct past_options options;
	bool done;
	struct err err;
};

static void gathered(struct past *past, void *user, const struct err *err) {
	struct asked *asked = user;
	asked->done = true;
	err_clear(&asked->err);
	if (err) asked->err = *err;
}

static void ask_start(
	struct bench *b, struct asked *asked, const char *path, int64_t at_ns, bool recursive) {
	struct err err;
	*asked = (struct asked){ .options = {
					 .path = path, .at_ns = at_ns, .recursive = recursive } };
	folder_past(b->folder, &asked->options);
	asked->past = past_start(&asked->options, gathered, asked, &err);
	if (!asked->past) fail_msg("%s", err.text);
}

static void ask_end(struct asked *asked) {
	past_free(asked->past);
	past_options_release(&asked->options);
}

/* "d/ d/file:6 ..." in the order of the walk. */
static void assert_stood(
	struct bench *b, const char *path, int64_t at_ns, bool recursive, const char *wanted) {
	struct asked asked;
	struct past_item item;
	struct err err;
	struct buf text;
	int got;
	ask_start(b, &asked, path, at_ns, recursive);
	loop_run_until(b->loop, &asked.done);
	assert_int_equal(asked.err.kind, ERR_NONE);
	buf_init(&text, 4096);
	while ((got = past_next(asked.past, &item, &err)) > 0) {
		buf_addf(&text, "%s%s", text.len ? " " : "", item.path);
		if (item.kind == PAST_FOLDER)
			buf_adds(&text, "/");
		else
			buf_addf(&text, "%s%lld", item.kind == PAST_LINK ? "@" : ":",
				(long long)item.size);
	}
	assert_int_equal(got, 0);
	assert_string_equal(text.at, wanted);
	buf_release(&text);
	ask_end(&asked);
}

static void test_walks_what_stood_there(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir -p d/e empty && echo 1 > d/file && echo x > d-x && ln -s d/file "
	      "d/e/link && echo s > stays",
		b->local);
	world_open(b);
	int64_t first = sent(b);
	shell("cd '%s' && echo second > d/file && echo new > d/new", b->local);
	int64_t second = sent(b);
	/* A folder becomes a file, another goes. */
	shell("cd '%s' && rm -r d && echo now-a-file > d && rm d-x", b->local);
	int64_t third = sent(b);
	assert_stood(b, "", first - 60 * NS_PER_S, true, "empty/");
	assert_stood(b, "", first, true, "d-x:2 d/ d/e/ d/e/link@6 d/file:2 empty/ stays:2");
	assert_stood(
		b, "", second, true, "d-x:2 d/ d/e/ d/e/link@6 d/file:7 d/new:4 empty/ stays:2");
	assert_stood(b, "", third, true, "d:11 empty/ stays:2");
	assert_stood(b, "", PAST_NOW, true, "d:11 empty/ stays:2");
	assert_stood(b, "", first, false, "d-x:2 d/ empty/ stays:2");
	assert_stood(b, "", PAST_NOW, false, "d:11 empty/ stays:2");
	assert_stood(b, "d", first, false, "d/e/ d/file:2");
	assert_stood(b, "d/file", second, true, "d/file:7");
	assert_stood(b, "d/file", third, true, "");
	assert_stood(b, "d", third, true, "d:11");
	assert_stood(b, "nope", third, true, "");
	/* Nothing of the work is left. */
	shell("test -z \"$(ls '%s/folders' | grep past)\"", b->state);
	world_close(b);
}

static bool fail_versions;

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct err err = { .kind = ERR_NONE };
	if (fail_versions && op->verb == STORE_LIST && str_starts(op->key, ".tend/versions/d"))
		err_set(&err, ERR_OFFLINE, "cut");
	return err;
}

/* A listing that was cut is none: what it did not show would pass for what did not stand there. */
static void test_a_cut_listing_is_an_error(void **state) {
	struct bench *b = *state;
	struct store_fault_plan plan = { .decide = decide };
	struct asked asked;
	b->faults = &plan;
	shell("mkdir '%s/d' && echo 1 > '%s/d/file'", b->local, b->local);
	world_open(b);
	int64_t at = sent(b);
	put(b, "d/file", "second");
	sent(b);
	fail_versions = true;
	ask_start(b, &asked, "", at, true);
	loop_run_until(b->loop, &asked.done);
	assert_int_equal(asked.err.kind, ERR_OFFLINE);
	ask_end(&asked);
	fail_versions = false;
	assert_stood(b, "", at, true, "d/ d/file:2");
	world_close(b);
}

/* The folder, and with it the store, waits for whoever asks it; they are told. */
static void test_folder_closes_meanwhile(void **state) {
	struct bench *b = *state;
	struct asked asked;
	put(b, "file", "x");
	world_open(b);
	sent(b);
	ask_start(b, &asked, "", PAST_NOW, true);
	world_close(b);
	assert_true(asked.done);
	assert_int_equal(asked.err.kind, ERR_CANCELLED);
	ask_end(&asked);
}

static void test_words_that_lead_out_are_refused(void **state) {
	struct bench *b = *state;
	struct past_options options = { 0 };
	struct past_fetch fetch;
	struct err err;
	static const char *const paths[] = { "..", "a/../../b", "/etc/passwd", "a//b", "./a",
		"a/" };
	static const char *const versions[] = { "", "..", "../x",
		"revision:", "revision:r:", "revision:r:a/b", "revision:x:a", "revision:ra",
		"revision:r:a b", "20261122T140307.123Z~20261122T140307.123Z/..",
		"20261122T140307.123Z" };
	put(b, "file", "x");
	world_open(b);
	folder_past(b->folder, &options);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		options.path = paths[i];
		assert_null(past_start(&options, gathered, NULL, &err));
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(
			past_fetch_init(&fetch, &options, PAST_FILE, paths[i], NULL, &err), -1);
	}
	assert_int_equal(past_fetch_init(&fetch, &options, PAST_FILE, "", NULL, &err), -1);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		assert_int_equal(
			past_fetch_init(&fetch, &options, PAST_FILE, "file", versions[i], &err),
			-1);
	past_options_release(&options);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walks_what_stood_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_cut_listing_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_closes_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_words_that_lead_out_are_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
