/* One run seen by its owner: what a host found out becomes calls, in order, each once. */
#include "process/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOLD_SPAWNED = 1,
	TOLD_FAILED = 2,
	TOLD_EXITED = 4,
	TOLD_EMPTY = 8,
	TOLD_LOST = 16,
	TOLD_NOTICE = 32, /* again and again: never noted */
};

static unsigned tell_next(const struct process *process) {
	const struct facts *facts = &process->impl->facts;
	unsigned due = 0;
	if (facts->phase == RUN_FAILED) {
		due = TOLD_FAILED;
	} else {
		/* In the order of the bits; a lost run is never known to have exited. */
		due = (facts->phase == RUN_SPAWNED ? TOLD_SPAWNED : 0) |
		      (facts->exited ? TOLD_EXITED : 0) | (facts->lost ? TOLD_LOST : 0) |
		      (facts->empty ? TOLD_EMPTY : 0);
	}
	due &= ~process->told;
	if (due & TOLD_SPAWNED) return TOLD_SPAWNED;
	if (process->notified && process->told & TOLD_SPAWNED && process->heard != facts->notices)
		return TOLD_NOTICE;
	if (due & TOLD_EXITED) return TOLD_EXITED;
	if (due & TOLD_LOST) return TOLD_LOST;
	return due;
}

/* One call a turn and as the last thing: the owner may forget, release or free its process inside.
 */
static void deliver(struct defer *defer) {
	struct process *process = container_of(defer, struct process, defer);
	if (!process->impl) return;
	const struct facts *facts = &process->impl->facts;
	unsigned telling = tell_next(process);
	if (!telling) return;
	if (telling == TOLD_NOTICE)
		process->heard = facts->notices;
	else
		process->told |= telling;
	process->pid = facts->pid;
	process->start_time = facts->start_time;
	process->limited = facts->limited;
	process->exit = facts->exit;
	process->notice = facts->notice;
	if (tell_next(process)) defer_start(process->host->loop, &process->defer);
	switch (telling) {
	case TOLD_SPAWNED: process->calls->spawned(process); break;
	case TOLD_NOTICE: process->notified(process); break;
	case TOLD_EXITED: process->calls->exited(process); break;
	case TOLD_LOST: process->calls->lost(process); break;
	case TOLD_EMPTY: process->calls->empty(process); break;
	default: {
		struct err err = facts->failure;
		process->calls->failed(process, &err);
	}
	}
}

void process_init(struct process *process, struct process_host *host, const char *unit,
	const struct process_calls *calls) {
	*process = (struct process){ .host = host, .calls = calls, .unit = xstrdup(unit) };
	list_init(&process->link);
	defer_init(&process->defer, deliver);
}

void process_release(struct process *process) {
	process_detach(process);
	free(process->unit);
	process->unit = NULL;
}

void process_make_run(struct loop *loop, char run[PROCESS_RUN_SIZE]) {
	unsigned char bytes[(PROCESS_RUN_SIZE - 1) / 2];
	loop_random(loop, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(run + 2 * i, PROCESS_RUN_SIZE - 2 * i, "%02x", bytes[i]);
}

bool run_id_valid(const char *id) {
	return id && strlen(id) == PROCESS_RUN_SIZE - 1 &&
	       strspn(id, "0123456789abcdef") == PROCESS_RUN_SIZE - 1;
}

static void take(struct process *process, const char *run) {
	assert(!process->impl && run_id_valid(run));
	memcpy(process->run, run, PROCESS_RUN_SIZE);
	process->told = 0;
	process->heard = 0;
	process->notice = (struct process_notice){ 0 };
	process->pid = 0;
	process->start_time = 0;
	process->limited = 0;
	process->exit = (struct process_exit){ 0 };
}

void run_bind(struct run *run, struct process *process) {
	assert(!run->owner);
	run->owner = process;
	process->impl = run;
	run_changed(run);
}

void run_unbind(struct run *run) {
	struct process *process = run->owner;
	if (!process) return;
	run->owner = NULL;
	process->impl = NULL;
	process->run[0] = '\0';
	defer_cancel(&process->defer);
}

void run_changed(struct run *run) {
	if (run->owner && tell_next(run->owner))
		defer_start(run->owner->host->loop, &run->owner->defer);
}

void process_spawn(struct process *process, const char *run, const struct process_spec *spec) {
	assert(spec->argv && spec->argv[0] && spec->env);
	take(process, run);
	process->host->ops->spawn(process->host, process, spec);
}

void process_adopt(struct process *process, const char *run) {
	take(process, run);
	process->host->ops->adopt(process->host, process);
}

void process_signal(struct process *process, int signum, bool all) {
	if (process->impl) process->host->ops->signal(process->host, process->impl, signum, all);
}

void process_sweep(struct process *process, pid_t pid, uint64_t start_time) {
	assert(process->impl && process->impl->facts.lost);
	process->host->ops->sweep(process->host, process->impl, pid, start_time);
}

bool process_is_pending(const struct process *process) {
	return process->impl && process->host->ops->pending(process->impl);
}

void process_forget(struct process *process) {
	struct run *run = process->impl;
	if (!run) return;
	run_unbind(run);
	process->host->ops->forget(process->host, run);
}

void process_detach(struct process *process) {
	if (process->impl) run_unbind(process->impl);
}

void process_host_quit(struct process_host *host) {
	host->ops->quit(host);
}

void process_host_free(struct process_host *host) {
	if (host) host->ops->free(host);
}

bool process_host_ready(const struct process_host *host) {
	return host->ops->ready(host);
}

void process_describe(struct process_host *host, struct buf *out) {
	host->ops->describe(host, out);
}

bool process_without(const char *word) {
	const char *words = getenv("TEND_WITHOUT");
	size_t len = strlen(word);
	while (words && *words) {
		size_t here = strcspn(words, ",");
		if (here == len && strncmp(words, word, len) == 0) return true;
		words += here + (words[here] == ',');
	}
	return false;
}

char **process_environment(const char *const *without) {
	extern char **environ;
	char **env = xcalloc(1, sizeof(*env));
	for (char **at = environ; *at; at++) {
		const char *equal = strchr(*at, '=');
		bool skip = equal && log_is_secret(equal + 1);
		for (size_t i = 0; without && without[i]; i++) skip |= str_starts(*at, without[i]);
		if (!skip) strv_add(&env, *at);
	}
	return env;
}
