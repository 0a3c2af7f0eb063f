/* Where tendd of this machine and of this user lies on macOS. */
#include <limits.h>
#include <mach-o/dyld.h>
#include <stdlib.h>

#include "tend/client.h"

const char *place_system_file(void) {
	return "/etc/tend/tend.ini";
}

const char *place_system_runtime_dir(void) {
	return "/var/run/tend";
}

const char *place_system_start(void) {
	return "launchctl kickstart system/tend.daemon";
}

const char *place_user_start(void) {
	return "launchctl kickstart gui/$UID/tend.agent";
}

static char *below_support(const char *name) {
	const char *home = getenv("HOME");

	if (!home || *home != '/') return NULL;
	return xasprintf("%s/Library/Application Support/tend%s", home, name);
}

char *place_user_file(void) {
	return below_support("/tend.ini");
}

const char *place_system_state_dir(void) {
	return "/var/lib/tend";
}

char *place_user_state_dir(void) {
	return below_support("");
}

char *place_user_runtime_dir(void) {
	return below_support("");
}

char *place_beside(const char *name) {
	char path[PATH_MAX];
	uint32_t size = sizeof(path);

	if (_NSGetExecutablePath(path, &size) != 0) return NULL;
	char *folder = path_parent(path), *beside = path_join(folder, name);
	free(folder);
	return beside;
}
