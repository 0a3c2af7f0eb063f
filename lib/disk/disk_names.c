#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/internal.h"

enum { HINT_MAX = 32, NAME_TRIES = 16 };

bool disk_is_beside(const char *name) {
	return str_starts(name, DISK_BESIDE_PREFIX);
}

/* Not the loop's random: names must differ between two processes, not follow a seed. Counted on
 * from one draw, as a system call for each of 100,000 files shows. */
static uint64_t unique(void) {
	static _Atomic(uint64_t) next;
	uint64_t seen = atomic_load(&next), drawn;

	if (seen == 0) {
		if (getentropy(&drawn, sizeof(drawn)) < 0) drawn = (uint64_t)getpid() << 32;
		atomic_compare_exchange_strong(&next, &seen, drawn | 1);
	}
	return atomic_fetch_add(&next, 1);
}

char *disk_beside_path(const char *folder, const char *hint) {
	return xasprintf("%s%s" DISK_BESIDE_PREFIX "%016llx.%.*s", folder, *folder ? "/" : "",
		(unsigned long long)unique(), HINT_MAX, hint);
}

int disk_create_beside(
	struct disk *disk, const char *folder, const char *hint, char **name, struct err *err) {
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		char *path = disk_beside_path(folder, hint);
		int fd = disk_create(disk, path, 0600, err);
		if (fd >= 0) {
			*name = path;
			return fd;
		}
		free(path);
		if (err->kind != ERR_CHANGED) break;
	}
	return -1;
}

