/* The listening socket of the TCP side: a number and a port, loopback unless that is allowed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/internal.h"

enum { BACKLOG = 64, PORT_MAX = 65535 };

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* `host` without its brackets. */
static int read_host(const char *host, union address *address, bool *loopback) {
	memset(address, 0, sizeof(*address));
	if (str_equal(host, "localhost")) host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &address->four.sin_addr) == 1) {
		address->any.sa_family = AF_INET;
		*loopback = ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &address->six.sin6_addr) == 1) {
		address->any.sa_family = AF_INET6;
		*loopback = IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
		return 0;
	}
	return -1;
}

static int read_address(
	const char *text, bool remote, union address *address, socklen_t *len, struct err *err) {
	const char *colon = strrchr(text, ':');
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	bool bracketed = host_len > 2 && text[0] == '[' && text[host_len - 1] == ']';
	bool loopback = false;
	int64_t port = 0;

	char *host = bracketed ? xstrndup(text + 1, host_len - 2) : xstrndup(text, host_len);
	int rc = host_len > 0 && (bracketed || !strchr(host, ':')) &&
				 str_to_int(colon + 1, 1, PORT_MAX, &port) == 0
			 ? read_host(host, address, &loopback)
			 : -1;
	free(host);
	if (rc) {
		return err_set(err, ERR_INVALID,
			"'%s' is no address to listen on: write 127.0.0.1:8390", text);
	}
	if (!loopback && !remote) {
		return err_set(err, ERR_INVALID,
			"'%s' can be reached from outside: write 127.0.0.1:%lld, or "
			"web_allow_remote = yes",
			text, (long long)port);
	}
	bool six = address->any.sa_family == AF_INET6;
	if (six)
		address->six.sin6_port = htons((uint16_t)port);
	else
		address->four.sin_port = htons((uint16_t)port);
	*len = six ? sizeof(address->six) : sizeof(address->four);
	return 0;
}

int control_web_check(const char *text, bool remote, struct err *err) {
	union address address;
	socklen_t len;

	return read_address(text, remote, &address, &len, err);
}

int web_socket_listen(const char *text, bool remote, struct err *err) {
	union address address = { 0 };
	socklen_t len = 0;
	int on = 1;

	if (read_address(text, remote, &address, &len, err)) return -1;
	int fd = socket(address.any.sa_family, SOCK_STREAM, 0);
	if (fd < 0) return err_sys(err, errno, "cannot make a socket for '%s'", text);
	/* The port may still remember connections of the tendd before. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		bind(fd, &address.any, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err_sys(err, errno, "cannot listen on '%s'", text);
	close(fd);
	return -1;
}
