#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "store/gdrive_login.h"

/* The three ways in, as forms and answers. */

enum { ANSWER_MAX = 64 << 10, TOTAL_MS = 30000, SLOWER_MS = 5000 };

struct gdrive_auth {
	struct loop *loop;
	struct http *http;
	struct gdrive_login *login;
	char *ca_file, *redirect;
	char verifier[44], state[23]; /* base64url of 32 and of 16 bytes */
	char *device, *device_page, *device_code;
	int64_t interval_ms;

	struct http_request request;
	char *url, *form;
	bool for_device; /* the answer is a device code, not a token */
	gdrive_auth_done *done;
	void *user;
};

static void random_text(struct loop *loop, size_t bytes, char *out, size_t size) {
	uint8_t bits[32];

	loop_random(loop, bits, bytes);
	char *text = base64url_encode(bits, bytes);
	snprintf(out, size, "%s", text);
	crypto_wipe(bits, sizeof(bits));
	free(text);
}

struct gdrive_auth *gdrive_auth_new(struct loop *loop, struct http *http, const char *remote,
	const struct remote_settings *settings, struct err *err) {
	if (settings->type != REMOTE_GDRIVE) {
		err_set(err, ERR_INVALID, "remote '%s' is no Google Drive: nothing to sign in to",
			remote);
		return NULL;
	}
	if (settings->service_account_file) {
		err_set(err, ERR_INVALID,
			"remote '%s' has a service account: nobody has to sign in for it", remote);
		return NULL;
	}
	struct gdrive_login *login = gdrive_login_new(remote, settings, err);
	if (!login) return NULL;
	struct gdrive_auth *auth = xcalloc(1, sizeof(*auth));
	auth->loop = loop;
	auth->http = http;
	auth->login = login;
	auth->ca_file = xstrdup(settings->ca_file);
	random_text(loop, 32, auth->verifier, sizeof(auth->verifier));
	random_text(loop, 16, auth->state, sizeof(auth->state));
	http_request_init(&auth->request, "POST", "");
	return auth;
}

static void form_free(struct gdrive_auth *auth) {
	if (auth->form) crypto_wipe(auth->form, strlen(auth->form));
	free(auth->form);
	free(auth->url);
	auth->form = auth->url = NULL;
}

void gdrive_auth_free(struct gdrive_auth *auth) {
	if (!auth) return;
	http_request_release(&auth->request);
	form_free(auth);
	gdrive_login_free(auth->login);
	free(auth->ca_file);
	free(auth->redirect);
	free(auth->device);
	free(auth->device_page);
	free(auth->device_code);
	crypto_wipe(auth->verifier, sizeof(auth->verifier));
	free(auth);
}

const char *gdrive_auth_file(const struct gdrive_auth *auth) {
	return auth->login->token_file;
}

/* ---- the browser ---- */

static void add(struct buf *out, const char *name, const char *value) {
	char *encoded = str_percent_encode(value, "");

	buf_addf(
		out, "%s%s=%s", out->len && out->at[out->len - 1] != '?' ? "&" : "", name, encoded);
	crypto_wipe(encoded, strlen(encoded));
	free(encoded);
}

char *gdrive_auth_page(struct gdrive_auth *auth, int port) {
	const struct gdrive_login *login = auth->login;
	const char *base = login->endpoint ? login->endpoint : "https://accounts.google.com";
	uint8_t digest[DIGEST_MAX];
	struct buf page;

	free(auth->redirect);
	auth->redirect = xasprintf("http://127.0.0.1:%d/", port);
	digest_of(DIGEST_SHA256, auth->verifier, strlen(auth->verifier), digest);
	char *challenge = base64url_encode(digest, 32);
	buf_init(&page, 8192);
	buf_addf(&page, "%s/o/oauth2/v2/auth?", base);
	add(&page, "response_type", "code");
	add(&page, "client_id", login->client_id);
	add(&page, "redirect_uri", auth->redirect);
	add(&page, "scope", login->scope);
	add(&page, "state", auth->state);
	add(&page, "code_challenge", challenge);
	add(&page, "code_challenge_method", "S256");
	/* A refresh token, also for one who has signed in before. */
	add(&page, "access_type", "offline");
	add(&page, "prompt", "consent");
	free(challenge);
	return buf_steal(&page);
}

