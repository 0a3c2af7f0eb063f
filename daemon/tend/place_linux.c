/* Where tendd of this machine and of this user lies on Linux: the places of the contract and of the
 * XDG base directories. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "tend/client.h"

const char *place_system_file(void) {
	return "/etc/tend/tend.ini";
}

const char *place_system_runtime_dir(void) {
	return "/run/tend";
}

const char *place_system_start(void) {
	return "systemctl start tend";
}

const char *place_user_start(void) {
	return "systemctl --user start tend";
}

char *place_user_file(void) {
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config == '/') return path_join(config, "tend/tend.ini");
	return home && *home == '/' ? path_join(home, ".config/tend/tend.ini") : NULL;
}

const char *place_system_state_dir(void) {
	return "/var/lib/tend";
}

char *place_user_state_dir(void) {
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state == '/') return path_join(state, "tend");
	return home && *home == '/' ? path_join(home, ".local/state/tend") : NULL;
}

char *place_user_runtime_dir(void) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	/* su and cron do not set it, though the session's folder is there. */
	if (runtime && *runtime == '/') return path_join(runtime, "tend");
	return xasprintf("/run/user/%lu/tend", (unsigned long)geteuid());
}

char *place_beside(const char *name) {
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len <= 0) return NULL;
	path[len] = '\0';
	char *folder = path_parent(path), *beside = path_join(folder, name);
	free(folder);
	return beside;
}
