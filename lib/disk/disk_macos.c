#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/internal.h"

const int os_folder_flags = O_RDONLY | O_DIRECTORY;

bool os_has_openat2(int root) {
	return false;
}

int os_openat2(int root, const char *path, int flags, int mode) {
	errno = ENOSYS;
	return -1;
}

static enum disk_kind kind_of(unsigned mode) {
	if (S_ISREG(mode)) return DISK_FILE;
	if (S_ISDIR(mode)) return DISK_FOLDER;
	return S_ISLNK(mode) ? DISK_LINK : DISK_OTHER;
}

static int64_t nanoseconds(const struct timespec *time) {
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

int os_stat(int at, const char *name, struct disk_stat *stat) {
	struct stat s;

	if ((*name ? fstatat(at, name, &s, AT_SYMLINK_NOFOLLOW) : fstat(at, &s)) < 0) return -1;
	*stat = (struct disk_stat){
		.kind = kind_of(s.st_mode),
		.size = s.st_size,
		.mtime_ns = nanoseconds(&s.st_mtimespec),
		.ctime_ns = nanoseconds(&s.st_ctimespec),
		.btime_ns = nanoseconds(&s.st_birthtimespec),
		.ino = s.st_ino,
		.dev = (uint64_t)s.st_dev,
		.nlink = s.st_nlink,
		.mode = s.st_mode & 07777,
	};
	return 0;
}

int os_identity(const char *path, struct disk_identity *identity) {
	struct stat s;
	struct statfs system;

	if (stat(path, &s) < 0 || statfs(path, &system) < 0) return -1;
	memcpy(&identity->fsid, &system.f_fsid, sizeof(identity->fsid));
	identity->ino = s.st_ino;
	identity->btime_ns = nanoseconds(&s.st_birthtimespec);
	return 0;
}

int os_rename_new(int from_at, const char *from, int to_at, const char *to) {
	int rc = renameatx_np(from_at, from, to_at, to, RENAME_EXCL);

	if (rc < 0 && errno == ENOTSUP) errno = EINVAL;
	return rc;
}

/* APFS clones by name only (clonefile), never into a file that is open. */
int os_clone(int from_fd, int to_fd) {
	errno = ENOTSUP;
	return -1;
}

ssize_t os_copy_range(int from_fd, int64_t from, int to_fd, int64_t to, size_t length) {
	errno = ENOTSUP;
	return -1;
}

int os_is_open_elsewhere(int fd) {
	errno = ENOTSUP;
	return -1;
}

/* fsync stops at the drive's own cache here. Not every file system knows the stronger one. */
int os_sync_fd(int fd) {
	return fcntl(fd, F_FULLFSYNC) < 0 ? fsync(fd) : 0;
}

int os_sync_bytes(int fd) {
	return os_sync_fd(fd);
}

int os_sync_system(int fd) {
	sync();
	return os_sync_fd(fd);
}

/* By text: macOS has no path that names an open folder. */
char *os_pinned_path(int folder, const char *name) {
	char path[MAXPATHLEN];

	if (fcntl(folder, F_GETPATH, path) < 0) return xasprintf("./%s", name);
	return path_join(path, name);
}
