/* Files: what is opened, what is refused, what another connection sees, the write-ahead log. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/db.h"

static char folder[] = "/tmp/db_open.XXXXXX";
static char path[64];
static struct err err;

static int setup(void **state) {
	(void)state;
	if (!mkdtemp(folder)) return -1;
	snprintf(path, sizeof(path), "%s/a.db", folder);
	return 0;
}

static void clean_up(void) {
	static const char *const endings[] = { "", "-wal", "-shm", "-journal" };

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		char *name = xasprintf("%s%s", path, endings[i]);
		unlink(name);
		free(name);
	}
}

static int teardown(void **state) {
	(void)state;
	clean_up();
	return rmdir(folder);
}

static int64_t number(struct db *db, const char *sql) {
	struct db_stmt stmt = { 0 };

	assert_int_equal(db_prepare(db, &stmt, sql, &err), 0);
	assert_int_equal(db_step(&stmt, &err), 1);
	int64_t value = db_int(&stmt, 0);
	db_finalize(&stmt);
	return value;
}

static void expect_text(struct db *db, const char *sql, const char *wanted) {
	struct db_stmt stmt = { 0 };

	assert_int_equal(db_prepare(db, &stmt, sql, &err), 0);
	assert_int_equal(db_step(&stmt, &err), 1);
	assert_string_equal(db_text(&stmt, 0), wanted);
	db_finalize(&stmt);
}

static struct db *open_with_rows(int rows) {
	struct db *db = db_open(path, NULL, &err);

	assert_non_null(db);
	assert_int_equal(db_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)", &err), 0);
	assert_int_equal(db_begin(db, &err), 0);
	for (int i = 0; i < rows; i++) {
		assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(1000))", &err), 0);
	}
	assert_int_equal(db_commit(db, false, &err), 0);
	return db;
}

static void pragmas(void **state) {
	static const struct {
		struct db_options options;
		int64_t page_size, cache, synchronous, autocheckpoint;
	} cases[] = {
		{ { 0 }, 4096, -2048, 1, 0 },
		{ { .full_sync = true, .page_size = 8192, .cache_kib = 100, .autocheckpoint = 50 },
			8192, -100, 2, 50 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stat st;
		struct db *db = db_open(path, &cases[i].options, &err);
		assert_non_null(db);
		assert_string_equal(db_path(db), path);
		assert_int_equal(number(db, "PRAGMA page_size"), cases[i].page_size);
		assert_int_equal(number(db, "PRAGMA cache_size"), cases[i].cache);
		assert_int_equal(number(db, "PRAGMA synchronous"), cases[i].synchronous);
		assert_int_equal(number(db, "PRAGMA wal_autocheckpoint"), cases[i].autocheckpoint);
		expect_text(db, "PRAGMA journal_mode", "wal");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		db_close(db);
		clean_up();
	}
	db_close(NULL);
}

static void in_memory(void **state) {
	static const char *const paths[] = { NULL, ":memory:" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct db *db = db_open(paths[i], NULL, &err);
		assert_non_null(db);
		assert_string_equal(db_path(db), ":memory:");
		assert_int_equal(
			db_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES (7)", &err), 0);
		assert_int_equal(db_begin(db, &err), 0);
		assert_int_equal(db_exec(db, "INSERT INTO t VALUES (8)", &err), 0);
		assert_int_equal(db_commit(db, true, &err), 0);
		assert_int_equal(number(db, "SELECT sum(a) FROM t"), 15);
		assert_int_equal(db_wal_bytes(db), 0);
		db_close(db);
	}
	assert_int_equal(access(":memory:", F_OK), -1);
}

static void readonly(void **state) {
	static const struct db_options options = { .readonly = true };

	(void)state;
	assert_null(db_open(path, &options, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.text, path));

	struct db *writer = open_with_rows(3);
	struct db *reader = db_open(path, &options, &err);
	assert_non_null(reader);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 3);
	assert_int_equal(db_exec(reader, "DELETE FROM t", &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);

	/* A read transaction sees one state, whatever is written meanwhile. */
	assert_int_equal(db_begin(reader, &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 3);
	assert_int_equal(db_exec(writer, "DELETE FROM t", &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 3);
	assert_int_equal(db_commit(reader, false, &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 0);
	db_close(reader);
	db_close(writer);
	clean_up();
}

static void two_writers_are_busy(void **state) {
	static const struct db_options hasty = { .busy_ms = 1 };
	struct db *one = open_with_rows(1);
	struct db *two = db_open(path, &hasty, &err);

	(void)state;
	assert_non_null(two);
	assert_int_equal(db_begin(one, &err), 0);
	assert_true(db_in_transaction(one));
	assert_int_equal(db_begin(two, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_false(db_in_transaction(two));
	db_rollback(two); /* harmless */
	db_rollback(one);
	assert_int_equal(db_begin(two, &err), 0);
	db_close(two); /* rolls back */
	db_close(one);
	clean_up();
}

/* ---- damage ---- */

static void overwrite(off_t offset, const void *bytes, size_t len, bool truncated) {
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	if (truncated) assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static void what_is_no_database(void **state) {
	char noise[4096];

	(void)state;
	memset(noise, 0x5a, sizeof(noise));
	overwrite(0, noise, sizeof(noise), true);
	assert_null(db_open(path, NULL, &err));
	assert_int_equal(err.kind, ERR_CORRUPT);
	clean_up();

	/* The header is whole, the schema's page is not. */
	db_close(open_with_rows(100));
	overwrite(100, noise, 3900, false);
	assert_null(db_open(path, NULL, &err));
	assert_int_equal(err.kind, ERR_CORRUPT);
	clean_up();

	/* Damage further in shows where it is read. */
	db_close(open_with_rows(100));
	overwrite(4096, noise, sizeof(noise), false);
	struct db *db = db_open(path, NULL, &err);
	assert_non_null(db);
	struct db_stmt stmt = { 0 };
	assert_int_equal(db_prepare(db, &stmt, "SELECT sum(length(b)) FROM t", &err), 0);
	assert_int_equal(db_step(&stmt, &err), -1);
	assert_int_equal(err.kind, ERR_CORRUPT);
	db_finalize(&stmt);
	db_close(db);
	clean_up();
}

static void what_cannot_be_opened(void **state) {
	char *missing = xasprintf("%s/no/such.db", folder);

	(void)state;
	assert_null(db_open(missing, NULL, &err));
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(db_checkpoint(missing, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	free(missing);
	assert_null(db_open(folder, NULL, &err));
	assert_true(err.kind != ERR_NONE);
}

/* The disk's end, by the database's own limit and by the system's. */
static void a_full_disk(void **state) {
	struct rlimit kept, small = { 0 };

	(void)state;
	struct db *db = open_with_rows(1);
	assert_int_equal(db_exec(db, "PRAGMA max_page_count=3", &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(100000))", &err), -1);
	assert_int_equal(err.kind, ERR_FULL);
	db_close(db);
	clean_up();

	db = open_with_rows(1);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
	small.rlim_cur = 64 << 10;
	small.rlim_max = kept.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(db_begin(db, &err), 0);
	int rc = db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(1000000))", &err);
	if (rc == 0) rc = db_commit(db, true, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERR_FULL);
	db_rollback(db);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 1); /* and all is as it was */
	db_close(db);
	clean_up();
}

/* ---- the write-ahead log ---- */

static int64_t file_size(const char *ending) {
	char *name = xasprintf("%s%s", path, ending);
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	free(name);
	return st.st_size;
}

static void checkpoints(void **state) {
	struct db *db = open_with_rows(500);
	int64_t before = file_size("");

	(void)state;
	assert_true(db_wal_bytes(db) > 500000);
	assert_int_equal(db_wal_bytes(db) + 32, file_size("-wal")); /* 32: the log's header */
	assert_int_equal(db_checkpoint(path, &err), 0);
	assert_true(file_size("") > before);

	/* The next write begins the log anew. */
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(10))", &err), 0);
	assert_true(db_wal_bytes(db) < 50000);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 501);
	db_close(db);
	clean_up();
}

static void a_checkpoint_leaves_the_writer_alone(void **state) {
	static const struct db_options reading = { .readonly = true };
	struct db *db = open_with_rows(50);
	struct db *reader = db_open(path, &reading, &err);

	(void)state;
	assert_int_equal(db_begin(reader, &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 50);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(10))", &err), 0);
	assert_int_equal(db_checkpoint(path, &err), 0);
	assert_int_equal(db_commit(db, true, &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 50);
	assert_int_equal(db_commit(reader, false, &err), 0);
	assert_int_equal(number(reader, "SELECT count(*) FROM t"), 51);
	db_close(reader);
	db_close(db);
	clean_up();
}

/* A commit that came during the checkpoint keeps the log from beginning anew: the owner copies it. */
static void the_rest_of_a_checkpoint(void **state) {
	struct db *db = open_with_rows(500);

	(void)state;
	assert_int_equal(db_checkpoint(path, &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(10))", &err), 0);
	int64_t anew = db_wal_bytes(db);
	for (int i = 0; i < 2; i++)
		assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(10))", &err), 0);
	assert_true(db_wal_bytes(db) > anew);
	assert_int_equal(db_checkpoint_rest(db, &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (zeroblob(10))", &err), 0);
	assert_true(db_wal_bytes(db) <= anew);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 504);
	db_close(db);
	clean_up();
}

/* What was committed is in the files: a copy of them, as a crash would leave them, holds it. */
static void copy_file(const char *from, const char *to) {
	char *command = xasprintf("cp '%s' '%s'", from, to);

	assert_int_equal(system(command), 0);
	free(command);
}

static void a_crash_keeps_what_was_committed(void **state) {
	char *copy = xasprintf("%s/copy.db", folder), *copy_wal = xasprintf("%s-wal", copy),
	     *wal = xasprintf("%s-wal", path);
	struct db *db = open_with_rows(5);

	(void)state;
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (x'01')", &err), 0);
	assert_int_equal(db_commit(db, true, &err), 0);
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (x'02')", &err), 0);
	copy_file(path, copy);
	copy_file(wal, copy_wal);
	db_close(db);
	clean_up();

	db = db_open(copy, NULL, &err);
	assert_non_null(db);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 6);
	db_close(db);
	unlink(copy);
	free(copy);
	free(copy_wal);
	free(wal);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pragmas),
		cmocka_unit_test(in_memory),
		cmocka_unit_test(readonly),
		cmocka_unit_test(two_writers_are_busy),
		cmocka_unit_test(what_is_no_database),
		cmocka_unit_test(what_cannot_be_opened),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(checkpoints),
		cmocka_unit_test(a_checkpoint_leaves_the_writer_alone),
		cmocka_unit_test(the_rest_of_a_checkpoint),
		cmocka_unit_test(a_crash_keeps_what_was_committed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
