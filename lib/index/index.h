/*
 * index: what both sides last agreed on, per path, and what is to be looked at. One SQLite file a
 * folder (SYNC.md §10).
 *
 * Loop thread, blocking but short; `struct index_reader` is for one job. Writes gather in a
 * transaction that index_commit ends: call it once a loop turn. Paths are relative to the folder,
 * plain; "" is the root folder, which has no entry. A folder and a file of one name are two
 * entries. Wall times ns, due times ms (whatever clock the caller uses), sizes bytes. Strings in
 * answers are the answer's: release them.
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "index/large.h"

enum index_kind { INDEX_FILE, INDEX_FOLDER, INDEX_LINK };

enum {
	/* Only the remote is known to have it: nothing was agreed, nothing may be deleted for
	 * it. */
	INDEX_STRANGER = 1,
	INDEX_UNVERIFIED = 2, /* adopted by size and mtime alone */
	/* `extra` is the identity of the live source; hash and size are the image's. */
	INDEX_DATABASE = 4,
	INDEX_MARKER = 8, /* a folder whose marker object stands at the remote */
	INDEX_RACY = 16,  /* its mtime was younger than 2 s when it was hashed: hash again */
	INDEX_MOUNT = 32, /* a folder on which something was mounted */
	/* Has SQLite's header, but no image of it can be had: the file itself was sent. */
	INDEX_PLAIN = 64,
	INDEX_GONE = 128, /* of news only: it is not there any more */
	/* A folder that is gone at the remote and stays here for what is no file of ours in it. */
	INDEX_HOLLOW = 512,
	INDEX_FILLED = 1024, /* of news of a folder only: something new lies in it */
};

struct index_entry {
	enum index_kind kind;
	unsigned flags;
	/* Of the SYNC that seals it; rows of an unsealed epoch are asked for again at the next
	 * start. */
	int64_t epoch;
	int64_t size, mtime_ns, ctime_ns, btime_ns;
	int64_t born_ns; /* when this content became the remote's */
	uint64_t ino;
	int mode;
	uint8_t hash[32];
	size_t hash_len;    /* 0: unknown */
	char *id, *version; /* the store's, opaque; NULL where it has none */
	void *extra;
	size_t extra_len;
};
void index_entry_release(struct index_entry *entry);

struct index;

/* Creates or migrates. ERR_CORRUPT: unreadable; the caller moves the file away and starts with an
 * adoption. NULL path: in memory. */
struct index *index_open(const char *path, struct err *err);
void index_close(struct index *index);
const char *index_path(const struct index *index);

/* Opens the turn's transaction before the first write does: a turn that asks for much then takes
 * the file's locks once (measured: 8 fcntl a file sent otherwise). index_commit must follow in this
 * turn. */
int index_turn(struct index *index, struct err *err);
/* Ends the turn's transaction, if there is one. `full`: on the disk before it returns (a turn with
 * intents). When this or any other writing call here fails, everything since the last commit is
 * undone, marks included, and what else the turn writes is refused, its commit as well: the owner
 * stops as after a crash, or scans again. Claims stay. */
int index_commit(struct index *index, bool full, struct err *err);
bool index_has_uncommitted(const struct index *index);
/* Bytes of the write-ahead log: at 8 MiB the owner runs index_checkpoint in a job, on a connection
 * of its own. */
int64_t index_wal_bytes(const struct index *index);
int index_checkpoint(const char *path, struct err *err);
/* What was committed since, right after index_commit, on the loop: the log then begins anew. */
int index_checkpoint_rest(struct index *index, struct err *err);

/* ---- entries: the base ---- */

/* 1 found, 0 not, -1 err. `entry` is filled when found; release it. */
int index_get(struct index *index, const char *path, bool folder, struct index_entry *entry,
	struct err *err);
/* The rows of a file (or link) and of a folder of one name. Of a new name, as most are, one look tells of both. 0 or -1; release
 * both entries. */
struct index_pair {
	bool has_file, has_folder;
	struct index_entry file, folder;
};
int index_get_both(struct index *index, const char *path, struct index_pair *pair, struct err *err);
/* Has this folder a row? The one that was asked for last is remembered: files come folder by
 * folder. */
