/* The host that is this very process: for tests and one-shot commands. Its children end with it. */
#include "process/internal.h"

#include <stdlib.h>

struct direct {
	struct process_host host;
	struct children *children;
};

static struct children *children_of(const struct process_host *host) {
	return container_of(host, struct direct, host)->children;
}

static void direct_changed(void *user, struct run *run) {
	(void)user;
	run_changed(run);
}

static void direct_spawn(
	struct process_host *host, struct process *process, const struct process_spec *spec) {
	struct children *children = children_of(host);
	run_bind(children_spawn(children, process->run, process->unit, spec), process);
}

static void direct_adopt(struct process_host *host, struct process *process) {
	struct children *children = children_of(host);
	struct run *run = children_find(children, process->run);
	if (!run) run = children_lost(children, process->run, process->unit);
	run_bind(run, process);
}

static void direct_signal(struct process_host *host, struct run *run, int signum, bool all) {
	(void)host;
	children_signal(run, signum, all);
}

static void direct_sweep(
	struct process_host *host, struct run *run, pid_t pid, uint64_t start_time) {
	(void)host;
	children_sweep(run, pid, start_time);
}

static void direct_forget(struct process_host *host, struct run *run) {
	(void)host;
	children_forget(run);
}

static void direct_quit(struct process_host *host) {
	(void)host; /* it ends with us */
}

static void direct_free(struct process_host *host) {
	children_free(children_of(host));
	free(container_of(host, struct direct, host));
}

static bool direct_pending(const struct run *run) {
	(void)run;
	return false;
}

static bool direct_ready(const struct process_host *host) {
	(void)host;
	return true;
}

static void direct_describe(struct process_host *host, struct buf *out) {
	children_describe(children_of(host), out);
}

static const struct host_ops direct_ops = {
	.spawn = direct_spawn,
	.adopt = direct_adopt,
	.signal = direct_signal,
	.sweep = direct_sweep,
	.forget = direct_forget,
	.quit = direct_quit,
	.free = direct_free,
	.pending = direct_pending,
	.ready = direct_ready,
	.describe = direct_describe,
};

struct process_host *process_host_new_direct(struct loop *loop) {
	struct direct *direct = xcalloc(1, sizeof(*direct));
	direct->host = (struct process_host){ .loop = loop, .ops = &direct_ops };
	direct->children = children_new(loop, false, false, NULL, direct_changed, direct);
	return &direct->host;
}
