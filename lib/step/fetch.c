/*
 * Bytes come in blocks: the loop takes them from the server, a job writes each beside the target, and the server is held
 * back meanwhile. What a crash or a broken line left half fetched is gone on with where a digest tells whether it was right.
 */
#include "step/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BLOCK_BYTES = 1 << 20,
	ENOUGH_BYTES = 256 << 10, /* for a job */
	REDIRECTS_MAX = 10,
	IDLE_MS = 60000,
};

enum fetch_state { FETCH_OPENING, FETCH_FETCHING, FETCH_ENDING, FETCH_CLEANING };

struct step_fetch {
	struct step *step;
	void (*done)(struct step *step, const struct err *err);
	enum fetch_state state;
	struct http_request request;
	bool asking;
	bool begun; /* the head of the answer was looked at */
	bool good;  /* and its body is the file, from `at` on */
	char *url, *range;
	const char *headers[4];
	int redirects;
	struct err err; /* ERR_NONE: all is well */
	struct job job;
	bool working;
	/* the job's */
	struct place place;
	char *part; /* the name below place.disk */
	int fd;     /* -1: not open */
	int64_t at; /* bytes that are in the part */
	struct buf block;
};

/* ---- on a worker ---- */

static int open_part(struct step_fetch *fetch, struct err *err) {
	struct step_work *work = &fetch->step->work;
	struct disk_stat stat;
	if (step_download_place(&fetch->place, work, err) != 0) return -1;
	if (place_make_parents(&fetch->place, 0755, err) != 0) return -1;
	fetch->part = work->settings->unpack ? xstrdup(fetch->place.name)
					     : xasprintf("%s.tend-part", fetch->place.name);
	fetch->fd = disk_open_write(fetch->place.disk, fetch->part, err);
	if (fetch->fd < 0 && err->kind == ERR_NOT_FOUND)
		fetch->fd = disk_create(fetch->place.disk, fetch->part, 0644, err);
	if (fetch->fd < 0) return -1;
	if (disk_set_times(fetch->fd, DISK_TIME_KEEP, 0644, err) != 0) return -1;
	if (!work->settings->sha256) return 0;
	if (disk_stat_open(fetch->fd, &stat, err) != 0) return -1;
	fetch->at = stat.size;
	return 0;
}

static int write_block(struct step_fetch *fetch, struct err *err) {
	const struct buf *block = &fetch->block;
	if (disk_write_span(fetch->fd, fetch->at, block->at, block->len, err) != 0) return -1;
	fetch->at += (int64_t)block->len;
	return 0;
}

/* tar knows what it is given by itself; zip archives are not its own. */
static char *unpack_script(const struct step_fetch *fetch, const char *to) {
	struct buf script;
	char *archive = path_join(disk_path(fetch->place.disk), fetch->part);
	const char *url = fetch->step->work.settings->download;
	size_t len = strcspn(url, "?#");
	bool zip = len > 4 && strncmp(url + len - 4, ".zip", 4) == 0;
	buf_init(&script, 64 << 10);
	buf_adds(&script, "mkdir -p -- ");
	step_add_word(&script, to);
	buf_adds(&script, zip ? "\nunzip -oq " : "\ntar -xf ");
	step_add_word(&script, archive);
	buf_adds(&script, zip ? " -d " : " -C ");
	step_add_word(&script, to);
	buf_adds(&script, "\nrm -f -- ");
	step_add_word(&script, archive);
	buf_addc(&script, '\n');
	free(archive);
	return buf_steal(&script);
}

static int check_digest(struct step_fetch *fetch, struct err *err) {
	const char *wanted = fetch->step->work.settings->sha256;
	char hex[LEDGER_DIGEST_SIZE];
	struct err ignored;
	if (!wanted) return 0;
	step_digest_of_place(&fetch->place, fetch->part, hex);
	if (step_is_digest(hex, wanted)) return 0;
	/* Not gone on with: it would be the wrong one for ever. */
	(void)disk_remove(fetch->place.disk, fetch->part, &ignored);
	return err_set(
		err, ERR_CORRUPT, "what came has the digest %s, not the one that is wanted", hex);
}

