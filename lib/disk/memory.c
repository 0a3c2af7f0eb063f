/* A disk in memory: its inodes, and the calls that look and read. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/memory.h"

static const char root_path[] = "/memory";
enum { READ_BLOCK = 4096 }; /* bytes read between two moments at which others may write */

struct memory_disk {
	struct disk disk;
	struct disk_memory *memory;
	bool may_fail;
};

struct disk_memory *memory_of(const struct disk *disk) {
	return container_of(disk, struct memory_disk, disk)->memory;
}

int64_t memory_now(const struct disk_memory *memory) {
	return memory->calls.now_ns(memory->calls.user);
}

void memory_look(struct disk_memory *memory) {
	if (memory->looked_at || !memory->calls.looking) return;
	memory->looked_at = true;
	memory->calls.looking(memory->calls.user);
	memory->looked_at = false;
}

int memory_fails(struct disk *disk, enum disk_part part, const char *path) {
	const struct memory_disk *self = container_of(disk, struct memory_disk, disk);
	const struct disk_memory_calls *calls = &self->memory->calls;

	return self->may_fail && calls->fails ? calls->fails(calls->user, part, path) : 0;
}

void disk_memory_may_fail(struct disk *disk) {
	container_of(disk, struct memory_disk, disk)->may_fail = true;
}

/* ---- inodes ---- */

/* The lowest number that is free, as ext4 gives them: a file that takes the number of another must
 * not pass for it. */
struct inode *inode_new(struct disk_memory *memory, enum disk_kind kind, int mode) {
	struct inode *inode = xcalloc(1, sizeof(*inode));
	size_t ino = MEMORY_ROOT_INO;

	while (ino < memory->inode_count && memory->inodes[ino]) ino++;
	if (ino >= memory->inode_count) {
		size_t count = memory->inode_count ? 2 * memory->inode_count : 64;
		memory->inodes = xrealloc(memory->inodes, count * sizeof(struct inode *));
		for (size_t i = memory->inode_count; i < count; i++) memory->inodes[i] = NULL;
		memory->inode_count = count;
	}
	memory->inodes[ino] = inode;
	inode->ino = ino;
	inode->kind = kind;
	inode->mode = mode & 07777;
	inode->btime_ns = inode->mtime_ns = inode->ctime_ns = memory_now(memory);
	map_init(&inode->names);
	return inode;
}

static void inode_free(struct disk_memory *memory, struct inode *inode) {
	memory->inodes[inode->ino] = NULL;
	map_release(&inode->names);
	free(inode->bytes);
	free(inode->loose);
	free(inode);
}

void inode_unref(struct disk_memory *memory, struct inode *inode) {
	if (inode->nlink == 0 && inode->opens == 0) inode_free(memory, inode);
}

void inode_stat(const struct inode *inode, struct disk_stat *stat) {
	*stat = (struct disk_stat){
		.kind = inode->kind,
		.size = (int64_t)inode->len,
		.mtime_ns = inode->mtime_ns,
		.ctime_ns = inode->ctime_ns,
		.btime_ns = inode->btime_ns,
		.ino = inode->ino,
		.dev = MEMORY_DEV,
		.nlink = inode->nlink,
		.mode = inode->mode,
	};
}

/* ---- paths ---- */

static struct inode *missing(int errnum) {
	errno = errnum;
	return NULL;
}

/* One component further. */
static struct inode *enter(struct inode *folder, const char *name) {
	if (folder->kind == DISK_LINK) return missing(ELOOP);
	if (folder->kind != DISK_FOLDER) return missing(ENOTDIR);
	if (!(folder->mode & 0100)) return missing(EACCES);
	struct inode *inode = map_get(&folder->names, name);
	return inode ? inode : missing(ENOENT);
}

struct inode *inode_find(struct disk_memory *memory, const char *path) {
	struct inode *at = memory->root;
	char *copy = xstrdup(path);

	for (char *name = copy; at && *name;) {
		size_t len = strcspn(name, "/");
		bool last = name[len] == '\0';
		name[len] = '\0';
		at = enter(at, name);
		name += len + !last;
	}
	int errnum = errno;
	free(copy);
	errno = errnum;
	return at;
}

struct inode *inode_parent(struct disk_memory *memory, const char *path, const char **name) {
	char *parent = path_parent(path);
	struct inode *folder = inode_find(memory, parent);
	int errnum = errno;

	free(parent);
	errno = errnum;
	*name = path_name(path);
	if (folder && folder->kind == DISK_LINK) return missing(ELOOP);
	if (folder && folder->kind != DISK_FOLDER) return missing(ENOTDIR);
	return folder;
}

