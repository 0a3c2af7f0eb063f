/*
 * An image is not taken between the two steps of a commit in WAL mode: the frames are in the log, and the
 * index does not count them yet. The writer, a child, is held there: in the fsync that lies between.
 */
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "disk/disk.h"

enum { SLOW_NAPS = 100, FOR_EVER = 1000000 };

struct told {
	atomic_bool hold;     /* the next fsync of the log, */
	atomic_int pass;      /* but for so many: a log begun anew syncs its header first */
	atomic_bool held;     /* it is */
	atomic_bool slow;     /* each fsync takes long */
	atomic_int committed; /* COMMITs that have returned */
};

static struct told *told; /* shared with the child */

static void nap(void) {
	static const struct timespec time = { .tv_nsec = 1000000 };
	nanosleep(&time, NULL);
}

/* ---- the writer ---- */

static sqlite3_vfs *real, vfs;
static const sqlite3_io_methods *log_methods;
static sqlite3_io_methods held_methods;

static int sync_when_let(sqlite3_file *file, int flags) {
	bool passes = atomic_load(&told->hold) && atomic_load(&told->pass) > 0;
	if (passes) atomic_fetch_sub(&told->pass, 1);
	while (!passes && atomic_load(&told->hold)) {
		atomic_store(&told->held, true);
		nap();
	}
	for (int n = 0; n < SLOW_NAPS && atomic_load(&told->slow); n++) nap();
	return log_methods->xSync(file, flags);
}

static int open_file(sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags, int *got) {
	(void)self;
	int code = real->xOpen(real, path, file, flags, got);
	if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
		log_methods = file->pMethods;
		held_methods = *log_methods;
		held_methods.xSync = sync_when_let;
		file->pMethods = &held_methods;
	}
	return code;
}

static void run(sqlite3 *db, const char *sql) {
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
	fprintf(stderr, "writer: %s: %s\n", sql, sqlite3_errmsg(db));
	_exit(99);
}

/* One row a commit; the log begins anew before the last when `restart`. */
static void write_rows(const char *path, int rows, bool restart) {
	sqlite3 *db = NULL;

	real = sqlite3_vfs_find(NULL);
	vfs = *real;
	vfs.zName = "held";
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 0);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "held"))
		_exit(98);
	run(db, "CREATE TABLE t(x); PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"PRAGMA wal_autocheckpoint=0");
	atomic_store(&told->slow, rows == FOR_EVER);
	for (int n = 1; n <= rows; n++) {
		if (n == rows && restart) run(db, "PRAGMA wal_checkpoint(RESTART)");
		atomic_store(&told->pass, n == rows && (n == 1 || restart));
		atomic_store(&told->hold, n == rows);
		run(db, "INSERT INTO t VALUES(1)");
		atomic_store(&told->committed, n);
	}
	for (;;) pause();
}

/* ---- */

static struct scene {
	char top[64];
	struct disk *disk;
	char *image;
	pid_t writer;
} scene;

static void begin(int rows, bool restart) {
	struct err err;

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(told, MAP_FAILED);
	snprintf(scene.top, sizeof(scene.top), "/tmp/tend-commit-XXXXXX");
	assert_non_null(mkdtemp(scene.top));
	char *root = path_join(scene.top, "root"), *path = path_join(root, "chat.db");
	assert_int_equal(mkdir(root, 0700), 0);
	scene.image = path_join(scene.top, "image");
	scene.disk = disk_open(root, &err);
	assert_non_null(scene.disk);
	scene.writer = fork();
	assert_true(scene.writer >= 0);
	if (scene.writer == 0) write_rows(path, rows, restart);
	while (rows < FOR_EVER ? !atomic_load(&told->held) : atomic_load(&told->committed) < 3) {
		assert_int_equal(waitpid(scene.writer, NULL, WNOHANG), 0);
		nap();
	}
	free(root);
	free(path);
}

/* After a failure too: a writer that is held would hold the test's output open. */
static int teardown(void **state) {
	char *command = xasprintf("rm -rf '%s'", scene.top);

	kill(scene.writer, SIGKILL);
	waitpid(scene.writer, NULL, 0);
	disk_close(scene.disk);
	munmap(told, sizeof(*told));
	assert_int_equal(system(command), 0);
	free(command);
	free(scene.image);
	return 0;
}

static int rows_of_image(void) {
	char *uri = xasprintf("file:%s?immutable=1", scene.image);
	sqlite3_stmt *count = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(
		sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &count, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(count), SQLITE_ROW);
	int rows = sqlite3_column_int(count, 0);
	sqlite3_finalize(count);
	sqlite3_close(db);
	free(uri);
	return rows;
}

static void await(int rows, bool restart) {
	struct disk_snapshot snapshot;
	struct err err;

	begin(rows, restart);
	assert_int_equal(
		disk_snapshot(scene.disk, "chat.db", scene.image, DIGEST_MD5, &snapshot, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	atomic_store(&told->hold, false);
	while (atomic_load(&told->committed) < rows) nap();
	assert_int_equal(
		disk_snapshot(scene.disk, "chat.db", scene.image, DIGEST_MD5, &snapshot, &err), 0);
	assert_int_equal(rows_of_image(), rows);
}

static void a_commit_under_way_is_awaited(void **state) {
	await(4, false);
}

/* The index learns with the first commit what the log's rounds are told apart by. */
static void the_first_commit_is_awaited(void **state) {
	await(1, false);
}

/* Behind the frame lie those of the round before. */
static void a_commit_in_a_log_begun_anew_is_awaited(void **state) {
	await(10, true);
}

/* On a slow disk a writer that commits all the time is nearly always in the middle of one: an image waits
 * for that one alone. */
static void a_writer_on_a_slow_disk_is_captured(void **state) {
	struct disk_snapshot snapshot;
	struct err err;

	begin(FOR_EVER, false);
	for (int n = 0; n < 5; n++) {
		int committed = atomic_load(&told->committed);
		assert_int_equal(disk_snapshot(scene.disk, "chat.db", scene.image, DIGEST_MD5,
					 &snapshot, &err),
			0);
		assert_true(rows_of_image() >= committed);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_commit_under_way_is_awaited, teardown),
		cmocka_unit_test_teardown(the_first_commit_is_awaited, teardown),
		cmocka_unit_test_teardown(a_writer_on_a_slow_disk_is_captured, teardown),
		cmocka_unit_test_teardown(a_commit_in_a_log_begun_anew_is_awaited, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
