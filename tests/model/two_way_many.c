/* Many stories of two machines on one remote: not quick, plain build (preset "model"). */
#include "support/two_way.h"

static const struct two_way_plot plot;

int main(int argc, char **argv) {
	const struct model model = { .about = "two machines on one remote, in mode two-way",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 201,
		.last = 3900 };
	return seeds_main(argc, argv, &model);
}
