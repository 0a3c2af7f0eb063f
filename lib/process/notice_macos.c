/*
 * A datagram there does not say who wrote it (LOCAL_PEERPID is of connected sockets alone), and
 * whoever speaks for a service must be one of its own: so no service is given the socket. `ready =
 * notify` says so as it does where the socket cannot be had.
 */
#include "process/internal.h"

struct notices {
	char unused;
};

struct notices *notices_open(struct loop *loop, const char *path,
	void (*came)(void *user, pid_t pid, const char *text), void *user) {
	(void)loop;
	(void)came;
	(void)user;
	log_debug("no socket '%s': this system does not tell who writes to it", path);
	return NULL;
}

void notices_close(struct notices *notices) {
	(void)notices;
}

void notices_read(struct notices *notices) {
	(void)notices;
}

const char *notices_path(const struct notices *notices) {
	(void)notices;
	return NULL;
}
