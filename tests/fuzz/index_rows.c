/* libFuzzer: an index in which any values stand in any columns, as a damaged disk or another hand may leave it, is read back. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/index.h"

static char path[64];

static const char *const columns[] = { "entry.name", "entry.kind", "entry.flags", "entry.epoch",
	"entry.size", "entry.mtime", "entry.ino", "entry.mode", "entry.hash", "entry.rid",
	"entry.ver", "entry.dir", "dir.name", "dir.parent", "dirty.name", "dirty.seen",
	"dirty.prio", "dirty.tries", "dirty.next", "dirty.why", "dirty.dir", "meta.v" };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void remove_files(void) {
	char side[80];

	unlink(path);
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
}

static void fill(void) {
	static const char *const files[] = { "a", "d/b", "d/e/c", "z" };
	struct err err;

	remove_files();
	struct index *index = index_open(path, &err);
	if (!index) abort();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char version[] = "v1";
		struct index_entry entry = { .kind = INDEX_FILE,
			.size = 7,
			.mtime_ns = 5,
			.ino = i + 1,
			.hash_len = 16,
			.version = version };
		if (index_put(index, files[i], &entry, &err)) abort();
		index_mark(index, files[i], 0, 0, 1000, 0, NULL, &err);
	}
	index_meta_set(index, "sealed", "3", &err);
	if (index_commit(index, true, &err)) abort();
	index_close(index);
}

/* Column, row, kind of value, length, value; again. */
static void spoil(const uint8_t *bytes, size_t len) {
	sqlite3 *db;
	char sql[200], table[16];

	if (sqlite3_open(path, &db) != SQLITE_OK) abort();
	sqlite3_exec(db, "PRAGMA synchronous=OFF; BEGIN", NULL, NULL, NULL);
	while (len >= 4) {
		const char *column = columns[bytes[0] % ARRAY_LEN(columns)];
		size_t size = bytes[3] < len - 4 ? bytes[3] : len - 4;
		const char *dot = strchr(column, '.');
		sqlite3_stmt *stmt;
		snprintf(table, sizeof(table), "%.*s", (int)(dot - column), column);
		snprintf(sql, sizeof(sql),
			"UPDATE OR IGNORE %s SET %s=?1 WHERE %s=(SELECT %s FROM %s LIMIT 1 OFFSET "
			"%d)",
			table, dot + 1, dot + 1, dot + 1, table, bytes[1] % 4);
		if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
			int64_t number = 0;
			memcpy(&number, bytes + 4, size < 8 ? size : 8);
			if (bytes[2] % 4 == 0) sqlite3_bind_int64(stmt, 1, number);
			if (bytes[2] % 4 == 1)
				sqlite3_bind_blob(stmt, 1, bytes + 4, (int)size, NULL);
			if (bytes[2] % 4 == 2)
				sqlite3_bind_text(
					stmt, 1, (const char *)bytes + 4, (int)size, NULL);
			sqlite3_step(stmt);
			sqlite3_finalize(stmt);
		}
		bytes += 4 + size;
		len -= 4 + size;
	}
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
}

static void read_all(struct index *index) {
	static const char *const folders[] = { "", "d", "d/e" };
	struct index_dirty *dirty = NULL;
	char *cursor = NULL, **paths = NULL;
	size_t count = 0;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct index_rows rows = { 0 };
		struct index_entry entry;
		if (!index_list(index, folders[i], NULL, 100, &rows, &err))
			index_rows_release(&rows);
		if (index_get(index, folders[i], true, &entry, &err) == 1)
			index_entry_release(&entry);
	}
	/* Page by page, until there are no more: it ends. */
	for (int pages = 0; !index_unsealed(index, 0, 2, &cursor, &paths, &err) && paths; pages++) {
		strv_free(paths);
		if (pages > 10) abort();
	}
	free(cursor);
	paths = NULL;
	index_find_inode(index, 2, false, 10, &paths, &err);
	strv_free(paths);
	if (!index_claim_due(index, 1 << 20, 10, &dirty, &count, &err)) {
		for (size_t i = 0; i < count; i++) index_dirty_release(&dirty[i]);
		free(dirty);
	}
	free(index_meta_get(index, "sealed"));
	index_meta_int(index, "sealed", 0);
	index_mark_tree(index, "d", 0, 0, &err);
	index_totals(index);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	struct err err;

	if (!*path) {
		snprintf(path, sizeof(path), "/dev/shm/tend-fuzz-%ld.db", (long)getpid());
		atexit(remove_files);
	}
	if (len > 2000) return 0;
	fill();
	spoil(bytes, len);
	struct index *index = index_open(path, &err);
	if (!index) return 0;
	read_all(index);
	index_commit(index, false, &err);
	index_close(index);
	return 0;
}
