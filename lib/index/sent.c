/*
 * Notes of what is being made at the remote (index_sending), of rows that are claimed. All that stand at a commit go with it, a few
 * dozen in one row of `sent`, where each as an update of its own mark would cost a tenth of a first sync. (Measured, 4,000 files from
 * memory to memory: 11,500 of the loop's 124,000 instructions a file.)
 *
 * A note begins and ends in memory, and its row is written anew in the same transaction as whatever ended it: the table is at each
 * commit exactly what memory is. When the work on its path ends without success it goes to its mark, as it does when marks change their
 * names; when the work is given up it stays here, also after a restart, until the path is claimed again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

enum { ROWS_MOST = 1 << 16, NOTES_MOST_BYTES = 64 << 20 };

/* Before the bytes of each: of its path so many are those of the one before, so many follow, and then so many of the note. */
struct head {
	uint32_t shared, rest, len;
};

/* ---- in memory ---- */

struct claim *index_claim_new(struct index *index, const char *path) {
	size_t size = strlen(path) + 1;
	struct claim *claim = xmalloc(sizeof(*claim) + size);

	*claim = (struct claim){ .held = true };
	memcpy(claim->path, path, size);
	map_put(&index->claims, path, claim);
	return claim;
}

void index_sent_drop(struct index *index, struct claim *claim) {
	if (!claim->place) return;
	struct sent_row *row = &index->sent.rows[(claim->place - 1) / SENT_ROW_NOTES];

	row->claims[(claim->place - 1) % SENT_ROW_NOTES] = NULL;
	row->used--;
	row->changed = true;
	claim->place = 0;
	index->sent.changed = true;
}

static struct sent_row *row_at(struct index *index, size_t at) {
	struct sent *sent = &index->sent;

	if (at >= sent->count) {
		sent->rows = xrealloc(sent->rows, (at + 1) * sizeof(*sent->rows));
		memset(&sent->rows[sent->count], 0, (at + 1 - sent->count) * sizeof(*sent->rows));
		sent->count = at + 1;
	}
	return &sent->rows[at];
}

/* In the first row that has room: those that are noted together are written together. */
static void place_give(struct index *index, struct claim *claim) {
	size_t at = 0, slot = 0;

	while (at < index->sent.count && index->sent.rows[at].used == SENT_ROW_NOTES) at++;
	struct sent_row *row = row_at(index, at);
	while (row->claims[slot]) slot++;
	row->claims[slot] = claim;
	row->used++;
	claim->place = at * SENT_ROW_NOTES + slot + 1;
}

void index_sent_note(struct index *index, struct claim *claim, const void *note, size_t len) {
	assert(len <= sizeof(claim->note));
	if (!claim->place) place_give(index, claim);
	index->sent.rows[(claim->place - 1) / SENT_ROW_NOTES].changed = true;
	index->sent.changed = true;
	claim->len = (uint8_t)len;
	memcpy(claim->note, note, len);
}

void index_sent_release(struct index *index) {
	free(index->sent.rows);
	index->sent = (struct sent){ 0 };
}

/* ---- to the table ---- */

static void pack(const struct sent_row *row, struct buf *bytes) {
	const char *before = "";

	for (size_t i = 0; i < SENT_ROW_NOTES; i++) {
		const struct claim *claim = row->claims[i];
		struct head head = { 0 };
		if (!claim) continue;
		while (before[head.shared] && before[head.shared] == claim->path[head.shared])
			head.shared++;
		head.rest = (uint32_t)strlen(claim->path + head.shared);
		head.len = claim->len;
		int failed = buf_add(bytes, &head, sizeof(head)) ||
			     buf_add(bytes, claim->path + head.shared, head.rest) ||
			     buf_add(bytes, claim->note, claim->len);
		assert(!failed); /* paths are far shorter */
		before = claim->path;
	}
}

static int row_write(struct index *index, size_t at, struct err *err) {
	struct sent_row *row = &index->sent.rows[at];
	struct buf bytes;

	struct db_stmt *stmt = index_stmt(index, row->used ? SQL_SENT_PUT : SQL_SENT_DROP, err);
	if (!stmt) return -1;
	buf_init(&bytes, NOTES_MOST_BYTES);
	pack(row, &bytes);
	db_bind_int(stmt, 1, (int64_t)at);
	if (row->used) db_lend_blob(stmt, 2, bytes.at, bytes.len);
	int got = db_run(stmt, err);
	buf_release(&bytes);
	row->changed = false;
	return got;
}

