/* What was planned is done: the operations at the store and what the base says after each answer. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

/* ---- the base ---- */

/* The local side of a row, as it was seen. */
static void entry_local(const struct transfer *t, struct index_entry *entry) {
	const struct folder *f = t->folder;
	int64_t now_ns = loop_wall_ns(f->loop);
	entry->epoch = f->epoch;
	entry->size = t->stat.size;
	entry->mtime_ns = t->mtime_ns;
	entry->ctime_ns = t->stat.ctime_ns;
	entry->btime_ns = t->stat.btime_ns;
	entry->ino = t->stat.ino;
	entry->mode = t->stat.mode;
	entry->flags &= ~(unsigned)(INDEX_STRANGER | INDEX_RACY | INDEX_DATABASE);
	if (t->have_hash || t->captured) {
		memcpy(entry->hash, t->hash, 16);
		entry->hash_len = 16;
		entry->flags &= ~(unsigned)INDEX_UNVERIFIED;
	}
	if (entry->kind == INDEX_FILE && !t->is_database &&
		(t->hot || now_ns - t->stat.mtime_ns < RACY_NS))
		entry->flags |= INDEX_RACY;
	free(entry->extra);
	entry->extra = NULL;
	entry->extra_len = 0;
	if (t->is_database && t->have_source) {
		const struct disk_source *source = t->captured ? &t->snapshot.source : &t->source;
		entry->flags |= INDEX_DATABASE;
		entry->extra = xmemdup(source, sizeof(*source));
		entry->extra_len = sizeof(*source);
		entry->size = t->captured ? t->snapshot.size : entry->size;
		entry->mtime_ns = t->mtime_ns;
	}
}

