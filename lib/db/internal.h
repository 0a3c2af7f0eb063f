/* What the files of db share. */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include <sqlite3.h>

#include "db/db.h"

struct db {
	sqlite3 *handle;
	char *path;
	struct list stmts; /* prepared ones, so that db_close can finalize them */
	struct db_stmt begin, commit;
	bool readonly;
	int page_size;
	int wal_pages; /* after the last commit */
};

/* Fills `err` from what SQLite says of the last call on `handle`; ends the program when memory is
 * out. Returns -1. */
int db_fail(sqlite3 *handle, const char *path, int rc, struct err *err);

/* By what name SQLite finds it. */
const char *db_memory_vfs(struct db_memory *memory);

#endif
