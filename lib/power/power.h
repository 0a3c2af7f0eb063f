/*
 * power: is this machine idle, and how does it end then? Is it about to be taken away? Signals say who uses it, the verdict follows from
 * all of them over a window, and the end goes through warning, flush and stop before the act; a provider's notice begins work that has a
 * deadline (SERVICES.md §5).
 *
 * Loop thread, but for the signals' readings, which block and run in jobs. Times in settings and spans are milliseconds, moments
 * monotonic milliseconds where they end in _ms and wall nanoseconds where they end in _ns. The caller does what this room
 * cannot: flush folders, stop and start services.
 */
#ifndef POWER_POWER_H
#define POWER_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "config/config.h"
#include "http/http.h"
#include "loop/loop.h"
#include "process/process.h"

/* ---- settings: [idle] ---- */

enum idle_billing { IDLE_BILLING_AUTO, IDLE_BILLING_NONE, IDLE_BILLING_AZURE };

struct idle_settings {
	int64_t after_ms, min_uptime_ms, every_ms;
	char **active; /* lines, as the file has them; idle_signals_parse() */
	int64_t jupyter_kernel_idle_ms;
	char *action;     /* NULL: power off, where that is safe */
	int stop_billing; /* enum idle_billing */
	char *endpoint;   /* NULL: the real ones; for tests */
	int64_t warn_ms, max_uptime_ms;
	bool dry_run, force;
};

extern const struct config_table idle_table;

/* Units that `active` names, as "service:a"; the caller's vector, NULL: none. */
char **idle_services(const struct idle_settings *settings);

/* ---- the verdict: pure ---- */

enum idle_word {
	IDLE_IDLE,
	IDLE_ACTIVE,
	IDLE_UNKNOWN, /* it could not be read: counts as active, now */
};

enum { IDLE_TEXT_SIZE = 160 };

/* What one signal says. `age_ms`: how long ago the activity was that it saw; an idle one may know it too (-1: not). */
struct idle_answer {
	enum idle_word word;
	int64_t age_ms;
	char text[IDLE_TEXT_SIZE]; /* for a person: "soph at pts/3, input 2m ago" */
};

/* So many samples at least lie in a window that counts. */
enum { IDLE_SAMPLES = 10 };

/* How long nothing has spoiled the samples, by clock and gap. Begin with zeroes. */
struct idle_window {
	bool begun;
	int64_t start_ms, last_ms, last_wall_ns;
	int64_t taken[IDLE_SAMPLES]; /* when the last ones were taken, the oldest at `next` */
	size_t next, count;
};

/* A sample is taken. True: the window begins anew (a gap, a suspend, a clock that jumped); *why says which. */
bool idle_window_sample(struct idle_window *window, int64_t now_ms, int64_t wall_ns,
	int64_t every_ms, const char **why);
void idle_window_restart(struct idle_window *window); /* at a reload */

/* Why the machine stays up. In order of the verdict's look. */
enum idle_reason {
	IDLE_BY_NOTHING, /* it is idle */
	IDLE_BY_STEP,
	IDLE_BY_RESTORE,
	IDLE_BY_STARTING,
	IDLE_BY_DPKG,
	IDLE_BY_AWAKE,
	IDLE_BY_UPTIME,
	IDLE_BY_STEP_ENDED, /* min_uptime since the last step has not passed */
	IDLE_BY_PERSON,     /* at a tty */
	IDLE_BY_SIGNAL,
	IDLE_BY_UNKNOWN,
	IDLE_BY_WINDOW,  /* all is idle, not yet for long enough */
	IDLE_BY_SAMPLES, /* for long enough, not seen often enough */
};

/* Everything the verdict looks at. */
struct idle_facts {
	int64_t now_ms, after_ms, min_uptime_ms, max_uptime_ms; /* max_uptime: 0 none */
	int64_t uptime_ms;                                      /* -1: not known */
	int64_t step_ended_ms;                                  /* moment; -1: none ended */
	int64_t awake_until_ms; /* moment; 0: nobody asked; INT64_MAX: for ever */
	bool step_busy, restoring, starting;
	enum idle_word dpkg;   /* its lock */
	enum idle_word person; /* at a tty within the window */
	const struct idle_window *window;
	size_t signals;
	const enum idle_word *words;
	const int64_t *active_ms; /* moment of each signal's last activity; 0: none seen */
};

/* Idle: IDLE_BY_NOTHING. *which: index of the signal that keeps it awake, where one does. *left_ms: how long until it could be
 * idle when nothing changes; -1: not to be said. */
enum idle_reason idle_verdict(const struct idle_facts *facts, size_t *which, int64_t *left_ms);

/* The look before the act: our own flush moved bytes and took processor time, so only what a person does counts. `late`: which
 * signals are of that kind. */
