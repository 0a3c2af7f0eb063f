/* Inside watch, on Linux: one inotify descriptor, where need be one of fanotify beside it, and what
 * their events say. */
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
	struct fanotify *fanotify; /* NULL: a watch a folder */
	bool alone;                /* fanotify was asked for in vain */
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

/* One event about a folder, or about a name in it; bits as inotify has them, which fanotify took
 * over. */
struct told {
	int64_t number; /* of the folder */
	uint32_t mask, cookie;
	const char *name; /* "": about the folder itself */
};
void inotify_told(struct inotify *self, const struct told *told);
/* Its other half does not come: it is gone. */
void inotify_came_nowhere(struct inotify *self, uint32_t cookie);
/* The folder of this name is no more what it was: its watches are dropped. True: it had one. */
bool inotify_unlearn(struct inotify *self, struct node *parent, const char *path, const char *name);
/* The n-th of the nodes with this number. An event may change the row: then one may be told twice,
 * which is harmless. */
struct node *inotify_twin(const struct inotify *self, int64_t number, size_t n);

/* Takes back a number that nobody has any more; -1 is fine. */
void inotify_give_back(struct inotify *self, int64_t number);

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

/* Events were lost, or fanotify is to take over (watch_inotify.c): everybody begins anew on other
 * descriptors, or when there are none, goes on. */
void inotify_begin_anew(struct inotify *self, bool fanotify);

/*
 * ---- fanotify (watch_fanotify.c, events_fanotify.c) ----
 *
 * One mark watches a whole file system. Folders are told by their handles, of which the hash is
 * their number: two that have the same are looked at together, which is harmless. All else, and so
 * the tree, is as with inotify. What lies on another file system than its root, or has no handle,
 * keeps a watch of inotify; nothing is renamed from the one to the other (EXDEV).
 */
struct fanotify;

/* Rights, a kernel from 5.17 on, and no TEND_WITHOUT=fanotify. Any thread. */
bool fanotify_is_possible(void);
/* NULL where it is not. */
struct fanotify *fanotify_open(struct inotify *inotify);
void fanotify_stop(struct fanotify *self); /* no events from now on */
void fanotify_close(struct fanotify *self);
/* On a worker. False: it is inotify's to look. */
bool fanotify_look(struct fanotify *self, struct watch_add *add);
void fanotify_begin(const struct fanotify *self, struct watch_add *add);
/* A number that is none of ours told something since `add` began, or may have. */
bool fanotify_spoke(const struct fanotify *self, const struct watch_add *add);
void fanotify_catch_up(struct fanotify *self); /* calls nobody */

/* From so many folders on (TEND_FANOTIFY_FROM, for tests). */
size_t fanotify_threshold(void);
static inline bool fanotify_is_number(int64_t number) {
	return number >= INT64_C(1) << 62;
}
/* Of a folder that `at` and `path` lead to, links not followed; a worker's, or where it was looked
 * at a moment ago. -1 with errno. */
int64_t fanotify_number_at(int at, const char *path, uint64_t *fs);
/* Hash of what the kernel calls it: two words of the file system, and a struct file_handle. */
int64_t fanotify_number(const void *fsid, const void *handle);

/* What fanotify needs to tell its events from strangers' (events_fanotify.c). */
enum { STRANGERS_MAX = 4096 };
struct fanotify {
	struct inotify *inotify;
	int fd;            /* never changes: jobs use it */
	struct poll *poll; /* NULL: it ended */
	struct timer pause;
	bool ours; /* something was told of a folder of ours since the last wait */
	uint32_t cookie;
	/* Places of folders that were renamed, "NUMBER/NAME" of their parents, to what is expected
	 * there. */
	struct map places;
	uint64_t stranger_count;
	int64_t strangers[STRANGERS_MAX]; /* the last of those told about that we do not know */
};

#endif
