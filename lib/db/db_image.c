#include <string.h>

#include "db/internal.h"

/* Databases in memory, taken and put back as a whole: what a file would hold after a crash. */

void *db_image(struct db *db, size_t *len, struct err *err) {
	sqlite3_int64 size = 0;
	unsigned char *bytes = sqlite3_serialize(db->handle, "main", &size, 0);

	if (!bytes) {
		db_fail(db->handle, db->path, SQLITE_ERROR, err);
		return NULL;
	}
	*len = (size_t)size;
	return bytes;
}

void db_image_free(void *image) {
	sqlite3_free(image);
}

static int copy_all(sqlite3 *from, struct db *to, struct err *err) {
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from, "main");

	if (!backup) return db_fail(to->handle, to->path, SQLITE_ERROR, err);
	sqlite3_backup_step(backup, -1);
	int rc = sqlite3_backup_finish(backup);
	return rc ? db_fail(to->handle, to->path, rc, err) : 0;
}

/* By way of another connection: one that was made of an image itself is no usual database in memory
 * any more, and its journal lies elsewhere. */
int db_restore_image(struct db *db, const void *image, size_t len, struct err *err) {
	sqlite3 *handle;
	int failed = -1;

	int rc = sqlite3_open_v2(
		":memory:", &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc) {
		db_fail(handle, db->path, rc, err);
		goto close;
	}
	/* Read only: the image stays as it is, and ours. */
	rc = sqlite3_deserialize(handle, "main", (unsigned char *)image, (sqlite3_int64)len,
		(sqlite3_int64)len, SQLITE_DESERIALIZE_READONLY);
	if (rc) {
		db_fail(handle, db->path, rc, err);
		goto close;
	}
	failed = copy_all(handle, db, err);
close:
	sqlite3_close(handle);
	return failed;
}
