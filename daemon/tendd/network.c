/*
 * Looked at four times a second until it is ready, then never again: from then on whoever needs the
 * network finds out by itself.
 */
#include "tendd/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/machine.h"

enum {
	LOOK_MS = 250,
	ASK_MS = 1000,
	NO_ROUTE_MS = 2000,
	RESOLVERS_MAX = 3, /* as in the C library */
	DNS_PORT = 53,
	DNS_HEADER_BYTES = 12,
	DNS_SERVER_FAILED = 2,
};

struct network {
	struct unit unit;
	struct loop *loop;
	int64_t timeout_ms, begun_ms, no_route_since_ms, asked_ms;
	struct timer timer;
	struct poll *polls[RESOLVERS_MAX];
	int fds[RESOLVERS_MAX];
	uint16_t id;
};

static void stop_asking(struct network *network) {
	for (int i = 0; i < RESOLVERS_MAX; i++) {
		poll_stop(network->polls[i]);
		network->polls[i] = NULL;
		if (network->fds[i] >= 0) close(network->fds[i]);
		network->fds[i] = -1;
	}
	network->asked_ms = 0;
}

static void ready(struct network *network, const char *detail) {
	stop_asking(network);
	timer_cancel(&network->timer);
	if (detail) log_warn("network: %s", detail);
	unit_report(&network->unit, UNIT_READY, detail);
}

/* ---- is there a resolver that answers? ---- */

/* Any answer but "I could not" says that one is there and reached somebody. */
static void resolver_answered(void *user, int events) {
	struct network *network = user;
	unsigned char answer[512];
	(void)events;
	for (int i = 0; i < RESOLVERS_MAX; i++) {
		if (network->fds[i] < 0) continue;
		ssize_t len = recv(network->fds[i], answer, sizeof(answer), MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN && errno != EINTR) {
			poll_change(network->polls[i], 0); /* refused: asked again in a second */
			continue;
		}
		if (len < DNS_HEADER_BYTES) continue;
		bool ours = answer[0] == network->id >> 8 && answer[1] == (network->id & 0xff);
		bool is_answer = answer[2] & 0x80;
		if (!ours || !is_answer || (answer[3] & 0x0f) == DNS_SERVER_FAILED) continue;
		ready(network, NULL);
		return;
	}
}

/* Connected, so that only this resolver is heard, and a refusal too. */
static int connect_to(const char *text) {
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	socklen_t len = 0;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(DNS_PORT);
		len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(DNS_PORT);
		len = sizeof(*v6);
	} else {
		return -1;
	}
	int fd = socket(address.ss_family, SOCK_DGRAM, 0);
	if (fd < 0) return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK) ||
		connect(fd, (struct sockaddr *)&address, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* "Who serves the root?": a question every resolver can answer, about nobody. */
static void ask_resolver(struct network *network, int slot, const char *address) {
	unsigned char question[] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1 };
	int fd = connect_to(address);
	if (fd < 0) return;
	question[0] = (unsigned char)(network->id >> 8);
	question[1] = (unsigned char)(network->id & 0xff);
	struct poll *poll = poll_start(network->loop, fd, POLL_READ, resolver_answered, network);
	if (!poll || send(fd, question, sizeof(question), MSG_NOSIGNAL) < 0) {
		poll_stop(poll);
		close(fd);
		return;
	}
	network->polls[slot] = poll;
	network->fds[slot] = fd;
}

/* All at once: the first that answers is enough. A new id each time, so that an old answer is
 * not taken for a new one. */
static void ask_resolvers(struct network *network) {
	char line[512], address[128];
	int count = 0;
	stop_asking(network);
	network->asked_ms = loop_now_ms(network->loop);
	loop_random(network->loop, &network->id, sizeof(network->id));
	FILE *file = fopen("/etc/resolv.conf", "re");
	while (file && count < RESOLVERS_MAX && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "nameserver %127s", address) != 1) continue;
		address[strcspn(address, "%")] = '\0'; /* a zone: the route knows it */
		ask_resolver(network, count++, address);
	}
	if (file) fclose(file);
	if (count == 0) ask_resolver(network, 0, "127.0.0.1"); /* resolv.conf(5) */
}

/* ---- the flow ---- */

static void look(struct network *network) {
	int64_t now_ms = loop_now_ms(network->loop);
	if (now_ms - network->begun_ms >= network->timeout_ms) {
		ready(network, "no resolver has answered in network_timeout: going on without");
		return;
	}
	if (!machine_has_route("")) {
		if (network->no_route_since_ms == 0) network->no_route_since_ms = now_ms;
		if (now_ms - network->no_route_since_ms >= NO_ROUTE_MS) {
			ready(network, "no default route: going on without a network");
			return;
		}
	} else {
		network->no_route_since_ms = 0;
		if (network->asked_ms == 0 || now_ms - network->asked_ms >= ASK_MS)
			ask_resolvers(network);
	}
	timer_start(&network->timer, LOOK_MS);
}

static void timer_fired(struct timer *timer) {
	look(container_of(timer, struct network, timer));
}

static void may_start(struct unit *unit) {
	struct network *network = container_of(unit, struct network, unit);
	network->begun_ms = loop_now_ms(network->loop);
	network->no_route_since_ms = 0;
	look(network);
}

static void must_stop(struct unit *unit) {
	struct network *network = container_of(unit, struct network, unit);
	stop_asking(network);
	timer_cancel(&network->timer);
	unit_report(unit, UNIT_DOWN, NULL);
}

static const struct unit_calls calls = { may_start, must_stop };

struct network *network_new(struct loop *loop, struct unit_graph *graph, int64_t timeout_ms) {
	struct network *network = xcalloc(1, sizeof(*network));
	network->loop = loop;
	network->timeout_ms = timeout_ms;
	for (int i = 0; i < RESOLVERS_MAX; i++) network->fds[i] = -1;
	timer_init(&network->timer, loop, timer_fired);
	unit_init(&network->unit, graph, UNIT_NETWORK, "network", &calls);
	unit_want(&network->unit);
	return network;
}

void network_free(struct network *network) {
	if (!network) return;
	stop_asking(network);
	timer_cancel(&network->timer);
	unit_release(&network->unit);
	free(network);
}

void network_set_timeout(struct network *network, int64_t timeout_ms) {
	network->timeout_ms = timeout_ms;
}