/* Writes the row and is done with it. False: the index failed, the transfer is gone. */
static bool base_put(struct transfer *t, bool folder, struct index_entry *entry) {
	struct err err;
	if (!index_put(t->folder->index, t->path, entry, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

static bool base_drop(struct transfer *t, bool folder) {
	struct err err;
	if (!index_drop(t->folder->index, t->path, folder, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

void act_op_init(struct transfer *t, enum store_verb verb, enum store_kind kind) {
	if (t->op_ready) store_op_release(&t->op);
	store_op_init(&t->op, verb, t->key);
	t->op_ready = true;
	t->op.kind = kind;
	t->op.mtime_ns = t->mtime_ns;
	t->op.mode = t->stat.mode & 0777;
}

static enum store_kind base_store_kind(const struct transfer *t) {
	return t->has_file && t->file.kind == INDEX_LINK ? STORE_LINK : STORE_FILE;
}

/* What stands at the key is kept first: the name of the version is fixed in an intent, so that a repeat makes no second. */
bool act_keep_intend(struct transfer *t) {
	const struct index_entry *base = &t->file;
	struct folder *f = t->folder;
	struct err err;
	char begin[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
	int64_t now = loop_wall_ns(f->loop);
	if (!t->has_file || f->settings.mode != FOLDER_BACKUP) return true;
	int64_t born = base->born_ns;
	if (born <= 0) born = base->mtime_ns > 0 && base->mtime_ns < now ? base->mtime_ns : now;
	time_format_compact(now, end);
	time_format_compact(born, begin);
	char *key = xasprintf(".tend/versions/%s/%s~%s", t->key, end, begin);
	free(t->keep_key);
	t->keep_key = index_version_intend(f->index, t->path, born, now, key, base->size, &err);
	free(key);
	if (t->keep_key) {
		t->op.keep_key = t->keep_key;
		return true;
	}
	folder_index_failed(f, &err);
	return false;
}

static bool keep_settle(struct transfer *t, bool kept) {
	struct err err;
	if (!t->keep_key) return true;
	if (!index_version_settle(t->folder->index, t->path, kept, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

/* ---- PUT ---- */

void act_put_recorded(struct transfer *t, struct store_entry *remote, bool kept) {
	struct folder *f = t->folder;
	struct index_entry *entry = &t->file;
	if (!t->has_file) memset(entry, 0, sizeof(*entry));
	entry->kind = t->stat.kind == DISK_LINK ? INDEX_LINK : INDEX_FILE;
	entry_local(t, entry);
	entry->born_ns = loop_wall_ns(f->loop);
	free(entry->version);
	free(entry->id);
	entry->version = xstrdup(remote->version);
	entry->id = xstrdup(remote->id);
	folder_wrote(f);
	f->sent_files++;
	f->sent_bytes += entry->size;
	if (!keep_settle(t, kept) || !base_put(t, false, entry)) return;
	/* It grew meanwhile: what was there is stored, and counts for a barrier; the rest has a mark of its own. */
	if (t->hot) folder_mark_path(f, t->path, PRIO_SMALL, f->settings.settle_ms);
	transfer_finish(t);
}

static void put_done(struct transfer *t, const struct err *err) {
	if (!err) {
		act_put_recorded(t, &t->op.entry, t->op.kept);
		return;
	}
	if (err->kind == ERR_CHANGED) {
		act_changed(t);
		return;
	}
	if (err->kind == ERR_NOT_FOUND) {
		/* The folder it belongs in is gone at the remote: what the base says of it is wrong. */
		act_parents_lost(t);
		return;
	}
	transfer_fail(t, err);
}

void act_put_conditions(struct transfer *t) {
	if (t->has_file && base_store_kind(t) == t->op.kind)
		t->op.if_version = t->file.version;
	else if (!t->has_file)
		t->op.if_absent = true;
}

static void put_start(struct transfer *t) {
	bool link = t->stat.kind == DISK_LINK;
	bool stranger = t->has_file && (t->file.flags & INDEX_STRANGER);
	bool image = t->captured && !t->snapshot.plain;
	int64_t size = link ? (int64_t)strlen(t->target) : image ? t->snapshot.size : t->stat.size;
	if (stranger && !t->theirs_known && !t->file.hash_len && t->file.size == size) {
		act_look_at_theirs(t); /* same size, another mtime: the bytes may be the same */
		return;
	}
	if (!link && upload_is_large(t, size)) {
		upload_start(t);
		return;
	}
	act_op_init(t, STORE_PUT, link ? STORE_LINK : STORE_FILE);
	t->op.size = link ? size : (int64_t)t->body.len;
	t->op.body = link ? (const void *)t->target : t->body.at;
	t->op.body_len = (size_t)t->op.size;
	t->op.hash.kind = STORE_HASH_MD5;
	memcpy(t->op.hash.bytes, t->hash, 16);
	act_put_conditions(t);
	if (!act_keep_intend(t)) return;
	transfer_submit(t, t->op.keep_key != NULL, put_done);
}

/* ---- somebody else wrote there ---- */

static void theirs_seen(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	const struct store_entry *theirs = &t->op.entry;
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	if (err) {
		if (base_drop(t, false)) transfer_plan(t);
		return;
	}
	bool hashed = theirs->hash.kind == STORE_HASH_MD5;
	bool ours = hashed && !t->absent && t->have_hash &&
		    memcmp(theirs->hash.bytes, t->hash, 16) == 0;
	/* Our own work, whose answer was lost, or the same bytes by another way: adopted. */
	if (ours && !keep_settle(t, true)) return;
	if (ours) {
		free(t->keep_key);
		t->keep_key = NULL;
	}
	if (!ours && !t->theirs_logged && t->change_tries)
		log_warn("folder '%s': '%s' was changed at the remote by somebody else: %s",
			f->name, t->path,
			t->absent ? "it is left there"
			: f->settings.mode == FOLDER_BACKUP
				? "theirs is kept as a version, ours goes in"
				: "ours goes in");
	t->theirs_logged |= !ours && t->change_tries;
	if (++t->change_tries > 5) {
		struct err busy;
		err_set(&busy, ERR_BUSY, "'%s' keeps changing at the remote", t->key);
		transfer_fail(t, &busy);
		return;
	}
	struct index_entry entry = { .kind = theirs->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE,
		.flags = INDEX_STRANGER,
		.size = theirs->size,
		.mtime_ns = theirs->mtime_ns,
		.mode = theirs->mode,
		.version = xstrdup(theirs->version),
		.id = xstrdup(theirs->id) };
	if (hashed) {
		memcpy(entry.hash, theirs->hash.bytes, 16);
		entry.hash_len = 16;
	}
	t->theirs_known = true;
	bool ok = base_put(t, false, &entry);
	index_entry_release(&entry);
	if (ok) transfer_plan(t);
}

void act_changed(struct transfer *t) {
	if (!t->change_tries)
		t->change_tries = 1; /* from here on it is somebody else's work, and is said */
	act_look_at_theirs(t);
}

void act_look_at_theirs(struct transfer *t) {
	act_op_init(t, STORE_STAT,
		t->stat.kind == DISK_LINK && !t->absent ? STORE_LINK : base_store_kind(t));
	t->op.want_hash = true;
	transfer_submit(t, false, theirs_seen);
}

/* A parent is not at the remote although the base says so: it is made anew, from the top. */
void act_parents_lost(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	char *path = xstrdup(t->path);
	folder_doubt(f);
	while (*path) {
		char *parent = path_parent(path);
		free(path);
		path = parent;
		if (!*path) break;
		if (index_drop(f->index, path, true, &err)) {
			free(path);
			folder_index_failed(f, &err);
			return;
		}
		folder_mark_path(f, path, PRIO_FOLDER, 0);
	}
	free(path);
	f->remote_made = false;
	transfer_again(t, INDEX_WHY_RETRY, "the folder it lies in is gone at the remote", 200);
}

/* ---- SET ---- */

static void set_done(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	bool folder = t->op.kind == STORE_FOLDER;
	struct index_entry *entry = folder ? &t->folder_entry : &t->file;
	if (err && (err->kind == ERR_NOT_FOUND || err->kind == ERR_CHANGED)) {
		if (!folder && err->kind == ERR_CHANGED) {
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
	entry_local(t, entry);
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
	if (!folder && t->file.hash_len == 16) {
		t->op.hash.kind = STORE_HASH_MD5;
		memcpy(t->op.hash.bytes, t->file.hash, 16);
	}
	transfer_submit(t, false, set_done);
}

/* ---- folders ---- */

static void mkdir_recorded(struct transfer *t, const char *version, bool marker) {
	struct index_entry entry = { .kind = INDEX_FOLDER };
	entry_local(t, &entry);
	entry.hash_len = 0;
	entry.size = 0;
	entry.flags = marker ? INDEX_MARKER : 0;
	entry.version = xstrdup(version);
	bool ok = base_put(t, true, &entry);
	index_entry_release(&entry);
	if (ok) transfer_finish(t);
}

static void mkdir_done(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_NOT_FOUND) {
		act_parents_lost(t);
		return;
	}
	if (err) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	mkdir_recorded(t, t->op.entry.version, !(t->folder->store->caps & STORE_CAP_FOLDERS));
}

static void mkdir_start(struct transfer *t) {
	bool markers = !(t->folder->store->caps & STORE_CAP_FOLDERS);
	t->entered_only = ignore_check(t->folder->ignore, t->path, true) == IGNORE_ENTERED;
	bool agreed = t->has_folder && !(t->folder_entry.flags & INDEX_STRANGER) &&
		      t->folder_entry.epoch != EPOCH_ASK;
	if (markers && !t->wants_marker) {
		mkdir_recorded(t, NULL, false); /* it exists by what lies in it */
		return;
	}
	if (t->entered_only && !map_take(&t->folder->wanted, t->path)) {
		transfer_finish(
			t); /* `include` names nothing in it yet: it is made when something is */
		return;
	}
	if (agreed && (!markers || (t->folder_entry.flags & INDEX_MARKER))) {
		set_start(t, true);
		return;
	}
	act_op_init(t, STORE_MKDIR, STORE_FOLDER);
	transfer_submit(t, false, mkdir_done);
}

/* The last thing in a folder went: where folders are no things of their own, it may want a marker now. */
static void parent_look(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (f->store->caps & STORE_CAP_FOLDERS) return;
	char *parent = path_parent(t->path);
	if (*parent && index_has_children(f->index, parent, true, &err) == 0)
		folder_mark_path(f, parent, PRIO_FOLDER, 0);
	free(parent);
}

static void removed(struct transfer *t, bool folder) {
	if (!base_drop(t, folder)) return;
	t->folder->removed++;
	parent_look(t);
	if (t->absent)
		transfer_finish(t);
	else
		transfer_plan(t); /* a change of kind: what stands there now comes next */
}

static void rmdir_done(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_BUSY) {
		log_info("folder '%s': '%s' is kept at the remote: something that is not ours lies "
			 "in it",
			t->folder->name, t->path);
		removed(t, true);
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
	if (markers && !(t->folder_entry.flags & INDEX_MARKER)) {
		removed(t, true);
		return;
	}
	act_op_init(t, STORE_REMOVE, STORE_FOLDER);
	transfer_submit(t, false, rmdir_done);
}

static void remove_done(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_CHANGED) {
		if (!t->absent) { /* of another kind now: theirs makes way like any other */
			act_changed(t);
			return;
		}
		log_warn("folder '%s': '%s' was changed at the remote by somebody else: it is left "
			 "there",
			t->folder->name, t->path);
		t->file.flags = INDEX_STRANGER;
		if (keep_settle(t, false) && base_put(t, false, &t->file)) transfer_finish(t);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	folder_wrote(t->folder);
	if (keep_settle(t, t->op.kept)) removed(t, false);
}

static void remove_start(struct transfer *t) {
	act_op_init(t, STORE_REMOVE, base_store_kind(t));
	t->op.if_version = t->file.version;
	if (!act_keep_intend(t)) return;
	transfer_submit(t, t->op.keep_key != NULL, remove_done);
}

/* ---- what an earlier run could not seal ---- */

static void check_done(struct transfer *t, const struct err *err) {
	const struct store_entry *remote = &t->op.entry;
	const struct index_entry *base = &t->file;
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	bool same = !err && remote->size == base->size &&
		    (remote->mtime_ns == STORE_MTIME_UNKNOWN || remote->mtime_ns == base->mtime_ns);
	if (!err && remote->hash.kind == STORE_HASH_MD5 && base->hash_len == 16)
		same = memcmp(remote->hash.bytes, base->hash, 16) == 0;
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
	bool read = t->have_hash || t->captured;
	if (!entry->born_ns) entry->born_ns = entry->mtime_ns > 0 ? entry->mtime_ns : 0;
	entry_local(t, entry);
	if (folder) entry->flags = marker;
	if (!folder && !read) entry->flags |= INDEX_UNVERIFIED;
	if (base_put(t, folder, entry)) transfer_finish(t);
}

static void record(struct transfer *t) {
	int64_t epoch = t->file.epoch;
	entry_local(t, &t->file);
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
	f->forgotten++;
	if (t->has_file && !base_drop(t, false)) return;
	if (t->has_folder && !base_drop(t, true)) return;
	transfer_finish(t);
}

/* What is agreed below goes first, child before parent; the folder comes again after. */
static void empty_folder(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	int below = index_dirty_below(f->index, t->path, &err);
	if (below < 0 ||
		(!below && index_mark_tree(f->index, t->path, folder_clock_ms(f), 0, &err))) {
		folder_index_failed(f, &err);
		return;
	}
	transfer_again(t, INDEX_WHY_DELETE, NULL, EMPTIED_POLL_MS);
}

static void refuse_kind(struct transfer *t) {
	t->folder->not_kept++;
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

void act_start(struct transfer *t) {
	switch (t->action) {
	case PLAN_NOTHING: transfer_finish(t); return;
	case PLAN_RECORD: record(t); return;
	case PLAN_ADOPT: adopt(t); return;
	case PLAN_PUT:
		if (!name_refused(t)) put_start(t);
		return;
	case PLAN_SET: set_start(t, false); return;
	case PLAN_MKDIR:
		if (!name_refused(t)) mkdir_start(t);
		return;
	case PLAN_REMOVE: remove_start(t); return;
	case PLAN_REMOVE_FOLDER: rmdir_start(t); return;
	case PLAN_EMPTY_FOLDER: empty_folder(t); return;
	case PLAN_FORGET: forget(t); return;
	case PLAN_REFUSE_KIND: refuse_kind(t); return;
	case PLAN_CHECK: check_start(t); return;
	}
}
