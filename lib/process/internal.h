/* What the files of this room share: runs and the truth about them, real children, the wire. */
#ifndef PROCESS_INTERNAL_H
#define PROCESS_INTERNAL_H

#include <sys/resource.h>
#include <time.h>

#include "process/process.h"

/* ---- a run, as a host knows it ---- */

enum run_phase { RUN_STARTING, RUN_SPAWNED, RUN_FAILED };

/* Facts are only ever added; whoever is told late is told all of them, in this order. */
struct facts {
	enum run_phase phase;
	pid_t pid;
	uint64_t start_time;
	unsigned limited;
	struct process_notice notice;
	uint64_t notices; /* how often it became another one */
	bool exited;
	struct process_exit exit;
	bool empty;
	bool lost;
	struct err failure; /* of RUN_FAILED */
};

struct run {
	struct list link;
	char id[PROCESS_RUN_SIZE];
	char *unit;
	struct facts facts;
	struct process *owner; /* NULL: nobody here */
};

struct process_host {
	struct loop *loop;
	const struct host_ops *ops;
};

struct host_ops {
	void (*spawn)(struct process_host *host, struct process *process,
		const struct process_spec *spec);
	void (*adopt)(struct process_host *host, struct process *process);
	void (*signal)(struct process_host *host, struct run *run, int signum, bool all);
	void (*sweep)(struct process_host *host, struct run *run, pid_t pid, uint64_t start_time);
	void (*forget)(struct process_host *host, struct run *run);
	void (*quit)(struct process_host *host);
	void (*free)(struct process_host *host);
	bool (*pending)(const struct run *run);
	bool (*ready)(const struct process_host *host);
	void (*describe)(struct process_host *host, struct buf *out);
};

void run_bind(struct run *run, struct process *process);
void run_unbind(struct run *run);
void run_changed(struct run *run); /* tells the owner, deferred, what it was not told */

bool run_id_valid(const char *id);

/* ---- real children of this process (children.c) ---- */

struct children;

/* `reaper`: everything that was orphaned below us is ours to reap. `notice_path`: where they tell of
 * themselves; NULL: nowhere. `changed` comes for each new fact of a run, also inside calls of ours;
 * it must not forget a run. */
struct children *children_new(struct loop *loop, bool reaper, bool managed, const char *notice_path,
	void (*changed)(void *user, struct run *run), void *user);
void children_free(struct children *children); /* kills what is left */
struct run *children_spawn(struct children *children, const char *id, const char *unit,
	const struct process_spec *spec);
/* A run that is not among them: it stands there to be swept, then forgotten. */
struct run *children_lost(struct children *children, const char *id, const char *unit);
void children_sweep(struct run *run, pid_t pid, uint64_t start_time);
void children_signal(struct run *run, int signum, bool all);
void children_forget(struct run *run); /* frees it; kills what is left of it */
struct run *children_find(struct children *children, const char *id);
struct run *children_each(struct children *children, struct run *after);
void children_describe(struct children *children, struct buf *out);

/* ---- from a spec to a process (spawn.c), and its first steps (child.c) ---- */

enum child_stage {
	STAGE_NONE,
	STAGE_CGROUP,
	STAGE_NICE,
	STAGE_NOFILE,
	STAGE_GROUPS,
	STAGE_GID,
	STAGE_UID,
	STAGE_DIRECTORY,
	STAGE_DESCRIPTORS,
	STAGE_EXEC,
};

/* What the child writes into the error pipe when it cannot go on. */
struct child_error {
	int stage;
	int errnum;
	int candidate; /* STAGE_EXEC: which of them the error is about */
};

/* All that the child needs, laid out before the fork: nothing is allocated after it. */
struct child_plan {
	char *const *candidates; /* paths to try, in order */
	char *const *argv;
	char *const *env;
	const char *directory;
	bool become;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	mode_t umask;
	int nice;
	bool set_nofile;
	struct rlimit nofile;
	int stdin_fd, output_fd, message_fd; /* its stdin, stdout and stderr */
	int error_fd;
	int cgroup_fd; /* cgroup.procs of its leaf, -1: none */
	char *own_pid; /* room in `env` for its own number (CHILD_PID_SIZE); NULL: not asked for */
	pid_t parent;
};

