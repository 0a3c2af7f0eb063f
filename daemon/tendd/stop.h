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

#endif
