/*
 * sync: one local folder and one store kept equal (SYNC.md). Modes `backup` (old versions kept) and `mirror` (none) send what is here;
 * `fetch` brings what is there; `two-way` does both, with what was agreed as the merge base.
 *
 * Loop thread only. `struct sync` is what all folders share; `struct folder` is one [folder NAME] and embeds its unit: it starts when
 * the unit graph says so and flushes when the graph stops it. It logs what a person should see; status tells the rest.
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "config/config.h"
#include "loop/loop.h"
#include "store/store.h"
#include "unit/unit.h"

enum folder_sqlite { FOLDER_SQLITE_SNAPSHOT, FOLDER_SQLITE_SKIP, FOLDER_SQLITE_COPY };
enum folder_symlinks { FOLDER_SYMLINKS_KEEP, FOLDER_SYMLINKS_SKIP };
enum folder_restore { FOLDER_RESTORE_NEVER, FOLDER_RESTORE_IF_EMPTY };
enum folder_mode { FOLDER_BACKUP, FOLDER_MIRROR, FOLDER_TWO_WAY, FOLDER_FETCH };

/* [folder NAME] */
struct folder_settings {
	bool enabled;
	char *path;
	char *remote; /* "NAME:path/in/it" */
	int mode;     /* enum folder_mode */
	char **include, **exclude;
	int64_t settle_ms, max_settle_ms, rescan_ms;
	int64_t poll_ms; /* two-way and fetch: what do others change? 0: only when asked */
	int64_t verify_ms, verify_read; /* 0: never; per cent of files that are read back */
	int64_t keep_ms;      /* how long kept versions stay; 0: nothing is ever removed */
	int64_t pace_percent; /* 0 or 100: none */
	int sqlite;           /* enum folder_sqlite */
	int symlinks;         /* enum folder_symlinks */
	int restore;          /* enum folder_restore */
	int64_t max_transfers;
	char *max_delete; /* NULL: the default of the mode */
	char *user;       /* whose rights file access has; NULL: ours */
	char **after, **requires;
};
extern const struct config_table sync_folder_table;

/* Splits "NAME:path" into the remote's name and a clean key ("" for the root). Both the caller's. */
int folder_remote_split(const char *remote, char **name, char **key, struct err *err);

struct sync;
struct disk;
struct index;
struct watch;
struct watch_calls;

/* What a folder stands on, for tests that bring their own (SYNC.md §12). */
struct sync_ground {
	struct disk *(*disk_open)(void *user, const char *path, struct err *err); /* in a job */
	struct watch *(*watch_new)(void *user, struct loop *loop, const char *root,
		const struct watch_calls *calls, void *calls_user, struct err *err);
	struct index *(*index_open)(void *user, const char *name, struct err *err);
	/* In a job: what stands at `path` goes to the trash, which is the ground's here. */
	void (*trash_keep)(void *user, const char *path);
	void *user;
};

struct sync_options {
	const struct sync_ground *ground; /* borrowed. NULL: the system's; else no state_dir */
	const char *
		state_dir; /* indexes lie in state_dir/folders/NAME.db, images of databases in state_dir/images */
	const char *machine_id; /* made once for a machine: the owner mark */
	int64_t max_transfers;  /* all folders together */
	int64_t buffer_limit_bytes;
	int64_t span_bytes; /* a content that comes here is asked for in pieces of so many; 0: 4 MiB */
	/* Old versions are not removed before a run is so old, and looked at this often; 0: ten minutes, an hour. */
	int64_t prune_after_ms, prune_every_ms;
	/* An index's log is copied back each time it has grown by so much; 0: 8 MiB. */
	int64_t log_bytes;
};

/* Makes what it needs in state_dir, which is there. NULL with err. */
struct sync *sync_new(struct loop *loop, struct unit_graph *graph,
	const struct sync_options *options, struct err *err);
void sync_free(struct sync *sync); /* no folder may be left, and orphans are stopped */

