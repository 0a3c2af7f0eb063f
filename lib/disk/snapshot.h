/* Private to disk: the steps of disk_snapshot. */
#ifndef DISK_SNAPSHOT_H
#define DISK_SNAPSHOT_H

#include "disk/internal.h"

/* What lay at the names of a database when we looked. */
struct beside {
	struct disk_source source;
	struct disk_stat journal; /* valid when has_journal */
	bool has_journal, has_shm;
};

int snapshot_look(struct disk *disk, const char *path, struct beside *beside, struct err *err);
/* Nothing changed, and nothing that the copy or the read could have mixed. */
bool snapshot_same(const struct beside *left, const struct beside *right);
/* Written so lately that one more write might leave all times as they are. */
bool snapshot_is_fresh(const struct beside *beside);

/* In WAL mode: until a commit that is half done is through, for a while; else ERR_BUSY. Before the image is
 * begun: what lay there for `beside` is then in it. */
int snapshot_await_commit(
	struct disk *disk, const char *path, const struct beside *beside, struct err *err);

/* An image through locks that the writers know. 0; 1: SQLite wants to repair the source first,
 * or may not lock it: take a copy; -1 with err. The source is opened for reading only and
 * nothing beside it is made or removed. */
int snapshot_by_lock(struct disk *disk, const char *path, const char *image, struct err *err);
/* Copies the database and what lies beside it, lets the copy recover, and takes the image of
 * that. */
int snapshot_by_copy(struct disk *disk, const char *path, const char *image, struct err *err);

/* The image of a database that is ours alone: opened read and write, recovered. */
int snapshot_of_own(const char *database, const char *image, struct err *err);
enum { SNAPSHOT_HEADER = 100 };
/* Makes of a database's header what it is in an image of it. */
void snapshot_stamp(uint8_t header[SNAPSHOT_HEADER]);
/* ERR_CORRUPT when it is not whole. Leaves nothing beside it. */
int snapshot_check(const char *image, struct err *err);

#endif
