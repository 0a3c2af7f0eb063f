/* Live databases that are not simply captured: the key `sqlite`, and files that only look like one. */
#include "support/world.h"

static void sql(struct bench *b, const char *name, const char *text) {
	shell("cd '%s' && sqlite3 '%s' \"%s\" > /dev/null", b->local, name, text);
}

static void settle(struct bench *b) {
	struct err err = durable(b);
	if (err.kind != ERR_NONE) fail_msg("%s", err.text);
}

/* A writer that stays: what it has committed when this returns is in its -wal. */
static FILE *writer_of(struct bench *b, const char *name, const char *text) {
	char *command = xasprintf("sqlite3 '%s/%s' > /dev/null", b->local, name);
	FILE *writer = popen(command, "w"); /* NOLINT */
	free(command);
	assert_non_null(writer);
	fprintf(writer,
		"pragma journal_mode=wal;\npragma wal_autocheckpoint=0;\n%s\n.shell touch "
		"'%s/written'\n",
		text, b->dir);
	fflush(writer);
	shell("cd '%s' && for i in $(seq 500); do rm written 2>/dev/null && exit 0; sleep 0.02; "
	      "done; exit 1",
		b->dir);
	return writer;
}

/* What a person gets who takes the copy home: who opens it where it lies changes it. */
static void remote_says(struct bench *b, const char *name, const char *select, const char *answer) {
	shell("cd '%s' && cp cloud/%s home.db && test \"$(sqlite3 home.db '%s')\" = %s && rm "
	      "home.db*",
		b->dir, name, select, answer);
}

static int64_t plain_databases(struct bench *b) {
	struct folder_status status = status_of(b);
	int64_t count = status.plain_databases;
	folder_status_release(&status);
	return count;
}

static bool said_plain(struct bench *b, const char *path) {
	struct folder_trouble *troubles;
	size_t count = folder_troubles(b->folder, 10, &troubles);
	bool said = count == 1 && str_equal(troubles[0].path, path) &&
		    str_equal(troubles[0].why, "plain");
	folder_troubles_free(troubles, count);
	return said;
}

/* Encrypted or damaged: the header is there and no more. Its log goes with it, until it can be read again. */
static void test_what_only_has_the_header(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && (printf 'SQLite format 3\\0'; head -c 300000 /dev/urandom) > secret.db "
	      "&& "
	      "head -c 5000 /dev/urandom > secret.db-wal && echo index > secret.db-shm",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	settle(b);
	shell("cd '%s' && cmp secret.db '%s/secret.db' && cmp secret.db-wal '%s/secret.db-wal' && "
	      "test ! -e '%s/secret.db-shm'",
		b->local, b->cloud, b->cloud, b->cloud);
	assert_int_equal(plain_databases(b), 1);
	assert_true(said_plain(b, "secret.db"));
	/* Both keep up. */
	shell("cd '%s' && head -c 9000 /dev/urandom > secret.db-wal && printf x >> secret.db",
		b->local);
	settle(b);
	shell("cd '%s' && cmp secret.db '%s/secret.db' && cmp secret.db-wal '%s/secret.db-wal'",
		b->local, b->cloud, b->cloud);
	/* A database after all: its image, and no log beside it that would be played into it. */
	shell("cd '%s' && rm secret.db*", b->local);
	FILE *writer = writer_of(b, "secret.db", "create table t(x); insert into t values(1);");
	settle(b);
	shell("test ! -e '%s/secret.db-wal'", b->cloud);
	remote_says(b, "secret.db", "select x from t", "1");
	assert_int_equal(plain_databases(b), 0);
	pclose(writer);
	world_close(b);
}

/* A restart knows what it knew. */
static void test_plain_is_remembered(void **state) {
	struct bench *b = *state;
	shell("cd '%s' && (printf 'SQLite format 3\\0'; head -c 30000 /dev/urandom) > a.db && "
	      "echo log > a.db-wal",
		b->local);
	world_open(b);
	wait_until(b, "sent", is_idle);
	settle(b);
	assert_int_equal(plain_databases(b), 1);
	world_again(b);
	wait_until(b, "looked again", is_idle);
	struct folder_status status = status_of(b);
	assert_int_equal(status.sent_files, 0);
	assert_int_equal(status.plain_databases, 1);
	folder_status_release(&status);
	world_close(b);
}

static void apply(struct bench *b, int sqlite) {
	struct err err;
	b->settings.sqlite = sqlite;
	assert_int_equal(folder_apply(b->folder, &b->settings, &err), 0);
	settle(b);
}

static void test_the_key(void **state) {
	struct bench *b = *state;
	b->settings.sqlite = FOLDER_SQLITE_SKIP;
	put(b, "other", "x");
	FILE *writer = writer_of(b, "live.db", "create table t(x); insert into t values(1);");
	world_open(b);
	wait_until(b, "sent", is_idle);
	settle(b);
	shell("cd '%s' && test -e other && test -z \"$(ls | grep live)\"", b->cloud);
	/* As they lie there, but for the index of the log. */
	apply(b, FOLDER_SQLITE_COPY);
	shell("cd '%s' && cmp live.db '%s/live.db' && cmp live.db-wal '%s/live.db-wal' && test ! "
	      "-e "
	      "'%s/live.db-shm'",
		b->local, b->cloud, b->cloud, b->cloud);
	/* An image, and no log. */
	apply(b, FOLDER_SQLITE_SNAPSHOT);
	shell("test ! -e '%s/live.db-wal'", b->cloud);
	remote_says(b, "live.db", "select x from t", "1");
	/* Left alone: what is there stays. */
	apply(b, FOLDER_SQLITE_SKIP);
	fputs("insert into t values(2);\n", writer);
	fflush(writer);
	shell("cd '%s' && for i in $(seq 500); do test \"$(sqlite3 live.db 'select count(*) from "
	      "t')\" = "
	      "2 && exit 0; sleep 0.02; done; exit 1",
		b->local);
	settle(b);
	remote_says(b, "live.db", "select count(*) from t", "1");
	/* Changed while nobody ran. */
	world_close(b);
	b->settings.sqlite = FOLDER_SQLITE_SNAPSHOT;
	world_open(b);
	wait_until(b, "sent", is_idle);
	settle(b);
	remote_says(b, "live.db", "select count(*) from t", "2");
	pclose(writer);
	world_close(b);
}

/* A writer that holds its lock for good is captured when it rests. */
static void test_exclusive_writer(void **state) {
	struct bench *b = *state;
	sql(b, "x.db", "create table t(x); insert into t values(1)");
	world_open(b);
	wait_until(b, "sent", is_idle);
	char *command = xasprintf("sqlite3 '%s/x.db' > /dev/null", b->local);
	FILE *writer = popen(command, "w"); /* NOLINT */
	free(command);
	fprintf(writer,
		"pragma locking_mode=exclusive;\ninsert into t values(2);\n.shell touch "
		"%s/written\n",
		b->dir);
	fflush(writer);
	char *flag = xasprintf("%s/written", b->dir);
	shell("for i in $(seq 500); do test -e '%s' && break; sleep 0.02; done; rm '%s'", flag,
		flag);
	free(flag);
	settle(b);
	remote_says(b, "x.db", "select count(*) from t", "2");
	pclose(writer);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_only_has_the_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exclusive_writer, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
