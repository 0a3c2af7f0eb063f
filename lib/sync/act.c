/* What was planned is done: the operations at the store and what the base says after each answer. Content is sent by put.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

enum { HELD_FROM_MS = 12 * 3600 * 1000 };

/* ---- SET ---- */

/* A server that keeps no conditions set it of what somebody else put there meanwhile, as far as its answer tells. */
static bool set_of_another(const struct transfer *t) {
	const struct folder *f = t->folder;
	const struct store_entry *now = &t->op.entry;
	if (MUTANT(set_on_any_content)) return false;
	if (!folder_brings(f) || t->op.kind != STORE_FILE || t->file.kind != INDEX_FILE)
		return false;
	if (store_hash_tells(f->store, &now->hash) && hash_known(f->store, &t->file))
		return !hash_same(f->store, &t->file, now->hash.bytes);
	return now->size > 0 && now->size != t->file.size;
}

static void set_done(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	bool folder = t->op.kind == STORE_FOLDER;
	struct index_entry *entry = folder ? &t->folder_entry : &t->file;
	if (err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_CHANGED)) {
		if (!folder && (err->kind == ERR_CHANGED || folder_brings(f))) {
			act_changed(t);
			return;
		}
		/* Gone behind our back: the bytes go again. */
		if (base_drop(t, folder))
			transfer_again(t, INDEX_WHY_RETRY, "gone at the remote", 0);
		return;
	}
	if (err) {
		transfer_fail(t, err);
		return;
	}
	if (set_of_another(t)) {
		act_changed(t);
		return;
	}
	base_entry_local(t, entry);
	free(entry->version);
	entry->version = xstrdup(t->op.entry.version);
	folder_wrote(f);
	f->set_only++;
	if (base_put(t, folder, entry)) transfer_finish(t);
}

static void set_start(struct transfer *t, bool folder) {
	act_op_init(t, STORE_SET, folder ? STORE_FOLDER : base_store_kind(t));
	t->op.size = t->file.size;
	t->op.if_version = folder ? NULL : t->file.version;
	bool known = !folder && hash_known(t->folder->store, &t->file);
	if (known) t->op.hash = store_hash_from(t->folder->store, t->file.hash);
	/* It moves the version of a file, where that is more than its bytes; and what it set stays,
	 * also when it is set back here before its answer is known. */
	bool noted = folder ? intent_note(t, NULL) : known ? intent_note(t, t->file.hash) : true;
	/* On the disk before it is sent: the power may go, and take along what was changed here. */
	if (noted) transfer_submit(t, true, set_done);
}

/* ---- folders ---- */

static void mkdir_recorded(struct transfer *t, const struct store_entry *made, bool marker) {
	struct index_entry entry = { .kind = INDEX_FOLDER };
	base_entry_local(t, &entry);
	entry.hash_len = 0;
	entry.size = 0;
	entry.flags = marker ? INDEX_MARKER : 0;
	entry.version = xstrdup(made ? made->version : NULL);
	entry.id = xstrdup(made ? made->id : NULL);
	bool ok = base_put(t, true, &entry);
	index_entry_release(&entry);
	if (ok) transfer_finish(t);
}

static void mkdir_made(struct transfer *t, const struct store_entry *made) {
	folder_wrote(t->folder);
	/* It failed before, or waited for its name: what lies in it waits longer and longer. */
	if (t->row.tries || t->row.why == INDEX_WHY_DELETE) scan_request(t->folder, t->path);
	mkdir_recorded(t, made, !(t->folder->store->caps & STORE_CAP_FOLDERS));
}

static void mkdir_listed(struct transfer *t) {
	mkdir_made(t, &t->theirs);
}

static void mkdir_done(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_NOT_FOUND) {
		act_parents_lost(t);
		return;
	}
	if (err && err->kind == ERR_CHANGED) {
		/* Not agreed, so not ours to remove; and no change that passes by itself. */
		struct err why;
		err_set(&why, ERR_INVALID,
			"something else than a folder stands there at the remote: move it away");
		transfer_fail(t, &why);
		return;
	}
	if (err) {
		transfer_fail(t, err);
		return;
	}
	if (t->op.existed && clash_ask(t, mkdir_listed, NULL)) return;
	mkdir_made(t, &t->op.entry);
}

