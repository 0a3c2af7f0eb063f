/*
 * What rows of the index know of a content: its hash, of the kind that the store has. One of another length is of another kind, by an
 * older version of ours: it is not known, so neither equal nor another.
 */
#ifndef SYNC_HASH_H
#define SYNC_HASH_H

#include "index/index.h"
#include "store/store.h"

void hash_put(const struct store *store, struct index_entry *row, const uint8_t *bytes);
/* What the store tells of its own; one of another kind is left out. */
void hash_put_told(
	const struct store *store, struct index_entry *row, const struct store_hash *hash);
bool hash_known(const struct store *store, const struct index_entry *row);
bool hash_same(const struct store *store, const struct index_entry *row, const uint8_t *bytes);
/* Both known, of whatever kind, and equal. */
bool hash_rows_same(const struct index_entry *left, const struct index_entry *right);
/* What a row's own hash was made with, for whoever reads the bytes anew. False: it has none. */
bool hash_row_digest(const struct index_entry *row, enum digest_kind *digest);

#endif
