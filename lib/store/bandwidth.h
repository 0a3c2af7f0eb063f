/* What throttle.c needs of a bandwidth beyond the face of the room. Loop thread. */
#ifndef STORE_BANDWIDTH_H
#define STORE_BANDWIDTH_H

#include "store/store.h"

struct bandwidth_wait {
	struct list link;
	int64_t bytes;
	void (*granted)(
		struct bandwidth_wait *wait); /* its bytes are taken; it is out of the queue */
};

/* Bytes a second now; 0: any. */
int64_t bandwidth_rate(const struct bandwidth *bandwidth);
/* True: they are taken. False: `granted` comes, first come first served. */
bool bandwidth_take(struct bandwidth *bandwidth, struct bandwidth_wait *wait, int64_t bytes);
/* They were taken and not used. */
void bandwidth_give_back(struct bandwidth *bandwidth, int64_t bytes);
void bandwidth_give_up(
	struct bandwidth *bandwidth, struct bandwidth_wait *wait); /* one that waits */

#endif
