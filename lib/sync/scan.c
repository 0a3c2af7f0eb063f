/*
 * The local tree against the index, folder by folder, in jobs (scan_list.c): a scan only marks. Memory holds the folders still to be listed
 * and what differs in one chunk, never the tree.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/scan.h"

enum { DEGRADED_RESCAN_MS = 60000 };

static void scan_mark(struct folder *f, const char *path, const struct scan_found *found) {
	bool folder = found->kind == DISK_FOLDER && found->what != SCAN_GONE;
	int64_t settle = 0;
	int prio = folder ? PRIO_FOLDER : found->size > PRIO_LARGE_BYTES ? PRIO_LARGE : PRIO_SMALL;
	/* Written a moment ago: it may be in the middle of it; and its event came before its folder was watched. */
	if (found->what != SCAN_GONE && found->kind == DISK_FILE) {
		int64_t age_ms = (loop_wall_ns(f->loop) - found->mtime_ns) / NS_PER_MS;
		if (age_ms >= 0 && age_ms < f->settings.settle_ms) {
			settle = f->settings.settle_ms - age_ms;
			if (prio == PRIO_SMALL) prio = PRIO_EVENT;
		}
	}
	if (found->what != SCAN_GONE && found->kind == DISK_FILE) weigh_told(f, found->size);
	folder_mark_told(f, path, prio, settle);
}

static void found_take(struct folder *f, struct scan_listed *l, const struct scan_found *found) {
	char *path = path_join(l->path, found->name);
	bool is_folder = found->kind == DISK_FOLDER;
	bool out = transfer_excluded(f, path, is_folder) ||
		   (found->kind == DISK_LINK && transfer_skips_links(f));
	if (found->what == SCAN_AWAY && !out) {
		mount_gone(f, path);
	} else if (found->what == SCAN_GONE || found->what == SCAN_AWAY) {
		scan_mark(f, path, found);
	} else if (out) {
		/* What is agreed and left out now is forgotten; the rest is no business of ours. */
		if (found->what != SCAN_NEW) scan_mark(f, path, found);
		if (is_folder) watch_drop_folder(f->watch, path);
	} else {
		f->scan.seen++;
		if (found->kind == DISK_OTHER) kinds_seen(f, path);
		/* What was agreed under its name is gone, also where something stands that is not
		 * kept. */
		if (found->what == SCAN_DIFFERS ||
			(found->what == SCAN_NEW && found->kind != DISK_OTHER))
			scan_mark(f, path, found);
		if (is_folder) {
			path_stack_push(&f->scan.queue, path);
			return;
		}
	}
	free(path);
}

static void listed_release(struct scan_listed *l) {
	for (size_t i = 0; i < l->count; i++) free(l->found[i].name);
	free(l->found);
	free(l->rules);
	strv_free(l->mounts);
	free(l->path);
}

/* Where folders exist by what lies in them an empty one needs a marker: what lay in this one when it was looked at may have gone before
 * it was watched. */
static void empty_seen(struct folder *f, const char *path) {
	struct index_entry entry;
	struct err err;
	if (!*path || (f->store->caps & STORE_CAP_FOLDERS)) return;
	int got = index_get(f->index, path, true, &entry, &err);
	if (got < 0) {
		folder_index_failed(f, &err);
		return;
	}
	bool marked = got == 1 && (entry.flags & INDEX_MARKER);
	if (got == 1) index_entry_release(&entry);
	if (!marked) folder_mark_path(f, path, PRIO_FOLDER, 0);
}

/* What is on its way was read before this list, perhaps before the folder was watched: had it gone in between, neither would tell. */
static void under_way_seen(struct folder *f, const char *folder) {
	size_t len = strlen(folder);
	list_each(&f->transfers, link) {
		const struct transfer *t = list_entry(link, struct transfer, link);
		size_t parent = (size_t)(path_name(t->path) - t->path);
		if (parent == (len ? len + 1 : 0) && strncmp(t->path, folder, len) == 0)
			folder_mark_path(f, t->path, PRIO_SMALL, 0);
	}
}

/* Nothing is known of what is in it, and no path stands for it: it is opened anew, and scanned, until it can be read. */
static void root_unlisted(struct folder *f, const struct err *why) {
	struct err err = *why;
	f->scan.failed = f->root_unread = true;
	err_wrap(&err, "the folder '%s' cannot be read", f->settings.path);
	folder_open_anew(f, &err);
}

static void listed_done(struct folder *f, struct scan_listed *l, const struct err *watched) {
	if (watched->kind == ERR_CHANGED)
		return; /* moved meanwhile: its new place is told by an event */
	if (l->away) {
		mount_gone(f, l->away);
		return;
	}
	if (l->err.kind == ERR_NONE && watched->kind != ERR_NONE && watched->kind != ERR_FULL)
		l->err = *watched;
	if (l->err.kind == ERR_CHANGED) {
		scan_request(f, l->path); /* its rules were being written */
		return;
	}
	if (l->rules_unread) { /* refused by its own look, which lists the folder again once it succeeds */
		char *rules = path_join(l->path, IGNORE_FILE_NAME);
		folder_mark_path(f, rules, PRIO_SMALL, 0);
		free(rules);
		return;
	}
	if (l->err.kind == ERR_NOT_FOUND) ignore_drop_below(f->ignore, l->path);
	if (l->err.kind != ERR_NONE) {
		/* Gone meanwhile, or not readable: its own look says which. Nothing below it is touched. */
		if (l->err.kind != ERR_NOT_FOUND) map_put(&f->unlisted, l->path, f);
		if (*l->path)
			folder_mark_path(f, l->path, PRIO_FOLDER, 0);
		else
			root_unlisted(f, &l->err);
		return;
	}
	int64_t seen = f->scan.seen;
	f->scan.seen += l->same;
	bool changed = l->rules ? ignore_set_file(f->ignore, l->path, l->rules, strlen(l->rules))
				: ignore_drop_file(f->ignore, l->path);
	/* Known rules changed: what was agreed under the old ones is looked at again. */
	if (changed && f->scans) f->scan.rules_changed = true;
	if (changed) polling_rules_read(f);
	for (size_t i = 0; i < l->count; i++) found_take(f, l, &l->found[i]);
	if (f->scan.seen == seen) empty_seen(f, l->path);
	under_way_seen(f, l->path);
}

