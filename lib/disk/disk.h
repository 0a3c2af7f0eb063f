/*
 * disk: blocking pieces that run in jobs: look, list, read and hash, write beside and rename,
 * snapshot a live database.
 *
 * Any thread; a `struct disk` is immutable once open, so that jobs may share it. Paths are relative
 * to its root, plain (path_is_plain) or "" for the root itself; no symbolic link below the root is
 * ever followed (openat2 RESOLVE_BENEATH|NO_SYMLINKS where the kernel has it, else component by
 * component with O_NOFOLLOW): behind one there is nothing, ERR_NOT_FOUND with `sys` ELOOP. Every
 * open uses O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC and looks at the kind before it reads.
 *
 * Trap 4 (SYNC.md §13): closing any descriptor of a file drops every POSIX lock this process has on
 * it, those of a running disk_snapshot too. The owner of the loop keeps the set of inodes under
 * capture and starts nothing that opens one of them: disk_open_file, disk_open_write, disk_read,
 * disk_compare, disk_is_sqlite, disk_sync_file, a second disk_snapshot. disk_stat, disk_list,
 * disk_source, disk_set and all that work by name never open the file.
 */
#ifndef DISK_DISK_H
#define DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"
#include "crypto/crypto.h"

enum disk_kind { DISK_FILE, DISK_FOLDER, DISK_LINK, DISK_OTHER };

struct disk_stat {
	enum disk_kind kind;
	int64_t size;
	int64_t mtime_ns, ctime_ns;
	int64_t btime_ns; /* birth; 0 where the file system has none */
	uint64_t ino, dev;
	bool mount; /* something is mounted here: only where the system says so (Linux 5.8) */
	uint32_t nlink;
	int mode; /* permission bits, 07777 */
};

struct disk;

/* The root, links in its own path resolved once. NULL with err. */
struct disk *disk_open(const char *path, struct err *err);
void disk_close(struct disk *disk); /* NULL is fine */

/*
 * As root, in somebody's folder: every name of such a disk is looked up, and what it leads to is
 * opened, made and removed, with that user's rights alone, whatever somebody puts in its place
 * meanwhile. Ids are those of the calling thread, for the time of one call. What is open already
 * needs no rights any more. The daemon's own files (an image's) stay the daemon's.
 */
struct disk_rights;
/* Of a user with these ids and supplementary groups. NULL with err: not root, or the system does
 * not let us (a container, macOS). */
struct disk_rights *disk_rights_new(
	uid_t uid, gid_t gid, const gid_t *groups, size_t count, struct err *err);
void disk_rights_free(struct disk_rights *rights); /* NULL is fine */
/* Takes the rights over, also when it fails. NULL: with our own, as disk_open. */
struct disk *disk_open_as(const char *path, struct disk_rights *rights, struct err *err);
/* Around what others look up by a path below it, in one job (watching, which checks the right to
 * read). Between the two nothing of our own may be opened. */
void disk_enter(const struct disk *disk);
void disk_leave(const struct disk *disk);

const char *disk_path(const struct disk *disk); /* resolved, absolute */
/* Does its path still lead to this folder? Not when it was moved away, or something was mounted on
 * it or unmounted. */
bool disk_is_there(const struct disk *disk);
/* The device it lies on: another `dev` below it is another file system. */
uint64_t disk_dev(const struct disk *disk);

/* (f_fsid, inode, birth time) of the root as it stands at the path now: a hint that it is the
 * same folder. */
struct disk_identity {
	uint64_t fsid, ino;
	int64_t btime_ns;
};
int disk_identity(const char *path, struct disk_identity *identity, struct err *err);
/* The same of what stands at this disk's path now. */
int disk_identity_now(const struct disk *disk, struct disk_identity *identity, struct err *err);

/* Of the thing itself, never of a link's target. */
int disk_stat(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);

struct disk_item {
	char *name;
	struct disk_stat stat;
	struct err err; /* kind != ERR_NONE: it is listed but could not be looked at */
};
struct disk_list {
	struct disk_item *items; /* in byte order of name, where a folder counts as "name/" */
	size_t count;
	struct disk_stat self; /* the folder's own, taken before the listing */
	bool more;             /* disk_list_after: the limit cut it */
};
/* Never opens files. A folder that cannot be read is an error, never an empty list. */
int disk_list(struct disk *disk, const char *path, struct disk_list *list, struct err *err);
/* The first `limit` items (0: all) behind `after` (NULL: from the start), which is a name as it
 * sorts: a folder's ends in '/'. Reads all names each time, but holds only about two pages of
 * them. */
