/*
 * A server on the loopback (or on a unix socket) that lives on the loop of the test that asks it:
 * the test sees each whole request as text and writes the bytes of the answer itself, so that it
 * can cut, stall, or lie. No file, no thread, no fixed port. Header only: unit tests link one room.
 */
#ifndef SUPPORT_SCRIPT_SERVER_H
#define SUPPORT_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "loop/loop.h"

struct script_server;

struct script_connection {
	struct list link;
	struct script_server *server;
	int fd;
	int number; /* from 1 */
	struct poll *poll;
	struct buf in, out;
	bool close_after; /* close when `out` has gone */
	void *user;
};

struct script_server {
	struct loop *loop;
	int fd;
	int port;
	struct poll *poll;
	struct list connections;
	int accepted, requests;
	void *user;
	/* A whole request came: head (with its empty line) and body in one. Answer with
	 * script_send(), or do not. */
	void (*asked)(struct script_connection *connection, const char *request, size_t len);
	void (*closed)(struct script_connection *connection); /* may be NULL */
};

#define SCRIPT __attribute__((unused)) static

SCRIPT void script_close(struct script_connection *connection) {
	if (connection->server->closed) connection->server->closed(connection);
	poll_stop(connection->poll);
	close(connection->fd);
	list_remove(&connection->link);
	buf_release(&connection->in);
	buf_release(&connection->out);
	free(connection);
}

SCRIPT void script_flush(struct script_connection *connection) {
	while (connection->out.len) {
		ssize_t n =
			send(connection->fd, connection->out.at, connection->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) {
			connection->close_after = true;
			buf_clear(&connection->out);
			break;
		}
		buf_consume(&connection->out, (size_t)n);
	}
	if (!connection->out.len && connection->close_after) {
		script_close(connection);
		return;
	}
	poll_change(connection->poll, POLL_READ | (connection->out.len ? POLL_WRITE : 0));
}

/* The bytes go out when the server is done with this turn. */
SCRIPT void script_send(struct script_connection *connection, const void *bytes, size_t len) {
	assert(buf_add(&connection->out, bytes, len) == 0);
	poll_change(connection->poll, POLL_READ | POLL_WRITE);
}

SCRIPT void script_sends(struct script_connection *connection, const char *text) {
	script_send(connection, text, strlen(text));
}

/* "200 OK", extra header lines ("A: b\r\n") or "", a body. */
SCRIPT void script_answer(struct script_connection *connection, const char *status,
	const char *headers, const char *body) {
	char head[4096];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
		headers, strlen(body));
	script_sends(connection, head);
	script_sends(connection, body);
}

/* The value of a request's header; "" when absent. `out` holds `size`. */
SCRIPT const char *script_header(const char *request, const char *name, char *out, size_t size) {
	const char *end = strstr(request, "\r\n\r\n");
	size_t len = strlen(name);

	out[0] = '\0';
	for (const char *at = strstr(request, "\r\n"); at && at < end;
		at = strstr(at + 2, "\r\n")) {
		if (strncasecmp(at + 2, name, len) != 0 || at[2 + len] != ':') continue;
		const char *from = at + 2 + len + 1 + strspn(at + 2 + len + 1, " ");
		snprintf(out, size, "%.*s", (int)strcspn(from, "\r"), from);
		break;
	}
	return out;
}

/* Length of the first whole request in `in`, 0: not yet all of it. */
SCRIPT size_t script_whole(const struct buf *in) {
	char text[32];
	const char *end = strstr(in->at, "\r\n\r\n");

	if (!end) return 0;
	script_header(in->at, "content-length", text, sizeof(text));
	size_t len = (size_t)(end + 4 - in->at) + strtoul(text, NULL, 10);
	return in->len >= len ? len : 0;
}

SCRIPT void script_readable(struct script_connection *connection) {
	char bytes[65536], expect[32];
	ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN) return;
	if (n <= 0) {
		script_close(connection);
		return;
	}
	if (connection->in.len == 0 &&
		bytes[0] == 0x16) { /* a TLS hello: a plain server hangs up */
		script_close(connection);
		return;
	}
	bool head_was_there = strstr(connection->in.at, "\r\n\r\n") != NULL;
	assert(buf_add(&connection->in, bytes, (size_t)n) == 0);
	script_header(connection->in.at, "expect", expect, sizeof(expect));
	if (!head_was_there && expect[0] && strstr(connection->in.at, "\r\n\r\n")) {
		script_sends(connection, "HTTP/1.1 100 Continue\r\n\r\n");
	}
	size_t len = script_whole(&connection->in);
	if (!len) return;
	char *request = xmemdup(connection->in.at, len + 1);
	request[len] = '\0';
	buf_consume(&connection->in, len);
	connection->server->requests++;
	connection->server->asked(connection, request, len);
	free(request);
}

SCRIPT void script_ready(void *user, int events) {
	struct script_connection *connection = user;

	if (events & POLL_WRITE && (connection->out.len || connection->close_after)) {
		script_flush(connection);
	} else if (events & POLL_READ) {
		script_readable(connection);
	}
}

SCRIPT void script_accept(void *user, int events) {
	struct script_server *server = user;
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) return;
	struct script_connection *connection = xcalloc(1, sizeof(*connection));
	connection->server = server;
	connection->fd = fd;
	connection->number = ++server->accepted;
	buf_init(&connection->in, 64 << 20);
	buf_init(&connection->out, 64 << 20);
	list_add_tail(&server->connections, &connection->link);
	connection->poll = poll_start(server->loop, fd, POLL_READ, script_ready, connection);
}

/* `path`: a unix socket; NULL: 127.0.0.1 on a free port, then in `port`. */
SCRIPT void script_open(struct script_server *server, struct loop *loop, const char *path,
	void (*asked)(struct script_connection *, const char *, size_t), void *user) {
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(in);
	int failed;

	*server = (struct script_server){ .loop = loop, .asked = asked, .user = user };
	list_init(&server->connections);
	server->fd =
		socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (path) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
		failed = bind(server->fd, (struct sockaddr *)&un, sizeof(un));
	} else {
		failed = bind(server->fd, (struct sockaddr *)&in, sizeof(in));
		failed |= getsockname(server->fd, (struct sockaddr *)&in, &len);
		server->port = ntohs(in.sin_port);
	}
	failed |= listen(server->fd, 128);
	assert(!failed);
	server->poll = poll_start(loop, server->fd, POLL_READ, script_accept, server);
}

SCRIPT void script_stop(struct script_server *server) {
	list_each(&server->connections, link) {
		script_close(list_entry(link, struct script_connection, link));
	}
	poll_stop(server->poll);
	close(server->fd);
}

#endif
