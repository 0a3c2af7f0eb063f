#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"

char *path_join(const char *left, const char *right) {
	size_t len = strlen(left);

	if (*left == '\0') return xstrdup(right);
	if (*right == '\0') return xstrdup(left);
	while (len > 0 && left[len - 1] == '/') len--;
	while (*right == '/') right++;
	/* Not printf: a join or more for each file, and this is a tenth of the instructions. */
	size_t more = strlen(right);
	char *path = xmalloc(len + more + 2);
	memcpy(path, left, len + 1); /* the byte behind is there, whatever it is */
	path[len] = '/';
	memcpy(path + len + 1, right, more + 1);
	return path;
}

char *path_clean(const char *path) {
	char *clean = xmalloc(strlen(path) + 1), *to = clean;
	const char *from = path;

	if (*from == '/') *to++ = '/';
	while (*from) {
		size_t len = strcspn(from, "/");
		if (len > 0 && !(len == 1 && from[0] == '.')) {
			if (to > clean && to[-1] != '/') *to++ = '/';
			memcpy(to, from, len);
			to += len;
		}
		from += len;
		from += strspn(from, "/");
	}
	*to = '\0';
	return clean;
}

const char *path_name(const char *path) {
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *path_last_slash(const char *path, size_t len) {
	while (len > 0 && path[len - 1] != '/') len--;
	return len > 0 ? path + len - 1 : NULL;
}

char *path_parent(const char *path) {
	const char *slash = strrchr(path, '/');

	if (!slash) return xstrdup("");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

bool path_is_within(const char *path, const char *dir) {
	size_t len = strlen(dir);

	if (len == 0) return *path != '/';
	if (strncmp(path, dir, len) != 0) return false;
	return dir[len - 1] == '/' || path[len] == '\0' || path[len] == '/';
}

bool path_is_plain(const char *path) {
	for (;;) {
		size_t len = strcspn(path, "/");
		if (len == 0) return false;
		if (len <= 2 && strspn(path, ".") >= len) return false;
		if (path[len] == '\0') return true;
		path += len + 1;
	}
}

char *path_flatten(const char *path) {
	if (*path == '\0') return xstrdup("%");
	/* As names these two mean a folder, so their dots are escaped as well. */
	if (str_equal(path, ".")) return xstrdup("%2E");
	if (str_equal(path, "..")) return xstrdup("%2E%2E");
	return str_percent_encode(path, "");
}
