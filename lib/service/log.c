/*
 * One service's log: pipe, spool, file. The loop moves bytes from the pipe to the spool and cuts
 * lines; one job at a time opens, writes or rotates; another packs an old log meanwhile. When the
 * disk is slow the spool fills, then the pipe, then the service waits: nothing is lost. When the
 * disk refuses, lines are dropped and counted, for a full disk must not stop a service.
 */
#include "service/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_MS = 1000, RETRY_MS = 1000, ROTATE_RETRY_MS = 60000, TEXT_MAX = 2 * SPOOL_BYTES };

static void log_step(struct service_log *log);

/* ---- from the pipe ---- */

static void fifo_ready(void *user, int events) {
	struct service_log *log = user;
	(void)events;
	/* Nothing, though there is room: the keeper died and nobody holds the other end. It stays
	 * readable, so it is left alone until it is drained. */
	if (spool_read(log->spool, log->fifo_fd) == 0 && spool_room(log->spool) > 0) {
		log->polling = false;
		poll_change(log->poll, 0);
		log->hung_up = true;
	}
	log_step(log);
}

/* A full spool is not asked for: the pipe stays readable and the loop would only spin. */
static void set_polling(struct service_log *log) {
	bool wanted = spool_room(log->spool) > 0;
	if (!log->poll || log->hung_up || wanted == log->polling) return;
	log->polling = wanted;
	poll_change(log->poll, wanted ? POLL_READ : 0);
}

static void close_fifo(struct service_log *log) {
	poll_stop(log->poll);
	log->poll = NULL;
	if (log->fifo_fd >= 0) close(log->fifo_fd);
	log->fifo_fd = -1;
}

