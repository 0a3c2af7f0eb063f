/* The ledger's file: opened, migrated, put aside when it is damaged. */
#include "ledger/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const schema[] = {
	"CREATE TABLE service ("
	" unit TEXT PRIMARY KEY, run TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL,"
	" start_time INTEGER NOT NULL, started_ns INTEGER NOT NULL, restarts INTEGER NOT NULL,"
	" failures INTEGER NOT NULL, delay_step INTEGER NOT NULL, ended INTEGER NOT NULL,"
	" exit_code INTEGER NOT NULL, exit_signal INTEGER NOT NULL, ended_ns INTEGER NOT NULL,"
	" stopped_boot TEXT NOT NULL, done_boot TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE history ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, unit TEXT NOT NULL,"
	" event TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX history_unit ON history (unit, id);",
	/* What runs was taken for ready once it was started. */
	"ALTER TABLE service ADD COLUMN ready INTEGER NOT NULL DEFAULT 0;"
	"UPDATE service SET ready = pid <> 0;",
	"CREATE TABLE step ("
	" unit TEXT PRIMARY KEY, definition TEXT NOT NULL, machine TEXT NOT NULL,"
	" done_boot TEXT NOT NULL, done_ns INTEGER NOT NULL, wrote TEXT NOT NULL, run TEXT NOT "
	"NULL,"
	" run_boot TEXT NOT NULL, running TEXT NOT NULL, pid INTEGER NOT NULL,"
	" start_time INTEGER NOT NULL, started_ns INTEGER NOT NULL, tries INTEGER NOT NULL,"
	" reboot_boot TEXT NOT NULL) WITHOUT ROWID;",
	"ALTER TABLE service ADD COLUMN exit_oom INTEGER NOT NULL DEFAULT 0;",
};

/* A committed row must survive a kill of ours, not a power cut: after that no pid means anything. */
static struct db *open_file(const char *path, struct err *err) {
	const struct db_options options = { .autocheckpoint = 100, .cache_kib = 256 };
	struct db *db = db_open(path, &options, err);
	if (db && db_migrate(db, schema, ARRAY_LEN(schema), err) != 0) {
		db_close(db);
		db = NULL;
	}
	return db;
}

static int put_aside(const char *path, struct err *err) {
	static const char *const parts[] = { "", "-wal", "-shm" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *from = xasprintf("%s%s", path, parts[i]);
		char *to = xasprintf("%s.damaged%s", path, parts[i]);
		int result = rename(from, to) == 0 || errno == ENOENT ? 0 : -1;
		if (result != 0) err_sys(err, errno, "cannot put '%s' aside", from);
		free(from);
		free(to);
		if (result != 0) return -1;
	}
	return 0;
}

struct ledger *ledger_open(const char *path, struct err *err) {
	struct db *db = open_file(path, err);
	if (!db && err->kind == ERR_CORRUPT) {
		log_warn("the ledger '%s' is damaged (%s): kept as '%s.damaged', a new one is "
			 "begun; "
			 "running services are found through the keeper",
			path, err->text, path);
		if (put_aside(path, err) == 0) db = open_file(path, err);
	}
	if (!db) {
		err_wrap(err, "cannot open the ledger '%s'", path);
		return NULL;
	}
	struct ledger *ledger = xcalloc(1, sizeof(*ledger));
	ledger->db = db;
	ledger_history_trim_soon(ledger);
	return ledger;
}

/* ---- the rows of a turn ---- */

int ledger_settle(struct ledger *ledger) {
	struct err err;
	if (!db_in_transaction(ledger->db) || db_commit(ledger->db, false, &err) == 0) return 0;
	db_rollback(ledger->db);
	log_error("cannot write the ledger: %s", err.text);
	return -1;
}

static void turn_ends(struct turn_end *end) {
	(void)ledger_settle(container_of(end, struct ledger, turn_end));
}

void ledger_gather(struct ledger *ledger, struct loop *loop) {
	ledger->loop = loop;
	turn_end_add(loop, &ledger->turn_end, turn_ends);
}

/* SQLite ends a transaction by itself when a row of it finds no room. */
int ledger_begin(struct ledger *ledger, struct err *err) {
	if (!ledger->loop || db_in_transaction(ledger->db)) return 0;
	if (db_begin(ledger->db, err) != 0) return -1;
	turn_end_want(&ledger->turn_end);
	return 0;
}

int ledger_find(struct ledger *ledger, struct db_stmt *stmt, const char *table, const char *columns,
	const char *unit, struct err *err) {
	char sql[512];
	snprintf(sql, sizeof(sql), "SELECT %s FROM %s WHERE unit = ?1", columns, table);
	if (db_prepare(ledger->db, stmt, sql, err) != 0) return -1;
	db_bind_text(stmt, 1, unit);
	return db_step(stmt, err);
}

void ledger_copy_text(char *to, size_t size, const char *text) {
	snprintf(to, size, "%s", text ? text : "");
}

void ledger_close(struct ledger *ledger) {
	if (!ledger) return;
	(void)ledger_settle(ledger);
	if (ledger->loop) turn_end_remove(&ledger->turn_end);
	db_close(ledger->db);
	free(ledger);
}
