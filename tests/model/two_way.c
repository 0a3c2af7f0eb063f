/* Two machines on one remote: the first seeds, and those that found something. */
#include "support/two_way.h"

static const unsigned kept[] = {
	209, 992, /* a file at the remote where names of a folder begin */
	526, /* gone there, in a folder that had lost its row when all was compared, and got it again after */
	1180, /* a folder that was gone there, and made again with a marker by another machine */
	1188, /* a folder that was gone there, and came back with another mode here */
	1351, /* gone on both sides, and the folder around it empty */
	8036, /* gone on both sides, and rows below it that nobody looked at */
	1179, 1791, 1872, /* a SET of what another hand put there meanwhile */
	2416,             /* a file took the name of a folder while that was brought */
	2739, /* a folder was made again by what came into it, and nobody had looked at what went in it */
	2800, /* a folder that no scan could list, and that could be read before its own look */
	3309, /* a barrier's mark made a mark, and that one another */
	3790, /* changed there once more while it came, and was told of before it was here */
	4840, /* something else took the place of a folder, and each thing that lies in it there tried that folder anew */
};

static const struct two_way_plot plot;

int main(int argc, char **argv) {
	const struct model model = { .about = "two machines on one remote, in mode two-way",
		.plot = &plot,
		.tell = two_way_tell,
		.first = 1,
		.last = 200,
		.kept = kept,
		.kept_count = sizeof(kept) / sizeof(*kept) };
	return seeds_main(argc, argv, &model);
}
