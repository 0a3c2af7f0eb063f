/*
 * HTTP to tendd, through the loop and the shared connections of lib/http. To the commands it looks
 * sequential: they ask, and the loop runs until the answer is there; only a long poll is started
 * and looked after from time to time.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tend/client.h"

enum {
	ANSWER_MAX = 32 << 20, /* thousands of units with everything there is to say about them */
	STREAM_MAX = 256 << 10,
	USUAL_PATIENCE_MS =
		30000, /* the daemon answers at once; a machine that swaps may take a while */
	CONNECT_MS = 5000,
};

int client_open(struct client *client, const struct client_place *place, struct err *err) {
	memset(client, 0, sizeof(*client));
	client->place = *place;
	client->socket = place_socket(place, err);
	if (!client->socket) return -1;
	client->loop = loop_new(1, err);
	if (!client->loop) {
		client_release(client);
		return -1;
	}
	client->http = http_new(client->loop);
	return 0;
}

void client_release(struct client *client) {
	http_free(client->http);
	if (client->loop) loop_free(client->loop);
	free(client->socket);
	memset(client, 0, sizeof(*client));
}

int client_probe(const struct client *client, struct err *err) {
	int errnum = place_probe(client->socket);

	if (errnum == 0) return 0;
	/* No file, or one that nobody listens on any more: a crash leaves it behind. */
	if (errnum == ENOENT || errnum == ECONNREFUSED || errnum == ENOTDIR) {
		char *advice = place_advice(&client->place, client->socket);
		(void)err_set(err, ERR_OFFLINE, "tendd is not running: start it with %s", advice);
		free(advice);
		return -1;
	}
	if (errnum == EACCES || errnum == EPERM) {
		return err_set(err, ERR_DENIED,
			"permission denied on '%s': be root, or a member of the group that owns it",
			client->socket);
	}
	if (errnum == ENAMETOOLONG) {
		return err_set(err, ERR_INVALID, "the path of the socket is too long: '%s'",
			client->socket);
	}
	return err_sys(err, errnum, "cannot reach tendd at '%s'", client->socket);
}

/* ---- waiting ---- */

struct waker {
	struct timer timer;
	bool over;
};

static void waker_fired(struct timer *timer) {
	container_of(timer, struct waker, timer)->over = true;
}

void client_sleep(struct client *client, int64_t ms) {
	struct waker waker = { 0 };

	timer_init(&waker.timer, client->loop, waker_fired);
	timer_start(&waker.timer, ms);
	loop_run_until(client->loop, &waker.over);
}

/* ---- one question ---- */

/* "not found" -> ERR_NOT_FOUND: what tendd decided by, so that the exit code follows from it. */
static enum err_kind kind_named(const char *name, int status) {
	for (enum err_kind kind = ERR_NOT_FOUND; kind <= ERR_CANCELLED; kind++) {
		if (str_equal(err_kind_name(kind), name)) return kind;
	}
	return status == 404 ? ERR_NOT_FOUND : status < 500 ? ERR_INVALID : ERR_SYSTEM;
}

static void read_error(struct ask *ask) {
	const json_t *error = json_object_get(ask->answer, "error");
	const char *kind = json_string_value(json_object_get(error, "kind"));
	const char *text = json_string_value(json_object_get(error, "text"));
	const char *hint = json_string_value(json_object_get(error, "hint"));

	/* A proxy, or another program on this socket, has its own way to refuse. */
	if (!text) {
		(void)err_set(&ask->err, kind_named("", ask->status),
			"tendd answers with status %d", ask->status);
		return;
	}
	bool hinted = hint && *hint;
	(void)err_set(&ask->err, kind_named(kind ? kind : "", ask->status), "%s%s%s", text,
		hinted ? ": " : "", hinted ? hint : "");
}

/* Whatever came: status, JSON or why there is none. */
static void read_answer(struct ask *ask, const struct err *err) {
	if (err) {
		/* What curl says about a socket helps nobody; whoever was there a moment ago is
		 * gone. */
		if (err->kind == ERR_OFFLINE) {
			if (client_probe(ask->client, &ask->err) != 0) return;
			(void)err_set(&ask->err, ERR_BUSY,
				"tendd did not answer at '%s': try again", ask->client->socket);
			return;
		}
		ask->err = *err;
		return;
	}
	ask->status = ask->request.status;
	ask->answer = json_loadb(ask->request.answer.at, ask->request.answer.len, 0, NULL);
	if (ask->status < 200 || ask->status > 299) {
		read_error(ask);
	} else if (!json_is_object(ask->answer)) {
		(void)err_set(&ask->err, ERR_CORRUPT, "what answers at '%s' is not tendd",
			ask->client->socket);
	}
}

static void request_done(struct http_request *request, const struct err *err) {
	struct ask *ask = container_of(request, struct ask, request);

	read_answer(ask, err);
	ask->ended = true;
	if (ask->wake) *ask->wake = true;
}

