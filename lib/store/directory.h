/*
 * The directory store: a folder that plays a cloud (SYNC.md §3). Private to store.
 *
 * The loop side (directory.c) hands each operation to one job; the verbs run on a worker, and
 * touch nothing but their struct directory_op, the operation in it, which is theirs until `done`,
 * and the disk, which is immutable.
 */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include <stdatomic.h>

#include "disk/disk.h"
#include "store/internal.h"

/* Ours at the root: temporary files, owners' marks, kept versions. */
#define DIRECTORY_OWN ".tend"
#define DIRECTORY_TMP ".tend/tmp"

/* Nobody over there has a hash, so that it is ours to choose: no cheaper one is safe. Measured, a
 * processor with instructions for it: 5 us for 8.5 KB, MD5 12 us. */
#define DIRECTORY_DIGEST DIGEST_SHA256

enum {
	DIRECTORY_PART_BYTES = 64 << 20,
	DIRECTORY_UNSYNCED_MAX = 64, /* files to sync one by one; beyond: the whole file system */
	DIRECTORY_FOREIGN_MAX = 8,   /* other file systems mounted inside */
	DIRECTORY_RECENT_MAX = 4,    /* folders held open: workers that place files at a time */
};

struct directory_recent {
	struct disk_folder *folder;
	uint64_t turn; /* of the loop, that its operations were begun in */
};

/* The root while it is held open. */
struct directory_root {
	struct disk *disk;
	unsigned users; /* operations at work in it */
	/* The turn of the loop whose first brief operation saw that it is where it was. */
	atomic_uint_least64_t seen_turn;
	/* Folders that small new files came into, held open for those begun in the same turn. Whoever takes one out has it alone. */
	_Atomic(struct directory_recent *) recent[DIRECTORY_RECENT_MAX];
};

/* What must reach the medium at the next SYNC. */
struct directory_unsynced {
	char *paths[DIRECTORY_UNSYNCED_MAX];
	size_t count;
	bool all;
	struct {
		uint64_t dev;
		char *folder;
	} foreign[DIRECTORY_FOREIGN_MAX];
	size_t foreign_count;
};

/* One operation on its way. */
struct directory_op {
	struct job job;
	struct list link; /* waiting for the root, or free */
	struct directory *directory;
	struct directory_root *root;
	struct store_op *op;
	struct disk *disk;
	uint64_t turn; /* it was begun in */

	/* ---- what the worker found ---- */
	bool lost;         /* the root is not at its path any more */
	bool wrote;        /* something changed at `key` or `to_key` */
	bool made_own;     /* DIRECTORY_OWN stands there now */
	bool made_folders; /* parents of keep_key: those above it must reach the medium too */
	uint64_t dev;      /* where it was written */
	struct directory_unsynced unsynced; /* SYNC: the question */
};

/* directory_sync.c, on the loop: what `work` wrote is to be synced; everything is; nothing. */
void directory_unsynced_note(struct directory_unsynced *unsynced, const struct directory_op *work);
void directory_unsynced_all(struct directory_unsynced *unsynced);
void directory_unsynced_release(struct directory_unsynced *unsynced);

typedef int directory_verb(struct directory_op *work, struct err *err);

/* directory_look.c */
directory_verb directory_list, directory_stat, directory_get, directory_about;
/* directory_names.c */
directory_verb directory_set, directory_mkdir, directory_copy, directory_move, directory_remove;
/* directory_put.c */
directory_verb directory_put;
/* directory_sync.c */
directory_verb directory_sync;
/* directory_parts.c */
directory_verb directory_part_begin, directory_part_put, directory_part_query, directory_part_end,
	directory_part_abort;

/* The answer's entry from a look at what stands there. */
void directory_entry(struct store_entry *entry, const struct disk_stat *stat);
char *directory_version(const struct disk_stat *stat);
/* Looks at `key`: 1, or 0 when nothing stands there; -1. */
int directory_look(
	struct directory_op *work, const char *key, struct disk_stat *stat, struct err *err);
/* Looks again at `path`, after the change, and answers that. */
int directory_answer(struct directory_op *work, const char *path, struct err *err);
/* The hash of the file or link at `path` into the answer. */
int directory_hash(
	struct directory_op *work, const char *path, const struct disk_stat *stat, struct err *err);
int directory_fail_folder(const char *key, struct err *err); /* "a folder stands there" */
int directory_fail_changed(const char *key, struct err *err);

/* directory_aside.c: what is written aside until it gets its name. */
struct directory_made {
	char *path; /* NULL: none, or it has its name by now */
	int fd;     /* -1: a link */
};
void directory_made_init(struct directory_made *made);
/* Closes; removes it unless it was placed. */
void directory_made_release(struct directory_op *work, struct directory_made *made);
/* A new file in DIRECTORY_TMP. */
int directory_make_file(
	struct directory_op *work, const char *hint, struct directory_made *made, struct err *err);
int directory_make_link(struct directory_op *work, const char *target, int64_t mtime_ns,
	struct directory_made *made, struct err *err);
/* A copy of the file or link `from` with its mtime and mode; `sync`: its bytes are on the disk. */
int directory_make_copy(struct directory_op *work, const char *from, bool sync,
	struct directory_made *made, struct err *err);
/* Gives it its name. !replace: ERR_CHANGED when that is taken. */
int directory_made_place(struct directory_op *work, struct directory_made *made, const char *to,
	bool replace, struct err *err);
void directory_recent_close(struct directory_recent *recent); /* NULL is fine */
/* A rename that makes the folders `to` lies in, and may cross file systems. Never replaces. */
int directory_rename_new(
	struct directory_op *work, const char *from, const char *to, struct err *err);
int directory_make_parents(struct directory_op *work, const char *path, struct err *err);

/* directory_put.c: the conditions, keep_key, and the name: the end of PUT and PART_END. Success as
 * well when a condition fails because the very same thing stands there already. */
int directory_place(struct directory_op *work, struct directory_made *made, struct err *err);

/* directory_keep.c: what stands at op->key, and looks like `stat`, is kept at op->keep_key, and
 * op->kept set. `away`: `key` is gone by that. */
int directory_keep(
	struct directory_op *work, const struct disk_stat *stat, bool away, struct err *err);
/* `key` is absent: was it kept by an earlier try? */
void directory_kept_before(struct directory_op *work);
/* Is op->if_version what stands there? Also when only our own earlier try to keep it moved its
 * ctime. */
bool directory_is_version(struct directory_op *work, const struct disk_stat *stat);

#endif
