/*
 * A restore into the folder's own place: opened anew as its `user`, fed by what the remote tells of each path that was asked for. Whether
 * what stands there is anywhere else is what the index knows. What is written is an event like any other: sent, or seen to be as agreed.
 *
 * A kill leaves files that have no place yet. That there may be some is committed before the first (SYNC.md §2, "restoring"); the scan of
 * the next start removes them.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/past.h"
#include "sync/restore.h"

enum { SLOTS = 4, MODE_UNKNOWN = 0644 }; /* of up to 4 MiB each */

struct restore_home {
	struct list link; /* in folder->restores */
	struct restore *restore;
	struct folder *folder;
	char **paths;
	size_t at;
	int64_t at_ns;
	bool known;                  /* the index was told a moment ago what the remote has */
	bool covered;                /* what the rules leave out is left where it is */
	int64_t found, found_before; /* entries, of all paths and up to the one at hand */

	struct past_options options; /* of contents, and of `past` */
	struct past *past;
	bool gathering;
	struct err err; /* of the gathering */
	bool opens;     /* no capture begins meanwhile */
	char *above; /* the folder that was asked for last, and its mode: files come folder by folder */
	int above_mode;

	struct job open;
	char *root, *user;
	struct disk_identity identity;
	struct disk *disk;
};

/* ---- what the remote tells ---- */

static const char *path_now(const struct restore_home *home) {
	return home->paths[home->at];
}

static void gathered(struct past *past, void *user, const struct err *err) {
	struct restore_home *home = user;
	(void)past;
	home->gathering = false;
	if (err) home->err = *err;
	restore_go(home->restore);
}

static int gather(struct restore_home *home, struct err *err) {
	if (home->known) {
		home->past = past_known(&home->options, &home->folder->pull.marked, gathered, home);
		home->gathering = !past_is_ready(home->past);
		return home->gathering ? RESTORE_LATER : 0;
	}
	home->options.path = path_now(home);
	home->options.at_ns = home->at_ns;
	home->options.recursive = true;
	home->past = past_start(&home->options, gathered, home, err);
	home->gathering = home->past != NULL;
	return home->past ? RESTORE_LATER : -1;
}

/* The path at hand is through. */
static void path_ended(struct restore_home *home) {
	past_free(home->past);
	home->past = NULL;
	if (home->found == home->found_before && *path_now(home))
		restore_tell(home->restore, RESTORE_FAILED, path_now(home),
			home->at_ns == PAST_NOW ? "nothing stands there at the remote"
						: "nothing stood there");
	home->found_before = home->found;
	home->at++;
}

static int next(void *user, struct past_item *item, struct err *err) {
	struct restore_home *home = user;
	while (path_now(home)) {
		if (home->gathering) return RESTORE_LATER;
		if (!home->past) {
			int gone_on = gather(home, err);
			if (gone_on) return gone_on;
		}
		if (home->err.kind != ERR_NONE) {
			*err = home->err;
			return -1;
		}
		int got = past_next(home->past, item, err);
		if (got > 0) home->found++;
		bool skipped =
			got > 0 && item->kind == PAST_LINK && transfer_skips_links(home->folder);
		if (got > 0 && home->covered && skipped) continue;
		if (got > 0 && home->covered &&
			transfer_excluded(home->folder, item->path, item->kind == PAST_FOLDER))
			continue;
		if (got) return got;
		path_ended(home);
	}
	return home->found ? 0
			   : err_set(err, ERR_NOT_FOUND, "there is nothing to bring back: %s",
				     home->at_ns == PAST_NOW ? "nothing stands there at the remote"
							     : "nothing stood there");
}

bool restore_home_was_empty(const struct restore *r) {
	return r->home->known && !r->home->folder->scan.seen;
}

bool restore_home_take_row(struct restore *r, struct index_entry *row) {
	return past_take_row(r->home->past, row);
}

static void fetch(void *user, struct restore_content *content) {
	struct restore_home *home = user;
	restore_past_fetch(&home->options, content);
}

