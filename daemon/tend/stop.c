/* tend stop: a service, or without a word tendd itself. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tend/command.h"

enum { LOOK_MS = 100 };

static const struct command_option stop_options[] = {
	{ "only", 0, NULL, "leave the services that require it alone" },
	{ "yes", 'y', NULL, "do not ask" },
	{ 0 },
};

/* 0: a person said yes, or --yes. */
static int confirm(const struct call *call) {
	char answer[16];

	if (call_option(call, "yes")) return 0;
	if (!isatty(STDIN_FILENO)) {
		say("this stops tendd: say --yes where nobody can be asked, or name a unit");
		return EXIT_USAGE;
	}
	fputs("stop tendd, with its services? [y/N] ", stderr);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	say("nothing was stopped");
	return EXIT_FAILED;
}

/* The answer comes at once; the stop takes as long as the last flush. It is over when nobody
 * listens any more. */
static void wait_until_gone(struct call *call) {
	struct err err;

	while (client_probe(&call->client, &err) == 0) client_sleep(&call->client, LOOK_MS);
}

/* Nobody is asked about a daemon that is not there. */
static int stop_daemon(struct call *call) {
	struct err err;

	if (client_probe(&call->client, &err) != 0) return say_failure(call, &err);
	int code = confirm(call);
	if (code != 0) return code;
	json_t *answer = client_ask(&call->client, "POST", "/v1/stop", NULL, &err);
	if (!answer) return say_failure(call, &err);
	wait_until_gone(call);
	if (call->json)
		print_json(answer);
	else
		puts("tendd has stopped");
	json_decref(answer);
	return EXIT_DONE;
}

/* One word for both, as people say it; what it would end decides whether it asks. */
static int stop_run(struct call *call) {
	return call->word_count > 0 ? unit_control_run(call, "stop") : stop_daemon(call);
}

const struct command command_stop = {
	.name = "stop",
	.usage = "[UNIT... [--only] | --yes]",
	.help = "stop a service, and what requires it; without a unit tendd itself",
	.options = stop_options,
	.most = SIZE_MAX,
	.run = stop_run,
};
