/* What the files of [idle] share: signals and what they remember from one sample to the next. */
#ifndef POWER_IDLE_H
#define POWER_IDLE_H

#include <sys/types.h>

#include "power/power.h"

/* ---- idle_settings.c ---- */

enum idle_kind {
	SIGNAL_SSH,
	SIGNAL_MOSH,
	SIGNAL_TTY,
	SIGNAL_TMUX,
	SIGNAL_CPU,
	SIGNAL_GPU,
	SIGNAL_NET,
	SIGNAL_JUPYTER,
	SIGNAL_JOBS,
	SIGNAL_SYNC,
	SIGNAL_SERVICE,
	SIGNAL_COMMAND,
	SIGNAL_KINDS
};

struct idle_signal {
	enum idle_kind kind;
	char *name;        /* as the file has it */
	char *argument;    /* of service: and command: */
	int64_t threshold; /* of one processor in per cent, per cent, bytes a second */
};

/* NULL with err; `count` long. The caller's. */
struct idle_signal *idle_signals_parse(char *const *lines, size_t *count, struct err *err);
void idle_signals_free(struct idle_signal *signals, size_t count);
bool idle_signal_is_late(enum idle_kind kind);

struct idle_settings *idle_settings_copy(const struct idle_settings *settings);
void idle_settings_free(struct idle_settings *settings);

/* ---- answers ---- */