void ask_init(struct ask *ask, struct client *client, const char *method, const char *path,
	json_t *body) {
	static const char *const headers[] = { "Content-Type: application/json", NULL };

	memset(ask, 0, sizeof(*ask));
	ask->client = client;
	ask->url = xasprintf("http://tendd%s", path);
	http_request_init(&ask->request, method, ask->url);
	ask->request.unix_socket = client->socket;
	ask->request.connect_ms = CONNECT_MS;
	ask->request.answer_max = ANSWER_MAX;
	ask->request.done = request_done;
	if (!str_equal(method, "POST")) {
		assert(!body);
		return;
	}
	ask->body = body ? json_dumps(body, JSON_COMPACT) : xstrdup("{}");
	json_decref(body);
	ask->request.headers = headers;
	ask->request.body = ask->body;
	ask->request.body_len = strlen(ask->body);
}

void ask_release(struct ask *ask) {
	http_request_release(&ask->request);
	json_decref(ask->answer);
	free(ask->url);
	free(ask->body);
	memset(ask, 0, sizeof(*ask));
}

void ask_start(struct ask *ask, int64_t patience_ms) {
	ask->request.total_ms = patience_ms;
	ask->ended = false;
	http_request_start(ask->client->http, &ask->request);
}

bool ask_wait(struct ask *ask, int64_t ms) {
	struct waker waker = { 0 };

	if (ask->ended) return true;
	timer_init(&waker.timer, ask->client->loop, waker_fired);
	timer_start(&waker.timer, ms);
	ask->wake = &waker.over;
	loop_run_until(ask->client->loop, &waker.over);
	ask->wake = NULL;
	timer_cancel(&waker.timer);
	return ask->ended;
}

void ask_cancel(struct ask *ask) {
	if (ask->ended) return;
	http_request_cancel(&ask->request);
	loop_run_until(ask->client->loop, &ask->ended);
}

int ask_run(struct ask *ask, int64_t patience_ms, struct err *err) {
	if (client_probe(ask->client, err) != 0) return -1;
	ask_start(ask, patience_ms);
	loop_run_until(ask->client->loop, &ask->ended);
	if (ask->err.kind == ERR_NONE) return 0;
	*err = ask->err;
	return -1;
}

json_t *client_ask(struct client *client, const char *method, const char *path, json_t *body,
	struct err *err) {
	struct ask ask;
	json_t *answer = NULL;

	ask_init(&ask, client, method, path, body);
	if (ask_run(&ask, USUAL_PATIENCE_MS, err) == 0) answer = json_incref(ask.answer);
	ask_release(&ask);
	return answer;
}

/* ---- a stream ---- */

static void stream_arrived(struct http_request *request) {
	struct stream *stream = container_of(request, struct stream, ask.request);
	struct buf *answer = &request->answer;

	if (request->status != 200) return; /* an error is JSON and is read whole */
	if (!stream->enough && stream->part(stream->user, answer->at, answer->len) != 0) {
		stream->enough = true;
		http_request_cancel(request);
	}
	buf_consume(answer, answer->len);
}

static void stream_done(struct http_request *request, const struct err *err) {
	struct stream *stream = container_of(request, struct stream, ask.request);

	if (request->status != 200 || err) read_answer(&stream->ask, err);
	stream->ask.ended = true;
	if (stream->done) stream->done(stream->user);
}

static void begin(struct stream *stream, struct client *client, const char *method,
	const char *path, json_t *body) {
	ask_init(&stream->ask, client, method, path, body);
	stream->enough = false;
	stream->ask.request.answer_max = STREAM_MAX;
	stream->ask.request.arrived = stream_arrived;
	stream->ask.request.done = stream_done;
	ask_start(&stream->ask, 0);
}

void stream_start(struct stream *stream, struct client *client, const char *path) {
	begin(stream, client, "GET", path, NULL);
}

static int run_stream(struct client *client, const char *method, const char *path, json_t *body,
	int (*part)(void *user, const char *text, size_t len), void *user, struct err *err) {
	struct stream stream = { .part = part, .user = user };

	if (client_probe(client, err) != 0) {
		json_decref(body);
		return -1;
	}
	begin(&stream, client, method, path, body);
	loop_run_until(client->loop, &stream.ask.ended);
	*err = stream.ask.err;
	ask_release(&stream.ask);
	return err->kind == ERR_NONE || stream.enough ? 0 : -1;
}

int client_stream(struct client *client, const char *path,
	int (*part)(void *user, const char *text, size_t len), void *user, struct err *err) {
	return run_stream(client, "GET", path, NULL, part, user, err);
}

int client_stream_order(struct client *client, const char *path, json_t *body,
	int (*part)(void *user, const char *text, size_t len), void *user, struct err *err) {
	return run_stream(client, "POST", path, body, part, user, err);
}
