/*
 * service: keeps services in the state that was asked for, through a process host whose children
 * outlive us; and their logs.
 *
 * Loop thread; what may block (passwd, files, log writing) goes to jobs. Times in settings are
 * milliseconds, sizes bytes, moments wall nanoseconds. Every service is a unit of the graph: the
 * graph says when it may start, service says how it stands.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "config/config.h"
#include "http/http.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "process/process.h"
#include "unit/unit.h"

/* ---- settings: one [service NAME] ---- */

enum service_policy { SERVICE_RESTART_ALWAYS, SERVICE_RESTART_ON_FAILURE, SERVICE_RESTART_NEVER };

struct service_settings {
	char *command;
	char *before_start, *after_stop, *on_preempt;
	bool shell;
	bool enabled;
	char *user, *group; /* NULL: the daemon's */
	char *directory;    /* may begin with ~: the user's home */
	char **environment; /* NAME=value */
	char *environment_file;
	char **path; /* folders before PATH */
	char *conda; /* name or folder of the environment to activate */
	int64_t umask;
	int64_t nice;
	int64_t limit_nofile;                      /* 0: as the keeper was born */
	int64_t memory_max_bytes, cpu_max_percent; /* of all its processes; 0: none */
	int restart;                               /* enum service_policy */
	int64_t restart_delay_ms, restart_max_delay_ms, healthy_after_ms;
	char *give_up_after_text;
	int64_t give_up_after; /* follows from the text in the room's own copy; 0: never */
	char **ok_exit, **no_restart_exit;
	int stop_signal; /* index of a name; service_signal_number() */
	int64_t stop_timeout_ms;
	char *ready, *check; /* service_probe_parse() */
	int64_t ready_timeout_ms, check_every_ms, check_failures;
	int64_t log_max_size_bytes;
	int64_t log_keep;
	int log; /* file, journal, both */
	char **after, **requires;
	bool network;
};

extern const struct config_table service_table;

/* Number of the signal behind the index in `stop_signal`. */
int service_signal_number(int stop_signal);

/* ---- decisions: pure, SERVICES.md §3 ---- */

enum service_state {
	SERVICE_DOWN,
	SERVICE_WAITING,
	SERVICE_STARTING,
	SERVICE_UP,
	SERVICE_STOPPING,
	SERVICE_KILLING,
	SERVICE_CLEARING, /* main gone; the rest ends, the log drains */
	SERVICE_DELAYED,
	SERVICE_DONE,
	SERVICE_FAILED,
	SERVICE_STATES,
};

enum service_event {
	SERVICE_WANT_UP,
	SERVICE_WANT_DOWN,
	SERVICE_DEPS_READY,
	SERVICE_IS_READY,
	SERVICE_TIMER,
	SERVICE_MAIN_EXITED,
	SERVICE_ALL_GONE,
	SERVICE_CHECK_FAILED,
	SERVICE_EVENTS,
};

enum service_action {
	SERVICE_NOTHING,   /* the event means nothing here */
	SERVICE_NOTE,      /* only `wanted` changed */
	SERVICE_WAIT,      /* ask the graph to start */
	SERVICE_WAIT_ANEW, /* the same, with failures forgotten */
	SERVICE_LEAVE,     /* nothing runs: be down */
	SERVICE_SPAWN,
	SERVICE_GREET,      /* it is up */
	SERVICE_SIGNAL,     /* stop signal to the main process */
	SERVICE_FAIL,       /* the same, and this counts as a failure */
	SERVICE_KILL,       /* KILL to all */
	SERVICE_KILL_AGAIN, /* the same, and say that it cannot be killed */
	SERVICE_CLEAR,      /* stop signal to what is left, drain the log */
	SERVICE_FORGIVE,
	SERVICE_SETTLE, /* next state by service_verdict() */
};

struct service_step {
	enum service_state next;
	enum service_action action;
};

struct service_step service_next(enum service_state state, enum service_event event);

enum service_exit_class {
	SERVICE_EXIT_NONE, /* it has not ended yet */
	SERVICE_EXIT_OK,
	SERVICE_EXIT_BAD,
	SERVICE_EXIT_EXEC_ERROR,
	SERVICE_EXIT_SIGNAL,
	SERVICE_EXIT_OOM,
	SERVICE_EXIT_UNKNOWN,
};

enum service_exit_class service_classify(const struct process_exit *exit, char *const *ok_exit);

struct service_question {
	bool wanted;
	bool asked; /* we ended it ourselves, on somebody's wish */
	enum service_exit_class class;
	bool no_restart; /* its code stands in no_restart_exit */
	enum service_policy policy;
	int64_t failures; /* in a row, this one included */
	int64_t give_up_after;
};

/* Where to go once everything is gone: DOWN, WAITING, DELAYED, DONE or FAILED. */
enum service_state service_verdict(const struct service_question *question);

/* delay, doubled `step` times, at most `max`. */
int64_t service_delay_ms(int64_t delay_ms, int64_t max_ms, int64_t step);

