/* A Mac is somebody's desk: it goes off only where that was written. */
#include "power/idle.h"

void idle_act_words(const char *action, char ***argv) {
	bool suspend = str_equal(action, "suspend");
	strv_add(argv, suspend ? "/usr/bin/pmset" : "/sbin/shutdown");
	strv_add(argv, suspend ? "sleepnow" : "-h");
	if (!suspend) strv_add(argv, "now");
}

bool idle_in_container(const char *root) {
	(void)root;
	return true;
}
