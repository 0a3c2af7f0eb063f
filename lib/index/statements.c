/* The schema and every statement on it. */
#include "index/internal.h"

/*
 * Folders stand in `dir` once, by number, and nothing else repeats a path. Keys of `entry` are
 * 'name' or 'name/', so that the walk order is the byte order of keys and a file and a folder of
 * one name are two rows. `dirty` has no kind: the planner looks.
 *
 * by_due serves the queue without touching the rows, a count in memory (since.c) the barrier; by_epoch holds
 * only rows that a SYNC seals; troubles only what went wrong. What is claimed is nowhere here: a
 * restart claims nothing.
 *
 * Measured, 1,000,000 files in 20,000 folders, 2 cores, commits every 1000: put 5 s, mark 4 s, mark
 * again 6 s, done 6 s; a claim of 64 of 1,000,000 due rows 0.1 ms; a commit 1 to 4 ms, of one row
 * 0.04 ms (full 0.4); hurry with all to move 4 s, with none 0.2 ms; a reader walks all in 1.1 s; 4
 * MiB resident above an empty one.
 */
const char *const index_schema[] = {
	"CREATE TABLE dir(id INTEGER PRIMARY KEY, parent INT NOT NULL, name BLOB NOT NULL, "
	"UNIQUE(parent, name));"
	"INSERT INTO dir VALUES(1, 0, x'');"
	"CREATE TABLE entry(dir INT NOT NULL, name BLOB NOT NULL, kind INT NOT NULL, flags INT NOT "
	"NULL,"
	"  epoch INT NOT NULL, size INT, mtime INT, ctime INT, btime INT, born INT, ino INT, mode "
	"INT,"
	"  hash BLOB, rid BLOB, ver BLOB, extra BLOB, PRIMARY KEY(dir, name)) WITHOUT ROWID;"
	"CREATE INDEX by_epoch ON entry(epoch) WHERE epoch > 0;"
	"CREATE TABLE dirty(dir INT NOT NULL, name BLOB NOT NULL, since INT NOT NULL,"
	"  seen INT NOT NULL, first INT NOT NULL, due INT NOT NULL, prio INT NOT NULL,"
	"  tries INT NOT NULL, why INT NOT NULL,"
	"  reason BLOB, sending BLOB, PRIMARY KEY(dir, name)) WITHOUT ROWID;"
	"CREATE INDEX by_due ON dirty(prio, due);"
	"CREATE INDEX by_since ON dirty(since);"
	"CREATE INDEX troubles ON dirty(since) WHERE reason IS NOT NULL;"
	"CREATE TABLE version(id INTEGER PRIMARY KEY, path BLOB NOT NULL, born INT, ended INT,"
	"  key BLOB NOT NULL, bytes INT, pending INT NOT NULL);"
	"CREATE UNIQUE INDEX version_pending ON version(path) WHERE pending = 1;"
	"CREATE TABLE session(path BLOB PRIMARY KEY, session BLOB NOT NULL, size INT, mtime INT,"
	"  ctime INT, ino INT, part_size INT, hash BLOB) WITHOUT ROWID;"
	"CREATE TABLE meta(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;",
	/* Renames are found by it. Measured, 1,000,000 files: 0.4 us more a row put and 39 bytes on
	 * the disk, a look 2.4 us; inodes in no order at all, which no file system gives: 18 us. */
	"CREATE INDEX by_ino ON entry(ino) WHERE ino <> 0 AND kind < 2 AND (flags & 1) = 0;",
	/* Of what kind a kept version is; and all of a path's in order, for what thins them. */
	"ALTER TABLE version ADD COLUMN kind INT NOT NULL DEFAULT 0;"
	"CREATE INDEX version_by_path ON version(path, ended);",
	"CREATE TABLE held(dir INT NOT NULL, name BLOB NOT NULL, number INT NOT NULL, state INT "
	"NOT "
	"NULL,"
	"  folder INT NOT NULL, bytes INT, PRIMARY KEY(dir, name)) WITHOUT ROWID;"
	"CREATE INDEX held_by_number ON held(number);"
	"CREATE INDEX mounts ON entry(dir, name) WHERE (flags & 32) != 0;",
	"CREATE TABLE forgotten(id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, kind INT "
	"NOT "
	"NULL,"
	"  bytes INT, born INT, ver BLOB, removing INT NOT NULL, UNIQUE(path, kind));",
	"CREATE INDEX plain ON entry(dir, name) WHERE (flags & 64) <> 0;",
	"CREATE TABLE moving(path BLOB PRIMARY KEY, origin BLOB NOT NULL) WITHOUT ROWID;",
	"CREATE TABLE making(place BLOB PRIMARY KEY, path BLOB NOT NULL, id BLOB NOT NULL, noted "
	"INT "
	"NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX making_by_path ON making(path);",
	"CREATE INDEX strangers ON entry(dir, name) WHERE (flags & 1) <> 0;",
	"ALTER TABLE session ADD COLUMN seal_key BLOB;"
	"CREATE TABLE session_part(path BLOB NOT NULL, number INT NOT NULL, seal BLOB NOT NULL,"
	"  PRIMARY KEY(path, number)) WITHOUT ROWID;",
	"CREATE TABLE news(dir INT NOT NULL, name BLOB NOT NULL, kind INT NOT NULL, flags INT NOT "
	"NULL,"
	"  epoch INT NOT NULL, size INT, mtime INT, ctime INT, btime INT, born INT, ino INT, mode "
	"INT,"
	"  hash BLOB, rid BLOB, ver BLOB, extra BLOB, PRIMARY KEY(dir, name)) WITHOUT ROWID;"
	"CREATE TABLE conflict(path BLOB PRIMARY KEY, origin BLOB NOT NULL, noted INT NOT NULL)"
	" WITHOUT ROWID;",
	/* Where is it, of which a store tells by its id that it has changed? */
	"CREATE INDEX by_rid ON entry(rid) WHERE rid IS NOT NULL;",
	"CREATE TABLE bringing(path BLOB PRIMARY KEY, beside BLOB NOT NULL, ver BLOB NOT NULL,"
	"  size INT NOT NULL, mtime INT NOT NULL, mode INT NOT NULL, ino INT NOT NULL,"
	"  upto INT NOT NULL) WITHOUT ROWID;",
	/* `sending` of the marks that are worked on, a few dozen a row (sent.c). */
	"CREATE TABLE sent(part INTEGER PRIMARY KEY, notes BLOB NOT NULL);",
	/* Counted in memory (since.c). */
	"DROP INDEX by_since;",
};
const size_t index_schema_steps = ARRAY_LEN(index_schema);