/* ---- the calls ---- */

static void memory_close(struct disk *disk) {
	free(disk->path);
	free(container_of(disk, struct memory_disk, disk));
}

static bool memory_is_there(const struct disk *disk) {
	return !memory_of(disk)->hidden;
}

static int memory_identity(
	const struct disk *disk, struct disk_identity *identity, struct err *err) {
	struct disk_memory *memory = memory_of(disk);

	memory_look(memory);
	if (memory->hidden) return disk_fail(err, ENOENT, "look at folder", disk->path);
	*identity = (struct disk_identity){
		.fsid = MEMORY_DEV, .ino = memory->root->ino, .btime_ns = memory->root->btime_ns
	};
	return 0;
}

static int memory_stat_path(
	struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	memory_look(memory_of(disk));
	const struct inode *inode = inode_find(memory_of(disk), path);

	if (!inode) return disk_fail(err, errno, "look at", path);
	inode_stat(inode, stat);
	return 0;
}

static struct inode *find_folder(struct disk *disk, const char *path, struct err *err) {
	struct inode *folder = inode_find(memory_of(disk), path);
	int errnum = folder ? 0 : errno;

	if (folder && folder->kind == DISK_LINK) errnum = ELOOP;
	if (folder && folder->kind != DISK_FOLDER && !errnum) errnum = ENOTDIR;
	if (folder && !errnum && !(folder->mode & 0400)) errnum = EACCES;
	if (!errnum) return folder;
	disk_fail(err, errnum, "list folder", path);
	return NULL;
}

/* As the system does it: names first, then a look at each. What comes between is seen, or not. */
static int memory_list(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err) {
	struct disk_memory *memory = memory_of(disk);
	char **names = NULL;

	memset(list, 0, sizeof(*list));
	memory_look(memory);
	int errnum = memory_fails(disk, DISK_PART_LIST, path);
	if (errnum) return disk_fail(err, errnum, "list folder", path);
	struct inode *folder = find_folder(disk, path, err);
	if (!folder) return -1;
	inode_stat(folder, &list->self);
	folder->opens++;
	for (struct map_item *it = NULL; (it = map_next(&folder->names, it));)
		strv_add(&names, map_key(it));
	list->items = xcalloc(map_count(&folder->names) + 1, sizeof(*list->items));
	memory_look(memory);
	for (char **name = names; name && *name; name++) {
		struct disk_item *item = &list->items[list->count];
		const struct inode *inode = map_get(&folder->names, *name);
		if (!inode) continue;
		inode_stat(inode, &item->stat);
		if (after &&
			disk_name_compare(*name, inode->kind == DISK_FOLDER, after, false) <= 0)
			continue;
		item->name = xstrdup(*name);
		list->count++;
	}
	strv_free(names);
	folder->opens--;
	inode_unref(memory, folder);
	disk_list_sort(list);
	while (limit && list->count > limit) {
		free(list->items[--list->count].name);
		list->more = true;
	}
	return 0;
}

static int memory_is_empty(struct disk *disk, const char *path, struct err *err) {
	memory_look(memory_of(disk));
	int errnum = memory_fails(disk, DISK_PART_LIST, path);
	if (errnum) return disk_fail(err, errnum, "list folder", path);
	const struct inode *folder = find_folder(disk, path, err);

	if (!folder) return -1;
	return map_count(&folder->names) == 0;
}

int memory_number(struct disk_memory *memory, struct inode *inode) {
	size_t fd = 0;

	while (fd < memory->open_count && memory->open[fd]) fd++;
	if (fd == memory->open_count) {
		memory->open = xrealloc(memory->open, (fd + 1) * sizeof(struct inode *));
		memory->open_count++;
	}
	memory->open[fd] = inode;
	inode->opens++;
	return (int)fd;
}

static int memory_open_file(
	struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	struct disk_memory *memory = memory_of(disk);

	memory_look(memory);
	int errnum = memory_fails(disk, DISK_PART_OPEN, path);
	if (errnum) return disk_fail(err, errnum, "open", path);
	struct inode *inode = inode_find(memory, path);
	if (!inode) return disk_fail(err, errno, "open", path);
	if (inode->kind != DISK_FILE) return disk_fail_kind(err, path);
	if (!(inode->mode & 0400)) return disk_fail(err, EACCES, "open", path);
	inode_stat(inode, stat);
	return memory_number(memory, inode);
}

struct inode *memory_opened(struct disk *disk, int fd) {
	struct disk_memory *memory = memory_of(disk);

