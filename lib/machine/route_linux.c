#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"

enum { ROUTE_UP = 1, ROUTE_REJECT = 0x200, FIELDS_MAX = 12 };

/* Cuts a line of /proc/net into its words; how many there are. */
static int split(char *line, char *fields[FIELDS_MAX]) {
	int count = 0;
	char *rest = line;
	for (char *word; count < FIELDS_MAX && (word = strtok_r(rest, " \t\n", &rest)); count++) {
		fields[count] = word;
	}
	return count;
}

static bool is_zero(const char *digits) {
	return strspn(digits, "0") == strlen(digits);
}

static bool leads_out(const char *device, const char *flags_text) {
	unsigned long flags = strtoul(flags_text, NULL, 16);
	return (flags & ROUTE_UP) && !(flags & ROUTE_REJECT) && !str_equal(device, "lo");
}

/* proc(5): Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT; addresses and
 * flags in hex. */
static bool is_default_v4(char *line) {
	char *fields[FIELDS_MAX];
	return split(line, fields) >= 8 && is_zero(fields[1]) && is_zero(fields[7]) &&
	       leads_out(fields[0], fields[3]);
}

/* Destination, its prefix length, source, its length, next hop, metric, references, use, flags,
 * device; all hex. */
static bool is_default_v6(char *line) {
	char *fields[FIELDS_MAX];
	return split(line, fields) >= 10 && is_zero(fields[0]) && is_zero(fields[1]) &&
	       leads_out(fields[9], fields[8]);
}

static bool any_line(const char *root, const char *path, bool (*is_it)(char *line)) {
	char line[512], *whole = xconcat(root, path);
	bool found = false;
	FILE *file = fopen(whole, "re");
	while (file && !found && fgets(line, sizeof(line), file)) found = is_it(line);
	if (file) fclose(file);
	free(whole);
	return found;
}

/* A default route goes with its device's address: the kernel takes it away with the last one. */
bool machine_has_route(const char *root) {
	return any_line(root, "/proc/net/route", is_default_v4) ||
	       any_line(root, "/proc/net/ipv6_route", is_default_v6);
}
