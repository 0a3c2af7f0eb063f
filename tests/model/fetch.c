/* Machines that send, and one that only fetches. */
#include "support/two_way.h"

static const unsigned kept[] = {
	169, 236,
	272, /* a file at the remote took the name of a folder that holds more here: theirs was moved there */
	733, /* a folder that went there waited in a stop for a file in it of which no list told */
	764, /* a file took the name of a folder that was gone there, had stayed here for what is not synced in it, and went then */
	804, /* a thing whose news stood at another's row was removed there, and by its id nobody knew it */
	925, /* moved away there with our PUT of it on its way, and told so before that was answered */
	1732, /* a folder was gone there, and something in it could not be removed here: tried without end */
	2307, /* gone on both sides, with one in it that had stayed here so, and went then */
};

static const struct two_way_plot plot = { .fetch = true };

int main(int argc, char **argv) {
	const struct model model = {
		.about = "one machine or two in mode two-way, and one that only fetches",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 1,
		.last = 100,
		.kept = kept,
		.kept_count = sizeof(kept) / sizeof(*kept),
	};
	return seeds_main(argc, argv, &model);
}
