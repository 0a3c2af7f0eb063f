/* What a scan's job reads of the base, beside the loop: WAL lets it see one state while the loop
 * goes on writing. It ends its transaction after each folder, since an open one keeps the log from
 * beginning anew. */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

struct index_reader {
	struct index *shared; /* in memory: the loop's own; else NULL */
	struct db *db;
	struct db_stmt find, list, meta;
};

struct index_reader *index_reader_open(
	struct index *index_on_loop, const char *path, struct err *err) {
	struct index_reader *reader = xcalloc(1, sizeof(*reader));

	if (!path) {
		reader->shared = index_on_loop;
		return reader;
	}
	struct db_options options = { .readonly = true };
	reader->db = db_open(path, &options, err);
	if (reader->db) return reader;
	err_wrap(err, "index '%s'", path);
	free(reader);
	return NULL;
}

void index_reader_close(struct index_reader *reader) {
	if (!reader) return;
	db_close(reader->db);
	free(reader);
}

/* Without a cache: folders may be forgotten, and their numbers given anew, between two reads. */
static int64_t find(struct index_reader *reader, const char *folder, struct err *err) {
	int64_t dir = DIR_ROOT;

	while (*folder && dir > 0) {
		size_t len = strcspn(folder, "/");
		if (db_prepare(reader->db, &reader->find, index_sql_text[SQL_DIR_FIND], err) < 0) {
			return -1;
		}
		db_bind_int(&reader->find, 1, dir);
		db_bind_blob(&reader->find, 2, folder, len);
		int got = db_step(&reader->find, err);
		dir = got == 1 ? db_int(&reader->find, 0) : got;
		db_reset(&reader->find);
		folder += len;
		if (*folder == '/') folder++;
	}
	return dir;
}

static int list(
	struct index_reader *reader, const char *folder, struct index_rows *rows, struct err *err) {
	int64_t dir = find(reader, folder, err);

	if (dir <= 0) return (int)dir;
	if (db_prepare(reader->db, &reader->list, index_sql_text[SQL_ENTRY_LIST], err) < 0)
		return -1;
	db_bind_int(&reader->list, 1, dir);
	db_bind_blob(&reader->list, 2, "", 0);
	db_bind_int(&reader->list, 3, INT64_MAX);
	return index_rows_read(&reader->list, rows, err);
}

int index_reader_list(
	struct index_reader *reader, const char *folder, struct index_rows *rows, struct err *err) {
	*rows = (struct index_rows){ 0 };
	if (reader->shared) return index_list(reader->shared, folder, NULL, SIZE_MAX, rows, err);
	int got = db_begin(reader->db, err);
	if (got == 0) got = list(reader, folder, rows, err);
	db_rollback(reader->db);
	return got < 0 ? err_wrap(err, "index '%s'", db_path(reader->db)) : 0;
}

char *index_reader_meta(struct index_reader *reader, const char *key) {
	struct err err;
	char *value = NULL;

	if (db_prepare(reader->db, &reader->meta, "SELECT v FROM meta WHERE k = ?1", &err) < 0)
		return NULL;
	db_bind_blob(&reader->meta, 1, key, strlen(key));
	if (db_step(&reader->meta, &err) == 1) {
		size_t len = 0;
		const char *bytes = db_blob(&reader->meta, 0, &len);
		value = xstrndup(bytes ? bytes : "", len);
	}
	db_reset(&reader->meta);
	return value;
}
