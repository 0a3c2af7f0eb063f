/*
 * Which paths a folder covers: the rules of git's ignore files, with `.tendignore` in the place of `.gitignore`, the key `exclude` in
 * the place of .git/info/exclude, and `include` on top. Pure code: no I/O, no loop, any thread that owns the struct.
 *
 * Patterns and paths are bytes, not characters. Paths are relative and clean ("a/b", "" is the root).
 */
#ifndef SYNC_IGNORE_H
#define SYNC_IGNORE_H

#include <stdbool.h>

struct ignore;

enum ignore_verdict { IGNORE_IN, IGNORE_OUT };

struct ignore *ignore_new(void);
void ignore_free(struct ignore *ignore); /* NULL is fine */

/* One line each of the keys `exclude` and `include`. Every .tendignore has precedence over `exclude`, both over `include`. */
void ignore_add_exclude(struct ignore *ignore, const char *line);
void ignore_add_include(struct ignore *ignore, const char *line);

/* The .tendignore in folder `base` ("": the root) has this text; NULL: there is none. Returns whether anything changed. */
bool ignore_set_file(struct ignore *ignore, const char *base, const char *text);

/* OUT also when a folder above it is excluded: an excluded folder is not entered, nothing below it can be had back. With `include` a
 * folder is IN too when something below it could match. `.tend` is OUT at any depth. */
enum ignore_verdict ignore_check(struct ignore *ignore, const char *path, bool is_folder);

#endif
