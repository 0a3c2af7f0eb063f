/*
 * Snapshots of databases that another process keeps writing, or has left behind when it was killed.
 *
 * The writer is a child: POSIX locks do not hold between connections of one process.
 */
#include <fcntl.h>
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

enum { ROUNDS = 200, KEPT = 100 /* rows that a writer leaves */ };

/* What the writer tells: the rows whose COMMIT has returned. */
struct told {
	atomic_int committed;
	atomic_int stop;
};

struct scene {
	char top[64];
	char root[80];
	char image[80];
	struct disk *disk;
	struct told *told;
	pid_t writer;
	struct err err;
};

static int setup(void **state) {
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->top, sizeof(scene->top), "/tmp/tend-snap-XXXXXX");
	assert_non_null(mkdtemp(scene->top));
	snprintf(scene->root, sizeof(scene->root), "%s/root", scene->top);
	snprintf(scene->image, sizeof(scene->image), "%s/image%%20?", scene->top);
	assert_int_equal(mkdir(scene->root, 0755), 0);
	scene->disk = disk_open(scene->root, &scene->err);
	assert_non_null(scene->disk);
	scene->told = mmap(NULL, sizeof(*scene->told), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(scene->told, MAP_FAILED);
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	char *command = xasprintf("rm -rf '%s'", scene->top);

	if (scene->writer > 0) {
		kill(scene->writer, SIGKILL);
		waitpid(scene->writer, NULL, 0);
	}
	disk_close(scene->disk);
	munmap(scene->told, sizeof(*scene->told));
	assert_int_equal(system(command), 0);
	free(command);
	free(scene);
	return 0;
}

/* ---- the writer: in a child, where a failure is an exit status ---- */

static void must(int ok, const char *what) {
	if (ok) return;
	fprintf(stderr, "writer: %s\n", what);
	_exit(99);
}

static sqlite3 *writer_open(const char *root, const char *mode) {
	char *path = xasprintf("%s/chat.db", root);
	char *sql = xasprintf("PRAGMA journal_mode=%s; PRAGMA synchronous=OFF;"
			      "CREATE TABLE IF NOT EXISTS a(id INTEGER PRIMARY KEY, x BLOB);"
			      "CREATE TABLE IF NOT EXISTS b(id INTEGER PRIMARY KEY, x BLOB);"
			      "CREATE INDEX IF NOT EXISTS ax ON a(x)",
		mode);
	sqlite3 *db = NULL;

	must(sqlite3_open(path, &db) == SQLITE_OK, "open");
	sqlite3_busy_timeout(db, 20000);
	must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
	free(path);
	free(sql);
	return db;
}

static void writer_add(sqlite3 *db, struct told *told) {
	int next = atomic_load(&told->committed) + 1;
	char *sql = xasprintf("BEGIN IMMEDIATE;"
			      "INSERT INTO a VALUES(%d, randomblob(abs(random()) %% 900));"
			      "INSERT INTO b VALUES(%d, randomblob(abs(random()) %% 2000));"
			      "DELETE FROM a WHERE id < %d; DELETE FROM b WHERE id < %d; COMMIT",
		next, next, next - KEPT, next - KEPT);

	must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
	free(sql);
	atomic_store(&told->committed, next);
}

/* Commits all the time until it is told to stop, or to the end of `rows`. */
static void write_on(struct scene *scene, const char *mode, int rows, bool reopen) {
	sqlite3 *db = writer_open(scene->root, mode);

	for (int n = 0; n < rows && !atomic_load(&scene->told->stop); n++) {
		writer_add(db, scene->told);
		if (!reopen) continue;
		must(sqlite3_close(db) == SQLITE_OK, "close");
		db = writer_open(scene->root, mode);
	}
	must(sqlite3_close(db) == SQLITE_OK, "close");
}

/* Leaves a transaction half done, on disk: the pages spill over a small cache. */
static void write_and_hang(struct scene *scene, const char *mode) {
	sqlite3 *db = writer_open(scene->root, mode);

	for (int n = 0; n < 100; n++) writer_add(db, scene->told);
	must(sqlite3_exec(db,
		     "PRAGMA cache_size=4; PRAGMA cache_spill=1; BEGIN IMMEDIATE;"
		     "UPDATE a SET x=randomblob(400); UPDATE b SET x=randomblob(4000)",
		     NULL, NULL, NULL) == SQLITE_OK,
		sqlite3_errmsg(db));
	atomic_store(&scene->told->stop, 1);
	for (;;) pause();
}

