/* tend plan: what steps would do, and why, and the order of a start. tendd is asked; without it, they are looked at here, by its
 * configuration, which must be good: a plan of half of it would mislead. */
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

static void print_needs(const char *word, const json_t *ids, const char **before) {
	size_t i;
	json_t *id;
	json_array_foreach(ids, i, id) {
		if (i == 0) printf("%s%s ", *before, word);
		printf("%s%s", i ? ", " : "", json_string_value(id));
		*before = "; ";
	}
}

static void print_order(const struct term *term, const json_t *order) {
	size_t i, width = 0;
	json_t *unit;
	json_array_foreach(order, i, unit) {
		size_t len = strlen(json_text(unit, "unit"));
		if (len > width) width = len;
	}
	printf("\n%sorder of a start: each unit when those that it names are there%s\n",
		term_paint(term, TERM_DIM), term_unpaint(term, TERM_DIM));
	json_array_foreach(order, i, unit) {
		const char *before = "  ";
		const json_t *requires = json_object_get(unit, "requires");
		const json_t *after = json_object_get(unit, "after");
		bool last = json_is_true(json_object_get(unit, "enabled")) &&
			    json_array_size(requires) + json_array_size(after) == 0;
		printf("%3" JSON_INTEGER_FORMAT "  %-*s",
			json_integer_value(json_object_get(unit, "wave")), last ? 0 : (int)width,
			json_text(unit, "unit"));
		print_needs("requires", requires, &before);
		print_needs("after", after, &before);
		if (json_is_false(json_object_get(unit, "enabled")))
			printf("%snot enabled", before);
		putchar('\n');
	}
}

static void print_plan(const json_t *answer) {
	const json_t *steps = json_object_get(answer, "steps");
	struct term term;
	size_t i;
	json_t *step;
	term_init(&term, STDOUT_FILENO);
	json_array_foreach(steps, i, step) print_step(&term, step);
	if (json_array_size(steps) == 0) puts("no steps in the configuration");
	print_order(&term, json_object_get(answer, "order"));
}

/* Its errors are said as tendd says them. */
static bool is_good(struct call *call, struct err *err) {
	char **lines = NULL, *file = direct_file(call, err);
	int result = file ? check_file(file, &lines, err) : -1;
	free(file);
	if (result == 0 && lines) {
		for (char **line = lines; *line; line++) fprintf(stderr, "%s\n", *line);
		err_set(err, ERR_INVALID,
			"the configuration is not good: mend it, or 'tend edit' it");
		result = -1;
	}
	strv_free(lines);
	return result == 0;
}

static int plan_run(struct call *call) {
	struct err err;
	json_t *answer = ask_daemon(call, &err);
	if (!answer && err.kind == ERR_OFFLINE && is_good(call, &err))
		answer = direct_plan(call, &err);
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
	.help = "what steps would do, and why, and the order of a start; nothing is done",
	.run = plan_run,
};
