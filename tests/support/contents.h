/* What the files of a ground hold, by a hash of their bytes. */
#ifndef SUPPORT_CONTENTS_H
#define SUPPORT_CONTENTS_H

#include "support/ground.h"

struct contents_holder {
	int count;
	char *path; /* one of so many */
};

/* Whoever may read it; NULL: no file. The caller's. */
char *contents_hash(struct ground *ground, const char *path);
/* Hash to who holds it (struct contents_holder), of all files that the rules do not leave out and that
 * are long enough to be told apart. */
void contents_gather(struct ground *ground, struct map *found);
/* The same, of all that lies at the remote: kept versions too. */
void contents_gather_remote(struct ground *ground, struct map *found);
/* Path to the hash of its bytes, of all files that the rules do not leave out. */
void contents_paths(struct ground *ground, struct map *paths);
/* The same, of what lies at the remote in the folder's place. */
void contents_paths_remote(struct ground *ground, struct map *paths);
/* The first path that is not the same in both, `except` for these, and copies that were kept beside them. NULL: there is none. */
const char *contents_differ(const struct map *one, const struct map *other, char **except);
/* Adds the folders in which something lies that is not synced. */
void contents_folders_kept(struct ground *ground, char ***folders);
void contents_paths_release(struct map *paths);
void contents_release(struct map *found);
int contents_count(const struct map *found, const char *hash);

#endif
