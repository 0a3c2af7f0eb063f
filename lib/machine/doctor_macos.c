/* launchd: is the plist where launchd looks? */
#include <stdlib.h>
#include <unistd.h>

#include "machine/internal.h"

static const char daemon_plist[] = "/Library/LaunchDaemons/tend.daemon.plist",
		  agent_plist[] = "Library/LaunchAgents/tend.agent.plist";

void machine_look_at_start(const struct doctor_ground *ground, struct findings *findings) {
	char *own = ground->home ? path_join(ground->home, agent_plist) : xstrdup(agent_plist);
	char *path = doctor_path(ground, ground->system ? daemon_plist : own);

	if (access(path, R_OK) == 0)
		finding_add(findings, FINDING_GOOD, NULL, "'%s' starts tendd", path);
	else
		finding_add(findings, FINDING_ADVICE,
			xasprintf("copy it there from share/tend/launchd, then: launchctl load -w "
				  "%s",
				path),
			"there is no '%s': nothing starts tendd", path);
	free(path);
	free(own);
}

/* macOS keeps its clock by itself unless a person switched that off; what remotes say shows it. */
void machine_look_at_clock(const struct doctor_ground *ground, struct findings *findings) {
	(void)ground;
	(void)findings;
}
