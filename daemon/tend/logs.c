/* tend logs: what a service or a step wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum {
	LINES_USUAL = 100,
	LINES_MAX = 1000000,
	CATCH_UP_LINES =
		10000,  /* asked for after a restart of the daemon: those we had are passed over */
	STAMP_LEN = 24, /* "2026-11-22T14:03:07.123Z" */
	LINE_MAX_BYTES = 64 << 10, /* the daemon cuts lines long before */
	RETRY_MS = 250,
	ABSENCE_MAX_MS = 60000,
};

static const struct command_option logs_options[] = {
	{ "follow", 'f', NULL, "go on with what is written from now on" },
	{ "lines", 'n', "N", "begin with the last N lines (100)" },
	{ 0 },
};

struct reader {
	struct call *call;
	struct buf line; /* the one that has not ended yet */
	char *last;      /* the last one that was printed; NULL: none yet */
	bool seeking;    /* after a reconnect, until what we had is passed */
};

/* ---- lines ---- */

/* Log lines begin with their time: "2026-11-22T14:03:07.123Z text". */
static void print_line_json(const char *line) {
	size_t time_len = strcspn(line, " ");
	const char *text = line[time_len] ? line + time_len + 1 : "";
	json_t *object = json_object();
	char *clean = str_is_utf8(text, strlen(text)) ? xstrdup(text) : str_printable(text);

	json_object_set_new(object, "time", json_stringn_nocheck(line, time_len));
	json_object_set_new(object, "text", json_string(clean));
	char *json = json_dumps(object, JSON_COMPACT);
	if (json) puts(json);
	free(json);
	free(clean);
	json_decref(object);
}

static void print_line(struct reader *reader, const char *line) {
	if (reader->call->json)
		print_line_json(line);
	else
		puts(line);
	free(reader->last);
	reader->last = xstrdup(line);
}

/* Stamps are of one length and never go back: what is older than the last line we printed was
 * printed, too. */
static bool was_printed(struct reader *reader, const char *line) {
	int order = reader->seeking ? strncmp(line, reader->last, STAMP_LEN) : 1;

	if (order > 0 || str_equal(line, reader->last)) reader->seeking = false;
	return order <= 0;
}

/* Bytes as they come; a line may arrive in pieces, and several at once. */
static int text_came(void *user, const char *text, size_t len) {
	struct reader *reader = user;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			(void)buf_addc(&reader->line, text[i]);
			continue;
		}
		if (!was_printed(reader, reader->line.at)) print_line(reader, reader->line.at);
		buf_clear(&reader->line);
	}
	fflush(stdout);
	return ferror(stdout) ? -1 : 0;
}

/* ---- the flow ---- */

static int stream(
	struct reader *reader, const char *id, int64_t lines, bool follow, struct err *err) {
	char *path = xasprintf(
		"/v1/units/%s/log?lines=%lld%s", id, (long long)lines, follow ? "&follow=1" : "");
	int rc = client_stream(&reader->call->client, path, text_came, reader, err);

	free(path);
	/* Half a line: when we follow, the whole one comes again. */
	if (reader->line.len > 0 && !follow) print_line(reader, reader->line.at);
	buf_clear(&reader->line);
	return rc;
}

/* The service writes on while the daemon restarts, and its log has every line of it. */
static int follow(struct reader *reader, const char *id, int64_t lines) {
	int64_t absent_since_ms = 0;
	struct err err;

	for (;;) {
		int64_t began_ms = loop_now_ms(reader->call->client.loop);
		int rc = stream(reader, id, lines, true, &err);
		int64_t now_ms = loop_now_ms(reader->call->client.loop);
		if (ferror(stdout)) return EXIT_FAILED;
		if (rc != 0 && err.kind != ERR_OFFLINE && err.kind != ERR_BUSY)
			return say_failure(reader->call, &err);
		if (now_ms - began_ms > RETRY_MS || absent_since_ms == 0) absent_since_ms = now_ms;
		if (now_ms - absent_since_ms > ABSENCE_MAX_MS)
			return say_failure(reader->call, &err);
		client_sleep(&reader->call->client, RETRY_MS);
		reader->seeking = reader->last != NULL;
		if (reader->last) lines = CATCH_UP_LINES;
	}
}

/* With -f until interrupted, or until nobody reads. */
static int print_log(struct call *call, const char *id, int64_t lines) {
	struct reader reader = { .call = call };
	struct err err;
	int code;

	buf_init(&reader.line, LINE_MAX_BYTES);
	if (call_option(call, "follow")) {
		code = follow(&reader, id, lines);
	} else {
		code = stream(&reader, id, lines, false, &err) == 0 ? EXIT_DONE
								    : say_failure(call, &err);
		/* To stderr: whoever reads lines gets none. */
		if (code == EXIT_DONE && !reader.last && lines > 0)
			say("%s has written nothing yet", id);
	}
	buf_release(&reader.line);
	free(reader.last);
	return code;
}

static int logs_run(struct call *call) {
	const char *count = call_option(call, "lines");
	int64_t lines = LINES_USUAL;
	struct err err;

	if (count && str_to_int(count, 0, LINES_MAX, &lines) != 0) {
		(void)err_set(&err, ERR_INVALID, "bad number of lines '%s'", count);
		return say_usage(call, &err);
	}
	json_t *units = units_load(call, &err);
	/* A bare name is a service's, as before there were steps. */
	const char *kind = str_starts(call->words[0], "step:") ? "step" : "service";
	const json_t *unit = units ? units_find(units, call->words[0], kind, &err) : NULL;
	int code = unit ? print_log(call, json_text(unit, "unit"), lines) : say_failure(call, &err);
	json_decref(units);
	return code;
}

const struct command command_logs = {
	.name = "logs",
	.usage = "SERVICE [-f] [-n N]",
	.help = "what a service, or a step:NAME, wrote",
	.options = logs_options,
	.least = 1,
	.most = 1,
	.run = logs_run,
};