/* What the configuration says now. `remote` is as it was in the ini, or NULL; `label` the store's. */
struct sync_orphans_calls {
	bool (*is_folder)(void *user, const char *name);
	struct store *(*store)(void *user, const char *remote, const char *label); /* NULL: gone */
	void *user;
};
/* Begins to give up the uploads that were begun by folders which the configuration names no longer, or names with another path or
 * remote: once the folders it names are there. Stopped before any of that changes. */
void sync_orphans_start(struct sync *sync, const struct sync_orphans_calls *calls);
/* True: `stopped` comes, never inside; false: it does not, and all has ended already. */
bool sync_orphans_stop(struct sync *sync, void (*stopped)(void *user), void *user);

struct folder;

/* Settings are copied. `store` is the remote's, borrowed until folder_free, shared by folders. Opens the index. It starts when its unit
 * is wanted (unit_want) and may start. NULL with err: the state folder cannot be written, say. */
struct folder *folder_new(struct sync *sync, const char *name,
	const struct folder_settings *settings, struct store *store, struct err *err);
/* Ends everything in flight without flushing; `closed` comes when the memory is gone (never inside). */
void folder_close(struct folder *folder, void (*closed)(void *user), void *user);

struct unit *folder_unit(struct folder *folder);
const char *folder_name(const struct folder *folder);

/* Live keys only (config_compare said 1): settle, include, exclude, ... A change of rules scans; others do not. */
int folder_apply(struct folder *folder, const struct folder_settings *settings, struct err *err);

/* Scan and send now (USR1, `tend sync`): settle and back-off do not apply to what is waiting. */
void folder_sync(struct folder *folder);
void folder_pause(struct folder *folder); /* remembered across restarts */
void folder_resume(struct folder *folder);

/* ---- the barrier (SYNC.md §4) ---- */

/* A mark: everything written before this call has a number up to it. Stays valid across restarts of the daemon. */
int64_t folder_mark(struct folder *folder);

struct folder_wait {
	struct list link;
	struct folder *folder;
	int64_t upto;
	/* Exactly once, never inside start. NULL: durable. ERR_DENIED with needs_person: exit 5; else 1, `reasons` has the list. */
	void (*done)(struct folder_wait *wait, const struct err *err);
	char **reasons; /* "path: why", at most 100; the wait's until folder_wait_release */
	bool needs_person;
	int state;           /* private */
	int64_t started;     /* private: transfers that began before the call */
	int64_t owed;        /* private: marks up to here follow from those asked for */
	int64_t polled;      /* private: this poll must have ended, and what it found be here */
	bool scanned;        /* private: a scan ran at the call: what it found counts */
	struct defer finish; /* private */
	struct err err;      /* private */
};
void folder_wait_start(struct folder *folder, struct folder_wait *wait, int64_t upto);
void folder_wait_cancel(struct folder_wait *wait); /* done comes with ERR_CANCELLED */
void folder_wait_release(struct folder_wait *wait);

/* ---- how it stands ---- */

struct folder_trouble {
	char *path, *reason;
	const char *why;     /* "refused", "retry", "hot"; "plain": a database sent as it lies */
	int64_t next_try_ns; /* 0: none */
};

