/* Inside index: the struct, its statements, and how paths become numbers of folders. */
#ifndef INDEX_INTERNAL_H
#define INDEX_INTERNAL_H

#include "db/db.h"
#include "index/index.h"
#include "index/past.h"

/* Every statement of the loop's connection; its text stands in statements.c. All are prepared at
 * open, which is also the check that the file has our schema. */
enum index_sql {
	SQL_META_ALL,
	SQL_META_SET,
	SQL_META_DROP,
	SQL_DIR_FIND,
	SQL_DIR_ADD,
	SQL_DIR_GET,
	SQL_DIR_USED,
	SQL_DIR_DROP,
	SQL_DIR_CHILD,
	SQL_DIR_TWIN,
	SQL_DIR_REPARENT,
	SQL_DIR_MOVE,
	SQL_ENTRY_GET,
	SQL_ENTRY_FROM,
	SQL_ENTRY_BRIEF,
	SQL_ENTRY_NEW,
	SQL_ENTRY_PUT,
	SQL_ENTRY_OVER,
	SQL_ENTRY_ESTRANGE,
	SQL_ENTRY_DROP,
	SQL_ENTRY_DROP_ALL,
	SQL_ENTRY_ANY,
	SQL_ENTRY_FIRST,
	SQL_ENTRY_BY_INO,
	SQL_ENTRY_BY_ID,
	SQL_ENTRY_PLAIN,
	SQL_STRANGERS_NEXT,
	SQL_STRANGERS_SUM,
	SQL_ENTRY_LIST,
	SQL_ENTRY_UNSEALED,
	SQL_ENTRY_NEXT_EPOCH,
	SQL_DIR_LAST,
	SQL_SAMPLE_IN,
	SQL_SAMPLE_FROM,
	SQL_MOUNTS,
	SQL_TREE_MARK,
	SQL_TREE_UNHOLD,
	SQL_TREE_WAKE,
	SQL_TREE_USED,
	SQL_TREE_DIRTY,
	SQL_TREE_HOPEFUL,
	SQL_DIRTY_NEW,
	SQL_DIRTY_RENEW,
	SQL_TREE_COUNT_AT,
	SQL_DIRTY_GET,
	SQL_DIRTY_DUE,
	SQL_DIRTY_DUE_SAME,
	SQL_DIRTY_NEWEST,
	SQL_DIRTY_LOWER,
	SQL_DIRTY_ANY_DUE,
	SQL_DIRTY_NEXT_PRIO,
	SQL_DIRTY_DROP,
	SQL_DIRTY_STAY,
	SQL_DIRTY_AGAIN,
	SQL_DIRTY_SENDING,
	SQL_DIRTY_SENT,
	SQL_DIRTY_BEFORE,
	SQL_DIRTY_MERGE,
	SQL_DIRTY_MERGED,
	SQL_DIRTY_REHOME,
	SQL_DIRTY_HURRY,
	SQL_DIRTY_SINCE,
	SQL_DIRTY_SINCE_ALL,
	SQL_DIRTY_REFUSED,
	SQL_DIRTY_TROUBLES,
	SQL_DIRTY_WALK,
	SQL_HELD_ADD,
	SQL_HELD_GET,
	SQL_HELD_DROP,
	SQL_HELD_SUM,
	SQL_HELD_DUE,
	SQL_HELD_MOVE,
	SQL_HELD_LIST,
	SQL_HELD_PENDING,
	SQL_FORGOTTEN_ADD,
	SQL_FORGOTTEN_DROP,
	SQL_FORGOTTEN_REMOVE,
	SQL_FORGOTTEN_CLEAR,
	SQL_FORGOTTEN_SUM,
	SQL_FORGOTTEN_NEXT,
	SQL_FORGOTTEN_LIST,
	SQL_VERSION_PENDING,
	SQL_VERSION_ADD,
	SQL_VERSION_KEPT,
	SQL_VERSION_DROP,
	SQL_VERSION_FOUND,
	SQL_VERSION_NEXT,
	SQL_VERSION_LIST,
	SQL_VERSION_GONE,
	SQL_MOVING_PUT,
	SQL_MOVING_NEXT,
	SQL_MOVING_DROP,
	SQL_MAKING_PUT,
	SQL_MAKING_DONE,
	SQL_MAKING_OLD,
	SQL_MAKING_LIST,
	SQL_SESSION_GET,
	SQL_SESSION_ANY,
	SQL_SESSION_PUT,
	SQL_SESSION_DROP,
	SQL_SESSION_PART_PUT,
	SQL_SESSION_PARTS,
	SQL_SESSION_PARTS_DROP,
	SQL_BRINGING_PUT,
	SQL_BRINGING_GET,
	SQL_BRINGING_DROP,
	SQL_BRINGING_LIST,
	SQL_SENT_ALL,
	SQL_SENT_PUT,
	SQL_SENT_DROP,
	SQL_NEWS_GET,
	SQL_NEWS_ANY,
	SQL_NEWS_BY_ID,
	SQL_NEWS_PUT,
	SQL_NEWS_DROP,
	SQL_NEWS_DROP_ALL,
	SQL_CONFLICT_ADD,
	SQL_CONFLICT_DROP,
	SQL_CONFLICT_LIST,
	SQL_CONFLICT_COUNT,
	SQL_COUNT
};
extern const char *const index_sql_text[SQL_COUNT];
extern const char *const index_schema[];
extern const size_t index_schema_steps;

