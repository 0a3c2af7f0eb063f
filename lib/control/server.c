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
static void run(struct control *control) {
	MHD_UNSIGNED_LONG_LONG wait_ms;

	control->kicked = false;
	MHD_run(control->mhd);
	/* A question may be the answer to another one that waits; libmicrohttpd's own time-out says
	 * nothing of a connection that was taken back inside its calls. */
	if (control->kicked) {
		timer_start(&control->timer, 0);
	} else if (MHD_get_timeout(control->mhd, &wait_ms) == MHD_YES) {
		timer_start(&control->timer, wait_ms > INT32_MAX ? INT32_MAX : (int64_t)wait_ms);
	} else {
		timer_cancel(&control->timer);
	}
}

static void epoll_ready(void *user, int events) {
	(void)events;
	run(user);
}

static void timer_fired(struct timer *timer) {
	run(container_of(timer, struct control, timer));
}

void server_kick(struct control *control) {
	control->kicked = true;
	if (!control->closing) timer_start(&control->timer, 0);
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
	server_kick(request->control);
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

static enum MHD_Result access_came(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **context) {
	struct control *control = user;
	struct control_request *request = *context;

	(void)version;
	if (control->closing && (!request || request->state == REQUEST_READING)) return MHD_NO;
	if (!request) {
		request = request_new(control, connection);
		*context = request;
		unsigned status = route_find(request, method, url);
		if (status) {
			struct err err;
			if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
				err_set(&err, ERR_INVALID, "'%s' does not take %s", url, method);
			} else {
				err_set(&err, ERR_NOT_FOUND, "there is nothing at '%s'", url);
			}
			control_refuse_with(request, status, &err, NULL, NULL);
		}
		return MHD_YES;
	}
	if (*upload_len > 0) return reading(request, upload, upload_len);
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
	struct control_request *request = *context;

	(void)user;
	(void)connection;
	(void)how;
	if (!request) return;
	*context = NULL;
	if (request->streaming) stream_lost(&request->stream);
	request_free(request);
}

static void connection_changed(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode what) {
	int size = SEND_BUFFER_BYTES;

	(void)user;
	(void)context;
	if (what != MHD_CONNECTION_NOTIFY_STARTED) return;
	int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	/* Without it a slow reader only costs more of the kernel's memory. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void mhd_says(void *user, const char *format, va_list args) {
	char text[256];

	(void)user;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("control: %s", text);
}

/* ---- life ---- */

struct control *control_new(
	struct loop *loop, const struct control_route *routes, size_t count, void *user) {
	struct control *control = xcalloc(1, sizeof(*control));

	control->loop = loop;
	control->routes = routes;
	control->route_count = count;
	control->user = user;
	control->fd = -1;
	list_init(&control->requests);
	timer_init(&control->timer, loop, timer_fired);
	events_init(control);
	return control;
}

int control_listen(struct control *control, const char *path, const char *group, struct err *err) {
	assert(control->fd < 0);
	int fd = socket_listen(path, group, err);

	if (fd < 0) return -1;
	control->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		access_came, control, MHD_OPTION_EXTERNAL_LOGGER, mhd_says, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_MAX_S,
		MHD_OPTION_NOTIFY_COMPLETED, request_completed, control,
		MHD_OPTION_NOTIFY_CONNECTION, connection_changed, control, MHD_OPTION_END);
	if (!control->mhd) {
		err_set(err, ERR_SYSTEM, "cannot serve '%s'", path);
		goto remove_socket;
	}
	const union MHD_DaemonInfo *known =
		MHD_get_daemon_info(control->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	control->poll =
		known ? poll_start(control->loop, known->epoll_fd, POLL_READ, epoll_ready, control)
		      : NULL;
	if (!control->poll) {
		err_sys(err, errno, "cannot wait for '%s'", path);
		MHD_stop_daemon(control->mhd); /* closes the socket */
		control->mhd = NULL;
		unlink(path);
		return -1;
	}
	control->fd = fd;
	control->path = xstrdup(path);
	return 0;

remove_socket:
	close(fd);
	unlink(path);
	return -1;
}

/* Nobody above is called any more: they are being torn down themselves. */
static void end_requests(struct control *control) {
	list_each(&control->requests, link) {
		struct control_request *request = list_entry(link, struct control_request, link);
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

void control_free(struct control *control) {
	if (!control) return;
	control->closing = true;
	end_requests(control);
	if (control->mhd) {
		poll_stop(control->poll);
		/* Once to take up what was resumed, once to send it: nothing may be suspended at
		 * the stop. */
		MHD_run(control->mhd);
		MHD_run(control->mhd);
		unlink(control->path);
		MHD_stop_daemon(control->mhd);
	}
	timer_cancel(&control->timer);
	events_release(control);
	free(control->path);
	free(control);
}