struct folder_status {
	/* waiting contact restoring scanning syncing idle paused stopped failed */
	const char *state;
	char *path, *remote; /* remote: as in the ini */
	const char *mode;
	bool paused, needs_person;
	struct err
		trouble; /* kind ERR_NONE: none; else why the folder as a whole does not go on, and what to do */
	char *degraded;         /* NULL, or why watching is not complete */
	const char *watched_by; /* "inotify", "fanotify", "FSEvents"; NULL: it is not watched now */
	int64_t files, folders, links, size_bytes, strangers;
	int64_t pending, refused, not_kept; /* not_kept: sockets, FIFOs, devices */
	int64_t left_s; /* until nothing is pending, about; -1: not known, or the remote sets no pace */
	int64_t sent_files, sent_bytes, set_only, removed; /* since this start */
	int64_t plain_databases; /* sent as they lie: no image can be had */
	int64_t brought_files, brought_bytes, removed_here; /* from the remote, since this start */
	int64_t moved;                   /* renamed or copied at the remote: no content was sent */
	int64_t conflicts;               /* of two edits that were both kept */
	int64_t last_sync_ns;            /* when nothing was pending last; 0 never */
	int64_t scans;                   /* full scans since this start */
	int64_t versions, version_bytes; /* old ones kept at the remote */
	int64_t pruned_ns; /* when they were last looked through for those to remove; 0 never */
	const char *prune_trouble; /* NULL, or why none is removed */
	bool stopped_deletions;    /* more than max_delete: held until folder_approve */
	int64_t held_files, held_folders, held_bytes, held_upto;
	int64_t forgotten_files, forgotten_folders,
		forgotten_bytes; /* no longer covered by the rules, still at the remote */
	int64_t forgotten_upto,
		forgotten_removing; /* the name of their list; so many are being removed */
	bool conditions_known;
	bool conditions; /* the remote refuses to replace what somebody else wrote; else it is looked at just before */
	bool verifying;
	char *verify_text;          /* what the last full compare found; NULL: none yet */
	const char *verify_trouble; /* NULL, or why the last one did not come to its end */
	int64_t verified_ns;        /* when it ended */
	int64_t verify_compared, verify_read, verify_missing,
		verify_changed; /* of this one or the last */
	bool restoring;         /* it was empty, and is brought back: so much of it is here */
	int64_t restored_files, restored_bytes, restore_files, restore_bytes;
	char *refused_root; /* NULL, or the root is another folder than was synced: folder_approve_root */
	char **away; /* paths of folders whose disk is not mounted: their subtrees are left alone */
};
void folder_status(struct folder *folder, struct folder_status *status);
void folder_status_release(struct folder_status *status);
/* At most `limit`; the caller's array, freed with folder_troubles_free. */
size_t folder_troubles(struct folder *folder, size_t limit, struct folder_trouble **troubles);
void folder_troubles_free(struct folder_trouble *troubles, size_t count);

/* Cheap enough to be asked for each second. */
struct folder_progress {
	int64_t pending;
	int64_t left_bytes; /* about; -1: not known yet */
	int64_t moved_bytes; /* both ways since this start, with what is on its way; falls when a transfer fails */
};
void folder_progress(struct folder *folder, struct folder_progress *progress);
/* Looks how large is what waits, now and then: where left_bytes is wanted this is called each second or so. */
void folder_weigh(struct folder *folder);

/* What is on its way now, the longest first; at most `limit`. The caller's array. */
struct folder_flight {
	char *path;
	int64_t size_bytes; /* -1: not known (yet), or it is no file */
	int64_t done_bytes; /* of what it does now; -1: not known */
	const char *doing;  /* "reading" "sending" "bringing" "waiting" */
};
size_t folder_flights(struct folder *folder, size_t limit, struct folder_flight **flights);
void folder_flights_free(struct folder_flight *flights, size_t count);

/* Two edits of one path that were both kept, the newest first, as long as the copy is there; at most `limit`. The caller's array. */
struct folder_conflict {
	char *path, *origin; /* the copy, and what it is one of */
	bool theirs;         /* the copy is what the remote had, and the other is ours */
	int64_t noted_ns;
};
size_t folder_conflicts(struct folder *folder, size_t limit, struct folder_conflict **conflicts);
void folder_conflicts_free(struct folder_conflict *conflicts, size_t count);

/* A person says which edit gets the name of both, and which one goes; the conflict of `copy` is over then. What goes is in the trash
 * before. ERR_BUSY: not now, or a program has the database open; ERR_NOT_FOUND: no such conflict, or what is to stay is gone. `done`:
 * exactly once, never inside, unless -1 was returned; ERR_CANCELLED when the folder stops. */
enum folder_keep { FOLDER_KEEP_MINE, FOLDER_KEEP_THEIRS, FOLDER_KEEP_BOTH };
int folder_resolve(struct folder *folder, const char *copy, enum folder_keep keep,
	void (*done)(void *user, const struct err *err), void *user, struct err *err);