static void fetch_cancel(void *user, struct restore_content *content) {
	(void)user;
	restore_past_cancel(content);
}

static void fetch_release(void *user, struct restore_content *content) {
	(void)user;
	restore_past_release(content);
}

/* ---- what the folder knows ---- */

struct folder *restore_home_folder(const struct restore *r) {
	return r->home->folder;
}

void restore_home_knows(
	struct restore *r, const struct restore_slot *slot, struct restore_rule_question *q) {
	struct folder *f = r->home->folder;
	const struct disk_stat *here = &slot->place.here;
	struct index_entry base;
	struct database_base database;
	struct err err;
	q->unsent = true;
	if (index_get(f->index, slot->place.path, false, &base, &err) != 1) return;
	bool live = capture_base(&base, &database);
	bool same = live ? disk_stat_same(&database.source.db, here)
			 : base.size == here->size && base.mtime_ns == here->mtime_ns &&
				    base.ctime_ns == here->ctime_ns && base.ino == here->ino &&
				    (base.kind == INDEX_LINK) == (here->kind == DISK_LINK);
	if (same && !(base.flags & INDEX_STRANGER)) {
		q->unsent = false;
		q->agreed = !slot->version && base.size == slot->item.size;
	}
	index_entry_release(&base);
}

int restore_home_mode(const struct restore *r, const char *folder) {
	struct restore_home *home = r->home;
	struct index_entry base;
	struct err err;
	if (home->above && str_equal(home->above, folder)) return home->above_mode;
	free(home->above);
	home->above = xstrdup(folder);
	home->above_mode = STORE_MODE_UNKNOWN;
	if (index_get(home->folder->index, folder, true, &base, &err) != 1)
		return STORE_MODE_UNKNOWN;
	if (base.mode >= 0) home->above_mode = base.mode & 0777;
	index_entry_release(&base);
	return home->above_mode;
}

char **restore_home_mounts(const struct restore *r, const char *path) {
	return mounts_above(r->home->folder, path);
}

/* ---- its root ---- */

static int open_work(struct job *job, struct err *err) {
	struct restore_home *home = container_of(job, struct restore_home, open);
	struct disk_identity now;
	home->disk = user_disk_open(home->root, home->user, err);
	if (!home->disk) return -1;
	if (disk_identity_now(home->disk, &now, err) == 0 && now.ino == home->identity.ino &&
		now.fsid == home->identity.fsid)
		return 0;
	disk_close(home->disk);
	home->disk = NULL;
	return err_set(err, ERR_CHANGED, "'%s' is another folder than was opened", home->root);
}

static void opened(struct job *job, const struct err *err) {
	struct restore_home *home = container_of(job, struct restore_home, open);
	struct restore *r = home->restore;
	r->state = RESTORE_RUNNING;
	r->options.disk = home->disk;
	if (err) r->err = *err;
	restore_step(r);
}

/* ---- that there may be leftovers ---- */

bool restore_is_leftover(const struct disk_item *item, int64_t before_ns) {
	return disk_is_beside(item->name) && str_ends(item->name, "." RESTORE_HINT) &&
	       (item->stat.kind == DISK_FILE || item->stat.kind == DISK_LINK) &&
	       item->stat.ctime_ns < before_ns;
}

