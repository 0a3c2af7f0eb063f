#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/internal.h"

ssize_t posix_read(struct disk *disk, int fd, void *at, size_t length, int64_t offset) {
	size_t done = 0;
	(void)disk;

	/* Network file systems and signals cut reads short in the middle of a file: only 0 is
	 * its end. */
	while (done < length) {
		ssize_t got = pread(fd, (char *)at + done, length - done, offset + (int64_t)done);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return -1;
		if (got == 0) break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int disk_read_span(
	struct disk *disk, int fd, int64_t offset, size_t length, void *at, struct err *err) {
	ssize_t got = disk_pread(disk, fd, at, length, offset);

	if (got < 0) return err_sys(err, errno, "cannot read");
	if ((size_t)got < length)
		return err_set(err, ERR_CHANGED, "the file became shorter while it was read");
	return 0;
}

int disk_hash_span(struct disk *disk, int fd, int64_t offset, int64_t length, struct digest *whole,
	struct digest *part, int64_t *done, struct err *err) {
	char block[BLOCK_BYTES];

	*done = 0;
	while (*done < length) {
		int64_t left = length - *done;
		size_t want = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		ssize_t got = disk_pread(disk, fd, block, want, offset + *done);
		if (got < 0) return err_sys(err, errno, "cannot read");
		if (whole) digest_add(whole, block, (size_t)got);
		if (part) digest_add(part, block, (size_t)got);
		*done += got;
		if ((size_t)got < want) break;
	}
	return 0;
}

/* The bytes that stat told of; a look afterwards shows growth. */
static int read_all(struct disk *disk, int fd, const char *path, int64_t size, struct buf *body,
	struct err *err) {
	if (size == 0) return 0;
	char *at = buf_room(body, (size_t)size);
	assert(at); /* the caller compared it with what the buffer takes */
	ssize_t got = disk_pread(disk, fd, at, (size_t)size, 0);
	buf_filled(body, got > 0 ? (size_t)got : 0);
	if (got < 0) return disk_fail(err, errno, "read", path);
	if (got < size)
		return err_set(err, ERR_CHANGED, "'%s' changed while it was read", path_name(path));
	return 0;
}

int disk_read(struct disk *disk, const char *path, size_t max, struct buf *body,
	enum digest_kind kind, uint8_t *hash, struct disk_stat *stat, struct err *err) {
	struct disk_stat after;
	int rc = -1;
	int fd = disk_open_file(disk, path, stat, err);

	if (fd < 0) return -1;
	buf_clear(body);
	body->max = max;
	if (stat->size > (int64_t)max) {
		err_set(err, ERR_INVALID, "'%s' is larger than %zu bytes", path_name(path), max);
		goto close;
	}
	if (read_all(disk, fd, path, stat->size, body, err) < 0) goto close;
	if (disk->ground->stat_file(disk, fd, &after) < 0) {
		disk_fail(err, errno, "look at", path);
		goto close;
	}
	if (!disk_stat_same(stat, &after)) {
		err_set(err, ERR_CHANGED, "'%s' changed while it was read", path_name(path));
		goto close;
	}
	if (hash) digest_of(kind, body->at, body->len, hash);
	rc = 0;
close:
	disk_close_file(disk, fd);
	return rc;
}

int posix_read_link(struct disk *disk, const char *path, struct buf *target, struct err *err) {
	char text[PATH_MAX + 1];
	struct place place;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	ssize_t len = readlinkat(place.folder, place.name, text, sizeof(text));
	int errnum = errno;
	disk_place_close(&place);
	if (len < 0 && errnum == EINVAL)
		return err_set(err, ERR_INVALID, "'%s' is not a symbolic link", path_name(path));
	if (len < 0) return disk_fail(err, errnum, "read link", path);
	buf_clear(target);
	if (buf_add(target, text, (size_t)len) < 0)
		return err_set(err, ERR_INVALID, "the target of '%s' is too long", path_name(path));
	return 0;
}

static int compare_links(struct disk *disk, const char *left, const char *right, struct err *err) {
	struct buf one, two;

	buf_init(&one, PATH_MAX);
	buf_init(&two, PATH_MAX);
	int rc = disk_read_link(disk, left, &one, err);
	if (rc == 0) rc = disk_read_link(disk, right, &two, err);
	if (rc == 0) rc = str_equal(one.at, two.at);
	buf_release(&one);
	buf_release(&two);
	return rc;
}

static int compare_bytes(
	struct disk *disk, int left_fd, int right_fd, int64_t size, struct err *err) {
	char one[BLOCK_BYTES], two[BLOCK_BYTES];

	for (int64_t done = 0; done < size; done += BLOCK_BYTES) {
		ssize_t left = disk_pread(disk, left_fd, one, sizeof(one), done);
		ssize_t right = disk_pread(disk, right_fd, two, sizeof(two), done);
		if (left < 0 || right < 0) return err_sys(err, errno, "cannot read");
		if (left != right || memcmp(one, two, (size_t)left) != 0) return 0;
	}
	return 1;
}

int disk_compare(struct disk *disk, const char *left, const char *right, struct err *err) {
	struct disk_stat one, two;
	int right_fd = -1, rc = -1;

	if (disk_stat(disk, left, &one, err) < 0 || disk_stat(disk, right, &two, err) < 0)
		return -1;
	if (one.kind != two.kind || one.size != two.size) return 0;
	if (one.ino == two.ino && one.dev == two.dev) return 1;
	if (one.kind == DISK_LINK) return compare_links(disk, left, right, err);
	if (one.kind != DISK_FILE) return 0;
	int left_fd = disk_open_file(disk, left, &one, err);
	if (left_fd >= 0) right_fd = disk_open_file(disk, right, &two, err);
	if (right_fd >= 0) rc = compare_bytes(disk, left_fd, right_fd, one.size, err);
	if (left_fd >= 0) disk_close_file(disk, left_fd);
	if (right_fd >= 0) disk_close_file(disk, right_fd);
	return rc;
}