int disk_list_after(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err);
void disk_list_release(struct disk_list *list);
/* The order of lists: <0, 0, >0. */
int disk_name_compare(const char *left, bool left_folder, const char *right, bool right_folder);
/* 1: the folder has no entry at all; 0; -1 with err. Stops at the first entry. */
int disk_is_empty(struct disk *disk, const char *path, struct err *err);

/* A regular file for reading; anything else is ERR_INVALID. `stat` is fstat's. -1 with err. The
 * number is this disk's, which closes it; of the system's files it is a descriptor. */
int disk_open_file(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
void disk_close_file(struct disk *disk, int fd);

int disk_stat_open(int fd, struct disk_stat *stat, struct err *err); /* of a descriptor */

/* Same file with same bytes, as far as the system tells: size, mtime, ctime, inode. */
bool disk_stat_same(const struct disk_stat *left, const struct disk_stat *right);

/* Reads all of a file of at most `max` bytes into `body` (initialised; its max becomes `max`)
 * and hashes it, unless `hash` is NULL; ERR_CHANGED when stat differs after. ERR_INVALID:
 * larger. */
int disk_read(struct disk *disk, const char *path, size_t max, struct buf *body,
	enum digest_kind kind, uint8_t *hash, struct disk_stat *stat, struct err *err);
/* Reads [offset, offset + length) of an open file into `at`; ERR_CHANGED when the file is
 * shorter. */
int disk_read_span(
	struct disk *disk, int fd, int64_t offset, size_t length, void *at, struct err *err);
/* Hashes up to `length` bytes from `offset` in blocks into running digests (one, or two at
 * once); gives the bytes hashed. */
int disk_hash_span(struct disk *disk, int fd, int64_t offset, int64_t length, struct digest *whole,
	struct digest *part, int64_t *done, struct err *err);
/* 1: two files, or two links, with the same bytes; 0: not; -1 with err. */
int disk_compare(struct disk *disk, const char *left, const char *right, struct err *err);
int disk_read_link(struct disk *disk, const char *path, struct buf *target, struct err *err);

/* ---- writing, for the directory store and (later) pulls ---- */

#define DISK_TIME_KEEP     INT64_MIN /* as an mtime: leave it */
#define DISK_BESIDE_PREFIX ".tend-tmp."

/* An existing folder is success and stays as it is; ERR_CHANGED: something else stands there. */
int disk_mkdir(struct disk *disk, const char *path, int mode, struct err *err);
/* The same. 1: a folder stood there already. */
int disk_mkdir_told(struct disk *disk, const char *path, int mode, struct err *err);
/* Those of `path`, with mode 0777 & ~umask. */
int disk_mkdir_parents(struct disk *disk, const char *path, struct err *err);
/* A new file (0600, read and write) in `folder` under a name nobody else has, with `hint` in it
 * for people; -1 with err. `name` gets its path (the caller's). */
int disk_create_beside(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err);
/* A file that takes its place by disk_rename later: disk_create_beside on every ground, with a
 * number of this disk's. disk_close_file gives it up, and leaves what was written. */
int disk_beside_open(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err);
/* One that an earlier run left, to go on with; ERR_INVALID: it is no file. */
int disk_beside_again(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
int disk_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err);
/* Its time and mode; its bytes are on the disk then. Closes it, also when it fails. */
int disk_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err);
/* A small file that is made as a whole: written beside its place, with its time and mode, synced, then renamed over nothing. */
struct disk_make {
	const char *path;
	const void *bytes;
	size_t length;
	int64_t mtime_ns; /* DISK_TIME_KEEP */
	int mode;
	bool stays; /* beside its place, for disk_rename later */
	/* ---- what became of it ---- */
	struct err err; /* ERR_CHANGED: its name is taken. Nothing is left of it then */
	struct disk_stat
		stat; /* as it got its place: of the file itself, whoever renames what meanwhile */
	char *beside; /* where it stays; the caller's */
	int folder, fd; /* private */
	bool ours;
};
/* Several, best of one folder each, which is opened once: all are written before the first is synced. Not in memory. */
void disk_make_files(struct disk *disk, const char *hint, struct disk_make *files, size_t count);
/* From now on the names in `folder` are reached by a descriptor of it that stays open. For one
 * folder of a disk, where files are made by the 100,000; harmless again, or when it is not there. */
