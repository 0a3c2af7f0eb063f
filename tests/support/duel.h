/* The story of several machines on one remote, for the files that tell it. */
#ifndef SUPPORT_DUEL_H
#define SUPPORT_DUEL_H

#include "support/ground.h"
#include "support/two_way.h"

enum { MACHINES_MAX = 3, ROUNDS = 40 };

struct duel {
	const struct two_way_plot *plot;
	struct ground *machines[MACHINES_MAX];
	int count;   /* of them */
	int senders; /* those that are two-way come first; the others only fetch */
	bool open[MACHINES_MAX];
	bool bare;           /* a side may be wholly empty now */
	bool agrees;         /* now and then nobody edits until all sides are the same */
	bool blind;          /* the remote keeps no conditions */
	bool hashless;       /* the remote tells of no bytes */
	unsigned troubles;   /* troubles.h */
	struct map contents; /* what edits wrote, by its hash: is it to be there in the end? */
	struct map fetchers; /* the same, of those that only fetch */
	struct map agreed;   /* contents that were the same on all sides (two_way_gone.c) */
	struct map stood;    /* contents that lay at the remote at some time, by their hash */
	struct map trash;    /* by its hash, of all machines */
};

/* Values of the maps of contents. */
extern char duel_alive[], duel_dropped[];

bool duel_is_wrong(const struct duel *duel);
void duel_open(struct duel *duel, int machine);
void duel_end(struct duel *duel, int machine); /* in one way or another */
void duel_run(struct duel *duel, int64_t ms);
bool duel_barrier(struct duel *duel, int machine); /* durable? */
/* An edit by a person, and what it wrote and took away. */
void duel_make_way(struct duel *duel, int machine); /* for all that could not be synced */
void duel_edit(struct duel *duel, int machine, void (*edit)(struct ground *ground));

/* two_way_check.c */
/* The first path that is not the same on two machines that are two-way; the caller's. NULL: there is none. */
char *duel_difference(struct duel *duel, const char **why);
/* The first that a machine which only fetches does not have as the first one has it. */
char *duel_not_fetched(struct duel *duel, int machine, const char **why);
void duel_remote_judge(struct duel *duel);
void duel_stood_note(struct duel *duel);
void duel_stored(struct duel *duel, int machine);
void duel_nothing_lost(struct duel *duel);

/* two_way_gone.c */
/* Where all barriers end well, what is the same on all sides then is agreed; what was before is judged. Then one side takes things away,
 * and that is judged. */
void duel_agree(struct duel *duel);
void duel_agreed_release(struct duel *duel);
void duel_gone_note(struct duel *duel, struct ground *ground, const struct map *before,
	const struct map *after);
void duel_gone_judge(struct duel *duel); /* all sides have the same by now */

/* two_way_brake.c */
void duel_brake_set(struct duel *duel, int machine);     /* its settings */
void duel_brake_chapter(struct duel *duel, int machine); /* of what must delete nothing */
/* A person is asked, and sees to it. */
void duel_person(struct duel *duel, int machine);

#endif
