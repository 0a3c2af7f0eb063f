#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/internal.h"

/* Below this a read and a write cost less than asking the file system for better ways. */
enum { CLONE_MIN = 64 << 10, COPY_MAX = 1 << 30 };

int disk_pwrite(int fd, const void *at, size_t length, int64_t offset) {
	size_t done = 0;

	while (done < length) {
		ssize_t put =
			pwrite(fd, (const char *)at + done, length - done, offset + (int64_t)done);
		if (put < 0 && errno == EINTR) continue;
		if (put == 0) errno = ENOSPC; /* never seen; must not spin */
		if (put <= 0) return -1;
		done += (size_t)put;
	}
	return 0;
}

static int cannot(const char *verb, struct err *err) {
	if (errno == ENOSPC)
		return err_set(
			err, ERR_FULL, "cannot %s: no space left; make room on this disk", verb);
	return err_sys(err, errno, "cannot %s", verb);
}

int disk_write_span(int fd, int64_t offset, const void *bytes, size_t length, struct err *err) {
	if (disk_pwrite(fd, bytes, length, offset) < 0) return cannot("write", err);
	return 0;
}

int disk_append(struct disk *disk, const char *path, const char *text, struct err *err) {
	size_t len = strlen(text);

	int fd = disk_open_beneath(disk, path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0600);
	if (fd < 0) return disk_fail(err, errno, "open", path);
	ssize_t put = write(fd, text, len);
	/* Cut short only where the room ends. */
	int errnum = put < 0 ? errno : ENOSPC;
	if (close(fd) < 0 && errno != EINTR) {
		errnum = errno;
		put = -1;
	}
	return put == (ssize_t)len ? 0 : disk_fail(err, errnum, "write", path);
}

static int fail_shorter(struct err *err) {
	return err_set(err, ERR_CHANGED, "the file became shorter while it was read");
}

int disk_copy_hash_span(int from_fd, int64_t from, int to_fd, int64_t to, int64_t length,
	struct digest *digest, struct err *err) {
	char block[BLOCK_BYTES];

	for (int64_t done = 0; done < length;) {
		int64_t left = length - done;
		size_t want = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		ssize_t got = posix_read(NULL, from_fd, block, want, from + done);
		if (got < 0) return err_sys(err, errno, "cannot read");
		if (digest) digest_add(digest, block, (size_t)got);
		if (disk_pwrite(to_fd, block, (size_t)got, to + done) < 0)
			return cannot("write", err);
		done += got;
		if ((size_t)got < want) return fail_shorter(err);
	}
	return 0;
}

/* 1: done; 0: not this way; -1: err. A clone takes the whole file, so the target must be new. */
static int copy_by_clone(int from_fd, int to_fd, int64_t length, struct err *err) {
	struct stat stat;

	if (fstat(to_fd, &stat) < 0 || stat.st_size != 0) return 0;
	if (os_clone(from_fd, to_fd) < 0) return 0;
	if (fstat(to_fd, &stat) < 0) return err_sys(err, errno, "cannot look at the copy");
	if (stat.st_size < length) return fail_shorter(err);
	if (stat.st_size > length && ftruncate(to_fd, length) < 0)
		return err_sys(err, errno, "cannot cut the copy");
	return 1;
}

static bool is_no_such_way(int errnum) {
	return errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS || errnum == ENOTSUP ||
	       errnum == EPERM || errnum == EBADF;
}

int disk_copy_span(
	int from_fd, int64_t from, int to_fd, int64_t to, int64_t length, struct err *err) {
	int64_t done = 0;

	if (length >= CLONE_MIN && from == 0 && to == 0) {
		int rc = copy_by_clone(from_fd, to_fd, length, err);
		if (rc != 0) return rc < 0 ? -1 : 0;
	}
	while (length >= CLONE_MIN && done < length) {
		int64_t left = length - done;
		ssize_t got = os_copy_range(from_fd, from + done, to_fd, to + done,
			left < COPY_MAX ? (size_t)left : COPY_MAX);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0 && !is_no_such_way(errno)) return cannot("copy", err);
		/* 0 is the end of the file, or a file system of a kernel before 5.19 that cannot: a
		 * read tells which. */
		if (got <= 0) break;
		done += got;
	}
	return disk_copy_hash_span(
		from_fd, from + done, to_fd, to + done, length - done, NULL, err);
}

