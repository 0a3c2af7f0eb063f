/* Private to disk: the tree in memory. */
#ifndef DISK_MEMORY_H
#define DISK_MEMORY_H

#include "disk/internal.h"

struct memory_loose {
	size_t at, len;
};

struct inode {
	uint64_t ino;
	enum disk_kind kind;
	int mode;
	uint32_t nlink;
	unsigned opens; /* numbers that lead to it: its own number is not given away before */
	int64_t mtime_ns, ctime_ns, btime_ns;
	char *bytes; /* of a file; a link's text */
	size_t len, cap;
	struct memory_loose *loose; /* written beside, and not synced: a power cut takes it */
	size_t loose_count;
	struct map names; /* of a folder: name to struct inode */
};

struct disk_memory {
	struct disk_memory_calls calls;
	struct inode **inodes; /* by number; NULL: free */
	size_t inode_count;
	struct inode **open; /* by the number that open_file gave; NULL: free */
	size_t open_count;
	struct inode *root;
	unsigned besides; /* names were given to so many files beside */
	bool hidden;
	bool looked_at; /* `looking` runs: what it does itself is looked at by nobody */
};

enum { MEMORY_DEV = 1, MEMORY_ROOT_INO = 2 };

struct disk_memory *memory_of(const struct disk *disk);
/* Whoever else works in the tree works now. */
void memory_look(struct disk_memory *memory);
/* 0, or the errno with which this fails now. */
int memory_fails(struct disk *disk, enum disk_part part, const char *path);
int64_t memory_now(const struct disk_memory *memory);

/* What stands at `path`, no link followed. NULL with errno as the system would set it. */
struct inode *inode_find(struct disk_memory *memory, const char *path);
/* The folder that holds `path`, and the name in it. */
struct inode *inode_parent(struct disk_memory *memory, const char *path, const char **name);
void inode_stat(const struct inode *inode, struct disk_stat *stat);

struct inode *inode_new(struct disk_memory *memory, enum disk_kind kind, int mode);
/* Frees it when no name and no open number is left. */
void inode_unref(struct disk_memory *memory, struct inode *inode);

/* A number that leads to it, until memory_close_file. */
int memory_number(struct disk_memory *memory, struct inode *inode);
struct inode *memory_opened(struct disk *disk, int fd);
void memory_close_file(struct disk *disk, int fd);

/* The calls that change names (memory_names.c). */
int memory_beside_open(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err);
int memory_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err);
int memory_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err);
int memory_sync_file(struct disk *disk, const char *path, struct err *err);
int memory_mkdir(struct disk *disk, const char *path, int mode, struct err *err);
int memory_make_parent(struct disk *disk, const char *path, struct err *err);
int memory_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err);
int memory_symlink(struct disk *disk, const char *target, const char *path, struct err *err);
int memory_link(struct disk *disk, const char *from, const char *to, struct err *err);
int memory_rename(
	struct disk *disk, const char *from, const char *to, bool replace, struct err *err);
int memory_remove(struct disk *disk, const char *path, struct err *err);
int memory_rmdir(struct disk *disk, const char *path, struct err *err);

#endif
