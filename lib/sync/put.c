/* Sending content: the base row it leads to, what is kept first, and what somebody else may have written there. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"
#include "sync/version.h"

enum { TRIES_MAX = 5 };

/* ---- the base ---- */

/* What a database's row says of its source. */
static void base_entry_database(
	const struct transfer *t, struct index_entry *entry, const struct index_entry *before) {
	struct database_base base = { .content = { 0 } };
	capture_base(before, &base);
	base.source = t->captured ? t->snapshot.source : t->source;
	if (t->captured) memcpy(base.content, t->snapshot.content, sizeof(base.content));
	entry->flags |= INDEX_DATABASE;
	entry->extra = xmemdup(&base, sizeof(base));
	entry->extra_len = sizeof(base);
	entry->size = t->captured ? t->snapshot.size : entry->size;
}

/* The local side of a row, as it was seen. */
void base_entry_local(const struct transfer *t, struct index_entry *entry) {
	const struct folder *f = t->folder;
	const struct index_entry before = *entry;
	int64_t read_ns = t->read_ns ? t->read_ns : loop_wall_ns(f->loop);
	entry->epoch = f->epoch;
	entry->size = t->stat.size;
	entry->mtime_ns = t->mtime_ns;
	entry->ctime_ns = t->stat.ctime_ns;
	entry->btime_ns = t->stat.btime_ns;
	entry->ino = t->stat.ino;
	entry->mode = t->stat.mode;
	entry->flags &= ~(unsigned)(INDEX_STRANGER | INDEX_RACY | INDEX_DATABASE | INDEX_PLAIN);
	if (t->have_hash || t->captured) {
		hash_put(f->store, entry, t->hash);
		entry->flags &= ~(unsigned)INDEX_UNVERIFIED;
	}
	/* It may change once more within the tick of its time; what was adopted unread has no hash yet. */
	if (entry->kind == INDEX_FILE && !t->is_database && entry->hash_len &&
		(t->hot || read_ns - t->stat.mtime_ns < RACY_NS))
		entry->flags |= INDEX_RACY;
	entry->extra = NULL;
	entry->extra_len = 0;
	if (t->plain_copy) entry->flags |= INDEX_PLAIN;
	if (t->is_database && t->have_source) base_entry_database(t, entry, &before);
	if (entry->kind == INDEX_FILE) delta_note(t, entry, &before);
	free(before.extra);
}

