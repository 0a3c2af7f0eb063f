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

/* What moves while we flush or stop; any difference is progress. */
struct stop_progress {
	int64_t units_left, pending, sent, sent_bytes;
};

struct stop_progress stop_measure(struct house *house);
bool stop_differs(const struct stop_progress *left, const struct stop_progress *right);

#endif
