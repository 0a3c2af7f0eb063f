/* Inside sync: the flow of restore.c, one thing's way of restore_file.c, its work in jobs of restore_place.c. */
#ifndef SYNC_RESTORE_H
#define SYNC_RESTORE_H

#include "disk/disk.h"
#include "index/index.h"
#include "sync/restore_rule.h"
#include "sync/sync.h"

/* In the names of files that have no place yet, so that those a crash left are known again. */
#define RESTORE_HINT "restore"

/* Of a long content so many spans are on their way at once. */
enum { RESTORE_RANGES = 4 };

/* In the order they happen. */
enum restore_state {
	RESTORE_OPENING, /* restore_folder.c: the root, in a job */
	RESTORE_RUNNING,
	RESTORE_PLACING, /* databases, then modes of folders */
	RESTORE_ENDED,
};

enum slot_state {
	SLOT_FREE,
	SLOT_LOOKING, /* what stands there? A folder is made at once, and where nothing is, the file to write */
	SLOT_MAKING, /* the same where something is, and will be replaced */
	SLOT_FETCHING,
	SLOT_PLACING,  /* or it waits for that (restore_batch.c) */
	SLOT_CLEANING, /* nothing became of it: what was written goes */
};

/* Beside its place, until it gets it. */
struct restore_place {
	char *path, *beside;
	bool replaces; /* what `here` says, and nothing else */
	struct disk_stat here;
	bool appeared; /* something else stands there meanwhile: it stays */
	char *aside;   /* it got this name instead */
	struct err err;
};

/* A folder that was made: its time and mode come last, since they may forbid writing. */
struct restore_mode {
	char *path;
	int64_t mtime_ns;
	int mode;
	bool made; /* of `above` */
	struct err err;
};

struct restore_slot {
	struct restore *restore;
	enum slot_state state;
	struct job job;
	struct disk *disk;
	struct defer fetched; /* nobody is inside the fetch any more */
	struct past_item item;
	char *version;
	char **mounts;              /* on its way: something must be mounted there */
	struct restore_mode *above; /* of folders on its way, what is known */
	size_t above_count;
	struct restore_place place;
	bool there, sees; /* sees: it may be there already */
	int mode_unknown;
	struct restore_content content;
	int tries;
	bool is_database;
	int64_t span_bytes; /* what it may hold in memory */
	/* Into the folder itself, where all of it came at once: */
	bool digests, hashed, expects; /* expects: the remote told what it must be */
	enum digest_kind digest;
	uint8_t hash[DIGEST_MAX], expected[DIGEST_MAX];
	bool other_bytes;
	bool noted, keeps;    /* of what came the index knows; and the next start goes on with it */
	struct disk_stat now; /* as it was placed; kind DISK_OTHER: not looked at */
	bool has_row;
	struct index_entry row; /* of a pull: what the index says of it */
	struct err err;
};

/* Small files that get their places in one job. */
enum { RESTORE_BATCH = 8, RESTORE_BATCHES = 4 };

struct restore_batch {
	struct restore *restore;
	struct job job;
	struct restore_slot *slots[RESTORE_BATCH];
	size_t count; /* 0: free */
};

struct restore {
	struct loop *loop;
	struct restore_options options;
	struct restore_calls calls;
	void *user;
	struct restore_counts counts;

	enum restore_state state;
	bool cancelled, no_more;
	struct err err; /* it as a whole */
	struct defer step;
	struct restore_slot *slots;
	size_t busy;
	int64_t spans_bytes; /* of the busy ones */
	bool making_folder;  /* what lies in it waits */

	struct restore_batch batches[RESTORE_BATCHES];
	struct restore_slot **ready; /* they wait for one */
	size_t ready_count, batches_busy;
	struct defer gather; /* a batch begins behind all that came in this turn */

	struct job last_job;
	struct err sync_err;
	struct restore_place *databases;
	size_t database_count;
	struct restore_mode *modes;
	size_t mode_count;

	struct restore_home *home; /* restore_folder.c; NULL: brought back elsewhere */
};

/* restore.c */
void restore_step(struct restore *restore);
void restore_tell(
	struct restore *restore, enum restore_news news, const char *path, const char *text);

/* restore_file.c */
void restore_item(struct restore *restore, struct restore_slot *slot, const struct past_item *item);
void restore_slots_cancel(struct restore *restore);

/* Its bytes were written, and it has its place, or the error says what was in the way. */
void restore_slot_placed(struct restore_slot *slot, const struct err *err);
void restore_slot_drop(struct restore_slot *slot);

/* restore_batch.c: all of its bytes are in memory */
void restore_batch_add(struct restore_slot *slot);
void restore_batch_init(struct restore *restore);
void restore_batch_release(struct restore *restore);

/* restore_fetch.c: so much of it has come; 0 where nothing comes. */
int64_t restore_past_moved(const struct restore_content *content);

/* restore_place.c: in jobs */
int restore_look_work(struct job *job, struct err *err);
int restore_make_work(struct job *job, struct err *err);
int restore_place_work(struct job *job, struct err *err);
int restore_clean_work(struct job *job, struct err *err);
/* Several of one restore; their errors are their own. */
void restore_make_slots(struct restore_slot *const *slots, size_t count);
int restore_last_work(struct job *job, struct err *err);
void restore_place_release(struct restore_place *place);

/* restore_folder.c and restore_pull.c, where `home` is not NULL */
struct folder *restore_home_folder(const struct restore *restore);
bool restore_home_pulls(const struct restore *restore); /* it brings a whole folder back */
/* Of the item that was given last. The caller's; false: not known. */
bool restore_home_take_row(struct restore *restore, struct index_entry *row);
void restore_home_row(struct restore *restore, struct restore_slot *slot);
/* What the index knows of what stands there. */
void restore_home_knows(
	struct restore *restore, const struct restore_slot *slot, struct restore_rule_question *q);
/* As it was agreed, or the remote told; STORE_MODE_UNKNOWN. */
int restore_home_mode(const struct restore *restore, const char *folder);
/* What must come, as the index knows it of the version that is coming. */
void restore_home_expects(struct restore *restore, struct restore_slot *slot);
/* What only the remote was known to have is here now, by these bytes: nobody need read it again, and most of it is agreed. */
void restore_home_placed(struct restore *restore, struct restore_slot *slot);
/* So much of it is on the disk: the next start goes on from there, should this one end before. */
void restore_home_noted(struct restore *restore, struct restore_slot *slot, int64_t upto);
/* Has an earlier run left something of it? */
void restore_home_resumes(struct restore *restore, struct restore_slot *slot);
/* Nothing stood here when it was looked a moment ago: what comes is placed without another look. */
bool restore_home_was_empty(const struct restore *restore);
char **restore_home_mounts(const struct restore *restore, const char *path);
struct restore *restore_home_of(struct list *link); /* of folder->restores */
bool restore_home_busy(const struct restore *restore);
/* It is going to open databases: true when it may; else it goes on when it may. */
bool restore_home_opens(struct restore *restore);
void restore_home_cancel(struct restore *restore);
void restore_home_ended(struct restore *restore); /* right before `done` */
void restore_home_free(struct restore *restore);

#endif
