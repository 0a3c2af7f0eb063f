/* tend run: one step, now, with what it writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum { LINE_MAX_BYTES = 64 << 10 };

struct reader {
	bool quiet;
	struct buf line;
};

/* The log has a time before each line; who watches knows it. */
static int text_came(void *user, const char *text, size_t len) {
	struct reader *reader = user;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n') {
			(void)buf_addc(&reader->line, text[i]);
			continue;
		}
		const char *space = strchr(reader->line.at, ' ');
		if (!reader->quiet) puts(space ? space + 1 : reader->line.at);
		buf_clear(&reader->line);
	}
	fflush(stdout);
	return ferror(stdout) ? -1 : 0;
}

static int tell_end(struct call *call, const char *id) {
	struct err err;
	char *path = xasprintf("/v1/units/%s", id);
	json_t *answer = client_ask(&call->client, "GET", path, NULL, &err);
	free(path);
	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	bool good = str_equal(json_text(unit, "state"), "ready");
	if (call->json)
		print_json(answer);
	else if (good)
		printf("%s: %s\n", id, unit_word(unit));
	else
		say("%s: %s: %s", id, unit_word(unit), json_text(unit, "detail"));
	json_decref(answer);
	return good ? EXIT_DONE : EXIT_FAILED;
}

static int run_step(struct call *call, const char *id) {
	struct reader reader = { .quiet = call->json };
	struct err err;
	char *path = xasprintf("/v1/units/%s/run", id);
	buf_init(&reader.line, LINE_MAX_BYTES);
	int rc = client_stream_order(
		&call->client, path, json_pack("{s:b}", "follow", 1), text_came, &reader, &err);
	buf_release(&reader.line);
	free(path);
	return rc == 0 ? tell_end(call, id) : say_failure(call, &err);
}

static int run_run(struct call *call) {
	struct err err;
	json_t *units = units_load(call, &err);
	const json_t *unit = units ? units_find(units, call->words[0], "step", &err) : NULL;
	int code = unit ? run_step(call, json_text(unit, "unit")) : say_failure(call, &err);
	json_decref(units);
	return code;
}

const struct command command_run = {
	.name = "run",
	.usage = "STEP",
	.help = "does a step now, though it is done or held",
	.least = 1,
	.most = 1,
	.run = run_run,
};
