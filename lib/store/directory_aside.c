#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/directory.h"

/*
 * Everything new is written in DIRECTORY_TMP and gets its name by one rename: a crash leaves
 * nothing among the user's names, and one folder to clean. A rename does not cross file systems;
 * where another one is mounted inside, a second copy is made in the folder it goes to.
 */
enum { TARGET_MAX_BYTES = 4096 };

void directory_made_init(struct directory_made *made) {
	made->path = NULL;
	made->fd = -1;
}

void directory_made_release(struct directory_op *work, struct directory_made *made) {
	struct err ignored;

	if (made->fd >= 0) close(made->fd);
	if (made->path) disk_remove(work->disk, made->path, &ignored);
	free(made->path);
	directory_made_init(made);
}

int directory_make_parents(struct directory_op *work, const char *path, struct err *err) {
	work->wrote = work->made_folders = true;
	work->made_own = work->made_own || path_is_within(path, DIRECTORY_OWN);
	return disk_mkdir_parents(work->disk, path, err);
}

static int make_file_in(struct directory_op *work, const char *folder, const char *hint,
	struct directory_made *made, struct err *err) {
	made->fd = disk_create_beside(work->disk, folder, hint, &made->path, err);
	if (made->fd < 0 && err->kind == ERR_NOT_FOUND && str_equal(folder, DIRECTORY_TMP)) {
		if (directory_make_parents(work, DIRECTORY_TMP "/x", err) < 0) return -1;
		made->fd = disk_create_beside(work->disk, folder, hint, &made->path, err);
	}
	if (made->fd < 0) return -1;
	if (str_equal(folder, DIRECTORY_TMP)) disk_hold(work->disk, folder);
	return 0;
}

int directory_make_file(
	struct directory_op *work, const char *hint, struct directory_made *made, struct err *err) {
	return make_file_in(work, DIRECTORY_TMP, hint, made, err);
}

static int make_link_in(struct directory_op *work, const char *folder, const char *target,
	int64_t mtime_ns, struct directory_made *made, struct err *err) {
	char *path = disk_beside_path(folder, "link");
	int rc = disk_symlink(work->disk, target, path, err);

	if (rc < 0 && err->kind == ERR_NOT_FOUND && str_equal(folder, DIRECTORY_TMP) &&
		directory_make_parents(work, path, err) == 0)
		rc = disk_symlink(work->disk, target, path, err);
	if (rc < 0) {
		free(path);
		return -1;
	}
	made->path = path;
	/* Before the rename: afterwards its version would be another. */
	if (disk_set(work->disk, path, mtime_ns, -1, err) == 0) return 0;
	directory_made_release(work, made);
	return -1;
}

int directory_make_link(struct directory_op *work, const char *target, int64_t mtime_ns,
	struct directory_made *made, struct err *err) {
	return make_link_in(work, DIRECTORY_TMP, target, mtime_ns, made, err);
}

static int copy_link(struct directory_op *work, const char *from, const char *folder,
	struct directory_made *made, struct err *err) {
	struct disk_stat stat;
	struct buf target;
	int rc = -1;

	buf_init(&target, TARGET_MAX_BYTES);
	if (disk_stat(work->disk, from, &stat, err) == 0 &&
		disk_read_link(work->disk, from, &target, err) == 0)
		rc = make_link_in(work, folder, target.at, stat.mtime_ns, made, err);
	buf_release(&target);
	return rc;
}

static int copy_file(struct directory_op *work, const char *from, const char *folder, bool sync,
	struct directory_made *made, struct err *err) {
	struct disk_stat stat;

	int fd = disk_open_file(work->disk, from, &stat, err);
	if (fd < 0) return -1;
	int rc = make_file_in(work, folder, "copy", made, err);
	if (rc == 0) rc = disk_copy_span(fd, 0, made->fd, 0, stat.size, err);
	if (rc == 0) rc = disk_set_times(made->fd, stat.mtime_ns, stat.mode & 0777, err);
	if (rc == 0 && sync) rc = disk_sync_bytes(made->fd, err);
	close(fd);
	if (rc < 0) directory_made_release(work, made);
	return rc;
}