/* The machine may be taken away at any moment: what is dirty goes at once, without settling and pace, small files before large ones and
 * of each size the newest first, and nothing waits for another. Again: for what was written since. False: as usual. */
void folder_urge(struct folder *folder, bool urgent);

/* What would go if it were approved, oldest first, at most `limit`; *upto names this list for folder_approve. The caller's array. */
struct folder_deletion {
	char *path;
	bool folder;
	int64_t bytes;
};
size_t folder_deletions(
	struct folder *folder, size_t limit, struct folder_deletion **deletions, int64_t *upto);
void folder_deletions_free(struct folder_deletion *deletions, size_t count);
/* A person saw the list named by `upto`: these go, what came after stays. ERR_CHANGED: nothing is held back. */
int folder_approve(struct folder *folder, int64_t upto, struct err *err);

/* A person says that the root, whose identity was shown as refused_root, is to be synced as it is. */
int folder_approve_root(struct folder *folder, const char *root, struct err *err);

/* Compares the remote with what was agreed, in the background; `read`: the contents of all files too. What is missing or changed there
 * is sent again; nothing is deleted. ERR_BUSY: not now. */
int folder_verify(struct folder *folder, bool read, struct err *err);

/* What is no longer covered by the rules; the caller's array, as of folder_deletions. */
size_t folder_forgotten(struct folder *folder, size_t limit, struct folder_deletion **list);
/* Of the list named by `upto`: no longer counted; `remote`: removed at the remote, in the background, with a version kept in backup mode.
 * ERR_BUSY: not now. */
int folder_forget(struct folder *folder, int64_t upto, bool remote, struct err *err);

/* What only the remote has: never deleted without a person (SYNC.md §7). At most `limit` are listed; `upto` names the list. `list` is the
 * caller's, as of folder_deletions. */
struct folder_strangers {
	int64_t files, folders, bytes, upto;
	struct folder_deletion *list;
	size_t count;
};
int folder_strangers(
	struct folder *folder, size_t limit, struct folder_strangers *strangers, struct err *err);
/* A person saw that list: it is removed at the remote in the background, with versions kept in backup mode; what the rules leave out
 * stays. ERR_CHANGED: the list is another by now; ERR_BUSY: not before all is known that is here. */
int folder_remove_strangers(struct folder *folder, int64_t upto, struct err *err);

/* ---- what stood there (past.c): for `tend ls`, `versions`, `restore`, with a daemon and without ---- */

#define PAST_NOW INT64_MAX

struct past_options {
	struct loop *loop;
	struct store *store;
	const char *remote_key; /* the folder's own key */
	const char *path;       /* inside the folder, plain; "": all of it */
	int64_t at_ns;          /* PAST_NOW, or a time */
	bool recursive;         /* else what lies directly in `path` */
	bool way; /* recursive: also `path` itself and the folders it lies in, for their modes */
	bool versions;       /* all contents of the one path: past_next_version */
	const char *scratch; /* a file that is not there: its work place, gone with it */
	/* Whose index knows since when things stand there: a folder of the daemon, or, when none runs, the file; NULL: nobody does. */
	struct folder *folder;
	const char *index_path;
};

enum past_kind { PAST_FILE, PAST_FOLDER, PAST_LINK };

/* Strings are the past's, until its next answer. */
struct past_item {
	const char *path; /* inside the folder */
	enum past_kind kind;
	int64_t size;
	int64_t mtime_ns;    /* STORE_MTIME_UNKNOWN: a listing of this store does not tell */
	int mode;            /* STORE_MODE_UNKNOWN */
	int64_t from_ns;     /* since when it stood there; 0: not known */
	int64_t to_ns;       /* until when; 0: it still does */
	const char *version; /* what past_fetch wants; NULL: what stands there now */
};

struct past;
/* Reads what the remote says; options are copied. `done` comes exactly once, never inside; then the answers can be had. NULL with err. */
struct past *past_start(const struct past_options *options,
	void (*done)(struct past *past, void *user, const struct err *err), void *user,
	struct err *err);
