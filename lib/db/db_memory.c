/*
 * A database in memory that goes back, for tests: what a file would hold after a crash. SQLite writes to it as to a file, through a VFS of
 * its own, at each commit the pages that changed; what they held before is kept for each state that is to be gone back to. (Measured: to
 * copy the whole at each commit was an eighth of a story of the model, and SQLite forgot all statements when it was copied back.)
 *
 * One connection at a time, which holds its lock all the time and so looks at the pages only once.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/internal.h"

enum { BLOCK = 512 /* the smallest page */, NAME_MAX_BYTES = 64 };

struct block {
	size_t number;
	unsigned char bytes[BLOCK];
};

/* What was overwritten since a state, as it was in it. */
struct undo {
	struct block *blocks;
	size_t count, room;
	size_t len;   /* of the whole then */
	uint64_t key; /* no other state has it */
};

struct db_memory {
	sqlite3_vfs vfs;
	char name[NAME_MAX_BYTES];
	unsigned char *bytes;
	uint64_t *saved; /* by block: the newest state for which it is kept */
	size_t len, room;
	struct undo *states; /* oldest first; behind them some that wait to be used again */
	size_t count, made;
	uint64_t last_key;
	unsigned char *base;
	size_t base_len;
};

/* ---- the bytes ---- */

static void make_room(struct db_memory *memory, size_t len) {
	size_t room = memory->room ? memory->room : (size_t)64 * BLOCK;

	if (len <= memory->room) return;
	while (room < len) room *= 2;
	memory->bytes = xrealloc(memory->bytes, room);
	memory->saved = xrealloc(memory->saved, room / BLOCK * sizeof(*memory->saved));
	memset(memory->bytes + memory->room, 0, room - memory->room);
	memset(memory->saved + memory->room / BLOCK, 0,
		(room - memory->room) / BLOCK * sizeof(*memory->saved));
	memory->room = room;
}

/* Before these bytes are overwritten. */
static void save(struct db_memory *memory, size_t at, size_t len) {
	struct undo *undo = memory->count ? &memory->states[memory->count - 1] : NULL;

	for (size_t number = at / BLOCK; undo && number * BLOCK < at + len; number++) {
		if (number * BLOCK >= undo->len) return;
		if (memory->saved[number] == undo->key) continue;
		memory->saved[number] = undo->key;
		if (undo->count == undo->room) {
			undo->room = undo->room ? 2 * undo->room : 16;
			undo->blocks = xrealloc(undo->blocks, undo->room * sizeof(*undo->blocks));
		}
		struct block *block = &undo->blocks[undo->count++];
		block->number = number;
		memcpy(block->bytes, memory->bytes + number * BLOCK, BLOCK);
	}
}

struct db_memory *db_memory_new(void) {
	return xcalloc(1, sizeof(struct db_memory));
}

void db_memory_free(struct db_memory *memory) {
	if (!memory) return;
	if (memory->vfs.zName) sqlite3_vfs_unregister(&memory->vfs);
	for (size_t i = 0; i < memory->made; i++) free(memory->states[i].blocks);
	free(memory->states);
	free(memory->bytes);
	free(memory->saved);
	free(memory->base);
	free(memory);
}

/* ---- states ---- */

void db_memory_note(struct db_memory *memory) {
	if (memory->count == memory->made) {
		memory->states = xrealloc(memory->states, ++memory->made * sizeof(*memory->states));
		memory->states[memory->count] = (struct undo){ 0 };
	}
	struct undo *undo = &memory->states[memory->count++];
	undo->count = 0;
	undo->len = memory->len;
	undo->key = ++memory->last_key;
}

size_t db_memory_states(const struct db_memory *memory) {
	return memory->count;
}

void db_memory_forget(struct db_memory *memory, size_t count) {
	assert(count <= memory->count);
	for (; count > 0; count--) {
		struct undo oldest = memory->states[0];
		memory->count--;
		memmove(memory->states, memory->states + 1,
			memory->count * sizeof(*memory->states));
		memory->states[memory->count] = oldest;
	}
}

static void undo_newest(struct db_memory *memory) {
	struct undo *undo = &memory->states[memory->count - 1];

	for (size_t i = 0; i < undo->count; i++)
		memcpy(memory->bytes + undo->blocks[i].number * BLOCK, undo->blocks[i].bytes,
			BLOCK);
	memory->len = undo->len;
	undo->count = 0;
	undo->key = ++memory->last_key;
}