static void restoring_set(struct folder *f, bool restoring) {
	struct err err;
	if (index_meta_set(f->index, "restoring", restoring ? "1" : NULL, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	f->commit_now = true;
	turn_end_want(&f->turn_end);
}

void restore_load(struct folder *f) {
	if (f->leftovers_ns || !list_empty(&f->restores) ||
		!index_meta_int(f->index, "restoring", 0))
		return;
	f->leftovers_ns = loop_wall_ns(f->loop);
	if (index_meta_int(f->index, "pulling", 0)) return; /* goes on by itself */
	log_warn("folder '%s': a restore was broken off: what it had brought back is there, the "
		 "rest is not. Ask for it again",
		f->name);
}

void restore_scanned(struct folder *f) {
	if (!f->leftovers_ns) return;
	f->leftovers_ns = 0;
	if (list_empty(&f->restores)) restoring_set(f, false);
}

/* ---- life ---- */

bool restore_home_busy(const struct restore *r) {
	return r->home->gathering;
}

bool restore_home_opens(struct restore *r) {
	struct sync *sync = r->home->folder->sync;
	if (!r->home->opens) sync->openers++;
	r->home->opens = true;
	return !capture_runs(sync);
}

struct restore *restore_home_of(struct list *link) {
	return list_entry(link, struct restore_home, link)->restore;
}

void restore_homes_wake(struct sync *sync) {
	list_each(&sync->folders, link) {
		struct folder *f = list_entry(link, struct folder, link);
		list_each(&f->restores, home)
			restore_go(list_entry(home, struct restore_home, link)->restore);
		resolve_go(f);
	}
}

void restore_home_cancel(struct restore *r) {
	if (r->home->gathering) past_cancel(r->home->past);
}

void restore_folder_stops(struct folder *f) {
	list_each(&f->restores, link)
		restore_cancel(list_entry(link, struct restore_home, link)->restore);
}

void restore_home_ended(struct restore *r) {
	struct restore_home *home = r->home;
	struct folder *f = home->folder;
	list_remove(&home->link);
	f->pulled_bytes += r->counts.bytes;
	if (home->opens) f->sync->openers--;
	if (home->opens) capture_moved(f->sync);
	past_free(home->past);
	home->past = NULL;
	disk_close(home->disk);
	home->disk = NULL;
	past_options_release(&home->options);
	if (!f->leftovers_ns) restoring_set(f, false);
	folder_wake(f);
}

void restore_home_free(struct restore *r) {
	struct restore_home *home = r->home;
	strv_free(home->paths);
	free(home->above);
	free(home->root);
	free(home->user);
	free(home);
}

static int check(struct folder *f, char *const *paths, struct err *err) {
	for (size_t i = 0; paths && paths[i]; i++) {
		if (*paths[i] && !path_is_plain(paths[i]))
			return err_set(
				err, ERR_INVALID, "'%s' is no path inside the folder", paths[i]);
	}
	if (!f->disk || f->phase <= PHASE_OPENING || f->phase >= PHASE_FLUSHING)
		return err_set(err, ERR_BUSY, "folder '%s' is not open: %s", f->name,
			f->trouble.kind != ERR_NONE ? f->trouble.text : folder_phase_name(f));
	if (!list_empty(&f->restores))
		return err_set(
			err, ERR_BUSY, "something is being brought back into folder '%s'", f->name);
	return 0;
}

struct restore *folder_restore(struct folder *f, const struct restore_question *question,
	const struct restore_calls *calls, void *user, struct err *err) {
	static const char *const all[] = { "", NULL };
	if (check(f, question->paths, err)) return NULL;
	struct restore_home *home = xcalloc(1, sizeof(*home));
	bool some = question->paths && question->paths[0];
	home->folder = f;
	home->paths = strv_dup(some ? question->paths : (char **)(uintptr_t)all);
	home->at_ns = question->at_ns;
	home->known = question->known;
	home->covered = question->covered;
	home->root = xstrdup(f->settings.path);
	home->user = xstrdup(f->settings.user);
	home->identity = f->identity;
	folder_past(f, &home->options);
	list_init(&home->link);
	list_add_tail(&f->restores, &home->link);
	struct restore_options options = { .loop = f->loop,
		.overwrite = question->overwrite,
		.at_once = question->at_once,
		.slots = question->slots ? question->slots : SLOTS,
		.memory_bytes = question->memory_bytes,
		.mode_unknown = MODE_UNKNOWN,
		.source = { home, next, fetch, fetch_cancel, fetch_release } };
	struct restore *r = restore_start(&options, calls, user);
	home->restore = r;
	r->home = home;
	r->state = RESTORE_OPENING;
	restoring_set(f, true);
	home->open.work = open_work;
	home->open.done = opened;
	job_start(f->loop, &home->open);
	return r;
}
