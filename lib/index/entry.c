/* The base: one row for each agreed file, folder and link, and what is summed up over them. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

/* The SQL of statements.c counts on these. */
_Static_assert(INDEX_FOLDER == 1 && INDEX_STRANGER == 1, "statements.c names them by number");

void index_entry_release(struct index_entry *entry) {
	free(entry->id);
	free(entry->version);
	free(entry->extra);
	*entry = (struct index_entry){ 0 };
}

void index_rows_release(struct index_rows *rows) {
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->rows[i].name);
		index_entry_release(&rows->rows[i].entry);
	}
	free(rows->rows);
	*rows = (struct index_rows){ 0 };
}

static char *text_of(struct db_stmt *stmt, int column) {
	size_t len = 0;
	const char *bytes = db_blob(stmt, column, &len);

	return bytes ? xstrndup(bytes, len) : NULL;
}

void index_entry_read(struct db_stmt *stmt, struct index_entry *entry) {
	size_t len = 0;
	const void *bytes;

	*entry = (struct index_entry){
		.kind = (enum index_kind)db_int(stmt, 0),
		.flags = (unsigned)db_int(stmt, 1),
		.epoch = db_int(stmt, 2),
		.size = db_int(stmt, 3),
		.mtime_ns = db_int(stmt, 4),
		.ctime_ns = db_int(stmt, 5),
		.btime_ns = db_int(stmt, 6),
		.born_ns = db_int(stmt, 7),
		.ino = (uint64_t)db_int(stmt, 8),
		.mode = (int)db_int(stmt, 9),
	};
	/* A longer one is nobody's of ours: as if it were not known. */
	bytes = db_blob(stmt, 10, &len);
	if (bytes && len <= sizeof(entry->hash)) {
		memcpy(entry->hash, bytes, len);
		entry->hash_len = len;
	}
	entry->id = text_of(stmt, 11);
	entry->version = text_of(stmt, 12);
	bytes = db_blob(stmt, 13, &len);
	if (bytes) {
		entry->extra = xmemdup(bytes, len);
		entry->extra_len = len;
	}
}

int index_rows_read(struct db_stmt *stmt, struct index_rows *rows, struct err *err) {
	size_t room = 0;
	int got;

	*rows = (struct index_rows){ 0 };
	while ((got = db_step(stmt, err)) == 1) {
		if (rows->count == room) {
			room = room ? room * 2 : 16;
			rows->rows = xrealloc(rows->rows, room * sizeof(*rows->rows));
		}
		struct index_row *row = &rows->rows[rows->count++];
		index_entry_read(stmt, &row->entry);
		size_t len = 0;
		const char *name = db_blob(stmt, ENTRY_NAME_COLUMN, &len);
		if (len > 0 && row->entry.kind == INDEX_FOLDER) len--;
		row->name = xstrndup(name ? name : "", len);
	}
	if (got < 0) index_rows_release(rows);
	return got;
}

enum { NAME_AT_HAND = 256 };

/* Binds the key of `path` at 1 and 2. */
void index_bind_key(struct db_stmt *stmt, int64_t dir, const char *name, bool folder) {
	size_t len = strlen(name);

	db_bind_int(stmt, 1, dir);
	if (!folder) {
		db_lend_blob(stmt, 2, name, len);
		return;
	}
	char at_hand[NAME_AT_HAND], *key = len < sizeof(at_hand) ? at_hand : xmalloc(len + 1);
	memcpy(key, name, len);
	key[len] = '/';
	db_bind_blob(stmt, 2, key, len + 1);
	if (key != at_hand) free(key);
}

int index_get(struct index *index, const char *path, bool folder, struct index_entry *entry,
	struct err *err) {
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);

	*entry = (struct index_entry){ 0 };
	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_GET, err);
	if (!stmt) return -1;
	index_bind_key(stmt, dir, name, folder);
	int got = db_step(stmt, err);
	if (got == 1) index_entry_read(stmt, entry);
	db_reset(stmt);
	return got;
}

