#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/snapshot.h"

enum { BUSY_MS = 2000 };

/*
 * The source is opened through a VFS of its own, because SQLite's "read only" is not: on a database
 * in WAL mode it makes a missing -wal, and opens the one that is there for writing (measured,
 * 3.40.1). Through this one nothing can be created, written or deleted but the -shm, which has to
 * carry our lock. And names are taken as they are: SQLite would resolve the pinned folder to a path
 * that somebody can lead elsewhere.
 */
struct capture_vfs {
	sqlite3_vfs vfs; /* first */
	sqlite3_vfs *system;
	char name[48];
};

static sqlite3_vfs *system_of(sqlite3_vfs *vfs) {
	return ((struct capture_vfs *)vfs)->system;
}

static int open_for_reading(
	sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *got) {
	flags &= ~(SQLITE_OPEN_CREATE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXCLUSIVE |
		   SQLITE_OPEN_DELETEONCLOSE);
	flags |= SQLITE_OPEN_READONLY;
	return system_of(vfs)->xOpen(system_of(vfs), path, file, flags, got);
}

static int delete_nothing(sqlite3_vfs *vfs, const char *path, int sync) {
	return SQLITE_IOERR_DELETE;
}

static int ask_access(sqlite3_vfs *vfs, const char *path, int flags, int *answer) {
	return system_of(vfs)->xAccess(system_of(vfs), path, flags, answer);
}

static int path_as_it_is(sqlite3_vfs *vfs, const char *path, int size, char *out) {
	size_t len = strlen(path);

	if (len >= (size_t)size) return SQLITE_CANTOPEN;
	memcpy(out, path, len + 1);
	return SQLITE_OK;
}

static void capture_vfs_register(struct capture_vfs *capture) {
	capture->system = sqlite3_vfs_find(NULL);
	capture->vfs = *capture->system;
	/* Captures run side by side on workers, so each has its name. */
	snprintf(capture->name, sizeof(capture->name), "tend-capture-%p", (void *)capture);
	capture->vfs.zName = capture->name;
	capture->vfs.pNext = NULL;
	capture->vfs.xOpen = open_for_reading;
	capture->vfs.xDelete = delete_nothing;
	capture->vfs.xAccess = ask_access;
	capture->vfs.xFullPathname = path_as_it_is;
	sqlite3_vfs_register(&capture->vfs, 0);
}

static int fail_sqlite(struct err *err, int code, const char *doing) {
	enum err_kind kind = ERR_SYSTEM;

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: kind = ERR_BUSY; break;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: kind = ERR_CORRUPT; break;
	case SQLITE_FULL: kind = ERR_FULL; break;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY: kind = ERR_DENIED; break;
	}
	return err_set(err, kind, "cannot %s the database: %s", doing, sqlite3_errstr(code));
}

/* Opened before anything is read: the image is the daemon's, what is read may be a user's. */
static int open_image(const char *image, sqlite3 **to) {
	int code = sqlite3_open_v2(image, to, SQLITE_OPEN_READWRITE, NULL);

	/* The image is thrown away when anything fails, so it needs no journal. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(
			*to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
	return code;
}

/* Every page in one step, so that all come from one commit and no writer can restart it.
 * SQLite's code. */
static int copy_pages(sqlite3 *from, sqlite3 *to) {
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	int code = backup ? sqlite3_backup_step(backup, -1) : sqlite3_extended_errcode(to);
	int end = backup ? sqlite3_backup_finish(backup) : SQLITE_OK;

	return code == SQLITE_DONE ? end : code;
}

/* The read that takes the lock, apart from the backup: an error here is the source's own. */
static int begin_reading(sqlite3 *db) {
	return sqlite3_exec(db, "BEGIN; SELECT 1 FROM sqlite_master LIMIT 1", NULL, NULL, NULL);
}

static bool wants_a_copy(int code) {
	switch (code) {
	case SQLITE_IOERR_LOCK:
	case SQLITE_IOERR_RDLOCK:
	case SQLITE_IOERR_UNLOCK:
	case SQLITE_IOERR_CHECKRESERVEDLOCK:
	case SQLITE_IOERR_SHMOPEN:
	case SQLITE_IOERR_SHMLOCK:
	case SQLITE_IOERR_SHMMAP:
	case SQLITE_IOERR_SHMSIZE:
	case SQLITE_IOERR_DELETE: return true;
	}
	/* A hot journal or a log that must be recovered; a lock that the system refuses. */
	return (code & 0xff) == SQLITE_READONLY || (code & 0xff) == SQLITE_CANTOPEN ||
	       (code & 0xff) == SQLITE_PERM;
}

static int read_into(const char *database, const char *vfs, int flags, sqlite3 *to) {
	sqlite3 *db = NULL;

	int code = sqlite3_open_v2(database, &db, flags, vfs);
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(db, 1);
		sqlite3_busy_timeout(db, BUSY_MS);
		/* Nothing is to be moved from the log into a file that is not ours. */
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		code = begin_reading(db);
	}
	if (code == SQLITE_OK) code = copy_pages(db, to);
	sqlite3_close(db);
	return code;
}

