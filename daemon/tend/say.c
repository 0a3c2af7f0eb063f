/* What all commands say the same way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

/* What a failing --json answers with where the API had nothing to say; one command a process. */
static struct {
	bool answered; /* JSON is on stdout already */
	enum err_kind kind;
	char *text, *hint;
} told;

void say(const char *format, ...) {
	va_list args;

	fflush(stdout); /* the order on the screen is the order it was said in */
	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	char *clean = str_printable(text);
	fprintf(stderr, "tend: %s\n", clean);
	char *all = told.text ? xasprintf("%s\n%s", told.text, clean) : xstrdup(clean);
	free(told.text);
	told.text = all;
	free(clean);
	free(text);
}

int say_usage(const struct call *call, const struct err *err) {
	say("%s", err->text);
	told.kind = err->kind;
	told.hint = call->command ? xasprintf("see 'tend %s --help'", call->command->name)
				  : xstrdup("see 'tend --help'");
	fprintf(stderr, "tend: %s\n", told.hint);
	return EXIT_USAGE;
}

/* What is wrong with the question is exit 2 even when only tendd could tell: an unknown folder,
 * say. */
int say_failure(const struct call *call, const struct err *err) {
	(void)call;
	say("%s", err->text);
	told.kind = err->kind;
	switch (err->kind) {
	case ERR_OFFLINE: return EXIT_NOT_RUNNING;
	case ERR_NOT_FOUND:
	case ERR_INVALID: return EXIT_USAGE;
	default: return EXIT_FAILED;
	}
}

/* Where no error told it. */
static const char *kind_of(int code) {
	if (told.kind != ERR_NONE) return err_kind_name(told.kind);
	switch (code) {
	case EXIT_USAGE: return err_kind_name(ERR_INVALID);
	case EXIT_NOT_RUNNING: return err_kind_name(ERR_OFFLINE);
	case EXIT_TIMED_OUT: return "timed out";
	case EXIT_PERSON: return "needs a person";
	default: return "failed";
	}
}

void say_error_json(int code) {
	if (told.answered || code == EXIT_DONE) return;
	json_t *answer = json_pack("{s:i, s:{s:s, s:s, s:s?}, s:i}", "api", 1, "error", "kind",
		kind_of(code), "text", told.text ? told.text : "", "hint", told.hint, "exit_code",
		code);
	print_json(answer);
	json_decref(answer);
}

void print_json(const json_t *answer) {
	/* Seconds and per cents: nobody wants -0.0050000000000000001. */
	char *text = json_dumps(answer, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

	puts(text);
	free(text);
	told.answered = true;
}

void print_json_line(const json_t *answer) {
	char *text = json_dumps(answer, JSON_COMPACT);

	puts(text);
	free(text);
	told.answered = true;
}

const char *json_text(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* A double where a number is too large for 64 bits. */
int64_t json_number(const json_t *object, const char *key) {
	const json_t *value = json_object_get(object, key);

	return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}

bool json_flag(const json_t *object, const char *key) {
	return json_is_true(json_object_get(object, key));
}

int64_t json_age_ms(const json_t *object, const char *key, int64_t wall_ns) {
	int64_t then_ns;

	if (time_parse(json_text(object, key), &then_ns) != 0) return -1;
	/* Clocks are set back. */
	return wall_ns > then_ns ? (wall_ns - then_ns) / NS_PER_MS : 0;
}