#define DIRTY_COLUMNS "dir, name, since, seen, first, due, tries, why, reason, sending, prio"
/* UNION, not UNION ALL: in a damaged index a folder can stand below itself, and the walk ends
 * only where each folder counts once. */
#define SUBTREE                                         \
	"WITH RECURSIVE below(id) AS (VALUES(?1) UNION" \
	" SELECT dir.id FROM dir JOIN below ON dir.parent = below.id) "

const char *const index_sql_text[SQL_COUNT] = {
	[SQL_META_ALL] = "SELECT k, v FROM meta",
	[SQL_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
	[SQL_META_DROP] = "DELETE FROM meta WHERE k = ?1",

	[SQL_DIR_FIND] = "SELECT id FROM dir WHERE parent = ?1 AND name = ?2",
	[SQL_DIR_ADD] = "INSERT INTO dir(parent, name) VALUES(?1, ?2)",
	[SQL_DIR_GET] = "SELECT parent, name FROM dir WHERE id = ?1",
	[SQL_DIR_USED] = "SELECT EXISTS(SELECT 1 FROM entry WHERE dir = ?1)"
			 " OR EXISTS(SELECT 1 FROM dirty WHERE dir = ?1)"
			 " OR EXISTS(SELECT 1 FROM news WHERE dir = ?1)"
			 " OR EXISTS(SELECT 1 FROM dir WHERE parent = ?1)",
	[SQL_DIR_DROP] = "DELETE FROM dir WHERE id = ?1",
	[SQL_DIR_CHILD] = "SELECT id FROM dir WHERE parent = ?1 LIMIT 1",
	[SQL_DIR_TWIN] = "SELECT twin.id FROM dir AS child JOIN dir AS twin"
			 " ON twin.parent = ?2 AND twin.name = child.name WHERE child.id = ?1",
	[SQL_DIR_REPARENT] = "UPDATE dir SET parent = ?2 WHERE id = ?1",
	[SQL_DIR_MOVE] = "UPDATE dir SET parent = ?2, name = ?3 WHERE id = ?1",

	[SQL_ENTRY_GET] = "SELECT " ENTRY_COLUMNS " FROM entry WHERE dir = ?1 AND name = ?2",
	[SQL_ENTRY_FROM] = "SELECT " ENTRY_COLUMNS
			   ", name FROM entry WHERE dir = ?1 AND name >= ?2 ORDER BY name LIMIT 2",
	[SQL_ENTRY_BRIEF] = "SELECT kind, flags, size FROM entry WHERE dir = ?1 AND name = ?2",
	[SQL_ENTRY_NEW] =
		"INSERT INTO entry(" ENTRY_COLUMNS ", dir, name)"
		" VALUES(?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?1, ?2)"
		" ON CONFLICT DO NOTHING",
	[SQL_ENTRY_PUT] =
		"INSERT OR REPLACE INTO entry(" ENTRY_COLUMNS ", dir, name)"
		" VALUES(?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?1, ?2)",
	[SQL_ENTRY_OVER] =
		"UPDATE entry SET kind = ?3, flags = ?4, epoch = ?5, size = ?6, mtime = ?7,"
		" ctime = ?8, btime = ?9, born = ?10, ino = ?11, mode = ?12, hash = ?13, rid = ?14,"
		" ver = ?15, extra = ?16 WHERE dir = ?1 AND name = ?2",
	/* 8: MARKER, which says what the remote has. */
	[SQL_ENTRY_ESTRANGE] = "UPDATE entry SET flags = (flags & 8) | 1, epoch = 0"
			       " WHERE (flags & 1) = 0",
	[SQL_ENTRY_DROP] = "DELETE FROM entry WHERE dir = ?1 AND name = ?2",
	[SQL_ENTRY_DROP_ALL] = "DELETE FROM entry",
	[SQL_ENTRY_ANY] = "SELECT 1 FROM entry WHERE dir = ?1 AND (flags & 1) <= ?2 LIMIT 1",
	[SQL_ENTRY_FIRST] = "SELECT 1 FROM entry LIMIT 1",
	[SQL_ENTRY_BY_INO] = "SELECT dir, name FROM entry INDEXED BY by_ino"
			     " WHERE ino = ?1 AND ino <> 0 AND kind < 2 AND (flags & 1) = 0 AND "
			     "kind = ?2 LIMIT ?3",
	[SQL_ENTRY_BY_ID] = "SELECT dir, name FROM entry INDEXED BY by_rid"
			    " WHERE rid = ?1 AND rid IS NOT NULL AND (kind = 1) = ?2 LIMIT ?3",
	[SQL_ENTRY_PLAIN] = "SELECT dir, name FROM entry INDEXED BY plain WHERE (flags & 64) <> 0",
	[SQL_STRANGERS_NEXT] = "SELECT " ENTRY_COLUMNS ", dir, name FROM entry INDEXED BY strangers"
			       " WHERE (flags & 1) <> 0 AND (dir, name) > (?1, ?2)"
			       " ORDER BY dir, name LIMIT ?3",
	[SQL_STRANGERS_SUM] = "SELECT coalesce(sum(kind <> 1), 0), coalesce(sum(kind = 1), 0),"
			      " coalesce(sum(CASE kind WHEN 1 THEN 0 ELSE size END), 0)"
			      " FROM entry INDEXED BY strangers WHERE (flags & 1) <> 0",
	[SQL_ENTRY_LIST] = "SELECT " ENTRY_COLUMNS ", name FROM entry WHERE dir = ?1 AND name > ?2"
			   " ORDER BY name LIMIT ?3",
	/* Row values reach into an index behind an equality only: with (epoch, dir, name) > (...) a
	 * page took a walk over the whole epoch (1,000,000 rows by pages of 1,000: 264 s, this way
	 * 1.4 s). */
	[SQL_ENTRY_UNSEALED] =
		"SELECT dir, name FROM entry INDEXED BY by_epoch"
		" WHERE epoch > 0 AND epoch = ?1 AND (dir, name) > (?2, ?3) AND (flags & 1) = 0"
		" ORDER BY dir, name LIMIT ?4",
	[SQL_ENTRY_NEXT_EPOCH] = "SELECT epoch FROM entry INDEXED BY by_epoch"
				 " WHERE epoch > 0 AND epoch > ?1 ORDER BY epoch LIMIT 1",

	[SQL_DIR_LAST] = "SELECT max(id) FROM dir",
	[SQL_SAMPLE_IN] = "SELECT dir, name FROM entry WHERE dir = ?1 AND name >= ?2 AND kind <> 1"
			  " AND (flags & 1) = 0 ORDER BY name LIMIT 1",
	[SQL_SAMPLE_FROM] = "SELECT dir, name FROM entry WHERE dir >= ?1 AND kind <> 1"
			    " AND (flags & 1) = 0 ORDER BY dir, name LIMIT 1",
	[SQL_MOUNTS] = "SELECT dir, name FROM entry INDEXED BY mounts WHERE (flags & 32) != 0",

	[SQL_TREE_MARK] = SUBTREE
	"INSERT INTO dirty(dir, name, since, seen, first, due, prio, tries, why, reason)"
	" SELECT entry.dir, CASE kind WHEN 1 THEN substr(name, 1, length(name) - 1) ELSE name END,"
	"  ?2, ?2, ?3, ?4, 0, 0, 0, NULL"
	" FROM below JOIN entry ON entry.dir = below.id WHERE (flags & 1) = 0"
	" ON CONFLICT DO UPDATE SET seen = ?2, due = min(due, ?4), tries = 0",
	[SQL_TREE_UNHOLD] = SUBTREE "DELETE FROM held WHERE dir IN (SELECT id FROM below)",
	[SQL_TREE_WAKE] =
		SUBTREE "UPDATE dirty SET why = 0, prio = min(prio, 1), due = min(due, ?2)"
			" WHERE dir IN (SELECT id FROM below) AND why = 4",
	[SQL_TREE_USED] =
		SUBTREE "SELECT 1 FROM below WHERE EXISTS(SELECT 1 FROM entry WHERE dir = below.id)"
			" OR EXISTS(SELECT 1 FROM news WHERE dir = below.id) LIMIT 1",
	[SQL_TREE_DIRTY] = SUBTREE "SELECT 1 FROM below JOIN dirty ON dirty.dir = below.id LIMIT 1",
	[SQL_TREE_COUNT_AT] = SUBTREE "SELECT count(*) FROM below JOIN dirty"
				      " ON dirty.dir = below.id WHERE since = ?2",
	[SQL_TREE_HOPEFUL] = SUBTREE "SELECT 1 FROM below JOIN dirty ON dirty.dir = below.id"
				     " WHERE due <= ?2 OR (reason IS NULL AND due <= ?3) LIMIT 1",

	[SQL_DIRTY_NEW] =
		"INSERT INTO dirty(dir, name, since, seen, first, due, prio, tries, why, reason)"
		" VALUES(?1, ?2, ?3, ?3, ?4, ?5, ?6, 0, 0, NULL) ON CONFLICT DO NOTHING",
	/* Why 0 and 3 are CHANGE and HOT: a due time given to them is pace, and one more change is
	 * no cure of what is hot. What a barrier hurried stays due. */
	[SQL_DIRTY_RENEW] = "UPDATE dirty SET seen = ?3, prio = min(prio, ?4),"
			    " tries = CASE WHEN why = 3 THEN tries ELSE 0 END,"
			    " due = CASE WHEN since <= ?8 AND due <= ?7 THEN due ELSE"
			    "  max(CASE WHEN why IN (0, 3) THEN due ELSE ?7 END, min(?5, max(first "
			    "+ ?6, ?7))) END"
			    " WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_GET] = "SELECT " DIRTY_COLUMNS " FROM dirty WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_DUE] = "SELECT " DIRTY_COLUMNS " FROM dirty INDEXED BY by_due"
			  " WHERE prio = ?1 AND due <= ?2 AND due > ?3 ORDER BY due, dir, name",
	[SQL_DIRTY_DUE_SAME] = "SELECT " DIRTY_COLUMNS " FROM dirty INDEXED BY by_due"
			       " WHERE prio = ?1 AND due = ?2 AND (dir, name) > (?3, ?4)"
			       " ORDER BY dir, name",
	[SQL_DIRTY_NEWEST] = "SELECT " DIRTY_COLUMNS " FROM dirty INDEXED BY by_due"
			     " WHERE prio = ?1 AND due <= ?2"
			     " ORDER BY due DESC, dir DESC, name DESC",
	[SQL_DIRTY_LOWER] = "UPDATE dirty SET prio = max(prio, ?3) WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_ANY_DUE] =
		"SELECT 1 FROM dirty INDEXED BY by_due WHERE prio = ?1 AND due <= ?2 LIMIT 1",
	[SQL_DIRTY_NEXT_PRIO] = "SELECT prio FROM dirty WHERE prio > ?1 ORDER BY prio LIMIT 1",
	[SQL_DIRTY_DROP] = "DELETE FROM dirty WHERE dir = ?1 AND name = ?2 AND seen <= ?3",
	[SQL_DIRTY_STAY] = "UPDATE dirty SET since = max(since, ?3), first = ?4, tries = 0, why = "
			   "0, reason = NULL, sending = NULL,"
			   " due = CASE WHEN max(since, ?3) <= ?6 THEN 0 ELSE max(due, ?5) END"
			   " WHERE dir = ?1 AND name = ?2",
	/* Why 4 and 5 are DELETE and PAIR: what is held so comes after everything else that is due. */
	[SQL_DIRTY_AGAIN] =
		"UPDATE dirty SET why = ?3, reason = ?4, tries = ?6,"
		" prio = CASE WHEN ?3 = 4 THEN 9 WHEN ?3 = 5 THEN 8 WHEN prio > 7 THEN 1 ELSE prio "
		"END,"
		" due = CASE WHEN ?7 THEN min(?5, due) ELSE ?5 END WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_SENDING] = "UPDATE dirty SET sending = ?3 WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_SENT] = "SELECT dir, name FROM dirty WHERE sending IS NOT NULL"
			   " AND substr(sending, ?1) = ?2 LIMIT ?3",
	[SQL_DIRTY_BEFORE] =
		"SELECT dir, name FROM dirty INDEXED BY by_due"
		" WHERE prio < 9 AND since <= ?1 AND reason IS NULL AND due <= ?3 LIMIT ?2",
	[SQL_DIRTY_MERGE] =
		"UPDATE dirty AS d SET since = min(d.since, o.since), seen = max(d.seen, o.seen),"
		" first = min(d.first, o.first), due = min(d.due, o.due), prio = min(d.prio, "
		"o.prio)"
		" FROM dirty AS o WHERE o.dir = ?1 AND d.dir = ?2 AND d.name = o.name",
	[SQL_DIRTY_MERGED] = "DELETE FROM dirty WHERE dir = ?1 AND name IN"
			     " (SELECT name FROM dirty WHERE dir = ?2)",
	[SQL_DIRTY_REHOME] = "UPDATE dirty SET dir = ?2 WHERE dir = ?1",
	[SQL_DIRTY_HURRY] = "UPDATE dirty INDEXED BY by_due SET due = ?2"
			    " WHERE prio = ?3 AND due > ?2 AND since <= ?1",
	[SQL_DIRTY_SINCE] = "SELECT since FROM dirty WHERE dir = ?1 AND name = ?2",
	[SQL_DIRTY_SINCE_ALL] = "SELECT since FROM dirty",
	[SQL_DIRTY_REFUSED] = "SELECT count(*) FROM dirty WHERE since <= ?1 AND reason IS NOT NULL",
	[SQL_DIRTY_WALK] =
		"SELECT dir, name FROM dirty WHERE (dir, name) > (?1, ?2) AND reason IS NULL"
		" ORDER BY dir, name LIMIT ?3",
	[SQL_DIRTY_TROUBLES] = "SELECT " DIRTY_COLUMNS " FROM dirty WHERE reason IS NOT NULL"
			       " ORDER BY since LIMIT ?1",

	[SQL_HELD_ADD] = "INSERT INTO held(dir, name, number, state, folder, bytes)"
			 " VALUES(?1, ?2, ?3, 0, ?4, ?5) ON CONFLICT DO NOTHING",
	[SQL_HELD_GET] = "SELECT state FROM held WHERE dir = ?1 AND name = ?2",
	[SQL_HELD_DROP] = "DELETE FROM held WHERE dir = ?1 AND name = ?2",
	[SQL_HELD_SUM] = "SELECT state, folder, count(*), sum(bytes), max(number) FROM held"
			 " GROUP BY state, folder",
	[SQL_HELD_DUE] = "UPDATE dirty SET due = min(due, ?3) WHERE (dir, name) IN"
			 " (SELECT dir, name FROM held WHERE state = ?1 AND number <= ?2)",
	[SQL_HELD_MOVE] = "UPDATE held SET state = ?3 WHERE state = ?1 AND number <= ?2",
	[SQL_HELD_LIST] = "SELECT dir, name, folder, bytes FROM held INDEXED BY held_by_number"
			  " WHERE state = ?1 AND number <= ?2 ORDER BY number LIMIT ?3",
	/* 0 and 1: WAITS and STOPPED. */
	[SQL_HELD_PENDING] = "SELECT count(*) FROM held JOIN dirty USING(dir, name)"
			     " WHERE state <= 1 AND since <= ?1",

	[SQL_FORGOTTEN_ADD] =
		"INSERT OR REPLACE INTO forgotten(path, kind, bytes, born, ver, removing)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[SQL_FORGOTTEN_DROP] = "DELETE FROM forgotten WHERE path = ?1",
	[SQL_FORGOTTEN_REMOVE] = "UPDATE forgotten SET removing = 1 WHERE id <= ?1",
	[SQL_FORGOTTEN_CLEAR] = "DELETE FROM forgotten WHERE id <= ?1 AND removing = 0",
	[SQL_FORGOTTEN_SUM] = "SELECT coalesce(sum(kind <> 1), 0), coalesce(sum(kind = 1), 0),"
			      " coalesce(sum(bytes), 0), coalesce(max(id), 0),"
			      " coalesce(sum(removing), 0) FROM forgotten",
	[SQL_FORGOTTEN_NEXT] =
		"SELECT path, kind, bytes, born, ver FROM forgotten WHERE removing = 1"
		" ORDER BY kind = 1, path DESC LIMIT 1",
	[SQL_FORGOTTEN_LIST] =
		"SELECT path, kind, bytes, born, ver FROM forgotten ORDER BY id LIMIT ?1",

	[SQL_VERSION_PENDING] = "SELECT key FROM version WHERE path = ?1 AND pending = 1",
	[SQL_VERSION_ADD] = "INSERT INTO version(path, born, ended, key, bytes, kind, pending)"
			    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)",
	[SQL_VERSION_KEPT] = "UPDATE version SET pending = 0 WHERE path = ?1 AND pending = 1"
			     " RETURNING bytes",
	[SQL_VERSION_DROP] = "DELETE FROM version WHERE path = ?1 AND pending = 1",
	[SQL_VERSION_FOUND] = "INSERT INTO version(path, born, ended, key, bytes, kind, pending)"
			      " SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0 WHERE NOT EXISTS"
			      " (SELECT 1 FROM version WHERE path = ?1 AND ended = ?3 AND key = ?4)"
			      " RETURNING bytes",
	[SQL_VERSION_NEXT] = "SELECT path FROM version WHERE path > ?1 AND pending = 0"
			     " ORDER BY path LIMIT 1",
	[SQL_VERSION_LIST] = "SELECT id, born, ended, bytes, kind, key FROM version"
			     " WHERE path = ?1 AND pending = 0 ORDER BY ended, born",
	[SQL_VERSION_GONE] = "DELETE FROM version WHERE id = ?1 AND pending = 0",

	[SQL_MOVING_PUT] = "INSERT OR REPLACE INTO moving VALUES(?1, ?2)",
	[SQL_MOVING_NEXT] = "SELECT path, origin FROM moving LIMIT 1",
	[SQL_MOVING_DROP] = "DELETE FROM moving WHERE path = ?1",

	[SQL_MAKING_PUT] = "INSERT OR REPLACE INTO making VALUES(?1, ?2, ?3, ?4)",
	[SQL_MAKING_DONE] = "DELETE FROM making WHERE path = ?1",
	[SQL_MAKING_OLD] = "DELETE FROM making WHERE noted < ?1",
	[SQL_MAKING_LIST] = "SELECT place, id, noted FROM making",

	[SQL_SESSION_GET] = "SELECT session, size, mtime, ctime, ino, part_size, hash, seal_key"
			    " FROM session WHERE path = ?1",
	[SQL_SESSION_ANY] = "SELECT session, size, mtime, ctime, ino, part_size, hash, seal_key,"
			    " path FROM session LIMIT 1",
	[SQL_SESSION_PUT] = "INSERT INTO session VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[SQL_SESSION_DROP] = "DELETE FROM session WHERE path = ?1",
	[SQL_SESSION_PART_PUT] = "INSERT OR REPLACE INTO session_part VALUES(?1, ?2, ?3)",
	[SQL_SESSION_PARTS] = "SELECT number, seal FROM session_part WHERE path = ?1",
	[SQL_SESSION_PARTS_DROP] = "DELETE FROM session_part WHERE path = ?1",

	[SQL_BRINGING_PUT] =
		"INSERT OR REPLACE INTO bringing VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[SQL_BRINGING_GET] = "SELECT path, beside, ver, size, mtime, mode, ino, upto FROM bringing"
			     " WHERE path = ?1",
	[SQL_BRINGING_DROP] = "DELETE FROM bringing WHERE path = ?1",
	[SQL_BRINGING_LIST] =
		"SELECT path, beside, ver, size, mtime, mode, ino, upto FROM bringing",

	[SQL_SENT_ALL] = "SELECT part, notes FROM sent",
	[SQL_SENT_PUT] = "INSERT OR REPLACE INTO sent VALUES(?1, ?2)",
	[SQL_SENT_DROP] = "DELETE FROM sent WHERE part = ?1",

	[SQL_NEWS_GET] = "SELECT " ENTRY_COLUMNS " FROM news WHERE dir = ?1 AND name = ?2",
	[SQL_NEWS_ANY] = "SELECT 1 FROM news LIMIT 1",
	[SQL_NEWS_BY_ID] = "SELECT 1 FROM news WHERE rid = ?1 LIMIT 1",
	[SQL_NEWS_PUT] =
		"INSERT OR REPLACE INTO news(" ENTRY_COLUMNS ", dir, name)"
		" VALUES(?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?1, ?2)",
	[SQL_NEWS_DROP] = "DELETE FROM news WHERE dir = ?1 AND name = ?2",
	[SQL_NEWS_DROP_ALL] = "DELETE FROM news",
	[SQL_CONFLICT_ADD] = "INSERT OR REPLACE INTO conflict VALUES(?1, ?2, ?3)",
	[SQL_CONFLICT_DROP] = "DELETE FROM conflict WHERE path = ?1",
	[SQL_CONFLICT_LIST] =
		"SELECT path, origin, noted FROM conflict ORDER BY noted DESC LIMIT ?1",
	[SQL_CONFLICT_COUNT] = "SELECT count(*) FROM conflict",
};
