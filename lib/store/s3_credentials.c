#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/s3.h"

/*
 * Where the keys come from, in this order: the settings, the environment, the profile in
 * ~/.aws/credentials ($AWS_SHARED_CREDENTIALS_FILE). Read at start and when asked to renew. Where
 * there is none of them, the role of the machine is asked (s3_role.c).
 */

enum { FILE_MAX = 1 << 20 };

void s3_credentials_release(struct s3_credentials *credentials) {
	free(credentials->access_key_id);
	credentials->access_key_id = NULL;
	secret_release(&credentials->secret);
	secret_release(&credentials->token);
}

static int from_settings(const struct s3 *s3, struct s3_credentials *credentials, struct err *err) {
	credentials->access_key_id = xstrdup(s3->access_key_setting);
	if (secret_read_file(s3->secret_file, &credentials->secret, err)) return -1;
	if (credentials->secret.len) return 0;
	return err_set(
		err, ERR_DENIED, "'%s' is empty: put the secret access key there", s3->secret_file);
}

static bool from_environment(struct s3_credentials *credentials) {
	const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
	const char *token = getenv("AWS_SESSION_TOKEN");

	if (!id || !*id || !secret || !*secret) return false;
	credentials->access_key_id = xstrdup(id);
	secret_set(&credentials->secret, secret);
	if (token && *token) secret_set(&credentials->token, token);
	return true;
}

/* ---- the profile ---- */

static void take(struct s3_credentials *credentials, char *line) {
	char *equal = strchr(line, '=');

	if (!equal) return;
	*equal = '\0';
	char *value = equal + 1;
	str_trim(line);
	str_trim(value);
	if (str_equal(line, "aws_access_key_id")) {
		free(credentials->access_key_id);
		credentials->access_key_id = xstrdup(value);
	}
	if (str_equal(line, "aws_secret_access_key")) secret_set(&credentials->secret, value);
	if (str_equal(line, "aws_session_token")) secret_set(&credentials->token, value);
}

static bool is_profile(char *line, const char *name) {
	char *end = strchr(line, ']');

	if (!end) return false;
	*end = '\0';
	line++;
	str_trim(line);
	return str_equal(line, name);
}

/* Amazon's own form of ini, which its tools share; only three keys of it are of interest. */
static void read_profile(char *text, const char *name, struct s3_credentials *credentials) {
	bool inside = false;
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		str_trim(line);
		if (line[0] == '[') {
			inside = is_profile(line, name);
		} else if (inside && line[0] != '#' && line[0] != ';') {
			take(credentials, line);
		}
	}
}

static char *profile_path(void) {
	const char *path = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");

	if (path && *path) return xstrdup(path);
	return xasprintf("%s/.aws/credentials", home ? home : "");
}

static bool is_set(const char *name) {
	const char *value = getenv(name);

	return value && *value;
}

bool s3_credentials_none(const struct s3 *s3) {
	const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
	char *path = profile_path();
	bool file = access(path, F_OK) == 0;

	free(path);
	return !s3->access_key_setting && !s3->profile_named && !file &&
	       !is_set("AWS_ACCESS_KEY_ID") && !(disabled && strcasecmp(disabled, "true") == 0);
}

static int from_profile(const struct s3 *s3, struct s3_credentials *credentials, struct err *err) {
	char *path = profile_path();
	FILE *file = fopen(path, "re");
	int result = -1;

	if (!file) {
		err_set(err, ERR_DENIED,
			"no credentials: set `access_key_id` and `secret_access_key_file`, or "
			"AWS_ACCESS_KEY_ID and "
			"AWS_SECRET_ACCESS_KEY, or write '%s'",
			path);
		goto free_path;
	}
	struct stat stat;
	if (fstat(fileno(file), &stat) || stat.st_mode & 077) {
		fclose(file);
		err_set(err, ERR_DENIED, "'%s' can be read by others: chmod 600 %s", path, path);
		goto free_path;
	}
	char *text = xcalloc(1, FILE_MAX + 1);
	size_t len = fread(text, 1, FILE_MAX, file);
	fclose(file);
	read_profile(text, s3->profile, credentials);
	crypto_wipe(text, len);
	free(text);
	if (credentials->access_key_id && credentials->secret.len) {
		result = 0;
	} else {
		err_set(err, ERR_DENIED,
			"no profile '%s' with aws_access_key_id and aws_secret_access_key in '%s'",
			s3->profile, path);
	}

free_path:
	free(path);
	return result;
}

int s3_credentials_read(const struct s3 *s3, struct s3_credentials *credentials, struct err *err) {
	*credentials = (struct s3_credentials){ 0 };
	if (s3->access_key_setting) {
		if (!from_settings(s3, credentials, err)) return 0;
	} else if (from_environment(credentials) || !from_profile(s3, credentials, err)) {
		return 0;
	}
	s3_credentials_release(credentials);
	return -1;
}
