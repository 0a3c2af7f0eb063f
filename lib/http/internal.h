/* What the files of http share: nobody else includes it. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <assert.h>
#include <curl/curl.h>

#include "http/http.h"

/* curl delivers an answer in pieces of at most this size (CURL_MAX_WRITE_SIZE). */
static_assert(HTTP_STREAM_MIN >= CURL_MAX_WRITE_SIZE, "a piece must fit into an empty stream");

/* One easy handle. Kept for the next request: it carries buffers that are dear to allocate. */
struct http_slot {
	struct list link; /* in `idle` */
	CURL *easy;
	struct http_request *request;
	/* curl only reads the list, so that its links can stand here instead of being allocated
	 * one by one. */
	struct curl_slist lines[HTTP_HEADERS_MAX + 3];
	int64_t began_ms;
	struct timer idle; /* looks whether a byte moved */
	int64_t moved;     /* bytes, when it looked last */
	int64_t moved_ms;  /* when it saw that they had grown */
	int fd;            /* what curl sends it on, as far as it told; -1 */
	bool paused;
	bool head_whole;       /* the empty line behind the headers came */
	bool too_long;         /* the body exceeds answer_max */
	bool headers_too_long; /* more than HTTP_ANSWER_HEADERS_MAX */
	char text[CURL_ERROR_SIZE];
};

struct http {
	struct loop *loop;
	CURLM *multi; /* NULL until something is asked for */
	struct timer timer;
	struct timer rest; /* nothing has been asked for a while, perhaps */
	struct list idle;  /* of http_slot */
	unsigned idle_count;
	unsigned running;  /* requests between start and done */
	struct list grown; /* requests whose `arrived` is to be called */
	struct list ended; /* requests whose `done` is to be called */
	struct defer deliver;
	struct http_socket **sockets; /* by descriptor; NULL where there is none */
	size_t socket_room;
};

/* http.c: sets curl up, once. */
int http_open(struct http *http, struct err *err);

/* http.c: takes the request off its slot and queues its end; err->kind ERR_NONE: an answer came. */
void http_end(struct http_request *request, const struct err *err);

/* http.c: what curl waited for came. The socket may be gone when it comes back. */
void http_socket_ready(struct http *http, curl_socket_t fd, int events);

/* sockets.c: curl's callbacks, and the end of all requests and of http. */
int http_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user);
void http_socket_opened(struct http *http, curl_socket_t fd);
int http_socket_closed(void *user, curl_socket_t fd);
void http_sockets_rest(struct http *http);
void http_sockets_release(struct http *http);

/* answer.c: curl's callbacks. */
size_t http_header_came(char *bytes, size_t one, size_t len, void *user);
size_t http_body_came(char *bytes, size_t one, size_t len, void *user);

/* classify.c: what curl's result means to the owner. */
void http_classify(const struct http_slot *slot, CURLcode code, struct err *err);

/* idle.c: gives a request up on which no byte moves; from its start to its end. */
void http_idle_start(struct http_slot *slot);

/* tcp_SYSTEM.c: bytes that the other side has not acknowledged; 0 where nobody knows. */
int64_t os_unsent_bytes(int fd);
/* What came is acknowledged at once. */
void os_acknowledge(int fd);
/* "host:port" of a URL, cut where it does not fit. */
void http_host(const char *url, char *out, size_t size);

#endif
