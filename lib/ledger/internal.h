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

/* With the next row that is added: what a life that added few rows left grows old as well. */
void ledger_history_trim_soon(struct ledger *ledger);

/* Before a row that may wait for the end of the turn. */
int ledger_begin(struct ledger *ledger, struct err *err);

#endif
