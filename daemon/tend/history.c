/* tend history: what happened to units, and who ordered it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum { EVENTS_USUAL = 100, EVENTS_MAX = 1000 };

static const struct command_option history_options[] = {
	{ "lines", 'n', "N", "the last N (100, at most 1000)" },
	{ "folder", 0, "NAME", "of this folder" },
	{ "since", 0, "TIME", "not older: '2h ago', 'yesterday 14:00', '2026-11-22'" },
	{ 0 },
};

/* "service:jupyter" of what was typed; one that has left the configuration must be named in full. NULL with err. */
static char *unit_id(struct call *call, const char *word, const char *kind, struct err *err) {
	if (strchr(word, ':') || (!kind && str_equal(word, "tendd"))) return xstrdup(word);
	json_t *units = units_load(call, err);
	const json_t *unit = units ? units_find(units, word, kind, err) : NULL;
	char *id = unit ? xstrdup(json_text(unit, "unit")) : NULL;
	json_decref(units);
	return id;
}

/* As in a log: the newest last. */
static void print_events(const json_t *events) {
	for (size_t i = json_array_size(events); i-- > 0;) {
		const json_t *event = json_array_get(events, i);
		char at[TIME_TEXT_SIZE] = "";
		int64_t wall_ns;
		char *text = str_printable(json_text(event, "text"));
		if (time_parse(json_text(event, "time"), &wall_ns) == 0)
			time_format_local(wall_ns, at);
		printf("%s  %s  %s%s%s\n", at, json_text(event, "unit"), json_text(event, "event"),
			*text ? ": " : "", text);
		free(text);
	}
}

/* "&since=..." of --since; "" without. NULL with err. The caller's. */
static char *since_query(const struct call *call, struct err *err) {
	const char *text = call_option(call, "since");
	char moment[TIME_TEXT_SIZE];
	int64_t since_ns;
	if (!text) return xstrdup("");
	if (time_parse_words(text, loop_wall_ns(call->client.loop), &since_ns)) {
		err_set(err, ERR_INVALID,
			"'%s' is no time: write '2h ago', 'yesterday 14:00' or '2026-11-22'", text);
		return NULL;
	}
	time_format(since_ns, moment);
	char *encoded = str_percent_encode(moment, ""), *query = xconcat("&since=", encoded);
	free(encoded);
	return query;
}

static int history_run(struct call *call) {
	const char *lines = call_option(call, "lines"), *folder = call_option(call, "folder"),
		   *word = folder ? folder : call->words[0];
	int64_t count = EVENTS_USUAL;
	struct err err;
	char *id = NULL;
	if (folder && call->word_count) {
		err_set(&err, ERR_INVALID, "--folder and a unit exclude each other");
		return say_usage(call, &err);
	}
	if (lines && str_to_int(lines, 1, EVENTS_MAX, &count)) {
		err_set(&err, ERR_INVALID, "'%s' is no number from 1 to %d", lines, EVENTS_MAX);
		return say_usage(call, &err);
	}
	char *since = since_query(call, &err);
	if (!since) return say_usage(call, &err);
	if (word && !(id = unit_id(call, word, folder ? "folder" : NULL, &err))) {
		free(since);
		return say_failure(call, &err);
	}
	char *encoded = str_percent_encode(id ? id : "", "");
	char *path =
		xasprintf("/v1/history?limit=%lld&unit=%s%s", (long long)count, encoded, since);
	json_t *answer = client_ask(&call->client, "GET", path, NULL, &err);
	int code = answer ? EXIT_DONE : say_failure(call, &err);
	if (answer && call->json)
		print_json(answer);
	else if (answer)
		print_events(json_object_get(answer, "events"));
	json_decref(answer);
	free(path);
	free(since);
	free(encoded);
	free(id);
	return code;
}

const struct command command_history = {
	.name = "history",
	.usage = "[UNIT | --folder NAME] [--since TIME] [-n N]",
	.help = "what happened to units, and who ordered it",
	.options = history_options,
	.most = 1,
	.run = history_run,
};