static void mkdir_start(struct transfer *t) {
	bool markers = !(t->folder->store->caps & STORE_CAP_FOLDERS);
	t->entered_only = ignore_check(t->folder->ignore, t->path, true) == IGNORE_ENTERED;
	bool stands = t->has_folder && t->folder_entry.epoch != EPOCH_ASK;
	if (markers && !t->wants_marker) {
		mkdir_recorded(t, NULL, false); /* it exists by what lies in it */
		return;
	}
	if (t->entered_only && !map_take(&t->folder->wanted, t->path)) {
		transfer_finish(
			t); /* `include` names nothing in it yet: it is made when something is */
		return;
	}
	if (stands && (!markers || (t->folder_entry.flags & INDEX_MARKER))) {
		set_start(t, true);
		return;
	}
	act_op_init(t, STORE_MKDIR, STORE_FOLDER);
	if (intent_note(t, NULL)) transfer_submit(t, false, mkdir_done);
}

/* The last thing in a folder went, perhaps one that was never sent: where folders are no things of their own, it may want a marker now. */
void act_emptied(struct transfer *t, const char *path) {
	struct folder *f = t->folder;
	struct err err;
	if (f->store->caps & STORE_CAP_FOLDERS) return;
	char *parent = path_parent(path);
	if (*parent && index_has_children(f->index, parent, true, &err) == 0) {
		folder_mark_path(f, parent, PRIO_FOLDER, 0);
		barrier_owe(t);
	}
	free(parent);
}

void act_parent_hurry(struct transfer *t) {
	struct folder *f = t->folder;
	struct index_dirty row;
	struct err err;
	if (!t->row.reason) return;
	char *parent = path_parent(t->path);
	if (*parent && index_dirty_get(f->index, parent, &row, &err) == 1) {
		index_dirty_release(&row);
		folder_mark_path(f, parent, PRIO_FOLDER, 0);
		barrier_owe(t);
	}
	free(parent);
}

/* Where nothing of what lies in it can be removed it is in trouble as well. */
void act_wait_for_below(struct transfer *t) {
	struct err err;
	struct folder *f = t->folder;
	int64_t now = folder_clock_ms(f);
	/* What is held for a person is put off for a day. */
	int64_t by = f->brake.stopped ? now + HELD_FROM_MS : INT64_MAX;
	int hopeful = index_hopeful_below(f->index, t->path, now, by, &err);
	if (hopeful == 0)
		transfer_again(t, INDEX_WHY_RETRY, "something in it is not removed",
			transfer_retry_ms(t->row.tries));
	else
		transfer_again(t, INDEX_WHY_DELETE, NULL, brake_poll_ms(t->folder));
}

static void removed(struct transfer *t, bool folder) {
	if (!base_drop(t, folder)) return;
	t->folder->removed++;
	brake_gone(t, folder);
	act_emptied(t, t->path);
	act_parent_hurry(t);
	if (t->absent)
		transfer_finish(t);
	else
		transfer_plan(t); /* a change of kind: what stands there now comes next */
}

/* A removal was refused as that of another kind: the base is wrong, after a power cut of ours or by
 * somebody else. What stands there is not ours to remove. */
static void other_kind_seen(struct transfer *t, const struct err *err) {
	bool folder = t->op.kind == STORE_FOLDER;
	bool gone = err && err->kind == ERR_NOT_FOUND;
	struct err why;
	if (err && !gone) {
		transfer_fail(t, err);
		return;
	}
	if (!gone && (t->op.entry.kind == STORE_FOLDER) == folder) {
		err_set(&why, ERR_INVALID, "the remote refuses to remove it");
		transfer_fail(t, &why);
		return;
	}
	if (!gone)
		log_warn("folder '%s': '%s' was changed at the remote by somebody else: it is left "
			 "there",
			t->folder->name, t->path);
	if (act_keep_settle(t, false)) removed(t, folder);
}

static void look_at_kind(struct transfer *t, bool folder) {
	act_op_init(t, STORE_STAT, folder ? STORE_FOLDER : base_store_kind(t));
	transfer_submit(t, false, other_kind_seen);
}

/* Is what lies in it ours? What came while the folder went goes first, child before parent; what is on its way is agreed soon. */
static bool ours_below(struct transfer *t) {
	struct index *index = t->folder->index;
	struct err err;
	if (index_has_children(index, t->path, false, &err) == 1) {
		transfer_again(t, INDEX_WHY_DELETE, NULL, 0);
		return true;
	}
	if (index_dirty_below(index, t->path, &err) != 1) return false;
	act_wait_for_below(t);
	return true;
}

