/* Memory and processor time of services, looked at by a worker every five seconds while somebody follows
 * the events, and for five minutes after somebody asked with the web on; else nothing ticks. */
#ifndef TENDD_USAGE_H
#define TENDD_USAGE_H

#include "tendd/house.h"

struct usage_numbers {
	int64_t memory_bytes, cpu_ms; /* cpu_ms: of this run, since its start */
	double cpu_percent;           /* of one processor, since the look before; -1: not known */
};

struct usage *usage_new(struct house *house);
/* Counted in house->closing until its worker is back, and freed then. NULL is fine. */
void usage_close(struct usage *usage);

/* Of the run with this pid; NULL: nobody looked yet. Who asks is told more the next time. */
const struct usage_numbers *usage_of(struct usage *usage, const char *unit, pid_t pid);

#endif