enum { CHILD_PID_SIZE = 24 };

_Noreturn void child_run(const struct child_plan *plan);

/* Everything from 3 on closes at exec (seal_*.c): a keeper born in a shell may have inherited
 * anything. */
int child_seal_descriptors(int error_fd);
/* Ends the child when the parent ends, so that no child is ever between two parents unseen. */
void child_bind_to_parent(pid_t parent);
/* The calls of the system itself: libc's take a lock to reach all threads, which a child does not
 * have. */
int child_set_groups(size_t count, const gid_t *groups);
int child_set_gid(gid_t gid);
int child_set_uid(uid_t uid);
void child_reset_own_signals(void); /* those that libc keeps for itself */

struct spawned {
	pid_t pid;
	int error_fd; /* readable: end of file once it runs, else a struct child_error */
	int fifo_fd;  /* both ends; -1: none */
	char **candidates;
};

/* Where a run finds itself. */
struct spawn_place {
	const char *id, *unit;
	int cgroup_fd;           /* -1: none */
	const char *notice_path; /* its NOTIFY_SOCKET; NULL: none */
};

/* Forks. -1: nothing was left behind. */
int spawn_start(const struct process_spec *spec, const struct spawn_place *place,
	struct spawned *spawned, struct err *err);
/* The reason, for a person. Returns -1. */
int spawn_explain(const struct process_spec *spec, char *const *candidates,
	const struct child_error *error, struct err *err);

/* ---- who belongs to a run (procs_*.c) ---- */

struct procs_question {
	const char *run; /* its mark in the environment */
	pid_t main;      /* with `main_start`: the child itself, 0: not known */
	uint64_t main_start;
	pid_t reaper; /* look only below this process, and count main's session in; 0: look
			 everywhere */
};

/* Calls `visit` for each living member; returns how many. */
size_t procs_walk(const struct procs_question *question,
	void (*visit)(void *user, pid_t pid, uint64_t start_time), void *user);
uint64_t procs_start_time(pid_t pid); /* of a zombie too */
/* Only if pid still has that start time. */
void procs_signal(pid_t pid, uint64_t start_time, int signum);
int procs_become_reaper(struct err *err);
bool procs_has_pidfd(void);
void procs_size_pipe(int fd); /* as much as is wise */
int procs_peer_uid(int fd, uid_t *uid);

/* ---- what programs say of themselves (notice.c, notice_linux.c) ---- */

struct notices;

/* A datagram socket that anybody may write to; `came` says who wrote, and the text. NULL, with a
 * warning, where it cannot be had. */
struct notices *notices_open(struct loop *loop, const char *path,
	void (*came)(void *user, pid_t pid, const char *text), void *user);
void notices_close(struct notices *notices); /* NULL is fine */
void notices_read(struct notices *notices);  /* all that has come, now; NULL is fine */
const char *notices_path(const struct notices *notices);
/* Takes lines of sd_notify(3) into `notice`. True when it is another one now. */
bool notice_take(struct process_notice *notice, const char *text);

/* ---- cgroup v2 (cgroup.c alone knows its files) ---- */

struct cgroups;

/* NULL when there is none that we may write. `managed`: ours by delegation; we move into keeper/
 * first. */
struct cgroups *cgroups_open(bool managed);
void cgroups_close(struct cgroups *cgroups); /* removes what is empty; NULL is fine */
const char *cgroups_base(const struct cgroups *cgroups);
bool cgroups_can_kill(const struct cgroups *cgroups);

/* Path of the leaf of a run, made when `make`; NULL when it is not there. The caller's. */
char *cgroups_leaf(struct cgroups *cgroups, const char *unit, const char *id, bool make);
/* Puts the group's limits in force, with the controllers they take; which of them hold
 * (PROCESS_LIMITED_*). */
unsigned cgroup_limit(struct cgroups *cgroups, const char *leaf, int64_t memory_max_bytes,
	int64_t cpu_max_percent);