void disk_hold(struct disk *disk, const char *folder);
char *disk_beside_path(const char *folder, const char *hint); /* such a path; the caller's */
bool disk_is_beside(const char *name);                        /* such a name */
/* O_EXCL, read and write; the descriptor. ERR_CHANGED: exists. */
int disk_create(struct disk *disk, const char *path, int mode, struct err *err);
/* An existing regular file, for reading and writing. */
int disk_open_write(struct disk *disk, const char *path, struct err *err);
int disk_write_span(int fd, int64_t offset, const void *bytes, size_t length, struct err *err);
/* One line, say, at the end of a file (made 0600) that others may be adding to. */
int disk_append(struct disk *disk, const char *path, const char *text, struct err *err);
/* Reflink, else copy_file_range, else read and write. ERR_CHANGED: the source is shorter. */
int disk_copy_span(
	int from_fd, int64_t from, int to_fd, int64_t to, int64_t length, struct err *err);
/* Reads, adds to `digest` (NULL: none) and writes. */
int disk_copy_hash_span(int from_fd, int64_t from, int to_fd, int64_t to, int64_t length,
	struct digest *digest, struct err *err);
int disk_set_times(int fd, int64_t mtime_ns, int mode, struct err *err); /* mode -1: leave it */
int disk_sync_bytes(int fd, struct err *err);                            /* fdatasync */
/* close, where the file was written: some file systems tell only then that there was no room. */
int disk_close_written(int fd, struct err *err);
/* By name, without opening it. mode -1: leave it. A link: its mtime only. */
int disk_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err);
/* ERR_CHANGED: `path` exists. */
int disk_symlink(struct disk *disk, const char *target, const char *path, struct err *err);
/* Hard link, also of a link itself. ERR_CHANGED: `to` exists. */
int disk_link(struct disk *disk, const char *from, const char *to, struct err *err);
/* !replace: ERR_CHANGED when `to` exists. */
int disk_rename(struct disk *disk, const char *from, const char *to, bool replace, struct err *err);
/* A folder that is held open, for names that come into it one after the other: it is looked for once. It stays that folder wherever it is
 * moved meanwhile, so hold it briefly. Not in memory. NULL with err. */
struct disk_folder;
struct disk_folder *disk_folder_open(struct disk *disk, const char *path, struct err *err);
void disk_folder_close(struct disk_folder *folder); /* NULL is fine. Before the disk */
/* Does `path` lie right in it, as it was opened? */
bool disk_folder_holds(const struct disk_folder *folder, const char *path);
/* disk_rename of a file to such a path. */
int disk_rename_into(const struct disk_folder *folder, const char *from, const char *to,
	bool replace, struct err *err);
/* A file or link. ERR_NOT_FOUND: absent; ERR_CHANGED: a folder. */
int disk_remove(struct disk *disk, const char *path, struct err *err);
int disk_rmdir(struct disk *disk, const char *path, struct err *err); /* ERR_BUSY: not empty */
/* fsync of it and of its folder. */
int disk_sync_file(struct disk *disk, const char *path, struct err *err);
int disk_sync_all(struct disk *disk, struct err *err); /* syncfs */
/* The same for the file system that the folder `path` lies on. */
int disk_sync_all_of(struct disk *disk, const char *path, struct err *err);
int disk_free_bytes(struct disk *disk, int64_t *bytes, struct err *err);
/* May we make entries in the root? ERR_DENIED: no, or mounted read-only. */
int disk_check_writable(struct disk *disk, struct err *err);

/* ---- in memory, for tests ----
 *
 * A tree with inodes of its own behind the same calls: those that look, list and read, those of
 * files beside, and disk_mkdir, disk_set, disk_symlink, disk_link, disk_rename, disk_remove,
 * disk_rmdir, disk_sync_file. It outlives
 * the disks opened on it, is for one thread, and has one root, which the permissions of its owner
 * hold for. Times have the grain of the clock it is given. A freed inode number is given to the next
 * thing that is made. No databases: disk_snapshot answers ERR_CORRUPT.
 */
struct disk_memory;

enum disk_change { DISK_CHANGED, DISK_FOLDER_MADE, DISK_FOLDER_GONE, DISK_FOLDER_MOVED };

/* What a disk that is full or broken fails in. */
enum disk_part {
	DISK_PART_OPEN,
	DISK_PART_READ, /* `path` is NULL */
	DISK_PART_LIST,
	DISK_PART_CREATE, /* also a name that is given or changed */
	DISK_PART_WRITE,  /* `path` is NULL */
	DISK_PART_SYNC,   /* `path` may be NULL */
	DISK_PART_REMOVE
};

