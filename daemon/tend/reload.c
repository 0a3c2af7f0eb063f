/* tend reload: take up a changed configuration. */
#include <stdio.h>

#include "tend/command.h"

/* Credentials are read and folders opened while it answers. */
enum { PATIENCE_MS = 120000 };

static const struct command_option reload_options[] = {
	{ "dry-run", 0, NULL, "only say what would change" },
	{ 0 },
};

/* All that is wrong, one "file:line: text" a line; else what tendd says. */
static int refused(const struct call *call, const struct ask *ask, const struct err *err) {
	const json_t *lines = json_object_get(ask->answer, "lines");
	size_t i;
	json_t *text;

	if (call->json && ask->answer) print_json(ask->answer);
	if (ask->status != 422 || json_array_size(lines) == 0) return say_failure(call, err);
	json_array_foreach(lines, i, text) say("%s", json_string_value(text));
	say("the configuration was not taken: the one before stays");
	return EXIT_USAGE;
}

static int reload_run(struct call *call) {
	bool dry_run = call_option(call, "dry-run") != NULL;
	struct ask ask;
	struct err err;
	int code = EXIT_DONE;

	ask_init(&ask, &call->client, "POST", "/v1/reload", json_pack("{sb}", "dry_run", dry_run));
	if (ask_run(&ask, PATIENCE_MS, &err) != 0) {
		code = refused(call, &ask, &err);
	} else if (call->json) {
		print_json(ask.answer);
	} else {
		const json_t *changes = json_object_get(ask.answer, "changes");
		size_t i;
		json_t *change;
		json_array_foreach(changes, i, change) puts(json_string_value(change));
		if (json_array_size(changes) == 0) puts("nothing changed");
	}
	ask_release(&ask);
	return code;
}

const struct command command_reload = {
	.name = "reload",
	.usage = "[--dry-run]",
	.help = "read the configuration again; only what changed is touched",
	.options = reload_options,
	.run = reload_run,
};
