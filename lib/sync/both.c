/*
 * One path in the modes that bring things here: what both sides have against what was agreed becomes the question of plan_both(), and its
 * answer is handed on: to bring.c what is to be done here, to the one-way plan what goes to the remote, as long as that has what the base
 * says. What is gone there is asked for by its name first.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/both_same.h"
#include "sync/bring.h"
#include "sync/mutant.h"

enum { TRIES_MAX = 5 };

static void index_failed(struct transfer *t, const struct err *err) {
	folder_index_failed(t->folder, err);
}

static bool is_stranger(bool has, const struct index_entry *entry) {
	return has && (entry->flags & INDEX_STRANGER);
}

bool both_differs(const struct transfer *t) {
	return folder_brings(t->folder) &&
	       (t->has_news_file || t->has_news_folder || is_stranger(t->has_file, &t->file));
}

/* ---- the question ---- */

/* What stands there under one of the two names; NULL: nothing. */
static const struct index_entry *there_as(const struct transfer *t, bool folder) {
	bool news = folder ? t->has_news_folder : t->has_news_file;
	const struct index_entry *told = folder ? &t->news_folder : &t->news_file;
	bool has = folder ? t->has_folder : t->has_file;
	if (folder ? t->folder_gone : t->file_gone)
		return NULL; /* as it was asked for by its name */
	if (news) return told->flags & INDEX_GONE ? NULL : told;
	return has ? folder ? &t->folder_entry : &t->file : NULL;
}

/* A folder before a file of its name: much may lie in it. */
const struct index_entry *both_there(const struct transfer *t) {
	const struct index_entry *folder = there_as(t, true);
	return folder ? folder : there_as(t, false);
}

static const struct index_entry *agreed(const struct transfer *t) {
	if (t->has_file && !(t->file.flags & INDEX_STRANGER)) return &t->file;
	if (t->has_folder && !(t->folder_entry.flags & INDEX_STRANGER)) return &t->folder_entry;
	return NULL;
}

static enum both_same from_plan(enum plan_same same) {
	switch (same) {
	case SAME_ALL:
	case SAME_BYTES: return BOTH_SAME;
	case SAME_CONTENT: return BOTH_ATTRIBUTES;
	case SAME_NOT: break;
	}
	return BOTH_CHANGED;
}

static enum both_same here_same(const struct transfer *t, const struct index_entry *base) {
	if (base->kind != INDEX_FOLDER) return from_plan(transfer_compare(t));
	return base->mode < 0 || (base->mode & 0777) == (t->stat.mode & 0777) ? BOTH_SAME
									      : BOTH_ATTRIBUTES;
}

/* Here against there, two files or two links. */
static enum both_same equal(const struct transfer *t, const struct index_entry *there) {
	const struct folder *f = t->folder;
	if (there == &t->file) return from_plan(transfer_compare(t)); /* of a stranger */
	bool same =
		t->have_hash && hash_known(f->store, there) && hash_same(f->store, there, t->hash);
	if (!same && !MUTANT(what_differs_is_equal)) return BOTH_CHANGED;
	bool times = there->mtime_ns == STORE_MTIME_UNKNOWN ||
		     store_time_same(f->store, there->mtime_ns, t->mtime_ns);
	bool modes = there->mode < 0 || (there->mode & 0777) == (t->stat.mode & 0777);
	return there->kind == INDEX_LINK || (times && modes) ? BOTH_SAME : BOTH_ATTRIBUTES;
}

static enum both_kind here_kind(enum plan_local local) {
	switch (local) {
	case LOCAL_FILE: return BOTH_FILE;
	case LOCAL_LINK: return BOTH_LINK;
	case LOCAL_FOLDER: return BOTH_FOLDER;
	case LOCAL_OTHER: return BOTH_OTHER;
	case LOCAL_ABSENT:
	case LOCAL_EXCLUDED: break;
	}
	return BOTH_NONE;
}

