/* tend pause, tend resume: a person's hold on a folder, remembered across restarts. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

static int ask_verb(struct call *call, const char *id, const char *verb) {
	struct err err;
	char *path = xasprintf("/v1/units/%s/%s", id, verb);

	json_t *answer = client_ask(&call->client, "POST", path, NULL, &err);
	free(path);
	if (!answer) return say_failure(call, &err);
	if (call->json)
		print_json(answer);
	else
		printf("%s is %s\n", id, unit_word(json_object_get(answer, "unit")));
	json_decref(answer);
	return EXIT_DONE;
}

static int run_verb(struct call *call, const char *verb) {
	struct err err;

	json_t *units = units_load(call, &err);
	const json_t *unit = units ? units_find(units, call->words[0], "folder", &err) : NULL;
	int code = unit ? ask_verb(call, json_text(unit, "unit"), verb) : say_failure(call, &err);
	json_decref(units);
	return code;
}

static int pause_run(struct call *call) {
	return run_verb(call, "pause");
}

static int resume_run(struct call *call) {
	return run_verb(call, "resume");
}

const struct command command_pause = {
	.name = "pause",
	.usage = "FOLDER",
	.help = "send nothing of a folder until it is resumed",
	.least = 1,
	.most = 1,
	.run = pause_run,
};

const struct command command_resume = {
	.name = "resume",
	.usage = "FOLDER",
	.help = "go on with a paused folder",
	.least = 1,
	.most = 1,
	.run = resume_run,
};