static void start_writer(struct scene *scene, const char *mode, int rows, bool reopen) {
	scene->writer = fork();
	assert_true(scene->writer >= 0);
	if (scene->writer == 0) {
		write_on(scene, mode, rows, reopen);
		_exit(0);
	}
}

static void end_writer(struct scene *scene) {
	int status = 0;

	atomic_store(&scene->told->stop, 1);
	assert_int_equal(waitpid(scene->writer, &status, 0), scene->writer);
	assert_int_equal(status, 0);
	scene->writer = 0;
	atomic_store(&scene->told->stop, 0);
}

static void nap(void) {
	struct timespec time = { .tv_nsec = 1000000 };
	nanosleep(&time, NULL);
}

static void wait_for_rows(struct scene *scene, int rows) {
	while (atomic_load(&scene->told->committed) < rows) {
		assert_int_equal(waitpid(scene->writer, NULL, WNOHANG), 0);
		nap();
	}
}

/* ---- what the tests look at ---- */

/* Names, and for `bytes` what is in them, in one text. */
static char *folder_text(struct scene *scene, bool bytes) {
	struct disk_list list;
	struct buf text;

	buf_init(&text, 1 << 20);
	assert_int_equal(disk_list(scene->disk, "", &list, &scene->err), 0);
	for (size_t i = 0; i < list.count; i++) {
		struct disk_item *item = &list.items[i];
		buf_addf(&text, "%s", item->name);
		if (bytes && !str_ends(item->name, "-shm")) {
			struct buf body;
			uint8_t hash[DIGEST_MAX];
			char hex[2 * DIGEST_MAX + 1];
			buf_init(&body, 0);
			assert_int_equal(disk_read(scene->disk, item->name, 64 << 20, &body,
						 DIGEST_MD5, hash, &item->stat, &scene->err),
				0);
			hex_encode(hash, 16, hex);
			buf_addf(&text, ":%s:%lld", hex, (long long)item->stat.mtime_ns);
			buf_release(&body);
		}
		buf_addc(&text, ' ');
	}
	disk_list_release(&list);
	return buf_steal(&text);
}

