/* What happened, for `tend history`: rows that are added, and the oldest that go. */
#include "ledger/internal.h"

/* Trimming at each row would double what a row costs. */
enum { TRIM_EVERY = 100 };
#define DAY_NS (24 * 3600 * NS_PER_S)

void ledger_history_trim_soon(struct ledger *ledger) {
	ledger->added = TRIM_EVERY - 1;
}

/* `now_ns` is the time of the newest row. */
static int trim(struct ledger *ledger, int64_t now_ns, struct err *err) {
	struct db_stmt *stmt = &ledger->history_trim;
	if (db_prepare(ledger->db, stmt,
		    "DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?1 OR at_ns < "
		    "?2",
		    err) != 0)
		return -1;
	db_bind_int(stmt, 1, LEDGER_HISTORY_MAX - TRIM_EVERY);
	db_bind_int(stmt, 2, now_ns - LEDGER_HISTORY_DAYS * DAY_NS);
	return db_run(stmt, err);
}

int ledger_history_add(struct ledger *ledger, int64_t at_ns, const char *unit, const char *event,
	const char *text, struct err *err) {
	struct db_stmt *stmt = &ledger->history_add;
	if (ledger_begin(ledger, err) != 0 ||
		db_prepare(ledger->db, stmt,
			"INSERT INTO history (at_ns, unit, event, text) VALUES (?1, ?2, ?3, ?4)",
			err) != 0)
		return -1;
	db_bind_int(stmt, 1, at_ns);
	db_bind_text(stmt, 2, unit);
	db_bind_text(stmt, 3, event);
	db_bind_text(stmt, 4, text ? text : "");
	if (db_run(stmt, err) != 0) return -1;
	if (++ledger->added < TRIM_EVERY) return 0;
	ledger->added = 0;
	return trim(ledger, at_ns, err);
}

static struct db_stmt *prepare_read(
	struct ledger *ledger, const char *unit, int64_t since_ns, struct err *err) {
	struct db_stmt *stmt = unit ? &ledger->history_unit : &ledger->history_all;
	const char *sql = unit ? "SELECT id, at_ns, unit, event, text FROM history WHERE unit = ?2 "
				 "AND at_ns >= ?3 ORDER BY id DESC LIMIT ?1"
			       : "SELECT id, at_ns, unit, event, text FROM history "
				 "WHERE at_ns >= ?3 ORDER BY id DESC LIMIT ?1";
	if (db_prepare(ledger->db, stmt, sql, err) != 0) return NULL;
	if (unit) db_bind_text(stmt, 2, unit);
	db_bind_int(stmt, 3, since_ns);
	return stmt;
}

int ledger_history_read(struct ledger *ledger, const char *unit, int64_t since_ns, size_t limit,
	void (*row)(void *user, const struct ledger_event *event), void *user, struct err *err) {
	struct db_stmt *stmt = prepare_read(ledger, unit, since_ns, err);
	int got;
	if (!stmt) return -1;
	db_bind_int(stmt, 1, limit < LEDGER_HISTORY_MAX ? (int64_t)limit : LEDGER_HISTORY_MAX);
	while ((got = db_step(stmt, err)) == 1) {
		const struct ledger_event event = {
			.id = db_int(stmt, 0),
			.at_ns = db_int(stmt, 1),
			.unit = db_text(stmt, 2),
			.event = db_text(stmt, 3),
			.text = db_text(stmt, 4),
		};
		row(user, &event);
	}
	return got;
}