	assert(fd >= 0 && (size_t)fd < memory->open_count && memory->open[fd]);
	return memory->open[fd];
}

void memory_close_file(struct disk *disk, int fd) {
	struct inode *inode = memory_opened(disk, fd);

	memory_of(disk)->open[fd] = NULL;
	inode->opens--;
	inode_unref(memory_of(disk), inode);
}

static int memory_stat_file(struct disk *disk, int fd, struct disk_stat *stat) {
	memory_look(memory_of(disk));
	inode_stat(memory_opened(disk, fd), stat);
	return 0;
}

static ssize_t memory_read(struct disk *disk, int fd, void *at, size_t length, int64_t offset) {
	const struct inode *inode = memory_opened(disk, fd);
	size_t done = 0;

	while (done < length) {
		memory_look(memory_of(disk));
		int errnum = memory_fails(disk, DISK_PART_READ, NULL);
		if (errnum) {
			errno = errnum;
			return -1;
		}
		size_t from = (size_t)offset + done;
		size_t count = length - done < READ_BLOCK ? length - done : READ_BLOCK;
		if (from >= inode->len) break;
		if (count > inode->len - from) count = inode->len - from;
		memcpy((char *)at + done, inode->bytes + from, count);
		done += count;
	}
	return (ssize_t)done;
}

static int memory_read_link(
	struct disk *disk, const char *path, struct buf *target, struct err *err) {
	memory_look(memory_of(disk));
	const struct inode *inode = inode_find(memory_of(disk), path);

	if (!inode) return disk_fail(err, errno, "read link", path);
	if (inode->kind != DISK_LINK)
		return err_set(err, ERR_INVALID, "'%s' is not a symbolic link", path_name(path));
	buf_clear(target);
	return buf_add(target, inode->bytes, inode->len);
}

static int memory_snapshot(struct disk *disk, const char *path, const char *image,
	enum digest_kind kind, struct disk_snapshot *snapshot, struct err *err) {
	return err_set(err, ERR_CORRUPT, "'%s' lies in memory, where no database is", path);
}

static const struct disk_ground memory_ground = {
	.close = memory_close,
	.is_there = memory_is_there,
	.identity = memory_identity,
	.stat = memory_stat_path,
	.list = memory_list,
	.is_empty = memory_is_empty,
	.open_file = memory_open_file,
	.close_file = memory_close_file,
	.stat_file = memory_stat_file,
	.read = memory_read,
	.read_link = memory_read_link,
	.snapshot = memory_snapshot,
	.mkdir = memory_mkdir,
	.make_parent = memory_make_parent,
	.set = memory_set,
	.symlink = memory_symlink,
	.link = memory_link,
	.rename = memory_rename,
	.remove = memory_remove,
	.rmdir = memory_rmdir,
	.beside_open = memory_beside_open,
	.beside_again = memory_open_file,
	.beside_write = memory_beside_write,
	.beside_end = memory_beside_end,
	.sync_file = memory_sync_file,
};

/* ---- life ---- */

struct disk_memory *disk_memory_new(const struct disk_memory_calls *calls) {
	struct disk_memory *memory = xcalloc(1, sizeof(*memory));

	memory->calls = *calls;
	memory->root = inode_new(memory, DISK_FOLDER, 0755);
	memory->root->nlink = 1;
	return memory;
}

void disk_memory_free(struct disk_memory *memory) {
	if (!memory) return;
	for (size_t i = 0; i < memory->inode_count; i++)
		if (memory->inodes[i]) inode_free(memory, memory->inodes[i]);
	free(memory->inodes);
	free(memory->open);
	free(memory);
}

struct disk *disk_memory_open(struct disk_memory *memory, struct err *err) {
	if (memory->hidden) {
		disk_fail(err, ENOENT, "open folder", root_path);
		return NULL;
	}
	struct memory_disk *opened_disk = xcalloc(1, sizeof(*opened_disk));
	opened_disk->memory = memory;
	opened_disk->disk.ground = &memory_ground;
	opened_disk->disk.path = xstrdup(root_path);
	opened_disk->disk.dev = MEMORY_DEV;
	opened_disk->disk.ino = memory->root->ino;
	return &opened_disk->disk;
}

void disk_memory_hide_root(struct disk_memory *memory, bool hidden) {
	memory->hidden = hidden;
}

const void *disk_memory_peek(struct disk_memory *memory, const char *path, size_t *length) {
	const struct inode *inode = inode_find(memory, path);

	if (!inode || inode->kind != DISK_FILE) return NULL;
	*length = inode->len;
	return inode->len ? inode->bytes : "";
}
