#include <errno.h>
#include <stdlib.h>

#include "store/directory.h"

static void add(struct directory_unsynced *unsynced, const char *path) {
	if (unsynced->all) return;
	if (unsynced->count < DIRECTORY_UNSYNCED_MAX) {
		unsynced->paths[unsynced->count++] = xstrdup(path);
	} else {
		directory_unsynced_all(unsynced);
	}
}

void directory_unsynced_all(struct directory_unsynced *unsynced) {
	while (unsynced->count > 0) free(unsynced->paths[--unsynced->count]);
	unsynced->all = true;
}

void directory_unsynced_release(struct directory_unsynced *unsynced) {
	directory_unsynced_all(unsynced);
	while (unsynced->foreign_count > 0)
		free(unsynced->foreign[--unsynced->foreign_count].folder);
	unsynced->all = false;
}

/* syncfs of the root does not reach another file system inside. */
static void note_foreign(struct directory_unsynced *unsynced, uint64_t dev, const char *path) {
	for (size_t i = 0; i < unsynced->foreign_count; i++)
		if (unsynced->foreign[i].dev == dev) return;
	if (unsynced->foreign_count == DIRECTORY_FOREIGN_MAX) return;
	unsynced->foreign[unsynced->foreign_count].dev = dev;
	unsynced->foreign[unsynced->foreign_count++].folder = path_parent(path);
}

void directory_unsynced_note(struct directory_unsynced *unsynced, const struct directory_op *work) {
	const struct store_op *op = work->op;
	const char *path = op->to_key ? op->to_key : op->key;

	/* Parents were made: only their own parents know them. */
	if (work->made_folders) directory_unsynced_all(unsynced);
	if (op->verb == STORE_REMOVE || op->verb == STORE_MOVE) {
		char *parent = path_parent(op->key);
		add(unsynced, parent);
		free(parent);
	}
	if (op->verb != STORE_REMOVE) add(unsynced, path);
	if (op->kept) add(unsynced, op->keep_key);
	if (work->dev != 0 && work->dev != disk_dev(work->disk))
		note_foreign(unsynced, work->dev, path);
}

/* What is gone since was removed by an operation that noted its folder, or by somebody else. */
static int sync_one(struct disk *disk, const char *path, struct err *err) {
	struct err why = { 0 };

	if (disk_sync_file(disk, path, &why) == 0 || why.kind == ERR_NOT_FOUND) return 0;
	*err = why;
	return -1;
}

int directory_sync(struct directory_op *work, struct err *err) {
	const struct directory_unsynced *unsynced = &work->unsynced;
	bool all = unsynced->all;

	for (size_t i = 0; i < unsynced->count && !all; i++) {
		if (sync_one(work->disk, unsynced->paths[i], err) == 0) continue;
		/* A file whose mode does not let its owner open it. */
		if (err->kind != ERR_DENIED) return -1;
		all = true;
	}
	if (all && disk_sync_all(work->disk, err) < 0) return -1;
	for (size_t i = 0; i < unsynced->foreign_count; i++) {
		struct err why = { 0 };
		if (disk_sync_all_of(work->disk, unsynced->foreign[i].folder, &why) == 0) continue;
		if (why.kind == ERR_NOT_FOUND) continue; /* unmounted, so it was written */
		*err = why;
		return -1;
	}
	return 0;
}
