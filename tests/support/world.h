/* A folder of a test: a local folder, a directory store and state of its own in a temporary place, on the real loop. */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/sync.h"

enum { DEADLINE_MS = 60000 };

struct bench {
	char dir[64], local[80], cloud[80], state[80];
	struct loop *loop;
	struct unit_graph *graph;
	struct sync *sync;
	struct store *store;
	struct folder *folder;
	struct folder_settings settings;
	const struct store_fault_plan *faults;  /* NULL: the store answers as it is */
	const char *machine;                    /* NULL: "test-machine" */
	int64_t prune_after_ms, prune_every_ms; /* 0: as ever */
	int64_t log_bytes;                      /* the same */
	const struct store_memory_options
		*memory; /* not at `cloud`, but in memory: until world_leave */
};

/* ---- waiting for conditions ---- */

struct until {
	struct timer timer;
	struct bench *b;
	bool (*holds)(struct bench *b);
	bool done;
	int64_t deadline_ms;
};

static inline void until_look(struct timer *timer) {
	struct until *u = container_of(timer, struct until, timer);
	if (u->holds(u->b) || loop_now_ms(u->b->loop) > u->deadline_ms)
		u->done = true;
	else
		timer_start(timer, 5);
}

static inline void wait_within(
	struct bench *b, int64_t ms, const char *what, bool (*holds)(struct bench *b)) {
	struct until u = { .b = b, .holds = holds };
	timer_init(&u.timer, b->loop, until_look);
	timer_start(&u.timer, 0);
	u.deadline_ms = loop_now_ms(b->loop) + ms;
	loop_run_until(b->loop, &u.done);
	if (!holds(b)) fail_msg("waited in vain: %s", what);
}

static inline void wait_until(struct bench *b, const char *what, bool (*holds)(struct bench *b)) {
	wait_within(b, DEADLINE_MS, what, holds);
}

static inline struct folder_status status_of(struct bench *b) {
	struct folder_status status;
	folder_status(b->folder, &status);
	return status;
}

static inline bool is_idle(struct bench *b) {
	struct folder_status status = status_of(b);
	bool idle = str_equal(status.state, "idle") && status.pending == 0;
	folder_status_release(&status);
	return idle;
}

static inline bool in_trouble(struct bench *b) {
	struct folder_status status = status_of(b);
	bool trouble = status.trouble.kind != ERR_NONE;
	folder_status_release(&status);
	return trouble;
}

struct barrier {
	struct folder_wait wait;
	bool done;
	struct err err;
};

static inline void barrier_done(struct folder_wait *wait, const struct err *err) {
	struct barrier *barrier = container_of(wait, struct barrier, wait);
	barrier->done = true;
	if (err) barrier->err = *err;
}

static inline struct err durable(struct bench *b) {
	struct barrier barrier = { .wait = { .done = barrier_done } };
	folder_wait_start(b->folder, &barrier.wait, folder_mark(b->folder));
	loop_run_until(b->loop, &barrier.done);
	folder_wait_release(&barrier.wait);
	return barrier.err;
}

/* When all that is there has been sent. What changes next falls into a later millisecond: names of versions hold no more. */
static inline int64_t sent(struct bench *b) {
	struct err err = durable(b);
	if (err.kind != ERR_NONE) fail_msg("%s", err.text);
	int64_t at_ns = loop_wall_ns(b->loop);
	while (loop_wall_ns(b->loop) / NS_PER_MS == at_ns / NS_PER_MS) continue;
	return at_ns;
}

/* ---- files ---- */

static inline void shell(const char *format, ...) {
	va_list args;
	char *command;
	va_start(args, format);
	command = xvasprintf(format, args);
	va_end(args);
	if (system(command) != 0) fail_msg("failed: %s", command); /* NOLINT */
	free(command);
}

static inline void put(struct bench *b, const char *name, const char *text) {
	char *path = path_join(b->local, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(path);
}

static inline void assert_equal_trees(struct bench *b) {
	shell("diff -r --no-dereference -x .tend '%s' '%s'", b->local, b->cloud);
}

/* ---- a folder's world ---- */

/* On a loop that others use too: a process has one. */
static inline void world_open_on(struct bench *b, struct loop *loop) {
	struct err err;
	b->loop = loop;
	b->graph = unit_graph_new(b->loop);
	struct sync_options options = { .state_dir = b->state,
		.machine_id = b->machine ? b->machine : "test-machine",
		.prune_after_ms = b->prune_after_ms,
		.prune_every_ms = b->prune_every_ms,
		.log_bytes = b->log_bytes };
	b->sync = sync_new(b->loop, b->graph, &options, &err);
	if (!b->sync) fail_msg("%s", err.text);
	b->store = b->memory ? store_memory_new(b->loop) : store_directory_new(b->loop, b->cloud);
	assert_non_null(b->store);
	if (b->memory) store_memory_set(b->store, b->memory);
	if (b->faults) b->store = store_fault(b->store, *b->faults);
	b->folder = folder_new(b->sync, "test", &b->settings, b->store, &err);
	if (!b->folder) fail_msg("%s", err.text);
	unit_want(folder_unit(b->folder));
}

static inline void world_open(struct bench *b) {
	struct err err;
	struct loop *loop = loop_new(4, &err);
	assert_non_null(loop);
	world_open_on(b, loop);
}

static inline void closed(void *user) {
	*(bool *)user = true;
}

/* As kill -9 would leave it, but that what was asked for in flight ends. */
static inline void world_leave(struct bench *b) {
	bool done = false;
	folder_close(b->folder, closed, &done);
	loop_run_until(b->loop, &done);
	store_free(b->store);
	sync_free(b->sync);
	unit_graph_free(b->graph);
}

static inline void world_close(struct bench *b) {
	world_leave(b);
	loop_free(b->loop);
}

static inline void world_again(struct bench *b) {
	world_close(b);
	world_open(b);
}

static inline int setup(void **state) {
	struct bench *b = xcalloc(1, sizeof(*b));
	strcpy(b->dir, "/tmp/tend-sync.XXXXXX");
	if (!mkdtemp(b->dir)) return -1;
	snprintf(b->local, sizeof(b->local), "%s/local", b->dir);
	snprintf(b->cloud, sizeof(b->cloud), "%s/cloud", b->dir);
	snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
	if (mkdir(b->local, 0755) || mkdir(b->cloud, 0755) || mkdir(b->state, 0700)) return -1;
	b->settings = (struct folder_settings){ .enabled = true,
		.path = b->local,
		.remote = (char *)"cloud:",
		.mode = FOLDER_BACKUP,
		.settle_ms = 20,
		.max_settle_ms = 200,
		.max_transfers = 32 };
	log_open(LOG_LEVEL_WARN, LOG_TEXT);
	*state = b;
	return 0;
}

static inline int teardown(void **state) {
	struct bench *b = *state;
	shell("chmod -R u+rwX '%s'; rm -rf '%s'", b->dir, b->dir);
	free(b);
	return 0;
}

#endif
