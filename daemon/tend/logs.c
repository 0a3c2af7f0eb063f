/* tend logs: what services and steps wrote, one or several at once. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum {
	LINES_USUAL = 100,
	LINES_MAX = 1000000,
	LINES_ALL = -1,
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
	{ "since", 0, "TIME", "only what was written since: 14:00, 'yesterday 14:00', '2h ago'" },
	{ "grep", 0, "PATTERN", "only lines that match, as grep -E has it" },
	{ 0 },
};

struct kept { /* of several logs, until all have been read */
	char *line;
	const struct reader *reader;
};

struct logs {
	struct call *call;
	struct reader *readers;
	size_t count;
	size_t open; /* readers that are not at their end */
	bool wake;
	bool follow;
	int64_t lines;
	char since[TIME_TEXT_SIZE]; /* "": from the beginning */
	regex_t pattern;
	bool has_pattern;
	int name_width;
	struct kept *kept;
	size_t kept_count;
	int code;
};

struct reader {
	struct logs *logs;
	char *id;         /* of the unit */
	const char *name; /* in it */
	struct buf line;  /* the one that has not ended yet */
	char *last;       /* the last one that came; NULL: none yet */
	bool seeking;     /* after a reconnect, until what we had is passed */
	struct stream stream;
	bool running, ended, due;
	struct timer timer;
	int64_t began_ms, absent_since_ms;
};

/* ---- lines ---- */

/* Log lines begin with their time: "2026-11-22T14:03:07.123Z text". */
static const char *text_of(const char *line) {
	size_t time_len = strcspn(line, " ");
	return line[time_len] ? line + time_len + 1 : "";
}

static void print_line_json(const struct reader *reader, const char *line) {
	const char *text = text_of(line);
	json_t *object = json_object();
	char *clean = str_is_utf8(text, strlen(text)) ? xstrdup(text) : str_printable(text);

	json_object_set_new(object, "unit", json_string(reader->id));
	json_object_set_new(object, "time", json_stringn_nocheck(line, strcspn(line, " ")));
	json_object_set_new(object, "text", json_string(clean));
	print_json_line(object);
	free(clean);
	json_decref(object);
}

static void print_line(const struct reader *reader, const char *line) {
	const struct logs *logs = reader->logs;

	if (logs->call->json)
		print_line_json(reader, line);
	else if (logs->count > 1)
		printf("%-*s  %s\n", logs->name_width, reader->name, line);
	else
		puts(line);
}

static bool is_wanted(const struct logs *logs, const char *line) {
	if (*logs->since && strncmp(line, logs->since, STAMP_LEN) < 0) return false;
	return !logs->has_pattern || regexec(&logs->pattern, text_of(line), 0, NULL, 0) == 0;
}

static void take_line(struct reader *reader, const char *line) {
	struct logs *logs = reader->logs;

	free(reader->last);
	reader->last = xstrdup(line);
	if (!is_wanted(logs, line)) return;
	if (logs->follow || logs->count == 1) {
		print_line(reader, line);
		return;
	}
	/* In powers of two, as it fills. */
	if ((logs->kept_count & (logs->kept_count - 1)) == 0)
		logs->kept = xrealloc(logs->kept,
			(logs->kept_count ? 2 * logs->kept_count : 1) * sizeof(*logs->kept));
	logs->kept[logs->kept_count++] = (struct kept){ xstrdup(line), reader };
}

/* Stamps are of one length and never go back: what is older than the last line we had was had, too. */
static bool was_had(struct reader *reader, const char *line) {
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
		if (!was_had(reader, reader->line.at)) take_line(reader, reader->line.at);
		buf_clear(&reader->line);
	}
	fflush(stdout);
	return ferror(stdout) ? -1 : 0;
}

static int compare_kept(const void *left, const void *right) {
	const struct kept *a = left, *b = right;
	int order = strncmp(a->line, b->line, STAMP_LEN);

	if (order) return order;
	return a->reader != b->reader ? (a->reader < b->reader ? -1 : 1) : 0;
}

