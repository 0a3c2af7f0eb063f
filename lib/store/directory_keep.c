#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/directory.h"

/* A version's last field is the ctime. */
static size_t without_ctime(const char *version) {
	const char *dash = strrchr(version, '-');

	return dash ? (size_t)(dash - version) : strlen(version);
}

static bool is_kept_already(struct directory_op *work, const struct disk_stat *stat) {
	struct disk_stat kept;
	struct err ignored;

	return work->op->keep_key &&
	       disk_stat(work->disk, work->op->keep_key, &kept, &ignored) == 0 &&
	       kept.ino == stat->ino && kept.dev == stat->dev;
}

bool directory_is_version(struct directory_op *work, const struct disk_stat *stat) {
	char *now = directory_version(stat);
	const char *wanted = work->op->if_version;
	bool same = str_equal(now, wanted);

	/* A try that ended between the link and the rename has moved the ctime by its link. */
	if (!same && now && without_ctime(now) == without_ctime(wanted) &&
		memcmp(now, wanted, without_ctime(now)) == 0)
		same = is_kept_already(work, stat);
	free(now);
	return same;
}

void directory_kept_before(struct directory_op *work) {
	struct disk_stat stat;
	struct err ignored;

	work->op->kept = work->op->keep_key &&
			 disk_stat(work->disk, work->op->keep_key, &stat, &ignored) == 0;
}

/* Something stands at keep_key: an earlier try's, when it is the same. */
static int meet_kept(struct directory_op *work, struct err *err) {
	const struct store_op *op = work->op;

	int rc = disk_compare(work->disk, op->key, op->keep_key, err);
	if (rc < 0) return -1;
	if (rc > 0) return 0;
	return err_set(err, ERR_CHANGED, "'%s' holds another version already", op->keep_key);
}

/* A link and not a rename: the name must not be absent until the new content takes it. */
static int link_or_copy(struct directory_op *work, struct err *err) {
	const struct store_op *op = work->op;
	struct directory_made made;

	int rc = disk_link(work->disk, op->key, op->keep_key, err);
	if (rc < 0 && err->kind == ERR_NOT_FOUND &&
		directory_make_parents(work, op->keep_key, err) == 0)
		rc = disk_link(work->disk, op->key, op->keep_key, err);
	if (rc == 0 || err->kind == ERR_CHANGED || err->kind == ERR_NOT_FOUND ||
		err->kind == ERR_FULL)
		return rc;
	/* No hard links here (exFAT, many of FUSE), or none of this one (EMLINK, EPERM for
	 * another's file). */
	directory_made_init(&made);
	rc = directory_make_copy(work, op->key, true, &made, err);
	if (rc == 0) rc = directory_made_place(work, &made, op->keep_key, false, err);
	directory_made_release(work, &made);
	return rc;
}

int directory_keep(
	struct directory_op *work, const struct disk_stat *stat, bool away, struct err *err) {
	struct store_op *op = work->op;

	int rc = away ? directory_rename_new(work, op->key, op->keep_key, err)
		      : link_or_copy(work, err);
	if (rc < 0 && err->kind == ERR_CHANGED) {
		rc = meet_kept(work, err);
		if (rc == 0 && away) rc = disk_remove(work->disk, op->key, err);
	}
	if (rc < 0) return err_wrap(err, "the old version is not kept");
	work->wrote = op->kept = true;
	return 0;
}