/* A parameter of an address, decoded. NULL: it has none. The caller's. */
static char *parameter(const char *address, const char *name) {
	const char *at = strchr(address, '?');
	size_t len = strlen(name);

	for (; at; at = strchr(at + 1, '&')) {
		if (strncmp(at + 1, name, len) != 0 || at[1 + len] != '=') continue;
		char *value = xstrndup(at + len + 2, strcspn(at + len + 2, "& \r\n#"));
		if (str_percent_decode(value) >= 0) return value;
		free(value);
		return NULL;
	}
	return NULL;
}

char *gdrive_auth_code(const struct gdrive_auth *auth, const char *address, struct err *err) {
	char *code = parameter(address, "code"), *state = parameter(address, "state");
	char *error = parameter(address, "error");
	bool ours = state && strlen(state) == strlen(auth->state) &&
		    crypto_equal(state, auth->state, strlen(state));

	if (!ours || (!code && !error)) {
		err_set(err, ERR_INVALID, "this is not the answer to the question that was asked");
	} else if (error) {
		err_set(err, ERR_DENIED, "Google did not let tend in: %.100s",
			str_equal(error, "access_denied") ? "you said no" : error);
	}
	if (!ours || error) {
		free(code);
		code = NULL;
	}
	free(state);
	free(error);
	return code;
}

/* ---- answers ---- */

static const char *text_of(const json_t *json, const char *name) {
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

/* "authorization_pending" and "slow_down" (RFC 8628 §3.5). */
static bool not_yet(struct gdrive_auth *auth, const json_t *answer, struct err *err) {
	const char *error = text_of(answer, "error");
	bool slower = str_equal(error, "slow_down");

	if (slower) auth->interval_ms += SLOWER_MS;
	if (!slower && !str_equal(error, "authorization_pending")) return false;
	err_set(err, ERR_BUSY, "not answered yet");
	return true;
}

static void refused(struct gdrive_auth *auth, const json_t *answer, struct err *err) {
	const char *error = text_of(answer, "error"), *why = text_of(answer, "error_description");

	if (str_equal(error, "access_denied")) {
		err_set(err, ERR_DENIED, "Google did not let tend in: you said no");
	} else if (str_equal(error, "expired_token")) {
		err_set(err, ERR_DENIED, "the code is too old: run tend auth %s again",
			auth->login->remote);
	} else if (str_equal(error, "invalid_client") || str_equal(error, "unauthorized_client")) {
		err_set(err, ERR_DENIED,
			"Google does not know this client, or not for this way: correct "
			"`client_id` and "
			"`client_secret_file`%s",
			auth->for_device || auth->device ? "; a device code wants a client of type "
							   "\"TVs and Limited Input devices\""
							 : "");
	} else if (str_equal(error, "invalid_scope")) {
		err_set(err, ERR_DENIED,
			"Google gives a device code for `scope = drive.file` only: sign in by the "
			"browser");
	} else if (*error) {
		gdrive_login_no_token(error, why, err);
	} else {
		err_set(err, ERR_OFFLINE,
			"Google does not answer as it does (%d): check the network",
			auth->request.status);
	}
}

static int take_device(struct gdrive_auth *auth, const json_t *answer, struct err *err) {
	int64_t seconds = json_integer_value(json_object_get(answer, "interval"));
	const char *page = text_of(answer, "verification_url");

	if (!*page) page = text_of(answer, "verification_uri");
	free(auth->device);
	free(auth->device_page);
	free(auth->device_code);
	auth->device = xstrdup(text_of(answer, "device_code"));
	auth->device_page = xstrdup(page);
	auth->device_code = xstrdup(text_of(answer, "user_code"));
	auth->interval_ms = (seconds > 0 ? seconds : 5) * 1000;
	if (*auth->device && *auth->device_code && *page) return 0;
	return err_set(err, ERR_CORRUPT, "Google answers without a code");
}

static void answered(struct http_request *request, const struct err *failed) {
	struct gdrive_auth *auth = container_of(request, struct gdrive_auth, request);
	struct err err = { 0 };

	if (failed) {
		err = *failed;
	} else {
		json_t *answer = json_loadb(request->answer.at, request->answer.len, 0, NULL);
		if (request->status != 200) {
			if (!not_yet(auth, answer, &err)) refused(auth, answer, &err);
		} else if (auth->for_device) {
			take_device(auth, answer, &err);
		} else if (!*text_of(answer, "refresh_token")) {
			err_set(&err, ERR_DENIED,
				"Google gave no lasting token: remove tend under "
				"myaccount.google.com/permissions and sign in again");
		} else {
			gdrive_token_write(auth->login->token_file, request->answer.at,
				loop_wall_ns(auth->loop), &err);
		}
		json_decref(answer);
	}
	form_free(auth);
	auth->done(auth->user, err.kind == ERR_NONE ? NULL : &err);
}

static void post(struct gdrive_auth *auth, const char *what, struct buf *form) {
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
		NULL };
	struct http_request *request = &auth->request;

	auth->url = gdrive_login_url(auth->login, what);
	auth->form = buf_steal(form);
	http_request_release(request);
	http_request_init(request, "POST", auth->url);
	request->headers = headers;
	request->body = auth->form;
	request->body_len = strlen(auth->form);
	request->ca_file = auth->ca_file;
	request->total_ms = TOTAL_MS;
	request->answer_max = ANSWER_MAX;
	request->done = answered;
	http_request_start(auth->http, request);
}

