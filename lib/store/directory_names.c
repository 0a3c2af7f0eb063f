#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/directory.h"

/* A condition failed: SET was done before when everything is as it would make it. Without a hash
 * to compare, the same inode with the same size is taken for the same content. */
static int meet_own_set(struct directory_op *work, const struct disk_stat *stat, struct err *err) {
	struct store_op *op = work->op;
	char *begin = xasprintf("%lld-%lld-", (long long)stat->ino, (long long)stat->size);
	bool same = stat->kind != DISK_FOLDER && str_starts(op->if_version, begin);

	free(begin);
	if (op->mtime_ns != STORE_MTIME_UNKNOWN && op->mtime_ns != stat->mtime_ns) same = false;
	if (op->mode != STORE_MODE_UNKNOWN && stat->kind != DISK_LINK &&
		(op->mode & 0777) != (stat->mode & 0777))
		same = false;
	if (same && op->hash.kind == STORE_HASH_SHA256) {
		if (directory_hash(work, op->key, stat, err) < 0) return -1;
		same = store_hash_equal(&op->hash, &op->entry.hash);
	}
	return same ? 0 : directory_fail_changed(op->key, err);
}

/* Sets what `op` tells, with what a folder must keep: we work in it, and its group may be handed
 * down. */
static int set(struct directory_op *work, const struct disk_stat *stat, struct err *err) {
	const struct store_op *op = work->op;
	int mode = op->mode == STORE_MODE_UNKNOWN ? -1 : op->mode & 0777;

	if (stat->kind == DISK_FOLDER && mode >= 0) mode |= 0700 | (stat->mode & 07000);
	if (stat->kind == DISK_LINK || mode == stat->mode) mode = -1;
	if (mode < 0 && (op->mtime_ns == STORE_MTIME_UNKNOWN || op->mtime_ns == stat->mtime_ns))
		return 0;
	work->wrote = true;
	return disk_set(work->disk, op->key, op->mtime_ns, mode, err);
}

int directory_set(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;

	if (disk_stat(work->disk, op->key, &stat, err) < 0) return -1;
	if (op->if_version && !directory_is_version(work, &stat)) {
		if (meet_own_set(work, &stat, err) < 0) return -1;
	} else if (set(work, &stat, err) < 0) {
		return -1;
	}
	return directory_answer(work, op->key, err);
}

int directory_mkdir(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;
	int mode = op->mode == STORE_MODE_UNKNOWN ? 0755 : (op->mode & 0777) | 0700;

	int there = disk_mkdir_told(work->disk, op->key, mode, err);
	if (there < 0) return -1;
	op->existed = there > 0;
	work->wrote = true;
	/* The root folder is the user's own: it stays as it is. */
	if (*op->key &&
		(disk_stat(work->disk, op->key, &stat, err) < 0 || set(work, &stat, err) < 0))
		return -1;
	return directory_answer(work, op->key, err);
}

/* ---- COPY and MOVE ---- */

/* to_key is taken: by the same content with the same time, which an earlier try put there? */
static int meet_own_copy(struct directory_op *work, struct err *err) {
	const struct store_op *op = work->op;
	struct disk_stat from, to;

	if (disk_stat(work->disk, op->key, &from, err) < 0) return -1;
	if (disk_stat(work->disk, op->to_key, &to, err) < 0) return -1;
	int same = from.mtime_ns == to.mtime_ns;
	if (same) same = disk_compare(work->disk, op->key, op->to_key, err);
	if (same < 0) return -1;
	return same ? 0 : directory_fail_changed(op->to_key, err);
}

int directory_copy(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct directory_made made;
	struct disk_stat stat;

	if (strcmp(op->key, op->to_key) == 0) return directory_answer(work, op->key, err);
	if (op->if_version) {
		if (disk_stat(work->disk, op->key, &stat, err) < 0) return -1;
		if (!directory_is_version(work, &stat)) return directory_fail_changed(op->key, err);
	}
	int there = op->if_absent ? 0 : directory_look(work, op->to_key, &stat, err);
	if (there < 0) return -1;
	if (there && stat.kind == DISK_FOLDER) return directory_fail_folder(op->to_key, err);
	/* Never a hard link: a SET on the one would change the other. */
	directory_made_init(&made);
	int rc = directory_make_copy(work, op->key, there > 0, &made, err);
	if (rc == 0) rc = directory_made_place(work, &made, op->to_key, there > 0, err);
	directory_made_release(work, &made);
	if (rc < 0 && err->kind == ERR_CHANGED) rc = meet_own_copy(work, err);
	return rc < 0 ? -1 : directory_answer(work, op->to_key, err);
}

