/* Many stories of machines that send, and one that only fetches: not quick, plain build (preset "model"). */
#include "support/two_way.h"

static const struct two_way_plot plot = { .fetch = true };

int main(int argc, char **argv) {
	const struct model model = {
		.about = "one machine or two in mode two-way, and one that only fetches",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 101,
		.last = 1800
	};
	return seeds_main(argc, argv, &model);
}
