/* The machine's own end, wired: what [idle] asks of the house, and what it tells. Loop thread. */
#ifndef TENDD_POWER_H
#define TENDD_POWER_H

#include <jansson.h>

#include "tendd/house.h"

struct power;

/* Everything else stands. */
void power_open(struct house *house);
/* The configuration that holds now. */
void power_configure(struct house *house);
/* A stop begins: nothing more is decided. */
void power_end(struct house *house);
/* Counts in house->closing. */
void power_close(struct house *house);
void power_free(struct house *house);

/* For status: null where there is no [idle]. */
json_t *power_status(struct house *house);

#endif
