/* Marks, and what the end of work on a path makes of its row. Who is next stands in queue.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

_Static_assert(
	INDEX_WHY_CHANGE == 0 && INDEX_WHY_HOT == 3 && INDEX_WHY_DELETE == 4 && INDEX_WHY_PAIR == 5,
	"statements.c names them by number");

int64_t index_dirty_count(const struct index *index) {
	return index->dirty_count;
}

static void dirty_add(struct index *index, int64_t rows) {
	index->dirty_count += rows;
	index->totals_changed = true;
}

int index_keyed(struct index *index, enum index_sql which, const char *path, struct db_stmt **stmt,
	struct err *err) {
	const char *name;
	size_t above = index_split(path, &name);
	int64_t dir = index_dir_find(index, path, above, err);

	if (dir <= 0) return (int)dir;
	*stmt = index_stmt(index, which, err);
	if (!*stmt) return -1;
	db_bind_int(*stmt, 1, dir);
	db_lend_blob(*stmt, 2, name, strlen(name));
	return 1;
}

/* ---- marks ---- */

/* An older row is there: 0 rows were inserted. */
static int renew(struct index *index, const char *path, int64_t seq, int64_t now_ms,
	int64_t settle_ms, int64_t max_settle_ms, int prio, struct err *err) {
	struct db_stmt *stmt;

	index_fronts_forget(index, INT64_MIN);
	if (index_keyed(index, SQL_DIRTY_RENEW, path, &stmt, err) <= 0) return -1;
	db_bind_int(stmt, 3, seq);
	db_bind_int(stmt, 4, prio);
	db_bind_int(stmt, 5, now_ms + settle_ms);
	db_bind_int(stmt, 6, max_settle_ms);
	db_bind_int(stmt, 7, now_ms);
	db_bind_int(stmt, 8, index->hurried);
	return db_run(stmt, err);
}

static int mark(struct index *index, const char *path, int64_t seq, int64_t now_ms,
	int64_t settle_ms, int64_t max_settle_ms, int prio, struct err *err) {
	int64_t due_ms = now_ms + (settle_ms < max_settle_ms ? settle_ms : max_settle_ms);
	bool exact = index->next.exact && !map_get(&index->claims, path);
	struct db_stmt *stmt;
	const char *name;

	if (index_dir_make(index, path, index_split(path, &name), err) < 0) return -1;
	if (index_keyed(index, SQL_DIRTY_NEW, path, &stmt, err) <= 0) return -1;
	index_fronts_forget(index, due_ms);
	db_bind_int(stmt, 3, seq);
	db_bind_int(stmt, 4, now_ms);
	db_bind_int(stmt, 5, due_ms);
	db_bind_int(stmt, 6, prio);
	if (db_run(stmt, err) < 0) return -1;
	if (db_changes(index->db) == 0) {
		return renew(index, path, seq, now_ms, settle_ms, max_settle_ms, prio, err);
	}
	index->next.exact = exact;
	dirty_add(index, 1);
	index_since_add(index, seq);
	return 0;
}

int index_mark(struct index *index, const char *path, int64_t now_ms, int64_t settle_ms,
	int64_t max_settle_ms, int prio, int64_t *seq, struct err *err) {
	assert(*path);
	if (index_begin(index, err) < 0) return -1;
	int64_t number = index_sequence_next(index, err);
	if (number < 0) return -1;
	if (mark(index, path, number, now_ms, settle_ms, max_settle_ms, prio, err) < 0) {
		return index_fail(index, err);
	}
	if (seq) *seq = number;
	struct claim *claim = map_get(&index->claims, path);
	if (claim && claim->held && !claim->marked) {
		claim->marked = true;
		claim->marked_ms = now_ms;
	}
	return 0;
}

/* How many rows below begin at this number: all those that mark_tree made, and no other. */
static int64_t count_at(struct index *index, int64_t dir, int64_t seq, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_TREE_COUNT_AT, err);

	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	db_bind_int(stmt, 2, seq);
	if (db_step(stmt, err) < 0) return -1;
	int64_t rows = db_int(stmt, 0);
	db_reset(stmt);
	return rows;
}

int index_mark_tree(struct index *index, const char *folder, int64_t now_ms, int64_t settle_ms,
	struct err *err) {
	int64_t dir = index_dir_find(index, folder, strlen(folder), err);

	if (dir <= 0) return (int)dir;
	if (index_begin(index, err) < 0) return -1;
	int64_t seq = index_sequence_next(index, err);
	if (seq < 0) return -1;
	index_fronts_forget(index, INT64_MIN);
	struct db_stmt *stmt = index_stmt(index, SQL_TREE_MARK, err);
	if (!stmt) return index_fail(index, err);
	db_bind_int(stmt, 1, dir);
	db_bind_int(stmt, 2, seq);
	db_bind_int(stmt, 3, now_ms);
	db_bind_int(stmt, 4, now_ms + settle_ms);
	if (db_run(stmt, err) < 0) return index_fail(index, err);
	int64_t rows = count_at(index, dir, seq, err);
	if (rows < 0) return index_fail(index, err);
	dirty_add(index, rows);
	for (int64_t i = 0; i < rows; i++) index_since_add(index, seq);
	return 0;
}

static int any_below(struct db_stmt *stmt, struct err *err) {
	int got = db_step(stmt, err);

	db_reset(stmt);
	return got;
}

