/*
 * A ground of a test's own for one folder (SYNC.md §12): simulated loop, disk in memory, simulated
 * watch, memory store behind faults, an index that a crash rolls back. What is edited on the disk is
 * told by the watch: late, coalesced, or lost with an overflow. The same seed is the same run.
 */
#ifndef SUPPORT_GROUND_H
#define SUPPORT_GROUND_H

#include "disk/disk.h"
#include "index/past.h"
#include "support/cuts.h"
#include "support/lying.h"
#include "sync/sync.h"
#include "watch/watch.h"

/* Of a million: how often each happens. */
struct ground_odds {
	unsigned overflow;                  /* of an edit: events are lost, and that is told */
	unsigned edit_while_looking;        /* of a call to the disk by the engine */
	unsigned lost, refused, away, slow; /* of an operation at the store */
	unsigned odd; /* answered INVALID, DENIED, FULL or CORRUPT, as a server out of order does */
	unsigned missing;      /* of an edit: nobody is told of it, nor that anything was lost */
	unsigned full, broken; /* of a call to the disk by the engine: ENOSPC, EIO */
};

struct ground_counts {
	unsigned ops, writes, removes, deletions; /* started; not those of .tend/ */
	unsigned edits, overflows, faults, foreign, kills, commits_lost;
	unsigned lies, asked;
	unsigned removed_here; /* files and links that the engine removed here */
};

/* What was on the disk when it had changed so often. */
struct ground_paths {
	bool known;
	uint64_t changes;
	char **paths;
	enum disk_kind *kinds;
	size_t count, cap;
};

#define GROUND_STEP UINT64_C(0x9e3779b97f4a7c15) /* of `random`, with each chance drawn */

struct ground {
	uint64_t random, draws;
	uint64_t fate;     /* as `random`, for what only some stories have (troubles.h) */
	int number;        /* among those of one story */
	struct cuts *cuts; /* NULL: all of the story is told */
	enum lie lie;      /* of the store */
	bool editing;      /* what changes on the disk is a person's doing */
	struct loop *loop;
	bool beside; /* loop and content are another one's */
	struct disk_memory *memory;
	struct disk *disk;  /* for edits and comparisons */
	int64_t span_bytes; /* what comes here comes in pieces of so many; 0: as usual */
	bool large;         /* files come that are not read when they are looked at */
	bool fine_clock;    /* else two edits within a millisecond have one time */
	int64_t apart_ns;   /* without it: how much younger edits are than what was sent ahead */
	int64_t ticks;
	uint64_t changes;          /* of the disk */
	struct ground_paths paths; /* edits.c */
	struct watch *watch;       /* the engine's; NULL: nobody watches */
	int64_t late_ms;
	struct index_past *past;
	struct index *index; /* the engine's, as it was opened last */
	unsigned
		index_fails; /* a write of it does, among so many each time it is opened; 0: none */
	uint64_t index_random;         /* for which one, and for nothing else */
	bool names;                    /* the store tells ids before it makes things */
	struct store *naming, *lying;  /* over `content` */
	struct store *content, *store; /* the memory store; what the engine talks to */
	struct ground_odds odds;
	/* Instead of the odds at the store. */
	struct err (*fault)(struct ground *ground, const struct store_op *op, bool *after);
	/* The same at the disk: 0, or an errno. */
	int (*disk_fault)(struct ground *ground, enum disk_part part, const char *path);
	bool frozen; /* what the engine does has no effect any more */
	struct sync_ground face;

	struct unit_graph *graph;
	struct sync *sync;
	struct folder *folder;
	struct folder_settings settings;

