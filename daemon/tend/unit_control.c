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

/* Says who goes along, asks, and waits for the outcome. */
static int control(struct call *call, const json_t *unit, const char *verb) {
	bool only = call_option(call, "only") != NULL;
	char *path = xasprintf("/v1/units/%s/%s", json_text(unit, "unit"), verb);
	struct ask ask;
	struct err err;

	if (!only && !str_equal(verb, "start")) say_dependents(unit, verb);
	ask_init(
		&ask, &call->client, "POST", path, json_pack("{sbsb}", "only", only, "wait", true));
	free(path);
	/* A service may take long to come up, and longer to go. */
	int code = ask_run(&ask, 0, &err) == 0 ? EXIT_DONE : say_failure(call, &err);
	if (code == EXIT_DONE) {
		const json_t *after = json_object_get(ask.answer, "unit");
		if (call->json) print_json(ask.answer);
		code = call->json ? EXIT_DONE : show_outcome(after, verb);
	}
	ask_release(&ask);
	return code;
}

int unit_control_run(struct call *call, const char *verb) {
	struct err err;

	json_t *units = units_load(call, &err);
	const json_t *unit = units ? units_find(units, call->words[0], NULL, &err) : NULL;
	int code;
	if (!unit) {
		code = say_failure(call, &err);
	} else if (str_equal(json_text(unit, "kind"), "folder")) {
		say("'%s' is a folder: 'tend pause' and 'tend resume' are for folders",
			json_text(unit, "unit"));
		code = EXIT_USAGE;
	} else {
		code = control(call, unit, verb);
	}
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
	.usage = "UNIT",
	.help = "start a service",
	.options = control_options,
	.least = 1,
	.most = 1,
	.run = start_run,
};

const struct command command_restart = {
	.name = "restart",
	.usage = "UNIT [--only]",
	.help = "stop a service, and what requires it, and start them again",
	.options = control_options,
	.least = 1,
	.most = 1,
	.run = restart_run,
};