static void rmdir_done(struct transfer *t, const struct err *err) {
	/* A server that is only busy says so too. */
	bool not_empty = err && err->kind == ERR_BUSY && err->sys == ENOTEMPTY;
	if (not_empty && ours_below(t)) return;
	if (not_empty && t->ours_were_below) { /* gone since: the answer is one of before */
		transfer_again(t, INDEX_WHY_DELETE, NULL, 0);
		return;
	}
	if (not_empty) {
		log_info("folder '%s': '%s' is kept at the remote: something that is not ours lies "
			 "in it",
			t->folder->name, t->path);
		/* It is nobody's by now, and no change will tell of it. */
		if (folder_brings(t->folder)) polling_request_whole(t->folder);
		removed(t, true);
		return;
	}
	if (err && err->kind == ERR_INVALID) {
		look_at_kind(t, true);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	removed(t, true);
}

static void rmdir_start(struct transfer *t) {
	bool markers = !(t->folder->store->caps & STORE_CAP_FOLDERS);
	struct err err;
	t->ours_were_below = index_dirty_below(t->folder->index, t->path, &err) == 1;
	/* Nobody over there says that it is not empty: what is on its way there is agreed soon. */
	if (markers && t->ours_were_below) {
		act_wait_for_below(t);
		return;
	}
	if (markers && !(t->folder_entry.flags & INDEX_MARKER)) {
		removed(t, true);
		return;
	}
	act_op_init(t, STORE_REMOVE, STORE_FOLDER);
	if (base_doubt(t->folder, t->path, &t->folder_entry)) transfer_submit(t, false, rmdir_done);
}

static void remove_done(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_CHANGED) {
		act_changed(t); /* gone here: theirs is left there */
		return;
	}
	if (err && err->kind == ERR_INVALID) {
		look_at_kind(t, false);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	if (act_keep_settle(t, t->op.kept)) removed(t, false);
}

void act_remove_start(
	struct transfer *t, void (*done)(struct transfer *transfer, const struct err *err)) {
	act_op_init(t, STORE_REMOVE, base_store_kind(t));
	t->op.if_version = MUTANT(remove_without_condition) ? NULL : t->file.version;
	if (!act_keep_intend(t) || !base_doubt(t->folder, t->path, &t->file)) return;
	/* On the disk before it is sent: when the power goes the file may stand here again. */
	transfer_submit(t, true, done);
}

/* ---- what an earlier run could not seal ---- */

static void check_done(struct transfer *t, const struct err *err) {
	const struct store_entry *remote = &t->op.entry;
	const struct index_entry *base = &t->file;
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	bool same = MUTANT(unsealed_is_whole)
			    ? !err
			    : !err && remote->size == base->size &&
				      (remote->mtime_ns == STORE_MTIME_UNKNOWN ||
					      store_time_same(t->folder->store, remote->mtime_ns,
						      base->mtime_ns));
	if (!err && store_hash_tells(t->folder->store, &remote->hash) && base->hash_len)
		same = hash_same(t->folder->store, base, remote->hash.bytes);
	if (!same) {
		/* The power went before it was on the disk of the store: it goes again. */
		if (base_drop(t, false))
			transfer_again(t, INDEX_WHY_RETRY, "not whole at the remote", 0);
		return;
	}
	struct index_entry *entry = &t->file;
	entry->epoch = t->folder->epoch;
	free(entry->version);
	entry->version = xstrdup(remote->version);
	/* A SET that was sent when the power went may have come there, and nothing else tells of it. */
	if (remote->mode != STORE_MODE_UNKNOWN && entry->mode >= 0)
		entry->mode = (entry->mode & ~0777) | (remote->mode & 0777);
	folder_wrote(t->folder);
	if (!base_put(t, false, entry)) return;
	transfer_plan(t);
}

static void check_start(struct transfer *t) {
	act_op_init(t, STORE_STAT, base_store_kind(t));
	t->op.want_hash = true;
	transfer_submit(t, false, check_done);
}

/* ---- */

static void adopt(struct transfer *t) {
	bool folder = !t->absent && t->stat.kind == DISK_FOLDER;
	struct index_entry *entry = folder ? &t->folder_entry : &t->file;
	unsigned marker = entry->flags & INDEX_MARKER;
	/* As it was brought back: its bytes were hashed when they came. */
	bool brought = !folder && entry->hash_len && entry->ino && entry->ino == t->stat.ino &&
		       entry->ctime_ns == t->stat.ctime_ns;
	bool read = (t->have_hash && !t->theirs_by_time) || t->captured || brought;
	if (!entry->born_ns) entry->born_ns = entry->mtime_ns > 0 ? entry->mtime_ns : 0;
	base_entry_local(t, entry);
	if (folder) entry->flags = marker;
	/* Others write there too: what is missing later was deleted, not lost by a power cut of ours. */
	if (folder_brings(t->folder)) entry->epoch = 0;
	if (!folder && !read) entry->flags |= INDEX_UNVERIFIED;
	if (base_put(t, folder, entry)) transfer_finish(t);
}

static void record(struct transfer *t) {
	int64_t epoch = t->file.epoch;
	base_entry_local(t, &t->file);
	t->file.epoch = epoch; /* the remote was not touched */
	if (base_put(t, false, &t->file)) transfer_finish(t);
}

static void forget(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (t->has_folder && index_mark_tree(f->index, t->path, folder_clock_ms(f), 0, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	mount_forget(f, t->path);
	bool marker =
		(f->store->caps & STORE_CAP_FOLDERS) || (t->folder_entry.flags & INDEX_MARKER);
	bool file = t->has_file && !(t->file.flags & INDEX_STRANGER);
	bool ours = f->settings.mode != FOLDER_FETCH; /* else nothing there was ever ours */
	if (file && ours && !forget_note(f, t->path, &t->file)) return;
	if (t->has_folder && marker && ours && !forget_note(f, t->path, &t->folder_entry)) return;
	if (t->has_file && !base_drop(t, false)) return;
	if (t->has_folder && !base_drop(t, true)) return;
	transfer_finish(t);
}

/* What is agreed below goes first, child before parent; the folder comes again after. */
void act_empty_folder(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (mount_away_below(f, t->path)) { /* it is not ours to empty before its disk is back */
		transfer_finish(t);
		return;
	}
	int below = index_dirty_below(f->index, t->path, &err);
	if (below < 0 ||
		(!below && index_mark_tree(f->index, t->path, folder_clock_ms(f), 0, &err))) {
		folder_index_failed(f, &err);
		return;
	}
	act_wait_for_below(t);
}

static void refuse_kind(struct transfer *t) {
	kinds_seen(t->folder, t->path);
	act_emptied(t, t->path);
	transfer_finish(t);
}

static bool name_refused(struct transfer *t) {
	struct err err;
	enum store_kind kind = t->stat.kind == DISK_LINK     ? STORE_LINK
			       : t->stat.kind == DISK_FOLDER ? STORE_FOLDER
							     : STORE_FILE;
	if (!store_refuse(t->folder->store, t->key, kind, &err)) return false;
	if (!t->row.tries)
		log_warn("folder '%s': '%s' cannot be stored: %s", t->folder->name, t->path,
			err.text);
	transfer_again(t, INDEX_WHY_REFUSED, err.text, transfer_retry_ms(t->row.tries));
	return true;
}

/* Something is mounted on an agreed folder since it was looked at last. */
static bool mount_news(const struct transfer *t) {
	return t->mounted && t->has_folder &&
	       !(t->folder_entry.flags & (INDEX_MOUNT | INDEX_STRANGER));
}

void act_start(struct transfer *t) {
	switch (t->action) {
	case PLAN_NOTHING:
		if (t->absent) act_emptied(t, t->path);
		if (!mount_news(t) || base_put(t, true, &t->folder_entry)) transfer_finish(t);
		return;
	case PLAN_RECORD: record(t); return;
	case PLAN_ADOPT: adopt(t); return;
	case PLAN_PUT:
		if (!name_refused(t) && !rename_start(t)) act_put_start(t);
		return;
	case PLAN_SET: set_start(t, false); return;
	case PLAN_MKDIR:
		if (!name_refused(t) && !rename_start(t)) mkdir_start(t);
		return;
	case PLAN_REMOVE: act_remove_start(t, remove_done); return;
	case PLAN_REMOVE_FOLDER: rmdir_start(t); return;
	case PLAN_EMPTY_FOLDER: act_empty_folder(t); return;
	case PLAN_FORGET: forget(t); return;
	case PLAN_REFUSE_KIND: refuse_kind(t); return;
	case PLAN_CHECK: check_start(t); return;
	}
}
