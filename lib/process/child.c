/*
 * The child between fork and exec. Only async-signal-safe calls: another thread of the parent may
 * have held any lock when we were forked. A test lists the symbols that this file may need;
 * everything is laid out in the plan before.
 */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn static void give_up(const struct child_plan *plan, int stage, int errnum, int candidate) {
	struct child_error error = { .stage = stage, .errnum = errnum, .candidate = candidate };
	const char *at = (const char *)&error;
	/* Shorter than PIPE_BUF: it goes in whole. */
	ssize_t wrote = write(plan->error_fd, at, sizeof(error));
	_exit(wrote == (ssize_t)sizeof(error) ? 127 : 126);
}

static void reset_signals(void) {
	struct sigaction action = { .sa_handler = SIG_DFL };
	for (int signum = 1; signum < NSIG; signum++)
		sigaction(signum, &action, NULL); /* KILL, STOP and libc's own refuse */
	child_reset_own_signals();
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* snprintf(3) may take locks. */
static void write_own_pid(const struct child_plan *plan) {
	char digits[CHILD_PID_SIZE];
	int count = 0;
	if (!plan->own_pid) return;
	for (pid_t pid = getpid(); pid > 0; pid /= 10) digits[count++] = (char)('0' + pid % 10);
	for (int i = 0; i < count; i++) plan->own_pid[i] = digits[count - 1 - i];
	plan->own_pid[count] = '\0';
}

static void take_limits(const struct child_plan *plan) {
	/* "0" is the writer itself. Before the uid changes: the group stays root's. */
	if (plan->cgroup_fd >= 0 && write(plan->cgroup_fd, "0", 1) != 1)
		give_up(plan, STAGE_CGROUP, errno, 0);
	if (plan->nice && setpriority(PRIO_PROCESS, 0, plan->nice) != 0)
		give_up(plan, STAGE_NICE, errno, 0);
	if (plan->set_nofile && setrlimit(RLIMIT_NOFILE, &plan->nofile) != 0)
		give_up(plan, STAGE_NOFILE, errno, 0);
}

static void become_user(const struct child_plan *plan) {
	if (!plan->become) return;
	if (child_set_groups(plan->group_count, plan->groups) != 0)
		give_up(plan, STAGE_GROUPS, errno, 0);
	if (child_set_gid(plan->gid) != 0) give_up(plan, STAGE_GID, errno, 0);
	if (child_set_uid(plan->uid) != 0) give_up(plan, STAGE_UID, errno, 0);
}

static void take_descriptors(const struct child_plan *plan) {
	if (dup2(plan->stdin_fd, 0) < 0 || dup2(plan->output_fd, 1) < 0 ||
		dup2(plan->message_fd, 2) < 0 || child_seal_descriptors(plan->error_fd) != 0)
		give_up(plan, STAGE_DESCRIPTORS, errno, 0);
}

/* As execvp(3) does: a folder that lacks the program is passed by, one that refuses it is
 * remembered. */
static void run_program(const struct child_plan *plan) {
	int errnum = ENOENT;
	int blamed = 0;
	for (int i = 0; plan->candidates[i]; i++) {
		execve(plan->candidates[i], plan->argv, plan->env);
		if (errno == ENOENT || errno == ENOTDIR || errno == ENODEV || errno == ESTALE)
			continue;
		blamed = i;
		errnum = errno;
		if (errno != EACCES) break;
	}
	give_up(plan, STAGE_EXEC, errnum, blamed);
}

_Noreturn void child_run(const struct child_plan *plan) {
	setsid();
	reset_signals();
	take_limits(plan);
	become_user(plan);
	/* After the uid: a change of credentials undoes it. */
	child_bind_to_parent(plan->parent);
	umask(plan->umask);
	if (chdir(plan->directory) != 0) give_up(plan, STAGE_DIRECTORY, errno, 0);
	take_descriptors(plan);
	write_own_pid(plan);
	run_program(plan);
	_exit(127);
}
