/* Reading a log for somebody: the last lines, then what follows, over rotations. Blocks are read in
 * jobs and handed out on the loop. */
#include "service/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10 };

struct service_follow {
	struct list link; /* in the log's; alone once that is gone */
	struct loop *loop;
	bool following;
	void (*ready)(void *user);
	void *user;
	struct defer defer;
	struct job job;
	bool working;
	bool woken; /* while a job ran: look once more */
	bool ended, freed;
	/* the job's */
	char *path;
	int fd; /* -1: not open */
	int64_t lines;
	int64_t left; /* without `following`: bytes the file still had when it was opened */
	char block[BLOCK_BYTES];
	size_t len, given;
};

/* ---- on a worker ---- */

/* Where the last `lines` lines begin. */
static off_t find_tail(int fd, off_t size, int64_t lines) {
	char bytes[4096];
	off_t at = size;
	if (lines < 0) return 0;
	if (lines == 0) return size;
	while (at > 0) {
		size_t want = at < (off_t)sizeof(bytes) ? (size_t)at : sizeof(bytes);
		at -= (off_t)want;
		if (pread(fd, bytes, want, at) != (ssize_t)want) return 0;
		for (size_t i = want; i-- > 0;) {
			/* The newline at the very end ends the last line; it begins none. */
			if (bytes[i] != '\n' || at + (off_t)i + 1 == size) continue;
			if (--lines == 0) return at + (off_t)i + 1;
		}
	}
	return 0;
}

static int open_tail(struct service_follow *follow, struct err *err) {
	struct stat st;
	follow->fd = open(follow->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (follow->fd < 0) {
		if (errno == ENOENT) return 0; /* nothing was written yet */
		return err_sys(err, errno, "cannot open the log '%s'", follow->path);
	}
	if (fstat(follow->fd, &st) != 0)
		return err_sys(err, errno, "cannot read the log '%s'", follow->path);
	off_t begin = find_tail(follow->fd, st.st_size, follow->lines);
	lseek(follow->fd, begin, SEEK_SET);
	follow->left = st.st_size - begin;
	follow->lines = -1; /* of the next file all */
	return 0;
}

/* True when the name stands for another file now. */
static bool was_rotated(const struct service_follow *follow) {
	struct stat mine, now;
	return fstat(follow->fd, &mine) == 0 && stat(follow->path, &now) == 0 &&
	       (mine.st_ino != now.st_ino || mine.st_dev != now.st_dev);
}

static int read_block(struct job *job, struct err *err) {
	struct service_follow *follow = container_of(job, struct service_follow, job);
	follow->len = follow->given = 0;
	for (;;) {
		if (follow->fd < 0 && open_tail(follow, err) != 0) return -1;
		if (follow->fd < 0) return 0;
		size_t want = sizeof(follow->block);
		/* Who only looks must not be held by a service that writes faster than it reads. */
		if (!follow->following && follow->left < (int64_t)want) want = (size_t)follow->left;
		ssize_t got = read(follow->fd, follow->block, want);
		if (got < 0) return err_sys(err, errno, "cannot read the log '%s'", follow->path);
		follow->len = (size_t)got;
		follow->left -= got;
		if (got > 0 || !follow->following || !was_rotated(follow)) return 0;
		close(follow->fd);
		follow->fd = -1;
	}
}

/* ---- on the loop ---- */

static void really_free(struct service_follow *follow) {
	list_remove(&follow->link);
	defer_cancel(&follow->defer);
	if (follow->fd >= 0) close(follow->fd);
	free(follow->path);
	free(follow);
}

static void look(struct service_follow *follow) {
	if (follow->working) {
		follow->woken = true;
		return;
	}
	if (follow->ended || follow->given < follow->len) return;
	follow->working = true;
	follow->woken = false;
	job_start(follow->loop, &follow->job);
}

static void block_read(struct job *job, const struct err *err) {
	struct service_follow *follow = container_of(job, struct service_follow, job);
	follow->working = false;
	if (follow->freed) {
		really_free(follow);
		return;
	}
	if (err && err->kind != ERR_CANCELLED) log_warn("%s", err->text);
	bool alone = list_empty(&follow->link);
	if (err || (follow->len == 0 && (!follow->following || alone))) follow->ended = true;
	if (follow->len > 0 || follow->ended)
		defer_start(follow->loop, &follow->defer);
	else if (follow->woken)
		look(follow);
}

static void tell_ready(struct defer *defer) {
	struct service_follow *follow = container_of(defer, struct service_follow, defer);
	follow->ready(follow->user);
}

struct service_follow *service_follow_new(struct service *service, int64_t lines, bool follow,
	void (*ready)(void *user), void *user) {
	struct service_follow *reader = xcalloc(1, sizeof(*reader));
	reader->loop = service->log.loop;
	reader->following = follow;
	reader->ready = ready;
	reader->user = user;
	reader->path = xstrdup(service->log.work.path);
	reader->fd = -1;
	reader->lines = lines;
	reader->job = (struct job){ .work = read_block, .done = block_read };
	defer_init(&reader->defer, tell_ready);
	list_add_tail(&service->log.follows, &reader->link);
	look(reader);
	return reader;
}

ssize_t service_follow_read(struct service_follow *follow, void *bytes, size_t size) {
	if (!follow->working && follow->given < follow->len) {
		size_t left = follow->len - follow->given;
		size_t len = left < size ? left : size;
		memcpy(bytes, follow->block + follow->given, len);
		follow->given += len;
		look(follow);
		return (ssize_t)len;
	}
	if (follow->ended) return -1;
	look(follow);
	return 0;
}

void service_follow_free(struct service_follow *follow) {
	if (!follow) return;
	follow->freed = true;
	defer_cancel(&follow->defer);
	if (follow->working) {
		list_remove(&follow->link);
		job_cancel(&follow->job);
	} else {
		really_free(follow);
	}
}

void service_follows_wake(struct service_log *log) {
	list_each(&log->follows, link) look(container_of(link, struct service_follow, link));
}

void service_follows_end(struct service_log *log) {
	list_each(&log->follows, link) {
		struct service_follow *follow = container_of(link, struct service_follow, link);
		list_remove(&follow->link);
		look(follow); /* reads to the end; alone, it ends there */
	}
}
