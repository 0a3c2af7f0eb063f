/* One file, link or folder gets its place: looked at, written beside, then renamed. Never over what is there, unless told. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/restore.h"

enum { TRIES_MAX = 3, TARGET_MAX_BYTES = 4096, QUICK_MAX_BYTES = 256 << 10 };

/* ---- the end of one ---- */

static void slot_end(struct restore_slot *slot) {
	struct restore *r = slot->restore;
	restore_place_release(&slot->place);
	free(slot->version);
	strv_free(slot->mounts);
	for (size_t i = 0; i < slot->above_count; i++) free(slot->above[i].path);
	free(slot->above);
	buf_release(&slot->content.target);
	buf_release(&slot->content.tail);
	free(slot->content.version);
	index_entry_release(&slot->row);
	r->spans_bytes -= slot->span_bytes;
	if (slot->item.kind == PAST_FOLDER) r->making_folder = false;
	slot->state = SLOT_FREE;
	r->busy--;
	restore_step(r);
}

static void slot_job(struct restore_slot *slot, enum slot_state state,
	int (*work)(struct job *job, struct err *err),
	void (*done)(struct job *job, const struct err *err)) {
	slot->state = state;
	slot->job.work = work;
	slot->job.done = done;
	slot->job.brief = state == SLOT_LOOKING ||
			  state == SLOT_MAKING; /* the others may wait for the medium */
	job_start(slot->restore->loop, &slot->job);
}

static void cleaned(struct job *job, const struct err *err) {
	(void)err;
	slot_end(container_of(job, struct restore_slot, job));
}

/* Nothing became of it, which was told. */
void restore_slot_drop(struct restore_slot *slot) {
	const struct restore *r = slot->restore;
	slot->keeps =
		slot->noted && (r->cancelled || r->err.kind != ERR_NONE) && r->err.kind != ERR_FULL;
	if (slot->content.fd < 0 && !slot->place.beside)
		slot_end(slot);
	else
		slot_job(slot, SLOT_CLEANING, restore_clean_work, cleaned);
}

/* Of the remote or the disk as a whole: the next would meet the same. */
static bool is_of_all(const struct err *err) {
	return err->kind == ERR_OFFLINE || err->kind == ERR_BUSY || err->kind == ERR_FULL ||
	       err->kind == ERR_SYSTEM || err->kind == ERR_DENIED;
}

static void slot_fail(struct restore_slot *slot, const struct err *err) {
	struct restore *r = slot->restore;
	bool ends = r->options.at_once && is_of_all(err);
	if (ends && r->err.kind == ERR_NONE) r->err = *err;
	if (!r->cancelled && !ends) restore_tell(r, RESTORE_FAILED, slot->place.path, err->text);
	restore_slot_drop(slot);
}

/* ---- its place ---- */

static void count_placed(struct restore_slot *slot) {
	struct restore *r = slot->restore;
	bool link = slot->item.kind == PAST_LINK;
	r->counts.files += !link;
	r->counts.links += link;
	r->counts.bytes += link ? 0 : slot->content.size;
}

static void fetch_start(struct restore_slot *slot);
static void look_start(struct restore_slot *slot);

void restore_slot_placed(struct restore_slot *slot, const struct err *err) {
	struct restore *r = slot->restore;
	if (err && slot->place.appeared && slot->content.whole && !r->cancelled) {
		look_start(slot); /* something stands there after all: perhaps the same */
	} else if (err && slot->place.appeared) {
		restore_tell(r, RESTORE_LEFT, slot->place.path, err->text);
		restore_slot_drop(slot);
	} else if (slot->other_bytes && ++slot->tries < TRIES_MAX && !r->cancelled) {
		fetch_start(slot);
	} else if (err) {
		slot_fail(slot, err);
	} else if (slot->is_database) {
		r->databases =
			xrealloc(r->databases, (r->database_count + 1) * sizeof(*r->databases));
		r->databases[r->database_count++] = slot->place;
		slot->place = (struct restore_place){ 0 };
		r->counts.bytes += slot->content.size;
		slot_end(slot);
	} else {
		count_placed(slot);
		if (r->home) restore_home_placed(r, slot);
		slot_end(slot);
	}
}

static void placed(struct job *job, const struct err *err) {
	restore_slot_placed(container_of(job, struct restore_slot, job), err);
}

/* ---- may it, and what for? ---- */