/* One thing under two spellings of its name, on a disk that takes them for one. */
static bool is_respelled(const struct disk_stat *from, const struct disk_stat *to) {
	bool one = from->ino == to->ino && from->dev == to->dev;

	return one && (from->kind == DISK_FOLDER || from->nlink == 1);
}

int directory_move(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	bool folder = op->kind == STORE_FOLDER;
	struct disk_stat from, to;

	int from_there = directory_look(work, op->key, &from, err);
	int to_there = from_there < 0 ? -1 : directory_look(work, op->to_key, &to, err);
	if (to_there < 0) return -1;
	if (!from_there || (from.kind == DISK_FOLDER) != folder) {
		if (!to_there || (to.kind == DISK_FOLDER) != folder)
			return err_set(
				err, ERR_NOT_FOUND, "'%s' is not in the remote folder", op->key);
		return directory_answer(work, op->to_key, err); /* moved by the try before */
	}
	if (strcmp(op->key, op->to_key) == 0) return directory_answer(work, op->key, err);
	if (op->if_version && !directory_is_version(work, &from))
		return directory_fail_changed(op->key, err);
	if (path_is_within(op->to_key, op->key))
		return err_set(err, ERR_INVALID, "'%s' is inside of '%s'", op->to_key, op->key);
	/* A rename would put a folder in the place of an empty one. */
	bool replace =
		!op->if_absent && to_there && from.kind != DISK_FOLDER && to.kind != DISK_FOLDER;
	if (to_there && is_respelled(&from, &to)) replace = true;
	if (disk_rename(work->disk, op->key, op->to_key, replace, err) < 0) return -1;
	work->wrote = true;
	return directory_answer(work, op->to_key, err);
}

/* ---- REMOVE ---- */

/* Temporary files of ours are hidden, so a folder that holds only those is empty. Nothing is on its
 * way below a folder that is being removed. */
static int remove_leftovers(struct directory_op *work, const char *folder, struct err *err) {
	struct disk_list list;
	int removed = 0;

	if (disk_list(work->disk, folder, &list, err) < 0) return -1;
	for (size_t i = 0; i < list.count; i++) {
		struct err ignored;
		if (!disk_is_beside(list.items[i].name)) continue;
		char *path = path_join(folder, list.items[i].name);
		removed += disk_remove(work->disk, path, &ignored) == 0;
		free(path);
	}
	disk_list_release(&list);
	return removed;
}

static int remove_folder(struct directory_op *work, struct err *err) {
	const char *key = work->op->key;

	int rc = disk_rmdir(work->disk, key, err);
	if (rc < 0 && err->kind == ERR_BUSY) {
		int removed = remove_leftovers(work, key, err);
		if (removed < 0) return -1;
		rc = removed > 0 ? disk_rmdir(work->disk, key, err)
				 : err_set(err, ERR_BUSY, "the folder '%s' is not empty", key);
		if (rc < 0 && err->kind == ERR_BUSY) err->sys = ENOTEMPTY;
	}
	return rc;
}

int directory_remove(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;
	int rc;

	int there = directory_look(work, op->key, &stat, err);
	if (there < 0) return -1;
	if (!there) {
		directory_kept_before(work);
		return 0;
	}
	if ((stat.kind == DISK_FOLDER) != (op->kind == STORE_FOLDER))
		return err_set(err, ERR_INVALID, "'%s' is of another kind", op->key);
	if (op->if_version && !directory_is_version(work, &stat))
		return directory_fail_changed(op->key, err);
	if (stat.kind == DISK_FOLDER) {
		rc = remove_folder(work, err);
	} else if (op->keep_key) {
		rc = directory_keep(work, &stat, true, err);
	} else {
		rc = disk_remove(work->disk, op->key, err);
	}
	if (rc < 0 && err->kind == ERR_NOT_FOUND) {
		directory_kept_before(work);
		return 0;
	}
	if (rc == 0) work->wrote = true;
	return rc;
}