static int end_part(struct step_fetch *fetch, struct err *err) {
	struct step_work *work = &fetch->step->work;
	struct place *place = &fetch->place;
	/* A part of before may have been longer. */
	if (ftruncate(fetch->fd, fetch->at) != 0)
		return err_set(err, ERR_SYSTEM, "cannot cut '%s'", fetch->part);
	if (disk_sync_bytes(fetch->fd, err) != 0 || check_digest(fetch, err) != 0) return -1;
	if (!work->settings->unpack) {
		if (place_take(place, fetch->part, NULL, err) != 0) return -1;
		work->told =
			xasprintf("'%s' fetched, %lld bytes", place->path, (long long)fetch->at);
		return 0;
	}
	char *to = step_work_expand(work, work->settings->to, err);
	if (!to) return -1;
	work->script = unpack_script(fetch, to);
	free(to);
	return step_work_command(work, err);
}

static int fetch_work(struct job *job, struct err *err) {
	struct step_fetch *fetch = container_of(job, struct step_fetch, job);
	switch (fetch->state) {
	case FETCH_OPENING: return open_part(fetch, err);
	case FETCH_FETCHING: return write_block(fetch, err);
	case FETCH_ENDING: return end_part(fetch, err);
	default: return disk_remove(fetch->place.disk, fetch->part, err);
	}
}

/* ---- asking ---- */

static void ask(struct step_fetch *fetch) {
	struct http_request *request = &fetch->request;
	size_t count = 0;
	free(fetch->range);
	fetch->range = fetch->at > 0 ? xasprintf("Range: bytes=%lld-", (long long)fetch->at) : NULL;
	fetch->headers[count++] = "User-Agent: tend";
	/* What is counted and hashed is the file, not a packed form of it. */
	fetch->headers[count++] = "Accept-Encoding: identity";
	if (fetch->range) fetch->headers[count++] = fetch->range;
	fetch->headers[count] = NULL;
	fetch->begun = fetch->good = false;
	fetch->asking = true;
	request->url = fetch->url;
	http_request_start(fetch->step->steps->options.http, request);
}

/* A whole address, or a path on the same server; from https never to what anybody on the way can change. NULL: neither. */
static char *next_url(const struct step_fetch *fetch, const char *location) {
	char *url = NULL;
	if (*location == '/' && location[1] != '/') {
		const char *host = strstr(fetch->url, "://") + 3;
		size_t len = (size_t)(host - fetch->url) + strcspn(host, "/?#");
		url = xasprintf("%.*s%s", (int)len, fetch->url, location);
	} else {
		url = xstrdup(location);
	}
	bool safe = !str_starts(fetch->url, "https://") || str_starts(url, "https://");
	if (step_is_url(url) && safe) return url;
	free(url);
	return NULL;
}

static bool follow(struct step_fetch *fetch) {
	const char *location = http_header(&fetch->request, "Location");
	char *url =
		location && fetch->redirects++ < REDIRECTS_MAX ? next_url(fetch, location) : NULL;
	if (!url) return false;
	free(fetch->url);
	fetch->url = url;
	ask(fetch);
	return true;
}

/* Does the body go where we stand? */
static void look_at_head(struct step_fetch *fetch) {
	const struct http_request *request = &fetch->request;
	const char *range = http_header(request, "Content-Range");
	static const char bytes[] = "bytes ";
	fetch->begun = true;
	if (request->status == 200) {
		fetch->at = 0;
		fetch->good = true;
	} else if (request->status == 206 && range && str_starts(range, bytes)) {
		fetch->good = strtoll(range + strlen(bytes), NULL, 10) == fetch->at;
	}
}

/* ---- the flow ---- */

static void fetch_finish(struct step_fetch *fetch) {
	struct step *step = fetch->step;
	void (*done)(struct step * step, const struct err *err) = fetch->done;
	struct err err = fetch->err;
	if (fetch->fd >= 0) disk_close_file(fetch->place.disk, fetch->fd);
	http_request_release(&fetch->request);
	place_release(&fetch->place);
	buf_release(&fetch->block);
	free(fetch->url);
	free(fetch->range);
	free(fetch->part);
	free(fetch);
	done(step, err.kind == ERR_NONE ? NULL : &err);
}