void db_memory_back(struct db_memory *memory, size_t count) {
	assert(count < memory->count);
	undo_newest(memory);
	for (; count > 0; count--) {
		memory->count--;
		undo_newest(memory);
	}
}

void db_memory_set_base(struct db_memory *memory) {
	free(memory->base);
	memory->base = xmemdup(memory->bytes, memory->len);
	memory->base_len = memory->len;
}

bool db_memory_has_base(const struct db_memory *memory) {
	return memory->base;
}

void db_memory_to_base(struct db_memory *memory) {
	memory->count = 0;
	memory->len = memory->base_len;
	if (memory->base) memcpy(memory->bytes, memory->base, memory->base_len);
}

/* ---- as SQLite sees it ---- */

struct memory_file {
	sqlite3_file file;
	struct db_memory *memory;
};

static struct db_memory *memory_of(sqlite3_file *file) {
	return container_of(file, struct memory_file, file)->memory;
}

static int file_close(sqlite3_file *file) {
	(void)file;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
	const struct db_memory *memory = memory_of(file);
	size_t from = (size_t)at < memory->len ? (size_t)at : memory->len;
	size_t there = memory->len - from < (size_t)len ? memory->len - from : (size_t)len;

	if (there) memcpy(to, memory->bytes + from, there);
	if (there == (size_t)len) return SQLITE_OK;
	memset((char *)to + there, 0, (size_t)len - there);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at) {
	struct db_memory *memory = memory_of(file);
	size_t end = (size_t)at + (size_t)len;

	make_room(memory, end);
	save(memory, (size_t)at, (size_t)len);
	memcpy(memory->bytes + at, from, (size_t)len);
	if (end > memory->len) memory->len = end;
	return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 len) {
	struct db_memory *memory = memory_of(file);

	if ((size_t)len >= memory->len) return SQLITE_OK;
	save(memory, (size_t)len, memory->len - (size_t)len);
	memset(memory->bytes + len, 0, memory->len - (size_t)len);
	memory->len = (size_t)len;
	return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags) {
	(void)file;
	(void)flags;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *len) {
	*len = (sqlite3_int64)memory_of(file)->len;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level) {
	(void)file;
	(void)level;
	return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *file, int *reserved) {
	(void)file;
	*reserved = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int what, void *arg) {
	(void)file;
	(void)what;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *file) {
	(void)file;
	return BLOCK;
}

static int file_traits(sqlite3_file *file) {
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/* There is one file; its journal is kept in memory by SQLite. */
static int vfs_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags) {
	file->pMethods = NULL;
	if (!(flags & SQLITE_OPEN_MAIN_DB)) return SQLITE_CANTOPEN;
	container_of(file, struct memory_file, file)->memory = vfs->pAppData;
	file->pMethods = &file_methods;
	if (out_flags) *out_flags = flags;
	(void)name;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
	(void)vfs;
	(void)name;
	(void)sync;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *there) {
	(void)vfs;
	(void)name;
	(void)flags;
	*there = 0;
	return SQLITE_OK;
}

static int vfs_path(sqlite3_vfs *vfs, const char *name, int room, char *path) {
	(void)vfs;
	(void)snprintf(path, (size_t)room, "%s", name);
	return SQLITE_OK;
}

/* Clock and randomness are the system's. */
const char *db_memory_vfs(struct db_memory *memory) {
	if (memory->vfs.zName) return memory->name;
	memory->vfs = *sqlite3_vfs_find(NULL);
	(void)snprintf(memory->name, sizeof(memory->name), "memory %p", (void *)memory);
	memory->vfs.pNext = NULL;
	memory->vfs.zName = memory->name;
	memory->vfs.szOsFile = sizeof(struct memory_file);
	memory->vfs.pAppData = memory;
	memory->vfs.xOpen = vfs_open;
	memory->vfs.xDelete = vfs_delete;
	memory->vfs.xAccess = vfs_access;
	memory->vfs.xFullPathname = vfs_path;
	sqlite3_vfs_register(&memory->vfs, 0);
	return memory->name;
}

/* The lock is let go for that: SQLite reads how many pages there are when it takes it. */
int db_memory_reread(struct db *db, struct err *err) {
	if (db_exec(db, "PRAGMA locking_mode=NORMAL; SELECT 1 FROM sqlite_schema LIMIT 1", err))
		return -1;
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_RESET_CACHE, NULL);
	return db_exec(db, "PRAGMA locking_mode=EXCLUSIVE", err);
}
