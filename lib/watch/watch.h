/*
 * watch: "something under this path may have changed"; never loses an event silently.
 *
 * Loop thread only. One `struct watch` is one tree. The room holds no contents: folders that appear are watched first and reported
 * afterwards, so that whoever lists them then misses nothing (SYNC.md §13, trap 12). Listing is not done here on the loop: the
 * owner scans in a job and calls watch_add_folder for each folder it is about to list.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"

enum watch_what {
	WATCH_CHANGED,      /* a file's bytes or attributes, or any entry that appeared or vanished: look at `path` */
	WATCH_FOLDER_NEW,   /* a folder appeared at `path` (made or moved in): it must be scanned */
	WATCH_FOLDER_GONE,  /* a folder vanished from `path` (removed or moved out) */
	WATCH_FOLDER_MOVED, /* a folder moved from `from` to `path` within the tree; its watches follow by themselves */
	WATCH_OVERFLOW,     /* events were lost: everything must be scanned */
	WATCH_ROOT_GONE,    /* the root was removed, moved away or unmounted: nothing more will come */
};

struct watch_event {
	enum watch_what what;
	const char *path; /* relative to the root, borrowed */
	const char *from; /* WATCH_FOLDER_MOVED only */
};

struct watch;

struct watch_calls {
	void (*happened)(void *user, const struct watch_event *event);
	/* Some folders are not watched (a limit of the system): the tree must be scanned from time to time. `why` names the sysctl
	 * line to run. Comes again with NULL when it is cured. */
	void (*degraded)(void *user, const struct err *why);
};

/* Watches the root folder alone; the owner adds the others as it scans. */
struct watch *watch_new(struct loop *loop, const char *root, const struct watch_calls *calls, void *user, struct err *err);
void watch_free(struct watch *watch); /* NULL is fine */

/* Watch this folder (idempotent). Blocking but short; may also be called from within `happened`. ERR_FULL at a limit (also reported as
 * degraded), ERR_NOT_FOUND when it is gone already. */
int watch_add_folder(struct watch *watch, const char *path, struct err *err);
/* No longer watch this folder and all below (excluded now). */
void watch_drop_folder(struct watch *watch, const char *path);

/* The same from a scan's job, on another thread: only this one call is safe there. The watch must outlive the job. */
int watch_add_folder_in_job(struct watch *watch, const char *path, struct err *err);

/* Reads all that the system has queued up to now and reports it before it returns (the barrier, SYNC.md §4). */
void watch_drain(struct watch *watch);

size_t watch_count(const struct watch *watch); /* folders watched */
bool watch_is_degraded(const struct watch *watch);

/* Fed by tests: events as given; watch_feed(OVERFLOW) loses what was fed and not yet reported. */
struct watch *watch_new_simulated(struct loop *loop, const struct watch_calls *calls, void *user);
void watch_feed(struct watch *watch, enum watch_what what, const char *path, const char *from);

#endif