int disk_create(struct disk *disk, const char *path, int mode, struct err *err) {
	const int flags = O_RDWR | O_CREAT | O_EXCL;
	const char *name = path_name(path);
	struct held *held = disk_held(disk, path, name);
	int fd = -1;

	rights_enter(disk->rights);
	if (held) fd = openat(held->fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
	if (held && fd < 0 && errno == ENOENT) disk_held_removed(disk, held);
	if (!held || (fd < 0 && errno == ENOENT))
		fd = disk_open_beneath(disk, path, flags, mode & 07777);
	rights_leave(disk->rights);
	if (fd < 0) return disk_fail(err, errno, "create", path);
	return fd;
}

int disk_open_write(struct disk *disk, const char *path, struct err *err) {
	struct disk_stat stat;

	return disk_open_kind(disk, path, O_RDWR, &stat, err);
}

/* What mkdir left of the mode after the umask, with the bits the parent gave (setgid) kept. */
static int make_mode(const struct place *place, int mode) {
	struct disk_stat stat;

	if (os_stat(place->folder, place->name, &stat) < 0) return -1;
	if ((stat.mode & 0777) == (mode & 0777)) return 0;
	mode_t whole = (mode_t)((stat.mode & 07000) | (mode & 0777));
	return fchmodat(place->folder, place->name, whole, AT_SYMLINK_NOFOLLOW);
}

int posix_mkdir(struct disk *disk, const char *path, int mode, struct err *err) {
	struct disk_stat stat;
	struct place place;
	int rc = 0;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	if (*path != '\0' && mkdirat(place.folder, place.name, (mode_t)mode & 0777) == 0) {
		if (make_mode(&place, mode) < 0)
			rc = disk_fail(err, errno, "set the permissions of", path);
	} else if (*path != '\0' && errno != EEXIST) {
		rc = disk_fail(err, errno, "make folder", path);
	} else if (os_stat(place.folder, place.name, &stat) < 0) {
		rc = disk_fail(err, errno, "look at", path);
	} else if (stat.kind != DISK_FOLDER) {
		rc = err_set(err, ERR_CHANGED,
			"cannot make folder '%s': something else stands there", path);
	} else {
		rc = 1;
	}
	disk_place_close(&place);
	return rc;
}

int posix_make_parent(struct disk *disk, const char *path, struct err *err) {
	struct disk_stat stat;
	struct place place;
	int errnum = 0;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	if (mkdirat(place.folder, place.name, 0777) < 0) errnum = errno;
	if (errnum == EEXIST) {
		errnum = os_stat(place.folder, place.name, &stat) < 0 ? errno : 0;
		if (errnum == 0 && stat.kind == DISK_LINK) errnum = ELOOP;
		if (errnum == 0 && stat.kind != DISK_FOLDER) errnum = ENOTDIR;
	}
	disk_place_close(&place);
	return errnum == 0 ? 0 : disk_fail(err, errnum, "make folder", path);
}

int disk_mkdir_parents(struct disk *disk, const char *path, struct err *err) {
	char *parents = path_parent(path);
	int rc = 0;

	for (char *at = parents; rc == 0 && *at;) {
		at += strcspn(at, "/");
		char end = *at;
		*at = '\0';
		rc = disk->ground->make_parent(disk, parents, err);
		*at = end;
		if (end) at++;
	}
	free(parents);
	return rc;
}

int posix_symlink(struct disk *disk, const char *target, const char *path, struct err *err) {
	struct place place;
	int rc = 0;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	if (symlinkat(target, place.folder, place.name) < 0)
		rc = disk_fail(err, errno, "make link", path);
	disk_place_close(&place);
	return rc;
}

/* Two names, both held by their folders. */
struct two {
	struct place from, to;
};

static int two_open(
	struct disk *disk, const char *from, const char *to, struct two *two, struct err *err) {
	if (disk_place_open(disk, from, &two->from, err) < 0) return -1;
	const char *name = path_name(to);
	size_t above = (size_t)(name - to);
	if (above == (size_t)(two->from.name - from) && memcmp(from, to, above) == 0) {
		/* One folder, opened once: what comes here is renamed by the 10,000. */
		two->to = (struct place){ .folder = two->from.folder, .name = name };
		return 0;
	}
	if (disk_place_open(disk, to, &two->to, err) == 0) return 0;
	disk_place_close(&two->from);
	return -1;
}

static void two_close(struct two *two) {
	disk_place_close(&two->from);
	disk_place_close(&two->to);
}

static int link_two(const struct two *two) {
	return linkat(two->from.folder, two->from.name, two->to.folder, two->to.name, 0);
}

int posix_link(struct disk *disk, const char *from, const char *to, struct err *err) {
	struct two two;
	int rc = 0;

	if (two_open(disk, from, to, &two, err) < 0) return -1;
	if (link_two(&two) < 0) rc = disk_fail(err, errno, "link", to);
	two_close(&two);
	return rc;
}

/* For NFS, CIFS and many of FUSE, which have no rename that refuses to replace. */
static int rename_new_by_link(const struct two *two) {
	struct disk_stat stat;

	if (os_stat(two->from.folder, two->from.name, &stat) < 0) return -1;
	if (stat.kind != DISK_FOLDER) {
		if (link_two(two) == 0) return unlinkat(two->from.folder, two->from.name, 0);
		if (errno != EPERM && errno != ENOTSUP && errno != EMLINK) return -1;
	}
	/* exFAT and folders: look, then rename; between the two another writer may come. */
	if (os_stat(two->to.folder, two->to.name, &stat) == 0) {
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT) return -1;
	return renameat(two->from.folder, two->from.name, two->to.folder, two->to.name);
}

static int rename_two(const struct two *two, bool replace) {
	if (replace)
		return renameat(two->from.folder, two->from.name, two->to.folder, two->to.name);
	int rc = os_rename_new(two->from.folder, two->from.name, two->to.folder, two->to.name);
	return rc < 0 && errno == EINVAL ? rename_new_by_link(two) : rc;
}

int posix_rename(
	struct disk *disk, const char *from, const char *to, bool replace, struct err *err) {
	struct two two;

	if (two_open(disk, from, to, &two, err) < 0) return -1;
	int rc = rename_two(&two, replace);
	if (rc < 0) disk_fail(err, errno, "rename to", to);
	two_close(&two);
	return rc;
}

/* ---- a folder that is held open ---- */

struct disk_folder {
	struct disk *disk;
	int fd;
	size_t len;
	char path[];
};

struct disk_folder *disk_folder_open(struct disk *disk, const char *path, struct err *err) {
	size_t len = strlen(path);

	int fd = disk_open_beneath(disk, path, os_folder_flags, 0);
	if (fd < 0) {
		disk_fail(err, errno, "open folder", path);
		return NULL;
	}
	struct disk_folder *folder = xmalloc(sizeof(*folder) + len + 1);
	folder->disk = disk;
	folder->fd = fd;
	folder->len = len;
	memcpy(folder->path, path, len + 1);
	return folder;
}

void disk_folder_close(struct disk_folder *folder) {
	if (!folder) return;
	close(folder->fd);
	free(folder);
}

bool disk_folder_holds(const struct disk_folder *folder, const char *path) {
	const char *name = path_name(path);

	if (folder->len == 0) return name == path;
	return (size_t)(name - path) == folder->len + 1 &&
	       memcmp(path, folder->path, folder->len) == 0;
}

int disk_rename_into(const struct disk_folder *folder, const char *from, const char *to,
	bool replace, struct err *err) {
	struct two two = { .to = { .folder = folder->fd, .name = path_name(to) } };

	if (disk_place_open(folder->disk, from, &two.from, err) < 0) return -1;
	int rc = rename_two(&two, replace);
	if (rc < 0) disk_fail(err, errno, "rename to", to);
	two_close(&two);
	return rc;
}

int disk_rename_new(int folder, const char *from, const char *to) {
	const struct two two = { .from = { .folder = folder, .name = from },
		.to = { .folder = folder, .name = to } };

	return rename_two(&two, false);
}

static int unlink_as(
	struct disk *disk, const char *path, int flags, const char *verb, struct err *err) {
	struct place place;
	int rc = 0;

	if (disk_place_open(disk, path, &place, err) < 0) return -1;
	if (unlinkat(place.folder, place.name, flags) < 0) rc = disk_fail(err, errno, verb, path);
	disk_place_close(&place);
	return rc;
}

int posix_remove(struct disk *disk, const char *path, struct err *err) {
	int rc = unlink_as(disk, path, 0, "remove", err);

	/* macOS says EPERM, which may also be true. */
	if (rc < 0 && err->sys == EISDIR) err->kind = ERR_CHANGED;
	return rc;
}

int posix_rmdir(struct disk *disk, const char *path, struct err *err) {
	int rc = unlink_as(disk, path, AT_REMOVEDIR, "remove folder", err);

	if (rc < 0 && (err->sys == ENOTEMPTY || err->sys == EEXIST)) err->kind = ERR_BUSY;
	return rc;
}

int disk_check_writable(struct disk *disk, struct err *err) {
	rights_enter(disk->rights);
	int rc = faccessat(disk->root, ".", W_OK | X_OK, AT_EACCESS);
	rights_leave(disk->rights);
	if (rc < 0) return disk_fail(err, errno, "write to folder", disk->path);
	return 0;
}
