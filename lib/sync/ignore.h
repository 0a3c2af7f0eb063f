/*
 * ignore: which paths of a folder count: the keys include and exclude, and .tendignore files, in
 * gitignore's syntax and with its meaning (gitignore(5)): the last line that matches wins, a nearer
 * file goes before one farther up, `exclude` comes last; what lies in an excluded folder stays out.
 *
 * Pure: no disk, no loop, no clock. ignore_check changes nothing, so that jobs may ask at the same
 * time while nobody adds. Paths are relative to the folder's root, plain; "" is the root itself.
 */
#ifndef SYNC_IGNORE_H
#define SYNC_IGNORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IGNORE_FILE_NAME ".tendignore"
enum ignore_verdict {
	IGNORE_TAKEN,    /* it counts */
	IGNORE_ENTERED,  /* a folder that `include` does not name, but something below may match */
	IGNORE_EXCLUDED, /* neither it nor anything below */
};

struct ignore;

struct ignore *ignore_new(void);
void ignore_free(struct ignore *ignore); /* NULL is fine */

/* One line of the key `exclude`, or of `include`. When there is any `include`, a file must match
 * one or lie in a folder that does. An `exclude` that matches wins. */
void ignore_add_exclude(struct ignore *ignore, const char *line);
void ignore_add_include(struct ignore *ignore, const char *line);

/* Forgets all lines of both keys; the files stay: a reload replaces the keys alone. */
void ignore_clear_keys(struct ignore *ignore);

/* The text of the .tendignore in `base`, instead of what was known of it. Copied. Is it any
 * different? */
bool ignore_set_file(struct ignore *ignore, const char *base, const char *text, size_t len);
/* That file is gone. Was it known? */
bool ignore_drop_file(struct ignore *ignore, const char *base);
/* The folder `base` is gone: so are the files in it and below. */
void ignore_drop_below(struct ignore *ignore, const char *base);
/* Of all files, in any order: with the same bases and texts it is the same. */
uint64_t ignore_files_sum(const struct ignore *ignore);

/* `.tend` in the root is always excluded, and so is what is being written beside its place (disk_is_beside). */
enum ignore_verdict ignore_check(const struct ignore *ignore, const char *path, bool is_folder);

#endif
