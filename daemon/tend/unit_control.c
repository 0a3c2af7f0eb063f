/* tend start, stop and restart of a service. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

static const struct command_option control_options[] = {
	{ "only", 0, NULL, "leave the services that require it alone" },
	{ 0 },
};

/* Whoever requires it goes along: said before it happens. */
static void say_dependents(const json_t *unit, const char *verb) {
	const json_t *dependents = json_object_get(unit, "dependents");
	size_t i;
	json_t *other;

	json_array_foreach(dependents, i, other) {
		say("%s requires %s: %s goes along (--only leaves it alone)",
			json_string_value(other), json_text(unit, "unit"), verb);
	}
}

/* It was waited for: now it stands as asked, or it has failed. */
static int show_outcome(const json_t *unit, const char *verb) {
	int64_t pid = json_number(json_object_get(unit, "service"), "pid");
	const char *id = json_text(unit, "unit"), *state = json_text(unit, "state");
	bool stops = str_equal(verb, "stop");

	if (str_equal(state, stops ? "down" : "ready")) {
		if (pid > 0)
			printf("%s is %s (pid %lld)\n", id, unit_word(unit), (long long)pid);
		else
			printf("%s is %s\n", id, unit_word(unit));
		return EXIT_DONE;
	}
	char *summary = unit_summary(unit, 0);
	say("%s is %s%s%s", id, unit_word(unit), *summary ? ": " : "", summary);
	free(summary);
	return EXIT_FAILED;
}

/* Says who goes along, asks, and waits for the outcome. NULL: it failed, and that was said. */
static json_t *control(struct call *call, const json_t *unit, const char *verb, int *code) {
	bool only = call_option(call, "only") != NULL;
	char *path = xasprintf("/v1/units/%s/%s", json_text(unit, "unit"), verb);
	json_t *answer = NULL;
	struct ask ask;
	struct err err;

	if (!only && !str_equal(verb, "start")) say_dependents(unit, verb);
	ask_init(
		&ask, &call->client, "POST", path, json_pack("{sbsb}", "only", only, "wait", true));
	free(path);
	/* A service may take long to come up, and longer to go. */
	*code = ask_run(&ask, 0, &err) == 0 ? EXIT_DONE : say_failure(call, &err);
	if (*code == EXIT_DONE) {
		answer = json_incref(ask.answer);
		if (!call->json) *code = show_outcome(json_object_get(answer, "unit"), verb);
	}
	ask_release(&ask);
	return answer;
}

/* All are found before anything happens to one. NULL: said. */
static json_t *find_all(struct call *call, json_t *units, int *code) {
	json_t *found = json_array();
	struct err err;

	for (size_t i = 0; i < call->word_count; i++) {
		const json_t *unit = units_find(units, call->words[i], NULL, &err);
		bool folder = unit && str_equal(json_text(unit, "kind"), "folder");
		if (folder)
			err_set(&err, ERR_INVALID,
				"'%s' is a folder: 'tend pause' and 'tend resume' are for folders",
				json_text(unit, "unit"));
		if (unit && !folder) {
			json_array_append(found, (json_t *)unit);
			continue;
		}
		*code = say_failure(call, &err);
		json_decref(found);
		return NULL;
	}
	return found;
}

/* One after the other, in the order they were named; the worst of them is the exit code. */
static int control_all(struct call *call, const json_t *units, const char *verb) {
	json_t *after = json_array(), *unit;
	int worst = EXIT_DONE;
	size_t i;

	json_array_foreach(units, i, unit) {
		int code;
		json_t *answer = control(call, unit, verb, &code);
		if (code > worst) worst = code;
		if (answer) json_array_append(after, json_object_get(answer, "unit"));
		/* As it was before several could be named. */
		if (call->json && answer && json_array_size(units) == 1) print_json(answer);
		json_decref(answer);
	}
	if (call->json && json_array_size(units) > 1 && json_array_size(after) > 0) {
		json_t *answer = json_pack("{s:i, s:O}", "api", 1, "units", after);
		print_json(answer);
		json_decref(answer);
	}
	json_decref(after);
	return worst;
}

int unit_control_run(struct call *call, const char *verb) {
	struct err err;
	int code = EXIT_FAILED;

	json_t *units = units_load(call, &err);
	if (!units) return say_failure(call, &err);
	json_t *found = find_all(call, units, &code);
	if (found) code = control_all(call, found, verb);
	json_decref(found);
	json_decref(units);
	return code;
}

static int start_run(struct call *call) {
	return unit_control_run(call, "start");
}

static int restart_run(struct call *call) {
	return unit_control_run(call, "restart");
}

const struct command command_start = {
	.name = "start",
	.usage = "UNIT...",
	.help = "start a service",
	.options = control_options,
	.least = 1,
	.most = SIZE_MAX,
	.run = start_run,
};

const struct command command_restart = {
	.name = "restart",
	.usage = "UNIT... [--only]",
	.help = "stop a service, and what requires it, and start them again",
	.options = control_options,
	.least = 1,
	.most = SIZE_MAX,
	.run = restart_run,
};