static void question(const struct transfer *t, struct both_question *q) {
	const struct index_entry *base = agreed(t), *there = both_there(t);
	enum plan_local local = transfer_local_kind(t);
	*q = (struct both_question){ .fetch = t->folder->settings.mode == FOLDER_FETCH,
		.excluded = local == LOCAL_EXCLUDED,
		.agreed = base ? both_kind_of(base) : BOTH_NONE,
		.here = here_kind(local),
		.there = there ? both_kind_of(there) : BOTH_NONE,
		.equal = BOTH_CHANGED };
	if (base && q->here == q->agreed) q->here_same = here_same(t, base);
	if (base && q->there == q->agreed)
		q->there_same = both_there_same(t->folder->store, there, base);
	if (there && q->here == q->there && q->here != BOTH_FOLDER) q->equal = equal(t, there);
	q->here_newer = there && t->mtime_ns > there->mtime_ns;
}

/* ---- what was learned goes into the index ---- */

/* The news of both names are served. */
bool both_news_drop(struct transfer *t) {
	struct index *index = t->folder->index;
	struct err err;
	if (!t->has_news_file && !t->has_news_folder) return true;
	t->base_fresh = false;
	if (!index_news_drop(index, t->path, false, &err) &&
		!index_news_drop(index, t->path, true, &err))
		return true;
	index_failed(t, &err);
	return false;
}

/* The remote has no other bytes than were agreed: the base says what it has now, and the one-way plan goes on from there. */
static bool settle(struct transfer *t) {
	struct folder *f = t->folder;
	const struct index_entry *there = both_there(t);
	struct err err;
	if (!t->has_news_file && !t->has_news_folder) return true;
	bool file_gone = t->has_news_file && (t->news_file.flags & INDEX_GONE);
	bool folder_gone = t->has_news_folder && (t->news_folder.flags & INDEX_GONE);
	if (file_gone && t->has_file && !base_drop(t, false)) return false;
	if (folder_gone && t->has_folder && !base_drop(t, true)) return false;
	const struct index_entry *base = agreed(t);
	if (there && base && there != base && there->kind == base->kind) {
		struct index_entry entry = *base;
		entry.version = there->version;
		if (there->id) entry.id = there->id;
		/* The time of a link is nobody's edit, and not taken over. */
		bool time = there->kind != INDEX_LINK && there->mtime_ns != STORE_MTIME_UNKNOWN;
		if (time) entry.mtime_ns = there->mtime_ns;
		if (there->mode >= 0) entry.mode = (entry.mode & ~0777) | (there->mode & 0777);
		/* By its bytes alone: the local side is not the one that this row tells of. */
		if (entry.mtime_ns != base->mtime_ns || entry.mode != base->mode)
			entry.flags |= entry.kind == INDEX_FILE ? INDEX_RACY : 0;
		if (index_put(f->index, t->path, &entry, &err)) {
			index_failed(t, &err);
			return false;
		}
	}
	t->base_fresh = false;
	return both_news_drop(t);
}

/* Gone on both sides, and rows below it that nobody comes to: no poll tells of what had stayed here for what is not synced in it, and was
 * removed then, and in fetch nothing here is anybody's business. */
static void empty_first(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	int dirty = index_dirty_below(f->index, t->path, &err);
	bool doubt = dirty == 0 && !mount_away_below(f, t->path);
	if (dirty < 0 || (doubt && bring_doubt_children(f, t->path, true, &err)))
		index_failed(t, &err);
	else
		act_empty_folder(t);
}

/* Both have the same, which was agreed neither so nor at all. */
void both_agree(struct transfer *t) {
	const struct index_entry *there = both_there(t), *base = agreed(t);
	bool folder = there && there->kind == INDEX_FOLDER;
	struct err err;
	bool below = !there && t->has_folder &&
		     index_has_children(t->folder->index, t->path, false, &err) == 1;
	if (below) { /* of no folder, what is known of it would be looked at by nobody */
		empty_first(t);
		return;
	}
	if (!there) { /* gone on both sides */
		/* By our own hand, when an answer was lost that said so. */
		brake_gone(t, !t->has_file);
		if (t->has_file && !base_drop(t, false)) return;
		if (t->has_folder && !base_drop(t, true)) return;
		act_emptied(t, t->path);
		act_parent_hurry(t);
	} else {
		struct index_entry entry = { .kind = there->kind,
			.flags = there->flags & INDEX_MARKER,
			.born_ns = loop_wall_ns(t->folder->loop),
			.version = xstrdup(there->version),
			.id = xstrdup(there->id) };
		if (base && base->kind != there->kind && !base_drop(t, base->kind == INDEX_FOLDER))
			return;
		base_entry_local(t, &entry);
		if (folder) entry.flags |= there->flags & INDEX_MARKER;
		entry.epoch = 0; /* no work of ours is to be sealed there */
		bool ok = base_put(t, folder, &entry);
		index_entry_release(&entry);
		if (!ok) return;
	}
	if (both_news_drop(t)) transfer_finish(t);
}

