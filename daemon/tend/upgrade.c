/* tend upgrade: the program that was installed meanwhile takes the place of the tendd that runs. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

enum { CHECK_MS = 120000, LOOK_MS = 100, PATIENCE_MS = 60000 };

static int refused(const struct call *call, const struct ask *ask, const struct err *err) {
	const json_t *lines = json_object_get(ask->answer, "lines");
	size_t i;
	json_t *text;

	if (call->json && ask->answer) print_json(ask->answer);
	json_array_foreach(lines, i, text) say("%s", json_string_value(text));
	int code = say_failure(call, err);
	return ask->status == 422 ? EXIT_USAGE : code;
}

/* In the same process: only since when it runs tells them apart. */
static json_t *wait_for_new(struct call *call, const char *since, struct err *err) {
	int64_t end_ms = loop_now_ms(call->client.loop) + PATIENCE_MS;
	for (;;) {
		json_t *status = client_ask(&call->client, "GET", "/v1/status", NULL, err);
		if (status && !str_equal(json_text(status, "since"), since)) return status;
		json_decref(status);
		if (loop_now_ms(call->client.loop) > end_ms) {
			if (status) err_set(err, ERR_BUSY, "the tendd of before still runs");
			return NULL;
		}
		client_sleep(&call->client, LOOK_MS);
	}
}

static int upgrade_run(struct call *call) {
	struct ask ask;
	struct err err;
	int code = EXIT_DONE;
	json_t *before = client_ask(&call->client, "GET", "/v1/status", NULL, &err), *after = NULL;

	if (!before) return say_failure(call, &err);
	ask_init(&ask, &call->client, "POST", "/v1/upgrade", NULL);
	if (ask_run(&ask, CHECK_MS, &err) != 0) {
		code = refused(call, &ask, &err);
	} else if (!(after = wait_for_new(call, json_text(before, "since"), &err))) {
		say("tendd does not come back: %s", err.text);
		code = EXIT_TIMED_OUT;
	} else if (call->json) {
		print_json(after);
	} else {
		printf("tendd %s runs in place of %s; services went on\n",
			json_text(after, "version"), json_text(before, "version"));
	}
	ask_release(&ask);
	json_decref(before);
	json_decref(after);
	return code;
}

const struct command command_upgrade = {
	.name = "upgrade",
	.usage = "",
	.help = "let the tendd that was installed meanwhile take over",
	.run = upgrade_run,
};
