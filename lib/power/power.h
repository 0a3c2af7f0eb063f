/*
 * power: is this machine idle? is it about to be taken away?
 *
 * Loop thread only; nothing blocks but what says so. Spans are milliseconds, moments wall nanoseconds. It decides and tells; what is
 * then done (flush, stop, power off) is the caller's affair, for the rooms that do it do not know this one.
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
