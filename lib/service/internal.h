/* What the files of this room share. */
#ifndef SERVICE_INTERNAL_H
#define SERVICE_INTERNAL_H

#include <stdatomic.h>

#include "service/service.h"

/* ---- settings.c, next.c ---- */

struct service_settings *service_settings_copy(const struct service_settings *settings);
void service_settings_free(struct service_settings *settings); /* NULL is fine */
bool service_code_in(char *const *codes, int code);

struct service;

#define CREDENTIAL "credential:" /* before the name of one, in place of a path */

/* ---- environment.c: from settings to what the host wants; on a worker, for passwd may be far away
 * ---- */

struct service_plan {
	struct job job;
	/* in: copies */
	struct service_settings *settings;
	char **tend_path, **tend_environment;
	/* out */
	char **argv, **env;
	char *directory;
	bool become;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	char *conda;        /* folder of the environment that is activated; NULL: none */
	bool conda_scripts; /* of its packages: the command is run behind them */
};

/* The settings and what [tend] gives to all, as they are now. */
void service_plan_init(struct service_plan *plan, const struct service *service);
/* Borrows from the plan. `fifo` NULL: what it writes is dropped. */
struct process_spec service_plan_spec(const struct service_plan *plan, const char *fifo);
/* ~ and ${VAR} as the service's user; on a worker. NULL with err. The caller's. */
char *service_expand(const struct service_settings *settings, const char *text, struct err *err);
int service_plan_make(struct service_plan *plan, struct err *err);
void service_plan_release(struct service_plan *plan);
/* What needs root is refused before anything starts. A user that is not there yet is not an error:
 * a step may make it. */
int service_check_user(const struct service_settings *settings, const char **key, struct err *err);
/* Adds the lines of an environment file; -1 with the line. */
int service_env_parse(char *text, char ***env, struct err *err);

/* ---- conda.c: parts of service_plan_make, in this order ---- */

int service_conda_find(
	struct service_plan *plan, const struct config_user *person, struct err *err);
int service_conda_activate(struct service_plan *plan, struct err *err);
void service_conda_wrap(struct service_plan *plan); /* once argv is there */

/* ---- lines.c: raw bytes to lines with a time ---- */

enum { LOG_LINE_MAX = 16 << 10 };

/* Adds every whole line in `bytes` to `out`, each with its time before it; with `flush` the piece
 * at the end too. Returns how many bytes are done with: what is left is the beginning of a line,
 * shorter than LOG_LINE_MAX. Stops early when `out` is nearly full. */
size_t log_cut(const char *bytes, size_t len, bool flush, int64_t wall_ns, struct buf *out);

/* ---- spool.c: bytes between the pipe and the file that a kill of ours can neither lose nor double
 * ---- */

enum { SPOOL_BYTES = 256 << 10 };

struct spool;

/* What an earlier life left in it is there again. NULL with err. */
struct spool *spool_open(const char *path, struct err *err);
/* An empty or a whole file gets so many bytes, with room on the disk for all. 0 or errno
 * (os_linux.c, os_macos.c). */
int spool_take_room(int fd, int64_t bytes);
void spool_close(struct spool *spool); /* NULL is fine */
/* Moves bytes from the pipe. Returns how many; 0: it is empty or the spool is full. */
size_t spool_read(struct spool *spool, int fd);
size_t spool_room(const struct spool *spool);
/* The bytes not yet in the file, in one piece. */
const char *spool_bytes(const struct spool *spool, size_t *len);
/* `len` of them are in the file, which is now that long. */
void spool_commit(struct spool *spool, size_t len, uint64_t inode, uint64_t file_bytes);
void spool_skip(struct spool *spool, size_t len);
/* How long the file was when the spool last agreed with it. */
void spool_agreed(const struct spool *spool, uint64_t *inode, uint64_t *file_bytes);

/* ---- log_file.c: the file itself; on a worker ---- */

enum log_task { LOG_TASK_OPEN, LOG_TASK_ROTATE, LOG_TASK_WRITE };

/* Bits, in the order of the words of `log`. */
enum { LOG_TO_FILE = 1, LOG_TO_JOURNAL = 2 };

struct log_work {
	struct job job;
	enum log_task task;
	unsigned where; /* LOG_TO_* */
	char *name, *path;
	int fd;                 /* -1: not open */
	int journal_fd;         /* the same */
	struct err journal_err; /* of a WRITE that went well into the file alone */
	int64_t keep;
	uint64_t inode, file_bytes; /* in: as the spool agreed (OPEN); out: as it is now */
	bool recover;               /* OPEN: cut off what a kill of ours left beyond */
	struct buf text;            /* WRITE */
};

int log_work_do(struct log_work *work, struct err *err);

