/* What a child does only on macOS in this way. Async-signal-safe: see child.c. */
#include "process/internal.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

int child_seal_descriptors(int error_fd) {
	struct rlimit limit;

	(void)error_fd; /* stays usable until exec */
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
	/* Where there is no limit, OPEN_MAX of that system's kernel by far. */
	rlim_t end = limit.rlim_cur < (1U << 16) ? limit.rlim_cur : (1U << 16);
	for (rlim_t fd = 3; fd < end; fd++) {
		int flags = fcntl((int)fd, F_GETFD);
		if (flags >= 0) fcntl((int)fd, F_SETFD, flags | FD_CLOEXEC);
	}
	return 0;
}

/* No signal comes at a parent's end there: between here and exec, which is a moment, it could be
 * missed; afterwards the run's mark is in its environment, and a sweep finds it. */
void child_bind_to_parent(pid_t parent) {
	if (getppid() != parent) _exit(127);
}

/* A child has one thread, and these calls of macOS are the kernel's own. */
int child_set_groups(size_t count, const gid_t *groups) {
	return setgroups((int)count, groups);
}

/* Real, effective and saved, for root: setuid(2). */
int child_set_gid(gid_t gid) {
	return setgid(gid);
}

int child_set_uid(uid_t uid) {
	return setuid(uid);
}

/* Its libc keeps none for itself. */
void child_reset_own_signals(void) {
}
