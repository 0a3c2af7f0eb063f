/* Reading the log of a child for somebody: the last lines, then what follows, over rotations. Blocks are read in jobs and handed out
 * on the loop. */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10 };

struct process_follow {
	struct list link; /* in its log's; alone once that is gone */
	struct loop *loop;
	enum process_follow_mode mode;
	void (*ready)(void *user);
	void *user;
	struct defer defer;
	struct job job;
	bool working, woken;
	bool settled; /* what is there now is the end */
	bool ended, freed;
	/* the job's */
	char *path;
	int fd; /* -1: not open */
	int64_t lines;
	off_t from;   /* where to begin when no line is asked for */
	int64_t left; /* PROCESS_FOLLOW_NOT: bytes it still had when it was opened */
	bool follows;
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

static int open_tail(struct process_follow *follow, struct err *err) {
	struct stat st;
	int64_t lines = follow->lines;
	follow->lines = -1; /* of a file that comes later all */
	follow->fd = open(follow->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (follow->fd < 0) {
		if (errno == ENOENT) return 0; /* nothing was written yet */
		return err_sys(err, errno, "cannot open the log '%s'", follow->path);
	}
	if (fstat(follow->fd, &st) != 0)
		return err_sys(err, errno, "cannot read the log '%s'", follow->path);
	off_t begin = lines == 0 ? follow->from : find_tail(follow->fd, st.st_size, lines);
	lseek(follow->fd, begin, SEEK_SET);
	follow->left = st.st_size - begin;
	return 0;
}

static bool was_replaced(const struct process_follow *follow) {
	struct stat mine, now;
	return fstat(follow->fd, &mine) == 0 && stat(follow->path, &now) == 0 &&
	       (mine.st_ino != now.st_ino || mine.st_dev != now.st_dev);
}

static int read_block(struct job *job, struct err *err) {
	struct process_follow *follow = container_of(job, struct process_follow, job);
	follow->len = follow->given = 0;
	for (;;) {
		if (follow->fd < 0 && open_tail(follow, err) != 0) return -1;
		if (follow->fd < 0) return 0;
		size_t want = sizeof(follow->block);
		/* Who only looks must not be held by a child that writes faster than it reads. */
		if (!follow->follows && follow->left < (int64_t)want)
			want = follow->left > 0 ? (size_t)follow->left : 0;
		ssize_t got = read(follow->fd, follow->block, want);
		if (got < 0) return err_sys(err, errno, "cannot read the log '%s'", follow->path);
		follow->len = (size_t)got;
		follow->left -= got;
		if (got > 0 || !follow->follows || !was_replaced(follow)) return 0;
		close(follow->fd);
		follow->fd = -1;
	}
}

/* ---- on the loop ---- */

static void really_free(struct process_follow *follow) {
	list_remove(&follow->link);
	defer_cancel(&follow->defer);
	if (follow->fd >= 0) close(follow->fd);
	free(follow->path);
	free(follow);
}

static void look(struct process_follow *follow) {
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
	struct process_follow *follow = container_of(job, struct process_follow, job);
	follow->working = false;
	if (follow->freed) {
		really_free(follow);
		return;
	}
	if (err && err->kind != ERR_CANCELLED) log_warn("%s", err->text);
	/* Settled while this job was under way: it may have looked before the last line came. */
	bool last = follow->settled && !follow->woken;
	if (err || (follow->len == 0 && (follow->mode == PROCESS_FOLLOW_NOT || last)))
		follow->ended = true;
	if (follow->len > 0 || follow->ended)
		defer_start(follow->loop, &follow->defer);
	else if (follow->woken)
		look(follow);
}

static void tell_ready(struct defer *defer) {
	struct process_follow *follow = container_of(defer, struct process_follow, defer);
	follow->ready(follow->user);
}

struct process_follow *process_follow_new(struct loop *loop, struct list *all, const char *path,
	int64_t lines, enum process_follow_mode mode, void (*ready)(void *user), void *user) {
	struct process_follow *follow = xcalloc(1, sizeof(*follow));
	follow->loop = loop;
	follow->mode = mode;
	follow->follows = mode != PROCESS_FOLLOW_NOT;
	follow->ready = ready;
	follow->user = user;
	follow->path = xstrdup(path);
	follow->fd = -1;
	follow->lines = lines;
	/* Now, not when the job has its turn: lines may come in between. */
	struct stat st;
	if (lines == 0 && stat(follow->path, &st) == 0) follow->from = st.st_size;
	follow->job = (struct job){ .work = read_block, .done = block_read };
	defer_init(&follow->defer, tell_ready);
	list_add_tail(all, &follow->link);
	look(follow);
	return follow;
}

ssize_t process_follow_read(struct process_follow *follow, void *bytes, size_t size) {
	if (!follow->working && follow->given < follow->len) {
		size_t left = follow->len - follow->given, len = left < size ? left : size;
		memcpy(bytes, follow->block + follow->given, len);
		follow->given += len;
		look(follow);
		return (ssize_t)len;
	}
	if (follow->ended) return -1;
	look(follow);
	return 0;
}

void process_follow_free(struct process_follow *follow) {
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

void process_follows_wake(struct list *all) {
	list_each(all, link) look(container_of(link, struct process_follow, link));
}

void process_follows_settled(struct list *all) {
	list_each(all, link) {
		struct process_follow *follow = container_of(link, struct process_follow, link);
		if (follow->mode != PROCESS_FOLLOW_RUN) continue;
		follow->settled = true;
		look(follow);
	}
}

void process_follows_end(struct list *all) {
	list_each(all, link) {
		struct process_follow *follow = container_of(link, struct process_follow, link);
		list_remove(&follow->link);
		follow->settled = true;
		look(follow);
	}
}
