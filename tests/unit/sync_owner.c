/* Two machines and one remote path: who may write there, who stops, and how a person lets one go on. */
#include "support/world.h"

/* A second machine with a folder of its own, on the first one's remote. */
struct two {
	struct bench a, b;
	struct loop *loop;
};

static void bench_of(struct bench *b, const char *dir, const char *name, const char *machine) {
	snprintf(b->dir, sizeof(b->dir), "%s", dir);
	snprintf(b->local, sizeof(b->local), "%s/%s", dir, name);
	snprintf(b->cloud, sizeof(b->cloud), "%s/cloud", dir);
	snprintf(b->state, sizeof(b->state), "%s/%s-state", dir, name);
	shell("mkdir -p '%s' '%s' '%s'", b->local, b->cloud, b->state);
	b->machine = machine;
	b->settings = (struct folder_settings){ .enabled = true,
		.path = b->local,
		.remote = (char *)"cloud:data",
		.mode = FOLDER_BACKUP,
		.settle_ms = 20,
		.max_settle_ms = 200,
		.max_transfers = 32 };
}

static int setup_two(void **state) {
	struct two *two = xcalloc(1, sizeof(*two));
	struct err err;
	char dir[] = "/tmp/tend-owner.XXXXXX";
	if (!mkdtemp(dir)) return -1;
	two->loop = loop_new(4, &err);
	if (!two->loop) return -1;
	bench_of(&two->a, dir, "a", "machine-a");
	bench_of(&two->b, dir, "b", "machine-b");
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	*state = two;
	return 0;
}

static int teardown_two(void **state) {
	struct two *two = *state;
	loop_free(two->loop);
	shell("rm -rf '%s'", two->a.dir);
	free(two);
	return 0;
}

static bool stopped(struct bench *b) {
	struct folder_status status = status_of(b);
	bool stopped = status.needs_person && str_equal(status.state, "stopped");
	folder_status_release(&status);
	return stopped;
}

static void assert_trouble(struct bench *b, const char *words) {
	struct folder_status status = status_of(b);
	if (!strstr(status.trouble.text, words)) fail_msg("says: %s", status.trouble.text);
	folder_status_release(&status);
}

static void assert_remote(struct bench *b, const char *name, const char *text) {
	shell("test \"$(cat '%s/data/%s')\" = \"%s\"", b->cloud, name, text);
}

/* As the message advises. */
static void remove_mark(struct bench *b) {
	shell("rm '%s/.tend/owner/data'", b->cloud);
	folder_sync(b->folder);
}

static bool owns(struct bench *b) {
	char text[512] = "", *path = path_join(b->cloud, ".tend/owner/data");
	FILE *file = fopen(path, "r");
	if (file) {
		text[fread(text, 1, sizeof(text) - 1, file)] = 0;
		fclose(file);
	}
	free(path);
	return strstr(text, b->machine) != NULL && is_idle(b);
}

static void first_then_second(struct two *two) {
	put(&two->a, "file", "agreed");
	shell("cp -p '%s/file' '%s/file'", two->a.local, two->b.local);
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first is done", is_idle);
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "the second takes over", owns);
}

static void test_differing_second_goes_on_when_the_mark_goes(void **state) {
	struct two *two = *state;
	put(&two->a, "file", "the first one's");
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first is done", is_idle);
	world_leave(&two->a);
	put(&two->b, "file", "the second one's");
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "the second stops", stopped);
	assert_trouble(&two->b, "differs");
	assert_int_equal(durable(&two->b).kind, ERR_DENIED);
	assert_remote(&two->b, "file", "the first one's");
	remove_mark(&two->b);
	wait_until(&two->b, "the second goes on", owns);
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	assert_remote(&two->b, "file", "the second one's");
	/* Agreed from here on: what is deleted here goes there too. */
	shell("rm '%s/file'; touch '%s/other'", two->b.local, two->b.local);
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	shell("test ! -e '%s/data/file'", two->b.cloud);
	world_leave(&two->b);
}

/* Nothing differs, but it has more: that is not equal. */
static void test_second_with_less_stops(void **state) {
	struct two *two = *state;
	put(&two->a, "file", "x");
	put(&two->a, "more", "y");
	shell("cp -p '%s/file' '%s/file'", two->a.local, two->b.local);
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first is done", is_idle);
	world_leave(&two->a);
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "the second stops", stopped);
	assert_trouble(&two->b, "1 files and folders that are not here");
	shell("grep -q 'machine: machine-a' '%s/.tend/owner/data'", two->b.cloud);
	world_leave(&two->b);
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "it stops also when it starts again", stopped);
	remove_mark(&two->b);
	wait_until(&two->b, "the second goes on", owns);
	shell("test -e '%s/data/more'", two->b.cloud);
	world_leave(&two->b);
}