static struct timespec timespec_of(int64_t ns) {
	int64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;

	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)rest };
}

static void times_of(int64_t mtime_ns, struct timespec times[2]) {
	times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	times[1] = timespec_of(mtime_ns);
}

int disk_set_times(int fd, int64_t mtime_ns, int mode, struct err *err) {
	struct timespec times[2];

	if (mode >= 0 && fchmod(fd, (mode_t)mode) < 0)
		return err_sys(err, errno, "cannot set the permissions");
	if (mtime_ns == DISK_TIME_KEEP) return 0;
	times_of(mtime_ns, times);
	if (futimens(fd, times) < 0) return err_sys(err, errno, "cannot set the time");
	return 0;
}

int posix_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err) {
	struct timespec times[2];
	struct disk_stat stat;
	struct place place;
	int rc = -1;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	const char *name = *place.name ? place.name : ".";
	if (os_stat(place.folder, place.name, &stat) < 0) {
		disk_fail(err, errno, "look at", path);
		goto close;
	}
	/* By name, not by descriptor: a file may be unreadable, or under capture (trap 4). */
	if (mode >= 0 && stat.kind != DISK_LINK &&
		fchmodat(place.folder, name, (mode_t)mode, AT_SYMLINK_NOFOLLOW) < 0) {
		disk_fail(err, errno, "set the permissions of", path);
		goto close;
	}
	if (mtime_ns != DISK_TIME_KEEP) {
		times_of(mtime_ns, times);
		if (utimensat(place.folder, name, times, AT_SYMLINK_NOFOLLOW) < 0) {
			disk_fail(err, errno, "set the time of", path);
			goto close;
		}
	}
	rc = 0;
close:
	disk_place_close(&place);
	return rc;
}

int disk_sync_bytes(int fd, struct err *err) {
	if (os_sync_bytes(fd) < 0) return err_sys(err, errno, "cannot sync");
	return 0;
}

int disk_close_written(int fd, struct err *err) {
	/* Never again after EINTR: Linux has closed it. */
	if (close(fd) < 0 && errno != EINTR) return cannot("write", err);
	return 0;
}

static int sync_at(struct disk *disk, const char *path, int flags, struct err *err) {
	int fd = disk_open_beneath(disk, path, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0) return disk_fail(err, errno, "open", path);
	int rc = os_sync_fd(fd) < 0 ? disk_fail(err, errno, "sync", path) : 0;
	close(fd);
	return rc;
}

int posix_beside_again(
	struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	return disk_open_kind(disk, path, O_RDWR, stat, err);
}

int posix_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err) {
	(void)disk;
	return disk_write_span(fd, offset, bytes, length, err);
}

int posix_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err) {
	(void)disk;
	if (disk_set_times(fd, mtime_ns, mode, err) == 0 && disk_sync_bytes(fd, err) == 0)
		return disk_close_written(fd, err);
	close(fd);
	return -1;
}

int posix_sync_file(struct disk *disk, const char *path, struct err *err) {
	struct disk_stat stat;

	if (disk_stat(disk, path, &stat, err) < 0) return -1;
	/* A link's text is the folder's business. */
	if (stat.kind == DISK_FILE && sync_at(disk, path, 0, err) < 0) return -1;
	if (stat.kind == DISK_FOLDER && sync_at(disk, path, O_DIRECTORY, err) < 0) return -1;
	if (*path == '\0') return 0;
	char *parent = path_parent(path);
	int rc = sync_at(disk, parent, O_DIRECTORY, err);
	free(parent);
	return rc;
}

int disk_sync_all_of(struct disk *disk, const char *path, struct err *err) {
	int fd = disk_open_beneath(disk, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0) return disk_fail(err, errno, "open folder", path);
	int rc = os_sync_system(fd) < 0 ? disk_fail(err, errno, "sync", path) : 0;
	close(fd);
	return rc;
}

int disk_sync_all(struct disk *disk, struct err *err) {
	return disk_sync_all_of(disk, "", err);
}
