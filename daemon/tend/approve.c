/* tend approve: deletions that tendd holds back, shown first, then let go: exactly those that were shown. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

static const struct command_option approve_options[] = {
	{ "strangers", 0, NULL, "what only the remote has, instead of what was deleted here" },
	{ "yes", 'y', NULL, "do not ask" },
	{ 0 },
};

/* `body` names what was shown; it is taken. */
static int approve(struct call *call, const json_t *unit, json_t *body) {
	char *done = xasprintf("approved: %s goes on", json_text(unit, "unit"));
	int code = unit_order(call, unit, "approve", body, done);

	free(done);
	return code;
}

/* Another folder stands where the synced one was. */
static int approve_root(struct call *call, const json_t *unit, const json_t *folder) {
	if (call->json && !call_option(call, "yes")) {
		print_json(folder);
		return EXIT_PERSON;
	}
	if (!call->json) printf("%s\n", json_text(json_object_get(folder, "trouble"), "text"));
	int code = ask_person(call, "Go on with what is there now?");
	if (code != EXIT_DONE) return code;
	return approve(call, unit, json_pack("{s:s}", "root", json_text(folder, "refused_root")));
}

/* What only the remote has. */
static int approve_strangers(struct call *call, const json_t *unit, const json_t *folder) {
	const json_t *strangers = json_object_get(folder, "only_remote");
	if (!json_is_object(strangers)) {
		if (call->json)
			print_json(unit);
		else
			/* What others put there later is theirs, and nobody counts it. */
			printf("%s met nothing at the remote, at its first sync, that it has not\n",
				json_text(unit, "unit"));
		return EXIT_DONE;
	}
	int code = ask_deletions(call, strangers, "Remove them at the remote?");
	if (code != EXIT_DONE) return code;
	return unit_order(call, unit, "approve",
		json_pack("{s:I}", "strangers", (json_int_t)json_number(strangers, "upto")),
		"they are being removed at the remote");
}

static int approve_run(struct call *call) {
	struct err err;
	json_t *answer = folder_load(call, &err);

	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	const json_t *folder = json_object_get(unit, "folder");
	const json_t *deletions = json_object_get(folder, "deletions");
	int code = EXIT_DONE;
	if (call_option(call, "strangers")) {
		code = approve_strangers(call, unit, folder);
	} else if (*json_text(folder, "refused_root")) {
		code = approve_root(call, unit, folder);
	} else if (!json_is_object(deletions)) {
		if (call->json)
			print_json(answer);
		else
			printf("%s holds nothing back\n", json_text(unit, "unit"));
		if (!call->json && json_number(folder, "strangers") > 0)
			printf("'tend approve --strangers %s' shows what only the remote has, to "
			       "be removed there\n",
				json_text(unit, "name"));
	} else {
		code = ask_deletions(call, deletions, "Delete them at the remote?");
		if (code == EXIT_DONE)
			code = approve(call, unit,
				json_pack("{s:I}", "upto",
					(json_int_t)json_number(deletions, "upto")));
	}
	json_decref(answer);
	return code;
}

const struct command command_approve = {
	.name = "approve",
	.usage = "FOLDER",
	.help = "show the deletions that are held back, and let them go",
	.options = approve_options,
	.least = 1,
	.most = 1,
	.run = approve_run,
};
