/* [preempt]: what is done when the machine is taken away, and what status says of it. */
#ifndef TENDD_PREEMPT_H
#define TENDD_PREEMPT_H

#include <jansson.h>

#include "tendd/house.h"

struct preemption;

/* By the section of the configuration; nothing where it has none. */
void preempt_open(struct house *house);
/* After a reload: as preempt_open, if the section is another than in `before`. */
void preempt_apply(struct house *house, const struct config *before);
/* tendd is asked to stop. */
void preempt_leaving(struct house *house);
/* Was this machine said to go? Then a stop is no mere stop of tendd. */
bool preempt_is_going(const struct house *house);
/* Counted in house->closing. */
void preempt_close(struct house *house);

/* NULL is never returned; null: there is no [preempt]. */
json_t *preempt_status(const struct house *house);

#endif
