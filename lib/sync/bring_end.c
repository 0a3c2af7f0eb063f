/* What became of what was brought: the base, a conflict that is noted, a folder that stays for what is not ours in it, or another try. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"
#include "sync/mutant.h"

/* ---- its end ---- */

/* What became of nothing goes, unless the next try can go on with it: short work, on the loop. */
void bring_release(struct transfer *t) {
	struct bring *b = t->bring;
	struct err ignored;
	if (!b) return;
	bring_ranges_release(b);
	if (b->fd >= 0) disk_close_file(t->disk, b->fd);
	if (b->beside && (!b->noted || b->spoilt)) disk_remove(t->disk, b->beside, &ignored);
	digest_release(&b->digest);
	buf_release(&b->target);
	free(b->beside);
	free(b->version);
	free(b->id);
	free(b->expected);
	free(b->aside);
	free(b->theirs);
	free(b->trash);
	strv_free(b->names);
	free(b);
	t->bring = NULL;
}

/* 1: a file or link of this name was agreed; 0; -1. */
static int is_content(struct folder *f, const char *path, struct err *err) {
	struct index_entry row;
	int got = index_get(f->index, path, false, &row, err);
	if (got != 1) return got;
	bool agreed = !(row.flags & INDEX_STRANGER);
	index_entry_release(&row);
	return agreed;
}

/* There is a folder at the remote: something lies in it that was not there before. */
static int parent_filled(struct folder *f, const char *parent, struct err *err) {
	struct index_entry row, filled = { .kind = INDEX_FOLDER, .mode = -1 };
	int got = index_get(f->index, parent, true, &row, err);
	if (got < 0) return -1;
	bool agreed = got == 1 && !(row.flags & INDEX_STRANGER);
	filled.flags = INDEX_FILLED;
	if (got == 1) {
		filled.version = xstrdup(row.version);
		filled.id = xstrdup(row.id);
		filled.flags |= row.flags & INDEX_MARKER;
		index_entry_release(&row);
	}
	/* Where a folder is but the beginning of other names no list tells of it, and a file can have its name as well. */
	int differs = agreed ? 1 : is_content(f, parent, err);
	int rc = differs == 1 ? index_news_put(f->index, parent, &filled, err) : differs;
	index_entry_release(&filled);
	return rc;
}

/* It failed, or was refused, and waits for its next try. What lies in it does not hurry that: a folder whose place something else took here
 * would be tried by each of them without end. */
static bool waits_for_try(struct folder *f, const char *path) {
	struct index_dirty row;
	struct err err;
	if (index_dirty_get(f->index, path, &row, &err) != 1) return false;
	bool waits = row.tries > 0;
	index_dirty_release(&row);
	return waits;
}

/* The folder it is to lie in is none here, not yet perhaps; or something else took its place, which does not hold against what is new
 * in it over there. */
static bool parents_filled(struct folder *f, const char *path) {
	struct err err;
	bool good = true;
	char *parent = path_parent(path);
	if (*parent) {
		good = !parent_filled(f, parent, &err);
		if (!good)
			folder_index_failed(f, &err);
		else if (!waits_for_try(f, parent))
			folder_mark_path(f, parent, PRIO_FOLDER, 0);
		good = good && parents_filled(f, parent);
	}
	free(parent);
	return good;
}

static void place_is_missing(struct transfer *t, const struct err *err) {
	if (!parents_filled(t->folder, t->path)) return;
	transfer_again(t, INDEX_WHY_RETRY, t->row.tries < 3 ? NULL : err->text,
		transfer_retry_ms(t->row.tries) / 4);
}

void bring_fail(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	if (err->sys == ENOTDIR || err->sys == ELOOP) {
		place_is_missing(t, err);
		return;
	}
	switch (err->kind) {
	case ERR_CHANGED:
	case ERR_OFFLINE:
	case ERR_BUSY:
	case ERR_SYSTEM:
	case ERR_FULL: /* here as well as there it is the folder's trouble */
	case ERR_CANCELLED: transfer_fail(t, err); return;
	default: break;
	}
	if (!t->row.tries)
		log_warn("folder '%s': '%s' is not brought here: %s", f->name, t->path, err->text);
	folder_doubt(f);
	transfer_again(t, INDEX_WHY_REFUSED, err->text, transfer_retry_ms(t->row.tries));
}