/* Paths of folders seen last, each at the place its hash gives: a newcomer takes the place.
 * Bounded, nothing to order or sweep. */
enum { DIR_SLOTS = 2048, DIR_CACHED_MAX_BYTES = 512, DIR_ROOT = 1, DIR_DEPTH_MAX = 4096 };

struct dir_slot {
	int64_t id; /* 0: empty */
	char *path;
};

/* Everything of one priority up to here, in the order of by_due, is claimed: a claim of 16 with 64 at
 * work else steps over 48 rows (measured: a sixth of the loop's instructions in a first sync). */
struct due_front {
	bool known;
	int64_t due_ms, dir;
	char *name;
	size_t name_len;
};
/* Of these priorities; another one is walked from its beginning. */
enum {
	DUE_FRONT_FIRST = -3,
	DUE_FRONT_LAST = 9,
	DUE_FRONTS = DUE_FRONT_LAST - DUE_FRONT_FIRST + 1
};

/* No row that is not claimed is due before: each step of the folder asks, and most find nothing new (measured, stories of the model: a
 * quarter of their time without). */
struct next_due {
	int64_t floor_ms;
	bool exact; /* one is due then; INT64_MAX: there is none */
};

/* sent.c */
enum { SENT_ROW_NOTES = 16, SENT_NOTE_MAX_BYTES = 33 };
struct claim;
struct sent_row {
	struct claim *claims[SENT_ROW_NOTES];
	size_t used;
	bool changed;
};
struct sent {
	struct sent_row *rows;
	size_t count, left; /* left: claims that are not held */
	bool changed;
};

/* since.c */
struct since_block;
struct since {
	bool known;                  /* else it is counted before the next question */
	struct since_block **blocks; /* in order */
	size_t count, room;
};

/* absent.c */
struct absent {
	uint8_t *bits; /* NULL: nothing is known to be absent */
	size_t set;
};

struct index {
	struct db *db;
	struct index_past *past; /* of one in memory that is to outlive a crash; else NULL */
	struct db_stmt stmts[SQL_COUNT];
	char *path;        /* NULL: in memory */
	struct map meta;   /* key to char *: what the table holds, so that asking cannot fail */
	struct map claims; /* path to struct claim */
	struct index_totals totals;
	int64_t dirty_count;
	bool totals_changed;
	bool failed;        /* a write of this turn did: the rest of them is refused */
	bool making;        /* some of it may be noted: most stores never say any */
	bool bringing;      /* the same of what is on its way here */
	bool news;          /* the same of what the remote told */
	bool unsynced;      /* something was committed that may not be on the disk yet */
	int64_t used_dir;   /* holds an entry for sure; 0: none is known */
	char *known_folder; /* has a row for sure; NULL: none is known */
	bool newest_first;
	int64_t hurried;            /* the last barrier's number: rows up to it are not postponed */
	int64_t sequence, reserved; /* numbers up to `reserved` are ours by what meta says */
	struct due_front fronts[DUE_FRONTS];
	int large_room; /* -1: no bound */
	struct next_due next;
	struct absent absent;
	struct sent sent;
	struct since since;
	struct dir_slot by_path[DIR_SLOTS], by_id[DIR_SLOTS];
};

/* A statement ready to be bound. Cannot fail after open but for a changed schema; NULL with err
 * then. */
struct db_stmt *index_stmt(struct index *index, enum index_sql which, struct err *err);
/* The same with a whole path bound at 1, lent until it was stepped. */
struct db_stmt *index_stmt_path(
	struct index *index, enum index_sql which, const char *path, struct err *err);
char *index_text(struct db_stmt *stmt, int column); /* a column's bytes; the caller's */

/* Opens the turn's transaction before a write. */
int index_begin(struct index *index, struct err *err);
/* Something was committed. */
void index_past_note(struct index_past *past, bool full);
/* Where its database lies. */
struct db_memory *index_past_memory(const struct index_past *past);
/* The database of the parked index holds again what it held. */
int index_past_restore(struct index_past *past, struct db *db, struct err *err);
bool index_past_has_ended(const struct index_past *past);
/* Is it this write that fails? */
bool index_past_fails(struct index_past *past);
/* Closed, it waits for the next open on its past. */
void index_past_park(struct index_past *past, struct index *index);
struct index *index_past_parked(const struct index_past *past); /* NULL: none */
void index_free(struct index *index);                           /* NULL is fine */
/* A write failed: rolls back, reads again what is kept in memory. -1. */
int index_fail(struct index *index, struct err *err);

/* The number of the folder at the first `len` bytes of `path`; 0: it has none; -1. */
int64_t index_dir_find(struct index *index, const char *path, size_t len, struct err *err);
/* The same, and gives it one. Within index_begin. */
int64_t index_dir_make(struct index *index, const char *path, size_t len, struct err *err);
/* The folder's path, the caller's; NULL with err. */
char *index_dir_path(struct index *index, int64_t dir, struct err *err);
/* Forgets folders that hold nothing any more, from this one upwards. */
int index_dir_prune(
	struct index *index, const char *path, size_t len, int64_t dir, struct err *err);
