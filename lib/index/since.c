/*
 * How many marks begin at which number: what a barrier asks (is anything older than this still to be done?) is a count in memory, not an
 * index of the table. (Measured, 4,000 files from memory to memory: the index was 3,500 of the loop's instructions a file, and a page of
 * each commit.)
 *
 * Numbers stand in blocks; a block in which no mark begins is not there. What a statement over many rows may have changed is counted anew
 * from the table before the next question, and so is a count that does not fit.
 */
#include <stdlib.h>
#include <string.h>

#include "index/internal.h"

enum { BLOCK = 256 };

struct since_block {
	int64_t key; /* of the numbers from key * BLOCK on */
	int64_t rows;
	uint32_t counts[BLOCK];
};

static int64_t key_of(int64_t since) {
	return since >= 0 ? since / BLOCK : -1 - (-1 - since) / BLOCK;
}

static size_t slot_of(int64_t since) {
	return (size_t)(since - key_of(since) * BLOCK);
}

/* Where the block of this key is, or would be. Most are asked for at either end. */
static size_t find(const struct since *s, int64_t key) {
	size_t low = 0, high = s->count;

	if (s->count && s->blocks[s->count - 1]->key < key) return s->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->blocks[middle]->key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void count_add(struct since *s, int64_t since) {
	int64_t key = key_of(since);
	size_t at = find(s, key);

	if (at == s->count || s->blocks[at]->key != key) {
		if (s->count == s->room) {
			s->room = s->room ? 2 * s->room : 16;
			s->blocks = xrealloc(s->blocks, s->room * sizeof(*s->blocks));
		}
		memmove(&s->blocks[at + 1], &s->blocks[at], (s->count - at) * sizeof(*s->blocks));
		s->blocks[at] = xcalloc(1, sizeof(*s->blocks[at]));
		s->blocks[at]->key = key;
		s->count++;
	}
	s->blocks[at]->rows++;
	s->blocks[at]->counts[slot_of(since)]++;
}

void index_since_release(struct index *index) {
	struct since *s = &index->since;

	for (size_t i = 0; i < s->count; i++) free(s->blocks[i]);
	free(s->blocks);
	*s = (struct since){ 0 };
}

void index_since_forget(struct index *index) {
	index_since_release(index);
	for (struct map_item *it = NULL; (it = map_next(&index->claims, it));)
		((struct claim *)map_value(it))->since = 0;
}

void index_since_add(struct index *index, int64_t since) {
	if (index->since.known) count_add(&index->since, since);
}

void index_since_take(struct index *index, int64_t since) {
	struct since *s = &index->since;
	int64_t key = key_of(since);
	size_t at = s->known ? find(s, key) : 0;

	if (!s->known) return;
	struct since_block *block = at < s->count ? s->blocks[at] : NULL;
	if (!block || block->key != key || !block->counts[slot_of(since)]) {
		index_since_forget(index);
		return;
	}
	block->counts[slot_of(since)]--;
	if (--block->rows > 0) return;
	free(block);
	s->count--;
	memmove(&s->blocks[at], &s->blocks[at + 1], (s->count - at) * sizeof(*s->blocks));
}

int index_since_of(struct index *index, const char *path, const struct claim *claim, int64_t *since,
	struct err *err) {
	struct db_stmt *stmt;

	*since = claim ? claim->since : 0;
	if (*since) return 1;
	int got = index_keyed(index, SQL_DIRTY_SINCE, path, &stmt, err);
	if (got <= 0) return got;
	got = db_step(stmt, err);
	if (got == 1) *since = db_int(stmt, 0);
	db_reset(stmt);
	return got;
}

static int count_all(struct index *index, struct err *err) {
	struct since *s = &index->since;
	int got = 0;

	if (s->known) return 0;
	struct db_stmt *stmt = index_stmt(index, SQL_DIRTY_SINCE_ALL, err);
	if (!stmt) return -1;
	while ((got = db_step(stmt, err)) == 1) count_add(s, db_int(stmt, 0));
	db_reset(stmt);
	if (got < 0)
		index_since_release(index);
	else
		s->known = true;
	return got;
}

int index_since_count(struct index *index, int64_t upto, int64_t *rows, struct err *err) {
	const struct since *s = &index->since;

	*rows = 0;
	if (count_all(index, err) < 0) return -1;
	for (size_t i = 0; i < s->count && s->blocks[i]->key <= key_of(upto); i++) {
		const struct since_block *block = s->blocks[i];
		if (block->key < key_of(upto)) {
			*rows += block->rows;
			continue;
		}
		for (size_t slot = 0; slot <= slot_of(upto); slot++) *rows += block->counts[slot];
	}
	return 0;
}

int64_t index_oldest(struct index *index) {
	const struct since *s = &index->since;
	struct err err;
	size_t slot = 0;

	/* When it cannot be read nothing is through: 0 is older than every mark. */
	if (count_all(index, &err) < 0) return 0;
	if (!s->count) return INT64_MAX;
	while (!s->blocks[0]->counts[slot]) slot++;
	return s->blocks[0]->key * BLOCK + (int64_t)slot;
}