/* ---- the base ---- */

static void count(struct folder *f, const struct bring *b) {
	switch (b->what) {
	case BRING_FILE:
		f->brought_files++;
		f->brought_bytes += b->size;
		break;
	case BRING_LINK:
	case BRING_FOLDER: f->brought_files++; break;
	case BRING_SET: f->brought_set++; break;
	case BRING_REMOVE:
	case BRING_RMDIR: f->removed_here++; break;
	}
}

/* The local side as it was placed. */
static void seen_now(struct transfer *t) {
	const struct bring *b = t->bring;
	t->absent = false;
	t->stat = b->now;
	t->mtime_ns = b->now.mtime_ns;
	t->captured = t->plain_copy = t->hot = false;
	t->is_database = b->is_database;
	t->have_source = b->have_source;
	if (b->have_source) t->source = b->source;
	t->read_ns = 0;
	if (b->what == BRING_FILE || b->what == BRING_LINK) {
		t->have_hash = true;
		memcpy(t->hash, b->hash, sizeof(t->hash));
	}
}

static bool base_brought(struct transfer *t) {
	const struct bring *b = t->bring;
	bool folder = b->now.kind == DISK_FOLDER;
	const struct index_entry *there = both_there(t);
	struct index_entry entry = { .kind = folder ? INDEX_FOLDER
					     : b->what == BRING_LINK ||
							     (there && there->kind == INDEX_LINK)
						     ? INDEX_LINK
						     : INDEX_FILE,
		.flags = there ? there->flags & INDEX_MARKER : 0,
		.born_ns = loop_wall_ns(t->folder->loop),
		.version = xstrdup(b->version),
		.id = xstrdup(b->id) };
	bool content = b->what == BRING_FILE || b->what == BRING_LINK;
	/* Attributes alone: the bytes are the agreed ones, or were found equal. */
	if (!content && !folder && t->has_file && t->file.hash_len && !t->have_hash) {
		memcpy(entry.hash, t->file.hash, sizeof(entry.hash));
		entry.hash_len = t->file.hash_len;
	}
	if (folder && t->has_file && !(t->file.flags & INDEX_STRANGER) && !base_drop(t, false))
		return false;
	if (!folder && t->has_folder && !base_drop(t, true)) return false;
	base_entry_local(t, &entry);
	if (folder) {
		entry.flags |= there ? there->flags & INDEX_MARKER : 0;
		entry.size = 0;
		entry.hash_len = 0;
	}
	entry.epoch = 0; /* no work of ours is to be sealed there */
	/* It is what was placed that is agreed; what stands there by now is looked at. */
	if (b->raced) entry.ino = 0;
	/* Nobody can tell whether it was written to right before its time was set. */
	if (b->what == BRING_SET && entry.kind == INDEX_FILE) entry.flags |= INDEX_RACY;
	bool stranger = t->has_file && (t->file.flags & INDEX_STRANGER);
	if (!content && !folder && stranger && !t->have_hash) entry.flags |= INDEX_UNVERIFIED;
	bool ok = base_put(t, folder, &entry);
	index_entry_release(&entry);
	return ok;
}

/* A database that is in use stays as it is, and theirs lies beside it: what is here differs from what is there from now on. */
static bool base_theirs(struct transfer *t) {
	const struct bring *b = t->bring;
	struct index_entry entry = { .kind = INDEX_FILE,
		.born_ns = loop_wall_ns(t->folder->loop),
		.size = b->size,
		.mtime_ns = b->mtime_ns,
		.mode = b->mode,
		.version = xstrdup(b->version),
		.id = xstrdup(b->id) };
	hash_put(t->folder->store, &entry, b->hash);
	bool ok = base_put(t, false, &entry);
	index_entry_release(&entry);
	return ok;
}

