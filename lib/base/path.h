/* Paths as text: nothing here looks at a disk. Separator '/'; bytes, not characters. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* "a" + "b" = "a/b"; an empty side gives the other; no doubled slash. The caller's. */
char *path_join(const char *left, const char *right);

/* "a//b/./c/" becomes "a/b/c"; ".." is kept. "/" stays. The caller's. */
char *path_clean(const char *path);

/* The last component: "b" of "a/b". Borrowed. */
const char *path_name(const char *path);

/* Of the first `len` bytes; NULL: there is none. (memrchr is not everywhere.) */
const char *path_last_slash(const char *path, size_t len);

/* "a" of "a/b", "" of "b", "/" of "/b". The caller's. */
char *path_parent(const char *path);

/* Is `path` the same as `dir` or below it? Both clean. The empty `dir` holds every relative
 * path. */
bool path_is_within(const char *path, const char *dir);

/* No empty component, no "." or "..", no leading or trailing slash: safe to join below a root. */
bool path_is_plain(const char *path);

/* A path as one flat name: every byte but A-Z a-z 0-9 - _ . ~ becomes %XX; the empty path is "%".
 * The caller's. */
char *path_flatten(const char *path);

#endif