enum idle_reason idle_verdict_late(const struct idle_facts *facts, const bool *late, size_t *which);

const char *idle_reason_text(enum idle_reason reason);

/* ---- the end: pure ---- */

enum idle_phase {
	IDLE_WATCHING,
	IDLE_WARNED,   /* people were told; a look, then on */
	IDLE_FLUSHING, /* services run */
	IDLE_STOPPING, /* services */
	IDLE_RESTING,  /* the rest is flushed */
	IDLE_JUDGING,  /* the last look */
	IDLE_ACTING,
	IDLE_AFTER, /* the act was done: the machine goes any moment */
	IDLE_SPENT, /* it did not go: nothing more until a reload or boot */
	IDLE_PHASES,
};

enum idle_event {
	IDLE_EV_IDLE,   /* the verdict: nobody uses it */
	IDLE_EV_ACTIVE, /* somebody does */
	IDLE_EV_DONE,   /* what the phase waited for has ended well */
	IDLE_EV_FAILED,
	IDLE_EV_CANCEL,  /* awake, reload: whatever was decided is off */
	IDLE_EV_RESUMED, /* the machine slept and is back */
	IDLE_EVENTS,
};

enum idle_do {
	IDLE_DO_NOTHING,
	IDLE_DO_WARN,
	IDLE_DO_FLUSH,
	IDLE_DO_STOP,
	IDLE_DO_FLUSH_REST,
	IDLE_DO_JUDGE,
	IDLE_DO_ACT,
	IDLE_DO_WAIT,     /* for the machine to go */
	IDLE_DO_CALL_OFF, /* tell, and watch from anew */
	IDLE_DO_START,    /* the same, and services begin again */
	IDLE_DO_GIVE_UP,  /* services begin again, and no further act */
	IDLE_DO_NOTE,     /* cannot be broken off here: it is called off when this ends */
};

struct idle_turn {
	enum idle_phase next;
	enum idle_do act;
};

/* `force`: a flush or stop that failed is gone on from. */
struct idle_turn idle_next(enum idle_phase phase, enum idle_event event, bool force);

const char *idle_phase_name(enum idle_phase phase);

/* ---- where the bill is paid: pure, by what DMI says below `root` ---- */

struct idle_cloud {
	const char *name; /* "azure"; "" : none known */
	bool needs_call; /* power-off alone does not end the bill, and tend knows the call that does */
	const char *warning; /* for the log at start; NULL: power-off ends it */
};

const struct idle_cloud *idle_cloud_find(const char *root);
bool idle_in_container(const char *root);

/* ---- the flow ---- */

/* What only the caller knows, at a sample. Texts are copied by the room. */
struct idle_house {
	bool step_busy, restoring, starting;
	char step[IDLE_TEXT_SIZE], restore[IDLE_TEXT_SIZE], start[IDLE_TEXT_SIZE];
	int64_t step_ended_ms; /* -1: none */
	struct idle_answer sync;
};

struct idle_calls {
	void (*look)(void *user, struct idle_house *house);
	void (*service)(void *user, const char *name, struct idle_answer *answer);
	/* Each is answered once by idle_done(), never inside, unless idle_end came before. */
	void (*flush)(void *user, bool services_stopped);
	void (*flush_off)(void *user); /* no idle_done() comes of it any more */
	void (*stop)(void *user);
	void (*start)(void *user); /* services, again */
	/* Something to be told: `event` "idle" or "idle.blind", and for the history. */
	void (*told)(void *user, const char *event, const char *text);
	void (*awake_changed)(
		void *user, int64_t until_ns); /* 0: off; to be remembered; INT64_MAX: for ever */
};

struct idle_options {
	struct loop *loop;
	struct http *http;
	struct process_host *host;
	const char *root; /* NULL: "/"; where /proc, /sys, /run, /dev are read; for tests */
	const char *nvml; /* NULL: the system's libnvidia-ml.so.1 */
	const struct idle_calls *calls;
	void *user;
};

struct idle;

struct idle *idle_new(const struct idle_options *options);
/* At the start and after a reload; NULL: there is no [idle]. Copied. A new window begins, what was decided is called off. */
void idle_configure(struct idle *idle, const struct idle_settings *settings);
/* Of idle_calls.flush or stop; NULL: it went well. */
void idle_done(struct idle *idle, const struct err *err);
/* Until a wall time; 0: off, INT64_MAX: for ever. `silently`: it was only remembered. */
void idle_awake(struct idle *idle, int64_t until_ns, bool silently);
/* A stop of the daemon begins: nothing more is decided. */
void idle_end(struct idle *idle);
/* `closed` comes once, deferred, when no job, request or child is left. */
void idle_close(struct idle *idle, void (*closed)(void *user), void *user);
void idle_free(struct idle *idle); /* closed; NULL is fine */

/* ---- how it stands ---- */

