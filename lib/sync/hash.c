#include "sync/hash.h"

#include <string.h>

void hash_put(const struct store *store, struct index_entry *row, const uint8_t *bytes) {
	row->hash_len = digest_len(store->digest);
	memcpy(row->hash, bytes, row->hash_len);
}

void hash_put_told(
	const struct store *store, struct index_entry *row, const struct store_hash *hash) {
	if (store_hash_tells(store, hash)) hash_put(store, row, hash->bytes);
}

bool hash_known(const struct store *store, const struct index_entry *row) {
	return row->hash_len == digest_len(store->digest);
}

bool hash_same(const struct store *store, const struct index_entry *row, const uint8_t *bytes) {
	return hash_known(store, row) && !memcmp(row->hash, bytes, row->hash_len);
}

bool hash_rows_same(const struct index_entry *left, const struct index_entry *right) {
	return left->hash_len && left->hash_len == right->hash_len &&
	       !memcmp(left->hash, right->hash, left->hash_len);
}

bool hash_row_digest(const struct index_entry *row, enum digest_kind *digest) {
	static const enum digest_kind kinds[] = { DIGEST_MD5, DIGEST_SHA256 };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (row->hash_len != digest_len(kinds[i])) continue;
		*digest = kinds[i];
		return true;
	}
	return false;
}
