/*
 * Server-sent events. The last ones are kept, so that a reader that was cut off for a moment goes
 * on where it stood (Last-Event-ID, "RUN-NUMBER"); one that knows nothing, or too little, is told
 * how things stand instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/internal.h"

enum { RUN_TEXT_SIZE = 24, GREETING_MAX = 64 << 20 };

/* A comment line: proxies and clients see that the stream lives, and a dead reader is found out. */
static void heartbeat_fired(struct timer *timer) {
	struct control *control = container_of(timer, struct control, heartbeat);

	list_each(&control->readers, link) {
		struct control_stream *stream = list_entry(link, struct control_stream, reader);
		(void)control_stream_send(stream, ":\n\n", 3);
	}
	if (!list_empty(&control->readers)) timer_start(&control->heartbeat, HEARTBEAT_MS);
}

void events_init(struct control *control) {
	list_init(&control->readers);
	timer_init(&control->heartbeat, control->loop, heartbeat_fired);
	loop_random(control->loop, &control->run, sizeof(control->run));
}

void events_release(struct control *control) {
	timer_cancel(&control->heartbeat);
	for (size_t i = 0; i < EVENTS_KEPT; i++) free(control->kept[i].text);
}

static char *event_text(
	struct control *control, uint64_t number, const char *name, const json_t *body) {
	char *json = json_dumps(body, JSON_COMPACT);

	if (!json) abort(); /* out of memory, as in base */
	char *text = xasprintf("id: %016" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: %s\n\n",
		control->run, number, name, json);
	free(json);
	return text;
}

void control_event_send(struct control_stream *stream, const char *name, const json_t *body) {
	struct control *control = stream_request(stream)->control;
	/* What is told as a greeting is as new as the last event. */
	char *text = event_text(control, control->number, name, body);

	(void)control_stream_send(stream, text, strlen(text));
	free(text);
}

void control_event(struct control *control, const char *name, const json_t *body) {
	struct event *event = &control->kept[++control->number % EVENTS_KEPT];

	free(event->text);
	event->number = control->number;
	event->text = event_text(control, event->number, name, body);
	list_each(&control->readers, link) {
		struct control_stream *stream = list_entry(link, struct control_stream, reader);
		(void)control_stream_send(stream, event->text, strlen(event->text));
	}
}

/* Sends what came after the event the client has seen last. False: we do not know that one any
 * more. */
static bool replay(struct control *control, struct control_stream *stream, const char *seen) {
	char run[RUN_TEXT_SIZE];
	int64_t last;

	snprintf(run, sizeof(run), "%016" PRIx64 "-", control->run);
	if (!seen || !str_starts(seen, run) ||
		str_to_int(seen + strlen(run), 0, INT64_MAX, &last)) {
		return false;
	}
	uint64_t number = (uint64_t)last;
	if (number > control->number || control->number - number >= EVENTS_KEPT) return false;
	while (number < control->number) {
		const char *text = control->kept[++number % EVENTS_KEPT].text;
		(void)control_stream_send(stream, text, strlen(text));
	}
	return true;
}

static const struct control_stream_calls reader_calls = { NULL, NULL };

void control_events_join(struct control_request *request,
	void (*greet)(void *user, struct control_stream *stream), void *user) {
	struct control *control = request->control;
	const char *seen = control_header(request, "Last-Event-ID");
	struct control_stream *stream =
		control_stream_start(request, "text/event-stream", &reader_calls, NULL);

	if (!stream) return;
	list_add_tail(&control->readers, &stream->reader);
	if (!timer_running(&control->heartbeat)) timer_start(&control->heartbeat, HEARTBEAT_MS);
	if (replay(control, stream, seen) || !greet) return;
	/* How large a greeting is follows from the daemon's own configuration, not from the
	 * reader. */
	stream->queue.max = GREETING_MAX;
	greet(user, stream);
	stream->queue.max = stream->queue.len + CONTROL_QUEUE_MAX;
}

size_t control_event_readers(const struct control *control) {
	size_t count = 0;

	list_each(&control->readers, link) count++;
	return count;
}