void past_cancel(struct past *past); /* `done` comes with ERR_CANCELLED, unless it came */
void past_free(struct past *past);   /* after `done`; NULL is fine */
/* In order of the walk, a folder before what lies in it. 1, 0 at the end, -1. */
int past_next(struct past *past, struct past_item *item, struct err *err);
/* All contents of the one path that was asked for, oldest first, what stands there now last. 1, 0, -1 as above. */
int past_next_version(struct past *past, struct past_item *item, struct err *err);

/* For a folder of the daemon: fills in all but `path`, `at_ns` and `recursive`. past_options_release frees what was made. */
void folder_past(struct folder *folder, struct past_options *options);
void past_options_release(struct past_options *options);

enum { PAST_SPAN_BYTES = 4 << 20 };
/* One content, span by span of so many bytes at most. */
struct past_fetch {
	/* Exactly once for each past_fetch_next. With err NULL op.answer_body holds the span (of any length), op.entry what it belongs to. */
	void (*done)(struct past_fetch *fetch, const struct err *err);
	struct store_op op;
	bool ended;       /* that was the last one */
	struct list link; /* private, as is all below */
	struct loop *loop;
	struct store *store; /* NULL: the folder went away */
	struct folder *folder;
	char *key, *expected, *revision;
	int64_t offset;
	bool in_flight;
	struct defer refuse;
};
/* `version` as in a past_item; `folder` may be NULL. -1: no plain path, or no version's name. */
int past_fetch_init(struct past_fetch *fetch, const struct past_options *options,
	enum past_kind kind, const char *path, const char *version, struct err *err);
/* The next span begins here, with at most `length` bytes, of this version (borrowed; NULL: any). Nothing in flight. */
void past_fetch_at(struct past_fetch *fetch, int64_t offset, int64_t length, const char *version);
void past_fetch_next(struct past_fetch *fetch);
void past_fetch_cancel(struct past_fetch *fetch); /* what is in flight ends soon, with its `done` */
void past_fetch_release(struct past_fetch *fetch); /* nothing in flight */

/* ---- bringing it back (restore.c): the flow of `tend restore`, and of POST .../restore in a folder's own place ---- */

/* One content on its way. Its source empties what it writes to, and writes to `fd`, or, where that is -1, a link's target to
 * `target`. */
struct restore_content {
	const struct past_item *item;
	int fd;
	struct buf target;
	/* The last bytes, which the source need not write itself: they belong at `tail_at`, and what stands there is to be cut off before
	 * where that is 0. */
	struct buf tail;
	int64_t tail_at;
	bool whole; /* there is no `fd`: all of it is to come as `tail`, or it fails as changed */
	/* ---- told before `done` ---- */
	int64_t size, mtime_ns; /* STORE_MTIME_UNKNOWN */
	int mode;               /* STORE_MODE_UNKNOWN */
	char *version;          /* the restore's to free; NULL: not told */
	void (*done)(struct restore_content *content, const struct err *err);
	/* What a kill leaves to go on with: so many bytes are on the disk, and what is told before `done` is known by now. NULL: nobody
	 * wants to know. */
	void (*noted)(struct restore_content *content, int64_t upto);
	int64_t upto; /* so many are here already, of a content of this size, version, mtime and mode; 0: none */
	uint64_t ino; /* of the file, before `noted` */
	void *impl;   /* the source's */
};

enum { RESTORE_LATER = 2 };

struct restore_source {
	void *user;
	/* A folder before what lies in it. 1, 0: no more, RESTORE_LATER: restore_go follows, -1. */
	int (*next)(void *user, struct past_item *item, struct err *err);
	/* `done` comes exactly once, ERR_CHANGED when it changed meanwhile. */
	void (*fetch)(void *user, struct restore_content *content);
	void (*cancel)(void *user, struct restore_content *content);
	void (*release)(void *user, struct restore_content *content); /* after done */
};

enum restore_news {
	RESTORE_LEFT,   /* what is there stays; `text`: why */
	RESTORE_FAILED, /* `text`: why */
	RESTORE_ASIDE, /* a database whose -wal, -shm or -journal lies there: as `text` beside it */
};

