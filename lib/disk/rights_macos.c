#include <stdlib.h>

#include "disk/internal.h"

/* macOS has ids of a thread (pthread_setugid_np), but its root keeps no power apart from them that
 * could be checked: not built. */
struct disk_rights *disk_rights_new(
	uid_t uid, gid_t gid, const gid_t *groups, size_t count, struct err *err) {
	err_set(err, ERR_INVALID,
		"'user' of a folder is not built yet on macOS: let a tendd of that user keep the "
		"folder");
	return NULL;
}

void disk_rights_free(struct disk_rights *rights) {
	free(rights);
}

void rights_enter(const struct disk_rights *rights) {
}

void rights_leave(const struct disk_rights *rights) {
}
