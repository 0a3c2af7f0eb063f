/*
 * http: one request over shared, kept-alive connections: HTTP/2 where a TLS server offers it,
 * HTTP/1.1 otherwise, TCP or a unix socket. No redirects, no cookies, no retries: the answer is
 * what the server said.
 *
 * Loop thread only; never blocks. The caller embeds `struct http_request`; what it points to is
 * borrowed until `done`. Times are milliseconds, sizes bytes. `done` comes exactly once, never
 * inside start or cancel. A status of 4xx or 5xx is an answer, not an error: err is NULL whenever a
 * whole answer came.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"

#define HTTP_HEADERS_MAX        60         /* lines of one question */
#define HTTP_ANSWER_HEADERS_MAX (48 << 10) /* bytes of one answer's headers */
#define HTTP_STREAM_MIN         (16 << 10) /* least answer_max of a streamed answer */

/* All requests of the process, their connections and idle handles. */
struct http;

struct http *http_new(struct loop *loop);
void http_free(struct http *http); /* no request in flight; NULL is fine */

struct http_request {
	/* ---- the question: borrowed until `done` ---- */
	const char *method;         /* "GET", "PUT", ... */
	const char *url;            /* sent as it stands: "." and ".." and "//" are kept */
	const char *const *headers; /* NULL-ended lines "Name: value"; may be NULL */
	const void *body;
	size_t body_len;         /* with a body that is not NULL: sent, 0 too */
	const char *ca_file;     /* NULL: the system's */
	const char *unix_socket; /* a path to connect to; the host is then only a name */
	bool fresh;              /* on a new connection */
	int64_t connect_ms;      /* 0: 30 s */
	int64_t idle_ms;         /* gives up when no byte moved for so long; 0: never */
	int64_t total_ms;        /* gives up after so long altogether; 0: never */
	int64_t body_speed;      /* bytes a second, each way; 0: as fast as it goes */
	size_t answer_max;       /* the longest body taken; more is an error. 0: any is dropped */
	/* Where set, the answer is a stream: called when `answer` has grown. Take bytes with
	 * buf_consume(); while `answer` is full the server is held back, http_request_resume()
	 * goes on. Needs answer_max >= HTTP_STREAM_MIN. */
	void (*arrived)(struct http_request *request);
	/* NULL, or set to the bytes of the bodies that went and came so far, as they do: where they are many. */
	int64_t *moved;
	void (*done)(struct http_request *request, const struct err *err);

	/* ---- the answer: the request's until release or the next start ---- */
	int status; /* 0: none came. In a stream it is there when `arrived` is called */
	struct buf answer;

	/* ---- private ---- */
	struct buf answer_headers;
	struct http *http;
	struct http_slot *slot;
	struct list link;
	struct err err;
	bool cancelled;
	bool grown;
};

/* Zeroes; defaults as above. */
void http_request_init(struct http_request *request, const char *method, const char *url);
/* Frees the answer. Harmless twice. Not while it is in flight. */
void http_request_release(struct http_request *request);

void http_request_start(struct http *http, struct http_request *request);
/* `done` comes with ERR_CANCELLED; the server may have done its work all the same. Harmless when
 * not in flight. */
void http_request_cancel(struct http_request *request);
/* After bytes were taken from a stream outside `arrived`. */
void http_request_resume(struct http_request *request);
bool http_request_running(const struct http_request *request);

/* A header of the answer, name in any case; the first when repeated. NULL: absent. Borrowed from
 * the request. */
const char *http_header(const struct http_request *request, const char *name);
/* Every header of the answer in turn, names in lower case; `*at` starts at 0. false: no more. */
bool http_header_next(
	const struct http_request *request, size_t *at, const char **name, const char **value);

/* What the Retry-After header asks for, in ms from now, at most ten minutes; 0: nothing. `wall_ns`: now, for its form
 * as a date. */
uint32_t http_retry_after(const struct http_request *request, int64_t wall_ns);

/* A URL or a header line without what opens doors: signatures, tokens, passwords become '*'. The
 * caller's. */
char *http_redact(const char *text);

#endif
