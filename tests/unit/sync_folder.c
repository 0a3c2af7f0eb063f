/* A folder against a directory store, on the real loop and a real disk: what is sent, what is not, what is kept, what is waited for. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/sync.h"

enum { DEADLINE_MS = 60000 };

struct bench {
	char dir[64], local[80], cloud[80], state[80];
	struct loop *loop;
	struct unit_graph *graph;
	struct sync *sync;
	struct store *store;
	struct folder *folder;
	struct folder_settings settings;
};

/* ---- waiting for conditions ---- */

struct until {
	struct timer timer;
	struct bench *b;
	bool (*holds)(struct bench *b);
	bool done;
	int64_t deadline_ms;
};

static void until_look(struct timer *timer) {
	struct until *u = container_of(timer, struct until, timer);
	if (u->holds(u->b) || loop_now_ms(u->b->loop) > u->deadline_ms)
		u->done = true;
	else
		timer_start(timer, 5);
}

static void wait_until(struct bench *b, const char *what, bool (*holds)(struct bench *b)) {
	struct until u = { .b = b, .holds = holds };
	timer_init(&u.timer, b->loop, until_look);
	timer_start(&u.timer, 0);
	u.deadline_ms = loop_now_ms(b->loop) + DEADLINE_MS;
	loop_run_until(b->loop, &u.done);
	if (!holds(b)) fail_msg("waited in vain: %s", what);
}

static struct folder_status status_of(struct bench *b) {
	struct folder_status status;
	folder_status(b->folder, &status);
	return status;
}

static bool is_idle(struct bench *b) {
	struct folder_status status = status_of(b);
	bool idle = str_equal(status.state, "idle") && status.pending == 0;
	folder_status_release(&status);
	return idle;
}

static bool in_trouble(struct bench *b) {
	struct folder_status status = status_of(b);
	bool trouble = status.trouble.kind != ERR_NONE;
	folder_status_release(&status);
	return trouble;
}

struct barrier {
	struct folder_wait wait;
	bool done;
	struct err err;
};

static void barrier_done(struct folder_wait *wait, const struct err *err) {
	struct barrier *barrier = container_of(wait, struct barrier, wait);
	barrier->done = true;
	if (err) barrier->err = *err;
}

static struct err durable(struct bench *b) {
	struct barrier barrier = { .wait = { .done = barrier_done } };
	folder_wait_start(b->folder, &barrier.wait, folder_mark(b->folder));
	loop_run_until(b->loop, &barrier.done);
	folder_wait_release(&barrier.wait);
	return barrier.err;
}

/* ---- files ---- */

static void shell(const char *format, ...) {
	va_list args;
	char *command;
	va_start(args, format);
	command = xvasprintf(format, args);
	va_end(args);
	if (system(command) != 0) fail_msg("failed: %s", command); /* NOLINT */
	free(command);
}

static void put(struct bench *b, const char *name, const char *text) {
	char *path = path_join(b->local, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static void assert_equal_trees(struct bench *b) {
	shell("diff -r --no-dereference -x .tend '%s' '%s'", b->local, b->cloud);
}

/* ---- a folder's world ---- */

static void world_open(struct bench *b) {
	struct err err;
	b->loop = loop_new(4, &err);
	assert_non_null(b->loop);
	b->graph = unit_graph_new(b->loop);
	struct sync_options options = { .state_dir = b->state, .machine_id = "test-machine" };
	b->sync = sync_new(b->loop, b->graph, &options, &err);
	if (!b->sync) fail_msg("%s", err.text);
	b->store = store_directory_new(b->loop, b->cloud);
	assert_non_null(b->store);
	b->folder = folder_new(b->sync, "test", &b->settings, b->store, &err);
	if (!b->folder) fail_msg("%s", err.text);
	unit_want(folder_unit(b->folder));
}

static void closed(void *user) {
	*(bool *)user = true;
}

/* As kill -9 would leave it, but that what was asked for in flight ends. */
static void world_close(struct bench *b) {
	bool done = false;
	folder_close(b->folder, closed, &done);
	loop_run_until(b->loop, &done);
	store_free(b->store);
	sync_free(b->sync);
	unit_graph_free(b->graph);
	loop_free(b->loop);
}

static void world_again(struct bench *b) {
	world_close(b);
	world_open(b);
}

static int setup(void **state) {
	struct bench *b = xcalloc(1, sizeof(*b));
	strcpy(b->dir, "/tmp/tend-sync.XXXXXX");
	if (!mkdtemp(b->dir)) return -1;
	snprintf(b->local, sizeof(b->local), "%s/local", b->dir);
	snprintf(b->cloud, sizeof(b->cloud), "%s/cloud", b->dir);
	snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
	if (mkdir(b->local, 0755) || mkdir(b->cloud, 0755) || mkdir(b->state, 0700)) return -1;
	b->settings = (struct folder_settings){ .enabled = true,
		.path = b->local,
		.remote = (char *)"cloud:",
		.mode = FOLDER_BACKUP,
		.settle_ms = 20,
		.max_settle_ms = 200,
		.max_transfers = 32 };
	log_open(LOG_LEVEL_WARN, LOG_TEXT);
	*state = b;
	return 0;
}

static int teardown(void **state) {
	struct bench *b = *state;
	shell("chmod -R u+rwX '%s'; rm -rf '%s'", b->dir, b->dir);
	free(b);
	return 0;
}

/* ---- cases ---- */

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
	shell("cd '%s' && for i in $(seq 400); do test -s chat.db-wal && break; sleep 0.02; done; "
	      "test -s chat.db-wal",
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

int main(void) {
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test_setup_teardown(test_live_database, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
