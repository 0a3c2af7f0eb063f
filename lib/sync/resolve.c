/*
 * A person looked at two edits that were both kept (conflict.c), and says which one stays. The other is copied to the trash first, as what
 * the remote replaces is; the remote learns of it as of any edit that is made here, and keeps a version of its own. Nothing is opened while
 * a database is captured (SYNC.md §13, trap 4).
 */
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"

struct resolve {
	struct job job;
	struct folder *folder;
	struct disk *disk; /* the folder's, which keeps it until this has ended */
	char *copy, *origin;
	bool both, takes_over; /* takes_over: the copy gets the name of what it is one of */
	bool running;
	struct bring place; /* of the trash alone */
	void (*done)(void *user, const struct err *err);
	void *user;
};

bool resolve_is_busy(const struct folder *f) {
	return f->resolve && f->resolve->running;
}

/* ---- in a job ---- */

static int look(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	if (disk_stat(disk, path, stat, err)) return -1;
	if (stat->kind == DISK_FILE || stat->kind == DISK_LINK) return 0;
	return err_set(err, ERR_INVALID,
		"'%s' is neither a file nor a link by now: move one of the two away", path);
}

/* A living database must not change under its users, and an old -wal would be played into the other one. */
static int is_free(
	struct disk *disk, const char *path, const struct disk_stat *stat, struct err *err) {
	struct err ignored;
	bool database = stat->kind == DISK_FILE && disk_is_sqlite(disk, path, &ignored) == 1;
	if (!database_has_company(disk, path) && !(database && database_in_use(disk, path)))
		return 0;
	return err_set(err, ERR_BUSY,
		"a program has the database '%s' open: end it, and say it again", path);
}

/* `path` goes, unless it is another thing than was copied to the trash. */
static int set_aside(
	struct resolve *r, const char *path, const struct disk_stat *seen, struct err *err) {
	struct disk_stat now;
	if (is_free(r->disk, path, seen, err) || trash_keep(r->disk, path, seen, &r->place, err) ||
		disk_stat(r->disk, path, &now, err))
		return -1;
	if (now.kind == seen->kind && disk_stat_same(&now, seen)) return 0;
	return err_set(err, ERR_CHANGED, "'%s' changes just now: look at it again", path);
}

static int resolve_work(struct job *job, struct err *err) {
	struct resolve *r = container_of(job, struct resolve, job);
	struct disk_stat copy, origin;
	if (r->both) return 0;
	if (look(r->disk, r->copy, &copy, err)) return -1;
	int found = look(r->disk, r->origin, &origin, err);
	/* What is gone is nobody's to keep, and the other one is the last there is. */
	if (found && (err->kind != ERR_NOT_FOUND || !r->takes_over)) return -1;
	err_clear(err);
	if (!r->takes_over)
		return set_aside(r, r->copy, &copy, err) || disk_remove(r->disk, r->copy, err) ? -1
											       : 0;
	if (is_free(r->disk, r->copy, &copy, err)) return -1;
	if (!found && set_aside(r, r->origin, &origin, err)) return -1;
	if (found && database_has_company(r->disk, r->origin))
		return err_set(err, ERR_BUSY, "what a database left lies beside '%s': move it away",
			r->origin);
	if (disk_rename(r->disk, r->copy, r->origin, !found, err)) return -1;
	return copy.kind == DISK_FILE ? disk_sync_file(r->disk, r->origin, err) : 0;
}

/* ---- its life ---- */

static void resolve_end(struct resolve *r, const struct err *err) {
	struct folder *f = r->folder;
	f->resolve = NULL;
	f->sync->openers--;
	capture_moved(f->sync);
	r->done(r->user, err);
	free(r->place.trash);
	free(r->copy);
	free(r->origin);
	free(r);
	folder_wake(f);
}

static void resolved(struct job *job, const struct err *err) {
	struct resolve *r = container_of(job, struct resolve, job);
	struct folder *f = r->folder;
	struct err failed;
	r->running = false;
	if (!err && index_conflict_drop(f->index, r->copy, &failed)) {
		folder_index_failed(f, &failed);
		err = &failed;
	} else if (!err) {
		log_info("folder '%s': '%s': %s", f->name, r->origin,
			r->both         ? "both edits stay"
			: r->takes_over ? "the edit kept beside it takes its place"
					: "the edit kept beside it goes");
		if (!r->both) folder_mark_path(f, r->copy, PRIO_SMALL, 0);
		if (r->takes_over) folder_mark_path(f, r->origin, PRIO_SMALL, 0);
		turn_end_want(&f->turn_end);
		folder_changed(f);
	}
	resolve_end(r, err);
}

/* Whenever a capture ended. */
void resolve_go(struct folder *f) {
	struct resolve *r = f->resolve;
	if (!r || r->running || capture_runs(f->sync)) return;
	r->running = true;
	r->job.work = resolve_work;
	r->job.done = resolved;
	job_start(f->loop, &r->job);
}

/* One that only waits is given up; what runs comes to its end. */
void resolve_stops(struct folder *f) {
	struct err err;
	if (!f->resolve || f->resolve->running) return;
	err_set(&err, ERR_CANCELLED, "folder '%s' stops", f->name);
	resolve_end(f->resolve, &err);
}

/* What the conflict of this copy is one of; NULL: there is none. The caller's. */
static char *origin_of(struct folder *f, const char *copy) {
	struct folder_conflict *conflicts = NULL;
	size_t count = folder_conflicts(f, (size_t)index_conflict_count(f->index), &conflicts);
	char *origin = NULL;
	for (size_t i = 0; i < count && !origin; i++)
		if (str_equal(conflicts[i].path, copy)) origin = xstrdup(conflicts[i].origin);
	folder_conflicts_free(conflicts, count);
	return origin;
}

int folder_resolve(struct folder *f, const char *copy, enum folder_keep keep,
	void (*done)(void *user, const struct err *err), void *user, struct err *err) {
	if (!f->disk || f->phase != PHASE_RUNNING)
		return err_set(err, ERR_BUSY, "folder '%s' is not open: %s", f->name,
			f->trouble.kind != ERR_NONE ? f->trouble.text : folder_phase_name(f));
	if (f->resolve)
		return err_set(
			err, ERR_BUSY, "another conflict of folder '%s' is being ended", f->name);
	char *origin = origin_of(f, copy);
	if (!origin)
		return err_set(err, ERR_NOT_FOUND,
			"'%s' is no edit that was kept beside another one", copy);
	struct resolve *r = xcalloc(1, sizeof(*r));
	r->folder = f;
	r->disk = f->disk;
	r->copy = xstrdup(copy);
	r->origin = origin;
	r->both = keep == FOLDER_KEEP_BOTH;
	r->takes_over = !r->both && conflict_is_theirs(copy) == (keep == FOLDER_KEEP_THEIRS);
	trash_place(f, &r->place);
	r->done = done;
	r->user = user;
	f->resolve = r;
	f->sync->openers++;
	resolve_go(f);
	return 0;
}
