#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "disk/snapshot.h"

/*
 * A commit in WAL mode has two steps: its frames go into the log, which times and size of the log
 * tell, and then the index in the -shm says that they count, which nothing tells. With fsync
 * between. An image taken in that moment lacks the commit, though what lay beside the database then
 * is what lies there after: nobody would look again. So the image waits for the second step.
 *
 * Formats: https://sqlite.org/walformat.html §2.1 (the index's header, twice, in the machine's byte
 * order) and https://sqlite.org/fileformat.html §4.1 (log header and frames, big-endian).
 */
enum {
	INDEX_HEADER = 48,
	INDEX_READY_AT = 12,
	INDEX_PAGE_AT = 14,
	INDEX_FRAMES_AT = 16,
	INDEX_SALTS_AT = 32,
	LOG_HEADER = 32,
	LOG_SEQUENCE_AT = 12,
	LOG_SALTS_AT = 16,
	FRAME_HEADER = 24,
	FRAME_COMMIT_AT = 4, /* the size of the database after a commit; 0: no end of one */
	FRAME_SALTS_AT = 8,
	SALTS = 8,
	FRAMES_MOST = 1 << 16, /* of a transaction that spilled; each costs one read */
	WAIT_MS = 2000,        /* a slow disk syncs within that; a lock is waited for as long */
	STEP_MS = 2,
	OLD_S = 10, /* no commit takes so long: a crash left it */
};

static const uint8_t zeros[SALTS];

/* How many bytes of `path` with `suffix` are at `at`; -1 with err, of a file that is not there as well. */
static ssize_t read_beside(struct disk *disk, const char *path, const char *suffix, void *bytes,
	size_t size, struct err *err) {
	char *name = xasprintf("%s%s", path, suffix);
	struct disk_stat stat;
	ssize_t got = -1;

	int fd = disk_open_file(disk, name, &stat, err);
	if (fd >= 0) {
		got = disk_pread(disk, fd, bytes, size, 0);
		if (got < 0) disk_fail(err, errno, "read", name);
		disk_close_file(disk, fd);
	}
	free(name);
	return got;
}

/* A commit that the log has whole and the index does not count yet. */
struct commit {
	bool seen;
	bool first;           /* of all: the index learns the log's salts with it */
	uint8_t salts[SALTS]; /* the index's when it was seen */
	uint32_t frames;      /* counted once it is through */
};

/* Is there an end of a commit behind the `counted` frames? Those that belong to this round of the log
 * have its salts; what lies behind them is of an earlier one. 1, 0, -1. */
static int log_goes_on(struct disk *disk, const char *path, int64_t page, uint32_t counted,
	struct commit *commit, struct err *err) {
	char *name = xasprintf("%s-wal", path);
	uint8_t header[LOG_HEADER], frame[FRAME_HEADER];
	struct disk_stat stat;
	int rc = -1;

	int fd = disk_open_file(disk, name, &stat, err);
	if (fd < 0) goto free;
	rc = 0;
	if (disk_pread(disk, fd, header, sizeof(header), 0) < (ssize_t)sizeof(header)) goto close;
	commit->first = counted == 0 && memcmp(header + LOG_SEQUENCE_AT, zeros, 4) == 0;
	const uint8_t *salts = commit->first ? header + LOG_SALTS_AT : commit->salts;
	for (uint32_t n = 0; n < FRAMES_MOST && rc == 0; n++) {
		int64_t at = LOG_HEADER + ((int64_t)counted + n) * (FRAME_HEADER + page);
		if (disk_pread(disk, fd, frame, sizeof(frame), at) < (ssize_t)sizeof(frame) ||
			memcmp(frame + FRAME_SALTS_AT, salts, SALTS) != 0)
			break;
		rc = memcmp(frame + FRAME_COMMIT_AT, zeros, 4) != 0;
		commit->frames = counted + n + 1;
	}
	commit->seen = rc == 1;
close:
	disk_close_file(disk, fd);
free:
	free(name);
	return rc;
}

/* 1: `commit`, or one that it becomes, is half done; 0: none is, or that one is through: a writer that commits
 * all the time is always in the middle of the next. -1. */
static int is_pending(struct disk *disk, const char *path, struct commit *commit, struct err *err) {
	uint8_t index[2 * INDEX_HEADER];
	uint16_t page;
	uint32_t counted;

	ssize_t got = read_beside(disk, path, "-shm", index, sizeof(index), err);
	if (got < 0) return -1;
	/* Not made yet, or to be made anew: SQLite says so to whoever reads. */
	if (got < (ssize_t)sizeof(index) || !index[INDEX_READY_AT]) return 0;
	if (memcmp(index, index + INDEX_HEADER, INDEX_HEADER) != 0) return 1;
	memcpy(&page, index + INDEX_PAGE_AT, sizeof(page));
	memcpy(&counted, index + INDEX_FRAMES_AT, sizeof(counted));
	if (commit->seen) {
		/* A log is begun anew when all of it was counted. */
		bool anew =
			!commit->first && memcmp(index + INDEX_SALTS_AT, commit->salts, SALTS) != 0;
		return !anew && counted < commit->frames;
	}
	memcpy(commit->salts, index + INDEX_SALTS_AT, SALTS);
	return log_goes_on(disk, path, page == 1 ? 65536 : page, counted, commit, err);
}

static bool is_old(const struct beside *beside) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - beside->source.wal_mtime_ns / NS_PER_S > OLD_S;
}

int snapshot_await_commit(
	struct disk *disk, const char *path, const struct beside *beside, struct err *err) {
	static const struct timespec step = { .tv_nsec = STEP_MS * NS_PER_MS };
	struct commit commit = { .seen = false };
	int pending = 1;

	for (int waited = 0; pending > 0 && waited < WAIT_MS; waited += STEP_MS) {
		if (waited > 0) nanosleep(&step, NULL);
		pending = is_pending(disk, path, &commit, err);
	}
	/* Whoever ended meanwhile took its log along. */
	if (pending < 0) return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (pending == 0 || is_old(beside)) return 0;
	err_set(err, ERR_BUSY, "a commit is under way in the database; it is tried again");
	err->retry_ms = 100;
	return -1;
}
