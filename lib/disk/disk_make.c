/* Small files, each made as a whole: what 100,000s of them cost is the calls of the system for each. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/internal.h"

/* Their folder: that of the file before, as long as it is the same. */
static int folder_open(struct disk *disk, struct disk_make *file, const struct disk_make *before) {
	const char *name = path_name(file->path);
	size_t above = (size_t)(name - file->path);

	assert(path_is_plain(file->path));
	if (before && before->folder >= 0 &&
		above == (size_t)(path_name(before->path) - before->path) &&
		memcmp(before->path, file->path, above) == 0) {
		file->folder = before->folder;
		return 0;
	}
	char *parent = path_parent(file->path);
	file->folder = disk_open_beneath(disk, parent, os_folder_flags, 0);
	file->ours = file->folder >= 0;
	if (!file->ours) disk_fail(&file->err, errno, "open folder", parent);
	free(parent);
	return file->ours ? 0 : -1;
}

/* What is not renamed is not to stay. */
static void give_up(struct disk *disk, struct disk_make *file) {
	if (file->fd >= 0) close(file->fd);
	file->fd = -1;
	rights_enter(disk->rights);
	if (file->beside) unlinkat(file->folder, path_name(file->beside), 0);
	rights_leave(disk->rights);
	free(file->beside);
	file->beside = NULL;
}

static int create(struct disk *disk, const char *hint, struct disk_make *file) {
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char *parent = path_parent(file->path);

	file->beside = disk_beside_path(parent, hint);
	free(parent);
	rights_enter(disk->rights);
	file->fd = openat(file->folder, path_name(file->beside), flags, 0600);
	int errnum = errno;
	rights_leave(disk->rights);
	if (file->fd >= 0) return 0;
	disk_fail(&file->err, errnum, "create", file->beside);
	free(file->beside); /* nobody's of ours, if it is there */
	file->beside = NULL;
	return -1;
}

static void write_beside(struct disk *disk, const char *hint, struct disk_make *file,
	const struct disk_make *before) {
	file->folder = file->fd = -1;
	file->ours = false;
	file->beside = NULL;
	err_clear(&file->err);
	if (folder_open(disk, file, before) < 0 || create(disk, hint, file) < 0) return;
	if (disk_write_span(file->fd, 0, file->bytes, file->length, &file->err) < 0 ||
		disk_set_times(file->fd, file->mtime_ns, file->mode, &file->err) < 0)
		give_up(disk, file);
}

static void get_place(struct disk *disk, struct disk_make *file) {
	if (file->stays) return;
	rights_enter(disk->rights);
	int rc = disk_rename_new(file->folder, path_name(file->beside), path_name(file->path));
	int errnum = errno;
	rights_leave(disk->rights);
	if (rc < 0) {
		disk_fail(&file->err, errnum, "rename to", file->path);
		give_up(disk, file);
		return;
	}
	free(file->beside);
	file->beside = NULL;
	/* Then nobody knows how it stands there; it does. */
	if (os_stat(file->fd, "", &file->stat) < 0) file->stat.kind = DISK_OTHER;
}

void disk_make_files(struct disk *disk, const char *hint, struct disk_make *files, size_t count) {
	for (size_t i = 0; i < count; i++)
		write_beside(disk, hint, &files[i], i ? &files[i - 1] : NULL);
	for (size_t i = 0; i < count; i++) {
		struct disk_make *file = &files[i];
		if (file->fd >= 0 && disk_sync_bytes(file->fd, &file->err) < 0) give_up(disk, file);
	}
	for (size_t i = 0; i < count; i++)
		if (files[i].fd >= 0) get_place(disk, &files[i]);
	for (size_t i = 0; i < count; i++) {
		struct disk_make *file = &files[i];
		/* Synced: there is nothing more that its end could tell. */
		if (file->fd >= 0) close(file->fd);
		if (file->ours) close(file->folder);
	}
}
