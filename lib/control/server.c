/*
 * libmicrohttpd on our loop: its epoll descriptor is polled, its time-outs are a timer. A request
 * that waits for the daemon is suspended; libmicrohttpd then no longer looks at its socket, so we
 * do, to notice that the client has gone.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/internal.h"

/* Bytes the kernel holds for a reader that stopped; the default is three times this, for each of
 * them. */
enum { SEND_BUFFER_BYTES = 64 << 10 };

int request_fd(const struct control_request *request) {
	const union MHD_ConnectionInfo *known =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return known ? known->connect_fd : -1;
}

/* ---- running libmicrohttpd ---- */

/* libmicrohttpd works only in here. */
static void run(struct server *server) {
	MHD_UNSIGNED_LONG_LONG wait_ms;

	server->kicked = false;
	MHD_run(server->mhd);
	/* A question may be the answer to another one that waits; libmicrohttpd's own time-out says
	 * nothing of a connection that was taken back inside its calls. */
	if (server->kicked) {
		timer_start(&server->timer, 0);
	} else if (MHD_get_timeout(server->mhd, &wait_ms) == MHD_YES) {
		timer_start(&server->timer, wait_ms > INT32_MAX ? INT32_MAX : (int64_t)wait_ms);
	} else {
		timer_cancel(&server->timer);
	}
}

static void epoll_ready(void *user, int events) {
	(void)events;
	run(user);
}

static void timer_fired(struct timer *timer) {
	run(container_of(timer, struct server, timer));
}

void server_kick(struct server *server) {
	server->kicked = true;
	if (!server->closing) timer_start(&server->timer, 0);
}

/* ---- suspending ---- */

/* Said to the daemon first; then libmicrohttpd takes the connection back and closes it. */
static void request_lost(struct control_request *request) {
	request->state = REQUEST_LOST;
	if (request->streaming) {
		stream_lost(&request->stream);
	} else if (request->gone) {
		request->gone(request->gone_user);
	}
	request->gone = NULL;
	request_resume(request);
}

/* Readable while it should wait for us: the end of the connection, or a second question in a
 * hurry, which we do not serve. */
