/*
 * process: spawn, signal and reap a child and everything it starts. Behind one face stand two
 * hosts: `keeper`, a small program of its own whose children outlive us, and `direct`, this very
 * process, for tests and one-shot commands.
 *
 * Loop thread only. The owner embeds `struct process`; one run (a start of one child, named by a
 * random TEND_RUN) goes through it at a time. Callbacks come deferred, never inside a call of the
 * owner's. Start times are the system's own count since boot: good for comparing, not for showing.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "loop/loop.h"

struct process_host;
struct process;

#define PROCESS_RUN_SIZE 33 /* 32 hex digits and the NUL */

/* What to run: everything decided beforehand, numeric, borrowed for the call. */
struct process_spec {
	char *const *argv; /* argv[0] is looked up in the child's own PATH, as the child's user */
	char *const *env;  /* "NAME=value", all of it; TEND_UNIT and TEND_RUN are added */
	const char *directory; /* NULL: / */
	bool become;           /* take uid, gid and groups; else stay who we are */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	mode_t umask;
	int nice;       /* 0: as we are */
	int64_t nofile; /* soft limit of open files; 0: as we were born */
	/* Of all its group together, where the host has the controllers (process.limited); 0: none. */
	int64_t memory_max_bytes;
	int64_t cpu_max_percent; /* of one processor */
	bool notify;             /* give it a NOTIFY_SOCKET; on a keeper only, see `notice` */
	int64_t watchdog_us; /* with that: it is to say WATCHDOG=1 at least so often; 0: never */
	const char *fifo;    /* path of the FIFO that becomes stdout and stderr, made anew; NULL:
			     /dev/null */
	/* Descriptors that become stdin, stdout and stderr instead; they stay the caller's, to be
	 * closed when process_spawn is back. NULL: as above. On `direct` only: a child that talks
	 * with us ends with us. */
	const int *stdio;
};

struct process_exit {
	int code;   /* when signal is 0 */
	int signal; /* 0: it exited */
	bool oom;   /* the kernel ended it for memory */
};

/* Limits of a whole group that are in force. */
enum { PROCESS_LIMITED_MEMORY = 1, PROCESS_LIMITED_CPU = 2 };

#define PROCESS_STATUS_SIZE 256

/* What became known of a run while it runs: what its program said of itself in the words of
 * sd_notify(3), of which MAINPID is never believed, and how the kernel treated it. */
struct process_notice {
	bool given;          /* it was given the socket: an older keeper has none */
	int64_t watchdog_us; /* it was told to say WATCHDOG=1 so often; 0: it was not */
	bool ready;          /* READY=1 */
	bool stopping;       /* STOPPING=1 */
	bool broken;         /* WATCHDOG=trigger */
	int64_t pings;     /* how often it said WATCHDOG=1; those of one moment may count as one */
	int64_t oom_kills; /* of its processes, main not counted, ended for want of memory */
	char status[PROCESS_STATUS_SIZE]; /* STATUS=, cut; empty: none */
};

struct process_calls {
	/* The program runs: `pid`, `start_time` and `limited` are set. */
	void (*spawned)(struct process *process);
	/* It could not be run; `err` says why, for a person. The last call. */
	void (*failed)(struct process *process, const struct err *err);
	/* The child itself is gone: `exit` is set. Others of its group may live. */
	void (*exited)(struct process *process);
	/* Nothing of the group is left. The last call. */
	void (*empty)(struct process *process);
	/* The host does not know this run (any more): how it ended is unknown, and parts of it may
	 * still live: process_sweep. */
	void (*lost)(struct process *process);
};

struct process {
	struct process_host *host;
	const struct process_calls *calls;
	char *unit;                 /* "service:jupyter": TEND_UNIT */
	char run[PROCESS_RUN_SIZE]; /* TEND_RUN of the run it carries; empty: none */
	pid_t pid;                  /* 0: not yet known */
	uint64_t start_time;
	unsigned limited; /* which of the limits that were asked for the system keeps */
	struct process_exit exit;
	struct process_notice notice;
	/* It has said something: `notice` is another one. After `spawned`. NULL: nobody listens. */
	void (*notified)(struct process *process);
	unsigned told;      /* private: which calls have come */
	uint64_t heard;     /* private: which notice was told */
	struct list link;   /* private */
	struct defer defer; /* private */
	struct run *impl;   /* private: the host's */
};

void process_init(struct process *process, struct process_host *host, const char *unit,
	const struct process_calls *calls);
void process_release(struct process *process); /* a run it carries goes on without us */

/* Ours, for a child: without variables that begin with one of `without` (NULL-ended; may be NULL), and without those whose value is a
 * secret. strv_free(). */
char **process_environment(const char *const *without);

/* A new random name for a run. Record it before process_spawn: after a crash it is how leftovers
 * are found. */
void process_make_run(struct loop *loop, char run[PROCESS_RUN_SIZE]);

/* `process` carries no run. `spawned` or `failed` follows. */
void process_spawn(struct process *process, const char *run, const struct process_spec *spec);