/* Is the row that `stmt` stands at the one of this key, or behind it? As memcmp. */
static int key_order(struct db_stmt *stmt, const char *name, bool folder) {
	size_t have = 0, len = strlen(name);
	const char *row = db_blob(stmt, ENTRY_NAME_COLUMN, &have);

	if (!row) row = ""; /* of no length */
	int order = memcmp(row, name, have < len ? have : len);
	if (order || have < len) return order ? order : -1;
	if (!folder) return have > len;
	return have == len ? -1 : row[len] != '/' ? (unsigned char)row[len] - '/' : have > len + 1;
}

int index_get_both(
	struct index *index, const char *path, struct index_pair *pair, struct err *err) {
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);

	*pair = (struct index_pair){ 0 };
	if (dir <= 0) return (int)dir;
	if (index_absent_name(index, dir, name)) return 0;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_FROM, err);
	if (!stmt) return -1;
	index_bind_key(stmt, dir, name, false);
	int got = db_step(stmt, err);
	bool folder_next = false; /* the folder's row stands further on, or nowhere */
	if (got == 1) {
		pair->has_file = key_order(stmt, name, false) == 0;
		if (pair->has_file) index_entry_read(stmt, &pair->file);
		/* The folder's row is the next of most files that have one. */
		if (pair->has_file) got = db_step(stmt, err);
	}
	if (got == 1) {
		int order = key_order(stmt, name, true);
		pair->has_folder = order == 0;
		folder_next = order < 0;
		if (pair->has_folder) index_entry_read(stmt, &pair->folder);
	}
	db_reset(stmt);
	if (got == 1 && folder_next) {
		got = index_get(index, path, true, &pair->folder, err);
		pair->has_folder = got == 1;
	}
	if (got >= 0) return 0;
	index_entry_release(&pair->file);
	return -1;
}

int index_has_folder(struct index *index, const char *path, struct err *err) {
	if (index->known_folder && strcmp(index->known_folder, path) == 0) return 1;
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);

	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_BRIEF, err);
	if (!stmt) return -1;
	index_bind_key(stmt, dir, name, true);
	int got = db_step(stmt, err);
	db_reset(stmt);
	if (got == 1) {
		free(index->known_folder);
		index->known_folder = xstrdup(path);
	}
	return got;
}

/* What one entry adds to the totals, or takes from them. */
static void count(struct index *index, int64_t kind, int64_t flags, int64_t size, int sign) {
	struct index_totals *t = &index->totals;

	index->totals_changed = true;
	if (flags & INDEX_STRANGER) {
		t->strangers += sign;
		t->strangers_ever += sign > 0;
		return;
	}
	if (flags & INDEX_UNVERIFIED) t->unverified += sign;
	if (kind == INDEX_FOLDER)
		t->folders += sign;
	else if (kind == INDEX_LINK)
		t->links += sign;
	else {
		t->files += sign;
		t->bytes += sign * size;
	}
}

/* Takes the present row out of the totals: 1; there is none: 0. */
static int uncount(
	struct index *index, int64_t dir, const char *name, bool folder, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_BRIEF, err);

	if (!stmt) return -1;
	index_bind_key(stmt, dir, name, folder);
	int got = db_step(stmt, err);
	if (got == 1) count(index, db_int(stmt, 0), db_int(stmt, 1), db_int(stmt, 2), -1);
	db_reset(stmt);
	return got;
}

int index_write_row(struct index *index, enum index_sql which, int64_t dir, const char *name,
	const struct index_entry *entry, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (!stmt) return -1;
	index_absent_note(index, dir, name, entry->ino);
	index_bind_key(stmt, dir, name, entry->kind == INDEX_FOLDER);
	const int64_t numbers[] = { entry->kind, entry->flags, entry->epoch, entry->size,
		entry->mtime_ns, entry->ctime_ns, entry->btime_ns, entry->born_ns,
		(int64_t)entry->ino, entry->mode };
	int at = 3;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) db_bind_int(stmt, at++, numbers[i]);
	db_lend_blob(stmt, at++, entry->hash_len ? entry->hash : NULL, entry->hash_len);
	db_lend_blob(stmt, at++, entry->id, entry->id ? strlen(entry->id) : 0);
	db_lend_blob(stmt, at++, entry->version, entry->version ? strlen(entry->version) : 0);
	db_lend_blob(stmt, at, entry->extra_len ? entry->extra : NULL, entry->extra_len);
	return db_run(stmt, err);
}

