/* From a spec to a forked child: everything that needs memory or may fail with a text happens here,
 * before the fork. */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *env_get(char *const *env, const char *name) {
	size_t len = strlen(name);
	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') return *env + len + 1;
	return NULL;
}

/* All places where the child looks for argv[0]. */
static char **find_candidates(const struct process_spec *spec) {
	char **candidates = NULL;
	const char *name = spec->argv[0];
	const char *path = env_get(spec->env, "PATH");
	if (strchr(name, '/')) {
		strv_add(&candidates, name);
		return candidates;
	}
	while (path && *path) {
		size_t len = strcspn(path, ":");
		if (len > 0) {
			char *folder = xstrndup(path, len);
			strv_add_owned(&candidates, path_join(folder, name));
			free(folder);
		}
		path += len + (path[len] == ':');
	}
	if (!candidates) candidates = xcalloc(1, sizeof(*candidates));
	return candidates;
}

static bool is_ours(const char *item, const struct spawn_place *place) {
	if (str_starts(item, "TEND_RUN=") || str_starts(item, "TEND_UNIT=")) return true;
	return place->notice_path &&
	       (str_starts(item, "NOTIFY_SOCKET=") || str_starts(item, "WATCHDOG_"));
}

/* The mark goes first, so that a walk over /proc finds it in the first bytes; nobody else may set
 * it. */
static char **mark_env(const struct process_spec *spec, const struct spawn_place *place) {
	char **env = NULL;
	strv_add_owned(&env, xasprintf("TEND_RUN=%s", place->id));
	strv_add_owned(&env, xasprintf("TEND_UNIT=%s", place->unit));
	for (char *const *at = spec->env; *at; at++)
		if (!is_ours(*at, place)) strv_add(&env, *at);
	if (place->notice_path)
		strv_add_owned(&env, xasprintf("NOTIFY_SOCKET=%s", place->notice_path));
	return env;
}

/* systemd's protocol, sd_watchdog_enabled(3). Only the child knows its number, and cannot allocate
 * any more: it writes it into the room that is left here. */
static char *add_watchdog(const struct process_spec *spec, char ***env) {
	strv_add_owned(env, xasprintf("WATCHDOG_USEC=%lld", (long long)spec->watchdog_us));
	char *item = xasprintf("WATCHDOG_PID=%*s", CHILD_PID_SIZE, "");
	strv_add_owned(env, item);
	return item + strlen("WATCHDOG_PID=");
}

/* Owned by the service's user, or its /dev/stdout would be refused. Made anew: a reader or writer
 * of an earlier run must not be in it. */
static int open_output(const struct process_spec *spec, struct err *err) {
	if (!spec->fifo) {
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		return fd >= 0 ? fd : err_sys(err, errno, "cannot open '/dev/null'");
	}
	if (unlink(spec->fifo) != 0 && errno != ENOENT)
		return err_sys(err, errno, "cannot remove '%s'", spec->fifo);
	if (mkfifo(spec->fifo, 0600) != 0)
		return err_sys(err, errno, "cannot make the log pipe '%s'", spec->fifo);
	if (spec->become && chown(spec->fifo, spec->uid, spec->gid) != 0)
		return err_sys(err, errno, "cannot give the log pipe '%s' to its user", spec->fifo);
	int fd = open(spec->fifo, O_RDWR | O_CLOEXEC);
	if (fd < 0) return err_sys(err, errno, "cannot open the log pipe '%s'", spec->fifo);
	procs_size_pipe(fd);
	return fd;
}

static int plan_limits(const struct process_spec *spec, struct child_plan *plan, struct err *err) {
	if (spec->nofile <= 0) return 0;
	if (getrlimit(RLIMIT_NOFILE, &plan->nofile) != 0)
		return err_sys(err, errno, "cannot read the limit of open files");
	plan->set_nofile = true;
	plan->nofile.rlim_cur = (rlim_t)spec->nofile;
	if (plan->nofile.rlim_max < plan->nofile.rlim_cur)
		plan->nofile.rlim_max = plan->nofile.rlim_cur;
	return 0;
}

/* The descriptors of the caller take the place of /dev/null. */
static void take_stdio(struct child_plan *plan, const int *stdio) {
	plan->stdin_fd = stdio[0];
	plan->output_fd = stdio[1];
	plan->message_fd = stdio[2];
}

/* All signals wait during the fork: a handler of the parent must not run in the child. */
static pid_t fork_child(const struct child_plan *plan) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) child_run(plan);
	int errnum = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = errnum;
	return pid;
}

static void close_fd(int fd) {
	if (fd >= 0) close(fd);
}

