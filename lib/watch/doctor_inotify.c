/* Are the system's limits of watches large enough for the folders of this configuration? */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch/inotify.h"

enum {
	DEPTH_MAX = 200, /* one open descriptor a level */
	/* Instances: one is ours, and an editor or a desktop of the same user takes some. */
	INSTANCES_LEAST = 16,
	ROOM_PERCENT = 80,
	WATCHES_MOST = 1 << 30,
};

static bool is_folder(int dir, const struct dirent *entry) {
	struct stat st;
	if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..")) return false;
	if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
	return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Folders at and below `name`, no further than `most`: what is beyond the limit need not be known. */
static int64_t count_folders(int at, const char *name, int64_t most, int depth) {
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int64_t count = 1;

	if (!dir) {
		if (fd >= 0) (void)close(fd);
		return depth == 0 ? 0 : 1;
	}
	while (count <= most && depth < DEPTH_MAX && (entry = readdir(dir))) {
		if (is_folder(fd, entry))
			count += count_folders(fd, entry->d_name, most - count, depth + 1);
	}
	(void)closedir(dir);
	return count;
}

static int64_t folders_of(const struct doctor_ground *ground, int64_t most) {
	int64_t count = 0;
	for (size_t i = 0; i < ground->folder_count && count <= most; i++) {
		const struct doctor_path *folder = &ground->folders[i];
		/* A root that is a link is followed, what lies in it is not. */
		char *real = folder->folders < 0 ? realpath(folder->path, NULL) : NULL;
		count += folder->folders >= 0 ? folder->folders + 1
			 : real               ? count_folders(AT_FDCWD, real, most - count, 0)
					      : 0;
		free(real);
	}
	return count;
}

static char *raise(const char *name, int64_t value) {
	return xasprintf(
		"put 'fs.inotify.%s=%lld' into /etc/sysctl.d/50-tend.conf, then: sysctl --system",
		name, (long long)value);
}

static void look_at_limits(const struct doctor_ground *ground, struct findings *findings) {
	int64_t watches =
		doctor_number(ground, "/proc/sys/fs/inotify/max_user_watches", INT64_MAX - 1);
	int64_t instances =
		doctor_number(ground, "/proc/sys/fs/inotify/max_user_instances", INT64_MAX);
	int64_t count = folders_of(ground, watches), wanted = 65536;

	while (wanted <= count && wanted < WATCHES_MOST) wanted *= 2;
	/* The machine's tendd, and we are asked as root as well: it may what we may. */
	bool whole = ground->system && fanotify_is_possible();
	if (whole && (count > watches || (uint64_t)count >= fanotify_threshold()))
		finding_add(findings, FINDING_GOOD, NULL,
			"more than %lld folders: their file systems are watched as a whole, by "
			"fanotify",
			(long long)count - 1);
	else if (count > watches)
		finding_add(findings, FINDING_WRONG, raise("max_user_watches", wanted),
			"more than the %lld folders that this system lets tendd watch are to be "
			"synced: changes in the rest are found by 'rescan' alone",
			(long long)watches);
	else if (count > watches / 100 * ROOM_PERCENT)
		finding_add(findings, FINDING_ADVICE, raise("max_user_watches", wanted),
			"%lld of %lld folders that can be watched are to be synced",
			(long long)count, (long long)watches);
	else
		finding_add(findings, FINDING_GOOD, NULL,
			"%s%lld folder%s can be watched (the limit is %lld)",
			count == 1 ? "" : "all ", (long long)count, str_plural(count),
			(long long)watches);
	if (instances < INSTANCES_LEAST)
		finding_add(findings, FINDING_ADVICE, raise("max_user_instances", 512),
			"a user can have %lld inotify instances, which other programs may use up",
			(long long)instances);
}

const struct doctor_check watch_doctor[] = {
	{ "inotify", look_at_limits },
	{ 0 },
};
