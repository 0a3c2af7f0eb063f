/*
 * tend auth: signs in to a remote that wants a person. By the browser, which comes back to this
 * machine; where there is no browser, by a port that ssh carries, or the address the browser ended on,
 * pasted; by a device code; or with a token made elsewhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tend/browser.h"
#include "tend/loopback.h"
#include "tend/remote.h"
#include "tend/source.h"

enum { PASTE_MAX = 64 << 10 };

struct signing {
	struct call *call;
	struct gdrive_auth *auth;
	const char *remote;
	struct loopback loopback;
	struct poll *typing;
	char typed[8192];
	size_t typed_len;
	struct timer timer;
	bool asking, ended;
	struct err err;
};

static void end(struct signing *s, const struct err *err) {
	if (err) s->err = *err;
	s->ended = true;
}

static void kept(void *user, const struct err *err) {
	end(user, err);
}

/* ---- the browser ---- */

static const char *take_address(struct signing *s, const char *address) {
	struct err err;
	char *code = s->asking ? NULL : gdrive_auth_code(s->auth, address, &err);

	if (s->asking) return "tend is on it.";
	if (!code && err.kind == ERR_DENIED) {
		end(s, &err);
		return "tend was not let in. You can close this page.";
	}
	if (!code) return "This is not what tend asked for.";
	s->asking = true;
	gdrive_auth_exchange(s->auth, code, kept, s);
	free(code);
	return "tend is let in. You can close this page.";
}

static const char *browser_came(struct loopback *loopback, const char *address) {
	return take_address(loopback->user, address);
}

static void take_line(struct signing *s, char *line) {
	str_trim(line);
	if (!*line || s->asking || s->ended) return;
	const char *said = take_address(s, line);
	if (!s->asking && !s->ended) say("%s", said);
}

/* A browser elsewhere ends on a page that it cannot open: its address is as good. */
static void typed(void *user, int events) {
	struct signing *s = user;
	ssize_t got =
		read(STDIN_FILENO, s->typed + s->typed_len, sizeof(s->typed) - 1 - s->typed_len);

	(void)events;
	if (got <= 0) {
		poll_stop(s->typing);
		s->typing = NULL;
		return;
	}
	s->typed_len += (size_t)got;
	s->typed[s->typed_len] = '\0';
	for (char *end; (end = strchr(s->typed, '\n'));) {
		*end = '\0';
		take_line(s, s->typed);
		s->typed_len -= (size_t)(end + 1 - s->typed);
		memmove(s->typed, end + 1, s->typed_len + 1);
	}
	if (s->typed_len == sizeof(s->typed) - 1) s->typed_len = 0;
}

static void by_browser(struct signing *s) {
	struct call *call = s->call;
	struct loop *loop = call->client.loop;
	bool opens = browser_is_here() && !call_option(call, "no-browser");

	if (loopback_open(&s->loopback, loop, browser_came, s, &s->err)) return;
	char *page = gdrive_auth_page(s->auth, s->loopback.port);
	printf("Open this page in a browser and let tend in:\n\n  %s\n\n", page);
	if (opens) {
		browser_open(page);
	} else {
		printf("The browser is on another machine? First run there:\n\n  ssh -N -L "
		       "%d:127.0.0.1:%d %s\n\n"
		       "or paste here the address of the page that it cannot open in the end.\n",
			s->loopback.port, s->loopback.port, loop_host(loop));
	}
	fflush(stdout);
	free(page);
	s->typing = poll_start(loop, STDIN_FILENO, POLL_READ, typed, s);
	loop_run_until(loop, &s->ended);
	if (s->typing) poll_stop(s->typing);
	loopback_close(&s->loopback);
}

/* ---- the device code ---- */

static void poll_due(struct timer *timer);

static void polled(void *user, const struct err *err) {
	struct signing *s = user;

	/* A line that fails for a moment is no answer either. */
	if (err && (err->kind == ERR_BUSY || err->kind == ERR_OFFLINE))
		timer_start(&s->timer, gdrive_auth_interval_ms(s->auth));
	else
		end(s, err);
}

static void poll_due(struct timer *timer) {
	struct signing *s = container_of(timer, struct signing, timer);
	gdrive_auth_poll(s->auth, polled, s);
}

static void device_came(void *user, const struct err *err) {
	struct signing *s = user;

	if (err) {
		end(s, err);
		return;
	}
	printf("Open %s on any machine and type there:\n\n  %s\n\n",
		gdrive_auth_device_page(s->auth), gdrive_auth_device_code(s->auth));
	fflush(stdout);
	timer_start(&s->timer, gdrive_auth_interval_ms(s->auth));
}

static void by_device(struct signing *s) {
	timer_init(&s->timer, s->call->client.loop, poll_due);
	gdrive_auth_device(s->auth, device_came, s);
	loop_run_until(s->call->client.loop, &s->ended);
}

/* ---- a token made elsewhere ---- */

static void by_paste(struct signing *s) {
	struct buf text;
	char line[4096];

	if (isatty(STDIN_FILENO))
		printf("Paste the token, JSON from { to }, made with the same client; for instance "
		       "by\n\n"
		       "  rclone authorize drive CLIENT-ID CLIENT-SECRET\n\nand end with an empty "
		       "line:\n");
	fflush(stdout);
	buf_init(&text, PASTE_MAX);
	while (fgets(line, sizeof(line), stdin) && (*line != '\n' || !text.len)) {
		if (buf_adds(&text, line)) break;
	}
	gdrive_auth_paste(s->auth, text.at, &s->err);
	buf_release(&text);
}

/* ---- the command ---- */

/* Does it hold? What is still missing is told now, not by the first folder. */
static int try_out(struct call *call, const char *word) {
	struct err err;
	struct store *store = direct_remote(call, word, &err);
	struct remote_step step;

	if (!store) {
		say("%s", err.text);
		return EXIT_USAGE;
	}
	remote_step_init(&step, STORE_ABOUT, "");
	int code = remote_step_run(&step, store) ? remote_failure(word, &step.err) : EXIT_DONE;
	remote_step_release(&step);
	store_free(store);
	return code;
}

static int sign_in(struct call *call, struct signing *s) {
	err_clear(&s->err);
	if (call_option(call, "paste"))
		by_paste(s);
	else if (call_option(call, "device"))
		by_device(s);
	else
		by_browser(s);
	if (s->err.kind != ERR_NONE) return remote_failure(s->remote, &s->err);
	int code = try_out(call, s->remote);
	if (code == EXIT_DONE)
		printf("remote '%s': signed in; the token is kept in '%s'\n", s->remote,
			gdrive_auth_file(s->auth));
	return code;
}

static int auth_run(struct call *call) {
	struct signing s = { .call = call, .remote = call->words[0] };
	struct err err;

	s.auth = direct_auth(call, s.remote, &err);
	if (!s.auth) {
		say("%s", err.text);
		return EXIT_USAGE;
	}
	int code = sign_in(call, &s);
	gdrive_auth_free(s.auth);
	return code;
}

static const struct command_option options[] = {
	{ "no-browser", 0, NULL, "only print the page to open" },
	{ "device", 0, NULL, "by a code that is typed on another machine (scope drive.file)" },
	{ "paste", 0, NULL, "read a token made elsewhere" },
	{ 0 },
};

const struct command command_auth = {
	.name = "auth",
	.usage = "REMOTE",
	.help = "sign in to a remote that wants a person, as Google Drive",
	.options = options,
	.least = 1,
	.most = 1,
	.run = auth_run,
};
