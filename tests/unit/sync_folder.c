/* A folder against a directory store, on the real loop and a real disk: what is sent, what is not, what is kept, what is waited for. */
#include "support/world.h"

static void test_sends_and_keeps_up(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir -p a/b empty && echo 1 > a/one && echo 2 > a/b/two && ln -s a/one "
	      "link && "
	      "chmod 640 a/one && touch -d '2020-01-02 03:04:05.123456789' a/b/two",
		b->local);
	world_open(b);
	wait_until(b, "first scan sent", is_idle);
	assert_equal_trees(b);
	shell("test \"$(stat -c '%%Y %%y %%a' '%s/a/b/two')\" = \"$(stat -c '%%Y %%y %%a' "
	      "'%s/a/b/two')\"",
		b->local, b->cloud);
	shell("test $(stat -c %%a '%s/a/one') = 640", b->cloud);
	put(b, "a/one", "changed");
	put(b, "new file", "new");
	shell("cd '%s' && mkdir -p deep/er/est && echo x > deep/er/est/x && rm -r a/b", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	world_close(b);
}

static void test_restart_does_nothing(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir d && for i in $(seq 50); do echo $i > d/$i; done; touch -d "
	      "2020-01-01 d/*",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	assert_int_equal(durable(b).kind, ERR_NONE);
	for (int i = 0; i < 2; i++) {
		world_again(b);
		wait_until(b, "looked again", is_idle);
		struct folder_status status = status_of(b);
		assert_int_equal(status.sent_files, 0);
		assert_int_equal(status.set_only, 0);
		assert_int_equal(status.removed, 0);
		folder_status_release(&status);
	}
	world_close(b);
}