int spawn_start(const struct process_spec *spec, const struct spawn_place *place,
	struct spawned *spawned, struct err *err) {
	int result = -1;
	int pipe_fds[2] = { -1, -1 };
	int output_fd = -1;
	char **env = mark_env(spec, place);
	char *own_pid =
		place->notice_path && spec->watchdog_us > 0 ? add_watchdog(spec, &env) : NULL;
	char **candidates = find_candidates(spec);
	struct child_plan plan = {
		.candidates = candidates,
		.argv = spec->argv,
		.env = env,
		.directory = spec->directory ? spec->directory : "/",
		.become = spec->become,
		.uid = spec->uid,
		.gid = spec->gid,
		.groups = spec->groups,
		.group_count = spec->group_count,
		.umask = spec->umask,
		.nice = spec->nice,
		.cgroup_fd = place->cgroup_fd,
		.own_pid = own_pid,
		.parent = getpid(),
	};
	int null_fd = plan.stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0) {
		err_sys(err, errno, "cannot open '/dev/null'");
		goto out;
	}
	output_fd = open_output(spec, err);
	if (output_fd < 0 || plan_limits(spec, &plan, err) != 0) goto out;
	if (pipe(pipe_fds) != 0) {
		err_sys(err, errno, "cannot make a pipe");
		goto out;
	}
	descriptor_own(pipe_fds[0]);
	descriptor_own(pipe_fds[1]);
	plan.output_fd = plan.message_fd = output_fd;
	if (spec->stdio) take_stdio(&plan, spec->stdio);
	plan.error_fd = pipe_fds[1];
	pid_t pid = fork_child(&plan);
	if (pid < 0) {
		err_sys(err, errno, "cannot fork");
		goto out;
	}
	*spawned = (struct spawned){ pid, pipe_fds[0], spec->fifo ? output_fd : -1, candidates };
	pipe_fds[0] = -1;
	candidates = NULL;
	result = 0;
out:
	if (result != 0 || !spec->fifo) close_fd(output_fd);
	close_fd(null_fd);
	close_fd(pipe_fds[0]);
	close_fd(pipe_fds[1]);
	strv_free(env);
	strv_free(candidates);
	return result;
}

static int explain_exec(const struct process_spec *spec, char *const *candidates,
	const struct child_error *error, struct err *err) {
	const char *name = spec->argv[0];
	const char *path = env_get(spec->env, "PATH");
	char *const *found = candidates;
	switch (error->errnum) {
	case ENOENT:
		while (*found && !(**found == '/' && access(*found, F_OK) == 0)) found++;
		if (*found)
			return err_set(err, ERR_NOT_FOUND,
				"cannot run '%s': the interpreter named in the first line of '%s' "
				"is not there",
				name, *found);
		if (strchr(name, '/'))
			return err_set(err, ERR_NOT_FOUND, "cannot run '%s': no such file", name);
		return err_set(err, ERR_NOT_FOUND, "cannot run '%s': not found in PATH %s", name,
			path ? path : "(none is set)");
	case ENOEXEC:
		return err_set(err, ERR_INVALID,
			"cannot run '%s': '%s' is no program: a script needs a first line such as "
			"#!/bin/sh",
			name, candidates[error->candidate]);
	case EACCES:
		return err_set(err, ERR_DENIED, "cannot run '%s': permission denied for '%s'", name,
			candidates[error->candidate]);
	default: return err_sys(err, error->errnum, "cannot run '%s'", name);
	}
}

int spawn_explain(const struct process_spec *spec, char *const *candidates,
	const struct child_error *error, struct err *err) {
	const char *name = spec->argv[0];
	switch (error->stage) {
	case STAGE_DIRECTORY:
		return err_sys(err, error->errnum,
			"cannot run '%s': cannot enter its directory '%s'", name,
			spec->directory ? spec->directory : "/");
	case STAGE_GROUPS:
	case STAGE_GID:
	case STAGE_UID:
		return err_sys(err, error->errnum,
			"cannot run '%s' as user %lu: tend itself must run as root for that", name,
			(unsigned long)spec->uid);
	case STAGE_NICE:
		return err_sys(
			err, error->errnum, "cannot run '%s' with nice %d", name, spec->nice);
	case STAGE_NOFILE:
		return err_sys(err, error->errnum, "cannot run '%s' with limit_nofile %lld", name,
			(long long)spec->nofile);
	case STAGE_CGROUP:
		return err_sys(
			err, error->errnum, "cannot run '%s': cannot enter its cgroup", name);
	case STAGE_EXEC: return explain_exec(spec, candidates, error, err);
	default: return err_sys(err, error->errnum, "cannot run '%s'", name);
	}
}
