/* tend verify: compare the remote with what was stored there, and say what came out. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

enum { POLL_MS = 200 };

static const struct command_option verify_options[] = {
	{ "read", 0, NULL, "read the contents of all files back as well" },
	{ 0 },
};

/* The answer that shows it has ended. NULL with err. */
static json_t *wait_for_end(struct call *call, json_t *answer, struct err *err) {
	while (answer) {
		const json_t *folder = json_object_get(json_object_get(answer, "unit"), "folder");
		if (!json_flag(json_object_get(folder, "verify"), "running")) break;
		client_sleep(&call->client, POLL_MS);
		json_decref(answer);
		answer = folder_load(call, err);
	}
	return answer;
}

static int print_end(struct call *call, const json_t *answer) {
	const json_t *unit = json_object_get(answer, "unit");
	const json_t *verify = json_object_get(json_object_get(unit, "folder"), "verify");

	if (call->json) print_json(verify);
	if (*json_text(verify, "trouble")) {
		say("%s: %s", json_text(unit, "unit"), json_text(verify, "trouble"));
		return json_flag(unit, "needs_person") ? EXIT_PERSON : EXIT_FAILED;
	}
	if (!call->json) printf("%s: %s\n", json_text(unit, "unit"), json_text(verify, "text"));
	return EXIT_DONE;
}

static int verify_run(struct call *call) {
	bool read = call_option(call, "read") != NULL;
	struct err err;
	int code = EXIT_DONE;
	json_t *found = folder_load(call, &err), *answer = NULL;

	if (found) {
		char *path = xasprintf(
			"/v1/units/%s/verify", json_text(json_object_get(found, "unit"), "unit"));
		answer = client_ask(
			&call->client, "POST", path, json_pack("{s:b}", "read", read), &err);
		free(path);
	}
	answer = wait_for_end(call, answer, &err);
	code = answer ? print_end(call, answer) : say_failure(call, &err);
	json_decref(found);
	json_decref(answer);
	return code;
}

const struct command command_verify = {
	.name = "verify",
	.usage = "FOLDER [--read]",
	.help = "compare the remote with what was stored there; what is missing is sent again",
	.options = verify_options,
	.least = 1,
	.most = 1,
	.run = verify_run,
};
