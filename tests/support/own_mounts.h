/* Mounts of a test's own: gone when the test ends, however it ends, and possible without root. */
#ifndef SUPPORT_OWN_MOUNTS_H
#define SUPPORT_OWN_MOUNTS_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static inline int own_mounts_write(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	ssize_t put = write(fd, text, strlen(text));
	close(fd);
	return put < 0 ? -1 : 0;
}

/* Before any thread. 0, or -1 with errno: the system refuses. */
static inline int own_mounts(void) {
	uid_t user = geteuid();
	gid_t group = getegid();
	char map[64];

	if (unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0) return -1;
	if (user != 0) {
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)user);
		if (own_mounts_write("/proc/self/uid_map", map) < 0) return -1;
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)group);
		if (own_mounts_write("/proc/self/setgroups", "deny") < 0) return -1;
		if (own_mounts_write("/proc/self/gid_map", map) < 0) return -1;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

#endif