int index_has_folder(struct index *index, const char *path, struct err *err);
int index_put(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err);
/* Only where there is no such row: 1; 0: there is one, which stays as it is; -1. */
int index_add(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err);
/* As index_put, quicker where most likely there is such a row already. */
int index_put_again(
	struct index *index, const char *path, const struct index_entry *entry, struct err *err);
/* A file's or link's row becomes `entry`, in one statement: `before` is what it says now, as far as totals go by it (kind, flags,
 * size). 1; 0: there is no such row, and none is made; -1. */
int index_put_over(struct index *index, const char *path, const struct index_entry *before,
	const struct index_entry *entry, struct err *err);
int index_drop(struct index *index, const char *path, bool folder, struct err *err);
/* What was agreed is only known to be at the remote from now on: all rows stay, as strangers. */
int index_estrange(struct index *index, struct err *err);
/* Nothing is agreed any more: all entries go. Marks, kept versions and meta stay. */
int index_disagree(struct index *index, struct err *err);
/* Does anything agreed (with `strangers`: or known to be at the remote) lie directly in this
 * folder? 1, 0, -1. */
int index_has_children(struct index *index, const char *path, bool strangers, struct err *err);

struct index_totals {
	int64_t files, folders, links, bytes, strangers, unverified;
	int64_t versions, version_bytes; /* settled ones */
	int64_t strangers_ever; /* grows whenever one is put: names the present list of them */
};
/* Kept up to date, not counted at each call. */
struct index_totals index_totals(const struct index *index);

/* Paths of up to `count` agreed files and links, chosen by `random`, some perhaps more than once;
 * none when there are none. The caller's vector. */
int index_sample(
	struct index *index, const uint64_t *random, size_t count, char ***paths, struct err *err);
/* Paths of all folders with INDEX_MOUNT. The caller's vector. */
int index_mounts(struct index *index, char ***paths, struct err *err);

/* Walks one folder's entries in order of name (a folder counts as "name/"), from after `after`
 * (NULL: the first), at most `limit`. `after` a folder is "name/", after a file or link "name". */
struct index_row {
	char *name; /* plain, without a slash */
	struct index_entry entry;
};
struct index_rows {
	struct index_row *rows;
	size_t count;
};
int index_list(struct index *index, const char *folder, const char *after, size_t limit,
	struct index_rows *rows, struct err *err);
void index_rows_release(struct index_rows *rows);

/* Marks everything agreed below `folder` (whole subtree) as dirty, in one statement a folder. A
 * folder that vanished. */
int index_mark_tree(struct index *index, const char *folder, int64_t now_ms, int64_t settle_ms,
	struct err *err);
/* Agreed files (or folders) whose row has this inode: at most `limit` paths, a vector (strv) of the
 * caller's; NULL: none. */
int index_find_inode(struct index *index, uint64_t ino, bool folder, size_t limit, char ***paths,
	struct err *err);
/* What the store knows by this id, agreed or not: files and links, or folders, as above. */
int index_find_id(struct index *index, const char *id, bool folder, size_t limit, char ***paths,
	struct err *err);
/* Agreed files of INDEX_PLAIN: how many, and at most `limit` paths of them, as a vector (strv) of the
 * caller's. */
int index_plain(struct index *index, size_t limit, int64_t *count, char ***paths, struct err *err);
/* All that is known below the folder `from`, rows and marks, is below `to` from now on, whatever its
 * size, in a few statements; the folder's own row stays where it is. Marks that were made below `to`
 * are joined to those that come, deletions that were held are looked at again. 1: done; 0: not, rows stand below `to` already; -1. Nothing below
 * either may be claimed under the name of `from`. */
int index_move_folder(
	struct index *index, const char *from, const char *to, int64_t now_ms, struct err *err);
/* The intent of a folder's move at the remote, to be on the disk before it starts: what stood at
 * `origin` may stand at `path`. It stays until it is dropped, also over a restart. */
