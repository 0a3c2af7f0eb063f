/* Below Application Support all three are one folder; /var and /etc as on any BSD. */
#include "tendd/place.h"

#include <limits.h>
#include <mach-o/dyld.h>
#include <stdlib.h>

#include "base/base.h"

const char *place_system_config(void) {
	return "/etc/tend/tend.ini";
}

const char *place_system_state_dir(void) {
	return "/var/lib/tend";
}

const char *place_system_runtime_dir(void) {
	return "/var/run/tend";
}

const char *place_system_log_dir(void) {
	return "/var/log/tend";
}

char *place_user_config(const char *home) {
	return path_join(home, "Library/Application Support/tend/tend.ini");
}

char *place_user_state_dir(const char *home) {
	return path_join(home, "Library/Application Support/tend");
}

char *place_user_runtime_dir(const char *home) {
	return path_join(home, "Library/Application Support/tend");
}

char *place_program(void) {
	char path[PATH_MAX], whole[PATH_MAX];
	uint32_t size = sizeof(path);
	if (_NSGetExecutablePath(path, &size) || !realpath(path, whole)) return NULL;
	return xstrdup(whole);
}
