/* Has tend's own state room, and can the folders be read? */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "disk/disk.h"
#include "disk/internal.h"

enum { MIB = 1 << 20, LITTLE_MIB = 1024, TOO_LITTLE_MIB = 64 };

/* The index takes about a kilobyte a file, and an image of a database lies there while it is sent. */
enum finding_level disk_room_level(int64_t free_bytes) {
	if (free_bytes < (int64_t)TOO_LITTLE_MIB * MIB) return FINDING_WRONG;
	return free_bytes < (int64_t)LITTLE_MIB * MIB ? FINDING_ADVICE : FINDING_GOOD;
}

/* It is made at the first start: then the disk is that of the first folder above that is there. */
static char *standing(const char *path) {
	char *at = xstrdup(path);

	while (strlen(at) > 1 && access(at, F_OK) != 0 && errno == ENOENT) {
		char *above = path_parent(at);
		free(at);
		at = above;
	}
	return at;
}

static void look_at_state(const struct doctor_ground *ground, struct findings *findings) {
	struct statvfs fs;
	char size[32];

	if (!ground->state_dir) return;
	char *at = standing(ground->state_dir);
	if (statvfs(at, &fs) != 0) {
		finding_add(findings, FINDING_WRONG,
			xasprintf("ls -ld %s, and let tendd's user in", at),
			"cannot look at '%s': %s", ground->state_dir, strerror(errno));
	} else if (fs.f_flag & ST_RDONLY) {
		finding_add(findings, FINDING_WRONG,
			xstrdup("mount that disk for writing, or set 'state_dir' in [tend]"),
			"'%s' lies on a disk that cannot be written", ground->state_dir);
	} else {
		int64_t room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
		enum finding_level level = disk_room_level(room);
		size_format(room, size, sizeof(size));
		finding_add(findings, level,
			level == FINDING_GOOD
				? NULL
				: xstrdup("make room there, or set 'state_dir' in [tend]"),
			"%s are free for tend's state in '%s'", size, ground->state_dir);
	}
	free(at);
}

static void look_at_folder(const struct doctor_path *folder, struct findings *findings) {
	DIR *dir = opendir(folder->path);
	int errnum = errno;

	if (dir) {
		(void)closedir(dir);
		finding_add(findings, FINDING_GOOD, NULL, "folder '%s': '%s' can be read",
			folder->name, folder->path);
	} else if (errnum == ENOENT) {
		finding_add(findings, FINDING_ADVICE,
			xstrdup("mount its disk, or make it; a folder that was never agreed on is "
				"brought back by itself"),
			"folder '%s': '%s' is not there", folder->name, folder->path);
	} else {
		finding_add(findings, FINDING_PERSON, disk_access_cure(folder->path),
			"folder '%s': cannot read '%s': %s", folder->name, folder->path,
			strerror(errnum));
	}
}

static void look_at_folders(const struct doctor_ground *ground, struct findings *findings) {
	for (size_t i = 0; i < ground->folder_count; i++)
		look_at_folder(&ground->folders[i], findings);
}

const struct doctor_check disk_doctor[] = {
	{ "state", look_at_state },
	{ "folders", look_at_folders },
	{ 0 },
};
