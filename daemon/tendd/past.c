/*
 * What stood in a folder's remote, now or at a time. A caller names paths inside the folder only. The tree is a stream of JSON lines, as
 * long as it is: first {"api"...}, one entry a line, last {"end":true}, so that a reader knows a whole one from a cut one.
 */
#include <stdlib.h>
#include <string.h>

#include "answers/answers.h"
#include "tendd/routes.h"

enum { READERS_MAX = 8, BLOCK_BYTES = 32 << 10, STATUS_BUSY = 503 };

struct past_reader {
	struct list link;
	struct control_request *request; /* NULL: it was answered, or nobody waits any more */
	struct control_stream *stream;
	struct past_options options;
	struct past *past;
	bool ready;
	char *folder, *path;
};

static void reader_free(struct past_reader *reader) {
	list_remove(&reader->link);
	past_free(reader->past);
	past_options_release(&reader->options);
	free(reader->folder);
	free(reader->path);
	free(reader);
}

/* ---- tree ---- */

static int send_line(struct past_reader *reader, json_t *line) {
	char *text = json_dumps(line, JSON_COMPACT);
	if (!text) abort();
	json_decref(line);
	int rc = control_stream_send(reader->stream, text, strlen(text));
	if (rc == 0) rc = control_stream_send(reader->stream, "\n", 1);
	free(text);
	return rc;
}

/* Up to a block; goes on when that has been read. */
static void tree_step(struct past_reader *reader) {
	while (control_stream_queued(reader->stream) < BLOCK_BYTES) {
		struct past_item item;
		struct err err;
		int got = past_next(reader->past, &item, &err);
		json_t *line = got > 0 ? answer_past(&item) : json_pack("{s:b}", "end", 1);
		if (got < 0) {
			json_decref(line);
			log_warn("folder '%s': its tree cannot be told: %s", reader->folder,
				err.text);
			control_stream_break(reader->stream);
			reader_free(reader);
			return;
		}
		if (send_line(reader, line)) return; /* `gone` follows */
		if (got) continue;
		control_stream_end(reader->stream);
		reader_free(reader);
		return;
	}
}

static void tree_drained(void *user) {
	tree_step(user);
}

static void tree_gone(void *user) {
	reader_free(user);
}

static const struct control_stream_calls tree_calls = { tree_drained, tree_gone };

static void tree_begin(struct past_reader *reader) {
	reader->stream =
		control_stream_start(reader->request, "application/x-ndjson", &tree_calls, reader);
	reader->request = NULL;
	if (!reader->stream) {
		reader_free(reader);
		return;
	}
	json_t *head = json_pack("{s:i, s:o, s:o, s:o}", "api", 1, "folder",
		answer_text(reader->folder), "path", answer_text(reader->path), "at",
		answer_moment(reader->options.at_ns == PAST_NOW ? 0 : reader->options.at_ns));
	if (send_line(reader, head) == 0) tree_step(reader);
}

/* ---- versions ---- */

static void versions_answer(struct past_reader *reader) {
	json_t *list = json_array();
	struct past_item item;
	struct err err;
	int got;
	while ((got = past_next_version(reader->past, &item, &err)) > 0)
		json_array_append_new(list, answer_past(&item));
	if (got == 0 && !json_array_size(list))
		got = err_set(&err, ERR_NOT_FOUND,
			"there is no '%s' at the remote, and no old version of it", reader->path);
	if (got < 0) {
		json_decref(list);
		control_refuse(reader->request, &err, NULL);
	} else {
		control_answer(reader->request, 200,
			json_pack("{s:o, s:o, s:o}", "folder", answer_text(reader->folder), "path",
				answer_text(reader->path), "versions", list));
	}
	reader_free(reader);
}

/* ---- both ---- */

static void gathered(struct past *past, void *user, const struct err *err) {
	struct past_reader *reader = user;
	(void)past;
	reader->ready = true;
	if (!reader->request) {
		reader_free(reader);
	} else if (err) {
		control_refuse(reader->request, err, NULL);
		reader_free(reader);
	} else if (reader->options.versions) {
		versions_answer(reader);
	} else {
		tree_begin(reader);
	}
}

static void request_gone(void *user) {
	struct past_reader *reader = user;
	reader->request = NULL;
	past_cancel(reader->past);
}

static int read_question(
	struct control_request *request, struct past_reader *reader, struct err *err) {
	const char *path = control_query(request, "path"), *at = control_query(request, "at"),
		   *recursive = control_query(request, "recursive"),
		   *way = control_query(request, "way");
	reader->path = xstrdup(path ? path : "");
	reader->options.path = reader->path;
	reader->options.at_ns = PAST_NOW;
	reader->options.recursive = recursive && !str_equal(recursive, "0");
	reader->options.way = way && !str_equal(way, "0");
	if (at && *at && time_parse(at, &reader->options.at_ns))
		return err_set(err, ERR_INVALID, "'%s' is no time: write 2026-11-22T14:03:07Z", at);
	return 0;
}

static void asked(struct house *house, struct control_request *request, bool versions) {
	struct folder *folder = route_folder(house, request);
	struct past_reader *reader;
	struct err err;
	size_t readers = 0;
	if (!folder) return;
	list_each(&house->pasts, link) readers++;
	if (readers >= READERS_MAX) {
		err_set(&err, ERR_BUSY, "%d of these questions are being answered", READERS_MAX);
		control_refuse_with(request, STATUS_BUSY, &err, "try again in a moment", NULL);
		return;
	}
	reader = xcalloc(1, sizeof(*reader));
	list_init(&reader->link);
	reader->request = request;
	reader->folder = xstrdup(folder_name(folder));
	reader->options.versions = versions;
	folder_past(folder, &reader->options);
	if (read_question(request, reader, &err) == 0)
		reader->past = past_start(&reader->options, gathered, reader, &err);
	if (!reader->past) {
		control_refuse(request, &err, NULL);
		reader_free(reader);
		return;
	}
	list_add_tail(&house->pasts, &reader->link);
	control_on_gone(request, request_gone, reader);
}

void route_tree(void *user, struct control_request *request) {
	asked(user, request, false);
}

void route_versions(void *user, struct control_request *request) {
	asked(user, request, true);
}

void pasts_close(struct house *house) {
	list_each(&house->pasts, link) {
		struct past_reader *reader = list_entry(link, struct past_reader, link);
		if (reader->ready) {
			control_stream_break(reader->stream);
			reader_free(reader);
		} else {
			list_remove(
				&reader->link); /* it ends by itself, soon; control refuses the request */
			request_gone(reader);
		}
	}
}