static void watch_ready(void *user, int events) {
	struct control_request *request = user;
	char byte;

	(void)events;
	ssize_t got = recv(request_fd(request), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
	request_lost(request);
}

void request_suspend(struct control_request *request) {
	assert(!request->suspended);
	request->suspended = true;
	MHD_suspend_connection(request->connection);
	request->watch = poll_start(
		request->control->loop, request_fd(request), POLL_READ, watch_ready, request);
}

void request_resume(struct control_request *request) {
	if (!request->suspended) return;
	request->suspended = false;
	poll_stop(request->watch);
	request->watch = NULL;
	MHD_resume_connection(request->connection);
	server_kick(request->server);
}

/* ---- libmicrohttpd's calls ---- */

/* The response is kept by libmicrohttpd from here on. */
static enum MHD_Result queue_response(struct control_request *request) {
	struct MHD_Response *response = request->response;

	request->response = NULL;
	request->state = REQUEST_QUEUED;
	enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reading(struct control_request *request, const char *bytes, size_t *len) {
	if (buf_add(&request->text, bytes, *len)) {
		/* Too much: the rest is thrown away, so that the client reads why; within
		 * reason. */
		request->discarded += *len;
		if (request->discarded > 16UL * CONTROL_BODY_MAX) return MHD_NO;
	}
	*len = 0;
	return MHD_YES;
}

/* Which route it is, or a refusal; the body, if there is one, comes after. */
static void head_came(struct control_request *request, const char *method, const char *url) {
	struct err err;

	if (request->server->web && !web_admit(request, method, url)) return;
	unsigned status =
		request->server->web ? web_find(request, method, url) : MHD_HTTP_NOT_FOUND;
	if (status == MHD_HTTP_NOT_FOUND) status = route_find(request, method, url);
	if (status == 0) return;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
		err_set(&err, ERR_INVALID, "'%s' does not take %s", url, method);
	} else {
		const struct page_file *file = str_equal(method, "GET") ? page_find(url) : NULL;
		if (file) {
			page_answer(request, file);
			return;
		}
		err_set(&err, ERR_NOT_FOUND, "there is nothing at '%s'", url);
	}
	control_refuse_with(request, status, &err, NULL, NULL);
}

static enum MHD_Result access_came(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **context) {
	struct server *server = user;
	struct control_request *request = *context;

	(void)version;
	if (server->closing && (!request || request->state == REQUEST_READING)) return MHD_NO;
	if (!request) {
		request = request_new(server, connection);
		*context = request;
		head_came(request, method, url);
		return MHD_YES;
	}
	if (*upload_len > 0) return reading(request, upload, upload_len);
	if (server->web) web_busy(connection, true);
	if (request->state == REQUEST_READING) {
		request->state = REQUEST_ASKED;
		request_ask(request);
	}
	switch (request->state) {
	case REQUEST_ANSWERED: return queue_response(request);
	case REQUEST_ASKED:
		if (!request->suspended) request_suspend(request);
		return MHD_YES;
	default: return MHD_NO; /* the client is gone: libmicrohttpd closes */
	}
}

/* The last of a request, in every case: sent, broken, timed out. */
static void request_completed(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode how) {
	const struct server *server = user;
	struct control_request *request = *context;

	(void)how;
	if (server->web) web_busy(connection, false);
	if (!request) return;
	*context = NULL;
	if (request->streaming) stream_lost(&request->stream);
	request_free(request);
}

static void connection_changed(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode what) {
	struct server *server = user;
	int size = SEND_BUFFER_BYTES;

	if (what != MHD_CONNECTION_NOTIFY_STARTED) {
		if (server->web) web_disconnected(context);
		/* At its limit libmicrohttpd listens no longer, and begins again only in a run
		 * after the one that made room. */
		server_kick(server);
		return;
	}
	int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	/* Without it a slow reader only costs more of the kernel's memory. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (server->web) web_connected(server, connection, context);
}

static void mhd_says(void *user, const char *format, va_list args) {
	char text[256];

	(void)user;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("control: %s", text);
}

/* ---- life ---- */

int server_open(struct server *server, int fd, unsigned connections, struct err *err) {
	server->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
		0, NULL, NULL, access_came, server, MHD_OPTION_EXTERNAL_LOGGER, mhd_says, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, connections,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_MAX_S, MHD_OPTION_NOTIFY_COMPLETED,
		request_completed, server, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
		MHD_OPTION_END);
	if (!server->mhd) {
		close(fd);
		return err_set(err, ERR_SYSTEM, "cannot serve '%s'", server->name);
	}
	const union MHD_DaemonInfo *known =
		MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	server->poll = known ? poll_start(server->control->loop, known->epoll_fd, POLL_READ,
				       epoll_ready, server)
			     : NULL;
	if (server->poll) {
		timer_init(&server->timer, server->control->loop, timer_fired);
		server->closing = false;
		return 0;
	}
	err_sys(err, errno, "cannot wait for '%s'", server->name);
	MHD_stop_daemon(server->mhd); /* closes the socket */
	server->mhd = NULL;
	return -1;
}

/* When all of control closes nobody above is called any more: they are being torn down
 * themselves. */
static void end_requests(struct server *server) {
	list_each(&server->control->requests, link) {
		struct control_request *request = list_entry(link, struct control_request, link);
		if (request->server != server) continue;
		if (!server->control->closing) {
			if (request->suspended) request_lost(request);
			continue;
		}
		request->gone = NULL;
		request->stream.calls = NULL;
		if (request->streaming) {
			control_stream_end(&request->stream);
		} else if (request->state == REQUEST_ASKED) {
			struct err err;
			err_set(&err, ERR_OFFLINE, "tendd is stopping");
			control_refuse(request, &err, NULL);
		}
	}
}

void server_close(struct server *server) {
	if (!server->mhd) return;
	server->closing = true;
	end_requests(server);
	poll_stop(server->poll);
	/* Once to take up what was resumed, once to send it: nothing may be suspended at the
	 * stop. */
	MHD_run(server->mhd);
	MHD_run(server->mhd);
	end_requests(server); /* a stream that had more to say has fallen asleep again */
	MHD_run(server->mhd);
	MHD_stop_daemon(server->mhd);
	timer_cancel(&server->timer);
	server->mhd = NULL;
}

struct control *control_new(
	struct loop *loop, const struct control_route *routes, size_t count, void *user) {
	struct control *control = xcalloc(1, sizeof(*control));

	control->loop = loop;
	control->routes = routes;
	control->route_count = count;
	control->user = user;
	control->local.control = control;
	control->local.streams_max = STREAMS_MAX;
	list_init(&control->requests);
	events_init(control);
	return control;
}

int control_listen(struct control *control, const char *path, const char *group, struct err *err) {
	assert(!control->path);
	int fd = socket_listen(path, group, err);

	if (fd < 0) return -1;
	control->path = xstrdup(path);
	control->local.name = control->path;
	if (server_open(&control->local, fd, CONNECTIONS_MAX, err) == 0) return 0;
	unlink(path);
	free(control->path);
	control->path = NULL;
	return -1;
}

void control_free(struct control *control) {
	if (!control) return;
	control->closing = true;
	control_web_close(control);
	if (control->path) unlink(control->path);
	server_close(&control->local);
	events_release(control);
	free(control->path);
	free(control);
}
