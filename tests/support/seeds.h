/*
 * The program around a model: tells the stories of many seeds, says which of them found something and how to tell that one alone, and makes
 * a story that found something smaller. The same seed is the same story.
 */
#ifndef SUPPORT_SEEDS_H
#define SUPPORT_SEEDS_H

#include "support/cuts.h"
#include "support/ground.h"

/* What came of a story. */
struct told_story {
	const char *wrong; /* NULL: all was as it must be */
	char *path;        /* where; the caller's */
	int machine;
	uint64_t trace;
	struct ground_counts counts;
};

struct model {
	/* For a usage line: what it is about. */
	const char *about;
	const void *plot; /* the model's own */
	void (*tell)(const struct model *model, unsigned seed, struct cuts *cuts, bool tell,
		struct told_story *told);
	unsigned first, last; /* unless the words say others */
	const unsigned *kept; /* those that found something once, told as well */
	size_t kept_count;
	bool plain; /* none of the troubles that only some stories have (troubles.h) */
};

/* The program's exit code. */
int seeds_main(int argc, char **argv, const struct model *model);

#endif
