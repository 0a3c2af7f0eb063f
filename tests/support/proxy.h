/*
 * Stands between a store and its real server, on the loop of the test: what `decide` gives is answered
 * in the server's place, which then hears nothing of the request; all else passes as it is. Plain HTTP.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include "loop/loop.h"

struct proxy;

struct proxy_answer {
	const char *status;  /* "429 Too Many Requests" */
	const char *headers; /* "A: b\r\n", or "" */
	const char *body;
};

typedef const struct proxy_answer *proxy_decide(void *user, const char *method, const char *target);

/* `port`: of the server on 127.0.0.1. */
struct proxy *proxy_new(struct loop *loop, int port, proxy_decide *decide, void *user);
void proxy_free(struct proxy *proxy); /* NULL is fine */
int proxy_port(const struct proxy *proxy);

#endif
