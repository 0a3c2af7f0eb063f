/* What was typed, sorted by tables. */
#include <string.h>

#include "tend/command.h"

enum { COMMANDS_MAX = 64, OPTIONS_MAX = 32 };

struct reader {
	struct call *call;
	char **argv; /* what is still to be read */
	const struct command_option *options;
	const struct command *const *commands;
};

/* By its letter, or by name where `letter` is 0. */
static const struct command_option *find_in(
	const struct command_option *options, const char *name, size_t len, char letter) {
	for (; options && options->name; options++) {
		if (letter ? options->letter == letter
			   : strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	}
	return NULL;
}

/* The command's own options win over the global ones. */
static const struct command_option *find(
	const struct reader *reader, const char *name, size_t len, char letter) {
	const struct command *command = reader->call->command;
	const struct command_option *option =
		command ? find_in(command->options, name, len, letter) : NULL;

	return option ? option : find_in(reader->options, name, len, letter);
}

static int unknown_option(const struct reader *reader, const char *word, struct err *err) {
	const struct command *command = reader->call->command;
	const struct command_option *sources[] = { reader->options,
		command ? command->options : NULL };
	const char *names[OPTIONS_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		for (const struct command_option *at = sources[i]; at && at->name; at++) {
			if (count < OPTIONS_MAX) names[count++] = at->name;
		}
	}
	names[count] = NULL;
	const char *nearest = str_starts(word, "--") ? str_nearest(word + 2, names) : NULL;
	if (nearest) {
		return err_set(err, ERR_INVALID, "unknown option '%s': did you mean '--%s'?", word,
			nearest);
	}
	if (!command) return err_set(err, ERR_INVALID, "unknown option '%s'", word);
	return err_set(err, ERR_INVALID, "unknown option '%s' of '%s'", word, command->name);
}

/* `attached`: what stood in the same word ("--lines=5", "-n5"); NULL: nothing, the next word is
 * taken. */
static int take(struct reader *reader, const struct command_option *option, const char *attached,
	struct err *err) {
	struct call *call = reader->call;
	const char *value = attached;

	if (!option->value && attached) {
		return err_set(err, ERR_INVALID, "option '--%s' takes no value", option->name);
	}
	if (option->value && !value) {
		if (!*reader->argv) {
			return err_set(err, ERR_INVALID, "option '--%s' needs a value: %s",
				option->name, option->value);
		}
		value = *reader->argv++;
	}
	if (call->given_count == GIVEN_MAX) return err_set(err, ERR_INVALID, "too many options");
	call->given[call->given_count++] = (struct given){ option, value ? value : "" };
	return 0;
}

/* "--name", "--name=value" */
static int take_long(struct reader *reader, const char *word, struct err *err) {
	size_t len = strcspn(word + 2, "=");
	const struct command_option *option = find(reader, word + 2, len, 0);

	if (!option) return unknown_option(reader, word, err);
	return take(reader, option, word[2 + len] == '=' ? word + 3 + len : NULL, err);
}

/* "-f", "-n 5", "-n5", "-fn5" */
static int take_letters(struct reader *reader, const char *word, struct err *err) {
	for (const char *at = word + 1; *at; at++) {
		const struct command_option *option = find(reader, NULL, 0, *at);
		if (!option) return unknown_option(reader, word, err);
		if (option->value) return take(reader, option, at[1] ? at + 1 : NULL, err);
		if (take(reader, option, NULL, err) != 0) return -1;
	}
	return 0;
}

/* The first word. */
static int take_command(struct reader *reader, const char *word, struct err *err) {
	const char *names[COMMANDS_MAX + 1];
	size_t count = 0;

	for (const struct command *const *at = reader->commands; *at; at++) {
		if (str_equal((*at)->name, word)) {
			reader->call->command = *at;
			return 0;
		}
		if (count < COMMANDS_MAX) names[count++] = (*at)->name;
	}
	names[count] = NULL;
	const char *nearest = str_nearest(word, names);
	if (nearest) {
		return err_set(err, ERR_INVALID, "there is no command '%s': did you mean '%s'?",
			word, nearest);
	}
	return err_set(err, ERR_INVALID, "there is no command '%s'", word);
}

int call_parse(struct call *call, char **argv, const struct command_option *options,
	const struct command *const *commands, struct err *err) {
	struct reader reader = {
		.call = call, .argv = argv, .options = options, .commands = commands
	};
	char **words = argv; /* words are moved to the front: never more than were read */
	bool only_words = false;

	call->words = argv;
	while (*reader.argv) {
		char *word = *reader.argv++;
		int rc = 0;
		if (!only_words && str_equal(word, "--"))
			only_words = true;
		else if (!only_words && str_starts(word, "--"))
			rc = take_long(&reader, word, err);
		else if (!only_words && word[0] == '-' && word[1])
			rc = take_letters(&reader, word, err);
		else if (!call->command)
			rc = take_command(&reader, word, err);
		else
			*words++ = word;
		if (rc != 0) return -1;
	}
	*words = NULL;
	call->word_count = (size_t)(words - call->words);
	return 0;
}

const char *call_option(const struct call *call, const char *name) {
	const char *value = NULL;

	for (size_t i = 0; i < call->given_count; i++) {
		if (str_equal(call->given[i].option->name, name)) value = call->given[i].value;
	}
	return value;
}
