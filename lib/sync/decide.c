/* From what was seen to what is done: builds the question for plan_path, fetches what it still needs, hands the answer to act.c. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

bool transfer_excluded(const struct folder *f, const char *path, bool is_folder) {
	return ignore_check(f->ignore, path, is_folder) == IGNORE_EXCLUDED;
}

bool transfer_skips_links(const struct folder *f) {
	return f->settings.symlinks == FOLDER_SYMLINKS_SKIP;
}

/* ---- the question ---- */

/* The rules leave out the folder that stands here, not the file that was agreed under its name: that one is gone. */
static bool file_made_way(const struct transfer *t) {
	bool agreed = t->has_file && !(t->file.flags & INDEX_STRANGER);
	return agreed && t->stat.kind == DISK_FOLDER &&
	       !transfer_excluded(t->folder, t->path, false);
}

static bool is_link_row(const struct transfer *t) {
	return t->has_file && t->file.kind == INDEX_LINK;
}

/* A link that is left out stands here: what was agreed under its name as something else is gone. */
static enum plan_local skipped_link(const struct transfer *t) {
	bool file = t->has_file && !(t->file.flags & INDEX_STRANGER) && !is_link_row(t);
	bool folder = t->has_folder && !(t->folder_entry.flags & INDEX_STRANGER);
	return file || folder ? LOCAL_ABSENT : LOCAL_EXCLUDED;
}

enum plan_local transfer_local_kind(const struct transfer *t) {
	const struct folder *f = t->folder;
	if (t->absent) {
		/* Gone and excluded now: forgotten, not deleted. */
		bool as_file = t->has_file && transfer_excluded(f, t->path, false);
		bool as_folder = t->has_folder && transfer_excluded(f, t->path, true);
		bool as_link = is_link_row(t) && transfer_skips_links(f);
		return as_file || as_folder || as_link ? LOCAL_EXCLUDED : LOCAL_ABSENT;
	}
	if (transfer_excluded(f, t->path, t->stat.kind == DISK_FOLDER))
		return file_made_way(t) ? LOCAL_ABSENT : LOCAL_EXCLUDED;
	if (t->is_database && t->sqlite == FOLDER_SQLITE_SKIP) return LOCAL_EXCLUDED;
	switch (t->stat.kind) {
	case DISK_FILE: return LOCAL_FILE;
	case DISK_LINK: return transfer_skips_links(f) ? skipped_link(t) : LOCAL_LINK;
	case DISK_FOLDER: return LOCAL_FOLDER;
	case DISK_OTHER: break;
	}
	return LOCAL_OTHER;
}

static enum plan_base base_kind(bool has, const struct index_entry *entry) {
	if (!has) return BASE_NONE;
	return entry->flags & INDEX_STRANGER ? BASE_STRANGER : BASE_AGREED;
}

static bool mode_differs(const struct transfer *t, const struct index_entry *base) {
	return base->kind != INDEX_LINK && base->mode >= 0 &&
	       (base->mode & 0777) != (t->stat.mode & 0777);
}

/* A time that the remote could not tell from the other is not set again and again. */
static bool same_time(const struct transfer *t, const struct index_entry *base) {
	return store_time_same(t->folder->store, base->mtime_ns, t->mtime_ns);
}

static enum plan_same same_attributes(const struct transfer *t, const struct index_entry *base) {
	if (base->mtime_ns != STORE_MTIME_UNKNOWN && !same_time(t, base)) return SAME_CONTENT;
	return mode_differs(t, base) ? SAME_CONTENT : SAME_BYTES;
}

enum plan_same transfer_compare(const struct transfer *t) {
	const struct index_entry *base = &t->file;
	if (!t->has_file || t->absent || (t->streams && !t->have_hash)) return SAME_NOT;
	if (t->have_source && !(base->flags & INDEX_STRANGER) && !t->have_hash) return SAME_ALL;
	const struct store *store = t->folder->store;
	if (t->have_hash && hash_known(store, base))
		return hash_same(store, base, t->hash) ? same_attributes(t, base) : SAME_NOT;
	bool by_time = t->stat.kind == DISK_LINK || t->theirs_by_time;
	if (t->have_hash && !(by_time && (base->flags & INDEX_STRANGER) &&
				    base->size == t->stat.size && same_time(t, base)))
		return SAME_NOT;
	/* Not read: its identity is the agreed one, or a stranger has its size and mtime. */
	if (mode_differs(t, base)) return SAME_CONTENT;
	return base->flags & INDEX_STRANGER ? SAME_BYTES : SAME_ALL;
}

