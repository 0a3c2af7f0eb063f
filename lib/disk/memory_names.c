/* What changes a tree in memory: names, bytes, attributes; and who is told of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/memory.h"

/* ---- telling ---- */

static void tell(
	struct disk_memory *memory, enum disk_change what, const char *path, const char *from) {
	if (memory->calls.changed) memory->calls.changed(memory->calls.user, what, path, from);
}

static void names_of(
	const struct inode *folder, const char *path, const struct inode *inode, char ***names) {
	for (struct map_item *it = NULL; (it = map_next(&folder->names, it));) {
		struct inode *child = map_value(it);
		char *at = path_join(path, map_key(it));
		if (child == inode) strv_add(names, at);
		if (child->kind == DISK_FOLDER) names_of(child, at, inode, names);
		free(at);
	}
}

/* Bytes or attributes of a thing. inotify tells only the name by which it was changed; what it
 * misses is found by the next scan. */
static void tell_all(struct disk_memory *memory, const struct inode *inode, const char *path) {
	char **names = NULL;

	if (inode->kind == DISK_FOLDER || inode->nlink == 1) {
		tell(memory, DISK_CHANGED, path, NULL);
		return;
	}
	names_of(memory->root, "", inode, &names);
	for (char **name = names; name && *name; name++) tell(memory, DISK_CHANGED, *name, NULL);
	strv_free(names);
}

/* ---- places ---- */

/* The folder that a name is added to or taken from. NULL with err. */
static struct inode *writable(struct disk_memory *memory, const char *path, const char **name,
	const char *verb, struct err *err) {
	struct inode *folder = inode_parent(memory, path, name);

	if (folder && (folder->mode & 0300) != 0300) {
		errno = EACCES;
		folder = NULL;
	}
	if (!folder) disk_fail(err, errno, verb, path);
	return folder;
}

static void touched(struct disk_memory *memory, struct inode *folder) {
	folder->mtime_ns = folder->ctime_ns = memory_now(memory);
}

static void name_put(
	struct disk_memory *memory, struct inode *folder, const char *name, struct inode *inode) {
	map_put(&folder->names, name, inode);
	inode->nlink++;
	inode->ctime_ns = memory_now(memory);
	touched(memory, folder);
}

static void name_take(struct disk_memory *memory, struct inode *folder, const char *name) {
	struct inode *inode = map_take(&folder->names, name);

	inode->nlink--;
	inode->ctime_ns = memory_now(memory);
	touched(memory, folder);
}

/* Where nothing stands yet. */
static struct inode *vacant(struct disk_memory *memory, const char *path, const char **name,
	const char *verb, struct err *err) {
	struct inode *folder = writable(memory, path, name, verb, err);

	if (folder && map_get(&folder->names, *name)) {
		disk_fail(err, EEXIST, verb, path);
		return NULL;
	}
	return folder;
}

static struct inode *make(struct disk_memory *memory, struct inode *folder, const char *name,
	enum disk_kind kind, int mode) {
	struct inode *inode = inode_new(memory, kind, mode);

	name_put(memory, folder, name, inode);
	return inode;
}

/* ---- making ---- */

int memory_mkdir(struct disk *disk, const char *path, int mode, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_CREATE, path);
	if (failed) return disk_fail(err, failed, "make folder", path);
	struct disk_memory *memory = memory_of(disk);
	const char *name;
	struct inode *there = inode_find(memory, path);

	if (there && there->kind == DISK_FOLDER) return 1;
	if (there)
		return err_set(err, ERR_CHANGED,
			"cannot make folder '%s': something else stands there", path);
	struct inode *folder = vacant(memory, path, &name, "make folder", err);
	if (!folder) return -1;
	make(memory, folder, name, DISK_FOLDER, mode & 0777);
	tell(memory, DISK_FOLDER_MADE, path, NULL);
	return 0;
}

int memory_make_parent(struct disk *disk, const char *path, struct err *err) {
	const struct inode *there = inode_find(memory_of(disk), path);

	if (there && there->kind == DISK_LINK) return disk_fail(err, ELOOP, "make folder", path);
	if (there && there->kind != DISK_FOLDER)
		return disk_fail(err, ENOTDIR, "make folder", path);
	return there ? 0 : memory_mkdir(disk, path, 0755, err);
}

int memory_symlink(struct disk *disk, const char *target, const char *path, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_CREATE, path);
	if (failed) return disk_fail(err, failed, "make link", path);
	struct disk_memory *memory = memory_of(disk);
	const char *name;
	struct inode *folder = vacant(memory, path, &name, "make link", err);

	if (!folder) return -1;
	struct inode *inode = make(memory, folder, name, DISK_LINK, 0777);
	inode->bytes = xstrdup(target);
	inode->len = strlen(target);
	tell(memory, DISK_CHANGED, path, NULL);
	return 0;
}

int disk_memory_mkother(struct disk_memory *memory, const char *path, struct err *err) {
	const char *name;
	struct inode *folder = vacant(memory, path, &name, "make", err);

	if (!folder) return -1;
	make(memory, folder, name, DISK_OTHER, 0644);
	tell(memory, DISK_CHANGED, path, NULL);
	return 0;
}

