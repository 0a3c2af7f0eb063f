/*
 * A store before the real one that lies about what it has, as a bucket of the wrong name does, or a server that cuts a list and says that
 * it is whole: ground->lie says how.
 */
#ifndef SUPPORT_LYING_H
#define SUPPORT_LYING_H

struct ground;
struct store;

enum lie {
	LIE_NONE,
	LIE_CUT, /* of each list the second half is missing; what is asked for by its name is there */
	LIE_EMPTY,   /* lists are empty; what is asked for by its name is there */
	LIE_AWAY,    /* there is nothing of that name to be listed; the same */
	LIE_BUCKET,  /* another bucket: nothing is there, and nobody may write */
	LIE_FOREIGN, /* another bucket, in which somebody else has something */
	LIES
};

/* Frees `inner`. */
struct store *lying_new(struct ground *ground, struct store *inner);

#endif
