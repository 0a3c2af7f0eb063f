/* Between the two halves of a scan: what the loop asks a job for (scan.c), and what that found (scan_list.c). */
#ifndef SYNC_SCAN_H
#define SYNC_SCAN_H

#include "sync/internal.h"

enum {
	SCAN_CHUNK_FOLDERS = 32,   /* a job lists so many folders at the most */
	SCAN_CHUNK_ENTRIES = 4000, /* and goes no further than so many entries */
};

/* What a job found to be different from the index, or merely to be there. */
enum scan_what { SCAN_SAME, SCAN_NEW, SCAN_DIFFERS, SCAN_GONE, SCAN_AWAY };

struct scan_found {
	char *name;
	enum scan_what what;
	enum disk_kind kind; /* of what is there; for SCAN_GONE: of what was */
	int64_t size, mtime_ns;
};

struct scan_listed {
	struct watch_add add;
	char *path;
	struct err err;
	bool done;
	char **mounts;    /* on it or above it */
	const char *away; /* one of them with nothing mounted: what was listed says nothing */
	char *rules;      /* the text of its .tendignore; NULL: none */
	bool rules_unread;
	struct scan_found *found;
	size_t count, cap;
	int same; /* entries that are as agreed and not told */
};

struct scan_job {
	struct job job;
	struct folder *folder;
	struct disk *disk;
	struct index_reader *reader;
	struct disk_identity root; /* as it was opened */
	bool root_gone;
	bool tell_same; /* rules may have changed: also what is as agreed */
	int64_t leftovers_ns, brought_before_ns;
	char **known; /* names of files without a place that are gone on with */
	struct scan_listed folders[SCAN_CHUNK_FOLDERS];
	size_t count;
};

/* The job's work: lists each folder in turn, and says in `done` which it came to. */
int scan_work(struct job *base, struct err *err);

#endif
