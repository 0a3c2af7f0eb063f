/* What the files of this room share. */
#ifndef STEP_INTERNAL_H
#define STEP_INTERNAL_H

#include "crypto/crypto.h"
#include "step/step.h"

enum { STEP_FILE_MAX = 1 << 20 }; /* bytes of a file that is written or compared */

/* ---- settings.c ---- */

struct step_settings *step_settings_copy(const struct step_settings *settings);
void step_settings_free(struct step_settings *settings); /* NULL is fine */
/* Of the keys that say what is to be done. */
void step_definition(const struct step_settings *settings, char definition[LEDGER_DIGEST_SIZE]);

/* ---- work.c: one look at a step, and what follows from it; on a worker ---- */

struct step_work {
	struct job job;
	/* in: copies */
	char *name;
	struct step_settings *settings;
	struct ledger_step record;
	char **tend_path, **tend_environment;
	char machine[LEDGER_DIGEST_SIZE];
	const char *boot; /* process_boot_id, which is the loop thread's to ask */
	bool forced;
	bool verifying; /* it was done a moment ago: is it so? */
	bool dry;       /* only look */
	/* out */
	struct step_finding finding;
	char definition[LEDGER_DIGEST_SIZE], wrote[LEDGER_DIGEST_SIZE];
	char *told;   /* what was mended here and now, for log and history; NULL: nothing */
	char *script; /* what is left to run; NULL: nothing */
	bool fetches; /* something is to be fetched first */
	char *keys;   /* in: what GitHub said, one key a line; NULL: it was not asked */
	bool asks;    /* it is to be asked */
	char **argv, **env;
	char *directory;
	struct config_user person;
	bool become;
	gid_t *groups;
	size_t group_count;
};

/* Looks, mends what needs no command, and makes the command ready. */
int step_work_do(struct step_work *work, struct err *err);
void step_work_release(struct step_work *work);
/* The due of a kind that goes by its definition. */
void step_work_due(struct step_work *work, bool there);
/* ~ and ${VAR} as the step's user. NULL with err. The caller's. */
char *step_work_expand(const struct step_work *work, const char *text, struct err *err);
void step_digest(const void *bytes, size_t len, char digest[LEDGER_DIGEST_SIZE]);

/* Adds one word of a shell's, in quotes where it needs them. */
void step_add_word(struct buf *script, const char *word);
/* All of a small file; "" where there is none, or more than `max`. The caller's. */
char *step_read_text(const char *path, size_t max);

/* packages.c: those of `names` that dpkg's file of stanzas does not have as installed. Never NULL; the caller's. */
char **step_dpkg_missing(const char *path, char *const *names);

/* ---- environment.c ---- */

/* argv, env, directory and groups for work->script. */
int step_work_command(struct step_work *work, struct err *err);

/* ---- kinds ---- */

struct step_kind {
	const char *name;
	bool network;  /* waits for the network */
	bool root;     /* only root can do it */
	bool verified; /* looked at again after its command */
	/* Is what it says possible? `key` is the one to blame. May be NULL. */
	int (*check)(const struct step_settings *settings, const char **key, struct err *err);
	/* Fills work->finding. With !dry and STEP_TODO it also mends, or makes work->script. */
	int (*look)(struct step_work *work, struct err *err);
};

extern const struct step_kind step_kind_file, step_kind_link, step_kind_run, step_kind_git,
	step_kind_download, step_kind_packages, step_kind_user, step_kind_allow;

/* What this step is; NULL: nothing, or more than one thing. `subject` (may be NULL) gets the value of that key; the caller's. */
const struct step_kind *step_kind_of(const struct step_settings *settings, char **subject);

/* ---- log.c: what a step's command writes, and what tend says about it ---- */

struct step_log {
	struct loop *loop;
	char *fifo_path, *path;
	int fifo_fd;
	struct poll *poll;
	struct buf raw;  /* the line that has not ended yet */
	struct buf text; /* lines to be written */
	struct log_write {
		struct job job;
		const char *path;
		struct buf text;
	} write;
	bool writing, complained;
	bool settled; /* readers of one run have all of it once this is written */
	void (*drained)(void *user);
	void *user;
	struct defer defer;
	struct list follows;
	bool detached;
};

void step_log_init(struct step_log *log, struct loop *loop, const char *name,
	const struct steps_options *options);
void step_log_release(struct step_log *log);               /* nothing is being written */
void step_log_say(struct step_log *log, const char *text); /* "tend: text" */
void step_log_settled(struct step_log *log);               /* readers of one run end here */
int step_log_attach(struct step_log *log, struct err *err);
/* Nobody writes any more: all is written; `drained` comes deferred. */
void step_log_drain(struct step_log *log, void (*drained)(void *user), void *user);
/* Reads no more; what was read is written first, then `drained`. */
void step_log_detach(struct step_log *log, void (*drained)(void *user), void *user);

/* ---- step.c: the flow of one; steps.c: all ---- */

struct step {
	struct list link;
	struct steps *steps;
	struct unit unit;
	struct step_settings *settings;
	struct ledger_step record;
	enum step_state state;
	int64_t since_ns;
	bool forced;    /* a person asked for this run */
	bool again;     /* looked at once more when this run has ended */
	bool verifying; /* the look after its command */
	bool stopping;  /* down once its command has ended */
	bool removing;
	bool leaving; /* out of the graph */
	struct step_work work;
	bool working;
	struct step_fetch *fetch; /* NULL: none is under way */
	struct step_keys *asking; /* the same */
	char *keys;
	struct process process;
	bool exited; /* its command is gone, and how that ended is known */
	bool timed_out;
	bool killing;
	char *why;     /* what the look found */
	char *trouble; /* why the last try failed */
	struct timer timer;
	int64_t next_try_ns;
	struct step_log log;
};

struct steps {
	struct steps_options options; /* its texts are ours */
	char *runtime_dir, *log_dir;
	char **path, **environment;
	char machine[LEDGER_DIGEST_SIZE]; /* "" until somebody asks steps_machine */
	struct list all, strays;
	bool detached;
	unsigned closing;
	void (*detach_done)(void *user);
	void *detach_user;
	struct defer detach_defer;
};

const char *steps_machine(struct steps *steps); /* whose it is: a digest */
extern const struct unit_calls step_unit_calls;
extern const struct process_calls step_process_calls;

/* step.c: how it stands */
void step_set_text(char **at, const char *text);
void step_set_state(struct step *step, enum step_state state);
void step_note(struct step *step, const char *event, const char *text); /* in the history */
void step_write_record(struct step *step);
/* Its ends: for now, for good, and as nobody wants it. */
void step_failed(struct step *step, const char *text);
void step_settle(struct step *step, enum step_state state);
void step_go_down(struct step *step);

/* command.c: what it runs */
void step_launch(struct step *step); /* work->script */
void step_done(struct step *step, const char *text);
void step_end_command(struct step *step); /* TERM to all of it, KILL when that was said */

struct step *step_new(struct steps *steps, const char *name, const struct step_settings *settings);
void step_free(struct step *step);
void step_take_up(struct step *step); /* from the ledger and the host */
void step_want_down(struct step *step);
void step_begin(struct step *step); /* at once */
void step_detach(struct step *step);

#endif
