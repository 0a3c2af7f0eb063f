/*
 * What the remote has comes here: span by span into a file beside its place, which it gets when what stands there is still what was
 * planned for. What it replaces goes to the trash, or keeps another name where it was changed as well. A crash leaves the file beside,
 * which the next start goes on with, or removes; the base moves last, so that whatever was not placed comes again.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"

enum { TARGET_MAX_BYTES = 4096 };

/* ---- its place ---- */

static void place_go(struct transfer *t) {
	t->state = TRANSFER_READING;
	t->job.work = bring_place_work;
	t->job.done = bring_placed;
	t->job_running = t->opens = true;
	job_start(t->folder->loop, &t->job);
}

static void place_start(struct transfer *t) {
	struct folder *f = t->folder;
	struct bring *b = t->bring;
	int64_t now = loop_wall_ns(f->loop);
	if (capture_holds(t)) { /* nobody opens it now: it comes again */
		bring_release(t);
		transfer_again(t, INDEX_WHY_CHANGE, NULL, f->settings.settle_ms);
		return;
	}
	trash_place(f, b);
	if (t->conflict) b->aside = conflict_name(t->path, loop_host(f->loop), now);
	b->theirs = conflict_name(t->path, CONFLICT_THEIRS, now);
	b->snapshots = f->settings.sqlite == FOLDER_SQLITE_SNAPSHOT;
	place_go(t);
}

bool bring_rmdir_again(struct transfer *t) {
	struct bring *b = t->bring;
	if (b->again) return false;
	b->again = true;
	b->occupied = false;
	strv_free(b->names);
	b->names = NULL;
	place_go(t);
	return true;
}

/* ---- its bytes ---- */

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

/* What was taken over from an earlier run counts only where the whole is what the remote tells of. */
static bool is_other_than_told(const struct transfer *t) {
	const struct bring *b = t->bring;
	const struct index_entry *there = both_there(t);
	return b->resumes && there && str_equal(there->version, b->expected) &&
	       hash_known(t->folder->store, there) && !hash_same(t->folder->store, there, b->hash);
}

static void got_all(struct transfer *t) {
	struct folder *f = t->folder;
	struct bring *b = t->bring;
	struct index_entry entry;
	struct err err;
	digest_end(&b->digest, b->hash);
	b->digesting = false;
	b->got = true;
	if (is_other_than_told(t)) {
		log_warn("folder '%s': what had come of '%s' before is not what the remote tells "
			 "of: it comes once more",
			f->name, t->path);
		b->spoilt = true;
		bring_release(t);
		transfer_again(t, INDEX_WHY_RETRY, NULL, 0);
		return;
	}
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
	bool stranger = !t->has_news_file;
	if (stranger) entry.flags = INDEX_STRANGER;
	t->base_fresh = false;
	int failed = stranger ? index_put(f->index, t->path, &entry, &err)
			      : index_news_put(f->index, t->path, &entry, &err);
	index_entry_release(&entry);
	if (failed) {
		folder_index_failed(f, &err);
		return;
	}
	b->spoilt = true; /* needed no more */
	bring_release(t);
	transfer_plan(t);
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
		bring_release(t);
		bring_fail(t, &why);
		return;
	}
	b->offset += (int64_t)t->op.answer_body.len;
	if (b->offset >= b->size)
		got_all(t);
	else
		bring_ranges_start(t);
}

/* It is not there as it was told: what is there now is asked for, and planned anew. */
static void is_another(struct transfer *t) {
	log_debug("folder '%s': '%s' is not there as it was told", t->folder->name, t->path);
	t->bring->spoilt = true;
	bring_release(t);
	act_changed(t);
}

void bring_ranges_ended(struct transfer *t, const struct err *err) {
	struct err why;
	if (!err) {
		got_all(t);
		return;
	}
	if (err->kind == ERR_CHANGED || err->kind == ERR_NOT_FOUND) {
		log_debug("folder '%s': '%s': %s", t->folder->name, t->path, err->text);
		is_another(t);
		return;
	}
	why = *err;
	t->bring->spoilt = why.kind == ERR_FULL; /* here perhaps: its room is wanted */
	bring_release(t);
	bring_fail(t, &why);
}

static void span_came(struct transfer *t, const struct err *err) {
	struct bring *b = t->bring;
	const struct store_entry *entry = &t->op.entry;
	if (err && (err->kind == ERR_CHANGED || err->kind == ERR_NOT_FOUND)) {
		log_debug("folder '%s': '%s': %s", t->folder->name, t->path, err->text);
		is_another(t);
		return;
	}
	if (err) {
		struct err why = *err;
		bring_release(t);
		bring_fail(t, &why);
		return;
	}
	b->size = b->what == BRING_LINK ? (int64_t)t->op.answer_body.len : entry->size;
	free(b->expected);
	b->expected = xstrdup(entry->version);
	if (entry->version) {
		free(b->version);
		b->version = xstrdup(entry->version);
	}
	if (entry->mtime_ns != STORE_MTIME_UNKNOWN) b->mtime_ns = entry->mtime_ns;
	if (entry->mode != STORE_MODE_UNKNOWN) b->mode = entry->mode;
	if (!t->op.answer_body.len && b->size) {
		is_another(t);
		return;
	}
	t->state = TRANSFER_READING;
	t->job.work = bring_write_work;
	t->job.done = span_written;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

/* The first span tells how long it is and of which version; most files end with it. */
void bring_get_first(struct transfer *t) {
	struct bring *b = t->bring;
	act_op_init(t, STORE_GET, b->what == BRING_LINK ? STORE_LINK : STORE_FILE);
	t->op.id = b->id;
	t->op.length = t->folder->sync->span_bytes;
	t->op.if_version = b->expected;
	/* Before ours gets another name the news must outlive a power cut. */
	transfer_submit(t, t->conflict, span_came);
}

void bring_memory_granted(struct transfer *t) {
	if (t->bring->resumes)
		bring_resume_start(t);
	else
		bring_get_first(t);
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
	b->sync_ms = loop_now_ms(t->folder->loop);
	if (what == BRING_FILE && !bring_resume_find(t)) return;
	int64_t most = t->folder->sync->span_bytes, span = b->size < most ? b->size : most;
	if (t->reserved > 0 || transfer_memory_reserve(t, span)) bring_memory_granted(t);
}
