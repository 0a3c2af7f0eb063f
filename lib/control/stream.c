/*
 * An answer that goes on. Bytes wait in a bounded queue until libmicrohttpd takes them; while there
 * are none the request is suspended. A reader that lets the queue grow beyond its bound is cut off:
 * nobody waits for it, nothing grows with it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/internal.h"

enum { BLOCK_BYTES = 16 << 10 };

struct control_request *stream_request(struct control_stream *stream) {
	return container_of(stream, struct control_request, stream);
}

/* Deferred: libmicrohttpd is in the middle of reading. */
static void tell_drained(struct defer *defer) {
	struct control_stream *stream = container_of(defer, struct control_stream, drained);

	if (stream->open && stream->calls && stream->calls->drained) {
		stream->calls->drained(stream->user);
	}
}

/* libmicrohttpd wants up to `max` bytes. */
static ssize_t read_queue(void *user, uint64_t position, char *out, size_t max) {
	struct control_request *request = user;
	struct control_stream *stream = &request->stream;
	size_t len = stream->queue.len < max ? stream->queue.len : max;

	(void)position;
	if (stream->dropped || request->state == REQUEST_LOST)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len == 0) {
		if (stream->ended) return MHD_CONTENT_READER_END_OF_STREAM;
		if (!request->suspended) request_suspend(request);
		return 0;
	}
	memcpy(out, stream->queue.at, len);
	buf_consume(&stream->queue, len);
	if (stream->queue.len == 0) {
		buf_release(&stream->queue); /* a burst's memory is not kept for a quiet hour */
		buf_init(&stream->queue, CONTROL_QUEUE_MAX);
		defer_start(request->control->loop, &stream->drained);
	}
	return (ssize_t)len;
}

struct control_stream *control_stream_start(struct control_request *request, const char *type,
	const struct control_stream_calls *calls, void *user) {
	struct server *server = request->server;
	struct control_stream *stream = &request->stream;

	if (server->streams >= server->streams_max) {
		struct err err;
		err_set(&err, ERR_BUSY, "%zu readers follow already", server->streams_max);
		control_refuse_with(
			request, MHD_HTTP_SERVICE_UNAVAILABLE, &err, "end some of them", NULL);
		return NULL;
	}
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_queue, request, NULL);
	if (!response) abort(); /* out of memory, as in base */
	server->streams++;
	request->streaming = true;
	list_init(&stream->reader);
	buf_init(&stream->queue, CONTROL_QUEUE_MAX);
	defer_init(&stream->drained, tell_drained);
	stream->calls = calls;
	stream->user = user;
	stream->open = true;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	request_set_response(request, MHD_HTTP_OK, response);
	return stream;
}

void control_stream_header(struct control_stream *stream, const char *name, const char *value) {
	MHD_add_response_header(stream_request(stream)->response, name, value);
}

int control_stream_send(struct control_stream *stream, const void *bytes, size_t len) {
	struct control_request *request = stream_request(stream);

	assert(stream->open);
	if (stream->dropped) return -1;
	if (buf_add(&stream->queue, bytes, len)) {
		/* Closing the socket wakes libmicrohttpd, which ends the request; waiting for it
		 * to time out would keep the memory. */
		stream->dropped = true;
		shutdown(request_fd(request), SHUT_RDWR);
	}
	if (request->state == REQUEST_QUEUED) request_resume(request);
	return stream->dropped ? -1 : 0;
}

size_t control_stream_queued(const struct control_stream *stream) {
	return stream->queue.len;
}

void control_stream_end(struct control_stream *stream) {
	struct control_request *request = stream_request(stream);

	stream->open = false;
	stream->ended = true;
	list_remove(&stream->reader);
	if (request->state == REQUEST_QUEUED) request_resume(request);
}

void control_stream_break(struct control_stream *stream) {
	stream->dropped = true;
	control_stream_end(stream);
}

/* Its reader is gone. Harmless when the daemon has ended it before. */
void stream_lost(struct control_stream *stream) {
	bool open = stream->open;

	stream->open = false;
	list_remove(&stream->reader);
	if (open && stream->calls && stream->calls->gone) stream->calls->gone(stream->user);
}

void stream_release(struct control_stream *stream) {
	stream_request(stream)->server->streams--;
	defer_cancel(&stream->drained);
	buf_release(&stream->queue);
}