static void test_former_owner_stops_when_it_meets_the_other(void **state) {
	struct two *two = *state;
	first_then_second(two);
	put(&two->b, "file", "the second one's");
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	put(&two->a, "file", "the first one's, later");
	wait_until(&two->a, "the first stops", stopped);
	assert_trouble(&two->a, "taken over by");
	assert_remote(&two->a, "file", "the second one's");
	/* A deletion meets it as well, and the second is left alone. */
	shell("rm '%s/file'; touch '%s/new'", two->a.local, two->a.local);
	assert_int_equal(durable(&two->a).kind, ERR_DENIED);
	assert_remote(&two->a, "file", "the second one's");
	shell("test ! -e '%s/data/new'", two->a.cloud);
	put(&two->b, "file", "the second one's again");
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	/* Given back: by its old base it may not delete what the second wrote since. */
	world_leave(&two->b);
	remove_mark(&two->a);
	wait_until(&two->a, "the first goes on", owns);
	assert_int_equal(durable(&two->a).kind, ERR_NONE);
	assert_remote(&two->a, "file", "the second one's again");
	shell("test -e '%s/data/new'", two->a.cloud);
	world_leave(&two->a);
}

/* What the second made of the remote is no damage that the first may mend. */
static void test_former_owner_stops_at_verify(void **state) {
	struct two *two = *state;
	struct err err;
	first_then_second(two);
	put(&two->b, "other", "the second one's");
	shell("rm '%s/file'", two->b.local);
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	shell("test ! -e '%s/data/file'", two->b.cloud);
	assert_int_equal(folder_verify(two->a.folder, false, &err), 0);
	wait_until(&two->a, "the first stops", stopped);
	assert_trouble(&two->a, "taken over by");
	shell("test ! -e '%s/data/file'", two->a.cloud);
	world_leave(&two->b);
	world_leave(&two->a);
}

/* By its base all is equal: it may not take the remote back. */
static void test_former_owner_stops_at_start(void **state) {
	struct two *two = *state;
	first_then_second(two);
	put(&two->b, "file", "the second one's");
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	world_leave(&two->b);
	world_leave(&two->a);
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first stops", stopped);
	world_leave(&two->a);
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first stops, however often it starts", stopped);
	assert_remote(&two->a, "file", "the second one's");
	shell("grep -q 'machine: machine-b' '%s/.tend/owner/data'", two->a.cloud);
	/* What differs is found although its own base knows nothing of it. */
	remove_mark(&two->a);
	wait_until(&two->a, "the first goes on", owns);
	assert_int_equal(durable(&two->a).kind, ERR_NONE);
	assert_remote(&two->a, "file", "agreed");
	shell("grep -rq 'the second one' '%s/.tend/versions/data/file'", two->a.cloud);
	world_leave(&two->a);
}

/* Taken over from a mark above it: that one stays where it is, and is no news at the next start. */
static void test_a_mark_above(void **state) {
	struct two *two = *state;
	two->a.settings.remote = (char *)"cloud:";
	shell("mkdir '%s/data'", two->a.local);
	put(&two->a, "data/file", "x");
	shell("cp -p '%s/data/file' '%s/file'", two->a.local, two->b.local);
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first is done", is_idle);
	world_leave(&two->a);
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "the second takes over", owns);
	shell("test -e '%s/.tend/owner/%%' && test -e '%s/.tend/owner/data'", two->b.cloud,
		two->b.cloud);
	world_leave(&two->b);
	world_open_on(&two->b, two->loop);
	wait_until(&two->b, "the second goes on", owns);
	put(&two->b, "file", "y");
	assert_int_equal(durable(&two->b).kind, ERR_NONE);
	world_leave(&two->b);
	/* The first finds a mark below its own, and newer. */
	world_open_on(&two->a, two->loop);
	wait_until(&two->a, "the first stops", stopped);
	assert_trouble(&two->a, ".tend/owner/data");
	assert_remote(&two->a, "file", "y");
	world_leave(&two->a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_differing_second_goes_on_when_the_mark_goes, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(
			test_second_with_less_stops, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(
			test_former_owner_stops_when_it_meets_the_other, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(
			test_former_owner_stops_at_verify, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(
			test_former_owner_stops_at_start, setup_two, teardown_two),
		cmocka_unit_test_setup_teardown(test_a_mark_above, setup_two, teardown_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
