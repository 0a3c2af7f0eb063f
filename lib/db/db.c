#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/internal.h"

static const char in_memory[] = ":memory:";

enum { PAGE_SIZE = 4096, CACHE_KIB = 2048, BUSY_MS = 1000, WAL_FRAME_HEAD = 24 };

/* ---- open and close ---- */

/* SQLite would take the umask. Only when the file is new: closing a descriptor of a database that
 * another connection of this process has open would drop that connection's locks
 * (sqlite.org/howtocorrupt.html §2.2). */
static void create_private(const char *path) {
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0) close(fd); /* what is wrong otherwise, SQLite will say */
}

/* SQLite calls it after each commit, with the pages that the log then holds. */
static int log_grew(void *user, sqlite3 *handle, const char *name, int pages) {
	struct db *db = user;

	(void)handle;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static int set_pragmas(struct db *db, const struct db_options *options, struct err *err) {
	char sql[320];

	/* The page size counts only before the file gets its first page, so it comes before WAL. */
	snprintf(sql, sizeof(sql),
		"PRAGMA page_size=%d; PRAGMA %s; PRAGMA synchronous=%s; PRAGMA cache_size=-%d;"
		"PRAGMA wal_autocheckpoint=%d; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;",
		options->page_size ? options->page_size : PAGE_SIZE,
		options->memory ? "locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA "
				  "journal_mode=MEMORY"
				: "journal_mode=WAL",
		options->memory      ? "OFF"
		: options->full_sync ? "FULL"
				     : "NORMAL",
		options->cache_kib ? options->cache_kib : CACHE_KIB, options->autocheckpoint);
	if (!options->readonly) return db_exec(db, sql, err);

	snprintf(sql, sizeof(sql), "PRAGMA query_only=ON; PRAGMA cache_size=-%d;",
		options->cache_kib ? options->cache_kib : CACHE_KIB);
	return db_exec(db, sql, err);
}

/* The answer of a statement that gives one number. */
static int read_number(struct db *db, const char *sql, int64_t *value, struct err *err) {
	struct db_stmt stmt = { 0 };

	if (db_prepare(db, &stmt, sql, err)) return -1;
	int rc = db_step(&stmt, err);
	if (rc > 0) *value = db_int(&stmt, 0);
	db_finalize(&stmt);
	return rc < 0 ? -1 : 0;
}

/* SQLite counts its memory under a lock of the whole process at each of its allocations, and nobody asks for the count (measured, 3,000
 * files stored from memory to memory: a twentieth of the loop thread's instructions). Refused, without harm, once it was begun. */
static void forgo_counts(void) {
	static atomic_flag done = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&done)) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_handle(const char *path, int flags, const struct db_options *options,
	sqlite3 **handle, struct err *err) {
	forgo_counts();
	const char *vfs = options->memory ? db_memory_vfs(options->memory) : NULL;
	int rc = sqlite3_open_v2(vfs ? vfs : path, handle, flags | SQLITE_OPEN_NOMUTEX, vfs);

	if (rc) {
		db_fail(*handle, path, rc, err);
		sqlite3_close(*handle);
		return -1;
	}
	sqlite3_extended_result_codes(*handle, 1);
	sqlite3_busy_timeout(*handle, options->busy_ms ? options->busy_ms : BUSY_MS);
	return 0;
}

struct db *db_open(const char *path, const struct db_options *options, struct err *err) {
	static const struct db_options usual;
	int64_t tables = 0, page_size = 0;
	sqlite3 *handle;

	if (!path) path = in_memory;
	if (!options) options = &usual;
	if (!options->readonly && !str_equal(path, in_memory)) create_private(path);
	int flags = options->readonly ? SQLITE_OPEN_READONLY
				      : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	if (open_handle(path, flags, options, &handle, err)) return NULL;

	struct db *db = xcalloc(1, sizeof(*db));
	db->handle = handle;
	db->path = xstrdup(path);
	db->readonly = options->readonly;
	list_init(&db->stmts);
	/* Opening reads nothing; the schema has to be parsed for damage to be seen here and not at
	 * the first row. */
	if (set_pragmas(db, options, err) ||
		read_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) ||
		read_number(db, "PRAGMA page_size", &page_size, err)) {
		db_close(db);
		return NULL;
	}
	db->page_size = (int)page_size;
	/* Not with autocheckpoint: that is a hook too, and there is only one. */
	if (options->autocheckpoint == 0) sqlite3_wal_hook(handle, log_grew, db);
	return db;
}