static int open_fifo(struct service_log *log, struct err *err) {
	if (!log->spool) log->spool = spool_open(log->spool_path, err);
	if (!log->spool) return -1;
	log->fifo_fd = open(log->fifo_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (log->fifo_fd < 0)
		return err_sys(err, errno, "cannot open the log pipe '%s'", log->fifo_path);
	log->polling = true;
	log->hung_up = false;
	log->poll = poll_start(log->loop, log->fifo_fd, POLL_READ, fifo_ready, log);
	return 0;
}

int service_log_attach(struct service_log *log, struct err *err) {
	close_fifo(log);
	if (open_fifo(log, err) == 0) return 0;
	timer_start(&log->retry_timer, RETRY_MS);
	return -1;
}

static void retry_fired(struct timer *timer) {
	struct service_log *log = container_of(timer, struct service_log, retry_timer);
	struct err err;
	if (log->fifo_fd < 0 && !log->drained && open_fifo(log, &err) != 0)
		timer_start(timer, RETRY_MS);
	log_step(log);
}

/* ---- what the workers did ---- */

static uint64_t count_lines(const struct buf *text) {
	uint64_t lines = 0;
	for (size_t i = 0; i < text->len; i++) lines += text->at[i] == '\n';
	return lines;
}

/* The spool is full and the disk refuses: the service would stand still. */
static void drop_lines(struct service_log *log) {
	size_t len;
	const char *bytes = spool_bytes(log->spool, &len);
	buf_clear(&log->work.text);
	spool_skip(log->spool, log_cut(bytes, len, true, 0, &log->work.text));
	log->lost_lines += count_lines(&log->work.text);
}

static void work_failed(struct service_log *log, const struct err *err) {
	if (log->work.task == LOG_TASK_ROTATE) {
		log_warn("%s; it grows beyond log_max_size meanwhile", err->text);
		log->rotate_at_ms = loop_now_ms(log->loop) + ROTATE_RETRY_MS;
		log->opened = false; /* which file it is now is not known */
		return;
	}
	if (!log->complained) log_error("%s; lines are dropped when there are too many", err->text);
	log->complained = true;
	log->opened = false; /* opening anew may help: a file system that came back */
	if (spool_room(log->spool) == 0 || log->drained) drop_lines(log);
	timer_start(&log->retry_timer, RETRY_MS);
}

/* Of the lines just written, for whoever has room for one. */
static void note_last(struct service_log *log) {
	const struct buf *text = &log->work.text;
	size_t end = text->len ? text->len - 1 : 0, begin = end;
	while (begin > 0 && text->at[begin - 1] != '\n') begin--;
	const char *space = memchr(text->at + begin, ' ', end - begin);
	if (!space) return;
	char *line = xstrndup(space + 1, (size_t)(text->at + end - space - 1));
	char *clean = str_printable(line);
	snprintf(log->last, sizeof(log->last), "%s", clean);
	free(clean);
	free(line);
}

static void work_succeeded(struct service_log *log) {
	log->opened = true;
	spool_commit(log->spool, log->taken, log->work.inode, log->work.file_bytes);
	if (log->work.task == LOG_TASK_WRITE) {
		if (log->complained) log_info("the log of '%s' is written again", log->work.name);
		log->complained = false;
		note_last(log);
		if (log->work.journal_err.kind != ERR_NONE && !log->journal_complained)
			log_error("%s; lines of '%s' are in its file alone",
				log->work.journal_err.text, log->work.name);
		log->journal_complained = log->work.journal_err.kind != ERR_NONE;
		log->lost_told = log->lost_telling;
	}
	if (log->work.task == LOG_TASK_ROTATE && log->keep > 0) {
		log->packing = true;
		job_start(log->loop, &log->pack.job);
	}
}

static void work_done(struct job *job, const struct err *err) {
	struct service_log *log = container_of(job, struct service_log, work.job);
	log->working = false;
	if (!err)
		work_succeeded(log);
	else if (err->kind != ERR_CANCELLED)
		work_failed(log, err);
	log->taken = 0;
	buf_clear(&log->work.text);
	if (!err) process_follows_wake(&log->follows);
	log_step(log);
}

static void pack_done(struct job *job, const struct err *err) {
	struct service_log *log = container_of(job, struct service_log, pack.job);
	log->packing = false;
	if (err && err->kind != ERR_CANCELLED) log_warn("%s", err->text);
	log_step(log);
}

static int work_work(struct job *job, struct err *err) {
	return log_work_do(container_of(job, struct log_work, job), err);
}

static int pack_work(struct job *job, struct err *err) {
	return log_pack_do(container_of(job, struct log_pack, job), err);
}

static void start_work(struct service_log *log, enum log_task task) {
	log->working = true;
	log->work.task = task;
	log->work.keep = log->keep;
	log->work.where = log->where;
	if (task != LOG_TASK_WRITE) { /* the lines are cut again when the file is there */
		buf_clear(&log->work.text);
		log->taken = 0;
	}
	if (task == LOG_TASK_OPEN) {
		log->work.recover = log->recover;
		log->recover = log->reopen = false;
		spool_agreed(log->spool, &log->work.inode, &log->work.file_bytes);
	}
	job_start(log->loop, &log->work.job);
}

/* ---- what is next ---- */

static bool all_written(const struct service_log *log) {
	size_t len = 0;
	if (log->spool) spool_bytes(log->spool, &len);
	return len == 0;
}

static void cut_lines(struct service_log *log) {
	char stamp[TIME_TEXT_SIZE];
	size_t len;
	const char *bytes = spool_bytes(log->spool, &len);
	/* A piece was written before its end came: that end is no empty line. */
	if (log->flushed && len > 0) {
		log->flushed = false;
		if (*bytes == '\n') spool_skip(log->spool, 1);
		bytes = spool_bytes(log->spool, &len);
	}
	log->lost_telling = log->lost_lines;
	if (len > 0 && log->lost_lines != log->lost_told) {
		time_format(loop_wall_ns(log->loop), stamp);
		buf_addf(&log->work.text, "%s tend: %llu lines could not be written here\n", stamp,
			(unsigned long long)(log->lost_lines - log->lost_told));
	}
	bool flush = log->flush || (log->drained && log->fifo_fd < 0);
	log->taken = log_cut(bytes, len, flush, loop_wall_ns(log->loop), &log->work.text);
}

static bool is_over_size(struct service_log *log) {
	return log->max_bytes > 0 && log->work.file_bytes > 0 &&
	       log->work.file_bytes + log->work.text.len > (uint64_t)log->max_bytes &&
	       loop_now_ms(log->loop) >= log->rotate_at_ms;
}

/* What is left has no end yet; it is written as it is after a while, unless it is begun anew again
 * and again. */
static void watch_piece(struct service_log *log, bool begun_anew) {
	if (all_written(log))
		timer_cancel(&log->piece_timer);
	else if (begun_anew || !timer_running(&log->piece_timer))
		timer_start(&log->piece_timer, PIECE_MS);
}

static void piece_fired(struct timer *timer) {
	struct service_log *log = container_of(timer, struct service_log, piece_timer);
	if (log->working) return; /* what is there when that is done waits anew */
	/* We may be late, and its end in the pipe. */
	log->flush = log->fifo_fd < 0 || spool_read(log->spool, log->fifo_fd) == 0;
	log_step(log);
}

static void write_lines(struct service_log *log) {
	cut_lines(log);
	if (log->work.text.len == 0) {
		if (log->taken) spool_skip(log->spool, log->taken); /* overwritten on their line */
		watch_piece(log, log->taken > 0);
		log->taken = 0;
		log->flush = false;
		return;
	}
	if (is_over_size(log)) {
		if (log->packing) { /* one old log at a time: pack_done goes on */
			buf_clear(&log->work.text);
			log->taken = 0;
		} else {
			start_work(log, LOG_TASK_ROTATE);
		}
		return;
	}
	size_t len;
	const char *bytes = spool_bytes(log->spool, &len);
	if (log->flush && log->taken == len && bytes[len - 1] != '\n') log->flushed = true;
	log->flush = false;
	/* A piece behind these lines is another one, and has not waited yet. */
	timer_cancel(&log->piece_timer);
	start_work(log, LOG_TASK_WRITE);
}

/* Whoever wrote is gone, so an empty pipe stays empty. */
static void drain(struct service_log *log) {
	while (log->fifo_fd >= 0 && spool_room(log->spool) > 0)
		if (spool_read(log->spool, log->fifo_fd) == 0) close_fifo(log);
}

static void log_step(struct service_log *log) {
	if (log->closed) {
		if (!log->working && !log->packing) defer_start(log->loop, &log->defer);
		return;
	}
	if (log->drained) drain(log);
	if (log->spool && !log->working) {
		bool waits = log->complained && timer_running(&log->retry_timer) && !log->drained;
		if (waits) {
			/* retry_fired comes back here */
		} else if (log->reopen || (!log->opened && !all_written(log))) {
			start_work(log, LOG_TASK_OPEN);
		} else if (log->opened) {
			write_lines(log);
		}
	}
	if (log->drained && !log->working && log->fifo_fd < 0 && all_written(log))
		defer_start(log->loop, &log->defer);
	if (log->spool) set_polling(log);
}

/* ---- its life ---- */

static void say(struct defer *defer) {
	struct service_log *log = container_of(defer, struct service_log, defer);
	void (*call)(void *user) = log->closed ? log->closed : log->drained;
	if (!log->closed) {
		timer_cancel(&log->piece_timer);
		timer_cancel(&log->retry_timer);
		log->flushed = false; /* the next run begins its own line */
	}
	log->drained = log->closed = NULL;
	if (call) call(log->user);
}

void service_log_init(struct service_log *log, struct loop *loop, const char *name,
	const struct services_options *options) {
	*log = (struct service_log){ .loop = loop, .fifo_fd = -1, .recover = true };
	log->fifo_path = xasprintf("%s/log-%s", options->runtime_dir, name);
	log->spool_path = xasprintf("%s/spool-%s", options->runtime_dir, name);
	log->work.path = xasprintf("%s/%s.log", options->log_dir, name);
	log->work.name = xstrdup(name);
	log->work.fd = log->work.journal_fd = -1;
	log->work.job = (struct job){ .work = work_work, .done = work_done };
	log->pack.job = (struct job){ .work = pack_work, .done = pack_done };
	log->pack.path = log->work.path;
	buf_init(&log->work.text, TEXT_MAX);
	timer_init(&log->piece_timer, loop, piece_fired);
	timer_init(&log->retry_timer, loop, retry_fired);
	defer_init(&log->defer, say);
	list_init(&log->follows);
}

/* Empty, it has nothing to say to a next life. */
static void close_spool(struct service_log *log) {
	if (!log->spool) return;
	if (all_written(log)) unlink(log->spool_path);
	spool_close(log->spool);
	log->spool = NULL;
}

void service_log_release(struct service_log *log) {
	assert(!log->working && !log->packing);
	process_follows_end(&log->follows);
	close_fifo(log);
	timer_cancel(&log->piece_timer);
	timer_cancel(&log->retry_timer);
	defer_cancel(&log->defer);
	close_spool(log);
	if (log->work.fd >= 0) close(log->work.fd);
	log_journal_close(&log->work);
	buf_release(&log->work.text);
	free(log->fifo_path);
	free(log->spool_path);
	free(log->work.path);
	free(log->work.name);
}

void service_log_recover(struct service_log *log) {
	struct err err;
	if (access(log->spool_path, F_OK) != 0) return;
	log->spool = spool_open(log->spool_path, &err);
	if (!log->spool) log_warn("%s", err.text);
	log_step(log);
}

void service_log_settings(struct service_log *log, const struct service_settings *settings) {
	static const unsigned places[] = { LOG_TO_FILE, LOG_TO_JOURNAL,
		LOG_TO_FILE | LOG_TO_JOURNAL };
	unsigned where = places[settings->log];
	bool moved = log->where != where;
	log->max_bytes = settings->log_max_size_bytes;
	log->keep = settings->log_keep;
	log->where = where;
	if (moved) service_log_reopen(log);
}

void service_log_drain(struct service_log *log, void (*drained)(void *user), void *user) {
	log->drained = drained;
	log->user = user;
	log_step(log);
}

void service_log_close(struct service_log *log, void (*closed)(void *user), void *user) {
	log->closed = closed;
	log->user = user;
	defer_cancel(&log->defer);
	close_fifo(log);
	timer_cancel(&log->piece_timer);
	timer_cancel(&log->retry_timer);
	if (log->working) job_cancel(&log->work.job);
	if (log->packing) job_cancel(&log->pack.job);
	/* The next log of this name may begin before this one is gone. */
	if (!log->working) close_spool(log);
	log_step(log);
}

void service_log_reopen(struct service_log *log) {
	if (!log->spool || !log->opened) return;
	log->reopen = true;
	log_step(log);
}

struct process_follow *service_follow(struct service *service, int64_t lines, bool follow,
	void (*ready)(void *user), void *user) {
	struct service_log *log = &service->log;
	return process_follow_new(log->loop, &log->follows, log->work.path, lines,
		follow ? PROCESS_FOLLOW : PROCESS_FOLLOW_NOT, ready, user);
}