/* Each log is in order already, and of two lines of one moment the first stays the first: a merge, not qsort(3). */
static void print_kept(struct logs *logs) {
	size_t *at = xcalloc(logs->count, sizeof(*at));

	for (size_t done = 0; done < logs->kept_count; done++) {
		struct kept *next = NULL;
		for (size_t i = 0; i < logs->count; i++) {
			while (at[i] < logs->kept_count &&
				(logs->kept[at[i]].reader != &logs->readers[i]))
				at[i]++;
			if (at[i] == logs->kept_count) continue;
			if (!next || compare_kept(&logs->kept[at[i]], next) < 0)
				next = &logs->kept[at[i]];
		}
		print_line(next->reader, next->line);
		at[next->reader - logs->readers]++;
	}
	free(at);
}

/* ---- the flow ---- */

static void stream_ended(void *user) {
	struct reader *reader = user;

	reader->ended = true;
	reader->logs->wake = true;
}

static void pause_over(struct timer *timer) {
	struct reader *reader = container_of(timer, struct reader, timer);

	reader->due = true;
	reader->logs->wake = true;
}

static void begin(struct reader *reader) {
	struct logs *logs = reader->logs;
	int64_t lines = reader->last ? CATCH_UP_LINES : logs->lines;
	char *path = xasprintf("/v1/units/%s/log?lines=%lld%s", reader->id, (long long)lines,
		logs->follow ? "&follow=1" : "");

	reader->due = reader->ended = false;
	reader->began_ms = loop_now_ms(logs->call->client.loop);
	reader->seeking = reader->last != NULL;
	reader->stream = (struct stream){ .part = text_came, .done = stream_ended, .user = reader };
	reader->running = true;
	stream_start(&reader->stream, &logs->call->client, path);
	free(path);
}

static void finish(struct reader *reader) {
	reader->logs->open--;
	reader->running = false;
}

/* The service writes on while the daemon restarts, and its log has every line of it. */
static void wait_for_daemon(struct reader *reader, const struct err *err) {
	struct logs *logs = reader->logs;
	int64_t now_ms = loop_now_ms(logs->call->client.loop);
	bool passes = err->kind == ERR_NONE || err->kind == ERR_OFFLINE || err->kind == ERR_BUSY;

	if (now_ms - reader->began_ms > RETRY_MS || reader->absent_since_ms == 0)
		reader->absent_since_ms = now_ms;
	if (!passes || now_ms - reader->absent_since_ms > ABSENCE_MAX_MS) {
		logs->code = say_failure(logs->call, err);
		finish(reader);
		return;
	}
	timer_start(&reader->timer, RETRY_MS);
}

static void end(struct reader *reader) {
	struct logs *logs = reader->logs;
	struct err err = reader->stream.ask.err, gone;
	bool enough = reader->stream.enough;

	reader->ended = reader->running = false;
	ask_release(&reader->stream.ask);
	/* Half a line: when we follow, the whole one comes again. */
	if (reader->line.len > 0 && !logs->follow) take_line(reader, reader->line.at);
	buf_clear(&reader->line);
	/* What to do about it is said best by whoever finds nobody there. */
	if (err.kind == ERR_OFFLINE && client_probe(&logs->call->client, &gone) != 0) err = gone;
	if (enough || ferror(stdout)) {
		logs->code = EXIT_FAILED;
		finish(reader);
	} else if (logs->follow) {
		wait_for_daemon(reader, &err);
	} else {
		if (err.kind != ERR_NONE) logs->code = say_failure(logs->call, &err);
		finish(reader);
	}
}

/* With -f until interrupted, or until nobody reads. */
static void read_all(struct logs *logs) {
	logs->open = logs->count;
	for (size_t i = 0; i < logs->count; i++) begin(&logs->readers[i]);
	while (logs->open > 0 && (logs->code == EXIT_DONE || !logs->follow)) {
		logs->wake = false;
		loop_run_until(logs->call->client.loop, &logs->wake);
		for (size_t i = 0; i < logs->count; i++) {
			struct reader *reader = &logs->readers[i];
			if (reader->ended) end(reader);
			if (reader->due) begin(reader);
		}
	}
	print_kept(logs);
	/* To stderr: whoever reads lines gets none. */
	for (size_t i = 0; i < logs->count && !logs->follow && logs->code == EXIT_DONE; i++)
		if (!logs->readers[i].last && logs->lines != 0)
			say("%s has written nothing yet", logs->readers[i].id);
}

