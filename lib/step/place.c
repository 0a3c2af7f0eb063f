/* One path, looked at and replaced through a descriptor of the nearest folder above it that is there: below that no link is ever
 * followed, and as root in somebody's folder every name is reached with that user's rights alone. */
#include "step/place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ASIDE_MAX = 1000 };

/* With the user's own rights from here on: in somebody's folder every name may be a trap. */
static struct disk *open_disk(const struct step_work *work, const char *folder, struct err *err) {
	struct disk_rights *rights = NULL;
	if (work->become && work->person.uid != 0) {
		rights = disk_rights_new(
			work->person.uid, work->person.gid, work->groups, work->group_count, err);
		if (!rights) return NULL;
	}
	return disk_open_as(folder, rights, err);
}

/* The nearest folder above `path` that is there. The caller's. */
static char *nearest_folder(const char *path) {
	struct stat st;
	char *folder = path_parent(path);
	while (strcmp(folder, "/") != 0 && (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))) {
		char *above = path_parent(folder);
		free(folder);
		folder = above;
	}
	return folder;
}

int place_open(
	struct place *place, const struct step_work *work, const char *text, struct err *err) {
	*place = (struct place){ 0 };
	char *whole = step_work_expand(work, text, err);
	if (!whole) return -1;
	place->path = path_clean(whole);
	free(whole);
	char *folder = nearest_folder(place->path);
	size_t len = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
	place->name = xstrdup(place->path + len + 1);
	int result = -1;
	if (!path_is_plain(place->name)) {
		err_set(err, ERR_INVALID, "'%s' is no path to a file", place->path);
	} else if ((place->disk = open_disk(work, folder, err))) {
		place->there = disk_stat(place->disk, place->name, &place->stat, err) == 0;
		if (!place->there)
			result = err->kind == ERR_NOT_FOUND ? 0 : -1;
		else if (place->stat.kind == DISK_FOLDER)
			err_set(err, ERR_CHANGED, "'%s' is a folder", place->path);
		else
			result = 0;
	}
	free(folder);
	if (result != 0) place_release(place);
	return result;
}

void place_release(struct place *place) {
	disk_close(place->disk);
	free(place->path);
	free(place->name);
	*place = (struct place){ 0 };
}

char *place_aside(struct place *place, bool numbered) {
	struct disk_stat stat;
	struct err err;
	for (int i = numbered ? 1 : 0; i < ASIDE_MAX; i++) {
		char *name = i ? xasprintf("%s.before-tend.%d", place->name, i)
			       : xasprintf("%s.before-tend", place->name);
		if (disk_stat(place->disk, name, &stat, &err) != 0 && err.kind == ERR_NOT_FOUND)
			return name;
		free(name);
	}
	return xasprintf("%s.before-tend.%d", place->name, ASIDE_MAX);
}

/* Said, not left to the umask: that of tendd lets nobody else in. */
int place_make_parents(struct place *place, int mode, struct err *err) {
	struct disk_stat stat;
	int result = 0;
	for (char *at = strchr(place->name, '/'); at && result == 0; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (disk_stat(place->disk, place->name, &stat, err) != 0) {
			result = disk_mkdir(place->disk, place->name, mode, err);
			if (result == 0)
				result = disk_set(
					place->disk, place->name, DISK_TIME_KEEP, mode, err);
		}
		*at = '/';
	}
	return result;
}

/* Kept as another name of the same thing first, so that there is no moment without it; where the system does not
 * let us (another user's file, a file system without such names) it is moved. */
int place_take(struct place *place, const char *beside, const char *aside, struct err *err) {
	if (aside && disk_link(place->disk, place->name, aside, err) != 0 &&
		disk_rename(place->disk, place->name, aside, false, err) != 0)
		return -1;
	if (disk_rename(place->disk, beside, place->name, true, err) != 0) return -1;
	return disk_sync_all(place->disk, err);
}
