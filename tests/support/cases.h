/* A ground for one thing that happens, told alone: no chance in it, and a fault where the test sets one. */
#ifndef SUPPORT_CASES_H
#define SUPPORT_CASES_H

#include "support/ground.h"

/* With one file, "first"; mode backup. NULL: a store as most are. */
struct ground *case_begin(const struct store_memory_options *options);
/* Fails the test when anything was wrong. */
void case_end(struct ground *ground);
/* A barrier that ends well. */
void case_durable(struct ground *ground);

/* What stands there; STORE_OTHER: nothing. `mode`: NULL, or its permissions. */
enum store_kind case_remote_kind(struct ground *ground, const char *key, int *mode);
/* By somebody else. */
void case_remote_do(
	struct ground *ground, enum store_verb verb, enum store_kind kind, const char *key);

#endif
