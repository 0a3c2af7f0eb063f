#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk/snapshot.h"

/* https://sqlite.org/fileformat.html §1.3 and §4.1 */
static const char magic[] = "SQLite format 3";
enum { SALTS_AT = 16, FRESH_NS = 50 * NS_PER_MS };

/* https://sqlite.org/src/file/src/os.h: the bytes PENDING, RESERVED and 510 of SHARED. */
enum { LOCKS_AT = 0x40000000, LOCKS_LEN = 512 };

int disk_is_sqlite(struct disk *disk, const char *path, struct err *err) {
	char header[sizeof(magic)];
	struct disk_stat stat;

	int fd = disk_open_file(disk, path, &stat, err);
	if (fd < 0) return -1;
	ssize_t got = disk_pread(disk, fd, header, sizeof(header), 0);
	int rc = got < 0 ? disk_fail(err, errno, "read", path) : 0;
	if (got == sizeof(header) && memcmp(header, magic, sizeof(magic)) == 0) rc = 1;
	disk_close_file(disk, fd);
	return rc;
}

bool disk_is_shared(const struct disk *disk) {
	return disk->ground == &posix_ground;
}

int disk_is_in_use(struct disk *disk, const char *path, struct err *err) {
	struct flock lock = { .l_type = F_WRLCK, .l_start = LOCKS_AT, .l_len = LOCKS_LEN };
	struct disk_stat stat;

	if (!disk_is_shared(disk)) return 0;
	int fd = disk_open_file(disk, path, &stat, err);
	if (fd < 0) return -1;
	int rc = fcntl(fd, F_GETLK, &lock) < 0 ? disk_fail(err, errno, "ask for the locks of", path)
					       : lock.l_type != F_UNLCK;
	if (rc == 0) rc = os_is_open_elsewhere(fd) > 0;
	disk_close_file(disk, fd);
	return rc;
}

/* 1: it lies there; 0: nothing does; -1. Looked at by name. */
static int look_beside(struct disk *disk, const char *path, const char *suffix,
	struct disk_stat *stat, struct err *err) {
	struct err why = { 0 };
	char *name = xasprintf("%s%s", path, suffix);
	int rc = disk_stat(disk, name, stat, &why);

	free(name);
	if (rc == 0) return 1;
	if (why.kind == ERR_NOT_FOUND) return 0;
	if (err) *err = why;
	return -1;
}

static uint32_t big_endian(const uint8_t *at) {
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A log of 0 bytes has no salts yet. */
static int read_salts(struct disk *disk, const char *path, uint32_t salt[2], struct err *err) {
	char *name = xasprintf("%s-wal", path);
	uint8_t bytes[8] = { 0 };
	struct disk_stat stat;
	int rc = 0;

	int fd = disk_open_file(disk, name, &stat, err);
	if (fd < 0) {
		rc = -1;
	} else if (disk_pread(disk, fd, bytes, sizeof(bytes), SALTS_AT) < 0) {
		rc = disk_fail(err, errno, "read", name);
	}
	if (fd >= 0) disk_close_file(disk, fd);
	salt[0] = big_endian(bytes);
	salt[1] = big_endian(bytes + 4);
	free(name);
	return rc;
}

int disk_source(struct disk *disk, const char *path, struct disk_source *source, bool *journal,
	struct err *err) {
	struct disk_stat beside;

	memset(source, 0, sizeof(*source));
	if (disk_stat(disk, path, &source->db, err) < 0) return -1;
	int rc = look_beside(disk, path, "-wal", &beside, err);
	if (rc < 0) return -1;
	if (rc > 0 && beside.kind == DISK_FILE) {
		source->has_wal = true;
		source->wal_size = beside.size;
		source->wal_mtime_ns = beside.mtime_ns;
		/* A writer that ends now takes its log with it; the next look sees that. */
		if (read_salts(disk, path, source->wal_salt, err) < 0 && err->kind != ERR_NOT_FOUND)
			return -1;
	}
	if (!journal) return 0;
	rc = look_beside(disk, path, "-journal", &beside, err);
	if (rc < 0) return -1;
	*journal = rc > 0;
	return 0;
}

bool disk_source_same(const struct disk_source *left, const struct disk_source *right) {
	return disk_stat_same(&left->db, &right->db) && left->has_wal == right->has_wal &&
	       left->wal_size == right->wal_size && left->wal_mtime_ns == right->wal_mtime_ns &&
	       left->wal_salt[0] == right->wal_salt[0] && left->wal_salt[1] == right->wal_salt[1];
}

int snapshot_look(struct disk *disk, const char *path, struct beside *beside, struct err *err) {
	struct disk_stat shm;

	memset(beside, 0, sizeof(*beside));
	if (disk_source(disk, path, &beside->source, NULL, err) < 0) return -1;
	int rc = look_beside(disk, path, "-journal", &beside->journal, err);
	if (rc < 0) return -1;
	beside->has_journal = rc > 0;
	rc = look_beside(disk, path, "-shm", &shm, err);
	if (rc < 0) return -1;
	beside->has_shm = rc > 0;
	return 0;
}

bool snapshot_same(const struct beside *left, const struct beside *right) {
	if (!disk_source_same(&left->source, &right->source)) return false;
	if (left->has_journal != right->has_journal) return false;
	return !left->has_journal || disk_stat_same(&left->journal, &right->journal);
}

/* File systems stamp with the clock of the last tick, up to 10 ms old. A time to come is another
 * machine's clock. */
static bool is_just_now(int64_t mtime_ns) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = now.tv_sec * NS_PER_S + now.tv_nsec - mtime_ns;
	return age >= 0 && age < FRESH_NS;
}

bool snapshot_is_fresh(const struct beside *beside) {
	if (is_just_now(beside->source.db.mtime_ns)) return true;
	if (beside->source.has_wal && is_just_now(beside->source.wal_mtime_ns)) return true;
	return beside->has_journal && is_just_now(beside->journal.mtime_ns);
}