static int put(struct index *index, const char *path, const struct index_entry *entry, bool likely,
	struct err *err) {
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_make(index, path, above, err);
	bool folder = entry->kind == INDEX_FOLDER;

	if (dir < 0) return -1;
	/* Most are new while a tree is adopted: only those that are not are looked for first. */
	if (!likely && index_write_row(index, SQL_ENTRY_NEW, dir, name, entry, err) < 0) return -1;
	if (likely || db_changes(index->db) == 0) {
		if (uncount(index, dir, name, folder, err) < 0) return -1;
		if (index_write_row(index, SQL_ENTRY_PUT, dir, name, entry, err) < 0) return -1;
	}
	index->used_dir = dir;
	count(index, entry->kind, entry->flags, entry->size, 1);
	return 0;
}

static int put_row(struct index *index, const char *path, const struct index_entry *entry,
	bool likely, struct err *err) {
	assert(*path && entry->hash_len <= sizeof(entry->hash) && entry->epoch >= 0);
	if (index_begin(index, err) < 0) return -1;
	return put(index, path, entry, likely, err) == 0 ? 0 : index_fail(index, err);
}

int index_put(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err) {
	return put_row(index, path, entry, false, err);
}

int index_put_again(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err) {
	return put_row(index, path, entry, true, err);
}

/* The key is the same, so folders and what is known of them stay as they are. */
int index_put_over(struct index *index, const char *path, const struct index_entry *before,
	const struct index_entry *entry, struct err *err) {
	const char *name;

	assert(entry->kind != INDEX_FOLDER && before->kind != INDEX_FOLDER);
	assert(*path && entry->hash_len <= sizeof(entry->hash) && entry->epoch >= 0);
	if (index_begin(index, err) < 0) return -1;
	int64_t dir = index_dir_find(index, path, index_split(path, &name), err);
	if (dir < 0 || (dir && index_write_row(index, SQL_ENTRY_OVER, dir, name, entry, err) < 0))
		return index_fail(index, err);
	if (!dir || db_changes(index->db) == 0) return 0;
	count(index, before->kind, before->flags, before->size, -1);
	count(index, entry->kind, entry->flags, entry->size, 1);
	return 1;
}

int index_add(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err) {
	const char *name;

	assert(*path && entry->hash_len <= sizeof(entry->hash) && entry->epoch >= 0);
	if (index_begin(index, err) < 0) return -1;
	int64_t dir = index_dir_make(index, path, index_split(path, &name), err);
	if (dir < 0 || index_write_row(index, SQL_ENTRY_NEW, dir, name, entry, err) < 0)
		return index_fail(index, err);
	index->used_dir = dir; /* by this row, or the one that is there */
	if (db_changes(index->db) == 0) return 0;
	count(index, entry->kind, entry->flags, entry->size, 1);
	return 1;
}

static int drop(struct index *index, const char *path, bool folder, struct err *err) {
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);

	if (dir <= 0) return (int)dir;
	int had = uncount(index, dir, name, folder, err);
	if (had <= 0) return had;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_DROP, err);
	if (!stmt) return -1;
	index_bind_key(stmt, dir, name, folder);
	if (db_run(stmt, err) < 0) return -1;
	index_folders_forget(index);
	return index_dir_prune(index, path, above, dir, err);
}

int index_drop(struct index *index, const char *path, bool folder, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	return drop(index, path, folder, err) == 0 ? 0 : index_fail(index, err);
}

int index_disagree(struct index *index, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	static const enum index_sql all[] = { SQL_ENTRY_DROP_ALL, SQL_NEWS_DROP_ALL };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct db_stmt *stmt = index_stmt(index, all[i], err);
		if (!stmt || db_run(stmt, err) < 0) return index_fail(index, err);
	}
	if (index_meta_set(index, INDEX_META_POLLED, NULL, err) < 0) return -1;
	/* Numbers of folders stay: marks go by them. */
	index_dir_forget_all(index);
	index->totals = (struct index_totals){ .versions = index->totals.versions,
		.version_bytes = index->totals.version_bytes,
		.strangers_ever = index->totals.strangers_ever };
	index->totals_changed = true;
	return 0;
}

