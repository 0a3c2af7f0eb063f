/*
 * tend: the command that talks to tendd. One file a command; this is what they share: the row of
 * the table, what was typed, exit codes, and how trouble is said.
 *
 * One thread, one command a process. Results go to stdout, everything else to stderr.
 */
#ifndef TEND_COMMAND_H
#define TEND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/base.h"
#include "tend/client.h"

/* The contract with scripts. */
enum exit_code {
	EXIT_DONE,
	EXIT_FAILED,
	EXIT_USAGE, /* or a wrong configuration */
	EXIT_NOT_RUNNING,
	EXIT_TIMED_OUT,
	EXIT_PERSON, /* it does not go on until a person acts */
};

struct command_option {
	const char *name;  /* without the dashes; NULL ends the rows */
	char letter;       /* 0: none */
	const char *value; /* what follows, as the help calls it; NULL: nothing does */
	const char *help;
};

struct call;

struct command {
	const char *name;
	const char *usage;                    /* the words behind the name */
	const char *help;                     /* one line */
	const struct command_option *options; /* NULL: none of its own */
	size_t least, most;                   /* words it takes */
	bool fileless;                        /* the file of -c need not be there */
	int (*run)(
		struct call *call); /* an exit code. NULL: in the contract, not in this version */
};

extern const struct command command_status, command_history, command_sync, command_wait,
	command_pause, command_resume, command_approve, command_resolve, command_verify,
	command_forget, command_start, command_stop, command_restart, command_logs, command_reload,
	command_ls, command_versions, command_restore, command_remote, command_auth, command_env,
	command_upgrade, command_plan, command_run, command_awake, command_why_awake, command_init,
	command_edit, command_doctor, command_ui;

enum { GIVEN_MAX = 32 };

/* What was typed. The words and values are argv's. */
struct call {
	const struct command *command; /* NULL: none was named */
	struct given {
		const struct command_option *option;
		const char *value;
	} given[GIVEN_MAX];
	size_t given_count;
	char **words; /* behind the command's name; NULL-ended */
	size_t word_count;
	bool json;
	struct client client;
};

/* Sorts argv by the global options, the table (NULL-ended) and the options of the command it
 * names. */
int call_parse(struct call *call, char **argv, const struct command_option *options,
	const struct command *const *commands, struct err *err);

/* The value of an option, "" for one that takes none; NULL: it was not given. The last one
 * counts. */
const char *call_option(const struct call *call, const char *name);

/* ---- saying it ---- */

/* "tend: text" to stderr. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says it and returns EXIT_USAGE, with where to read on. */
int say_usage(const struct call *call, const struct err *err);
/* Says why there was no good answer and returns the exit code that goes with it. */
int say_failure(const struct call *call, const struct err *err);
/* The answer as the API gave it; in one line, where many follow. */
void print_json(const json_t *answer);
void print_json_line(const json_t *answer);
/* With --json, in the end: what was said as an object, unless an answer was printed. */
void say_error_json(int code);

/* ---- units.c: the units tendd has ---- */

/* GET /v1/units. NULL with err. The caller's. */
json_t *units_load(struct call *call, struct err *err);
/* The unit `word` means: "kind:name", or a name that only one has. `kind` (NULL: any): only those
 * count for a bare name, and another kind is an error. NULL with err. Borrowed from `answer`. */
const json_t *units_find(const json_t *answer, const char *word, const char *kind, struct err *err);
/* The words of `call` as names of folders, for the API. NULL with err. The caller's. */
json_t *units_folders(struct call *call, struct err *err);

enum unit_verdict { UNIT_AS_WANTED, UNIT_NOT_AS_WANTED, UNIT_NEEDS_PERSON };

enum unit_verdict unit_verdict(const json_t *unit);
const char *unit_word(const json_t *unit); /* its state in the words of its kind. Borrowed */
/* What there is to say about it in a line. The caller's. */
char *unit_summary(const json_t *unit, int64_t wall_ns);
/* How a service ended last, in words; "" where it never did. The caller's. */
char *exit_text(const json_t *service);
/* "3.4MiB left, 1.2MiB/s, about 3s": what is known of it; "" where nothing is. The caller's. */
char *left_text(const json_t *folder);
/* "everything up to 14:03:07 is in the cloud"; "" where that is not known. The caller's. */
char *durable_text(const json_t *folder, int64_t wall_ns);
/* moment.c: "14:03:07" of today, else with the day; the same of the times that stand in a sentence of tendd's. The
 * caller's. */
char *moment_text(int64_t at_ns, int64_t wall_ns);
char *moments_local(const char *text, int64_t wall_ns);
/* "3d4h": the two largest units. The caller's. */
char *span_text(int64_t ms);

/* ---- shared between commands ---- */

/* Waits until all that was written to `folders` (an array of names, empty: all) is durable; an exit
 * code. */
int barrier_run(struct call *call, json_t *folders, int64_t timeout_ms);
/* Everything there is to say about one unit (status_unit.c). */
void status_unit_print(const json_t *unit, int64_t wall_ns);
/* What a sync of the folder `word` would do (dry_run.c); an exit code. */
int dry_run_folder(struct call *call, const char *word);
/* start, stop and restart of the units that the words name (unit_control.c). */
int unit_control_run(struct call *call, const char *verb);

/* A table to stdout (ls.c). */
struct term_table;
void say_table(const struct term_table *table);

/* ---- question.c: before something is deleted ---- */

/* A question on the terminal: 0 yes, or an exit code; without one --yes is asked for. */
int ask_person(struct call *call, const char *question);
/* The same behind "paths" of what would be deleted, with sizes and how many there are; with --json the list alone. */
int ask_deletions(struct call *call, const json_t *deletions, const char *question);
/* The unit of the folder that the first word names, asked of tendd as a whole. NULL with err. The
 * caller's. */
json_t *folder_load(struct call *call, struct err *err);
/* POST /v1/units/UNIT/ORDER; `body` is taken. Says `done`; an exit code. */
int unit_order(
	struct call *call, const json_t *unit, const char *order, json_t *body, const char *done);

/* ---- ini_file.c: a configuration that is written by a command ---- */

/* A file beside `file`, open and empty, with the rights of `like` (NULL: `mode`); its name in *path, the caller's. -1 with
 * err. */
struct stat;
int ini_beside(
	const char *file, const struct stat *like, unsigned mode, char **path, struct err *err);
/* On disk for good under its name. */
int ini_put(const char *beside, const char *file, struct err *err);
/* What stands in it; NULL with err (ERR_NOT_FOUND). The caller's. */
char *ini_read(const char *file, struct err *err);

/* ---- check_file.c ---- */

/* What `tendd --check` says against a configuration, a line each; none: it is good. -1 with err: it cannot be asked. The
 * caller's. */
int check_file(const char *file, char ***lines, struct err *err);

/* ---- reading answers: what is absent or of another kind reads as empty ---- */

const char *json_text(const json_t *object, const char *key); /* "" */
int64_t json_number(const json_t *object, const char *key);   /* 0 */
bool json_flag(const json_t *object, const char *key);        /* false */
/* Milliseconds since the time that stands there, at least 0; -1: none. */
int64_t json_age_ms(const json_t *object, const char *key, int64_t wall_ns);

#endif
