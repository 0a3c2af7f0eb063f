/* Private to disk: paths opened beneath the root, and what only one system's file knows how to
 * do. */
#ifndef DISK_INTERNAL_H
#define DISK_INTERNAL_H

#include <sys/types.h>

#include "disk/disk.h"

/* The ground a disk stands on: the system's files (disk_posix.c), or a tree in memory
 * (memory.c). What is not among these calls is built on them, or needs the system's files. Errors
 * as their faces in disk.h say. */
struct disk_ground {
	void (*close)(struct disk *disk);
	bool (*is_there)(const struct disk *disk);
	int (*identity)(const struct disk *disk, struct disk_identity *identity, struct err *err);
	int (*stat)(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
	int (*list)(struct disk *disk, const char *path, const char *after, size_t limit,
		struct disk_list *list, struct err *err);
	int (*is_empty)(struct disk *disk, const char *path, struct err *err);
	int (*open_file)(
		struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
	void (*close_file)(struct disk *disk, int fd);
	/* -1 with errno, as the next */
	int (*stat_file)(struct disk *disk, int fd, struct disk_stat *stat);
	ssize_t (*read)(struct disk *disk, int fd, void *at, size_t length, int64_t offset);
	int (*read_link)(struct disk *disk, const char *path, struct buf *target, struct err *err);
	int (*snapshot)(struct disk *disk, const char *path, const char *image,
		enum digest_kind kind, struct disk_snapshot *snapshot, struct err *err);
	/* As disk_mkdir_told. */
	int (*mkdir)(struct disk *disk, const char *path, int mode, struct err *err);
	/* A folder of disk_mkdir_parents: with the mode that new folders have; no link, no file. */
	int (*make_parent)(struct disk *disk, const char *path, struct err *err);
	int (*set)(
		struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err);
	int (*symlink)(struct disk *disk, const char *target, const char *path, struct err *err);
	int (*link)(struct disk *disk, const char *from, const char *to, struct err *err);
	int (*rename)(
		struct disk *disk, const char *from, const char *to, bool replace, struct err *err);
	int (*remove)(struct disk *disk, const char *path, struct err *err);
	int (*rmdir)(struct disk *disk, const char *path, struct err *err);
	int (*beside_open)(struct disk *disk, const char *folder, const char *hint, char **name,
		struct err *err);
	int (*beside_again)(
		struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
	int (*beside_write)(struct disk *disk, int fd, int64_t offset, const void *bytes,
		size_t length, struct err *err);
	int (*beside_end)(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err);
	int (*sync_file)(struct disk *disk, const char *path, struct err *err);
};

/* A folder that stays open (disk_hold). */
struct held {
	int fd;
	char folder[];
};

/* Immutable once open, so that jobs on several workers may share it. */
struct disk {
	const struct disk_ground *ground;
	char *path;
	uint64_t dev, ino; /* the root's */
	/* Of the system's files: */
	int root;                   /* of a folder; good for *at calls, not for reading it */
	bool openat2;               /* the kernel resolves beneath by itself */
	struct disk_rights *rights; /* NULL: our own */
	/* The exception: set once, and unset for good when that folder was removed. Whoever loaded it
	 * may go on with it, so it is closed with the disk. */
	_Atomic(struct held *) held;
	_Atomic(struct held *) removed;
};

extern const struct disk_ground posix_ground;

/* A name in a folder that is held open: what *at calls want. */
struct place {
	int folder;
	const char *name;                 /* "" for the root itself */
	bool ours;                        /* `folder` is to be closed */
	const struct disk_rights *rights; /* in force until it is closed */
};

enum { BLOCK_BYTES = 64 << 10 };

/* A descriptor, or -1 with errno; `flags` get O_CLOEXEC, and no link is followed. ELOOP: one is in
 * the way, or in the last place. */
int disk_open_beneath(struct disk *disk, const char *path, int flags, int mode);
/* As disk_open_file, with other flags. */
int disk_open_kind(
	struct disk *disk, const char *path, int flags, struct disk_stat *stat, struct err *err);
/* The held folder, where `path` lies right in it (`name`: its last component); else NULL. */
struct held *disk_held(struct disk *disk, const char *path, const char *name);
/* Nothing can be made in it any more: the path leads to another one, or nowhere. */
void disk_held_removed(struct disk *disk, struct held *held);
/* The folder that holds `path`; it must be there. Until disk_place_close the thread has the disk's
 * rights. */
int disk_place_open(struct disk *disk, const char *path, struct place *place, struct err *err);
void disk_place_close(struct place *place);

/* err_sys with a subject that cannot push the cause out of the text, and kinds that suit files.
 * `verb` reads after "cannot". */
int disk_fail(struct err *err, int errnum, const char *verb, const char *path);
/* disk_open_file's ERR_INVALID. */
int disk_fail_kind(struct err *err, const char *path);

/* The thread looks names up as somebody else until it leaves; NULL: as it does anyway. In pairs,
 * also within each other, for one disk. Leaving keeps errno. They end the program when the system
 * does not obey. (rights_linux.c, rights_macos.c) */
void rights_enter(const struct disk_rights *rights);
void rights_leave(const struct disk_rights *rights);

/* ---- the system's files, a file for each: disk.h has the words ---- */

int posix_list(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err);
int posix_is_empty(struct disk *disk, const char *path, struct err *err);
int posix_read_link(struct disk *disk, const char *path, struct buf *target, struct err *err);
int posix_snapshot(struct disk *disk, const char *path, const char *image, enum digest_kind kind,
	struct disk_snapshot *snapshot, struct err *err);
int posix_mkdir(struct disk *disk, const char *path, int mode, struct err *err);
int posix_make_parent(struct disk *disk, const char *path, struct err *err);
int posix_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err);
int posix_symlink(struct disk *disk, const char *target, const char *path, struct err *err);
int posix_link(struct disk *disk, const char *from, const char *to, struct err *err);
int posix_rename(
	struct disk *disk, const char *from, const char *to, bool replace, struct err *err);
int posix_remove(struct disk *disk, const char *path, struct err *err);
int posix_rmdir(struct disk *disk, const char *path, struct err *err);
int posix_beside_again(
	struct disk *disk, const char *path, struct disk_stat *stat, struct err *err);
int posix_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err);
int posix_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err);
int posix_sync_file(struct disk *disk, const char *path, struct err *err);

