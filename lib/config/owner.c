/* What root reads and then runs must be root's alone: the file, and the folder in which another
 * file could take its name. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/internal.h"

static int check_stat(
	const char *path, const struct stat *st, bool sticky_is_fine, struct err *err) {
	if (st->st_uid != 0) {
		return err_set(err, ERR_INVALID,
			"'%s' is not root's, and root would run what it says: chown root %s", path,
			path);
	}
	/* In a sticky folder only the owner of a file, and root, can put another in its place. */
	if ((st->st_mode & 022) && !(sticky_is_fine && (st->st_mode & S_ISVTX))) {
		return err_set(err, ERR_INVALID, "'%s' can be written by others: chmod go-w %s",
			path, path);
	}
	return 0;
}

static int check_folder_of(const char *path, struct err *err) {
	struct stat st;
	char *folder = path_parent(path);
	const char *name = *folder ? folder : ".";
	int result = stat(name, &st) < 0 ? err_sys(err, errno, "cannot look at '%s'", name)
					 : check_stat(name, &st, true, err);
	free(folder);
	return result;
}

int config_check_owner(const char *path, int fd, struct err *err) {
	struct stat st;
	if (fstat(fd, &st) < 0) return err_sys(err, errno, "cannot look at '%s'", path);
	if (check_stat(path, &st, false, err) < 0) return -1;
	if (check_folder_of(path, err) < 0) return -1;
	/* Behind a symlink lies a second folder that decides which file it is. */
	char *real = realpath(path, NULL);
	if (!real) return err_sys(err, errno, "cannot follow '%s'", path);
	int result = check_folder_of(real, err);
	free(real);
	return result;
}
