#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/gdrive_login.h"
#include "store/rest.h"

/* Settings and files to a login, and the access token. */

/* A token that has less left is not used any more: the request may take a while. */
#define SPARE_NS (60 * NS_PER_S)

#define GOOGLE_TOKEN "https://oauth2.googleapis.com/token"

static const char *text_of(const json_t *json, const char *name) {
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

/* ---- files ---- */

/* The console gives the client as a file of JSON: that may be named as it came. */
static int read_client(
	struct gdrive_login *login, const struct remote_settings *settings, struct err *err) {
	struct secret file;

	login->client_id = xstrdup(settings->client_id);
	if (!settings->client_secret_file) return 0;
	if (secret_read_file(settings->client_secret_file, &file, err)) return -1;
	if (file.text[0] != '{') {
		login->client_secret = file;
		return 0;
	}
	json_t *json = json_loads(file.text, 0, NULL);
	const json_t *client = json_object_get(json, "installed");
	bool whole = *text_of(client, "client_id") && *text_of(client, "client_secret");
	if (whole) {
		if (!login->client_id) login->client_id = xstrdup(text_of(client, "client_id"));
		secret_set(&login->client_secret, text_of(client, "client_secret"));
	}
	json_decref(json);
	secret_release(&file);
	if (whole) return 0;
	return err_set(err, ERR_INVALID,
		"'%s' is not the file of a client of type \"Desktop app\": see tend.ini(5)",
		settings->client_secret_file);
}

static int read_account(
	struct gdrive_login *login, const struct remote_settings *settings, struct err *err) {
	struct secret file;

	if (secret_read_file(settings->service_account_file, &file, err)) return -1;
	json_t *json = json_loads(file.text, 0, NULL);
	secret_release(&file);
	const char *audience = text_of(json, "token_uri");
	bool whole = *text_of(json, "client_email") && *text_of(json, "private_key");
	if (whole) {
		login->email = xstrdup(text_of(json, "client_email"));
		login->key_id = xstrdup(text_of(json, "private_key_id"));
		login->audience = xstrdup(*audience ? audience : GOOGLE_TOKEN);
		secret_set(&login->key, text_of(json, "private_key"));
	}
	json_decref(json);
	if (whole) return 0;
	return err_set(err, ERR_INVALID, "'%s' is no key of a service account in JSON",
		settings->service_account_file);
}

/* Its refresh token, and the access token as long as that is good. Nothing where there is no
 * file. */
static void read_token(struct gdrive_login *login, struct err *err) {
	struct secret file;
	int64_t expires_ns = 0;

	secret_release(&login->refresh);
	if (secret_read_file(login->token_file, &file, err)) {
		if (err->kind == ERR_NOT_FOUND)
			err_set(err, ERR_DENIED, "not signed in to Google yet: run tend auth %s",
				login->remote);
		return;
	}
	json_t *json = json_loads(file.text, 0, NULL);
	secret_release(&file);
	const char *refresh = text_of(json, "refresh_token"),
		   *access = text_of(json, "access_token");
	if (*refresh) {
		secret_set(&login->refresh, refresh);
	} else {
		err_set(err, ERR_DENIED, "'%s' holds no token: run tend auth %s", login->token_file,
			login->remote);
	}
	if (*refresh && *access && !str_equal(access, login->stale.text) &&
		!time_parse(text_of(json, "expiry"), &expires_ns)) {
		secret_release(&login->access);
		secret_set(&login->access, access);
		login->expires_ns = expires_ns;
	}
	json_decref(json);
}

char *gdrive_token_file(const char *remote, const struct remote_settings *settings) {
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (settings->token_file) return xstrdup(settings->token_file);
	if (geteuid() == 0) return xasprintf("/var/lib/tend/%s.token", remote);
	if (state && *state == '/') return xasprintf("%s/tend/%s.token", state, remote);
	return xasprintf("%s/.local/state/tend/%s.token", home ? home : "", remote);
}

/* ---- life ---- */

struct gdrive_login *gdrive_login_new(
	const char *remote, const struct remote_settings *settings, struct err *err) {
	struct gdrive_login *login = xcalloc(1, sizeof(*login));

	login->remote = xstrdup(remote);
	login->endpoint = xstrdup(settings->endpoint);
	size_t len = login->endpoint ? strlen(login->endpoint) : 0;
	while (len && login->endpoint[len - 1] == '/') login->endpoint[--len] = '\0';
	/* 0: drive.file, what we made ourselves. */
	login->scope = xstrdup(settings->scope ? GDRIVE_SCOPE_ALL : GDRIVE_SCOPE_FILE);
	login->token_file = gdrive_token_file(remote, settings);
	login->impersonate = xstrdup(settings->impersonate);
	int failed = settings->service_account_file ? read_account(login, settings, err)
						    : read_client(login, settings, err);
	if (!failed) return login;
	gdrive_login_free(login);
	return NULL;
}

void gdrive_login_free(struct gdrive_login *login) {
	if (!login) return;
	char *const texts[] = { login->remote, login->endpoint, login->scope, login->token_file,
		login->client_id, login->email, login->key_id, login->audience,
		login->impersonate };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
	secret_release(&login->client_secret);
	secret_release(&login->key);
	secret_release(&login->access);
	secret_release(&login->stale);
	secret_release(&login->refresh);
	secret_release(&login->header);
	free(login);
}

/* ---- the access token ---- */

const char *gdrive_login_header(struct gdrive_login *login, int64_t now_ns) {
	if (!login->access.text || login->expires_ns < now_ns + SPARE_NS) return NULL;
	if (!login->header.text) {
		char *line = xasprintf("Authorization: Bearer %s", login->access.text);
		login->header = (struct secret){ line, strlen(line) };
	}
	return login->header.text;
}

void gdrive_login_forget(struct gdrive_login *login) {
	if (login->access.text) {
		secret_release(&login->stale);
		login->stale = login->access;
		login->access = (struct secret){ 0 };
	}
	secret_release(&login->header);
}

void gdrive_login_renew(struct gdrive_login *login) {
	err_clear(&login->refused);
	gdrive_login_forget(login);
}

char *gdrive_login_url(const struct gdrive_login *login, const char *what) {
	if (login->endpoint) return xasprintf("%s/%s", login->endpoint, what);
	if (login->email) return xstrdup(login->audience);
	return xasprintf("https://oauth2.googleapis.com/%s", what);
}

static char *account_form(struct gdrive_login *login, int64_t now_ns, struct err *err) {
	const char *subject = login->impersonate ? login->impersonate : login->email;
	long long now = now_ns / NS_PER_S;
	size_t len;

	json_t *head = json_pack("{ssss}", "alg", "RS256", "typ", "JWT");
	if (*login->key_id) json_object_set_new(head, "kid", json_string(login->key_id));
	json_t *claims = json_pack("{sssssssIsI}", "iss", login->email, "scope", GDRIVE_SCOPE_ALL,
		"aud", login->audience, "iat", (json_int_t)now, "exp", (json_int_t)(now + 3600));
	if (login->impersonate) json_object_set_new(claims, "sub", json_string(subject));
	char *parts[] = { json_dumps(head, JSON_COMPACT), json_dumps(claims, JSON_COMPACT) };
	json_decref(head);
	json_decref(claims);
	char *head_text = base64url_encode(parts[0], strlen(parts[0]));
	char *claims_text = base64url_encode(parts[1], strlen(parts[1]));
	char *signing = xasprintf("%s.%s", head_text, claims_text), *form = NULL;
	uint8_t *signature = rs256_sign(login->key.text, signing, strlen(signing), &len, err);
	if (signature) {
		char *text = base64url_encode(signature, len);
		form = xasprintf("grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-"
				 "bearer&assertion=%s.%s",
			signing, text);
		free(text);
	} else {
		err_wrap(err, "the service account's key");
	}
	free(signature);
	free(signing);
	free(head_text);
	free(claims_text);
	free(parts[0]);
	free(parts[1]);
	return form;
}

static char *refresh_form(const struct gdrive_login *login) {
	char *id = str_percent_encode(login->client_id, "");
	char *secret =
		str_percent_encode(login->client_secret.text ? login->client_secret.text : "", "");
	char *token = str_percent_encode(login->refresh.text, "");
	char *form =
		xasprintf("grant_type=refresh_token&client_id=%s&client_secret=%s&refresh_token=%s",
			id, secret, token);

	free(id);
	free(secret);
	free(token);
	return form;
}

char *gdrive_login_form(struct gdrive_login *login, int64_t now_ns, struct err *err) {
	err_clear(err);
	if (login->refused.kind != ERR_NONE) {
		*err = login->refused;
		return NULL;
	}
	if (login->email) return account_form(login, now_ns, err);
	/* Each time: `tend auth` may have written another one. */
	read_token(login, err);
	return err->kind == ERR_NONE ? refresh_form(login) : NULL;
}

/* ---- the answer ---- */

void gdrive_login_no_token(const char *error, const char *why, struct err *err) {
	char said[2][121];

	rest_quote(said[0], sizeof(said[0]), error);
	rest_quote(said[1], sizeof(said[1]), why);
	err_set(err, ERR_DENIED, "Google gives no token: %.60s %s", said[0], said[1]);
}

static void withdrawn(const struct gdrive_login *login, struct err *err) {
	if (login->email) {
		err_set(err, ERR_DENIED,
			"Google does not accept the service account's key: check that the key is "
			"not "
			"deleted, and this machine's clock");
		return;
	}
	err_set(err, ERR_DENIED,
		"Google has withdrawn the token: run tend auth %s. Once a week? Then your "
		"project's "
		"consent screen is in \"Testing\": publish it (Google Auth Platform, Audience)",
		login->remote);
}

static void refused(struct gdrive_login *login, const json_t *json, int status, struct err *err) {
	const char *error = text_of(json, "error"), *why = text_of(json, "error_description");

	if (status == 429 || status >= 500) {
		err_set(err, ERR_BUSY, "Google gives no token now (%d)", status);
		return;
	}
	if (!*error) {
		err_set(err, ERR_OFFLINE,
			"'%s' does not answer as Google does (%d): check the network",
			login->endpoint ? login->endpoint : GOOGLE_TOKEN, status);
		return;
	}
	if (str_equal(error, "invalid_grant")) {
		withdrawn(login, err);
	} else if (str_equal(error, "invalid_client")) {
		err_set(err, ERR_DENIED,
			"Google does not know this client: correct `client_id` and "
			"`client_secret_file`");
	} else if (str_equal(error, "unauthorized_client") && login->email) {
		err_set(err, ERR_DENIED,
			"the service account may not act for '%s': its domain's administrator has "
			"to "
			"allow the scope %s",
			login->impersonate ? login->impersonate : login->email, GDRIVE_SCOPE_ALL);
	} else {
		gdrive_login_no_token(error, why, err);
	}
	login->refused = *err;
}

int gdrive_login_take(struct gdrive_login *login, int status, const char *body, size_t len,
	int64_t now_ns, struct err *err) {
	json_t *json = json_loadb(body, len, 0, NULL);
	const char *access = text_of(json, "access_token"),
		   *refresh = text_of(json, "refresh_token");
	int64_t seconds = json_integer_value(json_object_get(json, "expires_in"));
	int result = -1;

	if (status != 200 || !*access) {
		refused(login, json, status, err);
	} else {
		gdrive_login_forget(login);
		secret_set(&login->access, access);
		login->expires_ns =
			now_ns + (seconds > 0 && seconds < 86400 ? seconds : 3600) * NS_PER_S;
		result = 0;
		/* Mostly there is none, and the old one stays good. */
		if (!login->email && *refresh && !str_equal(refresh, login->refresh.text)) {
			char *text = xstrndup(body, len);
			result = gdrive_token_write(login->token_file, text, now_ns, err);
			crypto_wipe(text, len);
			free(text);
		}
	}
	json_decref(json);
	return result;
}