static int number(sqlite3 *db, const char *sql) {
	sqlite3_stmt *statement = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Whole, of one commit, and not older than `least`. */
static void check_image(struct scene *scene, int least) {
	char *path = str_percent_encode(scene->image, "/");
	char *uri = xasprintf("file:%s?immutable=1", path);
	sqlite3 *db = NULL;

	assert_int_equal(
		sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
	assert_int_equal(
		number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	int newest = number(db, "SELECT max(id) FROM a");
	assert_true(newest >= least);
	assert_int_equal(number(db, "SELECT max(id) FROM b"), newest);
	assert_int_equal(number(db, "SELECT count(*) FROM a"), newest > KEPT ? KEPT + 1 : newest);
	assert_int_equal(number(db, "SELECT count(*) FROM b"), newest > KEPT ? KEPT + 1 : newest);
	sqlite3_close(db);
	free(uri);
	free(path);
}

static void check_nothing_beside_the_image(struct scene *scene) {
	static const char *const suffixes[] = { "-wal", "-shm", "-journal", ".copy" };
	struct stat stat_of;

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char *name = xasprintf("%s%s", scene->image, suffixes[i]);
		assert_int_equal(stat(name, &stat_of), -1);
		free(name);
	}
}

/* A capture as its caller does it: again while somebody is in the way. */
static void capture(struct scene *scene, struct disk_snapshot *snapshot) {
	for (int tries = 0; tries < 500; tries++) {
		err_clear(&scene->err);
		if (disk_snapshot(scene->disk, "chat.db", scene->image, DIGEST_MD5, snapshot,
			    &scene->err) == 0)
			return;
		if (scene->err.kind != ERR_BUSY) break;
		nap();
	}
	print_error("%s\n", scene->err.text);
	fail();
}

/* ---- tests ---- */

struct live {
	const char *mode;
	int rounds;
	bool reopen; /* the writer closes after each commit, so that its files come and go */
};

static void capture_beside_a_writer(struct scene *scene, struct live live) {
	struct disk_snapshot snapshot;
	int plain = 0;

	start_writer(scene, live.mode, INT32_MAX, live.reopen);
	wait_for_rows(scene, 50);
	for (int round = 0; round < live.rounds; round++) {
		int least = atomic_load(&scene->told->committed);
		char *before = live.reopen ? NULL : folder_text(scene, false);
		capture(scene, &snapshot);
		char *after = live.reopen ? NULL : folder_text(scene, false);
		bool wal = str_equal(live.mode, "WAL");
		if (wal && !live.reopen) assert_string_equal(before, after);
		free(before);
		free(after);
		if (snapshot.plain) {
			plain++;
			continue;
		}
		check_image(scene, least);
		check_nothing_beside_the_image(scene);
	}
	assert_true(plain < live.rounds);
	end_writer(scene);
	char *left = folder_text(scene, false);
	if (str_equal(live.mode, "PERSIST") || str_equal(live.mode, "TRUNCATE")) {
		assert_string_equal(left, "chat.db chat.db-journal ");
	} else {
		assert_string_equal(left, "chat.db ");
	}
	free(left);
}

#define LIVE(name, mode, rounds, reopen)                                                \
	static void name(void **state) {                                                \
		capture_beside_a_writer(*state, (struct live){ mode, rounds, reopen }); \
	}
LIVE(a_wal_writer_is_captured, "WAL", ROUNDS, false)
LIVE(a_wal_writer_that_comes_and_goes_is_captured, "WAL", ROUNDS, true)
LIVE(a_rollback_writer_is_captured, "DELETE", ROUNDS, false)
LIVE(a_truncating_writer_is_captured, "TRUNCATE", ROUNDS / 4, false)
LIVE(a_persisting_writer_is_captured, "PERSIST", ROUNDS / 4, true)

static void wait_until_hung(struct scene *scene, const char *mode) {
	scene->writer = fork();
	assert_true(scene->writer >= 0);
	if (scene->writer == 0) write_and_hang(scene, mode);
	while (!atomic_load(&scene->told->stop)) {
		assert_int_equal(waitpid(scene->writer, NULL, WNOHANG), 0);
		nap();
	}
}

static void kill_writer(struct scene *scene) {
	kill(scene->writer, SIGKILL);
	waitpid(scene->writer, NULL, 0);
	scene->writer = 0;
}

/* -wal, -shm or a hot -journal that nobody recovers: the image has the commits, the user's files
 * stay as they are. */
static void capture_what_a_crash_left(struct scene *scene, const char *mode, const char *remove) {
	struct disk_snapshot snapshot;

	wait_until_hung(scene, mode);
	kill_writer(scene);
	if (remove) {
		char *name = xasprintf("%s/%s", scene->root, remove);
		assert_int_equal(unlink(name), 0);
		free(name);
	}
	char *before = folder_text(scene, true);
	capture(scene, &snapshot);
	char *after = folder_text(scene, true);
	assert_string_equal(before, after);
	assert_false(snapshot.plain);
	check_image(scene, 100);
	check_nothing_beside_the_image(scene);
	free(before);
	free(after);
}

static void a_log_and_its_index_left_by_a_crash(void **state) {
	capture_what_a_crash_left(*state, "WAL", NULL);
}

static void a_log_left_by_a_crash(void **state) {
	capture_what_a_crash_left(*state, "WAL", "chat.db-shm");
}

static void a_hot_journal_left_by_a_crash(void **state) {
	struct scene *scene = *state;

	capture_what_a_crash_left(scene, "DELETE", NULL);
	char *left = folder_text(scene, false);
	assert_string_equal(left, "chat.db chat.db-journal ");
	free(left);
}

/* It holds the exclusive lock in the middle of a transaction, half of which is in the file: by its journal the image is what was
 * committed, and the file stays as it is. */
static void a_writer_that_never_lets_go_is_captured(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;

	wait_until_hung(scene, "DELETE");
	char *before = folder_text(scene, true);
	capture(scene, &snapshot);
	char *after = folder_text(scene, true);
	assert_string_equal(before, after);
	assert_false(snapshot.plain);
	check_image(scene, 100);
	check_nothing_beside_the_image(scene);
	free(before);
	free(after);
}

static void hold_exclusively(struct scene *scene) {
	sqlite3 *db = writer_open(scene->root, "DELETE");

	must(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK,
		"lock");
	for (int n = 0; n < 10; n++) writer_add(db, scene->told);
	atomic_store(&scene->told->stop, 1);
	for (;;) pause();
}

static void a_writer_in_exclusive_mode_is_captured(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;

	scene->writer = fork();
	assert_true(scene->writer >= 0);
	if (scene->writer == 0) hold_exclusively(scene);
	while (!atomic_load(&scene->told->stop)) {
		assert_int_equal(waitpid(scene->writer, NULL, WNOHANG), 0);
		nap();
	}
	capture(scene, &snapshot);
	if (!snapshot.plain) check_image(scene, 10);
}

static void a_database_at_rest_is_its_own_image(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;
	struct disk_stat stat;
	struct buf body;
	uint8_t hash[DIGEST_MAX];

	start_writer(scene, "WAL", 100, false);
	waitpid(scene->writer, NULL, 0);
	scene->writer = 0;
	for (int tries = 0; tries < 5000; tries++) {
		/* Right after the last write it takes the lock, and an image. */
		capture(scene, &snapshot);
		if (snapshot.plain) break;
		check_image(scene, 100);
		unlink(scene->image);
		nap();
	}
	assert_true(snapshot.plain);
	assert_true(snapshot.source.change_counter > 0);
	buf_init(&body, 0);
	assert_int_equal(disk_read(scene->disk, "chat.db", 64 << 20, &body, DIGEST_MD5, hash, &stat,
				 &scene->err),
		0);
	assert_memory_equal(hash, snapshot.hash, 16);
	assert_int_equal(snapshot.size, stat.size);
	assert_int_not_equal(access(scene->image, F_OK), 0);
	buf_release(&body);
	char *left = folder_text(scene, false);
	assert_string_equal(left, "chat.db ");
	free(left);
}

/* Trap 3: the file at rest and an image of it differ in a few bytes, and say that they are the same; a row more says otherwise. */
static void a_file_and_its_image_have_the_same_content(void **state) {
	static const char *const modes[] = { "WAL", "DELETE" };
	struct scene *scene = *state;
	struct disk_snapshot image, plain, more;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		sqlite3 *db = writer_open(scene->root, modes[i]);
		for (int n = 0; n < 40; n++) writer_add(db, scene->told);
		/* What a reader keeps out of the way is not moved, and stays in the log. */
		do {
			must(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM a", NULL, NULL, NULL) ==
					SQLITE_OK,
				"read");
			capture(scene, &image);
			sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
			nap();
		} while (image.plain && i == 0);
		must(sqlite3_close(db) == SQLITE_OK, "close");
		do {
			nap();
			capture(scene, &plain);
		} while (!plain.plain);
		assert_memory_equal(image.content, plain.content, 16);
		if (!image.plain) assert_memory_not_equal(image.hash, plain.hash, 16);
		db = writer_open(scene->root, modes[i]);
		writer_add(db, scene->told);
		must(sqlite3_close(db) == SQLITE_OK, "close");
		capture(scene, &more);
		assert_memory_not_equal(more.content, plain.content, 16);
	}
}

/* Trap 3: an image is compared with an image, so equal contents must give equal bytes. */
static void equal_sources_have_equal_images(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot first, again, after;
	int go[2], done[2];
	char byte;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	scene->writer = fork();
	if (scene->writer == 0) {
		static const char *const steps[] = { "PRAGMA wal_checkpoint(PASSIVE)",
			"BEGIN IMMEDIATE; COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)",
			"UPDATE a SET id=id WHERE id=0" };
		sqlite3 *db = writer_open(scene->root, "WAL");
		for (int n = 0; n < 100; n++) writer_add(db, scene->told);
		must(write(done[1], "x", 1) == 1, "tell");
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			must(read(go[0], &byte, 1) == 1, "wait");
			must(sqlite3_exec(db, steps[i], NULL, NULL, NULL) == SQLITE_OK, steps[i]);
			must(write(done[1], "x", 1) == 1, "tell");
		}
		for (;;) pause();
	}
	assert_int_equal(read(done[0], &byte, 1), 1);
	capture(scene, &first);
	capture(scene, &again);
	assert_false(first.plain);
	assert_memory_equal(first.hash, again.hash, 16);
	assert_true(disk_source_same(&first.source, &again.source));
	for (int step = 0; step < 4; step++) {
		assert_int_equal(write(go[1], "x", 1), 1);
		assert_int_equal(read(done[0], &byte, 1), 1);
		capture(scene, &after);
		assert_false(after.plain);
		assert_memory_equal(first.hash, after.hash, 16);
		assert_int_equal(first.size, after.size);
	}
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(done[i]);
	}
}

