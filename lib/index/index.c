/* Opening, the turn's transaction, and the small facts that are kept in memory as well. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

/* Numbers of marks are reserved in meta this many at a time, so that a mark costs no second
 * write. */
enum { SEQUENCE_BLOCK = 10000 };

struct db_stmt *index_stmt(struct index *index, enum index_sql which, struct err *err) {
	struct db_stmt *stmt = &index->stmts[which];

	return db_prepare(index->db, stmt, index_sql_text[which], err) == 0 ? stmt : NULL;
}

struct db_stmt *index_stmt_path(
	struct index *index, enum index_sql which, const char *path, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, which, err);

	if (stmt) db_bind_blob(stmt, 1, path, strlen(path));
	return stmt;
}

char *index_text(struct db_stmt *stmt, int column) {
	size_t len = 0;
	const char *bytes = db_blob(stmt, column, &len);

	return xstrndup(bytes ? bytes : "", len);
}

/* ---- meta ---- */

static void meta_clear(struct map *meta) {
	for (struct map_item *it = NULL; (it = map_next(meta, it));) free(map_value(it));
	map_release(meta);
}

static void counts_read(struct index *index) {
	const char *text = map_get(&index->meta, "totals");
	struct index_totals *t = &index->totals;

	*t = (struct index_totals){ 0 };
	index->dirty_count = 0;
	index->totals_changed = false;
	if (!text) return;
	int64_t *const numbers[] = { &t->files, &t->folders, &t->links, &t->bytes, &t->strangers,
		&t->unverified, &index->dirty_count, &t->versions, &t->version_bytes,
		&t->strangers_ever };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char *end = NULL;
		*numbers[i] = strtoll(text, &end, 10);
		text = end;
	}
}

/* In the same transaction as the rows they sum up: right after any crash, and never counted. */
static int counts_write(struct index *index, struct err *err) {
	const struct index_totals *t = &index->totals;
	char text[260];

	if (!index->totals_changed) return 0;
	index->totals_changed = false;
	(void)snprintf(text, sizeof(text),
		"%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
		" %" PRId64 " %" PRId64 " %" PRId64,
		t->files, t->folders, t->links, t->bytes, t->strangers, t->unverified,
		index->dirty_count, t->versions, t->version_bytes, t->strangers_ever);
	return index_meta_set(index, "totals", text, err);
}

/* What the file says, into memory; leaves memory as it is when that fails. */
static int meta_read(struct index *index, struct err *err) {
	struct db_stmt *stmt = index_stmt(index, SQL_META_ALL, err);
	struct map meta;
	int got;

	if (!stmt) return -1;
	map_init(&meta);
	while ((got = db_step(stmt, err)) == 1) {
		char *key = index_text(stmt, 0);
		free(map_put(&meta, key, index_text(stmt, 1)));
		free(key);
	}
	if (got < 0) {
		meta_clear(&meta);
		return -1;
	}
	meta_clear(&index->meta);
	index->meta = meta;
	counts_read(index);
	index->reserved = index_meta_int(index, "sequence", 0);
	return 0;
}

int index_meta_set(struct index *index, const char *key, const char *value, struct err *err) {
	if (index_begin(index, err) < 0) return -1;
	struct db_stmt *stmt = index_stmt(index, value ? SQL_META_SET : SQL_META_DROP, err);
	if (!stmt) return index_fail(index, err);
	db_bind_blob(stmt, 1, key, strlen(key));
	if (value) db_bind_blob(stmt, 2, value, strlen(value));
	if (db_run(stmt, err) < 0) return index_fail(index, err);
	free(value ? map_put(&index->meta, key, xstrdup(value)) : map_take(&index->meta, key));
	return 0;
}

char *index_meta_get(struct index *index, const char *key) {
	return xstrdup(map_get(&index->meta, key));
}

int64_t index_meta_int(struct index *index, const char *key, int64_t preset) {
	const char *text = map_get(&index->meta, key);
	int64_t value = 0;

	return text && str_to_int(text, INT64_MIN, INT64_MAX, &value) == 0 ? value : preset;
}

/* ---- open and close ---- */

/* A header that is fine and tables that are not ours: found here, not at the first use. */
static int check_schema(struct index *index, struct err *err) {
	for (int i = 0; i < SQL_COUNT; i++) {
		if (index_stmt(index, (enum index_sql)i, err)) continue;
		if (err->kind == ERR_INVALID) err->kind = ERR_CORRUPT;
		return -1;
	}
	return 0;
}

/* Of one that was just opened, or is opened again. */
static int read_state(struct index *index, struct err *err) {
	if (index->past && index_past_restore(index->past, index->db, err) < 0) return -1;
	if (db_migrate(index->db, index_schema, index_schema_steps, err) < 0) return -1;
	/* A past is nobody else's: what is not used need not be prepared. */
	if (!index->past && check_schema(index, err) < 0) return -1;
	if (meta_read(index, err) < 0) return -1;
	index->news = true;
	index_fronts_forget(index, INT64_MIN);
	if (index_news_any(index, err) < 0 || index_absent_begin(index, err) < 0) return -1;
	if (index_sent_read(index, err) < 0) return -1;
	/* Numbers of the last run that were reserved and not given are left out. */
	index->sequence = index->reserved;
	if (index->past) index_past_note(index->past, true);
	return 0;
}

