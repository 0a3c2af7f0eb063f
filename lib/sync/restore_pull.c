/*
 * What the index says of a restore, and above all of a pull (pull.c), of which it is the base to be. Nothing else writes its rows meanwhile,
 * so that each is read once, or not at all where a walk over them told of it.
 *
 * What got its place by the bytes and the version that the remote tells of is agreed at once. It is not on the disk for good before the
 * end of all, so that nothing of it outlives a pull that does not come to its end: the note "pulling" stands, and by it all are strangers
 * again (pull_disagree).
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/restore.h"

bool restore_home_pulls(const struct restore *r) {
	return restore_home_folder(r)->phase == PHASE_PULLING;
}

/* ---- its row ---- */

void restore_home_row(struct restore *r, struct restore_slot *slot) {
	struct folder *f = restore_home_folder(r);
	struct err err;
	if (!restore_home_pulls(r) || slot->version || slot->item.kind != PAST_FILE) return;
	slot->has_row = restore_home_take_row(r, &slot->row) ||
			index_get(f->index, slot->place.path, false, &slot->row, &err) == 1;
}

/* Of what stands there now, and of the version that the index speaks of. */
static bool is_of_row(const struct restore_slot *slot, const struct index_entry *row) {
	const char *version = slot->content.version;
	return !slot->version && row->kind == INDEX_FILE && slot->item.kind == PAST_FILE &&
	       (version && row->version ? str_equal(version, row->version)
					: row->size == slot->content.size);
}

static void expect(
	struct restore_slot *slot, const struct store *store, const struct index_entry *row) {
	slot->expects = is_of_row(slot, row) && slot->content.version && row->version &&
			hash_known(store, row);
	if (slot->expects) memcpy(slot->expected, row->hash, row->hash_len);
}

void restore_home_expects(struct restore *r, struct restore_slot *slot) {
	struct folder *f = restore_home_folder(r);
	struct index_entry row;
	struct err err;
	slot->digests = !slot->version && slot->item.kind == PAST_FILE;
	slot->digest = f->store->digest;
	slot->expects = false;
	if (slot->has_row) expect(slot, f->store, &slot->row);
	if (!slot->digests || restore_home_pulls(r) ||
		index_get(f->index, slot->place.path, false, &row, &err) != 1)
		return;
	expect(slot, f->store, &row);
	index_entry_release(&row);
}

/* ---- what a restart goes on with: of what is brought back as a whole, while nothing else writes here ---- */

void restore_home_noted(struct restore *r, struct restore_slot *slot, int64_t upto) {
	struct folder *f = restore_home_folder(r);
	const struct restore_content *content = &slot->content;
	const struct index_bringing row = { .path = slot->place.path,
		.beside = slot->place.beside,
		.version = content->version,
		.size = content->size,
		.mtime_ns = content->mtime_ns,
		.mode = content->mode,
		.ino = content->ino,
		.upto = upto };
	struct err err;
	if (!restore_home_pulls(r) || slot->version || r->cancelled) return;
	if (index_bringing_put(f->index, &row, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	slot->noted = true;
	turn_end_want(&f->turn_end);
}

static void resume(struct restore_slot *slot, struct index_bringing *row) {
	struct restore_content *content = &slot->content;
	slot->place.beside = row->beside;
	content->version = row->version;
	row->beside = row->version = NULL;
	content->size = row->size;
	content->mtime_ns = row->mtime_ns;
	content->mode = row->mode;
	content->ino = row->ino;
	content->upto = row->upto;
	slot->noted = true;
}

void restore_home_resumes(struct restore *r, struct restore_slot *slot) {
	struct folder *f = restore_home_folder(r);
	struct index_bringing row;
	struct err err;
	if (!restore_home_pulls(r) || slot->version || slot->item.kind != PAST_FILE) return;
	if (index_bringing_get(f->index, slot->place.path, &row, &err) != 1) return;
	if (slot->has_row && row.upto > 0 && row.size == slot->item.size &&
		str_equal(row.version, slot->row.version))
		resume(slot, &row);
	/* Of another version: its file goes, and with the path itself what is noted of it. */
	if (row.beside && disk_is_beside(path_name(row.beside)))
		disk_remove(r->options.disk, row.beside, &err);
	index_bringing_release(&row);
}

/* ---- what got its place ---- */

/* By bytes that were hashed, of the version that was listed, with the time and mode that were told: else it is looked at when all is here.
 * So is what lies on a disk of its own, whose names nobody syncs, and all while another owner's mark stands there. */
static bool agrees(const struct folder *f, const struct restore_slot *slot) {
	const struct index_entry *row = &slot->row;
	const struct disk_stat *now = &slot->now;
	const struct restore_content *content = &slot->content;
	if (f->judging || slot->place.replaces || slot->mounts || !slot->hashed) return false;
	if (!content->version || !str_equal(content->version, row->version)) return false;
	if (now->size != content->size || content->mtime_ns == STORE_MTIME_UNKNOWN ||
		now->mtime_ns != content->mtime_ns)
		return false;
	bool time = row->mtime_ns == STORE_MTIME_UNKNOWN ||
		    store_time_same(f->store, row->mtime_ns, now->mtime_ns);
	return time && (row->mode < 0 || (row->mode & 0777) == (now->mode & 0777));
}

/* As act.c adopts what it finds equal. */
static void agree(const struct folder *f, struct index_entry *row, const struct disk_stat *now) {
	row->flags &= ~(unsigned)(INDEX_STRANGER | INDEX_UNVERIFIED);
	row->epoch = folder_brings(f) ? 0 : f->epoch;
	row->mode = now->mode;
	row->btime_ns = now->btime_ns;
	if (!row->born_ns) row->born_ns = now->mtime_ns > 0 ? now->mtime_ns : 0;
	if (loop_wall_ns(f->loop) - now->mtime_ns < RACY_NS) row->flags |= INDEX_RACY;
}

void restore_home_placed(struct restore *r, struct restore_slot *slot) {
	struct folder *f = restore_home_folder(r);
	const struct disk_stat *now = &slot->now;
	struct index_entry *row = &slot->row, before = slot->row;
	struct err err;
	if (!restore_home_pulls(r)) return;
	folder_turn(f);
	if (slot->noted && index_bringing_drop(f->index, slot->place.path, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	if (str_equal(path_name(slot->place.path), IGNORE_FILE_NAME)) f->pull.rules_came = true;
	if (now->kind != DISK_FILE || !slot->has_row || !(row->flags & INDEX_STRANGER) ||
		!is_of_row(slot, row))
		return;
	bool agreed = agrees(f, slot);
	row->size = now->size;
	row->mtime_ns = now->mtime_ns;
	row->ctime_ns = now->ctime_ns;
	row->ino = now->ino;
	if (slot->hashed) hash_put(f->store, row, slot->hash);
	if (agreed) agree(f, row, now);
	if (agreed && !forget_agreed(f, slot->place.path)) return;
	if (index_put_over(f->index, slot->place.path, &before, row, &err) < 0)
		folder_index_failed(f, &err);
}
