/*
 * How many deletions are too many, as pure functions: no loop, no clock, no index. Table tests call
 * them directly.
 */
#ifndef SYNC_BRAKE_RULE_H
#define SYNC_BRAKE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* The key max_delete. */
struct brake_rule {
	int64_t percent; /* of what was agreed, but never fewer than BRAKE_LEAST; -1: none */
	int64_t most;    /* -1: none */
};

enum { BRAKE_LEAST = 100, BRAKE_MIRROR_MOST = 1000, BRAKE_PERCENT = 50 };

/* "50%", "1000", both, or "none"; NULL: the default, which is stricter where no versions are kept. */
int brake_rule_parse(
	struct brake_rule *rule, const char *text, bool versions_kept, struct err *err);

/* Deletions of the last hour, by the minute: `base` is what was agreed when the minute's first one
 * was counted. Minutes are of the wall clock; those of a clock that was set back count on. */
enum { BRAKE_MINUTES = 60 };
struct brake_window {
	struct brake_minute {
		int64_t minute, count, base;
	} minutes[BRAKE_MINUTES];
	size_t used; /* oldest first */
};
void brake_window_add(struct brake_window *window, int64_t minute, int64_t count, int64_t base);
/* What was counted in the hour up to `minute`; *base is made that at its start, unless nothing was
 * counted. */
int64_t brake_window_sum(const struct brake_window *window, int64_t minute, int64_t *base);
/* For the index: a restart begins no new hour. The caller's. */
char *brake_window_write(const struct brake_window *window);
void brake_window_read(struct brake_window *window, const char *text);

struct brake_question {
	int64_t base; /* files and links that were agreed when the hour began */
	int64_t gone; /* deleted in that hour, or about to be */
	int64_t now;  /* that would go now */
	bool root_empty;
	bool stopped; /* others are held for a person already */
};

enum brake_verdict { BRAKE_GO, BRAKE_STOP_COUNT, BRAKE_STOP_EMPTY };

/* The most deletions in an hour; -1: as many as there are. */
int64_t brake_limit(const struct brake_rule *rule, int64_t base);
enum brake_verdict brake_judge(
	const struct brake_rule *rule, const struct brake_question *question);

#endif
