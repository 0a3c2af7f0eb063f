/*
 * watch: "something under this path may have changed"; never loses an event silently.
 *
 * Loop thread only, but for watch_add_in_job. One `struct watch` is one tree; it holds no contents
 * and lists nothing. Whoever lists a folder watches it first, in the same job, so that nothing
 * between the two is missed (SYNC.md §13, trap 12). Nothing here touches a watched path on the
 * loop, save watch_add_folder.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"

enum watch_what {
	/* A file's bytes or attributes, or any entry that appeared or vanished: look at `path`. */
	WATCH_CHANGED,
	/* A folder appeared at `path` (made, moved in, or mounted there, which is seen with the next
	 * event or watch_drain): it must be scanned. */
	WATCH_FOLDER_NEW,
	WATCH_FOLDER_GONE, /* a folder vanished from `path` (removed or moved out) */
	/* A folder moved from `from` to `path` within the tree; its watches follow. What was looked
	 * at below `from` since it moved was not found there: so list it again, or look again at
	 * all that was known below. */
	WATCH_FOLDER_MOVED,
	/* Events were lost, or something below was unmounted: everything must be scanned. */
	WATCH_OVERFLOW,
	/* The root was removed, moved away or unmounted: nothing more will come. A root that
	 * somebody holds open is not seen to vanish, nor is one whose own parents are moved. */
	WATCH_ROOT_GONE,
};

struct watch_event {
	enum watch_what what;
	const char *path; /* relative to the root, borrowed */
	const char *from; /* WATCH_FOLDER_MOVED only */
};

struct watch;

struct watch_calls {
	void (*happened)(void *user, const struct watch_event *event);
	/* Some folders are not watched (a limit of the system): the tree must be scanned from time
	 * to time. `why` names the sysctl line to run. Comes again with NULL when it is cured. */
	void (*degraded)(void *user, const struct err *why);
};

/* Watches nothing yet: the owner adds "" (the root) as it adds every folder that it lists. `root`
 * is absolute, links in it resolved. */
struct watch *watch_new(struct loop *loop, const char *root, const struct watch_calls *calls,
	void *user, struct err *err);
/* NULL is fine. Also from within a call. Additions under way end with ERR_CANCELLED. */
void watch_free(struct watch *watch);

/*
 * One folder to be watched (idempotent), in three steps: begin on the loop, in_job on a worker just
 * before the folder is listed, end on the loop, exactly once after every begin, also when the job
 * was cancelled. Embed it beside the job.
 *
 * The end says: 0: watched. ERR_CHANGED: it or a folder above was moved or replaced meanwhile:
 * forget what was listed; its place of now is reported as FOLDER_NEW. ERR_NOT_FOUND: it is gone.
 * ERR_DENIED. ERR_FULL: a limit of the system (also reported as degraded): the listing holds, but
 * changes are not seen. When something happened in it before the end, FOLDER_NEW comes after: list
 * it again. (Of the root it is OVERFLOW that comes.)
 */
struct watch_add {
	struct list link;
	struct watch *watch; /* NULL: freed meanwhile */
	char *path;          /* as it is now: it follows moves */
	char *absolute;      /* as it was at begin */
	void *impl;
	int wd, sys;    /* what the job found */
	int64_t number; /* the same: the folder's number in the tree; -1: none */
	uint64_t fs;    /* the file system that its tree is watched as; the job's of now. 0: none */
	uint64_t since; /* how much had been told of strangers at begin */
	bool root, stale;
};
void watch_add_begin(struct watch_add *add, struct watch *watch, const char *path);
void watch_add_in_job(struct watch_add *add);
int watch_add_end(struct watch_add *add, struct err *err);

/* The three at once, on the loop: blocks for as long as the file system does, so not for folders of
 * a network. Also from within `happened`. */
int watch_add_folder(struct watch *watch, const char *path, struct err *err);
/* No longer watch this folder and all below (excluded now). */
void watch_drop_folder(struct watch *watch, const char *path);

/* Reads all that the system has queued up to now and reports it before it returns (the barrier,
 * SYNC.md §4). */
void watch_drain(struct watch *watch);

size_t watch_count(const struct watch *watch); /* folders watched */
bool watch_is_degraded(const struct watch *watch);
/* For people: "inotify", "fanotify", "FSEvents". */
const char *watch_way(const struct watch *watch);

extern const struct doctor_check watch_doctor[]; /* for `tend doctor` */

/* Fed by tests. What is fed below a folder that was not added is lost, as it would be: the
 * simulation may feed everything. OVERFLOW loses what was not delivered yet and forgets all that
 * was added. */
struct watch *watch_new_simulated(struct loop *loop, const struct watch_calls *calls, void *user);
void watch_feed(struct watch *watch, enum watch_what what, const char *path, const char *from);
/* What is fed is delivered up to so much later, by the loop's randomness. */
void watch_feed_late(struct watch *watch, int64_t max_ms);
/* `*slot` becomes the watch, and NULL when its owner frees it. */
void watch_feed_slot(struct watch *watch, struct watch **slot);

#endif
