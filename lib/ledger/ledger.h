/*
 * ledger: what must outlive the process and is no folder's base: what services were started as,
 * what a person stopped by hand, which tasks and steps are done, and the history. One SQLite file,
 * state_dir/ledger.db.
 *
 * Loop thread only. A call that came back is safe from a kill of the process; in a ledger that gathers
 * (ledger_gather) the rows of services and of the history are so from ledger_settle on, or from the end
 * of the loop's turn. Times are wall nanoseconds. Losing the file loses no data: services are found again through the
 * keeper.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct ledger;

#define LEDGER_RUN_SIZE  33
#define LEDGER_BOOT_SIZE 64

/* NULL with err. A file that is damaged is kept aside and a new one begun, with a warning. */
struct ledger *ledger_open(const char *path, struct err *err);
void ledger_close(struct ledger *ledger); /* NULL is fine */

struct loop;
/* From now on one transaction holds the rows of a turn: fifty services that start at once would take two hundred. What must not be said to
 * anybody before it is safe, is settled first. */
void ledger_gather(struct ledger *ledger, struct loop *loop);
/* Safe from here on. -1: what was gathered is lost (a full disk), which the log says. */
int ledger_settle(struct ledger *ledger);

/* What the kernel ended of it for want of memory: the main process, others of it; and whether that
 * was by a limit of its own. */
enum { LEDGER_OOM_MAIN = 1, LEDGER_OOM_OTHERS = 2, LEDGER_OOM_LIMIT = 4 };

/* One service's record. Written before each fork with run and boot set and pid 0: the intent. */
struct ledger_service {
	char run[LEDGER_RUN_SIZE];   /* TEND_RUN; empty: nothing of it should be running */
	char boot[LEDGER_BOOT_SIZE]; /* the boot id that run belongs to */
	int64_t pid;                 /* 0: not known (yet) */
	uint64_t start_time;         /* the system's, beside pid */
	int64_t started_ns;
	bool ready;         /* that run was found ready */
	int64_t restarts;   /* since somebody wanted it up */
	int64_t failures;   /* in a row */
	int64_t delay_step; /* how often the restart delay has doubled */
	bool ended;         /* exit_code or exit_signal of the last run is known */
	int exit_code, exit_signal;
	unsigned exit_oom; /* LEDGER_OOM_* */
	int64_t ended_ns;
	char stopped_boot[LEDGER_BOOT_SIZE]; /* stopped by hand during this boot; empty: not */
	char done_boot[LEDGER_BOOT_SIZE];    /* ended well during this boot, for good; empty: not */
};

/* An unknown unit gives a zeroed record. */
int ledger_service_read(
	struct ledger *ledger, const char *unit, struct ledger_service *record, struct err *err);
int ledger_service_write(struct ledger *ledger, const char *unit,
	const struct ledger_service *record, struct err *err);
int ledger_service_forget(struct ledger *ledger, const char *unit, struct err *err);
/* Names of all units with a record; the caller's vector (NULL: none). */
int ledger_service_names(struct ledger *ledger, char ***units, struct err *err);

/* ---- steps ---- */

#define LEDGER_DIGEST_SIZE 65 /* SHA-256 in hex and the NUL */

/* One step's record: what was done, and what is being done. Written before each fork with run and run_boot set. */
struct ledger_step {
	char definition[LEDGER_DIGEST_SIZE]; /* of what was done last; empty: nothing was */
	char machine[LEDGER_DIGEST_SIZE];    /* on which that was */
	char done_boot[LEDGER_BOOT_SIZE];    /* in which boot */
	int64_t done_ns;
	char wrote[LEDGER_DIGEST_SIZE];   /* of the content that tend wrote or found right last */
	char run[LEDGER_RUN_SIZE];        /* TEND_RUN; empty: nothing of it should be running */
	char run_boot[LEDGER_BOOT_SIZE];  /* the boot id that run belongs to */
	char running[LEDGER_DIGEST_SIZE]; /* the definition that was begun and is not done */
	int64_t pid;                      /* 0: not known (yet) */
	uint64_t start_time;              /* the system's, beside pid */
	int64_t started_ns;
	int64_t tries;                      /* of what was begun */
	char reboot_boot[LEDGER_BOOT_SIZE]; /* the boot in which a reboot was asked for */
};

/* An unknown unit gives a zeroed record. */
int ledger_step_read(
	struct ledger *ledger, const char *unit, struct ledger_step *record, struct err *err);
int ledger_step_write(
	struct ledger *ledger, const char *unit, const struct ledger_step *record, struct err *err);

/* ---- history: what happened, newest kept, at most LEDGER_HISTORY_MAX rows of as many days ---- */

enum { LEDGER_HISTORY_MAX = 10000, LEDGER_HISTORY_DAYS = 90 };

struct ledger_event {
	int64_t id; /* grows */
	int64_t at_ns;
	const char *unit;  /* "service:jupyter" */
	const char *event; /* one word: started, exited, stopped, failed, ... */
	const char *text;  /* for a person */
};

int ledger_history_add(struct ledger *ledger, int64_t at_ns, const char *unit, const char *event,
	const char *text, struct err *err);

/* Newest first, at most `limit`, of one unit or of all (NULL), not older than `since_ns`. `row` borrows its texts. */
int ledger_history_read(struct ledger *ledger, const char *unit, int64_t since_ns, size_t limit,
	void (*row)(void *user, const struct ledger_event *event), void *user, struct err *err);

#endif
