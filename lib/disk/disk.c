/* The face: what every ground does by itself, and what is the same on all of them. */
#include <stdlib.h>

#include "disk/internal.h"

void disk_close(struct disk *disk) {
	if (disk) disk->ground->close(disk);
}

struct disk *disk_open(const char *path, struct err *err) {
	return disk_open_as(path, NULL, err);
}

void disk_enter(const struct disk *disk) {
	rights_enter(disk->rights);
}

void disk_leave(const struct disk *disk) {
	rights_leave(disk->rights);
}

const char *disk_path(const struct disk *disk) {
	return disk->path;
}

uint64_t disk_dev(const struct disk *disk) {
	return disk->dev;
}

bool disk_is_there(const struct disk *disk) {
	return disk->ground->is_there(disk);
}

int disk_identity_now(const struct disk *disk, struct disk_identity *identity, struct err *err) {
	return disk->ground->identity(disk, identity, err);
}

/* ---- looking ---- */

int disk_stat(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	return disk->ground->stat(disk, path, stat, err);
}

bool disk_stat_same(const struct disk_stat *left, const struct disk_stat *right) {
	return left->kind == right->kind && left->size == right->size &&
	       left->mtime_ns == right->mtime_ns && left->ctime_ns == right->ctime_ns &&
	       left->ino == right->ino && left->dev == right->dev;
}

int disk_list_after(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err) {
	return disk->ground->list(disk, path, after, limit, list, err);
}

int disk_list(struct disk *disk, const char *path, struct disk_list *list, struct err *err) {
	return disk->ground->list(disk, path, NULL, 0, list, err);
}

void disk_list_release(struct disk_list *list) {
	for (size_t i = 0; i < list->count; i++) free(list->items[i].name);
	free(list->items);
	list->items = NULL;
	list->count = 0;
}

int disk_is_empty(struct disk *disk, const char *path, struct err *err) {
	return disk->ground->is_empty(disk, path, err);
}

/* ---- reading ---- */

int disk_open_file(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	return disk->ground->open_file(disk, path, stat, err);
}

void disk_close_file(struct disk *disk, int fd) {
	disk->ground->close_file(disk, fd);
}

ssize_t disk_pread(struct disk *disk, int fd, void *at, size_t length, int64_t offset) {
	return disk->ground->read(disk, fd, at, length, offset);
}

int disk_read_link(struct disk *disk, const char *path, struct buf *target, struct err *err) {
	return disk->ground->read_link(disk, path, target, err);
}

int disk_snapshot(struct disk *disk, const char *path, const char *image, enum digest_kind kind,
	struct disk_snapshot *snapshot, struct err *err) {
	return disk->ground->snapshot(disk, path, image, kind, snapshot, err);
}

/* ---- names ---- */

int disk_mkdir(struct disk *disk, const char *path, int mode, struct err *err) {
	return disk_mkdir_told(disk, path, mode, err) < 0 ? -1 : 0;
}

int disk_mkdir_told(struct disk *disk, const char *path, int mode, struct err *err) {
	return disk->ground->mkdir(disk, path, mode, err);
}

int disk_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err) {
	return disk->ground->set(disk, path, mtime_ns, mode, err);
}

int disk_symlink(struct disk *disk, const char *target, const char *path, struct err *err) {
	return disk->ground->symlink(disk, target, path, err);
}

int disk_link(struct disk *disk, const char *from, const char *to, struct err *err) {
	return disk->ground->link(disk, from, to, err);
}

int disk_rename(
	struct disk *disk, const char *from, const char *to, bool replace, struct err *err) {
	return disk->ground->rename(disk, from, to, replace, err);
}

int disk_remove(struct disk *disk, const char *path, struct err *err) {
	return disk->ground->remove(disk, path, err);
}

int disk_rmdir(struct disk *disk, const char *path, struct err *err) {
	return disk->ground->rmdir(disk, path, err);
}

int disk_beside_open(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err) {
	return disk->ground->beside_open(disk, folder, hint, name, err);
}

int disk_beside_again(
	struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	return disk->ground->beside_again(disk, path, stat, err);
}

int disk_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err) {
	return disk->ground->beside_write(disk, fd, offset, bytes, length, err);
}

int disk_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err) {
	return disk->ground->beside_end(disk, fd, mtime_ns, mode, err);
}

int disk_sync_file(struct disk *disk, const char *path, struct err *err) {
	return disk->ground->sync_file(disk, path, err);
}
