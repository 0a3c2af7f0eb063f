/* Services' records. */
#include "ledger/internal.h"

#include <stdio.h>
#include <string.h>

static const char columns[] =
	"run, boot, pid, start_time, started_ns, restarts, failures, delay_step, ended, "
	"exit_code, exit_signal, ended_ns, stopped_boot, done_boot, ready, exit_oom";

static void read_row(struct db_stmt *stmt, struct ledger_service *record) {
	ledger_copy_text(record->run, sizeof(record->run), db_text(stmt, 0));
	ledger_copy_text(record->boot, sizeof(record->boot), db_text(stmt, 1));
	record->pid = db_int(stmt, 2);
	record->start_time = (uint64_t)db_int(stmt, 3);
	record->started_ns = db_int(stmt, 4);
	record->restarts = db_int(stmt, 5);
	record->failures = db_int(stmt, 6);
	record->delay_step = db_int(stmt, 7);
	record->ended = db_int(stmt, 8) != 0;
	record->exit_code = (int)db_int(stmt, 9);
	record->exit_signal = (int)db_int(stmt, 10);
	record->ended_ns = db_int(stmt, 11);
	ledger_copy_text(record->stopped_boot, sizeof(record->stopped_boot), db_text(stmt, 12));
	ledger_copy_text(record->done_boot, sizeof(record->done_boot), db_text(stmt, 13));
	record->ready = db_int(stmt, 14) != 0;
	record->exit_oom = (unsigned)db_int(stmt, 15);
}

int ledger_service_read(
	struct ledger *ledger, const char *unit, struct ledger_service *record, struct err *err) {
	struct db_stmt *stmt = &ledger->service_read;
	*record = (struct ledger_service){ 0 };
	int got = ledger_find(ledger, stmt, "service", columns, unit, err);
	if (got < 0) return -1;
	if (got == 1) read_row(stmt, record);
	db_reset(stmt);
	return 0;
}

int ledger_service_write(struct ledger *ledger, const char *unit,
	const struct ledger_service *record, struct err *err) {
	struct db_stmt *stmt = &ledger->service_write;
	char sql[512];
	snprintf(sql, sizeof(sql),
		"INSERT OR REPLACE INTO service (unit, %s) "
		"VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
		columns);
	if (ledger_begin(ledger, err) != 0 || db_prepare(ledger->db, stmt, sql, err) != 0)
		return -1;
	db_bind_text(stmt, 1, unit);
	db_bind_text(stmt, 2, record->run);
	db_bind_text(stmt, 3, record->boot);
	db_bind_int(stmt, 4, record->pid);
	db_bind_int(stmt, 5, (int64_t)record->start_time);
	db_bind_int(stmt, 6, record->started_ns);
	db_bind_int(stmt, 7, record->restarts);
	db_bind_int(stmt, 8, record->failures);
	db_bind_int(stmt, 9, record->delay_step);
	db_bind_int(stmt, 10, record->ended);
	db_bind_int(stmt, 11, record->exit_code);
	db_bind_int(stmt, 12, record->exit_signal);
	db_bind_int(stmt, 13, record->ended_ns);
	db_bind_text(stmt, 14, record->stopped_boot);
	db_bind_text(stmt, 15, record->done_boot);
	db_bind_int(stmt, 16, record->ready);
	db_bind_int(stmt, 17, record->exit_oom);
	return db_run(stmt, err);
}

int ledger_service_forget(struct ledger *ledger, const char *unit, struct err *err) {
	struct db_stmt *stmt = &ledger->service_forget;
	if (db_prepare(ledger->db, stmt, "DELETE FROM service WHERE unit = ?1", err) != 0)
		return -1;
	db_bind_text(stmt, 1, unit);
	return db_run(stmt, err);
}

int ledger_service_names(struct ledger *ledger, char ***units, struct err *err) {
	struct db_stmt *stmt = &ledger->service_names;
	int got;
	*units = NULL;
	if (db_prepare(ledger->db, stmt, "SELECT unit FROM service ORDER BY unit", err) != 0)
		return -1;
	while ((got = db_step(stmt, err)) == 1) strv_add(units, db_text(stmt, 0));
	if (got == 0) return 0;
	strv_free(*units);
	*units = NULL;
	return -1;
}
