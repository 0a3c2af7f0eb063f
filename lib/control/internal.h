/* What the files of control share. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include <microhttpd.h>

#include "control/control.h"

enum {
	CONNECTIONS_MAX = 256,
	STREAMS_MAX = 160, /* the rest stays free for plain questions */
	IDLE_MAX_S = 30,   /* a connection on which nothing moves, and nobody waits for us */
	PARAMETERS_MAX = 4,
	EVENTS_KEPT = 256, /* for Last-Event-ID */
	HEARTBEAT_MS = 15000,
};

struct event {
	uint64_t number;
	char *text;
};

struct control {
	struct loop *loop;
	const struct control_route *routes;
	size_t route_count;
	void *user;
	char *path;
	int fd;
	struct MHD_Daemon *mhd;
	struct poll *poll;
	struct timer timer; /* libmicrohttpd's own time-outs; also runs it in the next turn */
	struct list requests;
	size_t streams;
	bool closing;
	bool kicked; /* while libmicrohttpd ran: it is to run again */

	/* events.c */
	uint64_t run; /* makes event ids of another run unknown */
	uint64_t number;
	struct event kept[EVENTS_KEPT]; /* [number % EVENTS_KEPT] */
	struct list readers;            /* of control_stream.reader */
	struct timer heartbeat;
};

enum request_state {
	REQUEST_READING,  /* the body comes */
	REQUEST_ASKED,    /* the daemon has it; suspended unless it answers at once */
	REQUEST_ANSWERED, /* `response` waits to be queued */
	REQUEST_QUEUED,   /* libmicrohttpd sends it */
	REQUEST_LOST,     /* the client went away while it waited */
};

struct control_stream {
	struct list reader; /* in control.readers, for events */
	const struct control_stream_calls *calls;
	void *user;
	struct buf queue;
	struct defer drained;
	bool open;  /* the daemon has it */
	bool ended; /* the end follows what is queued */
	bool dropped;
};

struct control_request {
	struct list link;
	struct control *control;
	struct MHD_Connection *connection;
	enum request_state state;
	const struct control_route *route;
	struct {
		char *name, *value;
	} parameters[PARAMETERS_MAX];
	size_t parameter_count;
	struct buf text;
	size_t discarded; /* bytes beyond CONTROL_BODY_MAX */
	json_t *body;
	bool suspended;
	struct poll *watch; /* while suspended: has the client gone? */
	void (*gone)(void *user);
	void *gone_user;
	struct MHD_Response *response;
	unsigned status;
	bool streaming;
	struct control_stream stream;
};

/* ---- server.c ---- */
void server_kick(struct control *control); /* libmicrohttpd has something to do */
void request_suspend(struct control_request *request);
void request_resume(struct control_request *request);
int request_fd(const struct control_request *request);

/* ---- request.c ---- */
struct control_request *request_new(struct control *control, struct MHD_Connection *connection);
void request_free(struct control_request *request);
/* All of it is there: finds the body and asks the daemon. */
void request_ask(struct control_request *request);
void request_set_response(
	struct control_request *request, unsigned status, struct MHD_Response *response);

/* ---- route.c: sets route and parameters; 0, or the HTTP status to refuse with ---- */
unsigned route_find(struct control_request *request, const char *method, const char *path);

/* ---- stream.c ---- */
void stream_release(struct control_stream *stream);
void stream_lost(struct control_stream *stream);
struct control_request *stream_request(struct control_stream *stream);

/* ---- events.c ---- */
void events_init(struct control *control);
void events_release(struct control *control);

/* ---- socket.c ---- */
int socket_listen(const char *path, const char *group, struct err *err); /* the descriptor, or -1 */

/* ---- peer_*.c: who is at the other end of a unix socket ---- */
int peer_of(int fd, uid_t *uid, pid_t *pid);

#endif
