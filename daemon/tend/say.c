/* What all commands say the same way. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"

void say(const char *format, ...) {
	va_list args;

	fflush(stdout); /* the order on the screen is the order it was said in */
	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	char *clean = str_printable(text);
	fprintf(stderr, "tend: %s\n", clean);
	free(clean);
	free(text);
}

int say_usage(const struct call *call, const struct err *err) {
	say("%s", err->text);
	if (call->command)
		say("see 'tend %s --help'", call->command->name);
	else
		say("see 'tend --help'");
	return EXIT_USAGE;
}

/* What is wrong with the question is exit 2 even when only tendd could tell: an unknown folder,
 * say. */
int say_failure(const struct call *call, const struct err *err) {
	(void)call;
	say("%s", err->text);
	switch (err->kind) {
	case ERR_OFFLINE: return EXIT_NOT_RUNNING;
	case ERR_NOT_FOUND:
	case ERR_INVALID: return EXIT_USAGE;
	default: return EXIT_FAILED;
	}
}

void print_json(const json_t *answer) {
	/* Seconds and per cents: nobody wants -0.0050000000000000001. */
	char *text = json_dumps(answer, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

	puts(text);
	free(text);
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
