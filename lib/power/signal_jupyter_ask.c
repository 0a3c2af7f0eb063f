/* The questions to Jupyter servers, all at once: kernels and terminals of each. */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { PATIENCE_MS = 10000, ANSWER_MAX = 4 << 20, STATUS_NOT_FOUND = 404 };

struct question {
	struct http_request request;
	struct idle_jupyter *asking;
	char *url, *authorization;
	const char *headers[2];
	bool terminals;
};

struct idle_jupyter {
	struct idle_jupyter_options options;
	struct idle_server *servers;
	struct question *questions;
	size_t server_count, count, left;
	struct idle_answer answer;
	void (*done)(void *user, const struct idle_answer *answer);
	void *user;
	struct defer defer;
};

static void finish(struct defer *defer) {
	struct idle_jupyter *asking = container_of(defer, struct idle_jupyter, defer);
	struct idle_answer answer = asking->answer;
	void (*done)(void *user, const struct idle_answer *answer) = asking->done;
	void *user = asking->user;
	for (size_t i = 0; i < asking->count; i++) {
		http_request_release(&asking->questions[i].request);
		free(asking->questions[i].url);
		free(asking->questions[i].authorization);
	}
	for (size_t i = 0; i < asking->server_count; i++) {
		free(asking->servers[i].url);
		free(asking->servers[i].token);
		free(asking->servers[i].socket);
	}
	free(asking->questions);
	free(asking->servers);
	free(asking);
	done(user, &answer);
}

static void answered(struct http_request *request, const struct err *err) {
	struct question *question = container_of(request, struct question, request);
	struct idle_jupyter *asking = question->asking;
	const struct idle_jupyter_options *options = &asking->options;
	struct idle_answer one;
	if (err)
		idle_say(&one, IDLE_UNKNOWN, 0, "a Jupyter server does not answer: %.100s",
			err->text);
	else if (request->status == STATUS_NOT_FOUND && question->terminals)
		idle_say(&one, IDLE_IDLE, -1, "no terminals"); /* they can be switched off */
	else if (request->status != 200)
		idle_say(&one, IDLE_UNKNOWN, 0, "a Jupyter server answers %d", request->status);
	else if (question->terminals)
		signal_jupyter_terminals(
			request->answer.at, options->wall_ns, options->after_ms, &one);
	else
		signal_jupyter_kernels(
			request->answer.at, options->wall_ns, options->kernel_idle_ms, &one);
	idle_worse(&asking->answer, &one);
	if (--asking->left == 0) defer_start(options->loop, &asking->defer);
}

static void ask(struct idle_jupyter *asking, struct question *question,
	const struct idle_server *server, bool terminals) {
	size_t len = strlen(server->url);
	const char *slash = len && server->url[len - 1] == '/' ? "" : "/";
	question->asking = asking;
	question->terminals = terminals;
	question->url = xasprintf("%s%sapi/%s", server->socket ? "http://localhost/" : server->url,
		server->socket ? "" : slash, terminals ? "terminals" : "kernels");
	if (server->token)
		question->authorization = xasprintf("Authorization: token %s", server->token);
	question->headers[0] = question->authorization;
	http_request_init(&question->request, "GET", question->url);
	question->request.headers = question->headers;
	question->request.unix_socket = server->socket;
	question->request.total_ms = PATIENCE_MS;
	question->request.answer_max = ANSWER_MAX;
	question->request.done = answered;
	http_request_start(asking->options.http, &question->request);
}

struct idle_jupyter *signal_jupyter_ask(const struct idle_jupyter_options *options,
	struct idle_server *servers, size_t count,
	void (*done)(void *user, const struct idle_answer *answer), void *user) {
	struct idle_jupyter *asking = xcalloc(1, sizeof(*asking));
	asking->options = *options;
	asking->servers = servers;
	asking->server_count = count;
	asking->count = asking->left = 2 * count;
	asking->questions = xcalloc(asking->count + 1, sizeof(*asking->questions));
	asking->done = done;
	asking->user = user;
	idle_say(&asking->answer, IDLE_IDLE, -1, count ? "no kernel at work" : "no Jupyter server");
	defer_init(&asking->defer, finish);
	for (size_t i = 0; i < asking->count; i++)
		ask(asking, &asking->questions[i], &servers[i / 2], i % 2);
	if (asking->left == 0) defer_start(options->loop, &asking->defer);
	return asking;
}

void signal_jupyter_cancel(struct idle_jupyter *asking) {
	for (size_t i = 0; i < asking->count; i++)
		http_request_cancel(&asking->questions[i].request);
}