/* Each whole line of `text` (journal_*.c). Of a batch that failed some may be there already. */
int log_journal_send(struct log_work *work, struct err *err);
void log_journal_close(struct log_work *work);

struct log_pack { /* gzip of the newest old log */
	struct job job;
	const char *path;
};

int log_pack_do(struct log_pack *pack, struct err *err);

/* ---- log.c: one service's log ---- */

struct service_log {
	struct loop *loop;
	char *fifo_path, *spool_path;
	struct spool *spool; /* NULL: not opened yet */
	int fifo_fd;
	struct poll *poll;
	bool polling, hung_up;
	struct timer piece_timer; /* a piece without an end waits */
	bool flush;               /* it has waited long enough */
	bool flushed;             /* the end of a line that was written is still to come */
	struct timer retry_timer; /* the pipe could not be opened, or the disk refused */
	int64_t rotate_at_ms;     /* not before: the last try failed */
	struct log_work work;
	struct log_pack pack;
	size_t taken; /* bytes of the spool that `work` writes */
	bool working, packing;
	bool opened, reopen, recover;
	int64_t max_bytes, keep;
	uint64_t lost_lines, lost_telling, lost_told;
	char last[160]; /* the line that was written last, without its time, cut */
	bool complained, journal_complained;
	unsigned where; /* LOG_TO_* */
	void (*drained)(void *user);
	void (*closed)(void *user);
	void *user;
	struct defer defer; /* says drained or closed */
	struct list follows;
};

void service_log_init(struct service_log *log, struct loop *loop, const char *name,
	const struct services_options *options);
/* Nothing may be under way (service_log_close). */
void service_log_release(struct service_log *log);
void service_log_settings(struct service_log *log, const struct service_settings *settings);
/* Writes what an earlier life had read and not yet written. */
void service_log_recover(struct service_log *log);
/* A run has begun: its pipe is there. */
int service_log_attach(struct service_log *log, struct err *err);
/* Nobody writes any more: read to the end, then close the pipe; `drained` comes deferred. */
void service_log_drain(struct service_log *log, void (*drained)(void *user), void *user);
/* Ends all work; what was read and is not yet written stays in the spool for the next life. */
void service_log_close(struct service_log *log, void (*closed)(void *user), void *user);
void service_log_reopen(struct service_log *log);

/* ---- probe.c: one look at a service ---- */

enum service_probe_kind {
	PROBE_NONE, /* started is ready; nothing is checked */
	PROBE_TCP,
	PROBE_HTTP,
	PROBE_FILE,
	PROBE_LOG, /* ready.c reads the log itself */
	PROBE_COMMAND,
	PROBE_NOTIFY, /* it says so itself: ready.c */
};

struct service_probe {
	enum service_probe_kind kind;
	const char *text; /* borrowed from what was parsed: the URL, path, text or command */
	char host[64];    /* TCP: an address, or localhost */
	uint16_t port;
};

struct probing; /* one under way */

struct stat;
int64_t stat_changed_ns(const struct stat *stat); /* wall (os_linux.c, os_macos.c) */

/* The words of `ready` and `check`; NULL is none. -1 with ERR_INVALID. */
int service_probe_parse(const char *text, struct service_probe *probe, struct err *err);
/* One look, at most 5 s, as the service's user; service_probed() follows, never from inside. None is under way. */
void service_probe_start(struct service *service, const struct service_probe *probe);
/* Nobody wants to know any more; it frees itself. NULL is fine. */
void service_probe_drop(struct probing *probing);
void service_probes_detach(struct services *services);

/* ---- ready.c: when to look, and what follows ---- */

void service_watch_init(struct service *service);
void service_watch_release(struct service *service);
void service_ready_begin(struct service *service); /* it runs, and is STARTING */
void service_watch_state(struct service *service); /* the state is another one now */
void service_watch_apply(struct service *service); /* other settings */
void service_watch_end(struct service *service);
void service_probed(struct service *service, const struct err *err); /* err NULL: it is well */
/* Its sd_notify: what `ready` and `check` ask of the host, and what it said. */
bool service_asks_notify(const struct service *service);
/* What a spawn asks of the keeper for `settings`. */
void service_notify_ask(const struct service_settings *settings, struct process_spec *spec);
void service_notified(struct process *process);

/* ---- hook.c: a command before each start and after each end ---- */

enum service_hook_kind { HOOK_NONE, HOOK_BEFORE, HOOK_AFTER };

struct service_hook_end {
	enum service_hook_kind kind;
	bool failed;
	struct process_exit exit;
	char text[240]; /* where it failed */
};

struct service_hook {
	enum service_hook_kind kind; /* NONE: none is under way */
	struct service_plan plan;
	bool planning, running;
	bool overtaken; /* the plan under way is not needed any more */
	bool waits;     /* for the end of one that an earlier tendd began */
	struct process process;
	struct service_hook_end end;
};

