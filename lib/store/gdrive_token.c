#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/gdrive_login.h"

/* The token's file: JSON as rclone has it (access_token, token_type, refresh_token, expiry), so that a
 * token made by either can be given to the other. */

static void make_folder(const char *path) {
	char *parent = path_parent(path);

	/* The state's own folder may not be there before the first start. */
	if (*parent && !str_equal(parent, "/") && access(parent, F_OK) != 0) {
		make_folder(parent);
		(void)mkdir(parent, 0700);
	}
	free(parent);
}

static int write_all(int fd, const char *text, size_t len) {
	while (len > 0) {
		ssize_t wrote = write(fd, text, len);
		if (wrote < 0 && errno == EINTR) continue;
		if (wrote <= 0) return -1;
		text += wrote;
		len -= (size_t)wrote;
	}
	return 0;
}

/* A power cut must leave the old one or the new one: without it a person has to act. */
static int write_beside(const char *path, const char *text, struct err *err) {
	char *beside = xconcat(path, ".new");
	int result = -1;

	make_folder(path);
	unlink(beside);
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_sys(err, errno, "cannot write the token file '%s'", path);
	} else {
		bool good = !write_all(fd, text, strlen(text)) && !fsync(fd);
		if (!good) err_sys(err, errno, "cannot write the token file '%s'", path);
		close(fd);
		if (good && rename(beside, path)) {
			good = false;
			err_sys(err, errno, "cannot write the token file '%s'", path);
		}
		if (!good) unlink(beside);
		result = good ? 0 : -1;
	}
	free(beside);
	return result;
}

static const char *text_of(const json_t *json, const char *name) {
	return json_string_value(json_object_get(json, name));
}

int gdrive_token_write(const char *path, const char *json, int64_t now_ns, struct err *err) {
	json_t *given = json_loads(json, 0, NULL), *token = json_object();
	const char *refresh = text_of(given, "refresh_token"),
		   *access = text_of(given, "access_token");
	const char *scope = text_of(given, "scope");
	int64_t seconds = json_integer_value(json_object_get(given, "expires_in"));
	char when[TIME_TEXT_SIZE];
	int result = -1;

	if (!refresh || !*refresh) {
		err_set(err, ERR_INVALID,
			"no refresh token in it: take the whole JSON, from { to }; access alone "
			"lasts an "
			"hour");
	} else {
		time_format(now_ns + (seconds > 0 ? seconds : 0) * NS_PER_S, when);
		json_object_set_new(token, "access_token", json_string(access ? access : ""));
		json_object_set_new(token, "token_type", json_string("Bearer"));
		json_object_set_new(token, "refresh_token", json_string(refresh));
		json_object_set_new(token, "expiry", json_string(when));
		if (scope) json_object_set_new(token, "scope", json_string(scope));
		char *text = json_dumps(token, JSON_INDENT(2));
		result = write_beside(path, text, err);
		crypto_wipe(text, strlen(text));
		free(text);
	}
	json_decref(given);
	json_decref(token);
	return result;
}
