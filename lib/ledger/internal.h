/* One connection and its statements. */
#ifndef LEDGER_INTERNAL_H
#define LEDGER_INTERNAL_H

#include "db/db.h"
#include "ledger/ledger.h"
#include "loop/loop.h"

struct ledger {
	struct db *db;
	struct db_stmt service_read, service_write, service_forget, service_names;
	struct db_stmt step_read, step_write;
	struct db_stmt history_add, history_trim, history_all, history_unit;
	unsigned added;    /* rows since the last trim */
	struct loop *loop; /* NULL: each row is a transaction */
	struct turn_end turn_end;
};

/* The row of a unit in one of the tables of records, through a statement of its own: 1, and `stmt` stands at it until it is reset;
 * 0: none; -1. */
int ledger_find(struct ledger *ledger, struct db_stmt *stmt, const char *table, const char *columns,
	const char *unit, struct err *err);
void ledger_copy_text(char *to, size_t size, const char *text); /* NULL as ""; cut to fit */

/* With the next row that is added: what a life that added few rows left grows old as well. */
void ledger_history_trim_soon(struct ledger *ledger);

/* Before a row that may wait for the end of the turn. */
int ledger_begin(struct ledger *ledger, struct err *err);

#endif
