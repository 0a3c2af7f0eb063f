/*
 * The TCP side: its life, who is let in, and what every answer carries. What it answers beside the
 * page and the login is the API of the unix socket.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/internal.h"

enum {
	LOOK_MS = 1000,
	REQUEST_MS = 10000, /* from the connection, or the last answer, until a request is here */
	REST_MS = 60000,    /* a connection that is kept for the next request */
	COOKIE_NAME_SIZE = 24,
};

struct web {
	struct server server;
	char *address, *token;
	bool remote;
	char cookie[COOKIE_NAME_SIZE]; /* with the port: a cookie belongs to all ports of a host */
	struct logins logins;
	struct list connections;
	struct timer look; /* for connections that take their time */
};

struct web_connection {
	struct list link;
	struct web *web;
	int fd;
	int64_t until_ms; /* 0: it has asked, and waits for us */
};

/* ---- connections ---- */

/* libmicrohttpd's own limit is renewed by every byte: a byte now and then would hold one of the
 * few connections for ever. */
static void look_fired(struct timer *timer) {
	struct web *web = container_of(timer, struct web, look);
	int64_t now_ms = loop_now_ms(web->server.control->loop);

	list_each(&web->connections, link) {
		struct web_connection *at = list_entry(link, struct web_connection, link);
		if (at->until_ms && now_ms >= at->until_ms) shutdown(at->fd, SHUT_RDWR);
	}
	if (!list_empty(&web->connections)) timer_start(&web->look, LOOK_MS);
}

void web_connected(struct server *server, struct MHD_Connection *connection, void **context) {
	struct web *web = server->web;
	struct web_connection *at = xcalloc(1, sizeof(*at));

	at->web = web;
	at->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	at->until_ms = loop_now_ms(server->control->loop) + REQUEST_MS;
	list_add_tail(&web->connections, &at->link);
	if (!timer_running(&web->look)) timer_start(&web->look, LOOK_MS);
	*context = at;
}

void web_disconnected(void **context) {
	struct web_connection *at = *context;

	if (at) list_remove(&at->link);
	free(at);
	*context = NULL;
}

void web_busy(struct MHD_Connection *connection, bool busy) {
	const union MHD_ConnectionInfo *known =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct web_connection *at = known ? known->socket_context : NULL;

	if (!at) return;
	at->until_ms = busy ? 0 : loop_now_ms(at->web->server.control->loop) + REST_MS;
}

/* ---- who asks ---- */

static int64_t now_of(const struct control_request *request) {
	return loop_now_ms(request->control->loop);
}

static const char *session_of(const struct control_request *request) {
	return MHD_lookup_connection_value(
		request->connection, MHD_COOKIE_KIND, request->server->web->cookie);
}

/* A wrong token costs time, whichever way it comes; a right one of a program is heard at once,
 * since it is too long to be guessed, and nobody shall shut others out by guessing. */
static bool bearer_good(struct control_request *request) {
	static const char bearer[] = "Bearer ";
	struct web *web = request->server->web;
	const char *given = control_header(request, "Authorization");

	if (!given || !str_starts(given, bearer)) return false;
	if (secret_same(given + strlen(bearer), web->token)) return true;
	logins_wrong(&web->logins, now_of(request));
	request->retry_s = logins_wait_s(&web->logins, now_of(request));
	return false;
}

static const struct refusal {
	unsigned status;
	enum err_kind kind;
	const char *text, *hint;
} refusals[] = {
	[GUARD_HOST] = { 421, ERR_DENIED, "this name is not ours",
		"open it by its number, as 'tend ui' prints it" },
	[GUARD_ORIGIN] = { MHD_HTTP_FORBIDDEN, ERR_DENIED, "another page asks", NULL },
	[GUARD_TYPE] = { MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, ERR_INVALID, "the body must be JSON",
		"Content-Type: application/json" },
	[GUARD_LOGIN] = { MHD_HTTP_UNAUTHORIZED, ERR_DENIED, "log in first",
		"'tend ui' opens the page and logs in; programs send the token" },
};

static void refuse(struct control_request *request, enum guard_verdict verdict) {
	const struct refusal *refusal = &refusals[verdict];
	struct err err;

	err_set(&err, refusal->kind, "%s", refusal->text);
	control_refuse_with(request,
		verdict == GUARD_LOGIN && request->retry_s ? MHD_HTTP_TOO_MANY_REQUESTS
							   : refusal->status,
		&err, refusal->hint, NULL);
}

bool web_admit(struct control_request *request, const char *method, const char *path) {
	struct web *web = request->server->web;
	const struct guard_question question = {
		.method = method,
		.host = control_header(request, "Host"),
		.origin = control_header(request, "Origin"),
		.fetch_site = control_header(request, "Sec-Fetch-Site"),
		.content_type = control_header(request, "Content-Type"),
		.open = page_find(path) || str_equal(path, "/v1/login"),
		.session = logins_session_good(&web->logins, session_of(request), now_of(request)),
		.bearer = bearer_good(request),
		.remote = web->remote,
		.machine = loop_host(request->control->loop),
	};
	enum guard_verdict verdict = guard_judge(&question);

	if (verdict == GUARD_PASS) return true;
	refuse(request, verdict);
	return false;
}

/* On every answer: no guessing of types, no frame, no reading by other pages. */
void web_head(const struct control_request *request, struct MHD_Response *response) {
	char text[24];

	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "X-Frame-Options", "DENY");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
	if (request->cookie)
		MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, request->cookie);
	if (request->retry_s > 0) {
		snprintf(text, sizeof(text), "%" PRId64, request->retry_s);
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
	}
}

