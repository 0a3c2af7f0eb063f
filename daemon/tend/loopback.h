/*
 * loopback: waits on 127.0.0.1 for the browser to come back with an answer (RFC 8252 §7.3). One
 * connection at a time, loop thread.
 */
#ifndef TEND_LOOPBACK_H
#define TEND_LOOPBACK_H

#include "base/base.h"
#include "loop/loop.h"

struct loopback {
	struct loop *loop;
	int fd, client;
	int port;
	struct poll *listening, *reading;
	char line[8192]; /* what the browser says */
	size_t len;
	/* The address that was asked for, "/?code=..."; what is returned is shown to the person. */
	const char *(*came)(struct loopback *loopback, const char *address);
	void *user;
};

/* -1 with err. */
int loopback_open(struct loopback *loopback, struct loop *loop,
	const char *(*came)(struct loopback *loopback, const char *address), void *user,
	struct err *err);
void loopback_close(struct loopback *loopback);

#endif