static void test_touch_and_chmod_send_no_content(void **state) {
	struct bench *b = *state;
	put(b, "file", "content that stays");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("touch -d 2021-02-03 '%s/file' && chmod 600 '%s/file'", b->local, b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	struct folder_status status = status_of(b);
	assert_int_equal(status.sent_files, 1);
	assert_true(status.set_only >= 1);
	folder_status_release(&status);
	shell("test \"$(stat -c '%%Y %%a' '%s/file')\" = \"$(stat -c '%%Y %%a' '%s/file')\"",
		b->local, b->cloud);
	world_close(b);
}

static void test_old_versions_are_kept(void **state) {
	struct bench *b = *state;
	put(b, "file", "first");
	put(b, "gone", "deleted later");
	world_open(b);
	wait_until(b, "sent", is_idle);
	put(b, "file", "second");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("rm '%s/gone'", b->local);
	put(b, "other", "so that the folder is not empty");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("test ! -e '%s/gone' && grep -rq first '%s/.tend/versions/file' && "
	      "grep -rq 'deleted later' '%s/.tend/versions/gone' && test \"$(cat '%s/file')\" = "
	      "second",
		b->cloud, b->cloud, b->cloud, b->cloud);
	world_close(b);
}

static void test_mirror_keeps_none(void **state) {
	struct bench *b = *state;
	b->settings.mode = FOLDER_MIRROR;
	put(b, "file", "first");
	world_open(b);
	wait_until(b, "sent", is_idle);
	put(b, "file", "second");
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("test ! -e '%s/.tend/versions'", b->cloud);
	world_close(b);
}

static void test_index_lost_is_an_adoption(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir d && for i in $(seq 30); do echo $i > d/$i; done", b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	world_close(b);
	shell("rm -r '%s' && mkdir '%s' && echo stranger > '%s/d/stranger'", b->state, b->state,
		b->cloud);
	world_open(b);
	wait_until(b, "adopted", is_idle);
	struct folder_status status = status_of(b);
	assert_int_equal(status.sent_files, 0);
	assert_int_equal(status.strangers, 1);
	folder_status_release(&status);
	shell("test -e '%s/d/stranger'", b->cloud);
	world_close(b);
}

static void test_empty_folder_waits_before_a_full_remote(void **state) {
	struct bench *b = *state;
	shell("mkdir '%s/d' && echo precious > '%s/d/file'", b->cloud, b->cloud);
	world_open(b);
	wait_until(b, "it says that it waits", in_trouble);
	shell("test \"$(cat '%s/d/file')\" = precious && test -z \"$(ls -A '%s')\"", b->cloud,
		b->local);
	put(b, "first", "a file");
	wait_until(b, "it goes on", is_idle);
	shell("test \"$(cat '%s/d/file')\" = precious && test -e '%s/first'", b->cloud, b->cloud);
	world_close(b);
}

static void test_emptied_root_deletes_nothing(void **state) {
	struct bench *b = *state;
	put(b, "one", "1");
	put(b, "two", "2");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("rm '%s/one' '%s/two'", b->local, b->local);
	wait_until(b, "it stops", in_trouble);
	shell("test -e '%s/one' && test -e '%s/two'", b->cloud, b->cloud);
	world_close(b);
}

static void test_rules(void **state) {
	struct bench *b = *state;
	char *exclude[] = { (char *)"*.tmp", (char *)"/cache/", NULL };
	b->settings.exclude = exclude;
	shell("cd '%s' && mkdir cache sub && echo x > cache/x && echo y > y.tmp && echo z > sub/z "
	      "&& "
	      "echo keep > sub/keep && echo z > sub/.tendignore",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s' && test ! -e cache && test ! -e y.tmp && test ! -e sub/z && test -e "
	      "sub/keep",
		b->cloud);
	/* Newly excluded: forgotten, the remote untouched. */
	shell("printf 'z\\nkeep\\n' > '%s/sub/.tendignore'", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	wait_until(b, "rules read", is_idle);
	shell("rm '%s/sub/keep'; echo 1 > '%s/more'", b->local, b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("test -e '%s/sub/keep'", b->cloud);
	world_close(b);
}

static void test_kinds_change(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && mkdir a && echo 1 > a/f && echo 2 > b && ln -s b c && mkdir -p d/e/f && "
	      "echo 3 > d/e/f/g",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s' && rm -r a && echo file > a && rm b && mkdir b && echo in > b/in && rm c && "
	      "echo c > c && "
	      "mv d moved && mkfifo pipe",
		b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("rm '%s/pipe'", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	world_close(b);
}

static void test_large_file_in_parts(void **state) {
	struct bench *b = *state;
	shell("head -c 150000000 /dev/urandom > '%s/large'", b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	assert_equal_trees(b);
	world_close(b);
}

static void test_root_gone_deletes_nothing(void **state) {
	struct bench *b = *state;
	put(b, "one", "1");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("mv '%s' '%s.away'", b->local, b->local);
	wait_until(b, "it says that the folder is gone", in_trouble);
	shell("test -e '%s/one'", b->cloud);
	shell("mv '%s.away' '%s' && echo 2 > '%s/two'", b->local, b->local, b->local);
	wait_until(b, "it goes on", is_idle);
	assert_equal_trees(b);
	world_close(b);
}

static void test_store_away_and_back(void **state) {
	struct bench *b = *state;
	put(b, "one", "1");
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("mv '%s' '%s.away'", b->cloud, b->cloud);
	put(b, "two", "2");
	wait_until(b, "it says that the store is gone", in_trouble);
	shell("mv '%s.away' '%s'", b->cloud, b->cloud);
	wait_until(b, "it goes on", is_idle);
	assert_equal_trees(b);
	world_close(b);
}

/* An empty mount point is not a remote that lost everything. */
static void test_store_empty_after_restart(void **state) {
	struct bench *b = *state;
	put(b, "one", "1");
	world_open(b);
	wait_until(b, "sent", is_idle);
	world_close(b);
	shell("mv '%s' '%s.away' && mkdir '%s'", b->cloud, b->cloud, b->cloud);
	put(b, "two", "2");
	world_open(b);
	wait_until(b, "it asks whether the disk is mounted", in_trouble);
	shell("test -z \"$(ls -A '%s' | grep -v '^.tend$')\"", b->cloud);
	shell("rm -r '%s' && mv '%s.away' '%s'", b->cloud, b->cloud, b->cloud);
	wait_until(b, "it goes on", is_idle);
	assert_equal_trees(b);
	world_close(b);
}

static void test_live_database(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && sqlite3 chat.db \"pragma journal_mode=wal; create table m(t); insert "
	      "into m values('one');\" > "
	      "/dev/null",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	/* A writer that stays: its rows wait in the -wal. */
	FILE *writer;
	char *command = xasprintf("sqlite3 '%s/chat.db' > /dev/null", b->local);
	writer = popen(command, "w"); /* NOLINT */
	free(command);
	fputs("pragma wal_autocheckpoint=0;\ninsert into m values('two');\n", writer);
	fflush(writer);
	shell("cd '%s' && for i in $(seq 400); do test \"$(sqlite3 chat.db 'select count(*) from "
	      "m')\" = 2 && break; "
	      "sleep 0.02; done; test -s chat.db-wal",
		b->local);
	struct err err = durable(b);
	if (err.kind != ERR_NONE) fail_msg("%s", err.text);
	shell("cd '%s' && test \"$(sqlite3 chat.db 'select count(*) from m')\" = 2 && test ! -e "
	      "chat.db-wal && "
	      "test \"$(sqlite3 chat.db 'pragma integrity_check')\" = ok",
		b->cloud);
	pclose(writer);
	world_close(b);
}

static int64_t left_bytes(struct bench *b) {
	struct folder_progress progress;
	folder_weigh(b->folder);
	folder_progress(b->folder, &progress);
	return progress.left_bytes;
}

static bool all_is_weighed(struct bench *b) {
	return left_bytes(b) == 100 + 2000 + 30000;
}

static bool the_change_is_weighed(struct bench *b) {
	return left_bytes(b) == 100 + 2000 + 7;
}

static void test_what_waits_is_weighed(void **state) {
	struct bench *b = *state;
	b->settings.settle_ms = b->settings.max_settle_ms = 3600000;
	shell("cd '%s' && mkdir d && head -c 100 /dev/zero > a && head -c 2000 /dev/zero > d/b && "
	      "head "
	      "-c 30000 /dev/zero > c",
		b->local);
	world_open(b);
	wait_until(b, "what the scan found", all_is_weighed);
	/* What an event tells has no size. */
	put(b, "c", "shorter");
	wait_until(b, "looked at", the_change_is_weighed);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_waits_is_weighed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sends_and_keeps_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart_does_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_touch_and_chmod_send_no_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_versions_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mirror_keeps_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index_lost_is_an_adoption, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_empty_folder_waits_before_a_full_remote, setup, teardown),
		cmocka_unit_test_setup_teardown(test_emptied_root_deletes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_file_in_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root_gone_deletes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_away_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_empty_after_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_live_database, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
