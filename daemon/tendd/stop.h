/* The ways to end: orderly, at once, or leaving services alone. */
#ifndef TENDD_STOP_H
#define TENDD_STOP_H

#include "tendd/house.h"

enum stop_services { STOP_AS_CONFIGURED, STOP_ALL, STOP_KEEP_SERVICES };

/* Services in reverse order, then folders flush; given up after shutdown_timeout without
 * progress. Called again: at once. */
void stop_start(struct house *house, enum stop_services services);

/* No flush, no service is touched (QUIT). */
void stop_now(struct house *house);

void stop_free(struct house *house);

/* What moves while we flush or stop. */
struct stop_progress {
	int64_t units_left, pending, sent;
	int64_t moved_bytes; /* with what is on its way: one large file may take longer than shutdown_timeout */
};

struct stop_progress stop_measure(struct house *house);
/* Is there progress? `last` is what it is measured by from now on. The same bytes sent again and again are none. */
bool stop_moves(struct stop_progress *last, const struct stop_progress *now);

#endif
