/*
 * A port that is taken, or an address that a slow network has not brought yet, is no reason not to
 * keep folders and services: it is said, and tried again. A token that others can read is one.
 */
#include "tendd/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "crypto/crypto.h"
#include "tendd/state.h"

enum {
	APPLY_MS = 200,
	AGAIN_MS = 10000,
	TOKEN_BYTES = 32,
	STATUS_BAD_REQUEST = 400,
	STATUS_UNAVAILABLE = 503
};

struct web {
	struct house *house;
	struct timer timer;
	struct secret token; /* kept, so that the log knows what never to say */
	char *trouble;
	bool open;
};

/* ---- the token ---- */

static int make_token(struct loop *loop, const char *path, struct err *err) {
	unsigned char bytes[TOKEN_BYTES];
	char text[2 * TOKEN_BYTES + 2];

	loop_random(loop, bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), text);
	text[sizeof(text) - 2] = '\n';
	int rc = state_write_file(path, text, sizeof(text) - 1, err);
	crypto_wipe(text, sizeof(text));
	crypto_wipe(bytes, sizeof(bytes));
	return rc;
}

static int read_token(struct house *house, const struct tend_settings *settings,
	struct secret *token, struct err *err) {
	const char *path = settings->web_token_file;

	if (access(path, F_OK) && errno == ENOENT && make_token(house->loop, path, err))
		return err_wrap(err, "no token for 'web'");
	if (secret_read_file(path, token, err)) return -1;
	if (token->len >= CONTROL_TOKEN_MIN) return 0;
	secret_release(token);
	return err_set(err, ERR_INVALID,
		"the token in '%s' has less than %d characters: remove the file, and a new one is "
		"made",
		path, CONTROL_TOKEN_MIN);
}

int web_check(struct house *house, const struct tend_settings *settings, struct err *err) {
	struct secret token = { 0 };

	if (!settings_web(settings)) return 0;
	int rc = read_token(house, settings, &token, err);
	if (rc == 0) secret_release(&token);
	return rc;
}

/* ---- open or not ---- */

static int open_it(struct web *web, struct err *err) {
	const struct tend_settings *settings = house_settings(web->house);
	struct secret token = { 0 };

	if (read_token(web->house, settings, &token, err)) return -1;
	const struct control_web options = {
		.address = settings->web,
		.remote = settings->web_allow_remote,
		.token = token.text,
	};
	secret_release(&web->token);
	web->token = token;
	return control_web_open(web->house->control, &options, err);
}

static void say_trouble(struct web *web, const struct err *err) {
	if (str_equal(web->trouble, err->text)) return;
	log_warn("web: %s: it is tried again", err->text);
	free(web->trouble);
	web->trouble = xstrdup(err->text);
}

static void timer_fired(struct timer *timer) {
	struct web *web = container_of(timer, struct web, timer);
	const struct tend_settings *settings = house_settings(web->house);
	bool was_open = web->open;
	struct err err;

	web->open = settings_web(settings) && open_it(web, &err) == 0;
	if (!web->open) control_web_close(web->house->control);
	if (settings_web(settings) && !web->open) {
		say_trouble(web, &err);
		timer_start(&web->timer, AGAIN_MS);
		return;
	}
	free(web->trouble);
	web->trouble = NULL;
	if (web->open && !was_open)
		log_info("web: dashboard at http://%s/, its token in '%s'", settings->web,
			settings->web_token_file);
}

struct web *web_new(struct house *house) {
	struct web *web = xcalloc(1, sizeof(*web));

	web->house = house;
	timer_init(&web->timer, house->loop, timer_fired);
	return web;
}

void web_free(struct web *web) {
	if (!web) return;
	timer_cancel(&web->timer);
	secret_release(&web->token);
	free(web->trouble);
	free(web);
}

void web_apply(struct web *web) {
	timer_start(&web->timer, APPLY_MS);
}

json_t *web_status(const struct web *web) {
	if (!settings_web(house_settings(web->house))) return json_null();
	char *url = control_web_url(web->house->control);
	json_t *status = json_pack(
		"{s:o, s:o}", "url", answer_text(url), "trouble", answer_text(web->trouble));
	free(url);
	return status;
}

/* ---- a link that logs in ---- */

void route_web_login(void *user, struct control_request *request) {
	struct house *house = user;
	const char *asked = json_string_value(json_object_get(control_body(request), "code"));
	char code[CONTROL_CODE_SIZE];
	struct err err;

	if (asked) {
		control_answer(request, 200,
			json_pack("{s:b}", "waits", control_web_code_waits(house->control, asked)));
		return;
	}
	if (control_web_code(house->control, code)) {
		bool wanted = settings_web(house_settings(house));
		if (wanted)
			err_set(&err, ERR_OFFLINE, "the dashboard is not open yet%s%s",
				house->web->trouble ? ": " : "",
				house->web->trouble ? house->web->trouble : "");
		else
			err_set(&err, ERR_INVALID, "the dashboard is off");
		control_refuse_with(request, wanted ? STATUS_UNAVAILABLE : STATUS_BAD_REQUEST, &err,
			wanted ? NULL
			       : "write web = 127.0.0.1:8390 into [tend], then 'tend reload'",
			NULL);
		return;
	}
	char *url = control_web_url(house->control);
	control_answer(request, 200, json_pack("{s:s, s:s}", "url", url, "code", code));
	free(url);
}
