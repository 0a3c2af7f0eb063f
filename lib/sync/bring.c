/*
 * What the remote has comes here: span by span into a file beside its place, which it gets when what stands there is still what was
 * planned for. What it replaces goes to the trash, or keeps another name where it was changed as well. A crash leaves the file beside,
 * which the next start removes; the base moves last, so that whatever was not placed comes again.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/bring.h"

enum { SPAN_BYTES = 4 << 20, TARGET_MAX_BYTES = 4096 };

/* ---- its end ---- */

/* What became of nothing goes: short work, on the loop. */
void bring_release(struct transfer *t) {
	struct bring *b = t->bring;
	struct err ignored;
	if (!b) return;
	if (b->fd >= 0) close(b->fd);
	if (b->beside) disk_remove(t->disk, b->beside, &ignored);
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

static void fail(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
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
	return f->phase != PHASE_OPENING;
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
	if (!base_brought(t) || !both_news_drop(t)) return;
	if (b->aside && !conflict_note(t, b->aside)) return;
	bring_release(t);
	turn_end_want(&t->folder->turn_end);
	transfer_finish(t);
}

/* Does anything in it count, which nobody told of yet? */
static bool holds_ours(const struct transfer *t) {
	for (char **name = t->bring->names; name && *name; name++) {
		char *path = path_join(t->path, *name);
		size_t len = strlen(path);
		bool folder = path[len - 1] == '/';
		if (folder) path[len - 1] = 0;
		bool out = transfer_excluded(t->folder, path, folder);
		free(path);
		if (!out) return true;
	}
	return false;
}

/* Folders wait for what lies in them; what is no file of ours keeps one here. */
static void occupied(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	int children = index_has_children(f->index, t->path, false, &err);
	int dirty = children < 0 ? -1 : index_dirty_below(f->index, t->path, &err);
	if (dirty < 0) {
		folder_index_failed(f, &err);
		return;
	}
	bool ours = holds_ours(t);
	bring_release(t);
	if (!children && !dirty &&
		ours) { /* made here meanwhile: an edit, which brings it back there */
		if (base_drop(t, true) && both_news_drop(t))
			transfer_again(t, INDEX_WHY_CHANGE, NULL, f->settings.settle_ms);
		return;
	}
	if (children || dirty) {
		transfer_again(t, INDEX_WHY_DELETE, NULL, brake_poll_ms(f));
		return;
	}
	struct index_entry hollow = t->folder_entry;
	hollow.flags |= INDEX_HOLLOW;
	log_info("folder '%s': '%s' is gone at the remote and stays here: something that is not "
		 "synced lies in it",
		f->name, t->path);
	if (base_put(t, true, &hollow) && both_news_drop(t)) transfer_finish(t);
}

static void placed(struct job *job, const struct err *err) {
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
		fail(t, &why);
	} else {
		placed_well(t);
	}
}

/* ---- its place ---- */

static void place_start(struct transfer *t) {
	struct folder *f = t->folder;
	struct bring *b = t->bring;
	int64_t now = loop_wall_ns(f->loop);
	if (capture_holds(t)) { /* nobody opens it now: it comes again */
		bring_release(t);
		transfer_again(t, INDEX_WHY_CHANGE, NULL, f->settings.settle_ms);
		return;
	}
	trash_times(now, b->day_text, b->time_text);
	if (f->sync->state_dir) b->trash = xasprintf("%s/trash", f->sync->state_dir);
	b->name = f->name;
	if (t->conflict) b->aside = conflict_name(t->path, loop_host(f->loop), now);
	b->theirs = conflict_name(t->path, "remote", now);
	b->snapshots = f->settings.sqlite == FOLDER_SQLITE_SNAPSHOT;
	t->state = TRANSFER_READING;
	t->job.work = bring_place_work;
	t->job.done = placed;
	t->job_running = t->opens = true;
	job_start(f->loop, &t->job);
}

/* ---- its bytes ---- */

static void get_next(struct transfer *t);

/* The same bytes as here, though nothing told it before: nothing is to be placed. */
static bool is_here_already(struct transfer *t) {
	const struct bring *b = t->bring;
	bool link = b->what == BRING_LINK;
	if (t->absent || (t->stat.kind == DISK_LINK) != link || t->stat.kind == DISK_FOLDER)
		return false;
	if (t->stat.kind == DISK_OTHER) return false;
	/* As agreed here, by its row. */
	bool same = t->have_hash ? !memcmp(b->hash, t->hash, digest_len(t->digest))
		    : t->has_file && !(t->file.flags & INDEX_STRANGER) &&
				    transfer_compare(t) == SAME_ALL &&
				    hash_known(t->folder->store, &t->file)
			    ? hash_same(t->folder->store, &t->file, b->hash)
			    : false;
	return same && !t->is_database;
}

static void got_all(struct transfer *t) {
	struct folder *f = t->folder;
	struct bring *b = t->bring;
	struct index_entry entry;
	struct err err;
	digest_end(&b->digest, b->hash);
	b->digesting = false;
	b->got = true;
	if (!is_here_already(t)) {
		place_start(t);
		return;
	}
	/* Known from now on, and planned anew: nothing differs but attributes, if those do. */
	entry = (struct index_entry){ .kind = b->what == BRING_LINK ? INDEX_LINK : INDEX_FILE,
		.size = b->size,
		.mtime_ns = b->mtime_ns,
		.mode = b->mode,
		.version = xstrdup(b->version),
		.id = xstrdup(b->id) };
	hash_put(f->store, &entry, b->hash);
	bool stranger = !t->has_file || (t->file.flags & INDEX_STRANGER);
	if (stranger) entry.flags = INDEX_STRANGER;
	t->base_fresh = false;
	int failed = stranger ? index_put(f->index, t->path, &entry, &err)
			      : index_news_put(f->index, t->path, &entry, &err);
	index_entry_release(&entry);
	if (failed) {
		folder_index_failed(f, &err);
		return;
	}
	bring_release(t);
	transfer_plan(t);
}

