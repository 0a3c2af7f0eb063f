/* Two machines with brakes: max_delete, people who are asked, roots that are emptied, remotes that lie about what they have. */
#include "support/two_way.h"

static const unsigned kept[] = {
	250, /* a folder that went here was kept there for what lay in it, and no change told of it */
	786, /* the mode of a folder came, and all that lies in it was tried anew, and that folder by it */
	1778,
	2229, /* a folder was gone there, and something in it could not be removed here: tried without end */
	2688, /* a folder was made again by what came into it, and nobody had looked at what went in it */
	5507, /* gone there when it was asked for, and a folder again when the file that had its name was sent */
};

static const struct two_way_plot plot = { .brakes = true };

int main(int argc, char **argv) {
	const struct model model = {
		.about = "two machines on one remote, whose brakes hold deletions back",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 1,
		.last = 100,
		.kept = kept,
		.kept_count = sizeof(kept) / sizeof(*kept),
	};
	return seeds_main(argc, argv, &model);
}
