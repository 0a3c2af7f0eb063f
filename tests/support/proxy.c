#include "support/proxy.h"

#include "support/script_server.h"

enum { READ_BYTES = 256 << 10, HELD_MAX = 64 << 20 };

struct proxy {
	struct script_server server;
	int port; /* of the real one */
	proxy_decide *decide;
	void *user;
};

/* From a client's connection to the server. Whole requests go in; what comes back passes as it comes: nobody
 * asks again before the answer is whole, so that its end need not be known. */
struct link {
	struct script_connection *client;
	int fd;
	struct poll *poll;
	struct buf out;
};

static void link_free(struct link *link) {
	if (!link) return;
	poll_stop(link->poll);
	close(link->fd);
	buf_release(&link->out);
	free(link);
}

static void client_closed(struct script_connection *client) {
	link_free(client->user);
	client->user = NULL;
}

static void link_ended(struct link *link) {
	struct script_connection *client = link->client;

	client_closed(client);
	/* An answer without a length ends so; one that was whole has gone already. */
	client->close_after = true;
	poll_change(client->poll, POLL_READ | POLL_WRITE);
}

static void link_ready(void *user, int events) {
	static char bytes[READ_BYTES];
	struct link *link = user;
	ssize_t n = 1;

	if (events & POLL_WRITE && link->out.len) {
		n = send(link->fd, link->out.at, link->out.len, MSG_NOSIGNAL);
		if (n > 0) buf_consume(&link->out, (size_t)n);
	}
	if (n > 0 && events & POLL_READ) {
		n = recv(link->fd, bytes, sizeof(bytes), 0);
		if (n > 0) script_send(link->client, bytes, (size_t)n);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		link_ended(link);
		return;
	}
	poll_change(link->poll, POLL_READ | (link->out.len ? POLL_WRITE : 0));
}

static struct link *link_new(struct proxy *proxy, struct script_connection *client) {
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)proxy->port) };
	struct link *link = xcalloc(1, sizeof(*link));

	link->client = client;
	buf_init(&link->out, HELD_MAX);
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(connect(link->fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	assert(fcntl(link->fd, F_SETFL, O_NONBLOCK) == 0);
	link->poll = poll_start(proxy->server.loop, link->fd, POLL_READ, link_ready, link);
	return link;
}

static void asked(struct script_connection *client, const char *request, size_t len) {
	struct proxy *proxy = client->server->user;
	char method[16], target[8192];

	assert(sscanf(request, "%15s %8191s", method, target) == 2);
	const struct proxy_answer *answer = proxy->decide(proxy->user, method, target);
	if (answer) {
		bool head = strcmp(method, "HEAD") == 0;
		script_answer(client, answer->status, answer->headers, head ? "" : answer->body);
		return;
	}
	if (!client->user) client->user = link_new(proxy, client);
	struct link *link = client->user;
	assert(buf_add(&link->out, request, len) == 0);
	poll_change(link->poll, POLL_READ | POLL_WRITE);
}

struct proxy *proxy_new(struct loop *loop, int port, proxy_decide *decide, void *user) {
	struct proxy *proxy = xcalloc(1, sizeof(*proxy));

	proxy->port = port;
	proxy->decide = decide;
	proxy->user = user;
	script_open(&proxy->server, loop, NULL, asked, proxy);
	proxy->server.closed = client_closed;
	return proxy;
}

void proxy_free(struct proxy *proxy) {
	if (!proxy) return;
	script_stop(&proxy->server);
	free(proxy);
}

int proxy_port(const struct proxy *proxy) {
	return proxy->server.port;
}