/* Takes up a run of an earlier life of ours: what happened to it comes as calls from the beginning,
 * or `lost`. */
void process_adopt(struct process *process, const char *run);

/* To the child alone, or to all of its group. Harmless when it is gone. */
void process_signal(struct process *process, int signum, bool all);

/* After `lost`: ends with SIGKILL whatever carries this run's mark, and the main process if pid and
 * start time (0: not known) still agree. `empty` follows. Call it only for a run of this boot. */
void process_sweep(struct process *process, pid_t pid, uint64_t start_time);

/* A start that was asked for and not yet said to the host, which is not there. It may be forgotten.
 */
bool process_is_pending(const struct process *process);

/* The end is noted: the host may forget it and close its log. Allowed once `failed` or `empty`
 * came, or after `lost`. No call comes after. `process` may carry the next run. */
void process_forget(struct process *process);

/* Lets go without a word: the run goes on, or its end is kept for whoever adopts it. No call comes
 * after. */
void process_detach(struct process *process);

/* ---- hosts ---- */

struct process_host_calls {
	/* The host has a run that no process of ours carries (its unit was removed, or the records
	 * are lost). It may be adopted here or later. NULL: left alone. */
	void (*stray)(void *user, const char *run, const char *unit);
	/* For status and log: `detail` NULL: all is well; else why nothing can be started now. May
	 * be NULL. */
	void (*changed)(void *user, const char *detail);
};

struct process_keeper_options {
	const char *socket_path; /* the keeper's socket, e.g. runtime_dir/keeper.sock */
	const char *keeper_path; /* the program to start when nobody answers; NULL: somebody else
				    (systemd) starts it */
	const char *log_path;    /* where a keeper that we start writes its own log lines; NULL: our
				    stderr */
};

/* Connects in the background and again whenever the keeper is lost; what is asked for meanwhile
 * waits. `calls` may be NULL. */
struct process_host *process_host_new_keeper(struct loop *loop,
	const struct process_keeper_options *options, const struct process_host_calls *calls,
	void *user);

/* Children of this process. They are killed when it is freed. */
struct process_host *process_host_new_direct(struct loop *loop);

/* Asks the keeper to end once nothing runs and everything is forgotten. Returns at once; does
 * nothing on `direct`. */
void process_host_quit(struct process_host *host);

/* No process may carry a run. Children of a keeper go on. */
void process_host_free(struct process_host *host);

/* True when requests need not wait for a connection. */
bool process_host_ready(const struct process_host *host);

/* ---- the keeper's own side ---- */

struct process_keeper_server;

/* Serves the keeper's socket: becomes the subreaper, takes its place in the delegated cgroup,
 * listens. `managed`: systemd starts and ends us, a quit is not obeyed. `ended` comes when a quit
 * was asked for and nothing is left. */
struct process_keeper_server *process_keeper_server_open(struct loop *loop, const char *socket_path,
	bool managed, void (*ended)(void *user), void *user, struct err *err);
void process_keeper_server_close(struct process_keeper_server *server);

/* ---- reading the log of a child: the last lines, then what follows ---- */

enum process_follow_mode {
	PROCESS_FOLLOW_NOT, /* only what is there */
	PROCESS_FOLLOW,
	PROCESS_FOLLOW_RUN, /* until it has settled */
};

struct process_follow;

/* `all` is the log's list of them, and outlives them or ends them. `lines` < 0: all that the file
 * has now. `ready` comes (deferred) whenever there is something new or the end was reached. */
struct process_follow *process_follow_new(struct loop *loop, struct list *all, const char *path,
	int64_t lines, enum process_follow_mode mode, void (*ready)(void *user), void *user);
/* Copies up to `size` bytes. 0: nothing now; -1: the end. */
ssize_t process_follow_read(struct process_follow *follow, void *bytes, size_t size);
void process_follow_free(struct process_follow *follow); /* NULL is fine */

void process_follows_wake(struct list *all);    /* something was written */
void process_follows_settled(struct list *all); /* those that wait for the end of a run end */
void process_follows_end(struct list *all);     /* the log is gone */

/* ---- facts about this system ---- */

/* Differs after each boot; recorded beside pids. */
const char *process_boot_id(void);

/* The system's start time of a living process, 0 when there is none. */
uint64_t process_start_time(pid_t pid);

/* What all processes of a session use: a child's pid is its session's. Blocking, any thread; 0 where it is
 * not known. cpu_ms: since the leader's start, of what is there and of what it waited for. */
struct process_used {
	pid_t session; /* filled by the caller */
	int64_t memory_bytes, cpu_ms;
};
void process_used_read(struct process_used *used, size_t count);

/* "cgroup v2 at /sys/fs/cgroup/x, cgroup.kill, pidfd": what was found at run time, for doctor and
 * tests. */
void process_describe(struct process_host *host, struct buf *out);

/* Does TEND_WITHOUT name this word? Tests walk the ways of older kernels by it. */
bool process_without(const char *word);

extern const struct doctor_check process_doctor[]; /* for `tend doctor` */

#endif