static void a_source_tells_each_write(void **state) {
	struct scene *scene = *state;
	struct disk_source first, second;
	bool journal = true;

	start_writer(scene, "WAL", INT32_MAX, false);
	wait_for_rows(scene, 5);
	assert_int_equal(disk_source(scene->disk, "chat.db", &first, &journal, &scene->err), 0);
	assert_true(first.has_wal);
	assert_true(first.wal_salt[0] != 0 || first.wal_salt[1] != 0);
	assert_false(journal);
	wait_for_rows(scene, atomic_load(&scene->told->committed) + 5);
	assert_int_equal(disk_source(scene->disk, "chat.db", &second, NULL, &scene->err), 0);
	assert_false(disk_source_same(&first, &second));
	end_writer(scene);
	assert_int_equal(disk_source(scene->disk, "chat.db", &second, &journal, &scene->err), 0);
	assert_false(second.has_wal);
	assert_int_equal(disk_is_sqlite(scene->disk, "chat.db", &scene->err), 1);
}

static void put(struct scene *scene, const char *name, const void *bytes, size_t len) {
	int fd = disk_create(scene->disk, name, 0644, &scene->err);

	assert_true(fd >= 0);
	assert_int_equal(disk_write_span(fd, 0, bytes, len, &scene->err), 0);
	close(fd);
}