/* ---- asking for it by its name ---- */

static bool ask(struct transfer *t, bool folder);

static void asked(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	bool folder = t->op.kind == STORE_FOLDER;
	const struct index_entry *base = folder ? &t->folder_entry : &t->file;
	struct index_entry entry;
	struct err failed;
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	*(folder ? &t->folder_gone : &t->file_gone) = err != NULL;
	*(folder ? &t->folder_asked : &t->file_asked) = true;
	if (!err && (t->op.entry.kind == STORE_FOLDER) == folder) {
		polling_entry(f, &entry, &t->op.entry);
		bool same = both_there_same(f->store, &entry, base) == BOTH_SAME;
		int failed_put = same ? index_news_drop(f->index, t->path, folder, &failed)
				      : index_news_put(f->index, t->path, &entry, &failed);
		index_entry_release(&entry);
		t->base_fresh = false;
		if (failed_put) {
			index_failed(t, &failed);
			return;
		}
	} else if (!err) {
		/* Something of the other kind has its name now: the next list tells of it. */
		*(folder ? &t->folder_gone : &t->file_gone) = true;
		polling_request_whole(f);
	}
	transfer_plan(t);
}

/* True: on its way. */
static bool ask(struct transfer *t, bool folder) {
	act_op_init(t, STORE_STAT, folder ? STORE_FOLDER : base_store_kind(t));
	t->op.want_hash = true;
	/* By an id it would be found wherever it went, or a folder above it did. */
	t->op.id = t->op.parent_id = NULL;
	transfer_submit(t, false, asked);
	return true;
}

static bool ask_gone(struct transfer *t) {
	/* Both at once: a list that was cut is harmless as long as what it lacks is asked for. */
	if (MUTANT(lists_are_believed) || MUTANT(failed_list_is_whole)) return false;
	if (t->has_news_file && (t->news_file.flags & INDEX_GONE) && !t->file_gone)
		return ask(t, false);
	if (t->has_news_folder && (t->news_folder.flags & INDEX_GONE) && !t->folder_gone)
		return ask(t, true);
	return false;
}

static bool both_stand(const struct transfer *t) {
	return there_as(t, true) && there_as(t, false);
}

/* ---- theirs gets another name there ---- */

