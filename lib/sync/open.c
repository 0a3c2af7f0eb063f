/* Opening a folder: its root in a job, then the watch, then the rules; and what the watch tells while it runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/mutant.h"

static int open_work(struct job *job, struct err *err) {
	struct open_job *open = container_of(job, struct open_job, job);
	const struct sync_ground *ground = open->ground;
	open->disk = ground ? ground->disk_open(ground->user, open->path, err)
			    : user_disk_open(open->path, open->user, err);
	if (!open->disk) return -1;
	if (disk_identity_now(open->disk, &open->identity, err) ||
		(open->reads && disk_is_empty(open->disk, "", err) < 0)) {
		disk_close(open->disk);
		open->disk = NULL;
		return -1;
	}
	root_look(open);
	return 0;
}

static void watch_degraded(void *user, const struct err *why) {
	struct folder *f = user;
	free(f->degraded);
	f->degraded = why ? xstrdup(why->text) : NULL;
	if (why)
		log_warn("folder '%s': %s; until then it is scanned from time to time", f->name,
			why->text);
	folder_changed(f);
	folder_wake(f);
}

static const struct watch_calls watch_calls = { .happened = folder_watch_happened,
	.degraded = watch_degraded };

/* Since what is agreed was agreed; also while nobody ran. */
bool folder_sqlite_changed(struct folder *f) {
	struct err err;
	char text[16];
	if (index_meta_int(f->index, "sqlite", FOLDER_SQLITE_SNAPSHOT) == f->settings.sqlite)
		return false;
	(void)snprintf(text, sizeof(text), "%d", f->settings.sqlite);
	if (index_meta_set(f->index, "sqlite", text, &err)) folder_index_failed(f, &err);
	turn_end_want(&f->turn_end);
	return true;
}

static void open_done(struct job *job, const struct err *err) {
	struct open_job *open = container_of(job, struct open_job, job);
	struct folder *f = open->folder;
	struct err why;
	open->running = false;
	free(open->path);
	free(open->user);
	open->path = open->user = NULL;
	folder_wake(f);
	if (f->phase != PHASE_OPENING) {
		disk_close(open->disk);
		open->disk = NULL;
		return;
	}
	if (err) {
		why = *err;
		if (err->kind == ERR_NOT_FOUND && err->sys != ENOTDIR) {
			pull_root_missing(f);
			return;
		}
		if (err->sys == ENOTDIR)
			err_set(&why, ERR_INVALID,
				"'%s' is no folder: move it out of the way, or correct 'path'",
				f->settings.path);
		folder_hold(f, &why);
		return;
	}
	if (!root_accept(f, open)) {
		disk_close(open->disk);
		open->disk = NULL;
		return;
	}
	disk_close(f->disk);
	f->disk = open->disk;
	open->disk = NULL;
	f->identity = open->identity;
	f->root_unread = false;
	watch_free(f->watch);
	const struct sync_ground *ground = f->sync->ground;
	f->watch = ground ? ground->watch_new(ground->user, f->loop, disk_path(f->disk),
				    &watch_calls, f, &why)
			  : watch_new(f->loop, disk_path(f->disk), &watch_calls, f, &why);
	if (!f->watch) {
		folder_hold(f, &why);
		return;
	}
	folder_load_rules(f);
	if (folder_sqlite_changed(f)) f->scan.tell_same = true;
	/* What waited for a retry before the restart is tried anew: its times were of another clock. */
	if (index_hurry(f->index, INT64_MAX, folder_clock_ms(f), &why)) {
		folder_index_failed(f, &why);
		return;
	}
	turn_end_want(&f->turn_end);
	folder_phase_set(f, PHASE_ABOUT);
}

static int index_reopen(struct folder *f) {
	struct err err, none;
	if (!f->index_path && !f->sync->ground) {
		f->index_broken = false;
		return 0;
	}
	/* Closed first: what it holds uncommitted is given up. A folder without one is not asked for anything meanwhile. */
	index_close(f->index);
	if (folder_index_open(f, &err)) {
		f->index = index_open(NULL, &none);
		folder_hold(f, &err);
		return -1;
	}
	f->index_broken = false;
	return 0;
}

void folder_open_start(struct folder *f) {
	if (folder_has_work(f)) return; /* ends of before wake us */
	if (f->index_broken && index_reopen(f)) return;
	struct err err;
	if (root_ask(f, &f->open, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	f->open.folder = f;
	f->open.reads = f->root_unread;
	f->open.ground = f->sync->ground;
	f->open.running = true;
	f->open.path = xstrdup(f->settings.path);
	f->open.user = xstrdup(f->settings.user);
	f->open.job.work = open_work;
	f->open.job.done = open_done;
	job_start(f->loop, &f->open.job);
}

/* ---- while it runs ---- */

static bool is_rules_file(const char *path) {
	return str_equal(path_name(path), ".tendignore");
}

static void mark_event(struct folder *f, const char *path) {
	char *database = NULL;
	/* Rows may wait in a -wal for hours before a checkpoint moves them: it speaks for its database (trap 2). The -shm says
	 * nothing, and a reader's close touches it: our own snapshot would start itself again (trap 5). */
	if (capture_is_journal(path, &database)) {
		if (database) folder_mark_path(f, database, PRIO_EVENT, f->settings.settle_ms);
		free(database);
		if (str_ends(path, "-shm")) return;
	}
	folder_mark_path(f, path, PRIO_EVENT, f->settings.settle_ms);
}

void folder_watch_happened(void *user, const struct watch_event *event) {
	struct folder *f = user;
	if (f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN) return;
	switch (event->what) {
	case WATCH_CHANGED:
		if (ignore_check(f->ignore, event->path, false) == IGNORE_EXCLUDED &&
			ignore_check(f->ignore, event->path, true) == IGNORE_EXCLUDED)
			break;
		mark_event(f, event->path);
		if (is_rules_file(event->path)) {
			char *parent = path_parent(event->path);
			scan_request(f, parent);
			free(parent);
		}
		break;
	case WATCH_FOLDER_MOVED:
		transfer_mark_below(f, event->from);
		folder_mark_path(f, event->from, PRIO_EVENT_FOLDER, f->settings.settle_ms);
		/* fall through */
	case WATCH_FOLDER_NEW:
		if (ignore_check(f->ignore, event->path, true) == IGNORE_EXCLUDED) {
			watch_drop_folder(f->watch, event->path);
			break;
		}
		/* The root is no path of its own: something happened in it before it was watched. */
		if (*event->path) folder_mark_path(f, event->path, PRIO_EVENT_FOLDER, 0);
		scan_request(f, event->path);
		break;
	case WATCH_FOLDER_GONE:
		transfer_mark_below(f, event->path);
		folder_mark_path(f, event->path, PRIO_EVENT_FOLDER, f->settings.settle_ms);
		break;
	case WATCH_OVERFLOW:
		if (MUTANT(overflow_is_ignored)) break;
		transfer_mark_below(f, "");
		scan_request(f, "");
		break;
	case WATCH_ROOT_GONE: folder_root_away(f); break;
	}
	f->events = true;
	if (f->held && f->cured_here) {
		f->cured_here = false; /* once: a stream of events does not postpone it */
		timer_start(&f->hold_timer, f->settings.settle_ms);
	}
	if (f->phase == PHASE_EMPTY) folder_wake(f);
}
