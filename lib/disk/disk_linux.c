#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk/internal.h"

const int os_folder_flags = O_PATH | O_DIRECTORY;

int os_openat2(int root, const char *path, int flags, int mode) {
	/* The kernel refuses O_LARGEFILE and a mode without O_CREAT here, unlike openat. */
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags,
		.mode = flags & O_CREAT ? (uint64_t)mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* Kernels before 5.6 have none, and the seccomp filters of some containers answer EPERM. */
bool os_has_openat2(int root) {
	int fd = os_openat2(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd < 0) return false;
	close(fd);
	return true;
}

static enum disk_kind kind_of(unsigned mode) {
	if (S_ISREG(mode)) return DISK_FILE;
	if (S_ISDIR(mode)) return DISK_FOLDER;
	return S_ISLNK(mode) ? DISK_LINK : DISK_OTHER;
}

static int64_t nanoseconds(const struct statx_timestamp *time) {
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

int os_stat(int at, const char *name, struct disk_stat *stat) {
	struct statx x;
	/* AT_NO_AUTOMOUNT: to look must not mount. */
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);

	if (statx(at, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x) < 0) return -1;
	*stat = (struct disk_stat){
		.kind = kind_of(x.stx_mode),
		.size = (int64_t)x.stx_size,
		.mtime_ns = nanoseconds(&x.stx_mtime),
		.ctime_ns = nanoseconds(&x.stx_ctime),
		.btime_ns = x.stx_mask & STATX_BTIME ? nanoseconds(&x.stx_btime) : 0,
		.ino = x.stx_ino,
		.dev = makedev(x.stx_dev_major, x.stx_dev_minor),
		/* Also for a bind mount, which has the device of its neighbours. */
		.mount = (x.stx_attributes & x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0,
		.nlink = x.stx_nlink,
		.mode = x.stx_mode & 07777,
	};
	return 0;
}

int os_identity(const char *path, struct disk_identity *identity) {
	struct disk_stat stat;
	struct statfs system;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), rc = -1;

	if (fd < 0) return -1;
	if (os_stat(fd, "", &stat) == 0 && fstatfs(fd, &system) == 0) {
		memcpy(&identity->fsid, &system.f_fsid, sizeof(identity->fsid));
		identity->ino = stat.ino;
		identity->btime_ns = stat.btime_ns;
		rc = 0;
	}
	int errnum = errno;
	close(fd);
	errno = errnum;
	return rc;
}

int os_rename_new(int from_at, const char *from, int to_at, const char *to) {
	int rc = renameat2(from_at, from, to_at, to, RENAME_NOREPLACE);

	if (rc < 0 && errno == ENOSYS) errno = EINVAL;
	return rc;
}

int os_clone(int from_fd, int to_fd) {
	return ioctl(to_fd, FICLONE, from_fd);
}

ssize_t os_copy_range(int from_fd, int64_t from, int to_fd, int64_t to, size_t length) {
	off_t from_at = from, to_at = to;

	return copy_file_range(from_fd, &from_at, to_fd, &to_at, length, 0);
}

int os_is_open_elsewhere(int fd) {
	/* Who opens it while we hold the lease waits a moment, and we are told: by SIGIO, which would
	 * end us, unless by another signal. */
	if (fcntl(fd, F_SETSIG, SIGURG) < 0) return -1;
	/* Given only where nobody else has the file open: fcntl(2). */
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) return errno == EAGAIN ? 1 : -1;
	return fcntl(fd, F_SETLEASE, F_UNLCK);
}

int os_sync_fd(int fd) {
	return fsync(fd);
}

int os_sync_bytes(int fd) {
	return fdatasync(fd);
}

int os_sync_system(int fd) {
	return syncfs(fd);
}

char *os_pinned_path(int folder, const char *name) {
	return xasprintf("/proc/self/fd/%d/%s", folder, name);
}
