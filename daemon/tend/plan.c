/* tend plan: what steps would do, and why. tendd is asked; without it, they are looked at here, by its configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "tend/command.h"
#include "tend/source.h"
#include "term/term.h"

enum { SUBJECT_MAX = 80 };

static json_t *ask_daemon(struct call *call, struct err *err) {
	return client_ask(&call->client, "GET", "/v1/plan", NULL, err);
}

static void print_diff(const struct term *term, const char *diff) {
	while (*diff) {
		int len = 0;
		while (diff[len] && diff[len] != '\n') len++;
		char *raw = xstrndup(diff, (size_t)len), *text = str_printable(raw);
		enum term_colour colour = *diff == '-'   ? TERM_RED
					  : *diff == '+' ? TERM_GREEN
							 : TERM_DIM;
		printf("    %s%s%s\n", term_paint(term, colour), text, term_unpaint(term, colour));
		free(text);
		free(raw);
		diff += len + (diff[len] == '\n');
	}
}

static void print_step(const struct term *term, const json_t *step) {
	const char *verdict = json_text(step, "verdict");
	const char *sign = str_equal(verdict, "so")     ? "is so"
			   : str_equal(verdict, "todo") ? "would run"
			   : str_equal(verdict, "held") ? "held"
							: "unknown";
	/* Of a command of many lines the first says which it is. */
	char *first = xstrdup(json_text(step, "subject"));
	first[strcspn(first, "\n")] = '\0';
	if (strlen(first) > SUBJECT_MAX) first[SUBJECT_MAX] = '\0';
	char *subject = str_printable(first), *why = str_printable(json_text(step, "why"));
	free(first);
	printf("%-9s  %s  %s %s: %s\n", sign, json_text(step, "unit"), json_text(step, "kind"),
		subject, why);
	print_diff(term, json_text(step, "diff"));
	free(subject);
	free(why);
}

static void print_plan(const json_t *answer) {
	const json_t *steps = json_object_get(answer, "steps");
	struct term term;
	size_t i;
	json_t *step;
	term_init(&term, STDOUT_FILENO);
	json_array_foreach(steps, i, step) print_step(&term, step);
	if (json_array_size(steps) == 0) puts("no steps in the configuration");
}

static int plan_run(struct call *call) {
	struct err err;
	json_t *answer = ask_daemon(call, &err);
	if (!answer && err.kind == ERR_OFFLINE) answer = direct_plan(call, &err);
	if (!answer) return say_failure(call, &err);
	if (call->json)
		print_json(answer);
	else
		print_plan(answer);
	json_decref(answer);
	return EXIT_DONE;
}

const struct command command_plan = {
	.name = "plan",
	.usage = "",
	.help = "what steps would do, and why; nothing is done",
	.run = plan_run,
};
