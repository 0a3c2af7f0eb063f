/* tend history: what happened to units, and who ordered it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum { EVENTS_USUAL = 100, EVENTS_MAX = 1000 };

static const struct command_option history_options[] = {
	{ "lines", 'n', "N", "the last N (100, at most 1000)" },
	{ 0 },
};

/* "service:jupyter" of what was typed; one that has left the configuration must be named in full. NULL with err. */
static char *unit_id(struct call *call, const char *word, struct err *err) {
	if (strchr(word, ':') || str_equal(word, "tendd")) return xstrdup(word);
	json_t *units = units_load(call, err);
	const json_t *unit = units ? units_find(units, word, NULL, err) : NULL;
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

static int history_run(struct call *call) {
	const char *lines = call_option(call, "lines");
	int64_t count = EVENTS_USUAL;
	struct err err;
	char *id = NULL;
	if (lines && str_to_int(lines, 1, EVENTS_MAX, &count)) {
		err_set(&err, ERR_INVALID, "'%s' is no number from 1 to %d", lines, EVENTS_MAX);
		return say_usage(call, &err);
	}
	if (call->word_count && !(id = unit_id(call, call->words[0], &err)))
		return say_failure(call, &err);
	char *encoded = str_percent_encode(id ? id : "", "");
	char *path = xasprintf("/v1/history?limit=%lld&unit=%s", (long long)count, encoded);
	json_t *answer = client_ask(&call->client, "GET", path, NULL, &err);
	int code = answer ? EXIT_DONE : say_failure(call, &err);
	if (answer && call->json)
		print_json(answer);
	else if (answer)
		print_events(json_object_get(answer, "events"));
	json_decref(answer);
	free(path);
	free(encoded);
	free(id);
	return code;
}

const struct command command_history = {
	.name = "history",
	.usage = "[UNIT] [-n N]",
	.help = "what happened to units, and who ordered it",
	.options = history_options,
	.most = 1,
	.run = history_run,
};
