/* tend approve: deletions that tendd holds back, shown first, then let go: exactly those that were shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/command.h"

static const struct command_option approve_options[] = {
	{ "yes", 'y', NULL, "do not ask" },
	{ 0 },
};

int ask_person(struct call *call, const char *question) {
	char answer[16];

	if (call_option(call, "yes")) return EXIT_DONE;
	if (!isatty(STDIN_FILENO)) {
		say("nobody is here to ask: say --yes if this is meant");
		return EXIT_PERSON;
	}
	printf("%s [y/N] ", question);
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return EXIT_DONE;
	say("nothing was done");
	return EXIT_PERSON;
}

json_t *folder_load(struct call *call, struct err *err) {
	json_t *units = units_load(call, err), *answer = NULL;
	const json_t *unit = units ? units_find(units, call->words[0], "folder", err) : NULL;

	if (unit) {
		char *path = xasprintf("/v1/units/%s", json_text(unit, "unit"));
		answer = client_ask(&call->client, "GET", path, NULL, err);
		free(path);
	}
	json_decref(units);
	return answer;
}

void print_deletions(const json_t *deletions) {
	int64_t files = json_number(deletions, "files"),
		folders = json_number(deletions, "folders");
	char size[32];
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(deletions, "paths"), i, item) {
		char *path = str_printable(json_text(item, "path"));
		size_format(json_number(item, "size_bytes"), size, sizeof(size));
		if (json_flag(item, "folder"))
			printf("%10s  %s/\n", "", path);
		else
			printf("%10s  %s\n", size, path);
		free(path);
	}
	if ((int64_t)i < files + folders)
		printf("%10s  and %lld more\n", "", (long long)(files + folders - (int64_t)i));
	size_format(json_number(deletions, "size_bytes"), size, sizeof(size));
	printf("%lld files (%s) and %lld folders\n", (long long)files, size, (long long)folders);
}

/* `body` names what was shown; it is taken. */
static int approve(struct call *call, const json_t *unit, json_t *body) {
	struct err err;
	char *path = xasprintf("/v1/units/%s/approve", json_text(unit, "unit"));
	json_t *answer = client_ask(&call->client, "POST", path, body, &err);

	free(path);
	if (!answer) return say_failure(call, &err);
	if (call->json)
		print_json(answer);
	else
		printf("approved: %s goes on\n", json_text(unit, "unit"));
	json_decref(answer);
	return EXIT_DONE;
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

static int approve_run(struct call *call) {
	struct err err;
	json_t *answer = folder_load(call, &err);

	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	const json_t *folder = json_object_get(unit, "folder");
	const json_t *deletions = json_object_get(folder, "deletions");
	int code = EXIT_DONE;
	if (*json_text(folder, "refused_root")) {
		code = approve_root(call, unit, folder);
	} else if (!json_is_object(deletions)) {
		if (call->json)
			print_json(answer);
		else
			printf("%s holds nothing back\n", json_text(unit, "unit"));
	} else if (call->json && !call_option(call, "yes")) {
		print_json(deletions); /* a look: the list alone, and what is still needed */
		code = EXIT_PERSON;
	} else {
		if (!call->json) print_deletions(deletions);
		code = ask_person(call, "Delete them at the remote?");
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
