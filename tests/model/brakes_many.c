/* Many stories of two machines with brakes: not quick, plain build (preset "model"). */
#include "support/two_way.h"

static const struct two_way_plot plot = { .brakes = true };

int main(int argc, char **argv) {
	const struct model model = {
		.about = "two machines on one remote, whose brakes hold deletions back",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 101,
		.last = 1200
	};
	return seeds_main(argc, argv, &model);
}