struct restore_calls {
	void (*told)(void *user, enum restore_news news, const char *path, const char *text);
	void (*went_on)(void *user); /* the counts have changed; may be NULL */
	/* Exactly once, never inside start. The restore is the user's to free then. */
	void (*done)(void *user, const struct err *err);
};

struct restore_counts {
	int64_t files, links, folders, bytes; /* brought back */
	int64_t same;                         /* stood there already */
	int64_t left, failed;
};

struct restore_options {
	struct loop *loop;
	struct disk *disk; /* where to; borrowed */
	bool overwrite;
	size_t slots;         /* contents at once */
	int64_t memory_bytes; /* their spans together, about; 0: any */
	int mode_unknown;     /* of files whose mode nobody tells */
	bool at_once;         /* trouble that is not of one path alone ends it, with that error */
	struct restore_source source;
};

struct restore;
struct restore *restore_start(
	const struct restore_options *options, const struct restore_calls *calls, void *user);
void restore_go(struct restore *restore); /* the source has more now */
/* `done` comes with ERR_CANCELLED; what has its place stays, the rest leaves nothing behind. */
void restore_cancel(struct restore *restore);
const struct restore_counts *restore_counts(const struct restore *restore);
void restore_free(struct restore *restore); /* after done; NULL is fine */

/* Contents from the remote itself, for a source's fetch, cancel and release. */
void restore_past_fetch(const struct past_options *options, struct restore_content *content);
void restore_past_cancel(struct restore_content *content);
void restore_past_release(struct restore_content *content);

/* In the folder's own place, with the rights of its `user`; one at a time. ERR_INVALID: a path that leads out of it; ERR_BUSY: not now.
 * It ends by itself, cancelled, when the folder stops. */
struct restore_question {
	char **paths;  /* inside the folder; NULL or none: all of it */
	int64_t at_ns; /* PAST_NOW, or a time */
	bool overwrite;
	bool covered; /* only what the folder's rules include */
	bool known;   /* of the first contact, a moment ago: the remote is not listed once more */
	bool at_once; /* as in restore_options */
	size_t slots; /* contents at once; 0: four */
	int64_t memory_bytes; /* as in restore_options */
};
struct restore *folder_restore(struct folder *folder, const struct restore_question *question,
	const struct restore_calls *calls, void *user, struct err *err);

/* ---- what a sync would do, without doing it (dry.c): nothing is written here, at the remote or in the index. For commands: blocks, and
 * runs `loop` while the remote is asked. ---- */

enum dry_what {
	DRY_SEND,       /* new, or other bytes than were stored */
	DRY_ATTRIBUTES, /* the same bytes, another time or mode */
	DRY_DELETE,     /* gone here: removed at the remote, in mode backup with a version kept */
	DRY_FORGET,     /* left out by the rules since it was stored: stays at the remote */
	DRY_UNREADABLE, /* cannot be looked at, or stands in the way of another kind of thing: left as it is */
	/* two-way and fetch only */
	DRY_BRING,    /* new at the remote, or changed there: comes here */
	DRY_REMOVE,   /* gone at the remote: goes here, to the trash */
	DRY_CONFLICT, /* changed on both sides: both are kept */
	DRY_WHATS
};

struct dry_totals {
	int64_t files[DRY_WHATS], bytes[DRY_WHATS];
	int64_t same;    /* files and links that are as they were stored */
	bool contacted;  /* by the index; else by what the remote lists */
	bool over_brake; /* the deletions are more than max_delete: they would wait for approval */
};

/* `index_path`: the folder's index, which need not be there; may be NULL. `found` is told every path. -1 with
 * err: the folder cannot be opened, or the remote does not answer. */
int dry_run(struct loop *loop, const char *index_path, const struct folder_settings *settings,
	struct store *store,
	void (*found)(void *user, enum dry_what what, const char *path, int64_t bytes), void *user,
	struct dry_totals *totals, struct err *err);

/* Called when something worth an event changed. */
void sync_observe(
	struct sync *sync, void (*changed)(void *user, struct folder *folder), void *user);

#endif