static void begin(struct gdrive_auth *auth, struct buf *form, bool for_device,
	gdrive_auth_done *done, void *user) {
	auth->for_device = for_device;
	auth->done = done;
	auth->user = user;
	buf_init(form, 16384);
	add(form, "client_id", auth->login->client_id);
	if (auth->login->client_secret.text && !for_device)
		add(form, "client_secret", auth->login->client_secret.text);
}

void gdrive_auth_exchange(
	struct gdrive_auth *auth, const char *code, gdrive_auth_done *done, void *user) {
	struct buf form;

	begin(auth, &form, false, done, user);
	add(&form, "grant_type", "authorization_code");
	add(&form, "code", code);
	add(&form, "code_verifier", auth->verifier);
	add(&form, "redirect_uri", auth->redirect);
	post(auth, "token", &form);
}

void gdrive_auth_device(struct gdrive_auth *auth, gdrive_auth_done *done, void *user) {
	struct buf form;

	begin(auth, &form, true, done, user);
	add(&form, "scope", auth->login->scope);
	post(auth, "device/code", &form);
}

void gdrive_auth_poll(struct gdrive_auth *auth, gdrive_auth_done *done, void *user) {
	struct buf form;

	begin(auth, &form, false, done, user);
	add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
	add(&form, "device_code", auth->device);
	post(auth, "token", &form);
}

const char *gdrive_auth_device_page(const struct gdrive_auth *auth) {
	return auth->device_page;
}

const char *gdrive_auth_device_code(const struct gdrive_auth *auth) {
	return auth->device_code;
}

int64_t gdrive_auth_interval_ms(const struct gdrive_auth *auth) {
	return auth->interval_ms;
}

int gdrive_auth_paste(struct gdrive_auth *auth, const char *json, struct err *err) {
	const char *from = strchr(json, '{');

	/* What rclone prints around it does not matter. */
	const char *to = from ? strrchr(from, '}') : NULL;
	if (!to) return err_set(err, ERR_INVALID, "no JSON in it: take all from { to }");
	char *text = xstrndup(from, (size_t)(to - from) + 1);
	int result =
		gdrive_token_write(auth->login->token_file, text, loop_wall_ns(auth->loop), err);
	crypto_wipe(text, strlen(text));
	free(text);
	return result;
}