/* Do the rules leave anything in this folder? Where folders are no things of their own, an empty one needs a marker. */
static bool folder_wants_marker(const struct transfer *t) {
	struct err err;
	if ((t->stat.mode & 0777) != 0755) return true;
	if (index_has_children(t->folder->index, t->path, true, &err) == 1) return false;
	for (size_t i = 0; t->names && t->names[i]; i++) {
		char *child = path_join(t->path, t->names[i]);
		size_t len = strlen(child);
		bool folder = len && child[len - 1] == '/';
		if (folder) child[len - 1] = 0;
		bool out = transfer_excluded(t->folder, child, folder);
		free(child);
		if (!out) return false;
	}
	return true;
}

static bool folder_differs(struct transfer *t) {
	if (t->absent || t->stat.kind != DISK_FOLDER) return false;
	/* What is gone there comes back with the first thing of ours in it. */
	if (t->has_folder && (t->folder_entry.flags & INDEX_HOLLOW)) return false;
	if (!(t->folder->store->caps & STORE_CAP_FOLDERS)) {
		bool has = t->has_folder && (t->folder_entry.flags & INDEX_MARKER);
		t->wants_marker = has || folder_wants_marker(t);
		if (!has) return t->wants_marker;
		if (t->folder_entry.mode < 0) return true; /* a listing says nothing of it */
	}
	return t->has_folder && t->folder_entry.mode >= 0 &&
	       (t->folder_entry.mode & 0777) != (t->stat.mode & 0777);
}

/* ---- what is still to be fetched before there is an answer; true: on the way ---- */

static bool fetch_database(struct transfer *t) {
	if (t->state == TRANSFER_CAPTURING || t->captured) return false;
	struct database_base base;
	if (t->has_file && capture_base(&t->file, &base) &&
		disk_source_same(&base.source, &t->source))
		return false;
	capture_start(t);
	return true;
}

static bool fetch_bytes(struct transfer *t) {
	if (t->absent || t->stat.kind != DISK_FILE || t->have_hash) return false;
	if (!look_wants_bytes(t)) return false;
	if (upload_is_large(t, t->stat.size)) {
		t->streams = upload_may_stream(t) && !both_differs(t);
		if (t->streams) return false;
		upload_hash_start(t);
		return true;
	}
	if (transfer_memory_reserve(t, t->stat.size)) look_read_start(t);
	return true;
}

/* An image is small enough for memory, or goes in parts from its file. */
static bool fetch_image(struct transfer *t) {
	if (t->body.len || !t->snapshot.size || upload_is_large(t, t->snapshot.size)) return false;
	if (transfer_memory_reserve(t, t->snapshot.size)) look_read_start(t);
	return true;
}

void upload_or_read(struct transfer *t) {
	if (t->bring)
		bring_memory_granted(t);
	else if (t->upload && t->upload_sending)
		upload_memory_granted(t);
	else
		look_read_start(t);
}

static bool is_deletion(enum plan_action action) {
	return action == PLAN_REMOVE || action == PLAN_REMOVE_FOLDER || action == PLAN_EMPTY_FOLDER;
}

/* Folders that a scan found, and that something needs which an event told of: they go before all else as that does. */
static void parents_first(struct folder *f, const char *parent) {
	struct index_dirty row;
	struct err err;
	char *at = xstrdup(parent);
	while (*at && index_has_folder(f->index, at, &err) == 0) {
		bool later = false;
		if (!map_get(&f->by_path, at) && index_dirty_get(f->index, at, &row, &err) == 1) {
			later = row.prio >= PRIO_FOLDER && !row.tries && !row.reason;
			index_dirty_release(&row);
		}
		if (later) folder_mark_path(f, at, PRIO_EVENT_FOLDER, 0);
		char *above = path_parent(at);
		free(at);
		at = above;
	}
	free(at);
}

/* Nobody is at the folder it lies in. One that waits for a retry is not hurried by each of its
 * children (trap 15): its success lets them come again. */
