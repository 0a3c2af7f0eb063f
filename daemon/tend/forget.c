/* tend forget: what the rules no longer cover, shown first, then counted no longer or removed at the remote. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

static const struct command_option forget_options[] = {
	{ "remote", 0, NULL, "remove it at the remote as well" },
	{ "yes", 'y', NULL, "do not ask" },
	{ 0 },
};

static int forget(struct call *call, const json_t *unit, const json_t *forgotten, bool remote) {
	json_t *body = json_pack(
		"{s:I, s:b}", "upto", (json_int_t)json_number(forgotten, "upto"), "remote", remote);

	return unit_order(call, unit, "forget", body,
		remote ? "they are being removed at the remote"
		       : "forgotten: the remote keeps them");
}

static int forget_run(struct call *call) {
	bool remote = call_option(call, "remote") != NULL;
	struct err err;
	int code = EXIT_DONE;
	json_t *answer = folder_load(call, &err);

	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	const json_t *forgotten = json_object_get(json_object_get(unit, "folder"), "forgotten");
	if (!json_is_object(forgotten)) {
		if (call->json)
			print_json(answer);
		else
			printf("all that %s has stored is covered\n", json_text(unit, "unit"));
	} else {
		code = ask_deletions(call, forgotten,
			remote ? "Remove them at the remote?"
			       : "Leave them at the remote, and count them no longer?");
		if (code == EXIT_DONE) code = forget(call, unit, forgotten, remote);
	}
	json_decref(answer);
	return code;
}

const struct command command_forget = {
	.name = "forget",
	.usage = "FOLDER [--remote]",
	.help = "show what the rules no longer cover; leave it there, or remove it at the remote",
	.options = forget_options,
	.least = 1,
	.most = 1,
	.run = forget_run,
};
