/*
 * What a service gets, told without starting it: env(1) is run in its place, with the same plan and by the same way into the world, so
 * that nothing is told that another code thinks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/internal.h"

enum { SHOW_BYTES = 8 << 20 };

struct service_show {
	struct loop *loop;
	struct process_host *host;
	struct process process;
	struct service_plan plan;
	int fd; /* what env writes; -1: not yet, or not any more */
	struct poll *poll;
	struct buf text;
	char *notify_path;
	struct defer defer;
	struct err err;
	void (*done)(void *user, char *const *env, const struct err *err);
	void *user;
};

static void take_output(struct service_show *show) {
	char bytes[16 << 10];
	ssize_t got;
	while ((got = read(show->fd, bytes, sizeof(bytes))) > 0)
		buf_add(&show->text, bytes, (size_t)got);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
	poll_stop(show->poll);
	show->poll = NULL;
}

static void output_came(void *user, int events) {
	(void)events;
	take_output(user);
}

/* What the keeper adds, but for WATCHDOG_PID, which only a start knows. */
static void add_notify(const struct service_show *show, char ***env) {
	struct process_spec asked = { 0 };
	service_notify_ask(show->plan.settings, &asked);
	if (asked.notify && show->notify_path)
		strv_add_owned(env, xasprintf("NOTIFY_SOCKET=%s", show->notify_path));
	if (asked.watchdog_us)
		strv_add_owned(env, xasprintf("WATCHDOG_USEC=%lld", (long long)asked.watchdog_us));
}

static void tell(struct defer *defer) {
	struct service_show *show = container_of(defer, struct service_show, defer);
	char **env = NULL;
	if (show->err.kind == ERR_NONE && show->text.full)
		err_set(&show->err, ERR_INVALID, "the environment is larger than %d MiB",
			SHOW_BYTES >> 20);
	if (show->err.kind == ERR_NONE) {
		for (size_t at = 0; at < show->text.len; at += strlen(show->text.at + at) + 1)
			strv_add(&env, show->text.at + at);
		add_notify(show, &env);
		show->done(show->user, env, NULL);
	} else {
		show->done(show->user, NULL, &show->err);
	}
	strv_free(env);
}

static void end(struct service_show *show) {
	defer_start(show->loop, &show->defer);
}

/* ---- env(1) ---- */

static void moved(struct process *process) {
	(void)process; /* its end matters */
}

static void failed(struct process *process, const struct err *err) {
	struct service_show *show = container_of(process, struct service_show, process);
	show->err = *err;
	process_forget(process);
	end(show);
}

/* A script of conda's may have left something that holds the pipe: what env wrote is in it now. */
static void exited(struct process *process) {
	struct service_show *show = container_of(process, struct service_show, process);
	if (show->poll) take_output(show);
	if (process->exit.signal || process->exit.code)
		err_set(&show->err, ERR_SYSTEM,
			"what activates '%s' ended with %s %d: nothing would be started",
			show->plan.conda ? show->plan.conda : "it",
			process->exit.signal ? "signal" : "exit code",
			process->exit.signal ? process->exit.signal : process->exit.code);
	process_forget(process);
	end(show);
}

static const struct process_calls calls = { moved, failed, exited, moved, moved };

static int open_output(struct service_show *show, int *writer, struct err *err) {
	int ends[2];
	if (pipe(ends) != 0) return err_sys(err, errno, "cannot make a pipe");
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	show->fd = ends[0];
	*writer = ends[1];
	return 0;
}

static void planned(struct job *job, const struct err *err) {
	struct service_show *show = container_of(job, struct service_show, plan.job);
	char run[PROCESS_RUN_SIZE];
	int stdio[3] = { -1, -1, STDERR_FILENO };
	if (err) {
		show->err = *err;
		end(show);
		return;
	}
	stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (stdio[0] < 0) {
		err_sys(&show->err, errno, "cannot open '/dev/null'");
		end(show);
	} else if (open_output(show, &stdio[1], &show->err) != 0) {
		end(show);
	} else {
		struct process_spec spec = service_plan_spec(&show->plan, NULL);
		spec.stdio = stdio;
		process_make_run(show->loop, run);
		show->poll = poll_start(show->loop, show->fd, POLL_READ, output_came, show);
		process_spawn(&show->process, run, &spec);
		close(stdio[1]);
	}
	if (stdio[0] >= 0) close(stdio[0]);
}

static int make_plan(struct job *job, struct err *err) {
	return service_plan_make(container_of(job, struct service_plan, job), err);
}

struct service_show *service_show_start(const struct service_show_options *options,
	void (*done)(void *user, char *const *env, const struct err *err), void *user) {
	struct service_show *show = xcalloc(1, sizeof(*show));
	char *unit = xasprintf("service:%s", options->name);
	show->loop = options->loop;
	show->host = process_host_new_direct(options->loop);
	show->fd = -1;
	show->done = done;
	show->user = user;
	show->notify_path = xstrdup(options->notify_path);
	buf_init(&show->text, SHOW_BYTES);
	process_init(&show->process, show->host, unit, &calls);
	defer_init(&show->defer, tell);
	free(unit);
	show->plan = (struct service_plan){
		.settings = service_settings_copy(options->settings),
		.tend_path = strv_dup(options->path),
		.tend_environment = strv_dup(options->environment),
	};
	free(show->plan.settings->command);
	show->plan.settings->command = xstrdup("/usr/bin/env -0");
	show->plan.settings->shell = false;
	show->plan.job = (struct job){ .work = make_plan, .done = planned };
	job_start(options->loop, &show->plan.job);
	return show;
}

void service_show_free(struct service_show *show) {
	if (!show) return;
	defer_cancel(&show->defer);
	poll_stop(show->poll);
	if (show->fd >= 0) close(show->fd);
	process_release(&show->process);
	process_host_free(show->host);
	service_plan_release(&show->plan);
	buf_release(&show->text);
	free(show->notify_path);
	free(show);
}