static enum restore_verdict judge(const struct restore_slot *slot, const char **why) {
	const struct restore *r = slot->restore;
	struct restore_rule_question q = { .kind = slot->item.kind,
		.size = slot->item.size,
		.mtime_ns = slot->item.mtime_ns,
		.current = !slot->version,
		.there = slot->there,
		.here_kind = slot->place.here.kind,
		.here_size = slot->place.here.size,
		.here_mtime_ns = slot->place.here.mtime_ns,
		.overwrite = r->options.overwrite,
		.seen = slot->sees };
	if (r->home && slot->there) restore_home_knows(slot->restore, slot, &q);
	return restore_rule(&q, why);
}

/* ---- its content ---- */

static void fetch_start(struct restore_slot *slot) {
	struct restore_source *source = &slot->restore->options.source;
	slot->state = SLOT_FETCHING;
	buf_clear(&slot->content.target);
	buf_release(&slot->content.tail);
	source->fetch(source->user, &slot->content);
}

static void fetch_ended(struct defer *defer) {
	struct restore_slot *slot = container_of(defer, struct restore_slot, fetched);
	struct restore *r = slot->restore;
	const char *why = NULL;
	r->options.source.release(r->options.source.user, &slot->content);
	if (r->cancelled) {
		restore_slot_drop(slot);
		return;
	}
	if (slot->err.kind == ERR_CHANGED && slot->content.whole) {
		look_start(slot);
		return;
	}
	if (slot->err.kind == ERR_CHANGED && ++slot->tries < TRIES_MAX) {
		slot->content.upto = 0;
		fetch_start(slot);
		return;
	}
	if (slot->err.kind != ERR_NONE) {
		slot_fail(slot, &slot->err);
		return;
	}
	/* A GET of WebDAV tells neither; the list did. */
	if (slot->content.mtime_ns == STORE_MTIME_UNKNOWN)
		slot->content.mtime_ns = slot->item.mtime_ns;
	if (slot->content.mode == STORE_MODE_UNKNOWN) slot->content.mode = slot->item.mode;
	if (slot->sees) {
		slot->item.size = slot->content.size;
		slot->item.mtime_ns = slot->content.mtime_ns;
		enum restore_verdict verdict = judge(slot, &why);
		if (verdict == RESTORE_LEAVE) restore_tell(r, RESTORE_LEFT, slot->place.path, why);
		r->counts.same += verdict == RESTORE_SAME;
		if (verdict == RESTORE_LEAVE || verdict == RESTORE_SAME) {
			restore_slot_drop(slot);
			return;
		}
	}
	if (r->home) restore_home_expects(r, slot);
	if (slot->content.whole)
		restore_batch_add(slot);
	else
		slot_job(slot, SLOT_PLACING, restore_place_work, placed);
}

static void fetched(struct restore_content *content, const struct err *err) {
	struct restore_slot *slot = container_of(content, struct restore_slot, content);
	err_clear(&slot->err);
	if (err) slot->err = *err;
	defer_start(slot->restore->loop, &slot->fetched);
}

static void noted(struct restore_content *content, int64_t upto) {
	struct restore_slot *slot = container_of(content, struct restore_slot, content);
	restore_home_noted(slot->restore, slot, upto);
}

static void made(struct job *job, const struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	if (err)
		slot_fail(slot, err);
	else if (slot->restore->cancelled)
		restore_slot_drop(slot);
	else
		fetch_start(slot);
}

/* ---- its beginning ---- */

/* For the time when all is there. */
static void mode_note(struct restore *r, const char *path, int64_t mtime_ns, int mode) {
	r->modes = xrealloc(r->modes, (r->mode_count + 1) * sizeof(*r->modes));
	r->modes[r->mode_count++] = (struct restore_mode){ .path = xstrdup(path),
		.mtime_ns = mtime_ns == STORE_MTIME_UNKNOWN ? DISK_TIME_KEEP : mtime_ns,
		.mode = mode };
}

static void above_made(struct restore_slot *slot) {
	for (size_t i = 0; i < slot->above_count; i++) {
		const struct restore_mode *above = &slot->above[i];
		if (above->made && (above->mode & 0700) != 0700)
			mode_note(slot->restore, above->path, STORE_MTIME_UNKNOWN, above->mode);
	}
}

