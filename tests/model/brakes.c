/* Two machines with brakes: max_delete, people who are asked, roots that are emptied, remotes that lie about what they have. */
#include "support/two_way.h"

static const struct two_way_plot plot = { .brakes = true };

int main(int argc, char **argv) {
	const struct model model = {
		.about = "two machines on one remote, whose brakes hold deletions back",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 1,
		.last = 100
	};
	return seeds_main(argc, argv, &model);
}
