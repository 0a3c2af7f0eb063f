#include "sync/pair.h"

#include <string.h>

/* Agreed, known by its bytes. One that no SYNC sealed serves too: under its new name it is asked for like any other. */
static bool base_serves(const struct index_entry *base) {
	return !(base->flags & (INDEX_STRANGER | INDEX_UNVERIFIED));
}

enum pair_answer pair_file(const struct pair_question *q) {
	const struct index_entry *base = q->base;
	bool database = q->is_database || (base->flags & INDEX_DATABASE);
	if (base->kind != INDEX_FILE || !base_serves(base)) return PAIR_NO;
	if (!q->hash_len || base->hash_len != q->hash_len) return PAIR_NO;
	if (base->ino != q->ino || base->btime_ns != q->btime_ns) return PAIR_NO;
	if (!database && (base->size != q->size || base->mtime_ns != q->mtime_ns)) return PAIR_NO;
	bool bytes_count = database || q->size < PAIR_BY_IDENTITY || (base->flags & INDEX_RACY);
	if (bytes_count && !q->hash) return PAIR_READ;
	if (q->hash && memcmp(q->hash, base->hash, q->hash_len) != 0) return PAIR_NO;
	switch (q->origin) {
	case ORIGIN_UNKNOWN: return PAIR_LOOK;
	case ORIGIN_GONE: return PAIR_MOVE;
	case ORIGIN_SAME: break;
	}
	return q->taken ? PAIR_NO : PAIR_COPY; /* a copy keeps no version of what it replaces */
}

/* Without a birth time a new folder that got a freed inode looks just like a moved one. */
enum pair_answer pair_folder(const struct pair_question *q) {
	const struct index_entry *base = q->base;
	if (base->kind != INDEX_FOLDER || !base_serves(base) || q->taken) return PAIR_NO;
	if (base->ino != q->ino || !base->btime_ns || base->btime_ns != q->btime_ns) return PAIR_NO;
	switch (q->origin) {
	case ORIGIN_UNKNOWN: return PAIR_LOOK;
	case ORIGIN_GONE: return PAIR_MOVE;
	case ORIGIN_SAME: break;
	}
	return PAIR_NO;
}
