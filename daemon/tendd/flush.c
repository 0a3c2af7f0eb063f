/* Each folder's barrier, and a clock that asks whether anything moves: an unreachable remote would be waited for for ever. */
#include "tendd/flush.h"

#include <stdlib.h>

#include "tendd/stop.h"

enum { LOOK_MS = 1000 };

struct flush_part {
	struct folder_wait wait;
	struct flush *flush;
	char *name;
};

struct flush {
	struct house *house;
	struct flush_part *parts;
	size_t count, running;
	struct err err; /* the first that holds */
	bool off;       /* nobody wants to know */
	struct stop_progress progress;
	int64_t moved_ms;
	struct timer timer;
	struct defer defer;
	void (*done)(void *user, const struct err *err);
	void *user;
};

static void release(struct flush *flush) {
	struct house *house = flush->house;
	timer_cancel(&flush->timer);
	defer_cancel(&flush->defer);
	for (size_t i = 0; i < flush->count; i++) {
		folder_wait_release(&flush->parts[i].wait);
		free(flush->parts[i].name);
	}
	free(flush->parts);
	free(flush);
	house->closing--;
	house_close_step(house);
}

static void finish(struct defer *defer) {
	struct flush *flush = container_of(defer, struct flush, defer);
	struct err err = flush->err;
	void (*done)(void *user, const struct err *err) = flush->off ? NULL : flush->done;
	void *user = flush->user;
	release(flush);
	if (done) done(user, err.kind == ERR_NONE ? NULL : &err);
}

/* Paths that are refused have their reasons listed, a paused folder was paused by a person; a brake holds deletions, which are not
 * lost: none of these is better tomorrow. */
static bool holds(const struct flush_part *part, const struct err *err) {
	struct folder_status status;
	struct house_folder *folder = house_folder_find(part->flush->house, part->name);
	if (part->wait.reasons || !folder) return false;
	folder_status(folder->folder, &status);
	bool let_go =
		status.paused || (status.stopped_deletions && status.pending <= status.refused);
	folder_status_release(&status);
	(void)err;
	return !let_go;
}

static void part_done(struct folder_wait *wait, const struct err *err) {
	struct flush_part *part = container_of(wait, struct flush_part, wait);
	struct flush *flush = part->flush;
	if (err && !flush->off && err->kind != ERR_CANCELLED) {
		bool held = holds(part, err);
		log_warn("idle: %s%s", err->text, held ? "" : "; that holds nothing up");
		if (held && flush->err.kind == ERR_NONE) flush->err = *err;
	}
	if (--flush->running == 0) defer_start(flush->house->loop, &flush->defer);
}

static void look(struct timer *timer) {
	struct flush *flush = container_of(timer, struct flush, timer);
	int64_t now_ms = loop_now_ms(flush->house->loop);
	struct stop_progress progress = stop_measure(flush->house);
	timer_start(timer, LOOK_MS);
	if (stop_moves(&flush->progress, &progress)) {
		flush->moved_ms = now_ms;
		return;
	}
	if (now_ms - flush->moved_ms < house_settings(flush->house)->shutdown_timeout_ms) return;
	timer_cancel(timer);
	if (flush->err.kind == ERR_NONE)
		err_set(&flush->err, ERR_OFFLINE,
			"not all could be stored: nothing has moved for shutdown_timeout");
	for (size_t i = 0; i < flush->count; i++) folder_wait_cancel(&flush->parts[i].wait);
}

struct flush *flush_start(
	struct house *house, void (*done)(void *user, const struct err *err), void *user) {
	struct flush *flush = xcalloc(1, sizeof(*flush));
	size_t room = 1;
	list_each(&house->folders, link) room++;
	flush->house = house;
	flush->done = done;
	flush->user = user;
	flush->parts = xcalloc(room, sizeof(*flush->parts));
	err_clear(&flush->err);
	timer_init(&flush->timer, house->loop, look);
	defer_init(&flush->defer, finish);
	house->closing++; /* house_close waits for its folders to let go of it */
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (folder->closing || !folder_unit(folder->folder)->enabled) continue;
		struct flush_part *part = &flush->parts[flush->count++];
		part->flush = flush;
		part->name = xstrdup(folder->name);
		part->wait.done = part_done;
	}
	flush->running = flush->count;
	flush->progress = stop_measure(house);
	flush->moved_ms = loop_now_ms(house->loop);
	if (flush->count == 0) {
		defer_start(house->loop, &flush->defer);
		return flush;
	}
	timer_start(&flush->timer, LOOK_MS);
	for (size_t i = 0; i < flush->count; i++) {
		struct folder *folder = house_folder_find(house, flush->parts[i].name)->folder;
		folder_wait_start(folder, &flush->parts[i].wait, folder_mark(folder));
	}
	return flush;
}

void flush_cancel(struct flush *flush) {
	flush->off = true;
	timer_cancel(&flush->timer);
	for (size_t i = 0; i < flush->count; i++) folder_wait_cancel(&flush->parts[i].wait);
}
