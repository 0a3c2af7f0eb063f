/* May a database that stands here be replaced? In jobs; nobody captures it meanwhile (trap 4). */
#include <stdlib.h>
#include <unistd.h>

#include "sync/internal.h"

/* An old -wal beside it would be taken for its own, and a living database must not change under its users. */
bool database_has_company(struct disk *disk, const char *path) {
	static const char *const sides[] = { "-wal", "-shm", "-journal" };
	struct disk_stat stat;
	struct err err;
	bool found = false;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		char *side = xasprintf("%s%s", path, sides[i]);
		/* What cannot be looked at may be there. */
		found |= !disk_stat(disk, side, &stat, &err) || err.kind != ERR_NOT_FOUND;
		free(side);
	}
	return found;
}

/* Also where nothing lies beside it: a program that rests, or that has written nothing yet in its
 * transaction, would go on in a file that has no name any more. */
bool database_in_use(struct disk *disk, const char *path) {
	struct err err;
	int used = disk_is_in_use(disk, path, &err);
	return used > 0 || (used < 0 && err.kind != ERR_NOT_FOUND);
}
