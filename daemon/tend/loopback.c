#include "tend/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void drop_client(struct loopback *l) {
	if (l->reading) poll_stop(l->reading);
	l->reading = NULL;
	if (l->client >= 0) close(l->client);
	l->client = -1;
	l->len = 0;
}

static void answer(struct loopback *l, const char *text) {
	char page[1024];
	int len = snprintf(page, sizeof(page),
		"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: "
		"close\r\n\r\n"
		"<!doctype html><title>tend</title><p style=\"font: 18px sans-serif; margin: "
		"3em\">%s",
		text);

	/* It is small: a browser that does not take it at once sees no text, and that is all. */
	if (len > 0 && send(l->client, page, (size_t)len, MSG_NOSIGNAL) < 0) return;
	shutdown(l->client, SHUT_WR);
}

/* "GET /?code=... HTTP/1.1". Browsers ask for an icon as well, which is nobody's answer. */
static void whole_line(struct loopback *l) {
	char *address = strchr(l->line, ' ');
	char *end = address ? strchr(address + 1, ' ') : NULL;
	const char *text = "Nothing here.";

	if (end && strncmp(l->line, "GET /?", 6) == 0) {
		*end = '\0';
		text = l->came(l, address + 1);
	}
	answer(l, text);
	drop_client(l);
}

static void readable(void *user, int events) {
	struct loopback *l = user;
	ssize_t got = read(l->client, l->line + l->len, sizeof(l->line) - 1 - l->len);

	(void)events;
	if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (got <= 0) {
		drop_client(l);
		return;
	}
	l->len += (size_t)got;
	l->line[l->len] = '\0';
	if (strstr(l->line, "\r\n\r\n"))
		whole_line(l);
	else if (l->len == sizeof(l->line) - 1)
		drop_client(l);
}

static void knocked(void *user, int events) {
	struct loopback *l = user;
	int client = accept(l->fd, NULL, NULL);

	(void)events;
	if (client < 0) return;
	/* The newest counts: browsers open connections that they never use. */
	drop_client(l);
	l->client = client;
	if (fcntl(client, F_SETFL, O_NONBLOCK) || fcntl(client, F_SETFD, FD_CLOEXEC) ||
		!(l->reading = poll_start(l->loop, client, POLL_READ, readable, l)))
		drop_client(l);
}

int loopback_open(struct loopback *l, struct loop *loop,
	const char *(*came)(struct loopback *loopback, const char *address), void *user,
	struct err *err) {
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*l = (struct loopback){ .loop = loop, .client = -1, .came = came, .user = user };
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (l->fd < 0 || fcntl(l->fd, F_SETFL, O_NONBLOCK) || fcntl(l->fd, F_SETFD, FD_CLOEXEC) ||
		bind(l->fd, (struct sockaddr *)&at, sizeof(at)) || listen(l->fd, 8) ||
		getsockname(l->fd, (struct sockaddr *)&at, &len) ||
		!(l->listening = poll_start(loop, l->fd, POLL_READ, knocked, l))) {
		err_sys(err, errno, "cannot listen on 127.0.0.1");
		loopback_close(l);
		return -1;
	}
	l->port = ntohs(at.sin_port);
	return 0;
}

void loopback_close(struct loopback *l) {
	drop_client(l);
	if (l->listening) poll_stop(l->listening);
	if (l->fd >= 0) close(l->fd);
	l->listening = NULL;
	l->fd = -1;
}
