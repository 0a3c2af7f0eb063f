/* Inside `tend restore`: what it brings back (restore.c), and how one file gets its place (restore_file.c). */
#ifndef TEND_RESTORE_H
#define TEND_RESTORE_H

#include <stdio.h>

#include "disk/disk.h"
#include "tend/source.h"
#include "term/term.h"

enum { RESTORE_SLOTS = 16 };

struct restore;

/* One file or link on its way. */
struct restore_slot {
	struct restore *restore;
	bool busy;
	json_t *entry;
	char *path;
	struct source_fetch fetch;
	struct defer ended; /* done leads here, when nobody is inside the fetch any more */
	struct err err;
	int tries;
	int fd;       /* -1: a link */
	char *beside; /* where it is written */
	int64_t written;
	bool is_database;
	struct buf target; /* a link's */
};

/* What is done when all else has its place: databases, and modes of folders, which may forbid writing. */
struct restore_later {
	char *path, *beside;
	int64_t mtime_ns;
	int mode;
};

struct restore_laters {
	struct restore_later *at;
	size_t count;
};

struct restore {
	struct call *call;
	struct source source;
	struct disk *disk; /* where it goes */
	char *to;
	bool overwrite;
	FILE *spool; /* entries, one a line */
	size_t wanted, files, links, folders;
	int64_t bytes;
	struct restore_slot slots[RESTORE_SLOTS];
	int busy;
	bool started_all, finished;
	struct restore_laters databases, modes;
	json_t *left, *failed; /* paths */
	struct term term;
};

void restore_step(
	struct restore *restore); /* starts what has a free slot; ends when all is through */

/* ---- restore_file.c ---- */

void restore_entry(
	struct restore *restore, struct restore_slot *slot, json_t *entry); /* takes it */
void restore_failed(struct restore *restore, const char *path, const struct err *err);
void restore_place_laters(struct restore *restore);

#endif
