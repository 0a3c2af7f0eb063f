#include <errno.h>
#include <stdlib.h>

#include "db/internal.h"

/* Did the operating system refuse, and does it say why? */
static enum err_kind system_kind(sqlite3 *handle) {
	int errnum = handle ? sqlite3_system_errno(handle) : 0;

	return errnum ? err_kind_of_errno(errnum) : ERR_SYSTEM;
}

static enum err_kind kind_of(sqlite3 *handle, int rc) {
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
	case SQLITE_IOERR: return system_kind(handle);
	default: return ERR_SYSTEM;
	}
}

int db_fail(sqlite3 *handle, const char *path, int rc, struct err *err) {
	int errnum = handle ? sqlite3_system_errno(handle) : 0;
	bool system = (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR;

	if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) {
		log_error("out of memory in database '%s': tend stops here", path);
		abort();
	}
	err_set(err, kind_of(handle, rc), "%s in database '%s'",
		handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc), path);
	if (system && errnum && err) err->sys = errnum;
	return -1;
}
