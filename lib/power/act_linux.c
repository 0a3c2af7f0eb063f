/* What ends a Linux machine, and where that is nobody's wish unless it was written. */
#include <stdlib.h>

#include "power/idle.h"

void idle_act_words(const char *action, char ***argv) {
	strv_add(argv, "systemctl");
	strv_add(argv, action);
}

bool idle_in_container(const char *root) {
	static const char *const marks[] = { "run/systemd/container", "run/.containerenv",
		".dockerenv" };
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		char *text = idle_file(root, marks[i], 1);
		free(text);
		if (text) return true;
	}
	/* The first process of a container is told so by whoever made it. */
	char *text = idle_file(root, "proc/1/environ", 64 << 10);
	bool found = text && str_starts(text, "container=");
	free(text);
	return found;
}
