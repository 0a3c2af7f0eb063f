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

struct bring {
	enum bring_what what;
	/* ---- what comes; the loop's while no job runs ---- */
	int64_t size, mtime_ns; /* STORE_MTIME_UNKNOWN */
	int mode;               /* STORE_MODE_UNKNOWN */
	char *version, *id, *expected;
	bool got; /* all of it */
	int64_t offset;
	struct digest digest;
	bool digesting;
	uint8_t hash[DIGEST_MAX];
	struct buf target; /* a link's */
	int fd;
	char *beside;
	bool made_above; /* folders on its way were made, and are no things that were brought */

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
	struct disk_stat now;
	bool is_database, have_source;
	struct disk_source source;
};

void bring_start(struct transfer *transfer, enum bring_what what);

/* bring_end.c */
void bring_fail(
	struct transfer *transfer, const struct err *err); /* with no struct bring any more */
void bring_placed(struct job *job, const struct err *err); /* of bring_place_work */

/* bring_place.c: in jobs, which touch their own transfer only */
int bring_write_work(struct job *job, struct err *err);
int bring_place_work(struct job *job, struct err *err);

/* trash.c: where that is; bring->trash is the caller's to free */
void trash_place(const struct folder *folder, struct bring *bring);
/* What stands at `path` is copied below bring->trash; in a job */
int trash_keep(struct disk *disk, const char *path, const struct disk_stat *stat,
	const struct bring *bring, struct err *err);

#endif