static void start_job(struct step_fetch *fetch) {
	fetch->working = true;
	job_start(fetch->step->steps->options.loop, &fetch->job);
}

/* A job has the block: what comes meanwhile waits with the request, and when that is full, with the server. */
static void take_block(struct step_fetch *fetch) {
	struct buf *answer = &fetch->request.answer;
	buf_add(&fetch->block, answer->at, answer->len);
	buf_consume(answer, answer->len);
	if (fetch->asking) http_request_resume(&fetch->request);
	start_job(fetch);
}

static void fetch_step(struct step_fetch *fetch) {
	bool failed = fetch->err.kind != ERR_NONE;
	const struct buf *answer = &fetch->request.answer;
	if (fetch->working) return;
	if (failed && fetch->asking) {
		http_request_cancel(&fetch->request);
	} else if (failed && fetch->fd >= 0 && fetch->at == 0 && fetch->state == FETCH_FETCHING) {
		fetch->state = FETCH_CLEANING; /* nothing came: nothing is left */
		start_job(fetch);
	} else if (failed || fetch->state == FETCH_ENDING) {
		fetch_finish(fetch);
	} else if (fetch->state == FETCH_OPENING) {
		fetch->state = FETCH_FETCHING;
		ask(fetch);
	} else if (fetch->good && answer->len > 0 &&
		   (answer->len >= ENOUGH_BYTES || !fetch->asking)) {
		take_block(fetch);
	} else if (!fetch->asking) {
		fetch->state = FETCH_ENDING;
		start_job(fetch);
	}
}

static void arrived(struct http_request *request) {
	struct step_fetch *fetch = container_of(request, struct step_fetch, request);
	if (!fetch->begun) look_at_head(fetch);
	if (!fetch->good)
		buf_consume(&request->answer, request->answer.len);
	else
		fetch_step(fetch);
}

static void answered(struct http_request *request, const struct err *err) {
	struct step_fetch *fetch = container_of(request, struct step_fetch, request);
	fetch->asking = false;
	if (!err && !fetch->begun) look_at_head(fetch);
	if (err) {
		if (fetch->err.kind == ERR_NONE) fetch->err = *err;
	} else if (!fetch->good && request->status == 416 && fetch->at > 0) {
		log_debug("%s: all of it is here already",
			fetch->step->unit.id); /* its digest tells */
	} else if (!fetch->good && request->status >= 300 && request->status < 400) {
		if (follow(fetch)) return;
		err_set(&fetch->err, ERR_INVALID,
			"the server leads to an address that is not followed");
	} else if (!fetch->good) {
		err_set(&fetch->err, ERR_SYSTEM, "the server answers with status %d",
			request->status);
	}
	fetch_step(fetch);
}

static void job_done(struct job *job, const struct err *err) {
	struct step_fetch *fetch = container_of(job, struct step_fetch, job);
	fetch->working = false;
	buf_clear(&fetch->block);
	if (err && fetch->err.kind == ERR_NONE) fetch->err = *err;
	fetch_step(fetch);
}

struct step_fetch *step_fetch_start(
	struct step *step, void (*done)(struct step *step, const struct err *err)) {
	struct step_fetch *fetch = xcalloc(1, sizeof(*fetch));
	fetch->step = step;
	fetch->done = done;
	fetch->fd = -1;
	fetch->url = xstrdup(step->work.settings->download);
	fetch->job = (struct job){ .work = fetch_work, .done = job_done };
	buf_init(&fetch->block, BLOCK_BYTES);
	http_request_init(&fetch->request, "GET", fetch->url);
	fetch->request.headers = fetch->headers;
	fetch->request.answer_max = BLOCK_BYTES;
	fetch->request.idle_ms = IDLE_MS;
	fetch->request.arrived = arrived;
	fetch->request.done = answered;
	start_job(fetch);
	return fetch;
}

void step_fetch_cancel(struct step_fetch *fetch) {
	if (fetch->err.kind == ERR_NONE)
		err_set(&fetch->err, ERR_CANCELLED, "ended before all was fetched");
	if (fetch->working)
		job_cancel(&fetch->job);
	else if (fetch->asking)
		http_request_cancel(&fetch->request);
}
