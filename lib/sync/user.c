/* `user` of a folder: whose rights file access has. Where that is the daemon's own user nothing is changed. */
#include <stdlib.h>
#include <unistd.h>

#include "sync/internal.h"

static int rights_find(const char *name, struct disk_rights **rights, struct err *err) {
	struct config_user user;
	*rights = NULL;
	if (config_user_find(name, &user, err)) {
		/* Of the open folder's errors this one says that the folder is not there. */
		if (err->kind == ERR_NOT_FOUND) err->kind = ERR_DENIED;
		return -1;
	}
	if (user.uid != geteuid()) {
		size_t count = 0;
		gid_t *groups = config_user_groups(user.name, user.gid, &count);
		*rights = disk_rights_new(user.uid, user.gid, groups, count, err);
		free(groups);
		if (!*rights) err_wrap(err, "as user '%s'", name);
	}
	bool found = *rights || user.uid == geteuid();
	config_user_release(&user);
	return found ? 0 : -1;
}

/* When the configuration is read, before anything starts. As root a user may still be made by a step: whether one does is not for
 * us to know. */
int user_check(const char *name, struct err *err) {
	struct disk_rights *rights;
	if (config_user_check(name, err))
		return geteuid() == 0 && err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (rights_find(name, &rights, err)) return -1;
	disk_rights_free(rights);
	return 0;
}

/* In a job; anew each time, since groups change. */
struct disk *user_disk_open(const char *path, const char *name, struct err *err) {
	struct disk_rights *rights = NULL;
	if (name && rights_find(name, &rights, err)) return NULL;
	struct disk *disk = disk_open_as(path, rights, err);
	if (!disk && name && err->kind == ERR_DENIED) err_wrap(err, "as user '%s'", name);
	return disk;
}
