/* What all folders share: times, limits, and struct sync. Included by internal.h. */
#ifndef SYNC_SHARED_H
#define SYNC_SHARED_H

#include "disk/disk.h"
#include "index/index.h"
#include "sync/brake_rule.h"
#include "sync/ignore.h"
#include "sync/pace.h"
#include "sync/pair.h"
#include "sync/plan.h"
#include "sync/sync.h"
#include "watch/watch.h"

enum {
	INLINE_MAX = 64 << 10,  /* bytes: read in the same job that looks */
	DELETE_QUIET_MS = 2000, /* SYNC.md §8: deletions wait, so that renames can pair */
	DELETE_PATIENCE_MS = 30000,
	SYNC_QUIET_MS = 5000, /* SYNC.md §3: the store's SYNC after the last write */
	HOLD_FIRST_MS = 2000, /* a store that refuses: first wait, doubled up to HOLD_MAX_MS */
	HOLD_MAX_MS = 60000,
	HOLD_ASKED_MAX_MS = 86400000, /* what a driver may ask for beyond that */
	HOLD_LONG_MS = 600000,        /* so long a one outlives us */
	REFUSED_FIRST_MS = 2000, /* a path that cannot be stored or read: back-off to an hour */
	REFUSED_MAX_MS = 3600000,
	DATABASE_PATIENCE_MS =
		600000, /* a database waits so long for the files it names (SYNC.md §6) */
	RACY_NS = 2000000000,
	FIRST_ATTEMPT_MS =
		60000, /* a folder that reaches nothing for so long counts as failed (SERVICES.md §3) */
	WAL_CHECKPOINT_BYTES = 8 << 20,
	REASONS_MAX = 100,
	DOUBT_EVERY_MS = 10000,
	COMMIT_MS = 50,
	SPAN_BYTES = 4 << 20,
	PRUNE_AFTER_MS = 600000, /* SYNC.md §8: never in the first ten minutes of a run */
	PRUNE_EVERY_MS = 3600000,
	COMPANY_MS = 5, /* what costs a commit waits so long for others to share it */
	PAIR_WAIT_MS = 1000,
	EMPTIED_POLL_MS =
		200, /* a folder that goes looks so often whether what lay in it is gone */
};

/* The epoch of a row that an earlier run could not seal: the remote is asked before it is believed. */
#define EPOCH_ASK INT64_MAX

/* Priorities of marks: folders before what lies in them, small files before large ones. */
enum { PRIO_FOLDER, PRIO_SMALL, PRIO_LARGE };
enum { PRIO_LARGE_BYTES = 1 << 20 };

/* ---- what all folders share ---- */

struct sync {
	struct loop *loop;
	const struct sync_ground *ground; /* NULL: the system's */
	struct unit_graph *graph;
	char *state_dir;
	char *machine_id;
	int max_transfers;
	int in_flight, resting; /* as of each folder */
	int64_t buffer_limit, buffer_used, span_bytes;
	struct list folders;
	struct list memory_waiters; /* struct transfer.wait_link */
	struct list
		captures; /* struct transfer.capture_link: inodes that nobody else may open (trap 4) */
	struct list
		capture_waiters; /* transfers that want to capture, or to open what is captured */
	int openers; /* restores that open databases, or wait for that: no capture begins */
	uint64_t next_image;
	int64_t prune_after_ms, prune_every_ms, log_bytes;
	void (*changed)(void *user, struct folder *folder);
	void *changed_user;
	struct disk *images;
	struct orphans *orphans; /* NULL: none are looked for */
};

/* An index that is kept aside when its folder gets another path or remote is named so. */
#define FOLDER_INDEX_BEFORE ".before"

/* Paths still to be visited, last in first out. */
struct path_stack {
	char **at;
	size_t count, cap;
};
void path_stack_push(struct path_stack *stack, char *path); /* takes it */
char *path_stack_pop(struct path_stack *stack);             /* the caller's; NULL: empty */
void path_stack_release(struct path_stack *stack);

#endif
