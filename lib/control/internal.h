/* What the files of control share. */
#ifndef CONTROL_INTERNAL_H
#define CONTROL_INTERNAL_H

#include <microhttpd.h>

#include "control/control.h"

enum {
	CONNECTIONS_MAX = 256,
	STREAMS_MAX = 160, /* the rest stays free for plain questions */
	WEB_CONNECTIONS_MAX = 64,
	WEB_STREAMS_MAX = 48,
	IDLE_MAX_S = 30, /* a connection on which nothing moves, and nobody waits for us */
	PARAMETERS_MAX = 4,
	EVENTS_KEPT = 256, /* for Last-Event-ID */
	HEARTBEAT_MS = 15000,
};

struct event {
	uint64_t number;
	char *text;
};

/* One libmicrohttpd: that of the unix socket, or that of the TCP side. */
struct server {
	struct control *control;
	struct MHD_Daemon *mhd; /* NULL: not open */
	struct poll *poll;
	struct timer timer; /* libmicrohttpd's own time-outs; also runs it in the next turn */
	bool kicked;        /* while libmicrohttpd ran: it is to run again */
	bool closing;
	size_t streams, streams_max;
	const char *name; /* for log lines and errors; borrowed */
	struct web *web;  /* NULL: the unix socket's */
};

struct control {
	struct loop *loop;
	const struct control_route *routes;
	size_t route_count;
	void *user;
	char *path;
	struct server local;
	struct web *web; /* NULL: there is no TCP side */
	struct list requests;
	bool closing;

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
	struct server *server;
	struct MHD_Connection *connection;
	enum request_state state;
	const struct control_route *route;
	void *route_user;
	char *cookie;    /* to be set with the answer; NULL: none */
	int64_t retry_s; /* to be told with the answer; 0: nothing */
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
/* Takes the listening descriptor, also when it fails. */
int server_open(struct server *server, int fd, unsigned connections, struct err *err);
/* What waits is told to have gone; nothing of the daemon is called when control closes. */
void server_close(struct server *server);
void server_kick(struct server *server); /* libmicrohttpd has something to do */
void request_suspend(struct control_request *request);
void request_resume(struct control_request *request);
int request_fd(const struct control_request *request);

/* ---- request.c ---- */
struct control_request *request_new(struct server *server, struct MHD_Connection *connection);
void request_free(struct control_request *request);
/* All of it is there: finds the body and asks the daemon. */
void request_ask(struct control_request *request);
void request_set_response(
	struct control_request *request, unsigned status, struct MHD_Response *response);

/* ---- route.c: sets route and parameters; 0, or the HTTP status to refuse with ---- */
unsigned route_find(struct control_request *request, const char *method, const char *path);
/* The same among other routes, whose `asked` gets `user`. */
unsigned route_find_in(struct control_request *request, const struct control_route *routes,
	size_t count, void *user, const char *method, const char *path);

/* ---- stream.c ---- */
void stream_release(struct control_stream *stream);
void stream_lost(struct control_stream *stream);
struct control_request *stream_request(struct control_stream *stream);

/* ---- events.c ---- */
void events_init(struct control *control);
void events_release(struct control *control);

/* ---- socket.c, web_socket.c: the descriptor, or -1 ---- */
int socket_listen(const char *path, const char *group, struct err *err);
int web_socket_listen(const char *address, bool remote, struct err *err);

/* ---- page.c: the files of web/, as they were when this was built ---- */
struct page_file {
	const char *path; /* "/style.css" */
	const char *type;
	const unsigned char *bytes;
	size_t len;
};
extern const struct page_file page_files[];
extern const size_t page_file_count;
const struct page_file *page_find(const char *path); /* NULL: none */
void page_answer(struct control_request *request, const struct page_file *file);

/* ---- guard.c: who may ask on the TCP side; pure ---- */

struct guard_question {
	const char *method;
	const char *host, *origin, *fetch_site, *content_type; /* headers; NULL: not sent */
	bool open;           /* the page itself, and the login: for everybody */
	bool session;        /* comes with a cookie that is good */
	bool bearer;         /* comes with the token */
	bool remote;         /* web_allow_remote */
	const char *machine; /* its own name, good as a Host where `remote` */
};
enum guard_verdict {
	GUARD_PASS,
	GUARD_HOST,   /* a name that anybody could let point here */
	GUARD_ORIGIN, /* another page's request */
	GUARD_TYPE,   /* what a form of another page could send as well */
	GUARD_LOGIN,  /* who is that? */
};
enum guard_verdict guard_judge(const struct guard_question *question);

/* ---- login.c: sessions, one-time codes, wrong guesses; times are loop_now_ms ---- */

enum {
	SESSIONS_MAX = 16,
	CODES_MAX = 8,
	SECRET_TEXT_SIZE = 65, /* 32 random bytes in hex */
	SESSION_IDLE_S = 12 * 3600,
	SESSION_MAX_S = 7 * 24 * 3600,
	CODE_S = 120,
	GUESSES_FREE = 5, /* wrong ones that cost nothing */
	GUESS_WAIT_MAX_S = 30,
};

struct logins {
	struct session {
		char id[SECRET_TEXT_SIZE]; /* "": none */
		int64_t made_ms, used_ms;
	} sessions[SESSIONS_MAX];
	struct code {
		char text[SECRET_TEXT_SIZE]; /* "": none */
		int64_t until_ms;
	} codes[CODES_MAX];
	int64_t wrong, wait_until_ms;
};
bool secret_same(const char *left, const char *right); /* in a time that tells nothing */
/* Takes the place of the one that was not used for longest. Its id. */
const char *logins_session_new(struct logins *logins, const char *random, int64_t now_ms);
bool logins_session_good(struct logins *logins, const char *id, int64_t now_ms); /* and uses it */
void logins_session_end(struct logins *logins, const char *id);
void logins_code_new(struct logins *logins, const char *random, int64_t now_ms);
bool logins_code_waits(const struct logins *logins, const char *text, int64_t now_ms);
bool logins_code_take(struct logins *logins, const char *text, int64_t now_ms);
int64_t logins_wait_s(const struct logins *logins, int64_t now_ms); /* 0: a guess is heard */
void logins_wrong(struct logins *logins, int64_t now_ms);
void logins_right(struct logins *logins);

/* ---- web.c: the TCP side ---- */
/* Looks at a request whose head has come; false: it was refused. */
bool web_admit(struct control_request *request, const char *method, const char *path);
/* Its own routes; as route_find. */
unsigned web_find(struct control_request *request, const char *method, const char *path);
void web_head(const struct control_request *request, struct MHD_Response *response);
void web_connected(struct server *server, struct MHD_Connection *connection, void **context);
void web_disconnected(void **context);
/* All of the request is here (`busy`), or its answer is through. */
void web_busy(struct MHD_Connection *connection, bool busy);

/* ---- peer_*.c: who is at the other end of a unix socket ---- */
int peer_of(int fd, uid_t *uid, pid_t *pid);

#endif