static void what_only_looks_like_a_database_is_corrupt(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;
	char bytes[8192];

	for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(i * 37 + i / 251);
	memcpy(bytes, "SQLite format 3", 16);
	put(scene, "chat.db", bytes, sizeof(bytes));
	put(scene, "chat.db-journal", "", 0);
	assert_int_equal(disk_is_sqlite(scene->disk, "chat.db", &scene->err), 1);
	assert_int_equal(disk_snapshot(scene->disk, "chat.db", scene->image, DIGEST_MD5, &snapshot,
				 &scene->err),
		-1);
	assert_int_equal(scene->err.kind, ERR_CORRUPT);
	put(scene, "text", "SQLite format 4", 15);
	assert_int_equal(disk_is_sqlite(scene->disk, "text", &scene->err), 0);
	assert_int_equal(disk_is_sqlite(scene->disk, "none", &scene->err), -1);
	assert_int_equal(scene->err.kind, ERR_NOT_FOUND);
}

/* Right pages, wrong index: only integrity_check sees that. */
static void a_damaged_database_is_corrupt(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;

	start_writer(scene, "DELETE", 100, false);
	waitpid(scene->writer, NULL, 0);
	scene->writer = fork();
	if (scene->writer == 0) {
		sqlite3 *db = writer_open(scene->root, "DELETE");
		must(sqlite3_exec(db,
			     "PRAGMA writable_schema=1; UPDATE sqlite_master SET rootpage=("
			     "SELECT rootpage FROM sqlite_master WHERE name='b') WHERE name='ax'",
			     NULL, NULL, NULL) == SQLITE_OK,
			sqlite3_errmsg(db));
		_exit(0);
	}
	waitpid(scene->writer, NULL, 0);
	scene->writer = 0;
	put(scene, "chat.db-journal", "", 0);
	assert_int_equal(disk_snapshot(scene->disk, "chat.db", scene->image, DIGEST_MD5, &snapshot,
				 &scene->err),
		-1);
	assert_int_equal(scene->err.kind, ERR_CORRUPT);
	check_nothing_beside_the_image(scene);
}

static int compare_backwards(
	void *user, int left_len, const void *left, int right_len, const void *right) {
	int order = memcmp(right, left, (size_t)(left_len < right_len ? left_len : right_len));
	return order ? order : right_len - left_len;
}

/* Its index cannot be checked by anybody but its program. */
static void a_schema_with_own_words_is_captured(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;

	scene->writer = fork();
	assert_true(scene->writer >= 0);
	if (scene->writer == 0) {
		sqlite3 *db = writer_open(scene->root, "WAL");
		must(sqlite3_create_collation(
			     db, "backwards", SQLITE_UTF8, NULL, compare_backwards) == SQLITE_OK,
			"collation");
		must(sqlite3_exec(db,
			     "CREATE TABLE c(x TEXT COLLATE backwards); CREATE INDEX cx ON c(x);"
			     "INSERT INTO c VALUES('1'),('2')",
			     NULL, NULL, NULL) == SQLITE_OK,
			sqlite3_errmsg(db));
		writer_add(db, scene->told);
		for (;;) pause();
	}
	wait_for_rows(scene, 1);
	capture(scene, &snapshot);
	assert_false(snapshot.plain);
	assert_true(snapshot.size > 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_wal_writer_is_captured),
		TEST(a_wal_writer_that_comes_and_goes_is_captured),
		TEST(a_rollback_writer_is_captured),
		TEST(a_truncating_writer_is_captured),
		TEST(a_persisting_writer_is_captured),
		TEST(a_log_and_its_index_left_by_a_crash),
		TEST(a_log_left_by_a_crash),
		TEST(a_hot_journal_left_by_a_crash),
		TEST(a_writer_that_never_lets_go_is_captured),
		TEST(a_writer_in_exclusive_mode_is_captured),
		TEST(a_database_at_rest_is_its_own_image),
		TEST(a_file_and_its_image_have_the_same_content),
		TEST(equal_sources_have_equal_images),
		TEST(a_source_tells_each_write),
		TEST(what_only_looks_like_a_database_is_corrupt),
		TEST(a_damaged_database_is_corrupt),
		TEST(a_schema_with_own_words_is_captured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