void db_close(struct db *db) {
	if (!db) return;
	list_each(&db->stmts, link) {
		db_finalize(list_entry(link, struct db_stmt, link));
	}
	int rc = sqlite3_close(db->handle);
	assert(rc == SQLITE_OK); /* all statements are ours, and gone */
	(void)rc;
	free(db->path);
	free(db);
}

const char *db_path(const struct db *db) {
	return db->path;
}

int db_exec(struct db *db, const char *sql, struct err *err) {
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc ? db_fail(db->handle, db->path, rc, err) : 0;
}

/* ---- schema ---- */

static int migrate_step(struct db *db, const char *step, size_t version, struct err *err) {
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA user_version=%zu", version);
	if (db_begin(db, err)) return -1;
	if (db_exec(db, step, err) || db_exec(db, sql, err) || db_commit(db, true, err)) {
		db_rollback(db);
		return err_wrap(err, "cannot bring the schema to version %zu", version);
	}
	return 0;
}

int db_migrate(struct db *db, const char *const steps[], size_t count, struct err *err) {
	int64_t version = 0;

	if (read_number(db, "PRAGMA user_version", &version, err)) return -1;
	if (version < 0 || (uint64_t)version > count) {
		return err_set(err, ERR_INVALID,
			"database '%s' has schema version %lld, this program knows %zu: install "
			"the newer program",
			db->path, (long long)version, count);
	}
	for (size_t i = (size_t)version; i < count; i++) {
		if (migrate_step(db, steps[i], i + 1, err)) return -1;
	}
	return 0;
}

/* ---- transactions ---- */

/* Prepared once: parsed each time they were half of what a small transaction costs. */
static int run_prepared(struct db *db, struct db_stmt *stmt, const char *sql, struct err *err) {
	return db_prepare(db, stmt, sql, err) ? -1 : db_run(stmt, err);
}

int db_begin(struct db *db, struct err *err) {
	/* A transaction that begins by reading may fail at its first write, when another connection
	 * was faster. */
	return run_prepared(db, &db->begin, db->readonly ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

/* What synchronous=FULL does at a commit. The pragma cannot be changed inside a transaction, and
 * only at its end it is known whether the turn decided anything that must not be lost. */
static int sync_log(struct db *db, struct err *err) {
	sqlite3_file *file = NULL;

	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&file);
	if (!file || !file->pMethods) return 0; /* in memory */
	int rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	return rc ? db_fail(db->handle, db->path, rc, err) : 0;
}

int db_commit(struct db *db, bool full, struct err *err) {
	if (run_prepared(db, &db->commit, "COMMIT", err)) return -1;
	return full ? sync_log(db, err) : 0;
}

void db_rollback(struct db *db) {
	if (!db_in_transaction(db)) return;
	/* It cannot fail in a way that leaves the transaction open. */
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db) {
	return !sqlite3_get_autocommit(db->handle);
}

int64_t db_last_rowid(const struct db *db) {
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(const struct db *db) {
	return sqlite3_changes64(db->handle);
}

/* ---- the write-ahead log ---- */

int64_t db_wal_bytes(const struct db *db) {
	return (int64_t)db->wal_pages * (db->page_size + WAL_FRAME_HEAD);
}

int db_checkpoint(const char *path, struct err *err) {
	const struct db_options usual = { 0 };
	sqlite3 *handle;

	if (open_handle(path, SQLITE_OPEN_READWRITE, &usual, &handle, err)) return -1;
	/* A connection that has read nothing yet does not know that there is a log. */
	int rc = sqlite3_exec(handle, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	/* PASSIVE: neither waits for others nor makes them wait. */
	if (rc == SQLITE_OK) {
		rc = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	}
	if (rc) {
		db_fail(handle, path, rc, err);
		rc = -1;
	}
	sqlite3_close(handle);
	return rc;
}

int db_checkpoint_rest(struct db *db, struct err *err) {
	assert(!db_in_transaction(db));
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return rc ? db_fail(db->handle, db->path, rc, err) : 0;
}
