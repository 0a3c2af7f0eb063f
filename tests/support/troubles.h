/*
 * Troubles that only some stories have. Which ones is told by the seed, and their chances are drawn apart: a story without any is told as
 * if there were none, and one that is kept for what it found has none.
 */
#ifndef SUPPORT_TROUBLES_H
#define SUPPORT_TROUBLES_H

#include "support/seeds.h"

enum trouble {
	TROUBLE_CLOCK = 1, /* the wall clock steps, forwards and back */
	TROUBLE_ODD = 2,   /* answers of a server out of order, where the story itself draws none */
	TROUBLE_MISSING = 4, /* events that nobody tells, nor that they are lost */
	TROUBLE_DISK = 8,    /* it is full or broken now and then, for whoever does not edit */
	TROUBLE_INDEX = 16,  /* it is lost at a restart now and then */
	TROUBLE_ALONE = 32,  /* none: while nobody else edits, one side writes too */
};

/* Of the story of this seed. */
unsigned troubles_of(const struct model *model, unsigned seed);
/* These begin; which of them a machine has, and how often, is drawn here. */
void troubles_begin(struct ground *ground, unsigned troubles);
/* All is well again. */
void troubles_end(struct ground *ground);

/* While time passes on this ground. */
void troubles_run(struct ground *ground);

#endif
