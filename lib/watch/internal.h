/* Inside watch: what all kinds share, and the tree of folders that the system's numbers lead to. */
#ifndef WATCH_INTERNAL_H
#define WATCH_INTERNAL_H

#include "watch/watch.h"

struct watch_source;

/* Where events come from. Several watches may share one source. */
struct watch_kind {
	void (*look)(struct watch_source *source, struct watch_add *add); /* on a worker */
	int (*settle)(struct watch *watch, struct watch_add *add, struct err *err);
	void (*undo)(struct watch_source *source, struct watch_add *add); /* its watch is gone */
	void (*drop)(struct watch *watch, const char *path); /* this folder and all below */
	void (*drain)(struct watch *watch);                  /* reports, without delivering */
	void (*wake)(struct watch *watch);  /* something was reported; NULL: next turn */
	void (*leave)(struct watch *watch); /* drops all; the watch ends */
	void (*begin)(struct watch *watch, struct watch_add *add); /* NULL: nothing to note */
	const char *(*way)(const struct watch *watch);
	void (*free)(struct watch_source *source);
};

/* Lives as long as a watch or an addition needs it: a job may still hold its descriptor. */
struct watch_source {
	const struct watch_kind *kind;
	unsigned refs;
	unsigned adds; /* additions under way */
};
void watch_source_unref(struct watch_source *source);

struct watch {
	struct watch_source *source;
	struct list link; /* in the source */
	struct loop *loop;
	struct watch_calls calls;
	void *user;
	char *root_path;
	struct node *root; /* inotify */
	int root_wd;       /* of the root alone, where fanotify tells the rest; -1 */
	uint64_t fs;       /* the file system that one mark watches whole; 0: a watch a folder */
	size_t count;
	struct list adding;  /* struct watch_add between begin and end */
	struct list reports; /* not delivered yet */
	struct map seen;     /* paths of CHANGED reports among them */
	struct defer defer;
	struct map unwatched; /* paths that a limit kept out, the first of them */
	struct err limit;     /* why */
	bool degraded, degraded_told;
	bool gone; /* ROOT_GONE was reported */
	bool delivering, dead;
};

/* With a reference to `source` of its own. */
struct watch *watch_make(struct watch_source *source, struct loop *loop, const char *root,
	const struct watch_calls *calls, void *user);

/* Queues, for the next turn or a watch_deliver before it. A changed path that is queued already is
 * not queued again. */
void watch_report(struct watch *watch, enum watch_what what, const char *path, const char *from);
void watch_deliver(struct watch *watch);
/* Takes back what was reported and not delivered. */
void watch_forget_reports(struct watch *watch);

/* A folder could not be watched for `why`; it is watched now, or gone with all below. */
void watch_limit_hit(struct watch *watch, const char *path, const struct err *why);
void watch_limit_cured(struct watch *watch, const char *path, bool and_below);

/* A folder was moved or replaced: additions at or below `from` are out of date; their place is
 * below `to`. */
void watch_adds_stale(struct watch *watch, const char *from, const char *to);

/* ---- the tree (tree.c) ---- */

/* A watched folder, or one on the way to it. 64 bytes, 32 more for its place in a search tree of
 * the C library, 8 to 16 in a table: measured
 * 11.2 MiB for 100,000 folders with names of 10 bytes. */
struct node {
	struct node *parent; /* NULL: a root, or cut off while it moves */
	void *children;      /* by name: tsearch */
	struct node *twin;   /* the next of the same number: in another tree, or bound twice */
	struct watch *watch;
	int64_t number; /* the system's; -1: not watched itself */
	char name[];
};

/* Where a number is: of most events of a whole file system only that it is not here, so this is a
 * table, not a tree. */
struct numbers {
	struct node **slots; /* the first of the twins; a power of two of them */
	size_t size, used;
};

struct node *node_new(struct watch *watch, struct node *parent, const char *name);
struct node *node_child(const struct node *parent, const char *name);
/* The node at a path below `root`; with `make`, made. */
struct node *node_at(struct node *root, const char *path, bool make);
/* Its path below `root`, the caller's; NULL: it hangs below another node, which is put in *top. */
char *node_path(const struct node *node, const struct node *root, const struct node **top);

struct node *node_by_number(const struct numbers *numbers, int64_t number);
/* Gives it a number, in place of the one it had. -1 takes it away. The number nobody has any more,
 * or -1. */
int64_t node_number(struct numbers *numbers, struct node *node, int64_t number);
void numbers_release(struct numbers *numbers);

void node_cut(struct node *node); /* off its parent */
/* Below a parent that has none of this name. What it is now: `node` may be freed. */
struct node *node_hang(
	struct numbers *numbers, struct node *node, struct node *parent, const char *name);
/* A leaf at or below `node`: what to free first. */
struct node *node_leaf(struct node *node);
/* Frees a leaf without a number. */
void node_free(struct node *leaf);
/* Frees it and those above it while they are leaves without a number; never a root. */
void node_trim(struct node *node);

#endif
