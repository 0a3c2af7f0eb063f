/*
 * Inside power, the half that watches for the end: decisions (preempt_rule.c), what providers say (provider_*.c), how they are asked
 * (preempt_watch.c), and what follows (preempt.c).
 */
#ifndef POWER_PREEMPT_H
#define POWER_PREEMPT_H

#include "power/power.h"

/* ---- decisions: pure ---- */

enum preempt_state {
	PREEMPT_WATCHING,
	PREEMPT_TOLD,    /* services know, and folders send */
	PREEMPT_STOPPED, /* services were stopped, the deadline is near or past */
	PREEMPT_LEAVING, /* tendd itself stops */
	PREEMPT_STATES,
};

enum preempt_event {
	PREEMPT_HINTED,
	PREEMPT_NOTICED, /* an event that was not decided on yet */
	PREEMPT_RESUMED, /* one that an earlier tendd decided on, and whose end is still to come */
	PREEMPT_KNOWN,   /* one that was decided on, else */
	PREEMPT_TERM,    /* tendd is asked to stop: by a person, or since the machine goes down */
	PREEMPT_NEAR,    /* the deadline is near */
	PREEMPT_STAYED,  /* it is long past */
	PREEMPT_EVENTS,
};

/* What a step asks for. */
enum {
	PREEMPT_FLUSH = 1,
	PREEMPT_TELL = 2,
	PREEMPT_GO_ON = 4, /* as after PREEMPT_TELL, but services are not told again */
	PREEMPT_STOP = 8,
	PREEMPT_UP = 16,
};

struct preempt_step {
	enum preempt_state next;
	unsigned asks;
};

struct preempt_step preempt_next(enum preempt_state state, enum preempt_event event);

struct preempt_question {
	enum power_provider provider;
	int64_t budget_ms;   /* the key; 0: not set */
	int64_t deadline_ns; /* 0: not told */
	int64_t now_ns;
};

/* From now: services are told to stop after near_ms, all is over after end_ms; 0 < near_ms < end_ms. */
struct preempt_times {
	int64_t near_ms, end_ms;
};

struct preempt_times preempt_times(const struct preempt_question *question);

/* How long to wait before the next try, after so many failures in a row (1 the first). */
int64_t preempt_backoff_ms(int64_t every_ms, int failures);

/* ---- what a provider's answers say ---- */

struct preempt_watch;

/* Gets what was found; the texts of `notice` are borrowed for the call. */
struct preempt_found {
	void (*notice)(struct preempt_found *found, const struct power_notice *notice);
	const char *own_name; /* of this machine at the provider (Azure) */
	int64_t now_ns;
};

/* A question that is asked again and again. */
struct preempt_row {
	const char *path;
	int64_t every_ms; /* 0: the answer waits for a change */
	bool none_404;    /* there is nothing to tell */
	/* 0, or -1 with err: it is no answer of this provider. */
	int (*read)(struct preempt_found *found, const char *text, size_t len, struct err *err);
};

struct preempt_driver {
	enum power_provider provider;
	const char *endpoint;
	const char *header; /* of each question; NULL: the token's */
	const struct preempt_row *rows;
	size_t row_count;
	const char *name_path;  /* tells this machine's own name, asked first; NULL: not needed */
	const char *token_path; /* PUT gives a token (IMDSv2); NULL: not needed */
	const char *ack_path;   /* POST lets an event go on; NULL: not needed */
};

extern const struct preempt_driver preempt_aws, preempt_gcp, preempt_azure;
const struct preempt_driver *preempt_driver_of(enum power_provider provider); /* NULL: none */

/* What a watch found; `user` is the power_preempt. */
void preempt_noticed(void *user, const struct power_notice *notice);

/* ---- asking ---- */

struct preempt_watch *preempt_watch_new(struct loop *loop, struct http *http,
	const struct preempt_driver *driver, const char *endpoint,
	void (*found)(void *user, const struct power_notice *notice), void *user);
void preempt_watch_free(struct preempt_watch *watch, void (*gone)(void *user), void *user);
void preempt_watch_ack(
	struct preempt_watch *watch, const char *event); /* once; its answer does not matter */
const char *preempt_watch_trouble(const struct preempt_watch *watch);

#endif
