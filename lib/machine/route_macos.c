#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysctl.h>

#include "machine/machine.h"

enum { ROUTES_MAX_BYTES = 4 << 20 };

/* route(4): every route of one family as a message; the destination comes first behind its head. */
static bool has_default_route(int family) {
	int name[] = { CTL_NET, PF_ROUTE, 0, family, NET_RT_DUMP, 0 };
	size_t len = 0;
	bool found = false;
	if (sysctl(name, ARRAY_LEN(name), NULL, &len, NULL, 0) || len > ROUTES_MAX_BYTES)
		return false;
	char *routes = xmalloc(len ? len : 1);
	if (sysctl(name, ARRAY_LEN(name), routes, &len, NULL, 0)) len = 0;
	for (char *at = routes; at + sizeof(struct rt_msghdr) <= routes + len && !found;) {
		const struct rt_msghdr *route = (const struct rt_msghdr *)at;
		const struct sockaddr *to = (const struct sockaddr *)(route + 1);
		if (route->rtm_msglen == 0) break;
		bool up = (route->rtm_flags & RTF_UP) && (route->rtm_flags & RTF_GATEWAY);
		if (up && to->sa_family == AF_INET) {
			found = ((const struct sockaddr_in *)to)->sin_addr.s_addr == INADDR_ANY;
		} else if (up && to->sa_family == AF_INET6) {
			found = IN6_IS_ADDR_UNSPECIFIED(
				&((const struct sockaddr_in6 *)to)->sin6_addr);
		}
		at += route->rtm_msglen;
	}
	free(routes);
	return found;
}

/* The kernel tells, whatever `root` is. */
bool machine_has_route(const char *root) {
	(void)root;
	return has_default_route(AF_INET) || has_default_route(AF_INET6);
}