int index_sent_write(struct index *index, struct err *err) {
	if (!index->sent.changed) return 0;
	for (size_t i = 0; i < index->sent.count; i++)
		if (index->sent.rows[i].changed && row_write(index, i, err) < 0)
			return index_fail(index, err);
	index->sent.changed = false;
	return 0;
}

/* ---- from the table ---- */

static void forget_notes(struct index *index) {
	struct map_item *it = map_next(&index->claims, NULL);

	while (it) {
		struct claim *claim = map_value(it);
		it = map_next(&index->claims, it);
		claim->place = 0;
		if (!claim->held) free(map_take(&index->claims, claim->path));
	}
	index_sent_release(index);
}

/* The note at `slot` of the row `at` is of this path. False: another is already. */
static bool note_take(struct index *index, size_t at, size_t slot, const char *path,
	const void *note, size_t len) {
	struct claim *claim = map_get(&index->claims, path);

	if (!claim) {
		claim = index_claim_new(index, path);
		claim->held = false;
		index->sent.left++;
	}
	if (claim->place) return false;
	struct sent_row *row = row_at(index, at);
	row->claims[slot] = claim;
	row->used++;
	claim->place = at * SENT_ROW_NOTES + slot + 1;
	claim->len = (uint8_t)len;
	memcpy(claim->note, note, len);
	return true;
}

static int unpack(struct index *index, size_t at, const char *bytes, size_t len, struct err *err) {
	size_t from = 0, path_len = 0;
	char *path = NULL;
	bool good = true;

	for (size_t slot = 0; from < len && good; slot++) {
		struct head head;
		good = slot < SENT_ROW_NOTES && len - from >= sizeof(head);
		if (!good) break;
		memcpy(&head, bytes + from, sizeof(head));
		from += sizeof(head);
		good = head.shared <= path_len && head.len <= SENT_NOTE_MAX_BYTES &&
		       (uint64_t)head.rest + head.len <= len - from &&
		       !memchr(bytes + from, '\0', head.rest);
		if (!good) break;
		path_len = (size_t)head.shared + head.rest;
		path = xrealloc(path, path_len + 1);
		memcpy(path + head.shared, bytes + from, head.rest);
		path[path_len] = '\0';
		from += head.rest;
		good = note_take(index, at, slot, path, bytes + from, head.len);
		from += head.len;
	}
	free(path);
	return good ? 0 : err_set(err, ERR_CORRUPT, "the index holds notes that are none");
}

int index_sent_read(struct index *index, struct err *err) {
	forget_notes(index);
	struct db_stmt *stmt = index_stmt(index, SQL_SENT_ALL, err);
	int got;

	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) {
		int64_t at = db_int(stmt, 0);
		size_t len = 0;
		const char *bytes = db_blob(stmt, 1, &len);
		got = at < 0 || at >= ROWS_MOST
			      ? err_set(err, ERR_CORRUPT, "the index holds notes out of all order")
			      : unpack(index, (size_t)at, bytes ? bytes : "", len, err);
		if (got < 0) break;
	}
	db_reset(stmt);
	if (got < 0) forget_notes(index);
	return got;
}

/* ---- to the marks ---- */

int index_sent_settle(struct index *index, struct claim *claim, struct err *err) {
	struct db_stmt *stmt;

	if (!claim->place) return 0;
	index_sent_drop(index, claim);
	int got = index_keyed(index, SQL_DIRTY_SENDING, claim->path, &stmt, err);
	if (got <= 0) return got;
	db_lend_blob(stmt, 3, claim->note, claim->len);
	return db_run(stmt, err);
}

int index_sent_settle_all(struct index *index, struct err *err) {
	struct map_item *it = map_next(&index->claims, NULL);

	while (it) {
		struct claim *claim = map_value(it);
		it = map_next(&index->claims, it);
		if (index_sent_settle(index, claim, err) < 0) return -1;
		if (!claim->held) free(map_take(&index->claims, claim->path));
	}
	index->sent.left = 0;
	return 0;
}

void index_sent_find(
	struct index *index, const void *tail, size_t len, size_t limit, char ***paths) {
	char **kept = NULL;

	for (char **path = *paths; path && *path; path++) {
		const struct claim *claim = map_get(&index->claims, *path);
		if (!claim || !claim->place) strv_add(&kept, *path);
	}
	strv_free(*paths);
	for (size_t i = 0; i < index->sent.count * SENT_ROW_NOTES; i++) {
		const struct claim *claim =
			index->sent.rows[i / SENT_ROW_NOTES].claims[i % SENT_ROW_NOTES];
		if (!claim || claim->len < len || strv_count(kept) >= limit) continue;
		if (memcmp(claim->note + claim->len - len, tail, len) == 0)
			strv_add(&kept, claim->path);
	}
	*paths = kept;
}