int index_moving_put(struct index *index, const char *path, const char *origin, struct err *err);
/* Any of them: 1, 0: none, -1. Both are the caller's. */
int index_moving_next(struct index *index, char **path, char **origin, struct err *err);
int index_moving_drop(struct index *index, const char *path, struct err *err);
/* Up to `limit` agreed entries of an unsealed epoch (> sealed, > 0: epoch 0 needs no seal), as a
 * vector (strv) of the caller's; NULL: no more. `*cursor` is NULL at first, replaced by each call,
 * and the caller's to free at any time. */
int index_unsealed(struct index *index, int64_t sealed, size_t limit, char **cursor, char ***paths,
	struct err *err);

/* ---- strangers, a page at a time ---- */

struct index_strangers {
	char **paths; /* a vector (strv) */
	struct index_entry *entries;
	size_t count;
	int64_t dir; /* behind which the next page begins; zeroed at first, as is the name */
	char *name;
};
/* The next at most `limit` behind the page that is given, folder by folder; an empty one: no more. */
int index_strangers_next(
	struct index *index, size_t limit, struct index_strangers *page, struct err *err);
void index_strangers_release(struct index_strangers *page);
struct index_strangers_sum {
	int64_t files, folders, bytes; /* files: links too */
};
int index_strangers_sum(struct index *index, struct index_strangers_sum *sum, struct err *err);

/* ---- dirty: paths to look at; rows stay while they are worked on, so that a crash forgets none
 * ---- */

enum index_why {
	INDEX_WHY_CHANGE,
	INDEX_WHY_RETRY,
	INDEX_WHY_REFUSED,
	INDEX_WHY_HOT,
	INDEX_WHY_DELETE,     /* gone: held, since it may be a rename */
	INDEX_WHY_PAIR,       /* perhaps one half of a rename, and the other half comes first */
	INDEX_WHY_UNREADABLE, /* here; REFUSED is over there */
};

struct index_dirty {
	char *path;
	int64_t since;    /* number of the oldest mark not yet covered by a capture */
	int64_t seen;     /* number of the newest mark */
	int64_t first_ms; /* when the oldest mark came */
	int64_t due_ms;
	int tries;
	int prio;
	enum index_why why;
	char *reason; /* for people: why it was refused or failed; NULL */
	/* What index_sending noted, and no index_done followed: it may stand at the remote. */
	bool sending;
	int sending_kind; /* the caller's own number, 0 to 255 */
	uint8_t sending_hash[32];
	size_t sending_hash_len;
};
void index_dirty_release(struct index_dirty *dirty);

/* Marks a path (file, folder or link: the planner looks) and returns the mark's number in *seq (may
 * be NULL). An older mark keeps since and first_ms; quiet time begins anew, but never beyond the
 * first mark's patience: due = min(now + settle, first + max_settle). A path that is claimed is not
 * due before its work ended. `prio`: lower first; the lower of old and new holds. tries goes to 0.
 * A later due time that index_done, or index_again with HOT, gave (pace) stands. Times of rows
 * outlive the process and, with a clock that counts from boot, mean nothing then: at start call
 * index_hurry(index, INT64_MAX, now) once. */
int index_mark(struct index *index, const char *path, int64_t now_ms, int64_t settle_ms,
	int64_t max_settle_ms, int prio, int64_t *seq, struct err *err);

/* The row of one path: 1, 0, -1. Release it. */
int index_dirty_get(
	struct index *index, const char *path, struct index_dirty *dirty, struct err *err);

/* The number of the last mark given. Numbers go on across restarts. */
int64_t index_sequence(const struct index *index);

/* Claims up to `limit` due rows: prio, then due. They are not given again until unclaimed. The
 * caller's array and contents. */
int index_claim_due(struct index *index, int64_t now_ms, size_t limit, struct index_dirty **rows,
	size_t *count, struct err *err);
/* From now on the newest of each prio come first, where else the oldest do. */
void index_newest_first(struct index *index, bool newest);
/* From now on at most `room` rows of these priorities are claimed, and none of them is next when there is no room; -1: as many as are
 * due, as at first. What comes before and behind them goes on. */
