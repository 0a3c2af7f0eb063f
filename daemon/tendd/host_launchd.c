/* launchd wants to be told nothing, and tells nothing: it reads exit codes and sends TERM. */
#include "tendd/host.h"

#include <stdlib.h>

struct host {
	struct loop *loop;
	struct defer defer;
	void (*answered)(void *user, bool restart);
	void *user;
};

bool host_has_journal(void) {
	return false;
}

static void answer(struct defer *defer) {
	struct host *host = container_of(defer, struct host, defer);
	host->answered(host->user, false);
}

struct host *host_new(struct loop *loop) {
	struct host *host = xcalloc(1, sizeof(*host));
	host->loop = loop;
	defer_init(&host->defer, answer);
	return host;
}

void host_free(struct host *host) {
	defer_cancel(&host->defer);
	free(host);
}

bool host_runs_keeper(const struct host *host) {
	(void)host;
	return false;
}

void host_ready(struct host *host) {
	(void)host;
}

void host_reloading(struct host *host) {
	(void)host;
}

void host_stopping(struct host *host) {
	(void)host;
}

void host_say(struct host *host, const char *text) {
	(void)host;
	(void)text;
}

void host_extend(struct host *host, int64_t ms) {
	(void)host;
	(void)ms;
}

void host_ask_restart(struct host *host, void (*answered)(void *user, bool restart), void *user) {
	host->answered = answered;
	host->user = user;
	defer_start(host->loop, &host->defer);
}