int index_dirty_below(struct index *index, const char *path, struct err *err) {
	int64_t dir = index_dir_find(index, path, strlen(path), err);

	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_TREE_DIRTY, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	return any_below(stmt, err);
}

int index_hopeful_below(
	struct index *index, const char *path, int64_t now_ms, int64_t by_ms, struct err *err) {
	int64_t dir = index_dir_find(index, path, strlen(path), err);

	if (dir <= 0) return (int)dir;
	struct db_stmt *stmt = index_stmt(index, SQL_TREE_HOPEFUL, err);
	if (!stmt) return -1;
	db_bind_int(stmt, 1, dir);
	db_bind_int(stmt, 2, now_ms);
	db_bind_int(stmt, 3, by_ms);
	return any_below(stmt, err);
}

/* ---- the end of work ---- */

/* The caller's to free, once its note is dropped; NULL: it was not claimed. */
static struct claim *claim_take(struct index *index, const char *path) {
	struct claim *claim = map_take(&index->claims, path);

	if (claim && !claim->held) index->sent.left--;
	return claim;
}

static int done(struct index *index, const char *path, int64_t covered, int64_t due_ms,
	const struct claim *claim, struct err *err) {
	struct db_stmt *stmt;
	const char *name;
	int64_t since;
	int got = index_since_of(index, path, claim, &since, err);

	if (got != 1) return got;
	got = index_keyed(index, SQL_DIRTY_DROP, path, &stmt, err);
	if (got != 1) return got;
	db_bind_int(stmt, 3, covered);
	if (db_run(stmt, err) < 0) return -1;
	if (!claim || !claim->held) index->next.exact = false;
	if (db_changes(index->db) > 0) {
		size_t above = index_split(path, &name);
		int64_t dir = index_dir_find(index, path, above, err);
		dirty_add(index, -1);
		index_since_take(index, since);
		return dir <= 0 ? (int)dir : index_dir_prune(index, path, above, dir, err);
	}
	index_fronts_forget(index, INT64_MIN);
	if (index_keyed(index, SQL_DIRTY_STAY, path, &stmt, err) <= 0) return -1;
	db_bind_int(stmt, 3, covered + 1);
	db_bind_int(stmt, 4, claim && claim->marked ? claim->marked_ms : due_ms);
	db_bind_int(stmt, 5, due_ms);
	db_bind_int(stmt, 6, index->hurried);
	if (db_run(stmt, err) < 0) return -1;
	if (db_changes(index->db) == 0) return 0;
	index_since_take(index, since);
	index_since_add(index, since > covered + 1 ? since : covered + 1);
	return 0;
}

int index_done(
	struct index *index, const char *path, int64_t covered, int64_t due_ms, struct err *err) {
	if (index_begin(index, err) < 0) {
		index_unclaim(index, path);
		return -1;
	}
	struct claim *claim = claim_take(index, path);
	if (claim) index_sent_drop(index, claim);
	int got = done(index, path, covered, due_ms, claim, err);
	if (got == 0) got = index_making_done(index, path, err);
	if (got < 0) index_fail(index, err);
	free(claim);
	return got;
}

int index_again(struct index *index, const char *path, enum index_why why, const char *reason,
	int64_t due_ms, int tries, struct err *err) {
	if (index_begin(index, err) < 0) {
		index_unclaim(index, path);
		return -1;
	}
	struct claim *claim = claim_take(index, path);
	/* It was refused, and something happened to it meanwhile: that may have been the cure. */
	bool sooner =
		claim && claim->marked && (why == INDEX_WHY_REFUSED || why == INDEX_WHY_UNREADABLE);
	int settled = claim ? index_sent_settle(index, claim, err) : 0;
	bool exact = index->next.exact && claim && claim->held && !sooner;
	struct db_stmt *stmt;

	free(claim);
	index_fronts_forget(index, sooner ? INT64_MIN : due_ms);
	if (settled < 0) return index_fail(index, err);
	int got = index_keyed(index, SQL_DIRTY_AGAIN, path, &stmt, err);
	if (got == 0) return 0;
	if (got < 0) return index_fail(index, err);
	db_bind_int(stmt, 3, why);
	db_bind_blob(stmt, 4, reason, reason ? strlen(reason) : 0);
	db_bind_int(stmt, 5, due_ms);
	db_bind_int(stmt, 6, tries);
	db_bind_int(stmt, 7, sooner);
	if (db_run(stmt, err) < 0) return index_fail(index, err);
	index->next.exact = exact && db_changes(index->db) > 0;
	return 0;
}

int index_sending(struct index *index, const char *path, int kind, const void *hash,
	size_t hash_len, struct err *err) {
	uint8_t bytes[SENT_NOTE_MAX_BYTES] = { (uint8_t)kind };
	struct db_stmt *stmt;

	assert(kind >= 0 && kind <= UINT8_MAX && hash_len < sizeof(bytes));
	if (hash_len > 0) memcpy(bytes + 1, hash, hash_len);
	if (index_begin(index, err) < 0) return -1;
	struct claim *claim = map_get(&index->claims, path);
	if (claim) {
		index_sent_note(index, claim, bytes, 1 + hash_len);
		return 0;
	}
	int got = index_keyed(index, SQL_DIRTY_SENDING, path, &stmt, err);
	if (got == 0) return 0;
	if (got < 0) return index_fail(index, err);
	db_lend_blob(stmt, 3, bytes, 1 + hash_len);
	return db_run(stmt, err) == 0 ? 0 : index_fail(index, err);
}