enum { INDEX_PRIO_LARGE = 2, INDEX_PRIO_LARGE_LAST = 7 };
void index_large_room(struct index *index, int room);
/* Is a row of an earlier prio than this due, claimed or not? 1, 0, -1. */
int index_due_before(struct index *index, int prio, int64_t now_ms, struct err *err);
/* A claimed row is to have its turn with those of a later prio: once it is unclaimed. */
int index_lower(struct index *index, const char *path, int prio, struct err *err);
/* Earliest due time of unclaimed rows; INT64_MAX: none (0 when it cannot be read: claim, and see
 * the error). */
int64_t index_next_due(struct index *index);

/* The work on a claimed row ended. `covered`: the sequence number when its capture began: marks up
 * to it are served. When newer marks came, the row stays, due at due_ms. */
int index_done(
	struct index *index, const char *path, int64_t covered, int64_t due_ms, struct err *err);
/* The intent of an operation that makes something at the remote, to be committed before it starts:
 * of what kind, and with which hash (0 bytes: none). The row keeps it until index_done. */
int index_sending(struct index *index, const char *path, int kind, const void *hash,
	size_t hash_len, struct err *err);
/* Rows whose intent is of a hash that ends with these bytes: at most `limit` paths, a vector (strv) of
 * the caller's; NULL: none. Walks all rows. */
int index_find_sending(struct index *index, const void *tail, size_t len, size_t limit,
	char ***paths, struct err *err);
/* It did not succeed: due again at due_ms, since unchanged. With INDEX_WHY_PAIR it comes after
 * all other rows that are due then, with INDEX_WHY_DELETE after those, until it is marked again. */
int index_again(struct index *index, const char *path, enum index_why why, const char *reason,
	int64_t due_ms, int tries, struct err *err);
/* The work on a claimed row was given up: the row stays as it is, and may be claimed again. Harmless
 * for a path that is not claimed. */
void index_unclaim(struct index *index, const char *path);
/* After a restart nothing is claimed. A row with `reason` counts as a trouble until index_done, or
 * an index_again without one. */

/* Makes rows with since <= upto due now (a barrier, a stop). */
int index_hurry(struct index *index, int64_t upto, int64_t now_ms, struct err *err);
/* How many rows (claimed or not) have since <= upto; `refused`: how many of them have a reason.
 * Costs what it counts: to ask "is the barrier through?" use index_oldest. */
int index_pending(
	struct index *index, int64_t upto, int64_t *count, int64_t *refused, struct err *err);
/* The smallest `since` of all rows; INT64_MAX: none. */
int64_t index_oldest(struct index *index);
/* Rows with a reason, oldest first, at most `limit`. */
int index_troubles(struct index *index, size_t limit, struct index_dirty **rows, size_t *count,
	struct err *err);
/* Rows without a reason, a page at a time in an order that marks do not change: at most `limit` paths behind `place` (zeroed at
 * first, moved on), a vector (strv) of the caller's; NULL: no more. For who asks how much there is to do. */
struct index_place {
	int64_t dir;
	char *name;
};
int index_dirty_walk(struct index *index, struct index_place *place, size_t limit, char ***paths,
	struct err *err);
void index_place_release(struct index_place *place);
int64_t index_dirty_count(const struct index *index); /* kept, not counted */
/* How many rows have a reason: cost follows their number alone. */
int index_trouble_count(struct index *index, int64_t *count, struct err *err);
/* Rows with since <= upto that come before those of INDEX_WHY_DELETE, claimed or not, are due by then,
 * and have no reason: at most `limit` paths, a vector (strv) of the caller's; NULL: none. */
int index_before_deletions(struct index *index, int64_t upto, int64_t by_ms, size_t limit,
	char ***paths, struct err *err);
/* Has anything below this path a dirty row? 1, 0, -1. */
int index_dirty_below(struct index *index, const char *path, struct err *err);
/* One that may still go well: it is due to be tried again, or has no reason and is due by then? */
int index_hopeful_below(
	struct index *index, const char *path, int64_t now_ms, int64_t by_ms, struct err *err);

