/*
 * Who we are at Google: a person's refresh token (RFC 6749 §6, made by `tend auth`) or a service
 * account's key (RFC 7523), and the access token that comes of it. Builds the forms and reads the
 * answers; who sends them is the caller. Loop thread; files are small and read at once.
 */
#ifndef STORE_GDRIVE_LOGIN_H
#define STORE_GDRIVE_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "crypto/crypto.h"
#include "store/store.h"

#define GDRIVE_SCOPE_FILE "https://www.googleapis.com/auth/drive.file"
#define GDRIVE_SCOPE_ALL  "https://www.googleapis.com/auth/drive"

struct gdrive_login {
	char *remote;   /* its name, for messages */
	char *endpoint; /* NULL: Google's own */
	char *scope;
	char *token_file;
	char *client_id;
	struct secret client_secret;
	/* A service account; `email` NULL: none. */
	char *email, *key_id, *audience, *impersonate;
	struct secret key;

	struct secret access, refresh;
	struct secret stale;  /* the access token that was refused: the file may hold it still */
	int64_t expires_ns;   /* of `access` */
	struct err refused;   /* Google's last word; ERR_NONE: none. Until the file is read anew */
	struct secret header; /* "Authorization: Bearer ..." */
};

struct gdrive_login *gdrive_login_new(
	const char *remote, const struct remote_settings *settings, struct err *err);
void gdrive_login_free(struct gdrive_login *login); /* NULL is fine */

/* Where `tend auth` keeps the token of such a remote. The caller's. */
char *gdrive_token_file(const char *remote, const struct remote_settings *settings);

/* The header line for a request; NULL: a new token is needed first. Borrowed. */
const char *gdrive_login_header(struct gdrive_login *login, int64_t now_ns);
/* What to POST to gdrive_login_url(). The caller's; NULL with err: a person has to act. */
char *gdrive_login_form(struct gdrive_login *login, int64_t now_ns, struct err *err);
char *gdrive_login_url(
	const struct gdrive_login *login, const char *what); /* "token", "device/code" */
/* The answer: 0, or -1 with err. A refusal of Google's stays until gdrive_login_renew(). */
int gdrive_login_take(struct gdrive_login *login, int status, const char *body, size_t len,
	int64_t now_ns, struct err *err);
void gdrive_login_forget(struct gdrive_login *login); /* the access token was refused */
void gdrive_login_renew(struct gdrive_login *login);  /* the files are read anew */

/* A refusal that asks for nothing else than its own words. */
void gdrive_login_no_token(const char *error, const char *why, struct err *err);

/* Writes it for nobody else's eyes, beside and renamed. `json`: an answer of the token endpoint,
 * or rclone's token; it must hold a refresh token. */
int gdrive_token_write(const char *path, const char *json, int64_t now_ns, struct err *err);

#endif
