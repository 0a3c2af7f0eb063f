#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/snapshot.h"

/*
 * Three ways, the cheapest that is safe first (SYNC.md §6). Nothing beside the database: the file
 * is its own image. A log with its index, or a journal: the backup API, under locks that the
 * writers know. What only a repair can read, or no lock can be had for: a verified copy, repaired
 * aside.
 */
enum { COUNTER_AT = 24 }; /* the file change counter: each commit in rollback mode adds one */

static int read_counter(struct disk *disk, int fd, uint32_t *counter) {
	uint8_t bytes[4];

	ssize_t got = disk_pread(disk, fd, bytes, sizeof(bytes), COUNTER_AT);
	if (got < 0) return -1;
	if (got < (ssize_t)sizeof(bytes)) memset(bytes, 0, sizeof(bytes));
	*counter = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
		   bytes[3];
	return 0;
}

static int hash_file(struct disk *disk, int fd, enum digest_kind kind, int64_t size, uint8_t *hash,
	int64_t *done, struct err *err) {
	struct digest digest;

	digest_init(&digest, kind);
	int rc = disk_hash_span(disk, fd, 0, size, &digest, NULL, done, err);
	if (rc == 0) digest_end(&digest, hash);
	digest_release(&digest);
	return rc;
}

/* The file's own hash, and what an image of it would have. */
static int hash_both(struct disk *disk, int fd, enum digest_kind kind, int64_t size,
	struct disk_snapshot *snapshot, struct err *err) {
	uint8_t header[SNAPSHOT_HEADER];
	struct digest whole, content;
	int64_t done = 0;
	int rc = -1;

	if (size < (int64_t)sizeof(header))
		return err_set(err, ERR_CORRUPT, "too short for a database");
	digest_init(&whole, kind);
	digest_init(&content, kind);
	if (disk_read_span(disk, fd, 0, sizeof(header), header, err) < 0) goto release;
	digest_add(&whole, header, sizeof(header));
	snapshot_stamp(header);
	digest_add(&content, header, sizeof(header));
	if (disk_hash_span(disk, fd, sizeof(header), size - (int64_t)sizeof(header), &whole,
		    &content, &done, err) < 0)
		goto release;
	snapshot->size = (int64_t)sizeof(header) + done;
	digest_end(&whole, snapshot->hash);
	digest_end(&content, snapshot->content);
	rc = 0;
release:
	digest_release(&whole);
	digest_release(&content);
	return rc;
}

/*
 * With no log and no journal beside it the file is the database. 1: read whole, and unchanged
 * meanwhile; 0: somebody wrote, so that it takes a lock; -1.
 */
static int snapshot_plain(struct disk *disk, const char *path, const struct beside *beside,
	enum digest_kind kind, struct disk_snapshot *snapshot, struct err *err) {
	struct disk_stat stat;
	struct beside after;
	uint32_t counter = 0, counter_after = 0;
	int rc = -1;

	int fd = disk_open_file(disk, path, &stat, err);
	if (fd < 0) return -1;
	if (read_counter(disk, fd, &counter) < 0) {
		disk_fail(err, errno, "read", path);
		goto close;
	}
	if (hash_both(disk, fd, kind, stat.size, snapshot, err) < 0) goto close;
	if (read_counter(disk, fd, &counter_after) < 0) {
		disk_fail(err, errno, "read", path);
		goto close;
	}
	if (snapshot_look(disk, path, &after, err) < 0) goto close;
	/* The counter too: two writes within one tick of the clock leave the same times. */
	rc = disk_stat_same(&stat, &beside->source.db) && snapshot_same(beside, &after) &&
	     counter == counter_after && snapshot->size == stat.size;
	snapshot->source = beside->source;
	snapshot->source.change_counter = counter;
close:
	close(fd);
	return rc;
}

/* Before SQLite has it open, and closed again: see trap 4. */
static int note_counter(
	struct disk *disk, const char *path, struct disk_snapshot *snapshot, struct err *err) {
	struct disk_stat stat;
	int rc = 0;

	int fd = disk_open_file(disk, path, &stat, err);
	if (fd < 0) return -1;
	if (read_counter(disk, fd, &snapshot->source.change_counter) < 0)
		rc = disk_fail(err, errno, "read", path);
	close(fd);
	return rc;
}

static int make_empty(const char *image, struct err *err) {
	if (unlink(image) < 0 && errno != ENOENT) return disk_fail(err, errno, "replace", image);
	int fd = open(image, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) return disk_fail(err, errno, "create", image);
	close(fd);
	return 0;
}

static int make_image(struct disk *disk, const char *path, const struct beside *beside,
	const char *image, struct err *err) {
	/* A log without its index: a crash left it, or its writer shares it with nobody. A
	 * reader would have to make the index in the user's folder. */
	bool copy = beside->source.has_wal && !beside->has_shm;

	if (make_empty(image, err) < 0) return -1;
	if (!copy) {
		int rc = snapshot_by_lock(disk, path, image, err);
		/* A writer that holds its lock for good (locking_mode=exclusive) would never let us
		 * in: when it rests, what lies there is whole by its journal. */
		if (rc == 0 || (rc < 0 && err->kind != ERR_BUSY)) return rc;
		if (make_empty(image, err) < 0) return -1;
	}
	return snapshot_by_copy(disk, path, image, err);
}

static int hash_image(struct disk *disk, const char *image, enum digest_kind kind,
	struct disk_snapshot *snapshot, struct err *err) {
	int fd = open(image, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) return disk_fail(err, errno, "open", image);
	int rc = hash_file(disk, fd, kind, INT64_MAX, snapshot->hash, &snapshot->size, err);
	close(fd);
	memcpy(snapshot->content, snapshot->hash, sizeof(snapshot->content));
	return rc;
}

int posix_snapshot(struct disk *disk, const char *path, const char *image, enum digest_kind kind,
	struct disk_snapshot *snapshot, struct err *err) {
	struct beside beside;

	memset(snapshot, 0, sizeof(*snapshot));
	if (snapshot_look(disk, path, &beside, err) < 0) return -1;
	snapshot->source = beside.source;
	if (!beside.source.has_wal && !beside.has_journal && !snapshot_is_fresh(&beside)) {
		int rc = snapshot_plain(disk, path, &beside, kind, snapshot, err);
		if (rc != 0) {
			snapshot->plain = rc > 0;
			return rc < 0 ? -1 : 0;
		}
	}
	if (note_counter(disk, path, snapshot, err) < 0) return -1;
	if (beside.source.has_wal && beside.has_shm) {
		if (snapshot_await_commit(disk, path, &beside, err) < 0) return -1;
		/* One more write within this tick of the clock would leave all times as they are: the
		 * next look takes an image again. */
		if (snapshot_is_fresh(&beside)) snapshot->source.wal_size = -1;
	}
	if (make_image(disk, path, &beside, image, err) == 0 && snapshot_check(image, err) == 0 &&
		hash_image(disk, image, kind, snapshot, err) == 0)
		return 0;
	unlink(image);
	return -1;
}
