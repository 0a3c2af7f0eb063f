/* `command:...` of `active`: exit 0 says that the machine is in use, 1 that it is not, as grep and test do; anything else is a
 * failure, which counts as use. */
#include <signal.h>
#include <stdlib.h>

#include "power/idle.h"

enum { PATIENCE_MS = 30000 };

struct idle_command {
	struct loop *loop;
	char *command;
	void (*done)(void *user, const struct idle_answer *answer);
	void *user;
	bool running, late;
	struct process process;
	struct timer timer;
};

void signal_command(bool ran, int code, int signal, const char *why, struct idle_answer *answer) {
	if (!ran)
		idle_say(answer, IDLE_UNKNOWN, 0, "%s", why);
	else if (signal)
		idle_say(answer, IDLE_UNKNOWN, 0, "ended by signal %d", signal);
	else if (code == 0)
		idle_say(answer, IDLE_ACTIVE, 0, "exit code 0: in use");
	else if (code == 1)
		idle_say(answer, IDLE_IDLE, -1, "exit code 1: not in use");
	else
		idle_say(answer, IDLE_UNKNOWN, 0, "exit code %d", code);
}

static void over(struct idle_command *command, const struct idle_answer *answer) {
	process_forget(&command->process);
	command->running = false;
	timer_cancel(&command->timer);
	command->done(command->user, answer);
}

static void spawned(struct process *process) {
	(void)process;
}

static void failed(struct process *process, const struct err *err) {
	struct idle_answer answer;
	signal_command(false, 0, 0, err->text, &answer);
	over(container_of(process, struct idle_command, process), &answer);
}

static void exited(struct process *process) {
	process_signal(process, SIGKILL, true); /* what it leaves behind */
}

static void gone(struct process *process) {
	struct idle_command *command = container_of(process, struct idle_command, process);
	struct idle_answer answer;
	signal_command(!command->late, process->exit.code, process->exit.signal,
		"no answer within 30s", &answer);
	over(command, &answer);
}

static void lost(struct process *process) {
	struct idle_command *command = container_of(process, struct idle_command, process);
	command->late = true;
	process_sweep(process, 0, 0);
}

static const struct process_calls calls = { spawned, failed, exited, gone, lost };

static void patience_ended(struct timer *timer) {
	struct idle_command *command = container_of(timer, struct idle_command, timer);
	command->late = true;
	process_signal(&command->process, SIGKILL, true);
}

struct idle_command *signal_command_new(struct loop *loop, struct process_host *host,
	const char *text, void (*done)(void *user, const struct idle_answer *answer), void *user) {
	struct idle_command *command = xcalloc(1, sizeof(*command));
	command->loop = loop;
	command->command = xstrdup(text);
	command->done = done;
	command->user = user;
	process_init(&command->process, host, "idle:command", &calls);
	timer_init(&command->timer, loop, patience_ended);
	return command;
}

void signal_command_start(struct idle_command *command) {
	static const char *const ours[] = { "TEND_", "NOTIFY_SOCKET=", NULL };
	char run[PROCESS_RUN_SIZE];
	struct err err;
	char **argv = config_split_command(command->command, &err);
	char **env = process_environment(ours);
	if (!argv) abort(); /* the table checked it */
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 022 };
	process_make_run(command->loop, run);
	command->running = true;
	command->late = false;
	timer_start(&command->timer, PATIENCE_MS);
	process_spawn(&command->process, run, &spec);
	strv_free(argv);
	strv_free(env);
}

void signal_command_free(struct idle_command *command) {
	if (!command) return;
	if (command->running)
		process_detach(&command->process); /* it ends by itself, or as a stray */
	timer_cancel(&command->timer);
	process_release(&command->process);
	free(command->command);
	free(command);
}
