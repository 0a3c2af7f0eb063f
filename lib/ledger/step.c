/* Steps' records. */
#include "ledger/internal.h"

#include <stdio.h>
#include <string.h>

static const char columns[] =
	"definition, machine, done_boot, done_ns, wrote, run, run_boot, running, pid, start_time, "
	"started_ns, tries, reboot_boot";

static void read_row(struct db_stmt *stmt, struct ledger_step *record) {
	ledger_copy_text(record->definition, sizeof(record->definition), db_text(stmt, 0));
	ledger_copy_text(record->machine, sizeof(record->machine), db_text(stmt, 1));
	ledger_copy_text(record->done_boot, sizeof(record->done_boot), db_text(stmt, 2));
	record->done_ns = db_int(stmt, 3);
	ledger_copy_text(record->wrote, sizeof(record->wrote), db_text(stmt, 4));
	ledger_copy_text(record->run, sizeof(record->run), db_text(stmt, 5));
	ledger_copy_text(record->run_boot, sizeof(record->run_boot), db_text(stmt, 6));
	ledger_copy_text(record->running, sizeof(record->running), db_text(stmt, 7));
	record->pid = db_int(stmt, 8);
	record->start_time = (uint64_t)db_int(stmt, 9);
	record->started_ns = db_int(stmt, 10);
	record->tries = db_int(stmt, 11);
	ledger_copy_text(record->reboot_boot, sizeof(record->reboot_boot), db_text(stmt, 12));
}

int ledger_step_read(
	struct ledger *ledger, const char *unit, struct ledger_step *record, struct err *err) {
	struct db_stmt *stmt = &ledger->step_read;
	*record = (struct ledger_step){ 0 };
	int got = ledger_find(ledger, stmt, "step", columns, unit, err);
	if (got < 0) return -1;
	if (got == 1) read_row(stmt, record);
	db_reset(stmt);
	return 0;
}

int ledger_step_write(struct ledger *ledger, const char *unit, const struct ledger_step *record,
	struct err *err) {
	struct db_stmt *stmt = &ledger->step_write;
	char sql[512];
	snprintf(sql, sizeof(sql),
		"INSERT OR REPLACE INTO step (unit, %s) "
		"VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
		columns);
	if (db_prepare(ledger->db, stmt, sql, err) != 0) return -1;
	db_bind_text(stmt, 1, unit);
	db_bind_text(stmt, 2, record->definition);
	db_bind_text(stmt, 3, record->machine);
	db_bind_text(stmt, 4, record->done_boot);
	db_bind_int(stmt, 5, record->done_ns);
	db_bind_text(stmt, 6, record->wrote);
	db_bind_text(stmt, 7, record->run);
	db_bind_text(stmt, 8, record->run_boot);
	db_bind_text(stmt, 9, record->running);
	db_bind_int(stmt, 10, record->pid);
	db_bind_int(stmt, 11, (int64_t)record->start_time);
	db_bind_int(stmt, 12, record->started_ns);
	db_bind_int(stmt, 13, record->tries);
	db_bind_text(stmt, 14, record->reboot_boot);
	return db_run(stmt, err) == 0 && ledger_settle(ledger) == 0 ? 0 : -1;
}
