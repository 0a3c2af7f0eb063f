/* What people and programs do to a folder, at random, on the disk of a ground. */
#ifndef SUPPORT_EDITS_H
#define SUPPORT_EDITS_H

#include "support/ground.h"

/* One edit, or a few that belong together. */
void edit_random(struct ground *ground);
/* Of what is there something goes, or gets a name that is free; or neither. */
void edit_take_away(struct ground *ground);
/* A file of fresh bytes; `name` in a folder that is made. */
void edit_put(struct ground *ground, const char *path);
void edit_remove_tree(struct ground *ground, const char *path); /* "": all that is in the root */
void edit_remove_path(struct ground *ground, const char *path); /* whatever it is */
void edit_make_readable(struct ground *ground);                 /* all of it */
/* All paths that can be reached, sorted, a folder before what is in it; the caller's. */
char **edit_paths(struct ground *ground);
bool edit_any_files(struct ground *ground); /* that the rules do not leave out */

#endif
