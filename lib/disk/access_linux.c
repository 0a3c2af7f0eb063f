#include "disk/internal.h"

char *disk_access_cure(const char *path) {
	return xasprintf("ls -ld %s, and let tendd's user in", path);
}
