/* What a command asks a person before something is deleted, and the order that follows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/command.h"

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

static void print_deletions(const json_t *deletions) {
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

int ask_deletions(struct call *call, const json_t *deletions, const char *question) {
	if (call->json && !call_option(call, "yes")) {
		print_json(deletions); /* a look: the list alone, and what is still needed */
		return EXIT_PERSON;
	}
	if (!call->json) print_deletions(deletions);
	return ask_person(call, question);
}

int unit_order(
	struct call *call, const json_t *unit, const char *order, json_t *body, const char *done) {
	struct err err;
	char *path = xasprintf("/v1/units/%s/%s", json_text(unit, "unit"), order);
	json_t *answer = client_ask(&call->client, "POST", path, body, &err);

	free(path);
	if (!answer) return say_failure(call, &err);
	if (call->json)
		print_json(answer);
	else
		puts(done);
	json_decref(answer);
	return EXIT_DONE;
}
