/*
 * The socket that sd_notify(3) writes to, one for all services: the kernel says who wrote
 * (SCM_CREDENTIALS), so nobody can speak for another. Descriptors that come along are closed at once,
 * which is all that BARRIER=1 asks for: what was sent before it has been taken by then.
 */
#include "process/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXT_MAX = 4096, DESCRIPTORS_MAX = 253 }; /* as systemd; as the kernel passes at once */

struct notices {
	char *path;
	int fd;
	struct poll *poll;
	void (*came)(void *user, pid_t pid, const char *text);
	void *user;
};

union control {
	struct cmsghdr head; /* aligns it */
	char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

static void close_descriptors(const struct cmsghdr *part) {
	size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
		close(fd);
	}
}

static pid_t sender_of(struct msghdr *message) {
	pid_t pid = 0;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
		part = CMSG_NXTHDR(message, part)) {
		struct ucred sender;
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS ||
			part->cmsg_len != CMSG_LEN(sizeof(sender)))
			continue;
		memcpy(&sender, CMSG_DATA(part), sizeof(sender));
		pid = sender.pid;
	}
	return pid;
}

static void let_go(struct msghdr *message) {
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
			close_descriptors(part);
}

/* False when there is none. */
static bool read_one(struct notices *notices) {
	char text[TEXT_MAX + 1];
	union control control;
	struct iovec room = { .iov_base = text, .iov_len = TEXT_MAX };
	struct msghdr message = {
		.msg_iov = &room,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(notices->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0) return errno == EINTR;
	text[got] = '\0';
	pid_t pid = sender_of(&message);
	/* What is cut may end in the middle of a word: it is not believed. */
	if (pid > 0 && !(message.msg_flags & MSG_TRUNC)) notices->came(notices->user, pid, text);
	let_go(&message);
	return true;
}

void notices_read(struct notices *notices) {
	while (notices && read_one(notices)) {
	}
}

/* Some, then the others of the loop: who writes without end must not hold them. */
static void something_came(void *user, int events) {
	(void)events;
	for (int i = 0; i < 64 && read_one(user); i++) {
	}
}

static int bind_socket(const struct notices *notices) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int yes = 1;
	if (strlen(notices->path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, notices->path, strlen(notices->path));
	unlink(notices->path); /* of a keeper that died: the lock is ours */
	/* Every service's user writes to it; whom a datagram is from is asked when it comes. */
	mode_t before = umask(0);
	int bound = bind(notices->fd, (struct sockaddr *)&address, sizeof(address));
	int errnum = errno;
	umask(before);
	errno = errnum;
	return bound == 0 ? setsockopt(notices->fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes))
			  : -1;
}

struct notices *notices_open(struct loop *loop, const char *path,
	void (*came)(void *user, pid_t pid, const char *text), void *user) {
	struct notices *notices = xcalloc(1, sizeof(*notices));
	notices->path = xstrdup(path);
	notices->came = came;
	notices->user = user;
	notices->fd = descriptor_own(socket(AF_UNIX, SOCK_DGRAM, 0));
	if (notices->fd >= 0 && bind_socket(notices) == 0) {
		notices->poll = poll_start(loop, notices->fd, POLL_READ, something_came, notices);
		return notices;
	}
	log_warn("no service can tell that it is ready: '%s' cannot be had: %s", path,
		strerror(errno));
	if (notices->fd >= 0) close(notices->fd);
	free(notices->path);
	free(notices);
	return NULL;
}

void notices_close(struct notices *notices) {
	if (!notices) return;
	poll_stop(notices->poll);
	close(notices->fd);
	unlink(notices->path);
	free(notices->path);
	free(notices);
}

const char *notices_path(const struct notices *notices) {
	return notices->path;
}
