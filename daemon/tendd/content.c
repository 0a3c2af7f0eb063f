/*
 * One content, as it stands or stood at the remote: asked for as fast as the reader takes it, a span at a time. What is told of it
 * beside the bytes stands in the head: X-Tend-Size, -Mtime, -Mode, -Kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tendd/routes.h"

enum { READERS_MAX = 40, BLOCK_BYTES = 64 << 10, STATUS_BUSY = 503 };

struct content_reader {
	struct list link;
	struct control_request *request; /* until the first span is here */
	struct control_stream *stream;
	struct past_fetch fetch;
	struct past_options options;
	size_t sent; /* of the span */
	bool gone;   /* nobody reads any more */
};

static void reader_free(struct content_reader *reader) {
	list_remove(&reader->link);
	past_fetch_release(&reader->fetch);
	past_options_release(&reader->options);
	free(reader);
}

/* What is in flight ends first. */
static void reader_end(struct content_reader *reader) {
	reader->gone = true;
	if (reader->fetch.in_flight)
		past_fetch_cancel(&reader->fetch);
	else
		reader_free(reader);
}

static void stream_step(struct content_reader *reader) {
	struct buf *span = &reader->fetch.op.answer_body;
	if (reader->fetch.in_flight) return;
	while (reader->sent < span->len && control_stream_queued(reader->stream) < BLOCK_BYTES) {
		size_t len = span->len - reader->sent < BLOCK_BYTES ? span->len - reader->sent
								    : BLOCK_BYTES;
		if (control_stream_send(reader->stream, span->at + reader->sent, len))
			return; /* `gone` follows */
		reader->sent += len;
	}
	if (reader->sent < span->len) return;
	if (reader->fetch.ended) {
		control_stream_end(reader->stream);
		reader_free(reader);
		return;
	}
	reader->sent = 0;
	past_fetch_next(&reader->fetch);
}

static void stream_drained(void *user) {
	stream_step(user);
}

static void stream_gone(void *user) {
	reader_end(user);
}

static const struct control_stream_calls stream_calls = { stream_drained, stream_gone };

static void tell_head(struct content_reader *reader) {
	const struct store_entry *entry = &reader->fetch.op.entry;
	char text[TIME_TEXT_SIZE];
	bool link = reader->fetch.op.kind == STORE_LINK;
	snprintf(text, sizeof(text), "%lld",
		(long long)(link ? (int64_t)reader->fetch.op.answer_body.len : entry->size));
	control_stream_header(reader->stream, "X-Tend-Size", text);
	control_stream_header(reader->stream, "X-Tend-Kind", link ? "link" : "file");
	if (entry->mtime_ns != STORE_MTIME_UNKNOWN) {
		snprintf(text, sizeof(text), "%lld", (long long)entry->mtime_ns);
		control_stream_header(reader->stream, "X-Tend-Mtime", text);
	}
	if (entry->mode != STORE_MODE_UNKNOWN) {
		snprintf(text, sizeof(text), "%04o", (unsigned)entry->mode & 07777);
		control_stream_header(reader->stream, "X-Tend-Mode", text);
	}
}

static void span_came(struct past_fetch *fetch, const struct err *err) {
	struct content_reader *reader = container_of(fetch, struct content_reader, fetch);
	if (reader->gone) {
		reader_free(reader);
	} else if (err && reader->request) {
		control_refuse(reader->request, err, NULL);
		reader_free(reader);
	} else if (err) {
		log_debug("a content ended early: %s", err->text);
		control_stream_break(reader->stream);
		reader_free(reader);
	} else if (reader->request) {
		reader->stream = control_stream_start(
			reader->request, "application/octet-stream", &stream_calls, reader);
		reader->request = NULL;
		if (!reader->stream) {
			reader_free(reader);
			return;
		}
		tell_head(reader);
		stream_step(reader);
	} else {
		stream_step(reader);
	}
}

static void request_gone(void *user) {
	struct content_reader *reader = user;
	reader->request = NULL;
	reader_end(reader);
}

void route_content(void *user, struct control_request *request) {
	struct house *house = user;
	const char *path = control_query(request, "path"),
		   *version = control_query(request, "version"),
		   *kind = control_query(request, "kind");
	struct folder *folder = route_folder(house, request);
	struct err err;
	size_t readers = 0;
	if (!folder) return;
	list_each(&house->contents, link) readers++;
	if (readers >= READERS_MAX) {
		err_set(&err, ERR_BUSY, "%d contents are being read", READERS_MAX);
		control_refuse_with(request, STATUS_BUSY, &err, "try again in a moment", NULL);
		return;
	}
	struct content_reader *reader = xcalloc(1, sizeof(*reader));
	list_init(&reader->link);
	reader->request = request;
	folder_past(folder, &reader->options);
	if (past_fetch_init(&reader->fetch, &reader->options,
		    kind && str_equal(kind, "link") ? PAST_LINK : PAST_FILE, path ? path : "",
		    version, &err)) {
		control_refuse(request, &err, NULL);
		past_options_release(&reader->options);
		free(reader);
		return;
	}
	reader->fetch.done = span_came;
	list_add_tail(&house->contents, &reader->link);
	control_on_gone(request, request_gone, reader);
	past_fetch_next(&reader->fetch);
}

void contents_close(struct house *house) {
	list_each(&house->contents, link) {
		struct content_reader *reader = list_entry(link, struct content_reader, link);
		list_remove(&reader->link);
		reader->request = NULL; /* control refuses it */
		if (reader->stream) control_stream_break(reader->stream);
		reader_end(reader);
	}
}
