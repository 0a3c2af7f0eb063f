/*
 * A Drive store at a server of the test's own, and the login that it reads: files of its user's alone, in a folder of the test's. Header
 * only: unit tests link one room.
 */
#ifndef SUPPORT_KEPT_LOGIN_H
#define SUPPORT_KEPT_LOGIN_H

#include <sys/stat.h>

#include "store/internal.h"
#include "support/script_server.h"

struct kept_login {
	char folder[40], *secret, *token;
};

/* The path of a new file; the caller's. */
SCRIPT char *login_keep(const char *folder, const char *name, const char *text) {
	char *path = path_join(folder, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fclose(file);
	return path;
}

SCRIPT struct store *kept_login_open(
	struct kept_login *login, struct loop *loop, struct http *http, char *endpoint) {
	struct err err;

	strcpy(login->folder, "/tmp/tend-unit-gdrive-XXXXXX");
	assert_non_null(mkdtemp(login->folder));
	login->secret = login_keep(login->folder, "secret", "secret of nobody\n");
	login->token = login_keep(login->folder, "token", "{\"refresh_token\":\"one\"}");
	struct remote_settings settings = { .type = REMOTE_GDRIVE,
		.endpoint = endpoint,
		.client_id = (char *)"client",
		.client_secret_file = login->secret,
		.token_file = login->token,
		.folder = (char *)"id:base" };
	struct store *store = store_gdrive_new(loop, http, "drive", &settings, &err);
	if (!store) fail_msg("%s", err.text);
	return store;
}

SCRIPT void kept_login_close(struct kept_login *login) {
	unlink(login->secret);
	unlink(login->token);
	rmdir(login->folder);
	free(login->secret);
	free(login->token);
}

#endif
