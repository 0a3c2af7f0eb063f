/* The story of one machine that sends, in the modes backup and mirror. */
#ifndef SUPPORT_ONE_WAY_H
#define SUPPORT_ONE_WAY_H

#include "support/seeds.h"

/* A model's `tell`. */
void one_way_tell(const struct model *model, unsigned seed, struct cuts *cuts, bool tell,
	struct told_story *told);

/* Seeds `first` to `last`, unless the words say others. The program's exit code. */
int one_way_main(int argc, char **argv, unsigned first, unsigned last);

#endif
