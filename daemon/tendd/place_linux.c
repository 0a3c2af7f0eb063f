/* The Filesystem Hierarchy Standard for root, the XDG base directories for a person. */
#include "tendd/place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

const char *place_system_config(void) {
	return "/etc/tend/tend.ini";
}

const char *place_system_state_dir(void) {
	return "/var/lib/tend";
}

const char *place_system_runtime_dir(void) {
	return "/run/tend";
}

const char *place_system_log_dir(void) {
	return "/var/log/tend";
}

/* The XDG base directories; a relative path in them counts as not set, as their specification
 * says. */
static char *below(const char *variable, const char *home, const char *usual, const char *name) {
	const char *base = getenv(variable);
	if (base && *base == '/') return path_join(base, name);
	char *whole = path_join(home, usual);
	char *path = path_join(whole, name);
	free(whole);
	return path;
}

char *place_user_config(const char *home) {
	return below("XDG_CONFIG_HOME", home, ".config", "tend/tend.ini");
}

char *place_user_state_dir(const char *home) {
	return below("XDG_STATE_HOME", home, ".local/state", "tend");
}

char *place_user_runtime_dir(const char *home) {
	const char *base = getenv("XDG_RUNTIME_DIR");
	(void)home;
	if (base && *base == '/') return path_join(base, "tend");
	/* su and cron do not set it, though the session's folder is there. */
	return xasprintf("/run/user/%lu/tend", (unsigned long)geteuid());
}

char *place_program(void) {
	static const char replaced[] = " (deleted)"; /* proc(5) */
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (len <= 0) return NULL;
	path[len] = '\0';
	/* Another file took its name meanwhile: that is the one whoever asks wants. */
	if (str_ends(path, replaced) && access(path, F_OK) != 0)
		path[strlen(path) - strlen(replaced)] = '\0';
	return xstrdup(path);
}
