/* The act: power-off or suspend by systemd, a command of the person's, or Azure's deallocation. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { PATIENCE_MS = 120000 };

struct idle_act {
	struct loop *loop;
	struct process process;
	bool running, late;
	struct timer timer;
	struct idle_azure *azure;
	struct defer cancelled;
	void (*done)(void *user, const struct err *err);
	void *user;
};

static void end(struct idle_act *act, const struct err *err) {
	timer_cancel(&act->timer);
	act->running = false;
	act->done(act->user, err); /* may free us */
}

static void spawned(struct process *process) {
	(void)process;
}

static void failed(struct process *process, const struct err *err) {
	struct idle_act *act = container_of(process, struct idle_act, process);
	struct err why = *err;
	process_forget(process);
	end(act, &why);
}

/* What it started goes on: that may be the very thing that ends the machine. */
static void exited(struct process *process) {
	struct idle_act *act = container_of(process, struct idle_act, process);
	struct err err;
	timer_cancel(&act->timer);
	if (act->late)
		err_set(&err, ERR_SYSTEM, "it did not end within two minutes");
	else if (process->exit.signal)
		err_set(&err, ERR_SYSTEM, "it ended by signal %d", process->exit.signal);
	else if (process->exit.code)
		err_set(&err, ERR_SYSTEM, "it ended with exit code %d", process->exit.code);
	else
		err_clear(&err);
	process_detach(process);
	end(act, err.kind == ERR_NONE ? NULL : &err);
}

static void gone(struct process *process) {
	(void)process; /* exited came before */
}

static void lost(struct process *process) {
	struct idle_act *act = container_of(process, struct idle_act, process);
	struct err err;
	err_set(&err, ERR_SYSTEM, "the keeper was lost while it ran");
	process_detach(process);
	end(act, &err);
}

static const struct process_calls calls = { spawned, failed, exited, gone, lost };

static void patience_ended(struct timer *timer) {
	struct idle_act *act = container_of(timer, struct idle_act, timer);
	act->late = true;
	process_signal(&act->process, SIGKILL, true);
}

static void say_cancelled(struct defer *defer) {
	struct idle_act *act = container_of(defer, struct idle_act, cancelled);
	struct err err;
	err_set(&err, ERR_CANCELLED, "nobody waits for it any more");
	end(act, &err);
}

static char **arguments(const char *action) {
	char **argv = NULL;
	struct err err;
	if (str_equal(action, "poweroff") || str_equal(action, "suspend")) {
		idle_act_words(action, &argv);
		return argv;
	}
	argv = config_split_command(action, &err);
	if (!argv) abort(); /* the table checked it */
	return argv;
}

static void run(struct idle_act *act, const struct idle_act_options *options) {
	static const char *const ours[] = { "TEND_", "NOTIFY_SOCKET=", NULL };
	char name[PROCESS_RUN_SIZE];
	char **argv = arguments(options->action), **env = process_environment(ours);
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 022 };
	process_make_run(act->loop, name);
	act->running = true;
	timer_start(&act->timer, PATIENCE_MS);
	process_spawn(&act->process, name, &spec);
	strv_free(argv);
	strv_free(env);
}

static void deallocated(void *user, const struct err *err) {
	end(user, err);
}

struct idle_act *idle_act_start(const struct idle_act_options *options,
	void (*done)(void *user, const struct err *err), void *user) {
	struct idle_act *act = xcalloc(1, sizeof(*act));
	act->loop = options->loop;
	act->done = done;
	act->user = user;
	process_init(&act->process, options->host, "idle:action", &calls);
	timer_init(&act->timer, options->loop, patience_ended);
	defer_init(&act->cancelled, say_cancelled);
	if (options->azure)
		act->azure = idle_azure_start(
			options->loop, options->http, options->endpoint, deallocated, act);
	else
		run(act, options);
	return act;
}

void idle_act_cancel(struct idle_act *act) {
	if (act->azure) {
		idle_azure_cancel(act->azure);
		return;
	}
	if (act->running) process_detach(&act->process);
	defer_start(act->loop, &act->cancelled);
}

void idle_act_free(struct idle_act *act) {
	if (!act) return;
	process_release(&act->process);
	idle_azure_free(act->azure);
	free(act);
}