void index_dir_forget_all(struct index *index);
/* The folder's path when it is at hand, the index's; else NULL. */
const char *index_dir_known(const struct index *index, int64_t dir);
/* A row was dropped: used_dir and known_folder may be wrong. */
void index_folders_forget(struct index *index);

/* Splits at the last slash: the bytes of the parent's path (0: the root); *name is the rest. */
size_t index_split(const char *path, const char **name);

/* `folder`/`name`, where folder may be "". The caller's. */
char *index_join(const char *folder, const void *name, size_t len);

/* Reads the columns of ENTRY_COLUMNS, from column 0, and the name behind them. */
#define ENTRY_COLUMNS \
	"kind, flags, epoch, size, mtime, ctime, btime, born, ino, mode, hash, rid, ver, extra"
enum { ENTRY_NAME_COLUMN = 14 };
void index_entry_read(struct db_stmt *stmt, struct index_entry *entry);
/* Binds the key of `path` at 1 and 2; the name is lent until the statement was stepped. */
void index_bind_key(struct db_stmt *stmt, int64_t dir, const char *name, bool folder);
/* One row, by a statement that takes ENTRY_COLUMNS behind the key. Within index_begin. */
int index_write_row(struct index *index, enum index_sql which, int64_t dir, const char *name,
	const struct index_entry *entry, struct err *err);
/* Steps to the end. */
int index_rows_read(struct db_stmt *stmt, struct index_rows *rows, struct err *err);

/* When the base was read anew: of an empty one it is noted what comes into it. */
int index_absent_begin(struct index *index, struct err *err);
void index_absent_end(struct index *index);
/* Before a row is put: `name` without a folder's slash. */
void index_absent_note(struct index *index, int64_t dir, const char *name, uint64_t ino);
/* There is no such row for sure, neither a file's nor a folder's. */
bool index_absent_name(const struct index *index, int64_t dir, const char *name);
bool index_absent_inode(const struct index *index, uint64_t ino);

/* The next mark's number, reserved in meta; -1 (everything undone already). */
int64_t index_sequence_next(struct index *index, struct err *err);

/*
 * What is being worked on, in memory only: a restart claims nothing, and a claim writes nothing.
 * Claimed rows stay at the front of by_due and are stepped over: they are as many as operations
 * run, not as many as rows wait.
 */
struct claim {
	bool held;         /* given out; else it was given up, and is here for its note */
	bool marked;       /* a mark came since */
	int64_t marked_ms; /* the first of them */
	int64_t since;     /* its mark's; 0: the table says it */
	size_t place;      /* of its note in `sent`, from 1; 0: it has none */
	uint8_t len, note[SENT_NOTE_MAX_BYTES];
	char path[];
};
/* Held, and in the map. */
struct claim *index_claim_new(struct index *index, const char *path);

/* since.c: a mark that begins at this number came, or went. */
void index_since_add(struct index *index, int64_t since);
void index_since_take(struct index *index, int64_t since);
/* Where the mark of this path begins: 1, 0: it has none, -1. `claim`: it, taken or not; or NULL. */
int index_since_of(struct index *index, const char *path, const struct claim *claim, int64_t *since,
	struct err *err);
/* Many may have changed: what is known of them is forgotten. */
void index_since_forget(struct index *index);
int index_since_count(struct index *index, int64_t upto, int64_t *rows, struct err *err);
void index_since_release(struct index *index);

/* sent.c. All within index_begin, but for reading. */
void index_sent_note(struct index *index, struct claim *claim, const void *note, size_t len);
void index_sent_drop(struct index *index, struct claim *claim);
/* The note goes to the mark. After -1: index_fail. */
int index_sent_settle(struct index *index, struct claim *claim, struct err *err);
int index_sent_settle_all(struct index *index, struct err *err);
int index_sent_write(struct index *index, struct err *err); /* at a commit; -1: undone already */
/* Replaces what memory has, as the table says. Claims stay. */
int index_sent_read(struct index *index, struct err *err);
void index_sent_release(struct index *index);
/* Of the paths whose marks have a note that ends so, those whose newer one does not go, and those come that have it here. */
void index_sent_find(
	struct index *index, const void *tail, size_t len, size_t limit, char ***paths);

/* A statement with the path's folder and name bound at 1 and 2 (the name lent: `path` stays until it
 * was stepped); 0: the folder has no rows at
 * all. */
int index_keyed(struct index *index, enum index_sql which, const char *path, struct db_stmt **stmt,
	struct err *err);

/* Rows may be due from here on that are not claimed, of any priority, or are not any more that were. INT64_MIN: anywhere. */
void index_fronts_forget(struct index *index, int64_t due_ms);

/* The work on this path is done. Within index_begin. */
int index_making_done(struct index *index, const char *path, struct err *err);

/* Wipes claims and fronts (at close). */
void index_claims_release(struct index *index);

#endif
