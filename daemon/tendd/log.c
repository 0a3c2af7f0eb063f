/* The log of a service or a step, streamed: what the reader does not take is not read either, so a slow one
 * costs nothing. */
#include <stdlib.h>
#include <string.h>

#include "tendd/routes.h"

enum { LINES_PRESET = 100, LINES_LIMIT = 1000000, BLOCK_BYTES = 32 << 10 };

struct log_reader {
	struct list link;
	struct process_follow *follow;
	struct control_stream *stream;
};

static void reader_free(struct log_reader *reader) {
	list_remove(&reader->link);
	process_follow_free(reader->follow);
	free(reader);
}

/* Fills the stream's queue up to one block; goes on when that has been read. */
static void reader_step(struct log_reader *reader) {
	char block[BLOCK_BYTES];
	while (control_stream_queued(reader->stream) < BLOCK_BYTES) {
		ssize_t len = process_follow_read(reader->follow, block, sizeof(block));
		if (len == 0) return;
		if (len < 0) {
			control_stream_end(reader->stream);
			reader_free(reader);
			return;
		}
		if (control_stream_send(reader->stream, block, (size_t)len))
			return; /* `gone` follows */
	}
}

static void follow_ready(void *user) {
	reader_step(user);
}

static void stream_drained(void *user) {
	reader_step(user);
}

static void stream_gone(void *user) {
	reader_free(user);
}

/* The stream asks for more by being drained, the log tells of more by being ready; either leads
 * to reader_step. */
static const struct control_stream_calls stream_calls = { stream_drained, stream_gone };

/* NULL: the asker is gone. */
static struct log_reader *reader_new(struct house *house, struct control_request *request) {
	struct log_reader *reader = xcalloc(1, sizeof(*reader));
	list_init(&reader->link);
	reader->stream =
		control_stream_start(request, "text/plain; charset=utf-8", &stream_calls, reader);
	if (!reader->stream) {
		free(reader);
		return NULL;
	}
	list_add_tail(&house->logs, &reader->link);
	return reader;
}

void route_log(void *user, struct control_request *request) {
	struct house *house = user;
	const char *lines_text = control_query(request, "lines"),
		   *follow = control_query(request, "follow");
	struct unit *unit = route_unit(house, request);
	struct service_status status;
	int64_t lines = LINES_PRESET;
	struct err err;
	if (!unit) return;
	if (unit->kind != UNIT_SERVICE && unit->kind != UNIT_STEP) {
		err_set(&err, ERR_INVALID, "'%s' has no log: only services and steps have",
			unit->id);
		control_refuse(request, &err, NULL);
		return;
	}
	if (unit->kind == UNIT_SERVICE) service_status(service_of(unit), &status);
	if (unit->kind == UNIT_SERVICE && !status.log_path) {
		err_set(&err, ERR_INVALID, "the log of '%s' goes to the journal", unit->id);
		char *hint = xasprintf("journalctl -t %s", unit->name);
		control_refuse(request, &err, hint);
		free(hint);
		return;
	}
	if (lines_text && str_to_int(lines_text, -1, LINES_LIMIT, &lines)) {
		err_set(&err, ERR_INVALID, "'%s' is no number of lines", lines_text);
		control_refuse(request, &err, NULL);
		return;
	}
	bool follows = follow && !str_equal(follow, "0");
	struct log_reader *reader = reader_new(house, request);
	if (!reader) return;
	if (unit->kind == UNIT_STEP)
		reader->follow = step_follow(step_of(unit), lines,
			follows ? PROCESS_FOLLOW : PROCESS_FOLLOW_NOT, follow_ready, reader);
	else
		reader->follow =
			service_follow(service_of(unit), lines, follows, follow_ready, reader);
}

void log_of_run(struct house *house, struct control_request *request, struct step *step) {
	struct log_reader *reader = reader_new(house, request);
	if (!reader) return;
	reader->follow = step_follow(step, 0, PROCESS_FOLLOW_RUN, follow_ready, reader);
}

void logs_close(struct house *house) {
	list_each(&house->logs, link) {
		struct log_reader *reader = list_entry(link, struct log_reader, link);
		control_stream_end(reader->stream);
		reader_free(reader);
	}
}