const char *service_state_name(enum service_state state);
const char *service_exit_class_name(enum service_exit_class class);

/* ---- the flow ---- */

struct services;
struct service;

struct services_options {
	struct loop *loop;
	struct unit_graph *graph;
	struct ledger *ledger;
	struct process_host *host;
	struct http *http; /* for `ready` and `check` */
	const char *runtime_dir;
	const char *log_dir;
	char *const *path;        /* [tend] path; NULL: none */
	char *const *environment; /* [tend] environment, NAME=value; NULL: none */
};

/* Texts are copied. The folders exist. */
struct services *services_new(const struct services_options *options);

/* Everything must be down or detached. */
void services_free(struct services *services);

/* [tend] path and environment after a reload: for the next start of each service, which is up to
 * the caller. */
void services_set_environment(
	struct services *services, char *const *path, char *const *environment);

/* Adds one; the settings are copied. What the ledger and the keeper know about it is taken up: a
 * running one stays as it is. Call unit_want on service_unit() (or service_start) to have it up;
 * not after a manual stop: service_is_stopped(). A name that is just being removed is taken back.
 */
struct service *service_add(
	struct services *services, const char *name, const struct service_settings *settings);

/* Makes the edges of all services (after, requires, network) anew; call it once all units of the
 * configuration exist. */
void services_link(struct services *services);

/* Wants up everything that is enabled, was not stopped by hand since boot, and is not done. */
void services_begin(struct services *services);

/* Takes new settings: live keys hold at once, a changed `restart` key restarts it when it runs.
 * Returns what was done: 0 nothing, 1 live, 2 restart. */
int service_apply(struct service *service, const struct service_settings *settings);

/* Stops it, then takes it out of the graph and frees it. */
void service_remove(struct service *service);

/* On a person's wish: remembered (a stop until reboot or start). */
void service_start(struct service *service);
void service_stop(struct service *service);
void service_restart(struct service *service);

/* The machine is about to be taken away: runs on_preempt of every service that is up, all at once, each ended after `limit_ms`. How many
 * there are; `warned` comes once, deferred, when the last has ended, also when there are none. One that outlives tendd goes on. */
int services_warn(
	struct services *services, int64_t limit_ms, void (*warned)(void *user), void *user);
/* Stops what runs, without remembering it as anybody's wish, and lets services_begin() start nothing, until services_go_on(). */
void services_halt(struct services *services);
void services_go_on(struct services *services);

/* tendd goes away, children live: nothing is signalled; logs are written to the end of what was
 * read. */
void services_detach(struct services *services, void (*done)(void *user), void *user);

/* After a rotation by somebody else, or HUP. */
void services_reopen_logs(struct services *services);

/* Called by the host's `stray`: a run that no service carries is adopted by the service of that
 * name, else ended. */
void services_stray(struct services *services, const char *run, const char *unit);

struct service *service_find(struct services *services, const char *name);
struct service *service_of(struct unit *unit); /* `unit` is one of a service */
struct unit *service_unit(struct service *service);
struct service *service_each(
	struct services *services, const struct service *after); /* NULL: the first */

struct service_status {
	const char *name;
	enum service_state state;
	const char *state_name; /* "up", "delayed", ... */
	bool enabled;
	bool stopped;     /* by hand */
	pid_t pid;        /* 0: none */
	int64_t since_ns; /* of state */
	int64_t restarts, failures;
	enum service_exit_class exit_class; /* of the last run that ended */
	int exit_code, exit_signal;
	int64_t exit_ns;         /* 0: none ended */
	int64_t next_try_ns;     /* 0: none planned */
	const char *degraded;    /* what of its settings does not hold here; NULL: nothing */
	const char *detail;      /* why it is down, for people; NULL: nothing to say */
	const char *log_path;    /* NULL: it goes to the journal alone */
	uint64_t log_lost_lines; /* could not be written */
};

void service_status(const struct service *service,
	struct service_status *status); /* borrowed texts, until the loop turns */

/* ---- what a service gets, for a command that asks no tendd ---- */

struct service_show_options {
	struct loop *loop;
	const char *name;
	const struct service_settings *settings; /* copied, as all of it */
	char *const *path, *const *environment;  /* of [tend] */
	const char *notify_path; /* where the keeper hears sd_notify's words; NULL: not known */
};

struct service_show;

/* Runs env(1) as the service would be run, as a child of ours. `done` comes with all of the environment (borrowed), or why nothing
 * would be started. */
struct service_show *service_show_start(const struct service_show_options *options,
	void (*done)(void *user, char *const *env, const struct err *err), void *user);
void service_show_free(struct service_show *show); /* `done` has come; NULL is fine */

/* ---- reading a log: the last lines, then what follows ---- */

/* Ends without `follow`, and when the service is removed. */
struct process_follow *service_follow(
	struct service *service, int64_t lines, bool follow, void (*ready)(void *user), void *user);

#endif
