/* What is found everywhere; how programs are started is told by each system's own table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"

static bool has_resolver(const struct doctor_ground *ground) {
	char *path = doctor_path(ground, "/etc/resolv.conf"), line[512];
	FILE *file = fopen(path, "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = str_starts(line, "nameserver");
	if (file) (void)fclose(file);
	free(path);
	return found;
}

/* Advice: a machine may be without one on purpose. Whether the remotes answer is seen apart. */
static void look_at_network(const struct doctor_ground *ground, struct findings *findings) {
	if (!machine_has_route(ground->root ? ground->root : ""))
		finding_add(findings, FINDING_ADVICE,
			xstrdup("ip route; plug it in, or join a network"),
			"there is no default route: nothing beyond this network can be reached");
	else if (!has_resolver(ground))
		finding_add(findings, FINDING_ADVICE,
			xstrdup("write 'nameserver ADDRESS' into /etc/resolv.conf"),
			"/etc/resolv.conf names no server: names are not found");
	else
		finding_add(
			findings, FINDING_GOOD, NULL, "there is a default route and a name server");
}

const struct doctor_check machine_doctor[] = {
	{ "network", look_at_network },
	{ "clock", machine_look_at_clock },
	{ "start", machine_look_at_start },
	{ 0 },
};