/* ---- deletions held back (SYNC.md §8): each has a row in dirty as well ---- */

enum index_held_state {
	INDEX_HELD_WAITS,   /* not counted yet */
	INDEX_HELD_STOPPED, /* too many: a person decides */
	INDEX_HELD_LET_GO,  /* within what may go */
	INDEX_HELD_APPROVED,
	INDEX_HELD_STATES
};
struct index_held {
	char *path;
	bool folder;
	int64_t bytes;
};
void index_held_free(struct index_held *rows, size_t count);

/* A number of its own, of those of marks, in the order they come; one that is held already stays as
 * it is. */
int index_held_add(
	struct index *index, const char *path, bool folder, int64_t bytes, struct err *err);
/* 1, 0, -1. */
int index_held_get(
	struct index *index, const char *path, enum index_held_state *state, struct err *err);
int index_held_drop(struct index *index, const char *path, struct err *err);
struct index_held_sum {
	int64_t files, bytes, folders; /* files: links too */
	int64_t newest;                /* the largest number */
};
/* By state. Costs what is held. */
int index_held_sum(
	struct index *index, struct index_held_sum sums[INDEX_HELD_STATES], struct err *err);
/* Those with numbers up to `upto`. To LET_GO and APPROVED: their dirty rows are due now. */
int index_held_move(struct index *index, enum index_held_state from, enum index_held_state to,
	int64_t upto, int64_t now_ms, struct err *err);
/* Oldest first, numbers up to `upto`, at most `limit`. The caller's: index_held_free. */
int index_held_list(struct index *index, enum index_held_state state, int64_t upto, size_t limit,
	struct index_held **rows, size_t *count, struct err *err);
/* How many dirty rows with since <= upto wait for a count or a person. */
int index_held_pending(struct index *index, int64_t upto, int64_t *count, struct err *err);

/* ---- what the rules leave out since it was stored (SYNC.md §8) ---- */

struct index_forgotten {
	char *path;
	enum index_kind kind;
	int64_t bytes, born_ns;
	char *version; /* NULL: unknown */
};
void index_forgotten_release(struct index_forgotten *row);
struct index_forgotten_sum {
	int64_t files, folders, bytes; /* files: links too */
	int64_t newest;                /* names the list, for index_forgotten_settle */
	int64_t removing;              /* so many are to be removed at the remote */
};
/* removing: it is to be removed at the remote. */
int index_forgotten_add(struct index *index, const char *path, const struct index_entry *entry,
	bool removing, struct err *err);
int index_forgotten_drop(struct index *index, const char *path, struct err *err); /* both kinds */
/* Those up to `upto` are to be removed at the remote, or no longer counted. */
int index_forgotten_settle(struct index *index, int64_t upto, bool remove, struct err *err);
/* Costs what is forgotten. */
int index_forgotten_sum(struct index *index, struct index_forgotten_sum *sum, struct err *err);
/* The next that is to be removed, children before their folders: 1, 0, -1. */
int index_forgotten_next(struct index *index, struct index_forgotten *row, struct err *err);
/* At most `limit`, oldest first. The caller's array. */
int index_forgotten_list(struct index *index, size_t limit, struct index_forgotten **rows,
	size_t *count, struct err *err);

/* ---- what the remote has by now, where that is not what was agreed (modes that bring it here) ----
 *
 * Of kind, size, mtime, mode, hash, id and version; or INDEX_GONE. Beside the base's row of the same
 * name, which stays what was agreed. */

int index_news_put(
	struct index *index, const char *path, const struct index_entry *news, struct err *err);
int index_news_get(struct index *index, const char *path, bool folder, struct index_entry *news,
	struct err *err); /* 1, 0, -1. Release it */
int index_news_drop(struct index *index, const char *path, bool folder, struct err *err);
int index_news_any(struct index *index, struct err *err); /* 1, 0, -1 */
/* Is some of it of the thing with this id? Steps over all news, of which few stand at a time. 1, 0, -1. */
int index_news_has_id(struct index *index, const char *id, struct err *err);

