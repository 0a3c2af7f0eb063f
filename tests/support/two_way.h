/* The stories of several machines on one remote, in the modes that bring things here. */
#ifndef SUPPORT_TWO_WAY_H
#define SUPPORT_TWO_WAY_H

#include "support/seeds.h"

struct two_way_plot {
	bool brakes; /* max_delete, people who are asked, remotes that lie */
	bool fetch;  /* the last machine only fetches */
};

/* A model's `tell`; its `plot` is one of these. */
void two_way_tell(const struct model *model, unsigned seed, struct cuts *cuts, bool tell,
	struct told_story *told);

#endif