struct disk_memory_calls {
	int64_t (*now_ns)(void *user);
	/* After each change, once for each name of what changed. `from`: DISK_FOLDER_MOVED only. */
	void (*changed)(void *user, enum disk_change what, const char *path, const char *from);
	/* Somebody is about to look at the tree, or in the midst of it: whoever else works in it
	 * may change it here. */
	void (*looking)(void *user);
	/* Of a disk that was opened with disk_memory_may_fail: 0, or the errno with which this fails. */
	int (*fails)(void *user, enum disk_part part, const char *path);
	void *user;
};

struct disk_memory *disk_memory_new(const struct disk_memory_calls *calls);
void disk_memory_free(struct disk_memory *memory); /* no disk is open on it. NULL is fine */
struct disk *disk_memory_open(struct disk_memory *memory, struct err *err); /* disk_close ends it */
/* Makes the file when it is not there. `truncate`: what lies behind is cut off. */
int disk_memory_write(struct disk_memory *memory, const char *path, int64_t offset,
	const void *bytes, size_t length, bool truncate, struct err *err);
/* From now on `fails` is asked of what is done by this one. */
void disk_memory_may_fail(struct disk *disk);
/* What a file holds, whoever may read it, and nobody is looked at meanwhile: valid until it changes.
 * NULL: no file stands there, or one cannot get there. */
const void *disk_memory_peek(struct disk_memory *memory, const char *path, size_t *length);
/* A thing that is neither file, folder nor link. */
int disk_memory_mkother(struct disk_memory *memory, const char *path, struct err *err);
/* What was written to files beside and not synced since reads as zeros. No disk is open on it. */
void disk_memory_power_cut(struct disk_memory *memory);
/* The root is moved away (disk_is_there is false, the path leads nowhere), or comes back. */
void disk_memory_hide_root(struct disk_memory *memory, bool hidden);

/* ---- live SQLite databases (SYNC.md §6) ---- */

/* The identity of a database as its writer left it. Equal sources have equal images. */
struct disk_source {
	struct disk_stat db;
	bool has_wal;
	int64_t wal_size; /* -1: written so lately that equal times would not mean equal content */
	int64_t wal_mtime_ns;
	uint32_t wal_salt[2];
	uint32_t change_counter;
};

/* 1: begins with SQLite's header; 0: not; -1: err. Opens and closes the file: never while it is
 * under capture. */
int disk_is_sqlite(struct disk *disk, const char *path, struct err *err);
/* 1: somebody else has this database open, or holds one of the locks by which SQLite guards it,
 * though nothing may lie beside it; 0: nobody has, as far as the system tells (of a file of another
 * user's only to root, and not on every file system); -1. Opens and closes it, as above. */
int disk_is_in_use(struct disk *disk, const char *path, struct err *err);
/* Can programs have its files open? Not those of a disk in memory. */
bool disk_is_shared(const struct disk *disk);
/* Without opening the database file itself: its -wal only; `change_counter` stays 0. `journal`
 * (may be NULL) tells whether NAME-journal lies beside it. */
int disk_source(struct disk *disk, const char *path, struct disk_source *source, bool *journal,
	struct err *err);
/* All but the change counter, which disk_source cannot see. */
bool disk_source_same(const struct disk_source *left, const struct disk_source *right);

struct disk_snapshot {
	struct disk_source source; /* as it was when the capture began */
	int64_t size;
	uint8_t hash[32]; /* of the image, of the kind asked for */
	/* The same, but that what SQLite stamps anew into each copy is as in an image: equal
	 * whenever the databases are, be it an image or the file itself. */
	uint8_t content[32];
	bool plain; /* the file itself is the image: nothing lay beside it; no image was written */
};
/*
 * Writes a consistent image of the database at `path` to the absolute path `image` (created 0600,
 * replaced), holding every row committed before the call. The folder is left as it was. One
 * database is captured once at a time (trap 4). ERR_BUSY: a writer is in the way, try again;
 * ERR_CORRUPT: not a database after all (encrypted, damaged).
 */
int disk_snapshot(struct disk *disk, const char *path, const char *image, enum digest_kind kind,
	struct disk_snapshot *snapshot, struct err *err);

/* ---- for `tend doctor` ---- */

extern const struct doctor_check disk_doctor[];
/* How good so much free room for tend's own state is. */
enum finding_level disk_room_level(int64_t free_bytes);

#endif
