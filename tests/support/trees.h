/* What a ground holds on both sides, and whether that is as it must be. */
#ifndef SUPPORT_TREES_H
#define SUPPORT_TREES_H

#include "support/ground.h"

struct story {
	struct ground *g;
	bool backup;
	bool theirs_kept; /* the store keeps conditions: what others wrote is noticed */
	/* Contents by their MD5 in hex: */
	struct map durable; /* a barrier said so of ours */
	struct map theirs;  /* others put them in the place of ours */
	struct map strange; /* in files that never were ours, with this word in their names */
	unsigned foreign;   /* so many of theirs were made */
};

/* The rules of every story: exclude = *.tmp, /cache/ */
bool story_excludes(const char *path, bool folder);

void story_release(struct story *story);

/* After a barrier: is the remote what the folder is? Paths that `except` covers are let be. What is
 * equal counts as durable from now on. */
void story_compare(struct story *story, char **except);
/* What was durable, what others wrote, and strangers: is all of that still there? */
void story_nothing_lost(struct story *story);

/* Somebody else at the remote: makes a file, changes or removes one of ours. */
void story_meddle(struct story *story);
/* Before first contact: some of what is here is there already; none of it has the size and time of
 * another file, then or later. */
void story_send_some(struct story *story);
/* A person moves away what stands in the way of a thing of another kind. */
void story_make_room(struct story *story);
/* Bytes that our side changes where somebody else did, so that it looks there again. */
void story_answer_meddling(struct story *story);

#endif
