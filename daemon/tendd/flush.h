/* The barrier on all folders at once, as long as something moves. Loop thread. */
#ifndef TENDD_FLUSH_H
#define TENDD_FLUSH_H

#include "tendd/house.h"

struct flush;

/* Until all that was written before is durable. `done` once, never inside, unless it is cancelled; it is freed then. err: what is
 * not stored and could be. What is refused for good, and what a person paused, is only said in the log. */
struct flush *flush_start(
	struct house *house, void (*done)(void *user, const struct err *err), void *user);
void flush_cancel(struct flush *flush); /* `done` comes no more */

#endif
