/*
 * Disks that are mounted below the root. A folder row remembers that something was mounted on it;
 * when nothing is any more, its subtree is away: neither deleted nor scanned, until it is mounted
 * again (SYNC.md §8, trap 8). No event tells of a mount, so that what is away is looked at now and
 * then.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum { AWAY_POLL_MS = 2000 };

struct mount {
	bool away;
};

/* ---- in jobs ---- */

/* Is something mounted on this folder? Where the system does not say so, another device does. */
static bool is_mounted(struct disk *disk, const char *path) {
	struct disk_stat stat, parent;
	struct err err;
	if (disk_stat(disk, path, &stat, &err) || stat.kind != DISK_FOLDER) return false;
	if (stat.mount) return true;
	char *above = path_parent(path);
	bool other = !disk_stat(disk, above, &parent, &err) && parent.dev != stat.dev;
	free(above);
	return other;
}

bool mount_look(struct disk *disk, const char *path) {
	return is_mounted(disk, path);
}

const char *mount_missing(struct disk *disk, char *const *mounts) {
	for (size_t i = 0; mounts && mounts[i]; i++)
		if (!is_mounted(disk, mounts[i])) return mounts[i];
	return NULL;
}

/* ---- on the loop ---- */

char **mounts_above(const struct folder *f, const char *path) {
	char **found = NULL;
	for (struct map_item *it = NULL; (it = map_next(&f->mounts, it));)
		if (path_is_within(path, map_key(it))) strv_add(&found, map_key(it));
	return found;
}

bool mount_away_below(const struct folder *f, const char *path) {
	for (struct map_item *it = NULL; (it = map_next(&f->mounts, it));) {
		const struct mount *mount = map_value(it);
		if (mount->away && path_is_within(map_key(it), path)) return true;
	}
	return false;
}

void mount_add(struct folder *f, const char *path) {
	if (!map_get(&f->mounts, path)) map_put(&f->mounts, path, xcalloc(1, sizeof(struct mount)));
}

void mount_forget(struct folder *f, const char *path) {
	struct mount *mount = map_take(&f->mounts, path);
	if (!mount) return;
	f->away -= mount->away;
	free(mount);
	folder_changed(f);
}

void mount_gone(struct folder *f, const char *path) {
	struct mount *mount = map_get(&f->mounts, path);
	if (!mount || mount->away) return;
	mount->away = true;
	f->away++;
	log_warn("folder '%s': nothing is mounted on '%s' any more: what lies below it is away, "
		 "neither "
		 "deleted nor looked at, until it is mounted again",
		f->name, path);
	if (f->watch) watch_drop_folder(f->watch, path);
	if (!timer_running(&f->away_timer)) timer_start(&f->away_timer, AWAY_POLL_MS);
	folder_changed(f);
	folder_wake(f);
}

struct away_job {
	struct job job;
	struct folder *folder;
	struct disk *disk;
	char **paths;
	bool *back;
};

static int away_work(struct job *base, struct err *err) {
	struct away_job *job = container_of(base, struct away_job, job);
	(void)err;
	for (size_t i = 0; job->paths[i]; i++) job->back[i] = is_mounted(job->disk, job->paths[i]);
	return 0;
}

static void came_back(struct folder *f, const char *path) {
	struct mount *mount = map_get(&f->mounts, path);
	if (!mount || !mount->away) return;
	mount->away = false;
	f->away--;
	log_info("folder '%s': '%s' is mounted again", f->name, path);
	folder_mark_path(f, path, PRIO_FOLDER, 0);
	scan_request(f, path);
	folder_changed(f);
}

static void away_done(struct job *base, const struct err *err) {
	struct away_job *job = container_of(base, struct away_job, job);
	struct folder *f = job->folder;
	bool live = f->disk == job->disk && f->watch && f->phase >= PHASE_EMPTY &&
		    f->phase != PHASE_CLOSING;
	f->away_looking = false;
	for (size_t i = 0; live && !err && job->paths[i] && f->watch; i++)
		if (job->back[i]) came_back(f, job->paths[i]);
	strv_free(job->paths);
	free(job->back);
	free(job);
	if (f->away && f->phase != PHASE_CLOSING && f->phase != PHASE_DOWN)
		timer_start(&f->away_timer, AWAY_POLL_MS);
	folder_wake(f);
}

static void away_passed(struct timer *timer) {
	struct folder *f = container_of(timer, struct folder, away_timer);
	struct away_job *job;
	if (!f->away || f->away_looking || f->phase == PHASE_CLOSING || f->phase == PHASE_DOWN)
		return;
	if (!f->disk || f->phase < PHASE_EMPTY) {
		timer_start(timer, AWAY_POLL_MS);
		return;
	}
	job = xcalloc(1, sizeof(*job));
	job->folder = f;
	job->disk = f->disk;
	job->paths = mounts_list(f, true);
	job->back = xcalloc(strv_count(job->paths) + 1, sizeof(*job->back));
	job->job.work = away_work;
	job->job.done = away_done;
	f->away_looking = true;
	job_start(f->loop, &job->job);
}

char **mounts_list(const struct folder *f, bool away) {
	char **list = NULL;
	for (struct map_item *it = NULL; (it = map_next(&f->mounts, it));) {
		const struct mount *mount = map_value(it);
		if (mount->away == away) strv_add(&list, map_key(it));
	}
	return list;
}

void mounts_release(struct folder *f) {
	for (struct map_item *it = NULL; (it = map_next(&f->mounts, it));) free(map_value(it));
	map_release(&f->mounts);
	map_init(&f->mounts);
	f->away = 0;
	timer_cancel(&f->away_timer);
}

void mounts_init(struct folder *f) {
	map_init(&f->mounts);
	timer_init(&f->away_timer, f->loop, away_passed);
}

/* What the index knows: after it was opened, and after rows moved. */
int mounts_load(struct folder *f, struct err *err) {
	char **paths = NULL;
	if (index_mounts(f->index, &paths, err)) return -1;
	mounts_release(f);
	for (size_t i = 0; paths && paths[i]; i++) mount_add(f, paths[i]);
	strv_free(paths);
	return 0;
}