int index_estrange(struct index *index, struct err *err) {
	struct index_totals *t = &index->totals;

	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_ESTRANGE, err);
	if (!stmt || db_run(stmt, err) < 0) return index_fail(index, err);
	int64_t agreed = t->files + t->folders + t->links;
	t->strangers += agreed;
	t->strangers_ever += agreed;
	t->files = t->folders = t->links = t->bytes = t->unverified = 0;
	index->totals_changed = true;
	return 0;
}

int index_has_children(struct index *index, const char *path, bool strangers, struct err *err) {
	int64_t dir = index_dir_find(index, path, strlen(path), err);

	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_ANY, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	db_bind_int(stmt, 2, strangers);
	int got = db_step(stmt, err);
	db_reset(stmt);
	return got;
}

int index_list(struct index *index, const char *folder, const char *after, size_t limit,
	struct index_rows *rows, struct err *err) {
	int64_t dir = index_dir_find(index, folder, strlen(folder), err);

	*rows = (struct index_rows){ 0 };
	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_LIST, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	db_bind_blob(stmt, 2, after ? after : "", after ? strlen(after) : 0);
	db_bind_int(stmt, 3, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
	return index_rows_read(stmt, rows, err);
}

/* Where a listing of unsealed entries stands: behind this key. */
struct unsealed {
	int64_t epoch, dir;
	char *name; /* with a folder's slash */
};

/* Adds the row's path and moves behind it. */
static int unsealed_row(struct index *index, struct db_stmt *stmt, struct unsealed *at,
	char ***paths, struct err *err) {
	char *folder = index_dir_path(index, db_int(stmt, 0), err);

	if (!folder) return -1;
	free(at->name);
	at->dir = db_int(stmt, 0);
	at->name = text_of(stmt, 1);
	/* A name that is none would be asked for again and again: the next page begins behind it. */
	size_t len = 0;
	db_blob(stmt, 1, &len);
	if (!at->name || strlen(at->name) != len) {
		if (!at->name) at->name = xstrdup("");
		free(folder);
		return err_set(err, ERR_CORRUPT, "the index holds a name that is none");
	}
	bool slash = len > 0 && at->name[len - 1] == '/';
	strv_add_owned(paths, index_join(folder, at->name, slash ? len - 1 : len));
	free(folder);
	return 0;
}

static int unsealed_page(
	struct index *index, struct unsealed *at, size_t limit, char ***paths, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_UNSEALED, err);
	int got;

	if (!stmt) return -1;
	db_bind_int(stmt, 1, at->epoch);
	db_bind_int(stmt, 2, at->dir);
	db_bind_blob(stmt, 3, at->name, strlen(at->name));
	db_bind_int(stmt, 4, (int64_t)limit);
	while ((got = db_step(stmt, err)) == 1) {
		got = unsealed_row(index, stmt, at, paths, err);
		if (got < 0) break;
	}
	db_reset(stmt);
	return got;
}

static int next_epoch(struct index *index, struct unsealed *at, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_ENTRY_NEXT_EPOCH, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, at->epoch);
	int got = db_step(stmt, err);
	if (got == 1 && db_int(stmt, 0) <= at->epoch) {
		got = err_set(err, ERR_CORRUPT, "the index holds an epoch that is no number");
	} else if (got == 1) {
		at->epoch = db_int(stmt, 0);
		at->dir = 0;
		at->name[0] = '\0';
	}
	db_reset(stmt);
	return got;
}

int index_unsealed(struct index *index, int64_t sealed, size_t limit, char **cursor, char ***paths,
	struct err *err) {
	struct unsealed at = { .epoch = sealed, .dir = INT64_MAX };
	const char *name = "";
	int got;

	/* The cursor is "EPOCH DIR NAME". */
	if (*cursor) {
		char *end = NULL;
		at.epoch = strtoll(*cursor, &end, 10);
		at.dir = strtoll(end, &end, 10);
		name = end + 1;
	}
	at.name = xstrdup(name);
	*paths = NULL;
	do got = unsealed_page(index, &at, limit, paths, err);
	while (got == 0 && !*paths && (got = next_epoch(index, &at, err)) == 1);
	if (got < 0) {
		strv_free(*paths);
		*paths = NULL;
	} else {
		free(*cursor);
		*cursor = xasprintf("%" PRId64 " %" PRId64 " %s", at.epoch, at.dir, at.name);
	}
	free(at.name);
	return got < 0 ? -1 : 0;
}
