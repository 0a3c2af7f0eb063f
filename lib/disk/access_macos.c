#include "disk/internal.h"

/* TCC: what lies below ~/Library of messages, mail and the like is closed even to root until a person says otherwise. */
char *disk_access_cure(const char *path) {
	return xasprintf(
		"System Settings, Privacy & Security, Full Disk Access: add tendd there "
		"and switch it on, then restart it; if '%s' is no protected folder: ls -ld it",
		path);
}