/* Two edits of `origin`, both kept: one of them got the name `path`. */
struct index_conflict {
	char *path, *origin;
	int64_t noted_ns;
};
int index_conflict_add(struct index *index, const struct index_conflict *conflict, struct err *err);
int index_conflict_drop(struct index *index, const char *path, struct err *err);
/* The newest first, at most `limit`. The caller's: index_conflicts_free. */
int index_conflicts(struct index *index, size_t limit, struct index_conflict **rows, size_t *count,
	struct err *err);
int64_t index_conflict_count(struct index *index); /* 0: none, or the index cannot be read */
void index_conflicts_free(struct index_conflict *rows, size_t count);

/* ---- versions kept (SYNC.md §8), intents first ---- */

struct index_version {
	int64_t id;
	int64_t born_ns, ended_ns, bytes;
	int kind; /* the caller's own number, 0 to 255 */
	char *key;
};

/* The key for this path's next version: made of `version` when there is no pending one (`fresh`), else the
 * pending one's key (a repeat makes no second). The answer is the caller's. */
char *index_version_intend(struct index *index, const char *path,
	const struct index_version *version, bool *fresh, struct err *err);
/* The pending one's key, the caller's; NULL: there is none, or with err. */
char *index_version_pending(struct index *index, const char *path, struct err *err);
/* kept: it is there now; else nothing was kept: the intent goes. */
int index_version_settle(struct index *index, const char *path, bool kept, struct err *err);
/* It was seen in a listing: noted unless its key is known already. */
int index_version_found(struct index *index, const char *path, const struct index_version *version,
	struct err *err);

/* The first path behind `after` (NULL: the first of all) that has settled versions; the caller's. 1,
 * 0, -1. */
int index_version_next(struct index *index, const char *after, char **path, struct err *err);
/* The settled ones of a path, in order of their ends. */
struct index_versions {
	struct index_version *rows;
	size_t count;
};
int index_versions(
	struct index *index, const char *path, struct index_versions *versions, struct err *err);
void index_versions_release(struct index_versions *versions);
/* Its bytes are gone at the store. */
int index_version_drop(struct index *index, const struct index_version *version, struct err *err);

/* ---- ids that things get before they are made, where the store tells them (SYNC.md §2) ---- */

struct index_making {
	char *place, *id; /* the store's, opaque */
};
/* What is about to be made at `place` for `path`, to be committed before it is. It stays until
 * index_done(path); with path "", which is nobody's, until it is old. */
int index_making_put(struct index *index, const char *path, const char *place, const char *id,
	int64_t now_ns, struct err *err);
/* Once after index_open: drops what was noted before `old_ns`, and tells the rest. The caller's. */
int index_making_list(struct index *index, int64_t old_ns, struct index_making **rows,
	size_t *count, struct err *err);
void index_making_free(struct index_making *rows, size_t count);

/* ---- meta: small facts ---- */

/* A key of meta: what a poll knows of the remote (sync/polling_token.c). Gone with the rows, which it stands for. */
#define INDEX_META_POLLED "polled"

int index_meta_set(struct index *index, const char *key, const char *value,
	struct err *err);                                   /* NULL removes */
char *index_meta_get(struct index *index, const char *key); /* NULL: not set. The caller's */
int64_t index_meta_int(struct index *index, const char *key, int64_t preset);

/* ---- for a scan's job: a connection of its own, read only ---- */

struct index_reader;
struct index_reader *index_reader_open(
	struct index *index_on_loop, const char *path, struct err *err);
void index_reader_close(struct index_reader *reader);
/* NULL: not set, or it cannot be read. Not in memory. The caller's. */
char *index_reader_meta(struct index_reader *reader, const char *key);
/* Rows of one folder in order, all of them (bounded by what the folder holds). Each call is a read
 * transaction of its own and sees what was committed when it began. In memory (path NULL) it is the
 * loop's own connection: for jobs of the simulated loop only. */
int index_reader_list(
	struct index_reader *reader, const char *folder, struct index_rows *rows, struct err *err);

#endif