static void scan_ended(struct folder *f) {
	struct scan *scan = &f->scan;
	f->scanned_seq = index_sequence(f->index);
	if (scan->full) {
		kinds_scanned(f);
		if (!scan->failed) restore_scanned(f);
		if (!scan->failed) f->brought_before_ns = 0;
		f->scans++;
		if (watch_is_degraded(f->watch) &&
			(!f->settings.rescan_ms || f->settings.rescan_ms > DEGRADED_RESCAN_MS))
			timer_start(&f->rescan_timer, DEGRADED_RESCAN_MS);
	}
	scan->full = false;
	scan->tell_same = scan->rules_changed;
	if (scan->again || scan->rules_changed) {
		scan->again = scan->rules_changed = false;
		scan_request(f, "");
	}
	index_reader_close(scan->reader);
	scan->reader = NULL;
	folder_wake(f);
}

static void scan_done(struct job *base, const struct err *err) {
	struct scan_job *job = container_of(base, struct scan_job, job);
	struct folder *f = job->folder;
	bool root_gone = job->root_gone;
	bool live = f->scan.job == job && f->disk == job->disk && f->watch;
	(void)err;
	f->scan.job = NULL;
	if (live) folder_turn(f);
	for (size_t i = 0; i < job->count; i++) {
		struct scan_listed *l = &job->folders[i];
		bool ours = live && f->watch && f->phase != PHASE_CLOSING;
		struct err watched = { .kind = ERR_NONE };
		watch_add_end(&l->add, &watched);
		if (ours && l->done)
			listed_done(f, l, &watched);
		else if (ours)
			path_stack_push(&f->scan.queue, xstrdup(l->path));
		listed_release(l);
	}
	strv_free(job->known);
	free(job);
	if (!live) {
		index_reader_close(f->scan.reader);
		f->scan.reader = NULL;
	}
	if (live && root_gone) {
		folder_root_away(f);
		return;
	}
	if (live && f->watch && !f->scan.queue.count) scan_ended(f);
	folder_wake(f);
}

bool scan_is_idle(const struct folder *f) {
	return !f->scan.job && !f->scan.queue.count;
}

/* The next chunk, when none is in flight: watched first, then listed. */
void scan_step(struct folder *f) {
	struct scan *scan = &f->scan;
	struct err err;
	if (scan->job || !scan->queue.count || !f->watch || log_holds(f)) return;
	if (!scan->reader) {
		scan->reader = index_reader_open(f->index, f->index_path, &err);
		if (!scan->reader) {
			folder_index_failed(f, &err);
			return;
		}
	}
	struct scan_job *job = xcalloc(1, sizeof(*job));
	job->folder = f;
	job->disk = f->disk;
	job->root = f->identity;
	job->reader = scan->reader;
	job->tell_same = scan->tell_same;
	job->leftovers_ns = f->leftovers_ns;
	job->brought_before_ns = f->brought_before_ns;
	if (job->leftovers_ns || job->brought_before_ns) job->known = bring_resume_known(f->sync);
	while (scan->queue.count && job->count < SCAN_CHUNK_FOLDERS) {
		struct scan_listed *l = &job->folders[job->count++];
		l->path = path_stack_pop(&scan->queue);
		l->mounts = mounts_above(f, l->path);
		watch_add_begin(&l->add, f->watch, l->path);
	}
	job->job.work = scan_work;
	job->job.done = scan_done;
	scan->job = job;
	job_start(f->loop, &job->job);
}

void scan_request(struct folder *f, const char *path) {
	struct scan *scan = &f->scan;
	if (f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN || !f->watch) return;
	weigh_scanned(f, !*path && !scan->full);
	if (!*path) {
		if (scan->full) {
			scan->again =
				true; /* what was listed before this call is listed once more */
			return;
		}
		scan->full = true;
		scan->failed = false;
		scan->seen = 0;
		/* It comes to each of them by itself. */
		path_stack_release(&scan->queue);
	}
	path_stack_push(&scan->queue, xstrdup(path));
	folder_wake(f);
}

/* The next full scan also looks at what is as agreed: rules changed. */
void scan_rules_changed(struct folder *f) {
	f->scan.tell_same = true;
	polling_whole_next(f);
	scan_request(f, "");
}

void scan_release(struct folder *f) {
	struct scan *scan = &f->scan;
	path_stack_release(&scan->queue);
	scan->full = scan->again = scan->tell_same = scan->rules_changed = false;
	if (!scan->job) {
		index_reader_close(scan->reader);
		scan->reader = NULL;
	}
}