	/* What stands there goes to the trash; NULL: nobody wants to know. */
	void (*trashed)(struct ground *ground, const char *path);
	void (*edit)(struct ground *ground); /* while somebody looks */
	bool paused;                         /* no edits by themselves */
	int64_t kill_at_op;                  /* counts.ops; 0: no */
	bool stop;                           /* what loop_run_until waits for */
	bool missed;                         /* an event, since the engine was opened */
	struct timer clock;                  /* the next step of the wall clock */
	unsigned clock_left;                 /* so many will come */
	bool down;
	struct timer timer;
	/* Made at the remote since the index was last on its disk for sure, and before that: when the
	 * power goes, what says so may be lost. */
	char **fresh, **less_fresh;
	char **orphans;         /* so that this may stay there when it goes here */
	int64_t most_deletions; /* in an hour, on both sides together; 0: any number */
	struct map
		removed; /* path to the time, in ms, of what was gone on one side and is removed on the other */
	char *newest_deletion; /* not judged yet */
	struct map in_trash;   /* paths of which this was said last */
	struct map approved;   /* by a person: these are not counted */
	char **meddled;        /* others changed them at the remote since we did */
	struct map inodes;     /* path to the number that stood there last */
	char **moves;          /* of folders, here: from and to in turn */
	/* Folders moved at the remote. What lies in them has no intent of its own: when the answer is
	 * lost it is known again only as long as it is here. */
	char **moved_there;
	bool notes_touched;
	char **touched; /* by a person, as long as that is noted */
	char **gone;    /* paths that were absent at some time */
	char **hit;     /* paths that changed since this was cleared; a folder's with all below */
	uint64_t trace;
	bool tell;         /* the trace, for people */
	const char *name;  /* before each line of it; NULL: there is but one */
	const char *wrong; /* the first thing that must not be; NULL */
	char *wrong_path;
	struct ground_counts counts;
};

/* `options`: of the memory store. `retries`: with a retrying wrapper before it, as it is in the
 * daemon. */
struct ground *ground_new(uint64_t seed, const struct store_memory_options *options, bool retries);
/* Another machine: it shares `first`'s loop and what lies at the remote, and goes before it. */
struct ground *ground_new_beside(struct ground *first, uint64_t seed, bool retries);
void ground_free(struct ground *ground); /* no engine is open */

uint64_t ground_draw(struct ground *ground, uint64_t below);
bool ground_chance(struct ground *ground, unsigned of_a_million);
/* The same of `fate`. */
uint64_t ground_fate(struct ground *ground, uint64_t below);
bool ground_strikes(struct ground *ground, unsigned of_a_million);
void ground_say(struct ground *ground, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void ground_wrong(struct ground *ground, const char *what, const char *path);

/* The engine on this ground. */
void ground_open(struct ground *ground);
void ground_close(struct ground *ground); /* without a flush */
/* It ends here, and nothing it had in flight is heard of again; what was at the server may have
 * taken effect. `power`: up to `lost` commits of the index are lost, as far as they were not on its
 * disk. */
void ground_kill(struct ground *ground, bool power, size_t lost);
/* As a stop of the service: everything goes out first. */
void ground_stop(struct ground *ground);

void ground_mend_index(struct ground *ground); /* it does not fail any more */

enum ground_outcome { GROUND_DURABLE, GROUND_REFUSED, GROUND_INTERRUPTED };
/* Until it ends, or ground->stop; ground->hit gets what changes meanwhile. */
enum ground_outcome ground_barrier(struct ground *ground, struct err *err);

/* A person looks at what the brake holds, and says that it was meant; what it held is the caller's (strv), NULL: nothing. */
char **ground_approve(struct ground *ground);
/* What it holds, unanswered. The caller's. */
char **ground_held(struct ground *ground);

/* For so long, or until ground->stop. */
void ground_run(struct ground *ground, int64_t ms);

/* Others changed this path at the remote; it may be moved there, as it was here, after. */
void ground_meddled(struct ground *ground, const char *path);

/* Does any of `paths` lie at or below this one? */
bool ground_any_below(char **paths, const char *path);
/* Does any of `paths` stand for this one, itself or a folder above it? */
bool ground_covers(char **paths, const char *path);

#endif
