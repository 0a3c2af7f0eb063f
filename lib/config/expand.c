/* ~, ~user and ${VAR} in paths. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/internal.h"

enum { PATH_BYTES_MAX = 64 << 10 };

/* What "~" or "~name" stands for; NULL with err. The caller's. */
static char *home_of(const char *name, const char *home, struct err *err) {
	if (*name == '\0') {
		if (home) return xstrdup(home);
		err_set(err, ERR_INVALID, "'~' stands for nothing: HOME is not set");
		return NULL;
	}
	struct config_user user;
	if (config_user_find(name, &user, err) < 0) {
		if (err->kind == ERR_NOT_FOUND)
			err_set(err, ERR_INVALID, "no user '%s' here, so '~%s' stands for nothing",
				name, name);
		return NULL;
	}
	char *folder = xstrdup(user.home);
	config_user_release(&user);
	if (*folder == '/') return folder;
	err_set(err, ERR_INVALID, "the home of user '%s' is '%s'", name, folder);
	free(folder);
	return NULL;
}

static int add_variable(struct buf *out, const char *name, struct err *err) {
	const char *value = getenv(name);
	char host[256];
	/* HOSTNAME is bash's own and seldom exported. */
	if (str_equal(name, "HOSTNAME") && gethostname(host, sizeof(host)) == 0) {
		host[sizeof(host) - 1] = '\0';
		value = host;
	}
	if (!value) return err_set(err, ERR_INVALID, "'${%s}' is not set", name);
	buf_adds(out, value);
	return 0;
}

char *config_expand(const char *text, const char *home, struct err *err) {
	struct buf out;
	char *word = NULL;
	buf_init(&out, PATH_BYTES_MAX);
	if (*text == '~') {
		size_t len = strcspn(text, "/");
		word = xstrndup(text + 1, len - 1);
		char *folder = home_of(word, home, err);
		if (!folder) goto failed;
		buf_adds(&out, folder);
		free(folder);
		free(word);
		word = NULL;
		text += len;
	}
	while (*text) {
		if (!str_starts(text, "${")) {
			buf_addc(&out, *text++);
			continue;
		}
		const char *end = strchr(text, '}');
		if (!end) {
			err_set(err, ERR_INVALID, "'${' without '}' in '%.100s'", text);
			goto failed;
		}
		word = xstrndup(text + 2, (size_t)(end - text) - 2);
		if (add_variable(&out, word, err) < 0) goto failed;
		free(word);
		word = NULL;
		text = end + 1;
	}
	if (out.full) {
		err_set(err, ERR_INVALID, "this path is longer than 64 KiB");
		goto failed;
	}
	return buf_steal(&out);
failed:
	free(word);
	buf_release(&out);
	return NULL;
}
