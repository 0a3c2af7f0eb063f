/*
 * remote: operations on a remote of the configuration, one at a time, for `tend remote`.
 *
 * Loop thread, which is the command's own: remote_step_run() runs it until the operation has ended.
 */
#ifndef TEND_REMOTE_H
#define TEND_REMOTE_H

#include "store/store.h"
#include "tend/command.h"

struct remote_step {
	struct store_op op;
	bool ended;
	struct err err;
};

void remote_step_init(struct remote_step *step, enum store_verb verb, const char *key);
int remote_step_run(struct remote_step *step, struct store *store); /* 0, or -1 with step->err */
void remote_step_release(struct remote_step *step);

/* Says what went wrong with the remote; the exit code: what a person has to cure is EXIT_PERSON. */
int remote_failure(const char *remote, const struct err *err);

/* tend remote check */
int remote_check(struct call *call, struct store *store);

#endif
