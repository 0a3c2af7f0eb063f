/* The listening socket: nobody else on it, and closed to everybody but its owner and its group. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/internal.h"

enum { BACKLOG = 128 };

/* Non-blocking, for libmicrohttpd accepts until there is nobody left. */
static int new_socket(struct err *err) {
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0) return err_sys(err, errno, "cannot make a socket");
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK)) {
		err_sys(err, errno, "cannot set up a socket");
		close(fd);
		return -1;
	}
	return fd;
}

/* A socket that nobody listens on is left from a daemon that was killed. */
static int clear_stale(const char *path, const struct sockaddr_un *address, struct err *err) {
	struct stat stat;
	uid_t uid;
	pid_t pid;
	int rc = 0;

	if (lstat(path, &stat)) {
		return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at '%s'", path);
	}
	if (!S_ISSOCK(stat.st_mode)) {
		return err_set(err, ERR_INVALID, "'%s' is in the way: it is not a socket", path);
	}
	int fd = new_socket(err);
	if (fd < 0) return -1;
	/* A full backlog (EAGAIN) is somebody too. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		if (peer_of(fd, &uid, &pid)) pid = 0;
		/* Killed, and a child of its own on the way to another program has it for a moment. */
		bool gone = pid > 0 && kill(pid, 0) && errno == ESRCH;
		if (gone && unlink(path) && errno != ENOENT)
			rc = err_sys(err, errno, "cannot remove the old socket '%s'", path);
		if (!gone)
			rc = err_set(err, ERR_BUSY, "another tendd (pid %ld) holds '%s'", (long)pid,
				path);
	} else if (errno == EAGAIN || errno == EACCES || errno == EPERM) {
		rc = err_set(err, ERR_BUSY, "another tendd holds '%s'", path);
	} else if (unlink(path) && errno != ENOENT) {
		rc = err_sys(err, errno, "cannot remove the old socket '%s'", path);
	}
	close(fd);
	return rc;
}

/* Who may talk to us is decided before anybody can: between bind and listen. */
static int set_owner(const char *path, const char *group, struct err *err) {
	mode_t mode = S_IRUSR | S_IWUSR;

	if (geteuid() == 0 && group) {
		struct group *entry = getgrnam(group);
		if (entry && chown(path, 0, entry->gr_gid)) {
			return err_sys(
				err, errno, "cannot give '%s' to the group '%s'", path, group);
		}
		mode |= S_IRGRP | S_IWGRP;
	}
	if (chmod(path, mode)) return err_sys(err, errno, "cannot set the mode of '%s'", path);
	return 0;
}

/* Between looking and binding another could come: the daemon's lock on its state folder is what
 * decides that race. */
int socket_listen(const char *path, const char *group, struct err *err) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path)) {
		return err_set(err, ERR_INVALID,
			"a socket's path cannot be longer than %zu bytes: set a shorter "
			"runtime_dir in [tend] "
			"than that of '%s'",
			sizeof(address.sun_path) - 1, path);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (clear_stale(path, &address, err)) return -1;
	int fd = new_socket(err);
	if (fd < 0) return -1;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		err_sys(err, errno, "cannot make the socket '%s'", path);
		goto close_fd;
	}
	if (set_owner(path, group, err)) goto remove_socket;
	if (listen(fd, BACKLOG)) {
		err_sys(err, errno, "cannot listen on '%s'", path);
		goto remove_socket;
	}
	return fd;

remove_socket:
	unlink(path);
close_fd:
	close(fd);
	return -1;
}