struct idle_signal_status {
	const char *name;
	const struct idle_answer *answer;
	int64_t active_ns; /* when it was active last; 0: never since the start */
};

struct idle_status {
	bool enabled;
	enum idle_phase phase;
	enum idle_reason reason; /* why it stays up */
	const char *text;        /* the same for a person */
	int64_t left_ms;         /* until the act, when nothing changes; -1: not to be said */
	int64_t after_ms, awake_until_ns;
	bool dry_run;
	const char *action;  /* "poweroff"; "report" */
	const char *cloud;   /* "" */
	const char *warning; /* about the bill; NULL */
	size_t signals;
};
void idle_status(
	struct idle *idle, struct idle_status *status); /* borrowed, until the loop turns */
void idle_status_signal(struct idle *idle, size_t at, struct idle_signal_status *status);

/* ---- whose machine this is ---- */

enum power_provider {
	POWER_PROVIDER_NONE,
	POWER_PROVIDER_AWS,
	POWER_PROVIDER_GCP,
	POWER_PROVIDER_AZURE
};

/* By what the firmware says of itself (DMI), without the network, as cloud-init does. `root`: the folder of those files, NULL: the
 * system's. Reads a few files of sysfs, which do not block; any thread. */
enum power_provider power_provider_detect(const char *root);
const char *power_provider_name(enum power_provider provider); /* "aws"; "none" */

/* ---- preemption: [preempt] ---- */

/* The words of the key `provider`, in its order. */
enum power_preempt_choice {
	POWER_PREEMPT_AUTO,
	POWER_PREEMPT_AWS,
	POWER_PREEMPT_GCP,
	POWER_PREEMPT_AZURE,
	POWER_PREEMPT_OFF
};

struct power_preempt_settings {
	int provider;      /* enum power_preempt_choice */
	char *endpoint;    /* of the metadata service; NULL: the provider's own */
	int64_t budget_ms; /* 0: by the deadline, or what the provider gives */
};

extern const struct config_table power_preempt_table;

/* That the machine goes, as its provider says it; texts are borrowed for the call. */
struct power_notice {
	const char *id;      /* of this event: one decision for each */
	const char *what;    /* "terminate": the provider's word */
	int64_t deadline_ns; /* when; 0: not told */
	bool hint;           /* it may happen: nothing is stopped for it */
	const char *
		ack; /* private: names it to the provider when all is done; NULL: it is not to be let go */
};

struct power_preempt;

struct power_preempt_calls {
	/* Send what there is, small and new first; again is harmless. `notice` is why; NULL: tendd or the services are asked to stop. */
	void (*flush)(void *user, const struct power_notice *notice);
	/* It goes: once for all its signals. Tell the services, which have `limit_ms` for it (0: an earlier tendd told them), and whoever
	 * wants to know. flush() follows. */
	void (*told)(
		void *user, const struct power_notice *notice, int64_t limit_ms, int64_t left_ms);
	/* So far these ids were decided on, and this is the deadline: to be known by the next power_preempt_new() of this boot. `ids`
	 * is NULL-ended and borrowed. */
	void (*decided)(void *user, char *const *ids, int64_t deadline_ns);
	/* The deadline is near: stop the services, and flush what they wrote. */
	void (*stop)(void *user);
	/* The machine is still here long after the deadline: all as before. */
	void (*stayed)(void *user);
};

struct power_preempt_options {
	struct loop *loop;
	struct http *http;
	const struct power_preempt_settings *settings; /* copied */
	const char *dmi_root;                          /* NULL: the system's */
	char *const *decided;                          /* ids of before in this boot; NULL: none */
	int64_t decided_end_ns;                        /* and the deadline of then */
	const struct power_preempt_calls *calls;
	void *user;
};

/* Begins to watch, where there is something to watch. */
struct power_preempt *power_preempt_new(const struct power_preempt_options *options);
/* No call comes after. What is on its way is cancelled and freed in its own time, on the loop: `gone` comes once, deferred. */
void power_preempt_free(struct power_preempt *preempt, void (*gone)(void *user), void *user);

/* tendd is asked to stop: what was decided is not decided again, and nothing is told any more. */
void power_preempt_leaving(struct power_preempt *preempt);
/* All is sent and stopped: the provider may go on, where it waits for a word (Azure). */
void power_preempt_done(struct power_preempt *preempt);

struct power_preempt_status {
	const char *provider; /* "aws"; "none" when there is nothing to watch */
	const char *state;    /* off watching told stopped leaving */
	const char *what;     /* of the notice; NULL: none */
	int64_t deadline_ns;  /* ours: when the work has to be done; 0: none */
	const char *trouble;  /* NULL, or why the provider cannot be asked */
};
/* Texts are borrowed until the next turn. */
void power_preempt_status(const struct power_preempt *preempt, struct power_preempt_status *status);

#endif