static bool conflict_note(struct transfer *t, const char *copy) {
	struct folder *f = t->folder;
	struct index_conflict conflict = { .path = (char *)(uintptr_t)copy,
		.origin = t->path,
		.noted_ns = loop_wall_ns(f->loop) };
	struct err err;
	log_warn("folder '%s': '%s' was changed here and at the remote: both are kept, %s as '%s'",
		f->name, t->path, t->bring->in_use ? "theirs" : "ours", copy);
	f->conflicts++;
	if (index_conflict_add(f->index, &conflict, &err)) {
		folder_index_failed(f, &err);
		return false;
	}
	folder_mark_path(f, copy, PRIO_SMALL, 0);
	barrier_owe(t);
	return true;
}

static void placed_well(struct transfer *t) {
	struct bring *b = t->bring;
	if (b->what == BRING_REMOVE && b->in_use) {
		bring_release(t);
		transfer_again(t, INDEX_WHY_RETRY,
			"gone at the remote, and stays here while a program has the database open",
			transfer_retry_ms(t->row.tries));
		return;
	}
	if (b->what == BRING_REMOVE || b->what == BRING_RMDIR) {
		bool folder = b->what == BRING_RMDIR;
		count(t->folder, b);
		brake_gone(t, folder);
		if (!base_drop(t, folder) || !both_news_drop(t)) return;
		act_parent_hurry(t);
		bool more = both_there(t) != NULL; /* another kind of thing comes in its place */
		bring_release(t);
		if (more)
			transfer_again(t, INDEX_WHY_CHANGE, NULL, 0);
		else
			transfer_finish(t);
		return;
	}
	if (b->in_use) {
		if (!base_theirs(t) || !both_news_drop(t) || !conflict_note(t, b->theirs)) return;
		bring_release(t);
		transfer_again(t, INDEX_WHY_CHANGE, NULL, 0);
		return;
	}
	seen_now(t);
	count(t->folder, b);
	if (b->what == BRING_FOLDER && !transfer_folder_back(t, &b->now)) return;
	if (!MUTANT(base_is_not_moved) && !base_brought(t)) return;
	if (!both_news_drop(t)) return;
	if (b->aside && !conflict_note(t, b->aside)) return;
	bring_release(t);
	turn_end_want(&t->folder->turn_end);
	transfer_finish(t);
}

/* 1: all that is agreed right in this folder are hollow folders; 0; -1. */
static int only_hollow(struct folder *f, const char *path, struct err *err) {
	struct index_rows rows;
	int hollow = 1;
	if (index_list(f->index, path, NULL, SIZE_MAX, &rows, err)) return -1;
	for (size_t i = 0; i < rows.count; i++) {
		unsigned flags = rows.rows[i].entry.flags;
		if (!(flags & INDEX_STRANGER) && !(flags & INDEX_HOLLOW)) hollow = 0;
	}
	index_rows_release(&rows);
	return hollow;
}

static bool is_hollow(struct folder *f, const char *path) {
	struct index_entry row;
	struct err err;
	if (index_get(f->index, path, true, &row, &err) != 1) return false;
	bool hollow = !(row.flags & INDEX_STRANGER) && (row.flags & INDEX_HOLLOW);
	index_entry_release(&row);
	return hollow;
}

/* Does anything in it count, which nobody told of yet? */
static bool holds_ours(const struct transfer *t) {
	for (char **name = t->bring->names; name && *name; name++) {
		char *path = path_join(t->path, *name);
		size_t len = strlen(path);
		bool folder = path[len - 1] == '/';
		if (folder) path[len - 1] = 0;
		bool out = transfer_excluded(t->folder, path, folder) ||
			   (folder && is_hollow(t->folder, path));
		free(path);
		if (!out) return true;
	}
	return false;
}

/* The folder is gone at the remote, and nothing says so of what is agreed in it: no list may come any more, in a stop. It is marked as
 * what no list told, and asked for by its name before that is believed. `hollow`: what stays here for what is not synced in it as well. */