static void parent_wait(struct transfer *t, const char *parent) {
	struct folder *f = t->folder;
	struct index_dirty row;
	struct err err;
	int64_t wait_ms = 50;
	bool refused = false, event = t->row.prio < PRIO_FOLDER;
	int dirty = index_dirty_get(f->index, parent, &row, &err);
	if (dirty == 1) {
		refused = row.reason != NULL;
		index_dirty_release(&row);
	}
	for (int i = 0; i < t->row.tries && wait_ms < REFUSED_MAX_MS; i++) wait_ms *= 2;
	transfer_again(t, INDEX_WHY_RETRY,
		refused || t->row.tries >= 3 ? "the folder it lies in is not stored yet" : NULL,
		wait_ms);
	if (dirty != 1) folder_mark_path(f, parent, PRIO_FOLDER, 0);
	if (event) parents_first(f, parent);
}

/* Parents first. True: the transfer waits, or comes again. */
bool transfer_parent_missing(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	char *parent = path_parent(t->path);
	struct transfer *other;
	bool missing = false;
	if (!*parent) goto out;
	if (index_has_folder(f->index, parent, &err) != 0) goto out;
	missing = true;
	map_put(&f->wanted, parent, f);
	other = map_get(&f->by_path, parent);
	if (other && other != t) {
		t->state = TRANSFER_PARENT;
		list_add_tail(&other->children, &t->wait_link);
	} else {
		parent_wait(t, parent);
	}
out:
	free(parent);
	return missing;
}

static bool needs_parent(enum plan_action action) {
	return action == PLAN_PUT || action == PLAN_MKDIR;
}

/* ---- */

static bool look_failed(struct transfer *t) {
	struct err err = t->look_err;
	if (err.kind == ERR_NONE) return false;
	switch (err.kind) {
	case ERR_CHANGED:
		transfer_again(t, t->growth ? INDEX_WHY_HOT : INDEX_WHY_CHANGE,
			"it changes while it is read", pace_after(t));
		break;
	case ERR_NOT_FOUND:
		transfer_again(t, INDEX_WHY_CHANGE, NULL, t->folder->settings.settle_ms);
		break;
	default:
		/* Unreadable: its remote copy and its base stay (SYNC.md §8). */
		if (!t->row.tries)
			log_warn("folder '%s': '%s' cannot be read: %s", t->folder->name, t->path,
				err.text);
		transfer_again(t, INDEX_WHY_UNREADABLE, err.text, transfer_retry_ms(t->row.tries));
		break;
	}
	return true;
}

static enum plan_action decide(struct transfer *t) {
	struct err err;
	struct plan_question q = {
		.local = transfer_local_kind(t),
		.file = base_kind(t->has_file, &t->file),
		.file_is_link = t->has_file && t->file.kind == INDEX_LINK,
		.folder = base_kind(t->has_folder, &t->folder_entry),
		.folder_has_children = t->has_folder && index_has_children(t->folder->index,
								t->path, false, &err) == 1,
		.same = transfer_compare(t),
		.folder_differs = folder_differs(t),
	};
	q.unsealed = (t->has_file && t->file.epoch == EPOCH_ASK) ||
		     (t->has_folder && t->folder_entry.epoch == EPOCH_ASK);
	return plan_path(&q);
}

/* What lies in it gets marks only now: whoever waits for the folder itself waits for that too. */
static void unread_list(struct folder *f, const char *path) {
	scan_request(f, path);
	barrier_rescan(f);
}

/* It could not be read when it was looked at, or when a scan came by, and can be now. */
static void list_again(struct transfer *t) {
	bool unlisted = map_take(&t->folder->unlisted, t->path) != NULL;
	if (t->absent || t->stat.kind != DISK_FOLDER) return;
	if (t->row.why == INDEX_WHY_UNREADABLE) {
		t->row.why = INDEX_WHY_CHANGE;
		unlisted = true;
	}
	if (unlisted) unread_list(t->folder, t->path);
}

/* ---- a folder that was made again ---- */

static bool counts_as_deleted(const struct transfer *t) {
	bool agreed = t->has_folder && !(t->folder_entry.flags & (INDEX_STRANGER | INDEX_MOUNT));
	return agreed && !t->mounted && t->folder->settings.mode != FOLDER_FETCH &&
	       !MUTANT(folder_that_is_back_is_the_same);
}

/* Where no birth times are told the number alone says it. */
static bool is_another_folder(const struct transfer *t, const struct disk_stat *now) {
	const struct index_entry *row = &t->folder_entry;
	if (!row->ino) return t->row.why == INDEX_WHY_DELETE; /* it was seen to be gone */
	return row->ino != now->ino ||
	       (row->btime_ns && now->btime_ns && row->btime_ns != now->btime_ns);
}

