/*
 * db: SQLite for rooms that keep rows: open, migrate, statements, transactions.
 *
 * A connection and its statements belong to one thread at a time; blocking but short. Text is UTF-8
 * or not: what the file system gave goes in and out as blobs. ERR_CORRUPT: this file is no database
 * or a damaged one; ERR_FULL: no room on its disk; ERR_BUSY: another connection holds it;
 * ERR_INVALID: SQL that does not fit this schema. Columns count from 0, parameters from 1, as
 * SQLite does. Memory that is out ends the program.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct db;
struct db_memory;

/* Zeroed is what an index wants (SYNC.md §10). */
struct db_options {
	bool readonly;  /* fails with ERR_NOT_FOUND when the file is not there */
	bool full_sync; /* every commit is on the disk when it returns; else db_commit decides */
	int page_size;  /* bytes of a new database; 0: 4096 */
	int cache_kib;  /* 0: 2048 */
	int autocheckpoint;       /* pages; 0: never, the owner runs db_checkpoint in a job */
	int busy_ms;              /* how long to wait for another connection; 0: 1000 */
	struct db_memory *memory; /* it lies there, whatever the path; NULL: in a file */
};

/* WAL; a new file gets mode 0600. ":memory:" or NULL is a database in memory. NULL options are
 * zeroed ones. */
struct db *db_open(const char *path, const struct db_options *options, struct err *err);

/* Rolls back what is open, finalizes all statements. NULL is fine. */
void db_close(struct db *db);
const char *db_path(const struct db *db); /* ":memory:" in memory */

/* Several statements, separated by ';'. Rows are dropped. */
int db_exec(struct db *db, const char *sql, struct err *err);

/* Brings the schema to version `count`: steps[i] leads from version i to i + 1, each in a
 * transaction of its own. ERR_INVALID: the database is newer than the program. */
int db_migrate(struct db *db, const char *const steps[], size_t count, struct err *err);

/* ---- transactions ---- */

int db_begin(struct db *db, struct err *err); /* takes the write lock at once, unless readonly */
/* `full`: on the disk before it returns; else safe against a crash of ours only, and in order.
 * After -1: db_rollback. */
int db_commit(struct db *db, bool full, struct err *err);
void db_rollback(struct db *db); /* harmless without a transaction */
bool db_in_transaction(const struct db *db);

int64_t db_last_rowid(const struct db *db);
int64_t db_changes(const struct db *db); /* rows of the last INSERT, UPDATE or DELETE */

/* ---- statements ---- */

/* Embed one for each statement of the room, zeroed; it stays prepared, and must stay where it is,
 * until db_close or db_finalize. */
struct db_stmt {
	struct list link;
	struct db *db;
	struct sqlite3_stmt *impl; /* NULL: not prepared */
};

/* Prepares at the first call; later ones only make it ready to be bound and stepped anew. `sql` is
 * the same each time. */
int db_prepare(struct db *db, struct db_stmt *stmt, const char *sql, struct err *err);

/* Values are copied. A number beyond the statement's is a programmer's error. */
void db_bind_int(struct db_stmt *stmt, int parameter, int64_t value);
void db_bind_text(struct db_stmt *stmt, int parameter, const char *text); /* NULL binds null */
void db_bind_blob(
	struct db_stmt *stmt, int parameter, const void *bytes, size_t len); /* NULL binds null */
/* Not copied: the bytes must stay until the statement was stepped to its end or reset. */
void db_lend_blob(struct db_stmt *stmt, int parameter, const void *bytes, size_t len);
void db_bind_null(struct db_stmt *stmt, int parameter);

/* 1: a row; 0: no more; -1: err. After 0 and -1 it is reset and its values are forgotten. */
int db_step(struct db_stmt *stmt, struct err *err);
int db_run(struct db_stmt *stmt, struct err *err); /* steps to the end: 0 or -1 */
void db_reset(struct db_stmt *stmt);    /* ends it early, so that it holds no read lock */
void db_finalize(struct db_stmt *stmt); /* before db_close; harmless when not prepared */

/* Of the current row. Pointers are SQLite's, until the next call on this statement. */
int64_t db_int(struct db_stmt *stmt, int column);
const char *db_text(struct db_stmt *stmt, int column); /* NULL for null */
const void *db_blob(struct db_stmt *stmt, int column,
	size_t *len); /* NULL for null; never NULL for an empty one */
bool db_is_null(struct db_stmt *stmt, int column);

/* ---- the write-ahead log ---- */

/* Bytes that the last commit of this connection left there. */
int64_t db_wal_bytes(const struct db *db);

/* Copies the log into the database file, on a connection of its own: for a job, while the owner
 * goes on writing. The next write then begins the log anew, unless a reader still needs it. */
int db_checkpoint(const char *path, struct err *err);
/* The same by the owner itself, between two transactions: for the rest that a job left, as its
 * commits always come between. */
int db_checkpoint_rest(struct db *db, struct err *err);

/* ---- databases in memory that go back, for tests ---- */

/* It outlives the connections that are opened on it (db_options), one at a time. */
struct db_memory *db_memory_new(void);
void db_memory_free(struct db_memory *memory); /* NULL is fine */

/* What it holds is a state to go back to. All this between two transactions. */
void db_memory_note(struct db_memory *memory);
size_t db_memory_states(const struct db_memory *memory);       /* so many are known */
void db_memory_forget(struct db_memory *memory, size_t count); /* of the oldest */
/* To the newest state but `count`, which are forgotten. Then db_memory_reread, if it is open. */
void db_memory_back(struct db_memory *memory, size_t count);

/* A state of its own that stays; one goes back to it without any other. */
void db_memory_set_base(struct db_memory *memory);
bool db_memory_has_base(const struct db_memory *memory);
void db_memory_to_base(struct db_memory *memory); /* without one: it is empty */

/* Its connection looks at it anew; none of its statements is at work. */
int db_memory_reread(struct db *db, struct err *err);

#endif