int bring_doubt_children(struct folder *f, const char *path, bool hollow, struct err *err) {
	const unsigned sure = INDEX_STRANGER | (hollow ? 0 : INDEX_HOLLOW);
	struct index_rows rows;
	if (index_list(f->index, path, NULL, SIZE_MAX, &rows, err)) return -1;
	int failed = 0;
	for (size_t i = 0; i < rows.count && !failed; i++) {
		const struct index_entry *row = &rows.rows[i].entry;
		const struct index_entry gone = { .kind = row->kind, .flags = INDEX_GONE };
		bool folder = row->kind == INDEX_FOLDER;
		if (row->flags & sure) continue;
		char *child = path_join(path, rows.rows[i].name);
		failed = index_news_put(f->index, child, &gone, err);
		if (!failed) folder_mark_path(f, child, folder ? PRIO_FOLDER : PRIO_SMALL, 0);
		free(child);
	}
	index_rows_release(&rows);
	return failed;
}

/* Folders wait for what lies in them; what is no file of ours keeps one here. */
static void occupied(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	int children = index_has_children(f->index, t->path, false, &err);
	log_debug("folder '%s': '%s' is not empty: children %d", f->name, t->path, children);
	int dirty = children < 0 ? -1 : index_dirty_below(f->index, t->path, &err);
	if (dirty < 0) {
		folder_index_failed(f, &err);
		return;
	}
	/* Those that stay for such a reason themselves do not go before it. */
	if (children && !dirty) {
		int hollow = only_hollow(f, t->path, &err);
		if (hollow < 0) {
			folder_index_failed(f, &err);
			return;
		}
		if (hollow) children = 0;
		if (!hollow && bring_doubt_children(f, t->path, false, &err)) {
			folder_index_failed(f, &err);
			return;
		}
	}
	/* What lay in it may have gone since, between the two looks of the job or by another transfer: it neither keeps the folder here
	 * nor is an edit. */
	if (!children && !dirty && bring_rmdir_again(t)) return;
	bool ours = holds_ours(t);
	bring_release(t);
	if (!children && !dirty &&
		ours) { /* made here meanwhile: an edit, which brings it back there */
		if (base_drop(t, true) && both_news_drop(t))
			transfer_again(t, INDEX_WHY_CHANGE, NULL, f->settings.settle_ms);
		return;
	}
	if (children || dirty) {
		act_wait_for_below(t);
		return;
	}
	const struct index_entry *there = both_there(t);
	if (there && there->kind !=
			     INDEX_FOLDER) { /* a folder keeps its name, whichever side it is on */
		if (f->settings.mode == FOLDER_FETCH)
			transfer_again(t, INDEX_WHY_REFUSED,
				"is a file at the remote, and a folder here with things in it: "
				"move "
				"one of them away",
				transfer_retry_ms(t->row.tries));
		else
			both_aside_there(t);
		return;
	}
	struct index_entry hollow = t->folder_entry;
	hollow.flags |= INDEX_HOLLOW;
	hollow.epoch = 0; /* nothing stands there that a power cut could have taken */
	log_info("folder '%s': '%s' is gone at the remote and stays here: something that is not "
		 "synced lies in it",
		f->name, t->path);
	if (base_put(t, true, &hollow) && both_news_drop(t)) transfer_finish(t);
}

void bring_placed(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct sync *sync = t->folder->sync;
	struct bring *b = t->bring;
	t->job_running = t->opens = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		capture_moved(sync);
		return;
	}
	capture_moved(sync);
	folder_turn(t->folder);
	if (b->changed) {
		bring_release(t);
		transfer_again(t, INDEX_WHY_CHANGE, NULL, t->folder->settings.settle_ms);
	} else if (b->occupied) {
		occupied(t);
	} else if (err) {
		struct err why = *err;
		bring_release(t);
		bring_fail(t, &why);
	} else {
		placed_well(t);
	}
}