void idle_say(struct idle_answer *answer, enum idle_word word, int64_t age_ms, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* Of several things seen by one signal: active counts before unknown, unknown before idle, the younger age among equals, the
 * later one among alike. */
void idle_worse(struct idle_answer *answer, const struct idle_answer *other);

/* ---- the processes of this machine: idle_procs_linux.c, idle_procs_macos.c ---- */

struct idle_proc {
	pid_t pid, parent, group, session,
		foreground;    /* foreground: group of its terminal; -1: none */
	uint64_t tty;          /* number of its terminal; 0: none */
	uint64_t start, ticks; /* IDLE_TICKS a second of one processor */
	uid_t uid;
	bool login; /* it descends from a login, by the kernel's audit mark */
	char name[32];
};

enum { IDLE_TICKS = 100 };

struct idle_procs {
	struct idle_proc *at;
	size_t count, room;
};

/* -1: the list cannot be had. */
int idle_procs_read(const char *root, struct idle_procs *procs);
void idle_procs_release(struct idle_procs *procs);
struct idle_proc *idle_procs_add(struct idle_procs *procs);
const struct idle_proc *idle_procs_find(const struct idle_procs *procs, pid_t pid);
/* Is one of tend's children: a service, a step, or ourselves. */
bool idle_proc_is_ours(const char *root, const struct idle_proc *proc);
/* Times that it gave up the processor by itself; -1. And bytes it read and wrote. */
int64_t idle_proc_switches(const char *root, pid_t pid);
int64_t idle_proc_bytes(const char *root, pid_t pid);
int64_t idle_uptime_ms(const char *root); /* -1: not known */

bool idle_name_is_shell(const char *name);
/* What runs in front of terminal `tty` and is no shell; NULL. */
const struct idle_proc *idle_foreground(const struct idle_procs *procs, uint64_t tty);
/* On a worker. A user without a name, or one of a test's folder, is "uid 1000". */
void idle_user_name(const char *root, uid_t uid, char *name, size_t size);

/* ---- what one sample reads, and remembers for the next; the job's alone while it runs ---- */

struct idle_cpu {
	uint64_t busy, all, processors;
	bool known;
};

struct idle_past; /* of single processes, by pid */

struct idle_memory {
	int64_t at_ms; /* 0: no sample before */
	struct idle_cpu cpu;
	uint64_t net_bytes;
	bool net_known;
	struct idle_past *past; /* NULL-able */
	size_t past_count;
	void *nvml; /* signal_gpu.c */
};

struct idle_past {
	pid_t pid;
	uint64_t start, ticks;
	int64_t switches, bytes; /* -1: not looked at */
};

const struct idle_past *idle_past_find(
	const struct idle_memory *memory, const struct idle_proc *proc);

struct idle_terminal {
	char name[24]; /* "pts/3" */
	uint64_t number;
	int64_t input_age_ms, output_age_ms; /* -1: not known */
};

struct idle_terminals {
	struct idle_terminal *at;
	size_t count;
	bool failed;
};

struct idle_server { /* a Jupyter that runs */
	char *url, *token, *socket;
};

struct idle_sample {
	/* asked */
	bool gpu_only; /* between two whole ones */
	const char *root, *nvml;
	int64_t now_ms, wall_ns, after_ms;
	int64_t warned_ns; /* what we wrote to terminals ourselves is nobody's output; 0: nothing */
	bool wanted[SIGNAL_KINDS];
	int64_t threshold[SIGNAL_KINDS];
	struct idle_memory *memory;
	/* read */
	struct idle_procs procs;
	struct idle_terminals terminals;
	int64_t elapsed_ms; /* since the sample before; 0: there was none */
	/* answered */
	struct idle_answer answers[SIGNAL_KINDS], person, dpkg;
	int64_t uptime_ms;
	struct idle_server *servers;
	size_t server_count;
	bool servers_failed;
};

/* Blocks. */
void idle_sample_read(struct idle_sample *sample);
void idle_sample_release(struct idle_sample *sample);
void idle_memory_release(struct idle_memory *memory);

/* A small file below root; NULL: cannot be read. The caller's. */
char *idle_file(const char *root, const char *path, size_t most);

/* ---- signals: what they read, and the pure verdict ---- */

/* signal_tty.c, signal_tty_linux.c, signal_tty_macos.c */
void signal_tty_read(struct idle_sample *sample);
void signal_tty_list(struct idle_sample *sample);
int64_t signal_tty_age(int64_t time_ns, int64_t wall_ns);
/* By name, or where that is NULL by number. */
const struct idle_terminal *signal_tty_find(
	const struct idle_terminals *terminals, uint64_t number, const char *name);
void signal_tty(
	const struct idle_terminals *terminals, int64_t after_ms, struct idle_answer *answer);
/* `mtime_ns` of a terminal, without what we wrote to it ourselves. -1: that hides it. */
int64_t signal_tty_output_age(int64_t mtime_ns, int64_t wall_ns, int64_t warned_ns);

/* signal_ssh.c, signal_ssh_linux.c (also signal_ssh_sockets.c), signal_ssh_macos.c */
struct idle_session {
	char user[40];
	char tty[24];                        /* empty: without */
	pid_t pid;                           /* 0: not known */
	char job[32];                        /* in front of it and no shell; empty: none */
	int64_t input_age_ms, output_age_ms; /* -1: not known */
	int64_t bytes_a_second;              /* without a tty: -1 not known */
};
struct idle_sessions {
	struct idle_session at[64];
	size_t count;
	bool failed; /* nobody could be asked */
};
void signal_ssh_sessions(struct idle_sample *sample, struct idle_sessions *sessions);
/* What is known of a session's terminal, by its name or number, is added. */
void signal_ssh_terminal(
	const struct idle_sample *sample, struct idle_session *session, uint64_t number);
/* Bytes a second that a connection's process moved since the sample before; -1. */
int64_t signal_ssh_speed(const struct idle_sample *sample, const struct idle_proc *proc);
void signal_ssh_read(struct idle_sample *sample);
void signal_ssh(const struct idle_sessions *sessions, int64_t after_ms, struct idle_answer *answer);

/* signal_mosh.c */
struct idle_mosh {
	pid_t pid;
	int64_t switches_a_minute; /* -1: not known yet */
	struct idle_session session;
};
void signal_mosh_read(struct idle_sample *sample);
void signal_mosh(const struct idle_mosh *servers, size_t count, int64_t after_ms,
	struct idle_answer *answer);

/* signal_tmux.c */
struct idle_pane {
	char job[32];  /* empty: a shell waits */
	int64_t ticks; /* of the job since the sample before; -1: not known */
};
void signal_tmux_read(struct idle_sample *sample);
void signal_tmux(const struct idle_pane *panes, size_t count, struct idle_answer *answer);

/* signal_jobs.c */
struct idle_job {
	char name[32];
	pid_t pid;
	int64_t percent10; /* tenths of a per cent of one processor; -1: not known */
};
void signal_jobs_read(struct idle_sample *sample);
void signal_jobs(const struct idle_job *jobs, size_t count, struct idle_answer *answer);

/* signal_cpu.c, signal_net.c; what the kernel counts: signal_load_linux.c, signal_load_macos.c */
void signal_cpu_now(const char *root, struct idle_cpu *cpu);
int signal_net_now(const char *root, uint64_t *bytes);
int signal_cpu_parse(const char *text, struct idle_cpu *cpu);
void signal_cpu(const struct idle_cpu *before, const struct idle_cpu *now, int64_t threshold,
	struct idle_answer *answer);
void signal_cpu_read(struct idle_sample *sample);
int signal_net_parse(const char *text, uint64_t *bytes);
void signal_net(int64_t bytes, int64_t elapsed_ms, int64_t threshold, struct idle_answer *answer);
void signal_net_read(struct idle_sample *sample);

/* signal_gpu.c */
struct idle_gpu {
	int percent;       /* -1: this GPU does not tell */
	int64_t processes; /* -1: nor this */
};
enum idle_gpus {
	IDLE_GPUS_NONE, /* no GPU, no driver */
	IDLE_GPUS_FOUND,
	IDLE_GPUS_TROUBLE, /* there should be one */
};
struct idle_gpu_look {
	enum idle_gpus found;
	const char *trouble;
	struct idle_gpu at[64];
	size_t count;
};
void signal_gpu_look(
	const char *root, const char *library, void **nvml, struct idle_gpu_look *look);
void signal_gpu_close(void *nvml);
void signal_gpu(const struct idle_gpu_look *look, int64_t threshold, struct idle_answer *answer);
void signal_gpu_read(struct idle_sample *sample);

/* signal_jupyter.c */
void signal_jupyter_find(struct idle_sample *sample); /* servers, by their runtime files */
/* What /api/kernels and /api/terminals of one server say. */
void signal_jupyter_kernels(
	const char *json, int64_t wall_ns, int64_t kernel_idle_ms, struct idle_answer *answer);
void signal_jupyter_terminals(
	const char *json, int64_t wall_ns, int64_t after_ms, struct idle_answer *answer);

struct idle_jupyter;
struct idle_jupyter_options {
	struct loop *loop;
	struct http *http;
	int64_t wall_ns, kernel_idle_ms, after_ms;
};
/* Asks each server; takes `servers`. `done` once, never inside. */
struct idle_jupyter *signal_jupyter_ask(const struct idle_jupyter_options *options,
	struct idle_server *servers, size_t count,
	void (*done)(void *user, const struct idle_answer *answer), void *user);
void signal_jupyter_cancel(struct idle_jupyter *asking); /* `done` comes all the same */

/* signal_command.c */
struct idle_command;
void signal_command(bool ran, int code, int signal, const char *why, struct idle_answer *answer);
/* One command of `active`, again and again. */
struct idle_command *signal_command_new(struct loop *loop, struct process_host *host,
	const char *command, void (*done)(void *user, const struct idle_answer *answer),
	void *user);
void signal_command_start(struct idle_command *command); /* none runs */
/* `done` comes no more; it ends by itself. */
void signal_command_free(struct idle_command *command);

/* ---- act.c: the act itself ---- */

struct idle_act;
struct idle_act_options {
	struct loop *loop;
	struct http *http;
	struct process_host *host;
	const char *action; /* poweroff, suspend or a command */
	bool azure;
	const char *endpoint; /* NULL: the real ones */
};
/* `done` once, never inside; err NULL: it is under way. ERR_OFFLINE, ERR_BUSY: nothing was done. */
struct idle_act *idle_act_start(const struct idle_act_options *options,
	void (*done)(void *user, const struct err *err), void *user);
void idle_act_cancel(
	struct idle_act *act); /* what runs goes on by itself; `done` comes all the same */
void idle_act_free(struct idle_act *act); /* `done` has come; NULL is fine */

/* act_linux.c, act_macos.c: what does `poweroff` and `suspend` */
void idle_act_words(const char *action, char ***argv);

/* act_azure.c */
struct idle_azure;
struct idle_azure *idle_azure_start(struct loop *loop, struct http *http, const char *endpoint,
	void (*done)(void *user, const struct err *err), void *user);
void idle_azure_cancel(struct idle_azure *azure);
void idle_azure_free(struct idle_azure *azure); /* `done` has come; NULL is fine */

/* act_terminals.c: blocks; how many terminals got it */
size_t idle_terminals_tell(const char *root, const char *text);

/* ---- idle.c, idle_look.c, idle_show.c: the flow ---- */

struct idle_part; /* of a sample: a command of `active` */

struct idle {
	struct idle_options options;
	struct idle_settings *settings; /* NULL: there is no [idle] */
	struct idle_settings *fresh;    /* to be taken when the sample under way has ended */
	bool renew;                     /* there is something in `fresh`, or nothing any more */
	struct idle_signal *signals;
	size_t count;
	struct idle_part *parts;     /* of each signal */
	struct idle_answer *answers; /* of the last whole sample */
	enum idle_word *words;
	bool *late;
	int64_t *active_ms;
	struct idle_answer gpu; /* the highest since the whole sample before */
	const struct idle_cloud *cloud;
	bool container;

	/* the sample */
	struct timer tick;
	unsigned ticks;
	struct job job;
	struct idle_sample sample;
	struct idle_memory memory;
	enum idle_phase sample_phase; /* in which it began */
	struct idle_house house;
	struct idle_jupyter *jupyter;
	bool sampling;
	size_t waits; /* for so many parts of it */

	/* the verdict */
	struct idle_window window;
	enum idle_reason reason;
	size_t which;
	int64_t left_ms;
	char *text;
	int64_t logged_ms, blind_ms; /* 0: never, not blind */
	bool blind_told;
	int64_t awake_until_ns;

	/* the end */
	enum idle_phase phase;
	struct timer phase_timer;
	int64_t due_ms; /* the warning's time is over then */
	bool called_off, ended;
	bool slept; /* since the act began */
	char *why_off;
	int64_t warned_ns;
	struct idle_act *act;
	size_t tells; /* lines on their way to terminals */

	bool closing;
	struct defer closed_defer;
	void (*closed)(void *user);
	void *closed_user;
};

/* idle.c */
int64_t idle_now_ms(const struct idle *idle);
void idle_happened(struct idle *idle, enum idle_event event, const char *why);
void idle_take_settings(struct idle *idle); /* no sample is under way */
bool idle_may_renew(const struct idle *idle);
void idle_close_step(struct idle *idle);

/* idle_look.c */
void idle_look_init(struct idle *idle);
void idle_look_soon(struct idle *idle);
void idle_look_stop(struct idle *idle);
/* Of the signals there are now. */
void idle_look_make(struct idle *idle);
void idle_look_release(struct idle *idle);
int64_t idle_every_ms(const struct idle *idle);

/* idle_show.c */
const char *idle_action(const struct idle *idle); /* "poweroff"; "report" */
bool idle_deallocates(const struct idle *idle);
const char *idle_warning(const struct idle *idle); /* about the bill; NULL */
void idle_show_reason(struct idle *idle); /* makes idle->text anew, and logs what changed */

#endif