int memory_link(struct disk *disk, const char *from, const char *to, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_CREATE, to);
	if (failed) return disk_fail(err, failed, "link", to);
	struct disk_memory *memory = memory_of(disk);
	const char *name;
	struct inode *inode = inode_find(memory, from);

	if (!inode) return disk_fail(err, errno, "link", to);
	struct inode *folder = vacant(memory, to, &name, "link", err);
	if (!folder) return -1;
	if (inode->kind == DISK_FOLDER) return disk_fail(err, EPERM, "link", to);
	name_put(memory, folder, name, inode);
	tell(memory, DISK_CHANGED, to, NULL);
	return 0;
}

/* ---- bytes and attributes ---- */

static void bytes_put(
	struct inode *inode, size_t offset, const void *bytes, size_t length, bool truncate) {
	size_t end = offset + length;

	if (end > inode->cap) {
		inode->cap = end < 64 ? 64 : 2 * end;
		inode->bytes = xrealloc(inode->bytes, inode->cap);
	}
	if (offset > inode->len) memset(inode->bytes + inode->len, 0, offset - inode->len);
	if (length) memcpy(inode->bytes + offset, bytes, length);
	if (truncate || end > inode->len) inode->len = end;
}

int disk_memory_write(struct disk_memory *memory, const char *path, int64_t offset,
	const void *bytes, size_t length, bool truncate, struct err *err) {
	struct inode *inode = inode_find(memory, path);
	const char *name;

	if (!inode) {
		struct inode *folder = vacant(memory, path, &name, "create", err);
		if (!folder) return -1;
		inode = make(memory, folder, name, DISK_FILE, 0644);
	} else if (inode->kind != DISK_FILE) {
		return disk_fail_kind(err, path);
	} else if (!(inode->mode & 0200)) {
		return disk_fail(err, EACCES, "open", path);
	}
	bytes_put(inode, (size_t)offset, bytes, length, truncate);
	inode->mtime_ns = inode->ctime_ns = memory_now(memory);
	tell_all(memory, inode, path);
	return 0;
}

int memory_set(struct disk *disk, const char *path, int64_t mtime_ns, int mode, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_WRITE, path);
	if (failed) return disk_fail(err, failed, "set", path);
	struct disk_memory *memory = memory_of(disk);
	struct inode *inode = inode_find(memory, path);

	if (!inode) return disk_fail(err, errno, "look at", path);
	if (mode >= 0 && inode->kind != DISK_LINK) inode->mode = mode & 07777;
	if (mtime_ns != DISK_TIME_KEEP) inode->mtime_ns = mtime_ns;
	inode->ctime_ns = memory_now(memory);
	if (*path) tell_all(memory, inode, path);
	return 0;
}

/* ---- files beside ---- */

/* Named by a count: the same seed is the same run. */
int memory_beside_open(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_CREATE, folder);
	if (failed) return disk_fail(err, failed, "create", folder);
	struct disk_memory *memory = memory_of(disk);
	const char *last;
	memory_look(memory);
	char *path = xasprintf("%s%s" DISK_BESIDE_PREFIX "%u.%s", folder, *folder ? "/" : "",
		++memory->besides, hint);
	struct inode *above = vacant(memory, path, &last, "create", err);

	if (!above) {
		free(path);
		return -1;
	}
	struct inode *inode = make(memory, above, last, DISK_FILE, 0600);
	tell(memory, DISK_CHANGED, path, NULL);
	*name = path;
	return memory_number(memory, inode);
}

int memory_beside_write(struct disk *disk, int fd, int64_t offset, const void *bytes, size_t length,
	struct err *err) {
	int failed = memory_fails(disk, DISK_PART_WRITE, NULL);
	if (failed) return disk_fail(err, failed, "write", "it");
	struct inode *inode = memory_opened(disk, fd);

	memory_look(memory_of(disk));
	bytes_put(inode, (size_t)offset, bytes, length, false);
	inode->loose = xrealloc(inode->loose, (inode->loose_count + 1) * sizeof(*inode->loose));
	inode->loose[inode->loose_count++] =
		(struct memory_loose){ .at = (size_t)offset, .len = length };
	inode->mtime_ns = inode->ctime_ns = memory_now(memory_of(disk));
	return 0;
}

int memory_beside_end(struct disk *disk, int fd, int64_t mtime_ns, int mode, struct err *err) {
	struct inode *inode = memory_opened(disk, fd);
	int failed = memory_fails(disk, DISK_PART_SYNC, NULL);

	/* Closed all the same. */
	if (failed) {
		memory_close_file(disk, fd);
		return disk_fail(err, failed, "sync", "it");
	}
	if (mode >= 0) inode->mode = mode & 07777;
	inode->ctime_ns = memory_now(memory_of(disk));
	if (mtime_ns != DISK_TIME_KEEP) inode->mtime_ns = mtime_ns;
	inode->loose_count = 0;
	memory_close_file(disk, fd);
	return 0;
}