/* None is under way. service_hook_ended() follows, never from inside. */
void service_hook_start(struct service *service, enum service_hook_kind kind);
void service_hook_signal(struct service *service, int signum); /* all of it */
void service_hook_drop(struct service *service); /* it runs on, or is pending: forgotten */
void service_hook_detach(struct service *service);
/* The key of the one under way; NULL: none. */
const char *service_hook_name(const struct service *service);
/* The service's name in a stray's unit that is a hook's; NULL: it is none. */
const char *service_hook_unit(const char *unit);
/* A stray of its own stands in the way: a start nobody has heard of waits. False: there is none. */
bool service_hook_take_back(struct service *service);
void service_hook_go_on(struct service *service); /* that stray is gone */
void service_hook_ended(struct service *service, const struct service_hook_end *end);

/* ---- one service ---- */

struct service {
	struct list link;
	struct services *services;
	struct unit unit;
	struct service_settings *settings;
	struct ledger_service record;
	enum service_state state;
	int64_t since_ns;
	bool wanted;
	bool asked;   /* it ends because somebody wished so */
	bool counted; /* this end is a failure whatever its class: not ready in time, failed its
			 check */
	bool removing;
	bool leaving;                  /* removed and down: only its log is still being closed */
	enum service_exit_class class; /* of the run that is ending */
	enum service_exit_class last_class; /* of the last that ended */
	char *reason;                       /* why it could not be run */
	char *degraded; /* what of its settings does not hold here; NULL: nothing */
	struct process process;
	struct service_plan plan;
	bool planning;
	bool overtaken; /* the plan is not needed any more: it runs already */
	bool group_gone;
	bool ran; /* something of this start did: after_stop is due */
	struct service_hook hook;
	struct timer timer;
	int64_t next_try_ns;
	struct service_log log;
	/* ---- ready.c ---- */
	struct timer probe_timer;
	struct probing *probing; /* NULL: none is under way */
	int64_t probe_wait_ms;
	int64_t check_failures; /* in a row */
	int64_t pings_seen;     /* WATCHDOG=1, at the last look */
	int64_t oom_told;       /* of its processes, of this run */
	char *trouble;          /* what the last look found; NULL: nothing wrong */
	char *fault;            /* why it was ended by us, where `counted` */
	struct process_follow *ready_log;
	struct buf ready_text;
};

struct services {
	struct services_options options; /* its texts are ours */
	char *runtime_dir, *log_dir;
	char **path, **environment;
	struct list all;    /* of struct service */
	struct list strays; /* runs of nobody's */
	struct list probes; /* of struct probing */
	struct list warnings;
	void (*warned)(void *user); /* NULL: nobody waits for their end */
	void *warned_user;
	struct defer warned_defer;
	bool halted;
	unsigned closing; /* logs and plans that services_detach waits for */
	bool detached;
	void (*detach_done)(void *user);
	void *detach_user;
	struct defer detach_defer;
};

/* ---- warn.c: on_preempt ---- */

void service_warnings_init(struct services *services);
void service_warnings_detach(struct services *services);

/* ---- service.c: the flow ---- */

extern const struct unit_calls service_unit_calls;
extern const struct process_calls service_process_calls;
/* A hook of that service's that an earlier tendd began is being ended (services.c). */
bool services_ends_hook(struct services *services, const char *name);
void service_timer_fired(struct timer *timer);
void service_feed(struct service *service, enum service_event event);
void service_set_state(struct service *service, enum service_state state);
void service_forget_failures(struct service *service);
void service_write_record(struct service *service);
void service_settle_record(
	struct service *service); /* safe before it comes back, where the disk has room */
void service_note_history(struct service *service, const char *event, const char *text);

/* ---- explain.c: how it stands ---- */

char *service_explain_end(const struct service *service); /* for status and log; the caller's */
char *service_explain_fault(
	const struct service *service); /* why we end it ourselves; the caller's */
/* What of its settings the host does not keep; NULL: nothing. The caller's. */
char *service_explain_limits(const struct service *service);
unsigned service_oom_of(const struct service *service); /* LEDGER_OOM_*, of the run it carries */
/* Of how many of its processes, main not counted; NULL: none. The caller's. */
char *service_explain_oom_kills(const struct service *service);
void service_report(struct service *service); /* to the unit graph */

/* ---- life.c ---- */

struct service *service_new(
	struct services *services, const char *name, const struct service_settings *settings);
void service_free(struct service *service);
void service_take_up(struct service *service); /* from the ledger and the host */
void service_adopt(struct service *service, const char *run);
/* A start that nobody has heard of yet does not happen. False: it is too late. */
bool service_take_back(struct service *service);
void service_detach(struct service *service);
void service_gone(struct service *service); /* frees it when it is being removed */

#endif