static void release(struct logs *logs) {
	for (size_t i = 0; i < logs->count; i++) {
		struct reader *reader = &logs->readers[i];
		timer_cancel(&reader->timer);
		if (reader->running) {
			ask_cancel(&reader->stream.ask);
			ask_release(&reader->stream.ask);
		}
		buf_release(&reader->line);
		free(reader->last);
		free(reader->id);
	}
	for (size_t i = 0; i < logs->kept_count; i++) free(logs->kept[i].line);
	free(logs->kept);
	free(logs->readers);
	if (logs->has_pattern) regfree(&logs->pattern);
}

/* ---- what was asked for ---- */

static int take_options(struct logs *logs, struct err *err) {
	struct call *call = logs->call;
	const char *count = call_option(call, "lines"), *since = call_option(call, "since"),
		   *pattern = call_option(call, "grep");
	int64_t since_ns;

	logs->follow = call_option(call, "follow") != NULL;
	logs->lines = since || pattern ? LINES_ALL : LINES_USUAL;
	if (count && str_to_int(count, 0, LINES_MAX, &logs->lines) != 0)
		return err_set(err, ERR_INVALID, "bad number of lines '%s'", count);
	if (since) {
		if (time_parse_words(since, loop_wall_ns(call->client.loop), &since_ns) != 0)
			return err_set(err, ERR_INVALID,
				"'%s' is no time: write '2026-11-22 14:03', '14:00', 'yesterday "
				"14:00' or '2h ago'",
				since);
		time_format(since_ns, logs->since);
	}
	if (pattern) {
		char why[160];
		int rc = regcomp(&logs->pattern, pattern, REG_EXTENDED | REG_NOSUB);
		if (rc != 0) {
			regerror(rc, &logs->pattern, why, sizeof(why));
			return err_set(err, ERR_INVALID, "bad pattern '%s': %s", pattern, why);
		}
		logs->has_pattern = true;
	}
	return 0;
}

/* False: one of them is no service; it was said. */
static bool find_services(struct logs *logs) {
	struct call *call = logs->call;
	struct err err;
	json_t *units = units_load(call, &err);

	logs->readers = xcalloc(call->word_count, sizeof(*logs->readers));
	for (; units && logs->count < call->word_count; logs->count++) {
		const char *word = call->words[logs->count];
		/* A bare name is a service's, as before there were steps. */
		bool step = str_starts(word, "step:");
		const json_t *unit = units_find(units, word, step ? "step" : "service", &err);
		if (!unit) break;
		struct reader *reader = &logs->readers[logs->count];
		reader->logs = logs;
		reader->id = xstrdup(json_text(unit, "unit"));
		reader->name = reader->id + (step ? 0 : strlen("service:"));
		if ((int)strlen(reader->name) > logs->name_width)
			logs->name_width = (int)strlen(reader->name);
		buf_init(&reader->line, LINE_MAX_BYTES);
		timer_init(&reader->timer, call->client.loop, pause_over);
	}
	json_decref(units);
	if (units && logs->count == call->word_count) return true;
	logs->code = say_failure(call, &err);
	return false;
}

static int logs_run(struct call *call) {
	struct logs logs = { .call = call };
	struct err err;

	if (take_options(&logs, &err) != 0) return say_usage(call, &err);
	if (find_services(&logs)) read_all(&logs);
	release(&logs);
	return logs.code;
}

const struct command command_logs = {
	.name = "logs",
	.usage = "SERVICE...",
	.help = "what services, or a step:NAME, wrote",
	.options = logs_options,
	.least = 1,
	.most = GIVEN_MAX,
	.run = logs_run,
};
