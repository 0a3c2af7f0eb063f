/* One step's log: lines from its command's pipe, and what tend says about it, each with its time. One block is read, then
 * written in a job, then the next is read: what a kill of tendd can lose is a block, and a slow disk makes the command wait. */
#include "step/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BLOCK_BYTES = 16 << 10,
	LINE_MAX_BYTES = 16 << 10,
	TEXT_MAX_BYTES = 1 << 20,
	FILE_BYTES_MAX = 4 << 20, /* then a new file is begun; one older one stays */
};

static void log_step(struct step_log *log);

/* ---- on a worker ---- */

static int append(const char *path, const struct buf *text, struct err *err) {
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return err_sys(err, errno, "cannot open the log '%s'", path);
	if (fstat(fd, &st) == 0 && st.st_size > FILE_BYTES_MAX) {
		char *older = xasprintf("%s.1", path);
		(void)rename(path, older); /* else it grows on */
		free(older);
		close(fd);
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) return err_sys(err, errno, "cannot open the log '%s'", path);
	}
	size_t done = 0;
	int result = 0;
	while (result == 0 && done < text->len) {
		ssize_t put = write(fd, text->at + done, text->len - done);
		if (put < 0) result = err_sys(err, errno, "cannot write the log '%s'", path);
		if (put > 0) done += (size_t)put;
	}
	close(fd);
	return result;
}

static int write_work(struct job *job, struct err *err) {
	struct log_write *write = container_of(job, struct log_write, job);
	return append(write->path, &write->text, err);
}

/* ---- lines ---- */

static void add_line(struct step_log *log, const char *bytes, size_t len) {
	char stamp[TIME_TEXT_SIZE];
	/* "\r" begins the line anew, as on a terminal: the last state is kept. */
	while (len > 0 && bytes[len - 1] == '\r') len--;
	for (size_t i = len; i-- > 0;) {
		if (bytes[i] != '\r') continue;
		bytes += i + 1;
		len -= i + 1;
		break;
	}
	time_format(loop_wall_ns(log->loop), stamp);
	buf_addf(&log->text, "%s ", stamp);
	buf_add(&log->text, bytes, len);
	buf_addc(&log->text, '\n');
}

static void cut_lines(struct step_log *log, bool all) {
	size_t done = 0;
	while (done < log->raw.len) {
		const char *at = log->raw.at + done, *end = memchr(at, '\n', log->raw.len - done);
		size_t left = log->raw.len - done, len = end ? (size_t)(end - at) : left;
		if (!end && !all && left < LINE_MAX_BYTES) break;
		add_line(log, at, len);
		done += len + (end ? 1 : 0);
	}
	buf_consume(&log->raw, done);
}

void step_log_say(struct step_log *log, const char *text) {
	char *line = xasprintf("tend: %s", text);
	cut_lines(log, true);
	add_line(log, line, strlen(line));
	free(line);
	log_step(log);
}

/* ---- from the pipe ---- */

static void close_fifo(struct step_log *log) {
	poll_stop(log->poll);
	log->poll = NULL;
	if (log->fifo_fd >= 0) close(log->fifo_fd);
	log->fifo_fd = -1;
}

/* False: nothing is there now, or nobody holds the other end any more. */
static bool read_block(struct step_log *log) {
	char block[BLOCK_BYTES];
	ssize_t got = read(log->fifo_fd, block, sizeof(block));
	if (got <= 0) return false;
	buf_add(&log->raw, block, (size_t)got);
	cut_lines(log, false);
	return true;
}

static void fifo_ready(void *user, int events) {
	struct step_log *log = user;
	(void)events;
	/* Readable and empty: the keeper died; it would stay so. */
	if (!log->writing && !read_block(log)) poll_change(log->poll, 0);
	log_step(log);
}

int step_log_attach(struct step_log *log, struct err *err) {
	close_fifo(log);
	log->fifo_fd = open(log->fifo_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (log->fifo_fd < 0)
		return err_sys(err, errno, "cannot open the log pipe '%s'", log->fifo_path);
	log->poll = poll_start(log->loop, log->fifo_fd, POLL_READ, fifo_ready, log);
	return 0;
}

/* ---- what is next ---- */

/* What could not be written is dropped: a full disk must not stop the machine from being brought up. */
static void write_done(struct job *job, const struct err *err) {
	struct step_log *log = container_of(job, struct step_log, write.job);
	log->writing = false;
	buf_clear(&log->write.text);
	if (err && !log->complained) log_warn("%s", err->text);
	log->complained = err != NULL;
	if (!log->detached) process_follows_wake(&log->follows);
	log_step(log);
}

static void start_write(struct step_log *log) {
	struct buf swap = log->write.text;
	log->write.text = log->text;
	log->text = swap;
	log->writing = true;
	job_start(log->loop, &log->write.job);
}

static void log_step(struct step_log *log) {
	if (log->writing) {
		if (log->poll) poll_change(log->poll, 0);
		return;
	}
	if (log->drained && log->text.len == 0) {
		if (log->fifo_fd >= 0 && !(!log->detached && read_block(log))) close_fifo(log);
		if (log->fifo_fd < 0) cut_lines(log, true);
		if (log->fifo_fd >= 0 && log->text.len == 0) {
			log_step(log);
			return;
		}
	}
	if (log->text.len == 0 && log->settled && !log->detached) {
		log->settled = false;
		process_follows_settled(&log->follows);
	}
	if (log->text.len > 0)
		start_write(log);
	else if (log->drained)
		defer_start(log->loop, &log->defer);
	else if (log->poll)
		poll_change(log->poll, POLL_READ);
}

void step_log_settled(struct step_log *log) {
	log->settled = true;
	log_step(log);
}

static void say_drained(struct defer *defer) {
	struct step_log *log = container_of(defer, struct step_log, defer);
	void (*drained)(void *user) = log->drained;
	log->drained = NULL;
	if (drained) drained(log->user);
}

void step_log_drain(struct step_log *log, void (*drained)(void *user), void *user) {
	log->drained = drained;
	log->user = user;
	log_step(log);
}

void step_log_detach(struct step_log *log, void (*drained)(void *user), void *user) {
	log->detached = true;
	step_log_drain(log, drained, user);
}

/* ---- its life ---- */

void step_log_init(struct step_log *log, struct loop *loop, const char *name,
	const struct steps_options *options) {
	*log = (struct step_log){ .loop = loop, .fifo_fd = -1 };
	log->fifo_path = xasprintf("%s/step-%s", options->runtime_dir, name);
	log->path = xasprintf("%s/steps/%s.log", options->log_dir, name);
	log->write.path = log->path;
	log->write.job = (struct job){ .work = write_work, .done = write_done };
	buf_init(&log->raw, LINE_MAX_BYTES + BLOCK_BYTES);
	buf_init(&log->text, TEXT_MAX_BYTES);
	buf_init(&log->write.text, TEXT_MAX_BYTES);
	defer_init(&log->defer, say_drained);
	list_init(&log->follows);
}

void step_log_release(struct step_log *log) {
	assert(!log->writing);
	process_follows_end(&log->follows);
	close_fifo(log);
	defer_cancel(&log->defer);
	buf_release(&log->raw);
	buf_release(&log->text);
	buf_release(&log->write.text);
	free(log->fifo_path);
	free(log->path);
}

struct process_follow *step_follow(struct step *step, int64_t lines, enum process_follow_mode mode,
	void (*ready)(void *user), void *user) {
	struct step_log *log = &step->log;
	return process_follow_new(log->loop, &log->follows, log->path, lines, mode, ready, user);
}
