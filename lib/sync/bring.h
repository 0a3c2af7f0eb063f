/* Inside sync: what the remote has comes here, or goes here as it went there; the flow of bring.c, its end of bring_end.c, its work in jobs of bring_place.c. */
#ifndef SYNC_BRING_H
#define SYNC_BRING_H

#include "sync/internal.h"

enum bring_what {
	BRING_FILE,
	BRING_LINK,
	BRING_FOLDER,
	BRING_SET, /* mtime and mode of a file, mode of a folder */
	BRING_REMOVE,
	BRING_RMDIR,
};

enum {
	BRING_LANES = 4,
	BRING_SYNC_MS = 250, /* of what comes this much at most is not on the disk for sure */
};

enum bring_lane_state {
	BRING_FREE,
	BRING_SUBMITTED,
	BRING_GETTING,
	BRING_WRITING,
	BRING_WRITTEN, /* its bytes wait for their turn in the hash */
	BRING_SUMMING, /* and are written by the same job, where that is to be done yet */
};

/* A span of a large file on its way. */
struct bring_lane {
	struct transfer *transfer;
	enum bring_lane_state state;
	struct submit submit;
	struct store_op op;
	bool op_ready; /* op was initialised */
	int64_t offset, end;

	/* ---- the job's ---- */
	struct job job;
	bool sums, is_written;
};

struct bring {
	enum bring_what what;
	/* ---- what comes; the loop's while no job runs ---- */
	int64_t size, mtime_ns; /* STORE_MTIME_UNKNOWN */
	int mode;               /* STORE_MODE_UNKNOWN */
	char *version, *id, *expected;
	bool got;       /* all of it */
	int64_t offset; /* all before it is written, and in the hash */
	struct digest digest;
	bool digesting;
	uint8_t hash[DIGEST_MAX];
	struct buf target; /* a link's */
	int fd;
	char *beside;
	bool made_above; /* folders on its way were made, and are no things that were brought */

	/* ---- in several spans at once (bring_ranges.c) ---- */
	struct transfer *transfer;
	struct disk *disk;
	struct bring_lane lanes[BRING_LANES];
	size_t lane_count, busy;
	int64_t next;      /* nobody asked for what follows */
	bool summing;      /* a job has the digest */
	struct err failed; /* the first that did */

	/* ---- what a restart goes on with (bring_resume.c) ---- */
	struct job sync_job;
	struct timer sync_timer;
	bool syncing;
	int64_t sync_to, sync_ms; /* bytes; when the last sync ended */
	int64_t noted;            /* so many bytes are on the disk, and the index says so */
	uint64_t ino;             /* of the file beside */
	int64_t resumes;          /* so many are taken over from an earlier run; 0: none */
	int64_t reread;           /* by the last job: of them, and in the hash */
	bool spoilt;              /* what is here is of no use for another try */

	/* ---- for the job that places it ---- */
	char *aside;  /* ours gets this name; NULL: it is replaced */
	char *theirs; /* theirs gets this name, where ours is a database in use */
	char *trash;  /* the place of all trash; NULL: nothing is kept, or the ground keeps it */
	const struct sync_ground *ground; /* NULL: the system's */
	const char *name;                 /* the folder's, in it */
	char day_text[16], time_text[24];
	bool snapshots; /* databases are captured */

	/* ---- what the job found ---- */
	bool changed;  /* what stands there is not what was planned for */
	bool raced;    /* somebody was at it right after: `now` is not what was placed */
	bool in_use;   /* theirs got a name of its own; or what is to go is a living database */
	bool occupied; /* the folder holds something still: some of it, "x/" a folder */
	char **names;
	bool again; /* it was looked at a second time */
	struct disk_stat now;
	bool is_database, have_source;
	struct disk_source source;
};

void bring_start(struct transfer *transfer, enum bring_what what);
/* A folder that was not empty, once more: true, and bring_placed() comes again; false: that was the second time. */
bool bring_rmdir_again(struct transfer *transfer);

/* bring_end.c */
void bring_fail(
	struct transfer *transfer, const struct err *err); /* with no struct bring any more */
void bring_placed(struct job *job, const struct err *err); /* of bring_place_work */
/* What is agreed right in this folder is asked for by its name; 0, -1: the index failed. */
int bring_doubt_children(struct folder *folder, const char *path, bool hollow, struct err *err);

/* bring.c */
void bring_get_first(struct transfer *transfer); /* nothing of it is here */
/* All spans are here; or the first error. */
void bring_ranges_ended(struct transfer *transfer, const struct err *err);

/* bring_ranges.c: what lies behind `offset`; its size and version are known */
void bring_ranges_start(struct transfer *transfer);
bool bring_ranges_cancel(struct transfer *transfer); /* false: nothing is on its way */
void bring_ranges_release(struct bring *bring);      /* nothing is on its way */

/* bring_resume.c */
/* Takes over what an earlier run left of this version, else removes it. False: the index failed, the transfer is gone. */
bool bring_resume_find(struct transfer *transfer);
void bring_resume_start(struct transfer *transfer); /* bring->resumes: reads it, and goes on */
/* `upto` bytes are on the disk. */
int bring_note(struct transfer *transfer, int64_t upto, struct err *err);

/* bring_place.c: in jobs, which touch their own transfer only */
int bring_write_work(struct job *job, struct err *err);
int bring_place_work(struct job *job, struct err *err);

/* trash.c: where that is; bring->trash is the caller's to free */
void trash_place(const struct folder *folder, struct bring *bring);
/* What stands at `path` is copied below bring->trash; in a job */
int trash_keep(struct disk *disk, const char *path, const struct disk_stat *stat,
	const struct bring *bring, struct err *err);

#endif
