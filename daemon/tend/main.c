/*
 * tend: the command. Finds what was meant in a table, opens the way to tendd, and leaves with the
 * exit code of the contract. A command is a file with a `struct command`; to add one, write that
 * file and name it in `built`.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "tend/command.h"

static const struct command_option global_options[] = {
	{ "config", 'c', "FILE", "the tendd that runs with this file" },
	{ "socket", 0, "PATH", "the tendd that listens there" },
	{ "system", 0, NULL, "the machine's tendd" },
	{ "user", 0, NULL, "this user's tendd" },
	{ "json", 0, NULL, "what the API answers, as JSON" },
	{ "help", 'h', NULL, "this text, or that of a command" },
	{ "version", 0, NULL, "the version" },
	{ 0 },
};

static const struct command *const commands[] = {
	&command_status,
	&command_sync,
	&command_wait,
	&command_pause,
	&command_resume,
	&command_approve,
	&command_resolve,
	&command_verify,
	&command_forget,
	&command_start,
	&command_stop,
	&command_restart,
	&command_logs,
	&command_reload,
	&command_upgrade,
	&command_ls,
	&command_versions,
	&command_restore,
	&command_history,
	&command_env,
	&command_plan,
	&command_run,
	&command_awake,
	&command_why_awake,
	&command_remote,
	&command_auth,
	&command_init,
	&command_edit,
	&command_doctor,
	&command_ui,
	NULL,
};

/* ---- help ---- */

static void print_options(FILE *out, const struct command_option *options) {
	for (; options && options->name; options++) {
		char *name = xasprintf("--%s%s%s", options->name, options->value ? " " : "",
			options->value ? options->value : "");
		if (options->letter)
			fprintf(out, "  -%c, %-18s  %s\n", options->letter, name, options->help);
		else
			fprintf(out, "      %-18s  %s\n", name, options->help);
		free(name);
	}
}

static void print_help(FILE *out) {
	fputs("usage: tend [options] COMMAND [words]\n\ncommands:\n", out);
	for (size_t i = 0; commands[i]; i++) {
		char *usage = xasprintf("%s %s", commands[i]->name, commands[i]->usage);
		fprintf(out, "  %-36s  %s\n", usage, commands[i]->help);
		free(usage);
	}
	fputs("\noptions:\n", out);
	print_options(out, global_options);
	fputs("\nexit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 tendd is not "
	      "running, 4 timed out,\n"
	      "5 something needs a person\n",
		out);
}

static void print_command_help(const struct command *command) {
	printf("usage: tend %s %s\n\n%s\n", command->name, command->usage, command->help);
	if (command->options) {
		fputs("\noptions:\n", stdout);
		print_options(stdout, command->options);
	}
}

/* ---- one command ---- */

/* Before a connection is made: wrong usage is wrong whether tendd runs or not. */
static int check_words(const struct call *call, struct err *err) {
	const struct command *command = call->command;

	if (call->word_count < command->least) {
		return err_set(err, ERR_INVALID, "too few words: tend %s %s", command->name,
			command->usage);
	}
	if (call->word_count > command->most) {
		return err_set(err, ERR_INVALID, "too many words: tend %s %s", command->name,
			command->usage);
	}
	if (call_option(call, "system") && call_option(call, "user")) {
		return err_set(err, ERR_INVALID, "--system and --user exclude each other");
	}
	return 0;
}

static int run(struct call *call) {
	const struct client_place place = {
		.file = call_option(call, "config"),
		.may_lack = call->command->fileless,
		.socket = call_option(call, "socket"),
		.system = call_option(call, "system") != NULL,
		.user = call_option(call, "user") != NULL,
	};
	struct err err;

	if (client_open(&call->client, &place, &err) != 0) {
		say("%s", err.text);
		return EXIT_USAGE;
	}
	int code = call->command->run(call);
	client_release(&call->client);
	return code;
}

static int dispatch(char **words) {
	struct call call = { 0 };
	struct err err;

	if (call_parse(&call, words, global_options, commands, &err) != 0)
		return say_usage(&call, &err);
	if (call_option(&call, "version")) {
		puts("tend " TEND_VERSION);
		return EXIT_DONE;
	}
	if (call_option(&call, "help")) {
		if (call.command)
			print_command_help(call.command);
		else
			print_help(stdout);
		return EXIT_DONE;
	}
	if (!call.command) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (check_words(&call, &err) != 0) return say_usage(&call, &err);
	call.json = call_option(&call, "json") != NULL;
	return run(&call);
}

/* Whoever read us had enough: "tend status | head -1" is nothing to complain about. */
static bool reader_is_gone(void) {
	struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP));
}

/* Before anything is understood: wrong usage is told as JSON as well. */
static bool wants_json(char *const *words) {
	for (; *words && !str_equal(*words, "--"); words++)
		if (str_equal(*words, "--json")) return true;
	return false;
}

int main(int argc, char **argv) {
	bool json = wants_json(argv + 1);

	(void)argc;
	/* A daemon that goes away in the middle of a question is an error to report, not our
	 * end. */
	signal(SIGPIPE, SIG_IGN);
	crypto_forbid_core_dumps();
	int code = dispatch(argv + 1);
	if (json) say_error_json(code);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (!reader_is_gone()) say("cannot write all of the output: is the disk full?");
		return code == EXIT_DONE ? EXIT_FAILED : code;
	}
	return code;
}