static int copy_in(struct directory_op *work, const char *from, const char *folder, bool sync,
	struct directory_made *made, struct err *err) {
	struct disk_stat stat;

	if (disk_stat(work->disk, from, &stat, err) < 0) return -1;
	if (stat.kind == DISK_FOLDER) return directory_fail_folder(from, err);
	if (stat.kind == DISK_LINK) return copy_link(work, from, folder, made, err);
	return copy_file(work, from, folder, sync, made, err);
}

int directory_make_copy(struct directory_op *work, const char *from, bool sync,
	struct directory_made *made, struct err *err) {
	return copy_in(work, from, DIRECTORY_TMP, sync, made, err);
}

/* Another file system is mounted inside the remote folder: through a copy in the folder of `to`. */
static int rename_across(struct directory_op *work, const char *from, const char *to, bool replace,
	struct err *err) {
	struct directory_made made;
	char *folder = path_parent(to);

	directory_made_init(&made);
	int rc = copy_in(work, from, folder, true, &made, err);
	if (rc == 0) rc = disk_rename(work->disk, made.path, to, replace, err);
	if (rc == 0) {
		free(made.path);
		made.path = NULL;
		rc = disk_remove(work->disk, from, err);
	}
	directory_made_release(work, &made);
	free(folder);
	return rc;
}

/* ---- folders that many small files come into ---- */

void directory_recent_close(struct directory_recent *recent) {
	if (!recent) return;
	disk_folder_close(recent->folder);
	free(recent);
}

/* The folder of `to`, as one of the operations begun with this one found it: who finds it anew for each of 100,000 files spends a
 * twentieth of all their time. What other turns left is closed. NULL: look for it. */
static struct directory_recent *recent_take(struct directory_op *work, const char *to) {
	for (size_t i = 0; i < DIRECTORY_RECENT_MAX; i++) {
		struct directory_recent *recent = atomic_exchange(&work->root->recent[i], NULL);
		if (!recent) continue;
		if (recent->turn == work->turn && disk_folder_holds(recent->folder, to))
			return recent;
		directory_recent_close(recent);
	}
	return NULL;
}

static struct directory_recent *recent_new(struct directory_op *work, const char *to) {
	struct err ignored;
	char *path = path_parent(to);
	struct disk_folder *folder = disk_folder_open(work->disk, path, &ignored);

	free(path);
	if (!folder) return NULL;
	struct directory_recent *recent = xmalloc(sizeof(*recent));
	*recent = (struct directory_recent){ folder, work->turn };
	return recent;
}

static void recent_give(struct directory_op *work, struct directory_recent *recent) {
	for (size_t i = 0; i < DIRECTORY_RECENT_MAX; i++) {
		struct directory_recent *none = NULL;
		if (atomic_compare_exchange_strong(&work->root->recent[i], &none, recent)) return;
	}
	directory_recent_close(recent);
}

static int rename_brief(
	struct directory_op *work, const char *from, const char *to, struct err *err) {
	struct directory_recent *recent = recent_take(work, to);

	if (!recent) recent = recent_new(work, to);
	if (!recent) return disk_rename(work->disk, from, to, false, err);
	int rc = disk_rename_into(recent->folder, from, to, false, err);
	if (rc == 0) {
		recent_give(work, recent);
		return 0;
	}
	directory_recent_close(recent);
	/* It was removed, and another may stand there by now. */
	return err->kind == ERR_NOT_FOUND ? disk_rename(work->disk, from, to, false, err) : rc;
}

int directory_made_place(struct directory_op *work, struct directory_made *made, const char *to,
	bool replace, struct err *err) {
	bool brief = work->job.brief && !replace;
	int rc = brief ? rename_brief(work, made->path, to, err)
		       : disk_rename(work->disk, made->path, to, replace, err);

	if (rc < 0 && err->sys == EXDEV) rc = rename_across(work, made->path, to, replace, err);
	if (rc < 0) return -1;
	work->wrote = true;
	free(made->path);
	made->path = NULL;
	return 0;
}

int directory_rename_new(
	struct directory_op *work, const char *from, const char *to, struct err *err) {
	int rc = disk_rename(work->disk, from, to, false, err);

	if (rc < 0 && err->kind == ERR_NOT_FOUND && directory_make_parents(work, to, err) == 0)
		rc = disk_rename(work->disk, from, to, false, err);
	if (rc < 0 && err->sys == EXDEV) rc = rename_across(work, from, to, false, err);
	return rc;
}
