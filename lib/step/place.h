/* One path that a step keeps: where it lies, what stands there, and how another thing takes its place in one move, as the
 * step's user. Worker. */
#ifndef STEP_PLACE_H
#define STEP_PLACE_H

#include "disk/disk.h"
#include "step/internal.h"

struct place {
	char *path;        /* absolute */
	struct disk *disk; /* on the nearest folder above that is there */
	char *name;        /* below it, of one or more parts */
	bool there;
	struct disk_stat stat; /* where `there` */
};

/* -1 with err: not absolute, or a folder stands there. */
int place_open(
	struct place *place, const struct step_work *work, const char *text, struct err *err);
void place_release(struct place *place); /* zeroed is fine */
/* A name beside it that nobody has: ".before-tend", or with a number; `numbered`: always that. The caller's. */
char *place_aside(struct place *place, bool numbered);
/* The folders above it that are missing, with `mode`. */
int place_make_parents(struct place *place, int mode, struct err *err);
/* What stands there goes to `aside` (NULL: is replaced); `beside` takes its place. */
int place_take(struct place *place, const char *beside, const char *aside, struct err *err);

#endif
