/* One request: what was asked, and its answer. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/internal.h"

struct control_request *request_new(struct server *server, struct MHD_Connection *connection) {
	struct control_request *request = xcalloc(1, sizeof(*request));

	request->control = server->control;
	request->server = server;
	request->connection = connection;
	request->state = REQUEST_READING;
	buf_init(&request->text, CONTROL_BODY_MAX);
	list_add_tail(&server->control->requests, &request->link);
	return request;
}

void request_free(struct control_request *request) {
	assert(!request->suspended);
	list_remove(&request->link);
	for (size_t i = 0; i < request->parameter_count; i++) {
		free(request->parameters[i].name);
		free(request->parameters[i].value);
	}
	if (request->streaming) stream_release(&request->stream);
	if (request->response) MHD_destroy_response(request->response);
	buf_release(&request->text);
	json_decref(request->body);
	free(request->cookie);
	free(request);
}

/* ---- what was asked ---- */

const char *control_parameter(const struct control_request *request, const char *name) {
	for (size_t i = 0; i < request->parameter_count; i++) {
		if (str_equal(request->parameters[i].name, name))
			return request->parameters[i].value;
	}
	return NULL;
}

const char *control_query(const struct control_request *request, const char *name) {
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *control_header(const struct control_request *request, const char *name) {
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

json_t *control_body(const struct control_request *request) {
	return request->body;
}

uid_t control_uid(const struct control_request *request) {
	uid_t uid;
	pid_t pid;

	if (request->server->web) return (uid_t)-1;
	return peer_of(request_fd(request), &uid, &pid) ? (uid_t)-1 : uid;
}

bool control_from_web(const struct control_request *request) {
	return request->server->web != NULL;
}

void control_on_gone(struct control_request *request, void (*gone)(void *user), void *user) {
	request->gone = gone;
	request->gone_user = user;
}

/* Twice the same key would let two readers of one body see two things. */
static int read_body(struct control_request *request, struct err *err) {
	json_error_t trouble;

	if (request->text.full) {
		return err_set(
			err, ERR_INVALID, "the body is larger than %d bytes", CONTROL_BODY_MAX);
	}
	if (request->text.len == 0) {
		request->body = json_object();
		return 0;
	}
	request->body =
		json_loadb(request->text.at, request->text.len, JSON_REJECT_DUPLICATES, &trouble);
	if (!request->body) {
		return err_set(err, ERR_INVALID, "the body is not JSON: %s at byte %d",
			trouble.text, trouble.position);
	}
	if (!json_is_object(request->body)) {
		return err_set(err, ERR_INVALID, "the body is not a JSON object");
	}
	return 0;
}

void request_ask(struct control_request *request) {
	struct err err;

	if (read_body(request, &err)) {
		control_refuse_with(request,
			request->text.full ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST,
			&err, NULL, NULL);
		return;
	}
	buf_release(&request->text);
	buf_init(&request->text, 0);
	request->route->asked(request->route_user, request);
}

/* ---- the answer ---- */

void request_set_response(
	struct control_request *request, unsigned status, struct MHD_Response *response) {
	assert(request->state == REQUEST_ASKED || request->state == REQUEST_READING);
	/* A refusal while the body still comes is queued when all of it is here. */
	request->state = REQUEST_ANSWERED;
	request->status = status;
	request->response = response;
	request->gone = NULL;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (request->server->web) web_head(request, response);
	request_resume(request);
}

void control_answer_text(struct control_request *request, unsigned status, const char *type,
	const char *text, size_t len) {
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (!response) abort(); /* out of memory, as in base */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	request_set_response(request, status, response);
}

/* "api" first, so that a person who looks at raw bytes sees it. */
void control_answer(struct control_request *request, unsigned status, json_t *body) {
	json_t *whole = json_pack("{s:i}", "api", 1);

	json_object_update(whole, body);
	json_decref(body);
	char *text = json_dumps(whole, JSON_COMPACT);
	if (!text) abort();
	json_decref(whole);
	control_answer_text(request, status, "application/json", text, strlen(text));
	free(text);
}

/* What the client can do about it decides: ask otherwise (4xx), or again (5xx). */
static unsigned status_of(enum err_kind kind) {
	switch (kind) {
	case ERR_NOT_FOUND: return MHD_HTTP_NOT_FOUND;
	case ERR_INVALID: return MHD_HTTP_BAD_REQUEST;
	case ERR_DENIED: return MHD_HTTP_FORBIDDEN;
	case ERR_CHANGED:
	case ERR_BUSY: return MHD_HTTP_CONFLICT;
	case ERR_OFFLINE:
	case ERR_CANCELLED: return MHD_HTTP_SERVICE_UNAVAILABLE;
	default: return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

void control_refuse(struct control_request *request, const struct err *err, const char *hint) {
	control_refuse_with(request, status_of(err->kind), err, hint, NULL);
}

void control_refuse_with(struct control_request *request, unsigned status, const struct err *err,
	const char *hint, json_t *more) {
	/* The text may quote what the client sent, in whatever bytes. */
	char *text = str_printable(err->text);
	json_t *body = json_pack("{s:{s:s, s:s, s:s?}}", "error", "kind", err_kind_name(err->kind),
		"text", text, "hint", hint);

	free(text);
	if (more) json_object_update(body, more);
	json_decref(more);
	control_answer(request, status, body);
}
