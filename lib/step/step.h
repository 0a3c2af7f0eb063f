/*
 * step: brings a machine up, step by step: files, links, packages, commands. What a step is about is looked at first, and
 * only what differs is touched; how far it came stands in the ledger, so that a crash or a reboot in the middle is gone on
 * from.
 *
 * Loop thread, but for step_look (any thread: it blocks). Commands run through a process host whose children outlive
 * us. Times in settings are milliseconds, moments wall nanoseconds. Every step is a unit of the graph.
 */
#ifndef STEP_STEP_H
#define STEP_STEP_H

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

/* ---- settings: one [step NAME] ---- */

enum step_when { STEP_WHEN_CHANGED, STEP_WHEN_BOOT };
enum step_reboot { STEP_REBOOT_NO, STEP_REBOOT_IF_REQUIRED };

struct step_settings {
	/* exactly one of the kinds is set; paths may begin with ~, the home of `as` */
	char *file, *content, *source, *owner;
	int64_t mode; /* 0: not said */
	char *link, *target;
	char *run, *creates, *unless;
	char *git, *to, *ref;
	char *download, *sha256;
	bool unpack;
	char **packages;
	bool update, upgrade;
	char *user, *shell;
	char **groups;
	bool sudo;
	char **authorized_keys;
	char **allow, **from;
	/* all kinds */
	bool enabled;
	char *as;           /* NULL: the daemon's user */
	char **environment; /* NAME=value */
	int64_t timeout_ms, retries;
	int when;   /* enum step_when */
	int reboot; /* enum step_reboot */
	char **after, **requires;
};

extern const struct config_table step_table;

/* ---- decisions: pure ---- */

enum step_verdict {
	STEP_SO,   /* nothing to do */
	STEP_TODO, /* it differs, or is due */
	STEP_HELD, /* a person changed it since: left as it is */
};

/* Of a kind that goes by its definition. */
struct step_due {
	bool forced;    /* a person asked for it */
	bool there;     /* what it creates is there */
	bool done;      /* some definition of it was done once */
	bool same;      /* that definition is the present one */
	bool here;      /* on this machine */
	bool this_boot; /* during this boot */
	enum step_when when;
};

/* `why` gets a constant text for people. */
enum step_verdict step_is_due(const struct step_due *due, const char **why);

/* A file or link, three ways: what is wanted, what is there, what tend wrote there last. */
struct step_content {
	bool there;     /* something stands there */
	bool equal;     /* its content is as wanted */
	bool rights;    /* so are mode and owner */
	bool ours;      /* tend wrote there before */
	bool unchanged; /* since then nobody else did */
	bool forced;
};

/* `keep`: what stands there is kept beside. */
enum step_verdict step_compare_content(
	const struct step_content *content, bool *keep, const char **why);

const char *step_verdict_name(enum step_verdict verdict); /* "so", "todo", "held" */

/* Lines that differ, as diff -u has them, with `path` in the head. Cut after some hundred. The caller's; empty: equal. */
char *step_diff(const char *path, const char *before, const char *after);

/* ---- looking, without doing anything ---- */

struct step_finding {
	enum step_verdict verdict;
	const char *kind; /* "file" */
	char *subject;    /* "/home/soph/.tmux.conf" */
	char *why;        /* for a person */
	char *diff;       /* of a file whose content would change; NULL: none */
};

/* What a start of this step would do. `record`: what the ledger knows. `boot`: process_boot_id; NULL where there is one thread only.
 * Blocks. */
int step_look(const char *name, const struct step_settings *settings,
	const struct ledger_step *record, const char *boot, struct step_finding *finding,
	struct err *err);
void step_finding_release(struct step_finding *finding);

/* This machine among those made from one image: a digest of its machine id and of the cloud's instance id below `root`
 * ("/"); what is not there does not count. */
void step_machine(const char *root, char machine[LEDGER_DIGEST_SIZE]);

/* ---- the flow ---- */

enum step_state {
	STEP_DOWN,
	STEP_WAITING,
	STEP_LOOKING, /* and, where that is all, mending */
	STEP_FETCHING,
	STEP_RUNNING,
	STEP_ENDING, /* its command has ended; the rest of it ends, the log drains */
	STEP_DELAYED,
	STEP_REBOOTING,
	STEP_DONE,
	STEP_IS_HELD,
	STEP_FAILED,
};

const char *step_state_name(enum step_state state);

struct steps;
struct step;

struct steps_options {
	struct loop *loop;
	struct unit_graph *graph;
	struct ledger *ledger;
	struct process_host *host;
	struct http *http; /* for downloads */
	const char *runtime_dir;
	const char *log_dir;      /* logs lie in its folder `steps` */
	char *const *path;        /* [tend] path; NULL: none */
	char *const *environment; /* [tend] environment; NULL: none */
};

/* Texts are copied. The folders exist. */
struct steps *steps_new(const struct steps_options *options);
/* Everything must be down or detached. */
void steps_free(struct steps *steps);

/* For the next run of each step. */
void steps_set_environment(struct steps *steps, char *const *path, char *const *environment);

/* Adds one; the settings are copied. A command of it that an earlier tendd started is taken up. */
struct step *step_add(struct steps *steps, const char *name, const struct step_settings *settings);
/* Makes the edges of all steps anew; once all units of the configuration exist. */
void steps_link(struct steps *steps);
/* A kind that fetches something is ordered after the network. Any thread. */
bool step_needs_network(const struct step_settings *settings);
/* Wants up all that are enabled and down. */
void steps_begin(struct steps *steps);
/* Takes new settings. 0: nothing changed, 1: live, 2: it is looked at anew, after a command that runs has ended. */
int step_apply(struct step *step, const struct step_settings *settings);
/* Ends its command, takes it out of the graph and frees it. What it did stays. */
void step_remove(struct step *step);

/* On a person's wish: at once, whatever it waits for, and though it is done or held. */
void step_run(struct step *step);

/* tendd goes away, commands go on. `done` comes deferred. */
void steps_detach(struct steps *steps, void (*done)(void *user), void *user);

/* Called by the host's `stray`: a run that no step carries is ended. */
void steps_stray(struct steps *steps, const char *run, const char *unit);

struct step *step_find(struct steps *steps, const char *name);
struct step *step_of(struct unit *unit); /* `unit` is one of a step */
struct unit *step_unit(struct step *step);
struct step *step_each(struct steps *steps, const struct step *after); /* NULL: the first */

struct step_status {
	enum step_state state;
	const char *kind;
	int64_t since_ns;    /* of state */
	int64_t done_ns;     /* when it last did something and that ended well; 0: never */
	int64_t tries;       /* of what it is at; 0: none */
	pid_t pid;           /* of its command; 0: none */
	int64_t next_try_ns; /* 0: none planned */
	const char *why;     /* what was found when it was looked at; NULL: nothing yet */
	const char *log_path;
};
void step_status(const struct step *step, struct step_status *status); /* borrowed texts */

/* What a start of it would do now, asked without doing anything: a copy of what step_look needs. */
struct step_planning {
	struct job job;
	void (*done)(struct step_planning *planning);
	char *name;
	struct step_settings *settings; /* private */
	struct ledger_step record;      /* private */
	const char *boot;               /* private */
	struct step_finding finding;
	struct err err; /* ERR_NONE: `finding` holds */
};
void step_plan_start(struct step *step, struct step_planning *planning);
void step_plan_release(struct step_planning *planning);

/* ---- reading a log: the last lines, then what follows ---- */

struct process_follow *step_follow(struct step *step, int64_t lines, enum process_follow_mode mode,
	void (*ready)(void *user), void *user);

#endif
