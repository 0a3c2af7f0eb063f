#include <stdlib.h>

#include "db/internal.h"

/* What the operating system said of the log or the database file. sqlite3_system_errno is only
 * errno as it stands when SQLite gives up, after its own cleaning; the files remember. 0:
 * nothing. */
static int system_errno(sqlite3 *handle) {
	static const int files[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };
	int errnum = 0;

	if (!handle) return 0;
	for (size_t i = 0; i < ARRAY_LEN(files) && errnum == 0; i++) {
		sqlite3_file *file = NULL;
		sqlite3_file_control(handle, "main", files[i], (void *)&file);
		if (file && file->pMethods)
			file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errnum);
	}
	return errnum ? errnum : sqlite3_system_errno(handle);
}

static enum err_kind kind_of(int rc, int errnum) {
	switch (rc) { /* extended codes that say more than their class */
	case SQLITE_IOERR_CORRUPTFS:
	case SQLITE_IOERR_DATA:
	case SQLITE_IOERR_SHORT_READ: return ERR_CORRUPT;
	default: break;
	}
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return ERR_CORRUPT;
	case SQLITE_FULL: return ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_BUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY: return ERR_DENIED;
	case SQLITE_CONSTRAINT: return ERR_CHANGED;
	case SQLITE_ERROR:
	case SQLITE_MISMATCH:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_TOOBIG: return ERR_INVALID;
	case SQLITE_INTERRUPT: return ERR_CANCELLED;
	case SQLITE_CANTOPEN:
	case SQLITE_IOERR: return errnum ? err_kind_of_errno(errnum) : ERR_SYSTEM;
	default: return ERR_SYSTEM;
	}
}

int db_fail(sqlite3 *handle, const char *path, int rc, struct err *err) {
	bool system = (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR;
	int errnum = system ? system_errno(handle) : 0;

	if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) {
		log_error("out of memory in database '%s': tend stops here", path);
		abort();
	}
	err_set(err, kind_of(rc, errnum), "%s in database '%s'",
		handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc), path);
	if (err) err->sys = errnum;
	return -1;
}
