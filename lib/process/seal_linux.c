/* What a child does only on Linux in this way. Async-signal-safe: see child.c. */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CLOSE_AT_EXEC = 4 /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */ };

int child_seal_descriptors(int error_fd) {
	(void)error_fd; /* stays usable until exec */
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_AT_EXEC) == 0) return 0;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
	/* The kernel's own ceiling where there is none. */
	rlim_t end = limit.rlim_cur < (1U << 20) ? limit.rlim_cur : (1U << 20);
	for (rlim_t fd = 3; fd < end; fd++) {
		int flags = fcntl((int)fd, F_GETFD);
		if (flags >= 0) fcntl((int)fd, F_SETFD, flags | FD_CLOEXEC);
	}
	return 0;
}

void child_bind_to_parent(pid_t parent) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have gone before the bond was made. */
	if (getppid() != parent) _exit(127);
}

int child_set_groups(size_t count, const gid_t *groups) {
	return (int)syscall(SYS_setgroups, count, groups);
}

int child_set_gid(gid_t gid) {
	return (int)syscall(SYS_setresgid, gid, gid, gid);
}

int child_set_uid(uid_t uid) {
	return (int)syscall(SYS_setresuid, uid, uid, uid);
}

/* posix_spawn(3), by which we may have been started, leaves glibc's two own signals ignored, and
 * sigaction(3) does not touch them. */
void child_reset_own_signals(void) {
	static const struct {
		void *handler; /* NULL is SIG_DFL; the rest is nothing */
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action;
	for (int signum = 32; signum <= 33; signum++)
		syscall(SYS_rt_sigaction, signum, &action, NULL, sizeof(action.mask));
}
