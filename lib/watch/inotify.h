/* Inside watch, on Linux: one inotify descriptor, and what its events say. */
#ifndef WATCH_INOTIFY_H
#define WATCH_INOTIFY_H

#include <stdint.h>

#include "watch/internal.h"

/* A folder that left its place and has not come to another yet. */
struct held {
	struct list link;
	uint32_t cookie;
	struct watch *watch;
	struct node *node; /* cut off; NULL: it is not watched */
	char *from;
	bool touched; /* something happened below meanwhile, and had no path */
};

/*
 * One for all watches of the process: a user may have 128 (inotify(7)). Workers only add to it; the
 * loop reads it. Before an addition ends, all that is queued is read, so that the tree stands as it
 * stood when the job looked, or later, and what moved meanwhile has made the addition stale.
 */
struct inotify {
	struct watch_source source;
	struct loop *loop;
	int fd;            /* never changes: jobs use it */
	struct poll *poll; /* NULL: it ended; the descriptor waits for jobs that hold it */
	struct list watches, held;
	struct timer hold;
	struct numbers numbers;
	/* Nodes cut off for good. Each number given back queues an event, and the queue holds
	 * 16384: so it is done by portions. */
	struct node **doomed;
	size_t doomed_count, doomed_room;
	/* What numbers said that a job got and nobody registered yet: as text, to STRAY_SPOKE or
	 * STRAY_GONE. */
	struct map strays;
	/* What was mounted where, "ID PATH", and the descriptor that tells when that changes; -1. */
	struct map mounts;
	int mounts_fd;
};

/* What is mounted below a watched root from now on is a new folder there (mounts_inotify.c). */
void mounts_begin(struct inotify *self);
void mounts_look(struct inotify *self); /* reports, without delivering */
void mounts_end(struct inotify *self);

/* Cuts it off with all below; what it costs comes with inotify_catch_up. Roots too. */
void inotify_doom(struct inotify *self, struct node *node);
void inotify_hold_release(struct inotify *self, struct held *held);

/* Reads all that is queued up to now into reports and the tree, and buries the doomed. Calls
 * nobody. */
void inotify_catch_up(struct inotify *self);

/* Folders that left and came nowhere are gone. */
void inotify_hold_expire(struct inotify *self);

/* What a number that is not registered said: 0 nothing, else SPOKE, GONE (taken back by the kernel,
 * or by us). */
enum inotify_stray { STRAY_SILENT, STRAY_SPOKE, STRAY_GONE };
enum inotify_stray inotify_stray(const struct inotify *self, int wd);

/* Events were lost (watch_inotify.c): everybody begins anew on another descriptor, or when there is
 * none, goes on. */
void inotify_overflowed(struct inotify *self);

#endif
