/* Everything that is to be looked at, page by page. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

void index_place_release(struct index_place *place) {
	free(place->name);
	*place = (struct index_place){ 0 };
}

/* The row that `stmt` stands at: its path, and where the next page begins. */
static int take_row(struct index *index, struct db_stmt *stmt, struct index_place *place,
	char ***paths, struct err *err) {
	char *folder = index_dir_path(index, db_int(stmt, 0), err);
	size_t len = 0;

	if (!folder) return -1;
	const char *name = db_blob(stmt, 1, &len);
	strv_add_owned(paths, index_join(folder, name, len));
	free(folder);
	free(place->name);
	place->name = xstrndup(name ? name : "", len);
	place->dir = db_int(stmt, 0);
	return 0;
}

int index_dirty_walk(struct index *index, struct index_place *place, size_t limit, char ***paths,
	struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_WALK, err);
	char *from = xstrdup(place->name ? place->name : "");
	int got = -1;

	*paths = NULL;
	if (stmt) {
		db_bind_int(stmt, 1, place->dir);
		db_bind_blob(stmt, 2, from, strlen(from));
		db_bind_int(stmt, 3, (int64_t)limit);
		while ((got = db_step(stmt, err)) == 1)
			if (take_row(index, stmt, place, paths, err)) {
				got = -1;
				break;
			}
		db_reset(stmt);
	}
	free(from);
	if (got == 0) return 0;
	strv_free(*paths);
	*paths = NULL;
	return -1;
}