static struct index *open_as(const char *path, struct index_past *past, struct err *err) {
	struct db_options options = { 0 };
	struct index *index = past ? index_past_parked(past) : NULL;

	/* What a commit of a past changes is copied: of small pages that is less. */
	if (past)
		options =
			(struct db_options){ .page_size = 512, .memory = index_past_memory(past) };

	if (!index) {
		index = xcalloc(1, sizeof(*index));
		index->path = xstrdup(path);
		index->large_room = -1;
		index->past = past;
		index->db = db_open(path, &options, err);
	}
	if (index->db && read_state(index, err) == 0) return index;
	err_wrap(err, "index '%s'", path ? path : "in memory");
	index_free(index);
	return NULL;
}

struct index *index_open(const char *path, struct err *err) {
	return open_as(path, NULL, err);
}

struct index *index_past_open(struct index_past *past, struct err *err) {
	return open_as(NULL, past, err);
}

/* What is in memory only. */
static void forget(struct index *index) {
	index_dir_forget_all(index);
	index_claims_release(index);
	index_absent_end(index);
	meta_clear(&index->meta);
	index->failed = index->totals_changed = index->making = index->unsynced =
		index->newest_first = false;
	index->hurried = 0;
	index->large_room = -1;
}

void index_free(struct index *index) {
	if (!index) return;
	db_close(index->db);
	forget(index);
	free(index->path);
	free(index);
}

void index_close(struct index *index) {
	if (!index || !index->past) {
		index_free(index);
		return;
	}
	db_rollback(index->db);
	forget(index);
	index_past_park(index->past, index);
}

const char *index_path(const struct index *index) {
	return index->path;
}

/* ---- the turn's transaction ---- */

static int named(const struct index *index, struct err *err) {
	return err_wrap(err, "index '%s'", index->path ? index->path : "in memory");
}

int index_begin(struct index *index, struct err *err) {
	if (index->failed) {
		err_set(err, ERR_SYSTEM, "an earlier write of this turn failed");
		return named(index, err);
	}
	if (index->past && index_past_fails(index->past)) {
		err_set(err, ERR_SYSTEM, "the disk is broken");
		return index_fail(index, err);
	}
	if (db_in_transaction(index->db)) return 0;
	return db_begin(index->db, err) == 0 ? 0 : named(index, err);
}

int index_fail(struct index *index, struct err *err) {
	struct err ignored;

	db_rollback(index->db);
	index->failed = true;
	index->news = true; /* what was dropped is there again */
	index_dir_forget_all(index);
	index_fronts_forget(index, INT64_MIN);
	index_since_forget(index);
	if (meta_read(index, &ignored) < 0 || index_sent_read(index, &ignored) < 0)
		log_error("index '%s': %s", index->path, ignored.text);
	return named(index, err);
}

int index_turn(struct index *index, struct err *err) {
	return db_in_transaction(index->db) ? 0 : index_begin(index, err);
}

static int commit(struct index *index, bool full, struct err *err) {
	if (!db_in_transaction(index->db)) {
		/* An empty commit does not reach the log, and what earlier turns left there must
		 * reach the disk. */
		if (!full || !index->unsynced) return 0;
		index->totals_changed = true;
		if (index_begin(index, err) < 0) return -1;
	}
	if (index->past && index_past_has_ended(index->past)) {
		db_rollback(index->db);
		return 0;
	}
	/* Undone already. */
	if (index_sent_write(index, err) < 0 || counts_write(index, err) < 0) return -1;
	if (db_commit(index->db, full, err) < 0) return index_fail(index, err);
	index->unsynced = !full;
	if (index->past) index_past_note(index->past, full);
	return 0;
}

int index_commit(struct index *index, bool full, struct err *err) {
	int done = -1;

	if (!index->failed) {
		done = commit(index, full, err);
	} else {
		err_set(err, ERR_SYSTEM, "a write of this turn failed");
		named(index, err);
	}
	index->failed = false;
	return done;
}

bool index_has_uncommitted(const struct index *index) {
	return db_in_transaction(index->db);
}

int64_t index_wal_bytes(const struct index *index) {
	return db_wal_bytes(index->db);
}

int index_checkpoint(const char *path, struct err *err) {
	return db_checkpoint(path, err);
}

int index_checkpoint_rest(struct index *index, struct err *err) {
	return db_checkpoint_rest(index->db, err);
}

struct index_totals index_totals(const struct index *index) {
	return index->totals;
}

/* ---- numbers of marks ---- */

int64_t index_sequence(const struct index *index) {
	return index->sequence;
}

int64_t index_sequence_next(struct index *index, struct err *err) {
	if (index->sequence >= index->reserved) {
		char text[24];
		int64_t upto = index->sequence + SEQUENCE_BLOCK;
		(void)snprintf(text, sizeof(text), "%" PRId64, upto);
		if (index_meta_set(index, "sequence", text, err) < 0) return -1;
		index->reserved = upto;
	}
	return ++index->sequence;
}
