/* What only the remote has, in pages: an index over these rows alone, so that cost follows their number. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

enum { DIR_COLUMN = ENTRY_NAME_COLUMN, NAME_COLUMN };

static void page_clear(struct index_strangers *page) {
	for (size_t i = 0; i < page->count; i++) index_entry_release(&page->entries[i]);
	free(page->entries);
	strv_free(page->paths);
	page->entries = NULL;
	page->paths = NULL;
	page->count = 0;
}

void index_strangers_release(struct index_strangers *page) {
	page_clear(page);
	free(page->name);
	*page = (struct index_strangers){ 0 };
}

static int row_add(
	struct index *index, struct db_stmt *stmt, struct index_strangers *page, struct err *err) {
	char *folder = index_dir_path(index, db_int(stmt, DIR_COLUMN), err);
	size_t len = 0;
	if (!folder) return -1;
	const char *name = db_blob(stmt, NAME_COLUMN, &len);
	page->dir = db_int(stmt, DIR_COLUMN);
	free(page->name);
	page->name = xstrndup(name, len);
	if (len && name[len - 1] == '/') len--;
	strv_add_owned(&page->paths, index_join(folder, name, len));
	index_entry_read(stmt, &page->entries[page->count++]);
	free(folder);
	return 0;
}

int index_strangers_next(
	struct index *index, size_t limit, struct index_strangers *page, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_STRANGERS_NEXT, err);
	const char *after = page->name ? page->name : "";
	int got;

	page_clear(page);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, page->dir);
	db_bind_blob(stmt, 2, after, strlen(after));
	db_bind_int(stmt, 3, (int64_t)limit);
	page->entries = xcalloc(limit + 1, sizeof(*page->entries));
	while ((got = db_step(stmt, err)) == 1) {
		got = row_add(index, stmt, page, err);
		if (got < 0) break;
	}
	db_reset(stmt);
	return got;
}

int index_strangers_sum(struct index *index, struct index_strangers_sum *sum, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_STRANGERS_SUM, err);

	*sum = (struct index_strangers_sum){ 0 };
	if (!stmt || db_step(stmt, err) < 0) return -1;
	sum->files = db_int(stmt, 0);
	sum->folders = db_int(stmt, 1);
	sum->bytes = db_int(stmt, 2);
	db_reset(stmt);
	return 0;
}