static void set_aside(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	/* Asked for by its name: no list would be believed of what is tried to be moved all the time. */
	if (err && err->kind == ERR_CHANGED) {
		act_changed(t);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	if (!err)
		log_warn("folder '%s': '%s' is a folder here and was a file at the remote: that "
			 "one is '%s' now",
			f->name, t->path, t->aside_key);
	folder_wrote(f);
	polling_request_whole(f);
	t->file_gone = true;
	if (!err && t->has_file && (t->file.flags & INDEX_STRANGER) && !base_drop(t, false)) return;
	t->base_fresh = false;
	transfer_plan(t);
}

void both_aside_there(struct transfer *t) {
	const struct index_entry *there = there_as(t, false);
	char *name =
		conflict_name(t->path, loop_host(t->folder->loop), loop_wall_ns(t->folder->loop));
	free(t->aside_key);
	t->aside_key = folder_key(t->folder, name);
	free(name);
	act_op_init(t, STORE_MOVE, there->kind == INDEX_LINK ? STORE_LINK : STORE_FILE);
	t->op.to_key = t->aside_key;
	t->op.to_parent_id = t->parent_id;
	t->op.id = there->id;
	t->op.if_version = there->version;
	t->op.if_absent = true;
	t->op.copied_size = there->size;
	transfer_submit(t, true, set_aside);
}

/* ---- what is to be done ---- */

static void refuse(struct transfer *t, const char *why) {
	if (!t->row.tries) log_warn("folder '%s': '%s': %s", t->folder->name, t->path, why);
	transfer_again(t, INDEX_WHY_REFUSED, why, transfer_retry_ms(t->row.tries));
}

/* Gone there: it goes here too, within what the brake lets go. */
static void remove_here(struct transfer *t) {
	bool folder = t->stat.kind == DISK_FOLDER;
	t->action = folder ? PLAN_REMOVE_FOLDER : PLAN_REMOVE;
	if (!MUTANT(removed_here_unbraked) && brake_holds(t)) return;
	bring_start(t, folder ? BRING_RMDIR : BRING_REMOVE);
}

/* A file or link comes where a folder stands: what lies in that is gone there too, and goes first. */
static bool clears_folder(const struct transfer *t) {
	const struct index_entry *there = both_there(t);
	return !t->absent && t->stat.kind == DISK_FOLDER && there && there->kind != INDEX_FOLDER;
}

static void bring(struct transfer *t, bool conflict) {
	const struct index_entry *there = both_there(t);
	if (clears_folder(t)) {
		remove_here(t);
		return;
	}
	t->conflict = conflict && !MUTANT(no_conflict_copy);
	bring_start(t, there->kind == INDEX_FOLDER ? BRING_FOLDER
		       : there->kind == INDEX_LINK ? BRING_LINK
						   : BRING_FILE);
}

static void set_here(struct transfer *t) {
	const struct index_entry *there = both_there(t);
	bool mode = there->mode >= 0 && (there->mode & 0777) != (t->stat.mode & 0777);
	bool time = there->kind != INDEX_FOLDER && there->mtime_ns != STORE_MTIME_UNKNOWN &&
		    !store_time_same(t->folder->store, there->mtime_ns, t->mtime_ns);
	if (mode || time)
		bring_start(t, BRING_SET);
	else
		both_agree(t);
}

/* Nothing that concerns the remote: true, and it is settled. */
static bool fetch_ends(struct transfer *t) {
	if (t->folder->settings.mode != FOLDER_FETCH) return false;
	/* Read again, and as agreed: the row says so. */
	if (agreed(t) == &t->file && !t->absent && transfer_compare(t) == SAME_BYTES) return false;
	if (brake_came_back(t)) transfer_finish(t);
	return true;
}

static bool act(struct transfer *t, enum both_action action) {
	/* Else the one-way plan says whether a deletion that was held is one still. */
	bool brings = action != BOTH_NOTHING && action != BOTH_FORGET && action != BOTH_SEND &&
		      action != BOTH_REMOVE_HERE;
	if (brings && !(action == BOTH_BRING && clears_folder(t)) && !brake_came_back(t))
		return true;
	switch (action) {
	case BOTH_NOTHING:
		if (t->has_news_file || t->has_news_folder) {
			if (settle(t)) transfer_plan(t);
			return true;
		}
		return fetch_ends(t);
	case BOTH_FORGET: return !both_news_drop(t);
	case BOTH_AGREE:
		if (is_stranger(t->has_file, &t->file) && !t->has_news_folder) return false;
		both_agree(t);
		return true;
	case BOTH_SEND:
		if (!t->has_news_file && !t->has_news_folder) return false;
		if (settle(t)) transfer_plan(t);
		return true;
	case BOTH_BRING: bring(t, false); return true;
	case BOTH_BRING_ATTRIBUTES: set_here(t); return true;
	case BOTH_REMOVE_HERE: remove_here(t); return true;
	case BOTH_ASIDE_HERE: bring(t, true); return true;
	case BOTH_ASIDE_THERE: both_aside_there(t); return true;
	case BOTH_REFUSE: break;
	}
	refuse(t, "stands at the remote as another kind of thing than here: move one of them away");
	return true;
}

/* Before anything is read: in fetch what is here is nobody's business as long as the remote has what was agreed. */
bool both_rests(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	if (!folder_brings(f)) return false;
	if (t->absent && index_conflict_drop(f->index, t->path, &err)) {
		index_failed(t, &err);
		return true;
	}
	if (f->settings.mode != FOLDER_FETCH || MUTANT(fetch_sends) || both_differs(t) ||
		is_stranger(t->has_folder, &t->folder_entry))
		return false;
	bool known = t->has_file || t->has_folder;
	if (known && transfer_local_kind(t) == LOCAL_EXCLUDED) return false; /* forgotten */
	if (brake_came_back(t)) transfer_finish(t);
	return true;
}

/* What is known of both sides is acted upon. False: it is for the one-way plan. */
bool both_plan(struct transfer *t) {
	struct both_question q;
	if (!folder_brings(t->folder)) return false;
	question(t, &q);
	if (!q.excluded && ask_gone(t)) return true;
	/* Both a file and a folder, as far as is known: where a name may be both, or where a list told of one before it misses the other. */
	if (!q.excluded && both_stand(t)) {
		if (!t->file_asked) return ask(t, false);
		/* The file may have taken the place of a folder of which only the base speaks: what was gone here comes again as that. */
		if (t->has_folder && !t->has_news_folder && !t->folder_asked) return ask(t, true);
		if (!q.fetch) {
			both_aside_there(t);
			return true;
		}
	}
	/* Nobody read the bytes there, and they are as many: they may be the same. */
	bool unsure = !q.excluded && q.agreed == BOTH_NONE && q.here == q.there &&
		      q.equal == BOTH_CHANGED && t->stat.kind == DISK_FILE;
	if (unsure && act_wants_theirs(t)) {
		act_look_at_theirs(t);
		return true;
	}
	/* What the rules leave out here stands in the place of what they do not leave out there. */
	const struct index_entry *file = there_as(t, false);
	if (q.excluded && !t->absent && t->stat.kind == DISK_FOLDER && file &&
		!transfer_excluded(t->folder, t->path, false)) {
		refuse(t, "a folder that is not synced stands in its place");
		return true;
	}
	enum both_action action = plan_both(&q);
	log_debug("folder '%s': '%s': agreed %d here %d there %d, %d %d %d: %d", t->folder->name,
		t->path, q.agreed, q.here, q.there, q.here_same, q.there_same, q.equal, action);
	bool known = q.agreed != BOTH_NONE || q.there != BOTH_NONE;
	if (action == BOTH_NOTHING && !known && q.fetch) {
		transfer_finish(t);
		return true;
	}
	if (action == BOTH_REFUSE && q.there != BOTH_OTHER && q.here == BOTH_OTHER &&
		q.there == BOTH_NONE)
		return false; /* a socket, say: counted as not kept */
	return act(t, action);
}

/* The remote refused since what stands there is not what was agreed. `theirs` NULL: nothing does. False: the index failed. */
bool both_learned(struct transfer *t, const struct store_entry *theirs) {
	struct folder *f = t->folder;
	struct index_entry entry = { .kind = t->file.kind, .flags = INDEX_GONE };
	struct err err;
	if (++t->change_tries > TRIES_MAX) {
		struct err busy;
		err_set(&busy, ERR_BUSY, "'%s' keeps changing at the remote", t->key);
		transfer_fail(t, &busy);
		return false;
	}
	t->file_gone = !theirs;
	if (theirs) polling_entry(f, &entry, theirs);
	int failed = index_news_put(f->index, t->path, &entry, &err);
	if (theirs) index_entry_release(&entry);
	t->base_fresh = false;
	if (failed) index_failed(t, &err);
	return !failed;
}

int both_load(struct transfer *t, struct err *err) {
	struct index *index = t->folder->index;
	if (!folder_brings(t->folder)) return 0;
	both_release(t);
	int file = index_news_get(index, t->path, false, &t->news_file, err);
	if (file < 0) return -1;
	int folder = index_news_get(index, t->path, true, &t->news_folder, err);
	if (folder < 0) return -1;
	t->has_news_file = file == 1;
	t->has_news_folder = folder == 1;
	return 0;
}

void both_release(struct transfer *t) {
	index_entry_release(&t->news_file);
	index_entry_release(&t->news_folder);
	t->has_news_file = t->has_news_folder = false;
}
