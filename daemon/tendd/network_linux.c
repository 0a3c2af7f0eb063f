#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "tendd/network.h"

enum { ROUTE_UP = 1, ROUTE_REJECT = 0x200 };

/* proc(5): Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
static bool has_route_v4(void) {
	char line[512], device[64];
	unsigned destination, gateway, flags, mask;
	bool found = false;
	FILE *file = fopen("/proc/net/route", "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %x %x %x %*d %*d %*d %x", device, &destination, &gateway,
			    &flags, &mask) != 5) {
			continue; /* NOLINT: the heading */
		}
		found = destination == 0 && mask == 0 && (flags & ROUTE_UP) &&
			!(flags & ROUTE_REJECT) && !str_equal(device, "lo");
	}
	if (file) fclose(file);
	return found;
}

/* destination, its prefix length, source, its length, next hop, metric, references, use, flags, device; all hex */
static bool has_route_v6(void) {
	char line[512], destination[40], device[64];
	unsigned length, flags;
	bool found = false;
	FILE *file = fopen("/proc/net/ipv6_route", "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%39s %x %*s %*x %*s %*x %*x %*x %x %63s", destination, &length,
			    &flags, device) != 4) {
			continue;
		}
		found = length == 0 && strspn(destination, "0") == strlen(destination) &&
			(flags & ROUTE_UP) && !(flags & ROUTE_REJECT) && !str_equal(device, "lo");
	}
	if (file) fclose(file);
	return found;
}

/* A default route goes with its device's address: the kernel takes it away with the last one. */
bool network_has_route(void) {
	return has_route_v4() || has_route_v6();
}