static void folder_made(struct restore_slot *slot) {
	struct restore *r = slot->restore;
	/* In a pull it is ours: one that a kill left has neither its time yet, nor its mode for sure, which the umask narrows. */
	bool ours = !slot->there || (r->home && restore_home_pulls(r));
	r->counts.folders++;
	if (ours) mode_note(r, slot->place.path, slot->item.mtime_ns, slot->item.mode);
}

/* Outermost first. */
static void above_know(struct restore_slot *slot) {
	const char *path = slot->place.path;
	for (const char *at = path; (at = strchr(at, '/')); at++) {
		char *folder = xstrndup(path, (size_t)(at - path));
		struct restore_mode above = { .path = folder,
			.mode = restore_home_mode(slot->restore, folder) };
		slot->above = xrealloc(slot->above, (slot->above_count + 1) * sizeof(*slot->above));
		slot->above[slot->above_count++] = above;
	}
	if (slot->item.kind != PAST_FOLDER) return;
	/* A directory may have another one than was agreed: it is to be written to. */
	int mode = restore_home_mode(slot->restore, path);
	if (mode != STORE_MODE_UNKNOWN) slot->item.mode = mode;
}

static void looked(struct job *job, const struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	struct restore *r = slot->restore;
	const char *why;
	above_made(slot);
	if (err) {
		slot_fail(slot, err);
		return;
	}
	if (slot->item.kind == PAST_FOLDER) {
		folder_made(slot);
		slot_end(slot);
		return;
	}
	if (r->cancelled) {
		restore_slot_drop(slot);
		return;
	}
	switch (judge(slot, &why)) {
	case RESTORE_SAME:
		r->counts.same++;
		slot_end(slot);
		return;
	case RESTORE_LEAVE:
		restore_tell(r, RESTORE_LEFT, slot->place.path, why);
		slot_end(slot);
		return;
	case RESTORE_SEE: slot->sees = true; break;
	case RESTORE_WRITE: break;
	}
	slot->place.replaces = slot->there;
	if (slot->there)
		slot_job(slot, SLOT_MAKING, restore_make_work, made);
	else
		fetch_start(slot);
}

static void look_start(struct restore_slot *slot) {
	slot->content.whole = slot->place.appeared = false;
	slot_job(slot, SLOT_LOOKING, restore_look_work, looked);
}

/* One that is small, and comes where nothing stood: it is looked whether that is so when it gets its place, by the rename itself. */
static bool is_quick(const struct restore_slot *slot) {
	return slot->item.kind == PAST_FILE && slot->item.size <= QUICK_MAX_BYTES &&
	       restore_home_was_empty(slot->restore) && slot->has_row && !slot->mounts &&
	       !slot->place.beside;
}

void restore_item(struct restore *r, struct restore_slot *slot, const struct past_item *item) {
	*slot = (struct restore_slot){ .restore = r,
		.disk = r->options.disk,
		.item = *item,
		.mode_unknown = r->options.mode_unknown,
		.version = item->version ? xstrdup(item->version) : NULL };
	slot->place.path = xstrdup(item->path);
	slot->item.path = slot->place.path;
	slot->item.version = slot->version;
	slot->content.item = &slot->item;
	slot->content.fd = -1;
	slot->content.done = fetched;
	buf_init(&slot->content.target, TARGET_MAX_BYTES);
	buf_init(&slot->content.tail, 0);
	int64_t most = RESTORE_RANGES * (int64_t)PAST_SPAN_BYTES;
	if (item->kind != PAST_FOLDER) slot->span_bytes = item->size < most ? item->size : most;
	r->spans_bytes += slot->span_bytes;
	defer_init(&slot->fetched, fetch_ended);
	if (r->home) {
		slot->mounts = restore_home_mounts(r, item->path);
		above_know(slot);
		slot->content.noted = noted;
		restore_home_row(r, slot);
		restore_home_resumes(r, slot);
	}
	r->making_folder = item->kind == PAST_FOLDER;
	r->busy++;
	slot->content.whole = r->home && is_quick(slot);
	if (slot->content.whole)
		fetch_start(slot);
	else
		look_start(slot);
}

void restore_slots_cancel(struct restore *r) {
	for (size_t i = 0; i < r->options.slots; i++) {
		struct restore_slot *slot = &r->slots[i];
		if (slot->state == SLOT_FETCHING)
			r->options.source.cancel(r->options.source.user, &slot->content);
	}
}
