/*
 * The unit `network`: an address, a default route, and a resolver that answers. A machine without a
 * way out must still start its services: no default route for 2 s, or the time-out, counts as
 * ready. Later trouble of the network stops nothing.
 *
 * Loop thread. Asks the resolvers of /etc/resolv.conf by UDP, without blocking.
 */
#ifndef TENDD_NETWORK_H
#define TENDD_NETWORK_H

#include "loop/loop.h"
#include "unit/unit.h"

struct network;

struct network *network_new(struct loop *loop, struct unit_graph *graph, int64_t timeout_ms);
void network_free(struct network *network); /* NULL is fine */
void network_set_timeout(struct network *network, int64_t timeout_ms);

#endif