static bool is_of_disk(const struct err *err) {
	return err->kind == ERR_FULL || err->kind == ERR_SYSTEM;
}

/* The folder it is to lie in is none here, not yet perhaps. */
static void place_is_missing(struct transfer *t, const struct err *err) {
	char *parent = path_parent(t->path);
	if (*parent) folder_mark_path(t->folder, parent, PRIO_FOLDER, 0);
	free(parent);
	transfer_again(t, INDEX_WHY_RETRY, t->row.tries < 3 ? NULL : err->text,
		transfer_retry_ms(t->row.tries) / 4);
}

static void span_written(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct bring *b = t->bring;
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (err) {
		struct err why = *err;
		bool early = b->fd < 0 && b->what == BRING_FILE;
		bring_release(t);
		if (early && !is_of_disk(&why))
			place_is_missing(t, &why);
		else
			fail(t, &why);
		return;
	}
	b->offset += (int64_t)t->op.answer_body.len;
	if (b->offset >= b->size)
		got_all(t);
	else
		get_next(t);
}

/* It is not there as it was told: what is there now is asked for, and planned anew. */
static void is_another(struct transfer *t) {
	bring_release(t);
	act_changed(t);
}

static void span_came(struct transfer *t, const struct err *err) {
	struct bring *b = t->bring;
	const struct store_entry *entry = &t->op.entry;
	if (err && (err->kind == ERR_CHANGED || err->kind == ERR_NOT_FOUND)) {
		is_another(t);
		return;
	}
	if (err) {
		struct err why = *err;
		bring_release(t);
		fail(t, &why);
		return;
	}
	if (!b->offset) {
		b->size = b->what == BRING_LINK ? (int64_t)t->op.answer_body.len : entry->size;
		free(b->expected);
		b->expected = xstrdup(entry->version);
		if (entry->version) {
			free(b->version);
			b->version = xstrdup(entry->version);
		}
		if (entry->mtime_ns != STORE_MTIME_UNKNOWN) b->mtime_ns = entry->mtime_ns;
		if (entry->mode != STORE_MODE_UNKNOWN) b->mode = entry->mode;
	}
	bool short_of = !t->op.answer_body.len && b->offset < b->size;
	if (short_of || (b->what == BRING_FILE && entry->size != b->size)) {
		is_another(t); /* it changed between two spans */
		return;
	}
	t->state = TRANSFER_READING;
	t->job.work = bring_write_work;
	t->job.done = span_written;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

static void get_next(struct transfer *t) {
	struct bring *b = t->bring;
	act_op_init(t, STORE_GET, b->what == BRING_LINK ? STORE_LINK : STORE_FILE);
	t->op.id = b->id;
	t->op.offset = b->offset;
	t->op.length = SPAN_BYTES;
	t->op.if_version = b->expected; /* two contents are never mixed */
	/* Before ours gets another name the news must outlive a power cut. */
	transfer_submit(t, t->conflict && !b->offset, span_came);
}

void bring_memory_granted(struct transfer *t) {
	get_next(t);
}

/* ---- its beginning ---- */

static void what_there(struct transfer *t, struct bring *b) {
	const struct index_entry *there = both_there(t);
	b->mtime_ns = STORE_MTIME_UNKNOWN;
	b->mode = STORE_MODE_UNKNOWN;
	if (!there) return;
	b->size = there->size;
	b->mtime_ns = there->mtime_ns;
	b->mode = there->mode < 0 ? STORE_MODE_UNKNOWN : there->mode & 0777;
	b->version = xstrdup(there->version);
	b->expected = xstrdup(there->version);
	b->id = xstrdup(there->id);
}

/* The folder it lies in is on its way here: true, and it goes on after that. One that is gone here, and waits to be removed there, waits
 * for what lies in it, and is made again. */
static bool waits_for_parent(struct transfer *t) {
	char *parent = path_parent(t->path);
	struct transfer *other = *parent ? map_get(&t->folder->by_path, parent) : NULL;
	free(parent);
	if (!other || other == t || !other->bring) return false;
	t->state = TRANSFER_PARENT;
	list_add_tail(&other->children, &t->wait_link);
	return true;
}

void bring_start(struct transfer *t, enum bring_what what) {
	bool comes = what == BRING_FILE || what == BRING_LINK || what == BRING_FOLDER;
	if (comes && waits_for_parent(t)) return;
	struct bring *b = xcalloc(1, sizeof(*b));
	bring_release(t);
	t->bring = b;
	b->what = what;
	b->fd = -1;
	buf_init(&b->target, TARGET_MAX_BYTES);
	what_there(t, b);
	if (what != BRING_FILE && what != BRING_LINK) {
		place_start(t);
		return;
	}
	digest_init(&b->digest, t->digest);
	b->digesting = true;
	int64_t span = b->size < SPAN_BYTES ? b->size : SPAN_BYTES;
	if (t->reserved > 0 || transfer_memory_reserve(t, span)) get_next(t);
}