/* Writes the row and is done with it. False: the index failed, the transfer is gone. */
bool base_put(struct transfer *t, bool folder, struct index_entry *entry) {
	struct err err;
	t->base_fresh = false;
	if (!(entry->flags & INDEX_STRANGER) && !forget_agreed(t->folder, t->path)) return false;
	if (folder && !polling_folder_back(t->folder, t->path)) return false;
	if (folder && t->mounted) {
		entry->flags |= INDEX_MOUNT;
		mount_add(t->folder, t->path);
	}
	bool known = folder ? t->has_folder : t->has_file;
	int failed = known ? index_put_again(t->folder->index, t->path, entry, &err)
			   : index_put(t->folder->index, t->path, entry, &err);
	if (!failed) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

bool base_drop(struct transfer *t, bool folder) {
	struct err err;
	t->base_fresh = false;
	if (!index_drop(t->folder->index, t->path, folder, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

/* Before something agreed goes from its place at the remote: until the answer is known the remote is asked before the row is
 * believed, for what the row speaks of may come back here, and be gone over there. False: the index failed. */
bool base_doubt(struct folder *f, const char *path, const struct index_entry *entry) {
	struct index_entry asked = *entry;
	struct err err;
	asked.epoch = EPOCH_ASK;
	if (!index_put(f->index, path, &asked, &err)) return true;
	folder_index_failed(f, &err);
	return false;
}

/* The folder that a path lies in, as its row knows it. The caller's. */
char *base_parent_id(const struct folder *f, const char *path) {
	struct index_entry entry;
	struct err err;
	char *id = NULL;
	if (!f->store->ids) return NULL;
	char *parent = path_parent(path);
	if (*parent && index_get(f->index, parent, true, &entry, &err) == 1) {
		id = entry.id;
		entry.id = NULL;
		index_entry_release(&entry);
	}
	free(parent);
	return id;
}

void act_op_init(struct transfer *t, enum store_verb verb, enum store_kind kind) {
	if (t->op_ready) store_op_release(&t->op);
	store_op_init(&t->op, verb, t->key);
	t->op_ready = true;
	t->op.making = intent_making;
	t->op.kind = kind;
	t->op.mtime_ns = t->mtime_ns;
	t->op.mode = t->stat.mode & 0777;
	/* Where ids are the identity: a look by name may not see yet what a look by id does. */
	const struct index_entry *base = kind == STORE_FOLDER ? &t->folder_entry : &t->file;
	bool has = kind == STORE_FOLDER ? t->has_folder : t->has_file;
	t->op.id = has ? base->id : NULL;
	free(t->parent_id);
	t->op.parent_id = t->parent_id = base_parent_id(t->folder, t->path);
}

enum store_kind base_store_kind(const struct transfer *t) {
	return t->has_file && t->file.kind == INDEX_LINK ? STORE_LINK : STORE_FILE;
}

/* What stands at the key is kept first: the name of the version is fixed in an intent, so that a repeat makes no second. */
bool act_keep_intend(struct transfer *t) {
	const struct index_entry *base = &t->file;
	struct folder *f = t->folder;
	struct err err;
	char name[VERSION_NAME_SIZE];
	int64_t now = loop_wall_ns(f->loop);
	if (!t->has_file || !folder_keeps(f) || MUTANT(no_version_is_kept)) return true;
	int64_t born = base->born_ns;
	if (born <= 0) born = base->mtime_ns > 0 && base->mtime_ns < now ? base->mtime_ns : now;
	version_name(&(struct version_span){ .born_ns = born,
			     .ended_ns = now,
			     .deleted = t->op.verb == STORE_REMOVE && t->absent },
		name);
	struct index_version version = { .born_ns = born,
		.ended_ns = now,
		.bytes = base->size,
		.kind = (int)base_store_kind(t),
		.key = xasprintf("%s/%s/%s", VERSION_PLACE, t->key, name) };
	free(t->keep_key);
	t->keep_key = index_version_intend(f->index, t->path, &version, &t->op.keep_fresh, &err);
	free(version.key);
	if (t->keep_key) {
		t->op.keep_key = t->keep_key;
		t->op.copied_size = base->size;
		return true;
	}
	folder_index_failed(f, &err);
	return false;
}

/* A content begins when the one before it ended. */
int64_t act_keep_born(const struct folder *f, const char *keep_key) {
	struct version_span kept;
	if (keep_key && !version_name_parse(path_name(keep_key), &kept)) return kept.ended_ns;
	return loop_wall_ns(f->loop);
}

bool act_keep_settle(struct transfer *t, bool kept) {
	struct err err;
	if (!t->keep_key) return true;
	if (!index_version_settle(t->folder->index, t->path, kept, &err)) return true;
	folder_index_failed(t->folder, &err);
	return false;
}

/* ---- PUT ---- */

static void put_recorded(struct transfer *t, struct store_entry *remote, bool kept) {
	struct folder *f = t->folder;
	struct index_entry *entry = &t->file;
	if (!t->has_file) memset(entry, 0, sizeof(*entry));
	bool was_plain = (entry->flags & INDEX_PLAIN) != 0;
	entry->kind = t->stat.kind == DISK_LINK ? INDEX_LINK : INDEX_FILE;
	base_entry_local(t, entry);
	entry->born_ns = act_keep_born(f, kept ? t->keep_key : NULL);
	free(entry->version);
	free(entry->id);
	entry->version = xstrdup(remote->version);
	entry->id = xstrdup(remote->id);
	polling_touched(f, t->path);
	folder_wrote(f);
	f->sent_files++;
	f->sent_bytes += entry->size - delta_copied(t);
	if (!act_keep_settle(t, kept) || !base_put(t, false, entry)) return;
	if (was_plain != t->plain_copy) capture_mark_journals(t);
	/* It grew meanwhile: what was there is stored, and counts for a barrier; the rest has a mark of its own. */
	if (t->hot) folder_mark_path(f, t->path, PRIO_SMALL, f->settings.settle_ms);
	transfer_finish(t);
}

static void put_listed(struct transfer *t) {
	put_recorded(t, &t->theirs, false); /* nothing was there that could have been kept */
}

void act_put_answered(struct transfer *t) {
	if (t->op.existed && clash_ask(t, put_listed, NULL)) return;
	put_recorded(t, &t->op.entry, t->op.kept);
}

static void put_done(struct transfer *t, const struct err *err) {
	/* As if the row had been committed before the upload. */
	if (!err || MUTANT(commit_before_the_upload)) {
		act_put_answered(t);
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
	if (MUTANT(put_without_condition)) return;
	if (t->has_file && base_store_kind(t) == t->op.kind)
		t->op.if_version = t->file.version;
	else if (!t->has_file)
		t->op.if_absent = true;
}

static int64_t body_size(const struct transfer *t) {
	if (t->stat.kind == DISK_LINK) return (int64_t)strlen(t->target);
	return t->captured && !t->snapshot.plain ? t->snapshot.size : t->stat.size;
}

/* Nobody read the bytes that are there, or an older version hashed them its own way, and they are as many: they may be the same. */
bool act_wants_theirs(const struct transfer *t) {
	bool unread = (t->file.flags & (INDEX_STRANGER | INDEX_UNVERIFIED)) || t->file.hash_len;
	return t->has_file && unread && !t->theirs_known &&
	       !hash_known(t->folder->store, &t->file) && t->file.size == body_size(t);
}

void act_put_start(struct transfer *t) {
	bool link = t->stat.kind == DISK_LINK;
	int64_t size = body_size(t);
	pace_begin(t);
	if (!link && upload_is_large(t, size)) {
		upload_start(t);
		return;
	}
	act_op_init(t, STORE_PUT, link ? STORE_LINK : STORE_FILE);
	t->op.size = link ? size : (int64_t)t->body.len;
	t->op.body = link ? (const void *)t->target : t->body.at;
	t->op.body_len = (size_t)t->op.size;
	/* A store that compares what it wrote with a hash would hash what was hashed a moment ago in this very memory. */
	if (t->folder->store->caps & STORE_CAP_HASH_FIRST)
		t->op.hash = store_hash_from(t->folder->store, t->hash);
	act_put_conditions(t);
	if (!act_keep_intend(t) || !intent_note(t, t->hash)) return;
	transfer_submit(t, t->op.keep_key != NULL, put_done);
}

/* ---- somebody else wrote there ---- */

/* Is it what we know? Then the place of its version was the reason: an older one holds it, whose
 * keeping nobody wrote down. That one stays, and this goes to another place. */
static bool is_known(const struct transfer *t) {
	return t->has_file && t->theirs.version && str_equal(t->theirs.version, t->file.version);
}

static void keeps_changing(struct transfer *t) {
	struct err busy;
	err_set(&busy, ERR_BUSY, "'%s' keeps changing at the remote", t->key);
	transfer_fail(t, &busy);
}

/* A folder, whatever was told of its name before, or answered when it was asked for. */
static void folder_stands_there(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	bool gone = t->has_news_folder && (t->news_folder.flags & INDEX_GONE);
	if (++t->change_tries > TRIES_MAX) {
		keeps_changing(t);
		return;
	}
	if (contact_stranger_put(f, t->path, &t->theirs, &err) ||
		(gone && index_news_drop(f->index, t->path, true, &err))) {
		folder_index_failed(f, &err);
		return;
	}
	t->folder_gone = false;
	if (base_drop(t, false)) transfer_plan(t);
}

/* What stands there is known, and the remote is ours: it goes into the base, and the path is planned anew. */
static void theirs_take(struct transfer *t) {
	struct folder *f = t->folder;
	const struct store_entry *theirs = &t->theirs;
	bool ours = t->theirs_ours, same = is_known(t);
	bool known = t->has_file && !(t->file.flags & INDEX_STRANGER);
	if (folder_brings(f) && t->has_news_file && same) { /* what was told of it is over */
		if (both_news_drop(t)) transfer_plan(t);
		return;
	}
	if (folder_brings(f) && (t->has_news_file || (known && !ours && !same))) {
		t->theirs_known = true;
		if (both_learned(t, theirs->kind == STORE_FOLDER ? NULL : theirs)) transfer_plan(t);
		return;
	}
	if (folder_brings(f) && theirs->kind == STORE_FOLDER) { /* no longer what a list told */
		folder_stands_there(t);
		return;
	}
	if (!ours && !same && !t->theirs_logged && t->change_tries && !folder_brings(f))
		log_warn("folder '%s': '%s' was changed at the remote by somebody else: %s",
			f->name, t->path,
			t->absent || t->stat.kind == DISK_FOLDER ? "it is left there"
			: f->settings.mode == FOLDER_BACKUP
				? "theirs is kept as a version, ours goes in"
				: "ours goes in");
	t->theirs_logged |= !ours && !same && t->change_tries;
	if (++t->change_tries > TRIES_MAX) {
		keeps_changing(t);
		return;
	}
	/* What was agreed unread stays agreed; anything else is nobody's. */
	bool agreed = same && !(t->file.flags & INDEX_STRANGER);
	struct index_entry entry = { .kind = theirs->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE,
		.flags = agreed ? 0 : INDEX_STRANGER,
		.epoch = agreed ? t->file.epoch : 0,
		.born_ns = agreed ? t->file.born_ns : t->theirs_born_ns,
		.size = theirs->size,
		.mtime_ns = theirs->mtime_ns,
		.mode = theirs->mode,
		.version = xstrdup(theirs->version),
		.id = xstrdup(theirs->id) };
	hash_put_told(f->store, &entry, &theirs->hash);
	t->theirs_known = true;
	t->file_gone = false;
	bool ok = base_put(t, false, &entry);
	index_entry_release(&entry);
	if (ok) transfer_plan(t);
}

/* Is it our own work, whose answer was lost, or the same bytes by another way? */
static void theirs_judge(struct transfer *t, bool equal) {
	t->theirs_ours = equal;
	if (equal) t->theirs.hash = store_hash_from(t->folder->store, t->hash);
	/* Somebody else's is kept under a name of its own: what is kept under this one may be ours. */
	t->theirs_born_ns = equal && t->keep_key ? act_keep_born(t->folder, t->keep_key) : 0;
	if (!act_keep_settle(t, equal || is_known(t))) return;
	free(t->keep_key);
	t->keep_key = NULL;
	/* A 412: whoever wrote there may have taken over what was ours. */
	if (!equal && !is_known(t) && t->change_tries && !folder_brings(t->folder))
		owner_look(t, theirs_take);
	else
		theirs_take(t);
}

/* Nobody wrote a hash beside it, but our time, and at first contact that is enough (SYNC.md §7). */
static bool same_by_time(const struct transfer *t, const struct store_entry *theirs) {
	return !t->change_tries && !t->absent &&
	       !store_hash_tells(t->folder->store, &theirs->hash) && theirs->kind == STORE_FILE &&
	       !t->is_database && theirs->size == t->stat.size &&
	       store_time_same(t->folder->store, theirs->mtime_ns, t->mtime_ns);
}

static void theirs_came(struct transfer *t) {
	const struct store_entry *theirs = &t->theirs;
	t->theirs_by_time = same_by_time(t, theirs);
	if (!t->theirs_by_time && parts_match_start(t, theirs, theirs_judge)) return;
	theirs_judge(t, store_hash_tells(t->folder->store, &theirs->hash) && !t->absent &&
				t->have_hash &&
				!memcmp(theirs->hash.bytes, t->hash, digest_len(t->digest)));
}

static void theirs_seen(struct transfer *t, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	if (err) {
		bool known = t->has_news_file || (t->has_file && !(t->file.flags & INDEX_STRANGER));
		bool good = folder_brings(t->folder) && known ? both_learned(t, NULL)
							      : base_drop(t, false);
		if (good) transfer_plan(t);
		return;
	}
	if (clash_ask(t, theirs_came, NULL)) return;
	store_entry_release(&t->theirs);
	t->theirs = store_op_take_entry(&t->op);
	theirs_came(t);
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
	f->parents_lost++;
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
	/* No trouble yet, and no reason for a barrier to give up: the next try makes it. */
	transfer_again(t, INDEX_WHY_RETRY,
		t->row.tries < 3 ? NULL : "the folder it lies in is gone at the remote", 200);
}