/* ---- login ---- */

static void random_text(struct control *control, char *text) {
	unsigned char bytes[(SECRET_TEXT_SIZE - 1) / 2];

	loop_random(control->loop, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, SECRET_TEXT_SIZE - 2 * i, "%02x", bytes[i]);
}

/* Only below /v1: pages of other programs on this machine are not sent it with every request. */
static void set_cookie(struct control_request *request, const char *value, int64_t age_s) {
	free(request->cookie);
	request->cookie =
		xasprintf("%s=%s; Path=/v1; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict",
			request->server->web->cookie, value, age_s);
}

static void asked_login(void *user, struct control_request *request) {
	struct web *web = user;
	const json_t *body = control_body(request);
	const char *code = json_string_value(json_object_get(body, "code"));
	const char *token = json_string_value(json_object_get(body, "token"));
	int64_t now_ms = now_of(request);
	char random[SECRET_TEXT_SIZE];
	struct err err;

	/* Codes are never slowed down: the owner's way in stays open while others guess. */
	bool good = code && logins_code_take(&web->logins, code, now_ms);
	request->retry_s = good ? 0 : logins_wait_s(&web->logins, now_ms);
	if (request->retry_s > 0) {
		err_set(&err, ERR_BUSY, "too many wrong tokens");
		control_refuse_with(request, MHD_HTTP_TOO_MANY_REQUESTS, &err,
			"try again in a moment, or run 'tend ui'", NULL);
		return;
	}
	if (!good && token && secret_same(token, web->token)) {
		good = true;
		logins_right(&web->logins);
	}
	if (!good) {
		logins_wrong(&web->logins, now_ms);
		log_warn("web: a login with a wrong or outdated %s", code ? "code" : "token");
		err_set(&err, ERR_DENIED,
			code ? "this link was used before, or is too old"
			     : "this is not the token");
		control_refuse_with(
			request, MHD_HTTP_UNAUTHORIZED, &err, "'tend ui' prints a new link", NULL);
		return;
	}
	log_info("web: a browser logged in by %s", code ? "a link" : "the token");
	random_text(request->control, random);
	set_cookie(request, logins_session_new(&web->logins, random, now_ms), SESSION_MAX_S);
	control_answer(request, MHD_HTTP_OK, json_pack("{s:i}", "ends_seconds", SESSION_MAX_S));
}

static void asked_logout(void *user, struct control_request *request) {
	struct web *web = user;

	logins_session_end(&web->logins, session_of(request));
	set_cookie(request, "", 0);
	control_answer(request, MHD_HTTP_OK, json_object());
}

static const struct control_route web_routes[] = {
	{ "POST", "/v1/login", asked_login },
	{ "POST", "/v1/logout", asked_logout },
};

unsigned web_find(struct control_request *request, const char *method, const char *path) {
	return route_find_in(
		request, web_routes, ARRAY_LEN(web_routes), request->server->web, method, path);
}

/* ---- life ---- */

/* Not left out by a compiler that sees that nobody reads it any more. */
static void *(*const volatile wipe)(void *bytes, int value, size_t len) = memset;

static void web_free(struct web *web) {
	timer_cancel(&web->look);
	wipe(&web->logins, 0, sizeof(web->logins));
	wipe(web->token, 0, strlen(web->token));
	free(web->address);
	free(web->token);
	free(web);
}

int control_web_open(struct control *control, const struct control_web *options, struct err *err) {
	struct web *web = control->web;

	if (strlen(options->token) < CONTROL_TOKEN_MIN) {
		return err_set(err, ERR_INVALID, "the token has less than %d characters",
			CONTROL_TOKEN_MIN);
	}
	if (web && str_equal(web->address, options->address) && web->remote == options->remote &&
		secret_same(web->token, options->token))
		return 0;
	control_web_close(control);
	int fd = web_socket_listen(options->address, options->remote, err);
	if (fd < 0) return -1;
	web = xcalloc(1, sizeof(*web));
	web->address = xstrdup(options->address);
	web->token = xstrdup(options->token);
	web->remote = options->remote;
	snprintf(web->cookie, sizeof(web->cookie), "tend-%s", strrchr(web->address, ':') + 1);
	list_init(&web->connections);
	timer_init(&web->look, control->loop, look_fired);
	web->server = (struct server){
		.control = control, .streams_max = WEB_STREAMS_MAX, .name = web->address, .web = web
	};
	if (server_open(&web->server, fd, WEB_CONNECTIONS_MAX, err)) {
		web_free(web);
		return -1;
	}
	control->web = web;
	return 0;
}

void control_web_close(struct control *control) {
	if (!control->web) return;
	server_close(&control->web->server);
	web_free(control->web);
	control->web = NULL;
}

char *control_web_url(const struct control *control) {
	const char *address = control->web ? control->web->address : NULL;

	if (!address) return NULL;
	/* "Everywhere" is no place to go to. */
	if (str_starts(address, "0.0.0.0:") || str_starts(address, "[::]:"))
		return xasprintf("http://127.0.0.1%s/", strrchr(address, ':'));
	return xasprintf("http://%s/", address);
}

int control_web_code(struct control *control, char *code) {
	if (!control->web) return -1;
	random_text(control, code);
	logins_code_new(&control->web->logins, code, loop_now_ms(control->loop));
	return 0;
}

bool control_web_code_waits(const struct control *control, const char *code) {
	return control->web &&
	       logins_code_waits(&control->web->logins, code, loop_now_ms(control->loop));
}
