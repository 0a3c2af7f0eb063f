/*
 * Parts that need not be sent: a large database keeps the places of its pages from image to image, so that most parts of a new one stand at
 * the remote already, and the server copies them (SYNC.md §5). Which ones is told by the hashes of the parts, which the row of what was
 * stored keeps behind what `extra` says of a database: 16 bytes for each 5 MiB.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/upload.h"

enum { KEPT_MAX = 4096 }; /* 64 KiB in a row: files of up to 20 GiB */

/* As it lies in a row. */
struct part_head {
	int64_t part_size;
};

/* Borrowed from a row. */
struct part_map {
	int64_t part_size;
	const uint8_t *hashes; /* 16 bytes each */
	size_t count;
};

static size_t base_len(const struct index_entry *entry) {
	return entry->flags & INDEX_DATABASE ? sizeof(struct database_base) : 0;
}

/* False: the row knows none. */
static bool map_read(const struct index_entry *entry, struct part_map *map) {
	struct part_head head;
	size_t before = base_len(entry);
	if (entry->extra_len < before + sizeof(head) + 16) return false;
	const uint8_t *at = (const uint8_t *)entry->extra + before;
	memcpy(&head, at, sizeof(head));
	*map = (struct part_map){ .part_size = head.part_size,
		.hashes = at + sizeof(head),
		.count = (entry->extra_len - before - sizeof(head)) / 16 };
	/* It is the file's whose size the row has. */
	return head.part_size > 0 &&
	       (int64_t)map->count == (entry->size + head.part_size - 1) / head.part_size;
}

/* Hashes stand `stride` bytes apart. */
static void map_add(struct index_entry *entry, const struct part_map *map, size_t stride) {
	struct part_head head = { map->part_size };
	size_t before = entry->extra_len;
	uint8_t *all = xmalloc(before + sizeof(head) + map->count * 16);
	if (before) memcpy(all, entry->extra, before);
	memcpy(all + before, &head, sizeof(head));
	for (size_t i = 0; i < map->count; i++)
		memcpy(all + before + sizeof(head) + i * 16, map->hashes + i * stride, 16);
	free(entry->extra);
	entry->extra = all;
	entry->extra_len = before + sizeof(head) + map->count * 16;
}

void delta_note(
	const struct transfer *t, struct index_entry *entry, const struct index_entry *before) {
	const struct upload *u = t->upload;
	struct part_map map;
	if (!t->folder->store->part_copy_size || !entry->hash_len || map_read(entry, &map)) return;
	size_t stride = 16;
	if (u && u->hashed && u->part_kind == DIGEST_MD5 &&
		hash_same(t->folder->store, entry, u->hash)) {
		map = (struct part_map){ u->part_size, u->part_hashes[0], u->part_count };
		stride = sizeof(u->part_hashes[0]);
	} else if (!hash_rows_same(before, entry) || before->size != entry->size ||
		   !map_read(before, &map)) {
		return;
	}
	if (map.count <= KEPT_MAX) map_add(entry, &map, stride);
}

/* Of what stands at the remote; false: nothing is known, or it is nobody's of ours. */
static bool map_of_base(const struct transfer *t, struct part_map *map) {
	return t->folder->store->part_copy_size > 0 && t->has_file && t->file.version &&
	       !(t->file.flags & INDEX_STRANGER) && map_read(&t->file, map);
}

bool delta_wants(const struct transfer *t) {
	bool again =
		t->image || t->is_database || (t->has_file && !(t->file.flags & INDEX_STRANGER));
	return again && t->folder->store->part_copy_size > 0;
}

int64_t delta_part_size(const struct transfer *t) {
	const struct store *store = t->folder->store;
	struct part_map map;
	if (map_of_base(t, &map)) return map.part_size;
	if (delta_wants(t)) return store->part_copy_size;
	return store->part_size > 0 ? store->part_size : STORE_SPAN_MAX;
}

bool delta_has(const struct transfer *t, int number) {
	const struct upload *u = t->upload;
	struct part_map map;
	size_t at = (size_t)number - 1;
	/* Of a file that grows only pass 2 proves that it did nothing else. */
	if (u->copy_none || t->folder->copy_none || t->hot || !map_of_base(t, &map)) return false;
	int64_t end = (int64_t)number * u->part_size;
	if (end > u->size) end = u->size;
	return u->part_kind == DIGEST_MD5 && map.part_size == u->part_size && at < map.count &&
	       end <= t->file.size && !memcmp(map.hashes + at * 16, u->part_hashes[at], 16);
}

/* What changed there behind our back shows at the end of the upload; a server that cannot do this at all is not asked again. */
bool delta_refused(struct transfer *t, const struct err *err) {
	if (err->kind == ERR_OFFLINE || err->kind == ERR_BUSY || err->kind == ERR_FULL ||
		err->kind == ERR_CANCELLED)
		return false;
	t->upload->copy_none = true;
	if (err->kind != ERR_CHANGED && err->kind != ERR_NOT_FOUND && !t->folder->copy_none) {
		t->folder->copy_none = true;
		log_info("folder '%s': the remote copies no parts of a file, all of '%s' is sent: "
			 "%s",
			t->folder->name, t->path, err->text);
	}
	return true;
}

int64_t delta_copied(const struct transfer *t) {
	return t->upload ? t->upload->copied_bytes : 0;
}
