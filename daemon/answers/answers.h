/*
 * answers: pieces of JSON that tendd and tend write alike: tend tells what it read from a remote itself as tendd would.
 *
 * Each returns a new reference, the caller's.
 */
#ifndef ANSWERS_ANSWERS_H
#define ANSWERS_ANSWERS_H

#include <jansson.h>

#include "step/step.h"
#include "sync/sync.h"

/* Any bytes as a string; NULL as null. */
json_t *answer_text(const char *text);
/* RFC 3339, UTC. 0 is "never" and STORE_MTIME_UNKNOWN is "not known": null, not 1970. */
json_t *answer_moment(int64_t wall_ns);
/* An entry of a tree, or one of a path's versions. */
json_t *answer_past(const struct past_item *item);
/* What came of a restore; takes the lists of paths, which may be shorter than what was counted. */
json_t *answer_restore(const char *folder, int64_t at_ns, const struct restore_counts *counts,
	json_t *left, json_t *failed);
/* A step in a plan: what a start of it would do; `err` (NULL: none): why that is not known. */
json_t *answer_plan(const char *name, const struct step_finding *finding, const struct err *err);
/* All units in the order of a start, with what each waits for; units that wait for nothing have wave 1. */
json_t *answer_order(const struct unit_graph *graph);

/* ---- doctor.c ---- */

/* All checks of all rooms. Blocks: in a job, or in a command. */
void doctor_look(const struct doctor_ground *ground, struct findings *findings);
json_t *answer_findings(const struct findings *findings);

#endif
