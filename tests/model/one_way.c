/* The first stories of the one-way model, and those that found something; more are told in one_way_more.c. */
#include "support/one_way.h"

static const unsigned kept[] = {
	7144, /* what was at the remote before first contact, and another file of its size and time under its name here */
};

int main(int argc, char **argv) {
	const struct model model = {
		.about = "one machine that sends, in the modes backup and mirror",
		.tell = one_way_tell,
		.first = 1,
		.last = 200,
		.kept = kept,
		.kept_count = sizeof(kept) / sizeof(*kept),
	};
	return seeds_main(argc, argv, &model);
}
