/*
 * What the remote replaced or removed here stays in state_dir/trash/FOLDER/DAY/PATH for `keep`: copied, for it may lie on another disk and
 * belong to somebody else. A day goes as a whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/bring.h"
#include "sync/mutant.h"

enum { DAY_LEN = 10, COPY_BYTES = 8 << 20, DEPTH_MAX = 1024, EVERY_MS = 3600000 };

/* "2026-11-22" and "14.03.05.123", in UTC. */
void trash_times(int64_t wall_ns, char day[16], char time[24]) {
	char text[TIME_TEXT_SIZE];
	time_format(wall_ns, text);
	(void)snprintf(day, 16, "%.*s", DAY_LEN, text);
	(void)snprintf(time, 24, "%.12s", text + DAY_LEN + 1);
	for (char *at = time; *at; at++)
		if (*at == ':') *at = '.';
}

/* Where what goes now is kept; b->trash is the caller's to free. */
void trash_place(const struct folder *f, struct bring *b) {
	trash_times(loop_wall_ns(f->loop), b->day_text, b->time_text);
	b->trash = f->sync->state_dir ? xasprintf("%s/trash", f->sync->state_dir) : NULL;
	b->name = f->name;
	b->ground = f->sync->ground;
}

static int copy_file(struct disk *from, const char *path, struct disk *trash, const char *to,
	const struct disk_stat *stat, struct err *err) {
	struct disk_stat opened;
	int in = disk_open_file(from, path, &opened, err);
	if (in < 0) return -1;
	int out = disk_create(trash, to, 0600, err);
	int rc = out < 0 ? -1 : 0;
	if (!rc && !disk_stat_same(&opened, stat))
		rc = err_set(err, ERR_CHANGED, "changed meanwhile");
	for (int64_t at = 0; !rc && at < stat->size; at += COPY_BYTES) {
		int64_t left = stat->size - at;
		rc = disk_copy_span(in, at, out, at, left < COPY_BYTES ? left : COPY_BYTES, err);
	}
	if (!rc) rc = disk_set_times(out, stat->mtime_ns, stat->mode & 0700 ? 0600 : 0400, err);
	if (!rc) rc = disk_sync_bytes(out, err);
	if (out >= 0) close(out);
	disk_close_file(from, in);
	struct err ignored;
	if (rc && out >= 0) disk_remove(trash, to, &ignored);
	return rc;
}

static int copy_link(
	struct disk *from, const char *path, struct disk *trash, const char *to, struct err *err) {
	struct buf target;
	buf_init(&target, 4096);
	int rc = disk_read_link(from, path, &target, err);
	if (!rc) rc = disk_symlink(trash, target.at, to, err);
	buf_release(&target);
	return rc;
}

static int keep_as(struct disk *from, const char *path, struct disk *trash, const char *to,
	const struct disk_stat *stat, struct err *err) {
	if (disk_mkdir_parents(trash, to, err)) return -1;
	return stat->kind == DISK_LINK ? copy_link(from, path, trash, to, err)
				       : copy_file(from, path, trash, to, stat, err);
}

int trash_keep(struct disk *disk, const char *path, const struct disk_stat *stat,
	const struct bring *b, struct err *err) {
	if (stat->kind != DISK_FILE && stat->kind != DISK_LINK) return 0;
	if (MUTANT(nothing_to_the_trash)) return 0;
	if (b->ground) b->ground->trash_keep(b->ground->user, path);
	if (!b->trash) return 0;
	/* The daemon's own place, by its own rights. */
	struct disk *trash = disk_open(b->trash, err);
	if (!trash) return -1;
	char *day = path_join(b->name, b->day_text);
	char *to = path_join(day, path);
	int rc = keep_as(disk, path, trash, to, stat, err);
	bool taken = rc && (err->kind == ERR_CHANGED || err->kind == ERR_INVALID ||
				   err->kind == ERR_NOT_FOUND);
	if (taken) { /* the second of this name today, or a folder's */
		struct err first = *err;
		free(to);
		char *moment = path_join(day, b->time_text);
		to = path_join(moment, path);
		free(moment);
		rc = keep_as(disk, path, trash, to, stat, err);
		if (rc && first.kind == ERR_CHANGED && err->kind == ERR_CHANGED) *err = first;
	}
	free(to);
	free(day);
	disk_close(trash);
	return rc ? err_wrap(err, "'%s' cannot be kept in the trash", path) : 0;
}

/* ---- old days go ---- */

struct trash_job {
	struct job job;
	struct folder *folder;
	char *place;
	char oldest[16]; /* this day stays */
};

static int tree_remove(struct disk *disk, const char *path, int depth, struct err *err) {
	struct disk_list list;
	if (depth > DEPTH_MAX) return err_set(err, ERR_INVALID, "too deep");
	if (disk_list(disk, path, &list, err)) return -1;
	int rc = 0;
	for (size_t i = 0; i < list.count && !rc; i++) {
		char *below = path_join(path, list.items[i].name);
		rc = list.items[i].stat.kind == DISK_FOLDER
			     ? tree_remove(disk, below, depth + 1, err)
			     : disk_remove(disk, below, err);
		free(below);
	}
	disk_list_release(&list);
	return rc ? rc : disk_rmdir(disk, path, err);
}

static bool is_day(const char *name) {
	return strlen(name) == DAY_LEN && strspn(name, "0123456789-") == DAY_LEN;
}

static int prune_work(struct job *base, struct err *err) {
	struct trash_job *job = container_of(base, struct trash_job, job);
	struct disk_list list;
	struct disk *disk = disk_open(job->place, err);
	if (!disk) return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (disk_list(disk, "", &list, err)) {
		disk_close(disk);
		return -1;
	}
	int rc = 0;
	for (size_t i = 0; !rc && i < list.count; i++) {
		const char *name = list.items[i].name;
		if (list.items[i].stat.kind == DISK_FOLDER && is_day(name) &&
			strcmp(name, job->oldest) < 0)
			rc = tree_remove(disk, name, 0, err);
	}
	disk_list_release(&list);
	disk_close(disk);
	return rc;
}

static void prune_done(struct job *base, const struct err *err) {
	struct trash_job *job = container_of(base, struct trash_job, job);
	if (err) log_debug("'%s' is not cleaned up: %s", job->place, err->text);
	job->folder->trash_runs = false;
	folder_wake(job->folder);
	free(job->place);
	free(job);
}

/* At the end of a poll: now and then, and never in the first ten minutes (SYNC.md §13, trap 14). */
void trash_prune(struct folder *f) {
	int64_t now_ms = folder_clock_ms(f), now_ns = loop_wall_ns(f->loop);
	char time[24];
	if (!f->sync->state_dir || f->trash_runs || f->settings.keep_ms <= 0 ||
		now_ms - f->started_ms < f->sync->prune_after_ms ||
		(f->trash_ms && now_ms - f->trash_ms < EVERY_MS))
		return;
	f->trash_ms = now_ms;
	struct trash_job *job = xcalloc(1, sizeof(*job));
	job->folder = f;
	job->place = xasprintf("%s/trash/%s", f->sync->state_dir, f->name);
	trash_times(now_ns - f->settings.keep_ms * NS_PER_MS, job->oldest, time);
	job->job.work = prune_work;
	job->job.done = prune_done;
	f->trash_runs = true;
	job_start(f->loop, &job->job);
}
