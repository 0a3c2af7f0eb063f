#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "disk/snapshot.h"

/* A private folder beside the image, so that a repeat finds and clears what a crash left. */
static const char *const copied[] = { "", "-wal", "-journal" };

/* A writer that lets nobody in may pause all the same: one that ended just now does for good. */
enum { REST_WAIT_MS = 500, REST_STEP_MS = 10 };

static char *copy_folder(const char *image) {
	return xasprintf("%s.copy", image);
}

static void clear(const char *folder) {
	static const char *const suffixes[] = { "", "-wal", "-journal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char *name = xasprintf("%s/db%s", folder, suffixes[i]);
		unlink(name);
		free(name);
	}
	rmdir(folder);
}

static int copy_file(struct disk *disk, const char *path, const char *to, struct err *err) {
	struct disk_stat stat;
	int rc = -1;

	int from_fd = disk_open_file(disk, path, &stat, err);
	if (from_fd < 0) return -1;
	int to_fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to_fd < 0) {
		disk_fail(err, errno, "create", to);
	} else {
		rc = disk_copy_span(from_fd, 0, to_fd, 0, stat.size, err);
		close(to_fd);
	}
	close(from_fd);
	return rc;
}

static int copy_all(struct disk *disk, const char *path, const struct beside *beside,
	const char *folder, struct err *err) {
	const bool there[] = { true, beside->source.has_wal, beside->has_journal };

	for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
		if (!there[i]) continue;
		char *from = xasprintf("%s%s", path, copied[i]);
		char *to = xasprintf("%s/db%s", folder, copied[i]);
		int rc = copy_file(disk, from, to, err);
		free(from);
		free(to);
		if (rc < 0) return -1;
	}
	return 0;
}

static int fail_busy(struct err *err) {
	err_set(err, ERR_BUSY, "the database is being written; it is tried again");
	err->retry_ms = 100;
	return -1;
}

/* Until nobody has written for a moment: a change after that would show. 0, or -1 with err. */
static int await_rest(struct disk *disk, const char *path, struct beside *beside, struct err *err) {
	const struct timespec step = { .tv_nsec = (long)(REST_STEP_MS * NS_PER_MS) };

	for (int waited_ms = 0;; waited_ms += REST_STEP_MS) {
		if (snapshot_look(disk, path, beside, err) < 0) return -1;
		if (!snapshot_is_fresh(beside)) return 0;
		if (waited_ms >= REST_WAIT_MS) return fail_busy(err);
		nanosleep(&step, NULL);
	}
}

/* Nobody's lock protects this: what lay there before must lie there after, and old enough that a
 * change in between would show. */
int snapshot_by_copy(struct disk *disk, const char *path, const char *image, struct err *err) {
	struct beside before, after;
	char *folder = copy_folder(image), *database = xasprintf("%s/db", folder);
	int rc = -1;

	clear(folder);
	if (await_rest(disk, path, &before, err) < 0) goto free;
	if (mkdir(folder, 0700) < 0) {
		disk_fail(err, errno, "make folder", folder);
		goto free;
	}
	/* The database first, then its log: a checkpoint in between moves pages into what is copied
	 * already, and shows in the times of both. */
	if (copy_all(disk, path, &before, folder, err) < 0) {
		/* Taken away or shortened under our hands. */
		if (err->kind == ERR_NOT_FOUND || err->kind == ERR_CHANGED) fail_busy(err);
		goto clear;
	}
	if (snapshot_look(disk, path, &after, err) < 0) goto clear;
	if (!snapshot_same(&before, &after)) {
		fail_busy(err);
		goto clear;
	}
	rc = snapshot_of_own(database, image, err);
clear:
	clear(folder);
free:
	free(database);
	free(folder);
	return rc;
}