int cgroup_procs_fd(const char *leaf);
bool cgroup_populated(const char *leaf);
bool cgroup_holds(const char *leaf, pid_t pid); /* or a group below it does */
void cgroup_signal(struct cgroups *cgroups, const char *leaf, int signum);
/* Readable when the kernel may have ended a process of a watched leaf; -1: it cannot tell. */
int cgroups_oom_fd(const struct cgroups *cgroups);
void cgroups_oom_read(struct cgroups *cgroups);                   /* makes it silent again */
void cgroup_watch_oom(struct cgroups *cgroups, const char *leaf); /* where memory is counted */
int64_t cgroup_leaf_oom_kills(const char *leaf);                  /* -1: nobody counts */
int64_t cgroup_oom_kills(struct cgroups *cgroups, const char *leaf);
int cgroup_remove(const char *leaf);

/* ---- whom the kernel ended for want of memory (oom.c): pure ---- */

struct oom_count {
	int64_t before; /* the group's count when the run began */
	int64_t others; /* of the run, but for its main process */
	bool main;
	int64_t told_ms; /* when `others` rose last */
};

void oom_begin(struct oom_count *count, int64_t kills);
/* The group's count now (-1: nobody counts). True: more of its others were ended. */
bool oom_others(struct oom_count *count, int64_t kills, int64_t now_ms);
/* The main process was ended by a SIGKILL that is not ours: was it that? Takes back what was taken for another a moment ago. */
bool oom_main(struct oom_count *count, int64_t kills, int64_t now_ms);

/* ---- the wire between tendd and the keeper (frames.c) ---- */

enum { FRAME_VERSION = 2, FRAME_MAX = 4 << 20, FRAME_LIST_MAX = 65536 };

enum frame_type {
	/* to the keeper */
	FRAME_SPAWN = 1,
	FRAME_SIGNAL,
	FRAME_SWEEP,
	FRAME_FORGET,
	FRAME_QUIT,
	/* from the keeper */
	FRAME_HELLO = 16,
	FRAME_STARTING,
	FRAME_SPAWNED,
	FRAME_FAILED,
	FRAME_EXITED,
	FRAME_EMPTY,
	FRAME_LISTED, /* all that was there before hello has been said */
	FRAME_FORGOTTEN,
	FRAME_NOTIFIED, /* since 2 */
};

/* One shape for all; what a type does not use is zero and takes no room on the wire. */
struct frame {
	int64_t type;
	char *run, *unit;
	int64_t version, pid, start_time;
	int64_t signum, all;
	int64_t code, oom;
	int64_t err_kind, err_sys;
	char *text;
	char **argv, **env;
	char *directory, *fifo;
	int64_t become, uid, gid;
	char **groups; /* decimal */
	int64_t umask, nice, nofile;
	int64_t memory_max, cpu_max; /* asked for */
	int64_t limited;             /* PROCESS_LIMITED_*, in force */
	/* since 2 */
	int64_t notify, watchdog_us; /* asked for; `notify` of what runs: it has the socket */
	int64_t ready, stopping, broken, pings, oom_kills;
	char *status;
};

void frame_encode(const struct frame *frame, struct buf *out);
/* Takes the first frame off `in`. 1: it is in `frame` (release it); 0: more bytes are needed; -1:
 * this is no frame. */
int frame_decode(struct buf *in, struct frame *frame, struct err *err);
void frame_release(struct frame *frame);
void frame_from_spec(
	struct frame *frame, const struct process_spec *spec); /* the frame owns copies */
int frame_to_spec(
	const struct frame *frame, struct process_spec *spec, gid_t **groups, struct err *err);

/* Does not wait, and closes at exec; -1 stays -1. Not by flags of the calls that made it, which are
 * Linux's: a child seals what it inherits. The descriptor. */
int descriptor_own(int fd);

/* A connected socket that carries frames (channel.c). */
struct channel;

struct channel_calls {
	void (*frame)(void *user, const struct frame *frame); /* may close the channel */
	void (*closed)(void *user, const struct err *err);    /* the last call; close it then */
};

/* Takes `fd`. */
struct channel *channel_open(
	struct loop *loop, int fd, const struct channel_calls *calls, void *user);
void channel_send(struct channel *channel, const struct frame *frame);
void channel_drain(struct channel *channel); /* handles all that has arrived, now */
void channel_close(struct channel *channel); /* NULL is fine; no call comes after */

#endif