static int close_image(sqlite3 *to, int code) {
	int closed = sqlite3_close(to);

	return code == SQLITE_OK ? closed : code;
}

int snapshot_by_lock(struct disk *disk, const char *path, const char *image, struct err *err) {
	struct capture_vfs capture;
	struct place place;
	sqlite3 *to = NULL;

	/* Before the place, which has the rights of the database's user: SQLite opens all that is the
	 * source's, and makes a -shm where one vanished, as that user. */
	int code = open_image(image, &to);
	if (code == SQLITE_OK) {
		if (disk_place_open(disk, path, &place, err) < 0) {
			sqlite3_close(to);
			return -1;
		}
		char *pinned = os_pinned_path(place.folder, place.name);
		capture_vfs_register(&capture);
		code = read_into(pinned, capture.name, SQLITE_OPEN_READONLY, to);
		sqlite3_vfs_unregister(&capture.vfs);
		free(pinned);
		disk_place_close(&place);
	}
	code = close_image(to, code);
	if (code == SQLITE_OK) return 0;
	if (wants_a_copy(code)) return 1;
	return fail_sqlite(err, code, "read");
}

int snapshot_of_own(const char *database, const char *image, struct err *err) {
	sqlite3 *to = NULL;

	int code = open_image(image, &to);
	if (code == SQLITE_OK) code = read_into(database, NULL, SQLITE_OPEN_READWRITE, to);
	code = close_image(to, code);
	return code == SQLITE_OK ? 0 : fail_sqlite(err, code, "recover a copy of");
}

static void put_number(uint8_t *at, uint32_t value) {
	for (int i = 3; i >= 0; i--, value >>= 8) at[i] = (uint8_t)value;
}

/* An image begins as an empty file, so that its change counter and its schema's number are those of a first commit, and it is by this
 * SQLite (https://sqlite.org/fileformat.html §1.3: offsets 24, 92; 40; 96. Measured, 3.40.1: nothing else differs). */
void snapshot_stamp(uint8_t header[SNAPSHOT_HEADER]) {
	put_number(header + 24, 1);
	put_number(header + 40, 1);
	put_number(header + 92, 1);
	put_number(header + 96, (uint32_t)sqlite3_libversion_number());
}

/* What integrity_check found wrong first; "ok" when nothing. */
static int note_finding(void *user, int columns, char **values, char **names) {
	struct buf *finding = user;

	if (finding->len == 0) buf_adds(finding, values[0] ? values[0] : "");
	return 0;
}

int snapshot_check(const char *image, struct err *err) {
	struct buf finding;
	sqlite3 *db = NULL;
	int rc = 0;

	buf_init(&finding, 160);
	/* immutable: the image says WAL where its source does, and a reader would make that log. */
	char *path = str_percent_encode(image, "/");
	char *uri = xasprintf("file:%s?immutable=1", path);
	int code = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA integrity_check(1)", note_finding, &finding, NULL);
	/* A plain error is not the file's: its schema wants a function or collation of its
	 * program, so that nobody else can check it. */
	if (code != SQLITE_OK && code != SQLITE_ERROR) {
		rc = fail_sqlite(err, code, "check");
	} else if (code == SQLITE_ERROR) {
		rc = 0;
	} else if (!str_equal(finding.at, "ok")) {
		rc = err_set(err, ERR_CORRUPT, "the database is damaged: %s", finding.at);
	}
	sqlite3_close(db);
	free(uri);
	free(path);
	buf_release(&finding);
	return rc;
}