/* Of a folder that went a scan names no more than its own path. Was another one made in its place before anybody looked there, all that
 * is agreed in it is to be looked at: the list of the new one would tell of it too, but too late for who waits for what was marked. */
bool transfer_folder_back(struct transfer *t, const struct disk_stat *now) {
	struct folder *f = t->folder;
	struct index_entry *row = &t->folder_entry;
	struct err err;
	if (!counts_as_deleted(t) || !is_another_folder(t, now)) return true;
	/* Once for each: what is below may ask for this one again. */
	row->ino = now->ino;
	row->btime_ns = now->btime_ns;
	turn_end_want(&f->turn_end);
	if (index_put(f->index, t->path, row, &err) ||
		index_mark_tree(f->index, t->path, folder_clock_ms(f), 0, &err)) {
		folder_index_failed(f, &err);
		return false;
	}
	barrier_owe(t);
	return true;
}

/* True: it comes again, or the index failed. */
static bool folder_is_back(struct transfer *t) {
	bool moves = (t->folder->store->caps & STORE_CAP_MOVE) != 0;
	if (t->absent || t->stat.kind != DISK_FOLDER || !counts_as_deleted(t) ||
		!is_another_folder(t, &t->stat))
		return false;
	/* The one before may have another name, by which it is moved whole: as long as this row has its number. */
	if (moves && rename_waits(t, INDEX_WHY_DELETE)) return true;
	return !transfer_folder_back(t, &t->stat);
}

void transfer_plan(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	folder_turn(f);
	if (!transfer_base_is_fresh(t) && transfer_base_load(t, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	if (look_failed(t)) return;
	if (folder_is_back(t)) return;
	if (intent_ask(t)) return;
	list_again(t);
	if (t->row.why == INDEX_WHY_UNREADABLE && str_equal(path_name(t->path), IGNORE_FILE_NAME)) {
		char *parent = path_parent(t->path);
		t->row.why = INDEX_WHY_CHANGE;
		unread_list(f, parent);
		free(parent);
	}
	if (!t->absent) t->mtime_ns = t->stat.mtime_ns;
	if (t->have_source && t->source.has_wal && t->source.wal_mtime_ns > t->mtime_ns)
		t->mtime_ns = t->source.wal_mtime_ns;
	if (t->absent || t->stat.kind != DISK_OTHER) kinds_not_there(f, t->path, t->absent);
	if (t->image_same) t->mtime_ns = t->file.mtime_ns; /* a checkpoint is no news */
	if (both_rests(t)) return;
	enum plan_local local = transfer_local_kind(t);
	if (t->journal_name) {
		/* Never sent: the snapshot of its database holds what it says. One that was sent when the database went as it lay would
		 * be played into the image by whoever opens that. */
		bool sent = t->has_file && !(t->file.flags & INDEX_STRANGER);
		bool skip = t->sqlite == FOLDER_SQLITE_SKIP;
		t->action = !t->has_file ? PLAN_NOTHING : sent && !skip ? PLAN_REMOVE : PLAN_FORGET;
		act_start(t);
		return;
	}
	if (local == LOCAL_FILE) {
		if (rename_ask_unread(t)) return;
		if (t->is_database && !t->snapshot.plain && fetch_database(t)) return;
		if (!t->captured && !t->is_database && fetch_bytes(t)) return;
		if (t->captured && t->snapshot.plain && fetch_bytes(t)) return;
	}
	if (t->captured && t->snapshot.plain && t->is_database && t->have_hash &&
		memcmp(t->hash, t->snapshot.hash, digest_len(t->digest)) != 0) {
		transfer_again(t, INDEX_WHY_CHANGE, NULL, f->settings.settle_ms);
		return;
	}
	if (both_plan(t)) return;
	t->action = decide(t);
	if (rename_ask(t)) return;
	bool has_body = t->pair != PAIR_NO; /* at the remote */
	if (t->action == PLAN_PUT && !has_body && t->captured && !t->snapshot.plain &&
		fetch_image(t))
		return;
	bool deletion = is_deletion(t->action) && t->absent;
	if (deletion ? brake_holds(t) : !brake_came_back(t)) return;
	if (deletion && rename_waits(t, INDEX_WHY_DELETE)) return;
	if (needs_parent(t->action) && transfer_parent_missing(t)) return;
	if (t->action == PLAN_PUT && act_wants_theirs(t)) {
		act_look_at_theirs(t);
		return;
	}
	if (f->judging && owner_forbids(t)) return;
	act_start(t);
}