int memory_sync_file(struct disk *disk, const char *path, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_SYNC, path);
	if (failed) return disk_fail(err, failed, "sync", path);
	memory_look(memory_of(disk));
	struct inode *inode = inode_find(memory_of(disk), path);
	if (!inode) return disk_fail(err, errno, "sync", path);
	inode->loose_count = 0;
	return 0;
}

void disk_memory_power_cut(struct disk_memory *memory) {
	for (size_t i = 0; i < memory->inode_count; i++) {
		struct inode *inode = memory->inodes[i];
		if (!inode) continue;
		for (size_t k = 0; k < inode->loose_count; k++)
			memset(inode->bytes + inode->loose[k].at, 0, inode->loose[k].len);
		inode->loose_count = 0;
	}
}

/* ---- going and moving ---- */

int memory_remove(struct disk *disk, const char *path, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_REMOVE, path);
	if (failed) return disk_fail(err, failed, "remove", path);
	struct disk_memory *memory = memory_of(disk);
	const char *name;
	struct inode *folder = writable(memory, path, &name, "remove", err);

	if (!folder) return -1;
	struct inode *inode = map_get(&folder->names, name);
	if (!inode) return disk_fail(err, ENOENT, "remove", path);
	if (inode->kind == DISK_FOLDER) {
		disk_fail(err, EISDIR, "remove", path);
		err->kind = ERR_CHANGED;
		return -1;
	}
	name_take(memory, folder, name);
	inode_unref(memory, inode);
	tell(memory, DISK_CHANGED, path, NULL);
	return 0;
}

int memory_rmdir(struct disk *disk, const char *path, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_REMOVE, path);
	if (failed) return disk_fail(err, failed, "remove folder", path);
	struct disk_memory *memory = memory_of(disk);
	const char *name;
	struct inode *folder = writable(memory, path, &name, "remove folder", err);

	if (!folder) return -1;
	struct inode *inode = map_get(&folder->names, name);
	if (!inode) return disk_fail(err, ENOENT, "remove folder", path);
	if (inode->kind != DISK_FOLDER) return disk_fail(err, ENOTDIR, "remove folder", path);
	if (map_count(&inode->names)) {
		disk_fail(err, ENOTEMPTY, "remove folder", path);
		err->kind = ERR_BUSY;
		return -1;
	}
	name_take(memory, folder, name);
	inode_unref(memory, inode);
	tell(memory, DISK_FOLDER_GONE, path, NULL);
	return 0;
}

/* What rename(2) refuses of a target that is there; 0: it may be replaced. */
static int refuses(const struct inode *from, const struct inode *to) {
	if (from->kind == DISK_FOLDER && to->kind != DISK_FOLDER) return ENOTDIR;
	if (from->kind != DISK_FOLDER && to->kind == DISK_FOLDER) return EISDIR;
	return to->kind == DISK_FOLDER && map_count(&to->names) ? ENOTEMPTY : 0;
}

static void tell_moved(
	struct disk_memory *memory, const struct inode *inode, const char *from, const char *to) {
	if (inode->kind == DISK_FOLDER) {
		tell(memory, DISK_FOLDER_MOVED, to, from);
		return;
	}
	tell(memory, DISK_CHANGED, from, NULL);
	tell(memory, DISK_CHANGED, to, NULL);
}

int memory_rename(
	struct disk *disk, const char *from, const char *to, bool replace, struct err *err) {
	int failed = memory_fails(disk, DISK_PART_CREATE, to);
	if (failed) return disk_fail(err, failed, "rename to", to);
	struct disk_memory *memory = memory_of(disk);
	const char *from_name, *to_name;
	struct inode *from_folder = writable(memory, from, &from_name, "rename to", err);
	struct inode *to_folder =
		from_folder ? writable(memory, to, &to_name, "rename to", err) : NULL;

	if (!to_folder) return -1;
	struct inode *inode = map_get(&from_folder->names, from_name);
	struct inode *there = map_get(&to_folder->names, to_name);
	if (!inode) return disk_fail(err, ENOENT, "rename to", to);
	if (there && !replace) return disk_fail(err, EEXIST, "rename to", to);
	if (inode == there) return 0; /* two names of one file: rename(2) leaves both */
	if (inode->kind == DISK_FOLDER && path_is_within(to, from))
		return disk_fail(err, EINVAL, "rename to", to);
	int errnum = !there ? 0 : path_is_within(from, to) ? ENOTEMPTY : refuses(inode, there);
	if (errnum) return disk_fail(err, errnum, "rename to", to);
	if (there) {
		bool folder = there->kind == DISK_FOLDER;
		name_take(memory, to_folder, to_name);
		inode_unref(memory, there);
		if (folder) tell(memory, DISK_FOLDER_GONE, to, NULL);
	}
	name_take(memory, from_folder, from_name);
	name_put(memory, to_folder, to_name, inode);
	tell_moved(memory, inode, from, to);
	return 0;
}
