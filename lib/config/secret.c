/* Where a secret lies. Its text never stands in the ini, so no message repeats what was written
 * there instead. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/internal.h"

/* systemd.exec(5): LoadCredential= puts each as a file into a folder of the unit's own. */
char *config_credential_path(const char *key, const char *name, struct err *err) {
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;
	if (!path_is_plain(name) || strchr(name, '/')) {
		err_set(err, ERR_INVALID, "'%s' names no credential: write credential:NAME", key);
		return NULL;
	}
	if (!folder || *folder != '/') {
		err_set(err, ERR_INVALID,
			"'%s' wants the credential '%s', and there are none: start tendd by "
			"systemd with "
			"LoadCredential=%s:PATH",
			key, name, name);
		return NULL;
	}
	char *path = path_join(folder, name);
	if (stat(path, &st) < 0) {
		err_set(err, ERR_INVALID,
			"no credential '%s' for '%s': add LoadCredential=%s:PATH to the unit", name,
			key, name);
		free(path);
		return NULL;
	}
	return path;
}

static int check_closed(const char *path, struct err *err) {
	struct stat st;
	/* A secret that is not there yet is the affair of whoever reads it: it may come before
	 * it is needed. */
	if (stat(path, &st) < 0) return 0;
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "secret file '%s' is not a file", path);
	if (st.st_mode & 077) {
		return err_set(err, ERR_INVALID,
			"secret file '%s' can be read by others: chmod 600 %s", path, path);
	}
	return 0;
}

char *config_secret_path(const char *key, const char *text, const char *home, struct err *err) {
	static const char credential[] = "credential:";
	char *path = NULL;
	if (str_starts(text, credential)) {
		path = config_credential_path(key, text + strlen(credential), err);
	} else if (*text == '/' || *text == '~' || *text == '$') {
		path = config_expand(text, home, err);
	}
	if (path && *path == '/' && check_closed(path, err) == 0) return path;
	if (!path || *path != '/') {
		if (err->kind == ERR_NONE) {
			err_set(err, ERR_INVALID,
				"'%s' must be an absolute path or credential:NAME: a secret is "
				"never written in the ini",
				key);
		}
	}
	free(path);
	return NULL;
}
