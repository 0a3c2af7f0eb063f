/*
 * tend ui: the dashboard, logged in. The link that logs in is told to the browser by a file that
 * nobody else can read: what stands in a program's arguments is seen by everybody on the machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/browser.h"
#include "tend/command.h"

enum { ASK_MS = 250, PATIENCE_MS = 20000 };

static const struct command_option ui_options[] = {
	{ "no-browser", 0, NULL, "only print the link" },
	{ 0 },
};

/* A page that leads on to `link`; NULL with err. The caller's, as is the file. */
static char *write_page(const char *link, struct err *err) {
	const char *folder = getenv("XDG_RUNTIME_DIR");
	if (!folder || access(folder, W_OK)) folder = getenv("TMPDIR");
	if (!folder || access(folder, W_OK)) folder = "/tmp";
	char *path = xasprintf("%s/tend-ui-XXXXXX.html", folder);
	int fd = mkstemps(path, (int)strlen(".html")); /* 0600 */
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file &&
		fprintf(file,
			"<!doctype html><meta charset=utf-8><title>tend</title>"
			"<meta http-equiv=refresh content=\"0;url=%s\"><a href=\"%s\">tend</a>\n",
			link, link) > 0 &&
		fclose(file) == 0)
		return path;
	err_set(err, ERR_SYSTEM, "cannot write '%s'", path);
	if (fd >= 0) unlink(path);
	free(path);
	return NULL;
}

/* Has the browser taken the link? */
static bool was_taken(struct call *call, const char *code) {
	for (int64_t waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += ASK_MS) {
		struct err err;
		client_sleep(&call->client, ASK_MS);
		json_t *answer = client_ask(&call->client, "POST", "/v1/web/login",
			json_pack("{s:s}", "code", code), &err);
		bool waits = answer && json_flag(answer, "waits");
		json_decref(answer);
		if (answer && !waits) return true;
	}
	return false;
}

static void print_link(struct call *call, const char *url, const char *link) {
	const char *port = strrchr(url, ':');

	printf("Open this link in a browser; it works once, for two minutes:\n\n  %s\n", link);
	if (!browser_is_here() && port)
		printf("\nThe browser is on another machine? First run there:\n\n"
		       "  ssh -N -L %.*s:127.0.0.1:%.*s %s\n",
			(int)strcspn(port + 1, "/"), port + 1, (int)strcspn(port + 1, "/"),
			port + 1, loop_host(call->client.loop));
}

static int open_link(struct call *call, const char *url, const char *link, const char *code) {
	struct err err;
	char *path = write_page(link, &err);

	if (!path) {
		print_link(call, url, link);
		return EXIT_DONE;
	}
	char *page = xasprintf("file://%s", path);
	browser_open(page);
	printf("the dashboard opens in your browser: %s\n", url);
	fflush(stdout);
	if (!was_taken(call, code)) print_link(call, url, link);
	unlink(path);
	free(page);
	free(path);
	return EXIT_DONE;
}

static int ui_run(struct call *call) {
	struct err err;
	json_t *answer = client_ask(&call->client, "POST", "/v1/web/login", NULL, &err);

	if (!answer) return say_failure(call, &err);
	const char *url = json_text(answer, "url"), *code = json_text(answer, "code");
	char *link = xasprintf("%s#login=%s", url, code);
	int code_out = EXIT_DONE;
	if (call->json)
		print_json(answer);
	else if (browser_is_here() && !call_option(call, "no-browser"))
		code_out = open_link(call, url, link, code);
	else
		print_link(call, url, link);
	free(link);
	json_decref(answer);
	return code_out;
}

const struct command command_ui = {
	.name = "ui",
	.usage = "",
	.help = "open the dashboard in a browser, logged in",
	.options = ui_options,
	.run = ui_run,
};