/* A new name that is not taken, also where the system has no such rename. -1 with errno. */
int disk_rename_new(int folder, const char *from, const char *to);

/* Up to `length` bytes; fewer at the end of the file only. -1 with errno. */
ssize_t disk_pread(struct disk *disk, int fd, void *at, size_t length, int64_t offset);
/* The same of the system's descriptors. */
ssize_t posix_read(struct disk *disk, int fd, void *at, size_t length, int64_t offset);
/* The order of disk_list. */
void disk_list_sort(struct disk_list *list);
/* All of it, or -1 with errno. */
int disk_pwrite(int fd, const void *at, size_t length, int64_t offset);

/* ---- one file a system: disk_linux.c, disk_macos.c. -1 with errno ---- */

extern const int
	os_folder_flags; /* opens a folder for *at calls, whether it may be listed or not */
bool os_has_openat2(int root);
int os_openat2(int root, const char *path, int flags, int mode);
int os_stat(int at, const char *name, struct disk_stat *stat); /* "": of the descriptor `at` */
int os_identity(const char *path, struct disk_identity *identity);
int os_rename_new(
	int from_at, const char *from, int to_at, const char *to); /* EEXIST; EINVAL: cannot */
int os_clone(int from_fd, int to_fd);                              /* the whole file */
ssize_t os_copy_range(int from_fd, int64_t from, int to_fd, int64_t to, size_t length);
/* 1: there is another opening of this file than `fd`'s. 0. -1 also: the system does not tell. */
int os_is_open_elsewhere(int fd);
int os_sync_fd(int fd);    /* down to the medium */
int os_sync_bytes(int fd); /* what is needed to read the bytes back */
int os_sync_system(int fd);
/* A path to `name` in the open folder that no renamed parent or swapped link can lead elsewhere,
 * where the system has such paths. The caller's. */
char *os_pinned_path(int folder, const char *name);

/* What a person does where the system refuses to let a folder be read. The caller's. */
char *disk_access_cure(const char *path);

#endif
