/*
 * control: HTTP/1.1 and JSON over a unix socket, and over TCP with the dashboard beside it, on the
 * loop. It knows no other room: the daemon registers routes.
 *
 * Loop thread only. A request is answered exactly once, in `asked` or any time later; after that,
 * or after its `gone`, the pointer is dead. Nothing a client does or leaves undone holds memory
 * without a bound: bodies, queues, connections and idle time all have a limit (libmicrohttpd itself
 * has none of the last two). Sizes are bytes, times milliseconds.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/base.h"
#include "loop/loop.h"

#define CONTROL_BODY_MAX  (64 << 10)  /* bytes of a request's JSON */
#define CONTROL_QUEUE_MAX (256 << 10) /* bytes that wait for one stream's reader */

struct control;
struct control_request;
struct control_stream;

struct control_route {
	const char *method;  /* "GET", "POST" */
	const char *pattern; /* "/v1/units/:id/start": ":id" stands for one component */
	/* Answers, or keeps `request` to answer later. */
	void (*asked)(void *user, struct control_request *request);
};

/* `user` goes to every `asked`. Routes are borrowed for good. */
struct control *control_new(
	struct loop *loop, const struct control_route *routes, size_t count, void *user);

/* Binds the socket at `path` and serves it. A socket that nobody answers on is taken over.
 * `group`: who else may talk, when this process is root and the group exists; NULL: none.
 * ERR_BUSY: somebody answers there, and the text says who. */
int control_listen(struct control *control, const char *path, const char *group, struct err *err);

/* Waiting requests get 503, streams end, the socket goes; `gone` is not called any more. NULL is
 * fine. */
void control_free(struct control *control);

/* ---- the TCP side: the page, and the same API for who has the token ---- */

/*
 * Who comes by TCP shows the token ("Authorization: Bearer"), or has shown it once and holds a
 * cookie for it (POST /v1/login). Requests of other pages, and names that point here without being
 * ours (DNS rebinding), are refused; so is what takes its time.
 */
struct control_web {
	const char *address; /* "127.0.0.1:8390", "[::1]:8390", "localhost:8390" */
	bool remote;         /* also what is not loopback */
	const char *token;   /* at least CONTROL_TOKEN_MIN bytes */
};

#define CONTROL_TOKEN_MIN 32
#define CONTROL_CODE_SIZE 65 /* of a one-time code, with its NUL */

/* Is the address one that may be served? Asks nobody. */
int control_web_check(const char *address, bool remote, struct err *err);
/* Serves it; what was served before ends, with its logins, unless all of it is the same. */
int control_web_open(struct control *control, const struct control_web *web, struct err *err);
void control_web_close(struct control *control); /* requests that wait are `gone` */
/* Where a browser of this machine finds it. The caller's; NULL: not open. */
char *control_web_url(const struct control *control);
/* A way in that works once, for two minutes: `code` has CONTROL_CODE_SIZE. -1: not open. */
int control_web_code(struct control *control, char *code);
bool control_web_code_waits(const struct control *control, const char *code);
bool control_from_web(const struct control_request *request);

/* ---- what was asked: borrowed, as long as the request lives ---- */

const char *control_parameter(
	const struct control_request *request, const char *name); /* of the pattern */
const char *control_query(
	const struct control_request *request, const char *name); /* NULL: not given */
const char *control_header(
	const struct control_request *request, const char *name); /* NULL: not given */
json_t *control_body(
	const struct control_request *request);           /* an object; empty when none was sent */
uid_t control_uid(const struct control_request *request); /* who asks; -1: not known */

/* Called once if the client goes away before the answer. Set it again with other arguments at
 * any time. */
void control_on_gone(struct control_request *request, void (*gone)(void *user), void *user);

/* ---- answers ---- */

/* Takes `body`, an object; "api":1 is put into it. */
void control_answer(struct control_request *request, unsigned status, json_t *body);
/* {"error":{"kind","text","hint"}} with the status that fits the kind; `hint` may be NULL. */
void control_refuse(struct control_request *request, const struct err *err, const char *hint);
/* The same with a status of the caller's; takes `more` (NULL: none), whose fields stand beside
 * "error". */
void control_refuse_with(struct control_request *request, unsigned status, const struct err *err,
	const char *hint, json_t *more);
void control_answer_text(struct control_request *request, unsigned status, const char *type,
	const char *text, size_t len);

/* ---- streams: an answer that goes on ---- */

struct control_stream_calls {
	void (*drained)(void *user); /* deferred: all that was sent has been read; may be NULL */
	void (*gone)(void *user);    /* the reader went away or was dropped: the stream is dead */
};

/* NULL: there are too many streams; the request was answered 503. */
struct control_stream *control_stream_start(struct control_request *request, const char *type,
	const struct control_stream_calls *calls, void *user);
/* Right after the start only: one more line of the answer's head. */
void control_stream_header(struct control_stream *stream, const char *name, const char *value);
/* -1: more than CONTROL_QUEUE_MAX would wait: the reader is dropped, `gone` comes soon. */
int control_stream_send(struct control_stream *stream, const void *bytes, size_t len);
size_t control_stream_queued(const struct control_stream *stream);
void control_stream_end(struct control_stream *stream); /* what is queued is still sent */
/* Ends it so that the reader sees that something is missing. */
void control_stream_break(struct control_stream *stream);

/* ---- server-sent events ---- */

/* Answers with the stream of all events from now on, a heartbeat when there are none. A client
 * that names the last event it has seen (Last-Event-ID) gets what came since; where that is not
 * known any more, and for a newcomer, `greet` sends how things stand, by control_event_send. */
void control_events_join(struct control_request *request,
	void (*greet)(void *user, struct control_stream *stream), void *user);
void control_event_send(struct control_stream *stream, const char *name, const json_t *body);
/* To everybody who joined. */
void control_event(struct control *control, const char *name, const json_t *body);
size_t control_event_readers(const struct control *control);

#endif
