/* A real watch on a real folder below /tmp, and an owner that keeps a picture of it. */
#ifndef SUPPORT_WATCH_WORLD_H
#define SUPPORT_WATCH_WORLD_H

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/own_mounts.h"
#include "watch/watch.h"

/*
 * An owner as sync is one: it scans folders that are new, looks at paths that changed, and so keeps
 * a picture of the tree: path to "inode size mtime", folders as "folder". A missed event is a
 * difference to the disk at the end.
 */
struct world {
	struct loop *loop;
	struct watch *watch;
	char root[64];
	struct buf log; /* "what path[<from]" joined by spaces */
	struct map picture;
	struct map wanted; /* paths to scan */
	unsigned scans;    /* under way */
	unsigned overflows, roots, moves, stale;
	struct err degraded; /* kind 0: it is not */
	bool watching;       /* events are only logged */
};

struct scan {
	struct job job;
	struct watch_add add;
	struct world *world;
	char *absolute;
	char **names;
};

static inline void world_at(struct world *world, char *full, size_t size, const char *path) {
	assert_true(snprintf(full, size, "%s/%s", world->root, path) < (int)size);
}

static void picture_set(struct world *world, const char *path, char *text) {
	free(text ? map_put(&world->picture, path, text) : map_take(&world->picture, path));
}

static char *look(struct world *world, const char *path, bool *folder) {
	char full[4096];
	struct stat stat;

	world_at(world, full, sizeof(full), path);
	*folder = false;
	if (lstat(full, &stat) < 0) return NULL;
	*folder = S_ISDIR(stat.st_mode);
	if (*folder) return xstrdup("folder");
	return xasprintf("%lu %ld %ld", (unsigned long)stat.st_ino, (long)stat.st_size,
		(long)stat.st_mtim.tv_nsec);
}

/* Takes all at and below `from` out of the picture; puts it in again below `to`. */
static inline void world_picture_move(struct world *world, const char *from, const char *to) {
	char **moved = NULL;

	for (struct map_item *it = NULL; (it = map_next(&world->picture, it));) {
		if (path_is_within(map_key(it), from)) strv_add(&moved, map_key(it));
	}
	for (char **path = moved; path && *path; path++) {
		const char *below = *path + strlen(from);
		char *text = map_take(&world->picture, *path);
		char *now = to ? path_join(to, *below == '/' ? below + 1 : below) : NULL;
		if (now)
			picture_set(world, now, text);
		else
			free(text);
		free(now);
	}
	strv_free(moved);
}

static inline void world_scan(struct world *world, const char *path);
static void scans_step(struct world *world);

static int scan_work(struct job *job, struct err *err) {
	struct scan *scan = container_of(job, struct scan, job);

	watch_add_in_job(&scan->add);
	DIR *dir = opendir(scan->absolute);
	if (!dir) return err_sys(err, errno, "cannot list '%s'", scan->absolute);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..")) {
			strv_add(&scan->names, entry->d_name);
		}
	}
	(void)closedir(dir);
	return 0;
}

static void scan_look(struct world *world, const char *path, bool deeper) {
	bool folder;
	char *text = look(world, path, &folder);

	if (!text)
		world_picture_move(world, path, NULL);
	else
		picture_set(world, path, text);
	if (folder && deeper) world_scan(world, path);
}

static void scan_done(struct job *job, const struct err *failed) {
	struct scan *scan = container_of(job, struct scan, job);
	struct world *world = scan->world;
	struct err err;
	char *path = xstrdup(scan->add.path);

	int ended = watch_add_end(&scan->add, &err);
	if (ended < 0 && err.kind == ERR_CHANGED) world->stale++;
	if ((ended == 0 || err.kind == ERR_FULL) && !failed) {
		char **known = NULL;
		for (struct map_item *it = NULL; (it = map_next(&world->picture, it));) {
			const char *below = map_key(it);
			size_t len = strlen(path);
			if (!path_is_within(below, path) || str_equal(below, path)) continue;
			len += len > 0;
			len += strcspn(below + len, "/");
			strv_add_owned(&known, xstrndup(below, len));
		}
		for (char **child = known; child && *child; child++)
			scan_look(world, *child, false);
		strv_free(known);
		for (char **name = scan->names; name && *name; name++) {
			char *child = path_join(path, *name);
			scan_look(world, child, true);
			free(child);
		}
	}
	world->scans--;
	strv_free(scan->names);
	free(scan->absolute);
	free(path);
	free(scan);
	scans_step(world);
}

static void scans_step(struct world *world) {
	while (world->watch && world->scans < 4 && map_count(&world->wanted) > 0) {
		char *path = xstrdup(map_key(map_next(&world->wanted, NULL))), full[4096];
		struct scan *scan = xcalloc(1, sizeof(*scan));
		(void)map_take(&world->wanted, path);
		world_at(world, full, sizeof(full), path);
		scan->world = world;
		scan->absolute = xstrdup(full);
		scan->job.work = scan_work;
		scan->job.done = scan_done;
		watch_add_begin(&scan->add, world->watch, path);
		world->scans++;
		job_start(world->loop, &scan->job);
		free(path);
	}
}

static inline void world_scan(struct world *world, const char *path) {
	map_put(&world->wanted, path, world);
	scans_step(world);
}

static void happened(void *user, const struct watch_event *event) {
	static const char *const words[] = { "changed", "new", "gone", "moved", "overflow",
		"root" };
	struct world *world = user;

	if (!world->watching) {
		buf_addf(&world->log, "%s%s:%s", world->log.len ? " " : "", words[event->what],
			event->path);
		if (event->from) buf_addf(&world->log, "<%s", event->from);
	}
	switch (event->what) {
	case WATCH_CHANGED: scan_look(world, event->path, false); break;
	case WATCH_FOLDER_NEW: scan_look(world, event->path, true); break;
	case WATCH_FOLDER_GONE: world_picture_move(world, event->path, NULL); break;
	case WATCH_FOLDER_MOVED:
		world->moves++;
		world_picture_move(world, event->path, NULL);
		world_picture_move(world, event->from, event->path);
		/* A file that was looked for while the folder had left already was not found. */
		scan_look(world, event->path, true);
		break;
	case WATCH_OVERFLOW:
		world->overflows++;
		world_scan(world, "");
		break;
	case WATCH_ROOT_GONE: world->roots++; break;
	}
}

static void degraded(void *user, const struct err *why) {
	struct world *world = user;

	world->degraded = why ? *why : (struct err){ 0 };
}

/* How it is to be watched: a setup that finds another way fails. NULL: either. */
static const char *world_way;

static const struct watch_calls world_calls = { .happened = happened, .degraded = degraded };

/* ---- running ---- */

struct ticker {
	struct timer timer;
	bool over;
};

static void tick(struct timer *timer) {
	container_of(timer, struct ticker, timer)->over = true;
}

static inline void world_run_ms(struct world *world, int64_t ms) {
	struct ticker ticker = { .over = false };

	timer_init(&ticker.timer, world->loop, tick);
	timer_start(&ticker.timer, ms);
	loop_run_until(world->loop, &ticker.over);
}

/* Until everything that happened is in the picture. */
static inline void world_settle(struct world *world) {
	for (;;) {
		watch_drain(world->watch);
		if (world->scans == 0) return;
		world_run_ms(world, 1);
	}
}

static inline void world_logged(struct world *world, const char *want) {
	world_settle(world);
	assert_string_equal(world->log.at, want);
	buf_clear(&world->log);
}

/* A disk of its own: the neighbours' writes are told by fanotify as well, and may fill its queue. 0 or -1. */
static inline int world_alone(void) {
	if (own_mounts() == 0 && mount("none", "/tmp", "tmpfs", 0, NULL) == 0) return 0;
	perror("a disk of my own");
	return -1;
}

static inline int world_setup(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(2, &err);
	strcpy(world->root, "/tmp/tend-watch-XXXXXX");
	if (!world->loop || !mkdtemp(world->root)) return -1;
	world->watch = watch_new(world->loop, world->root, &world_calls, world, &err);
	if (!world->watch) return -1;
	buf_init(&world->log, 1 << 20);
	map_init(&world->picture);
	map_init(&world->wanted);
	world_scan(world, "");
	world_settle(world);
	if (world_way && !str_equal(watch_way(world->watch), world_way)) return -1;
	*state = world;
	return 0;
}

static inline int world_remove_one(
	const char *path, const struct stat *stat, int kind, struct FTW *walk) {
	return remove(path);
}

static inline int world_teardown(void **state) {
	struct world *world = *state;

	watch_free(world->watch);
	world_picture_move(world, "", NULL);
	map_release(&world->picture);
	map_release(&world->wanted);
	world_run_ms(world, 0);
	loop_free(world->loop);
	buf_release(&world->log);
	(void)nftw(world->root, world_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

/* ---- the disk ---- */

static inline void world_make(struct world *world, const char *path) {
	char full[4096];

	world_at(world, full, sizeof(full), path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static inline void world_put(struct world *world, const char *path, const char *text) {
	char full[4096];

	world_at(world, full, sizeof(full), path);
	FILE *file = fopen(full, "a");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void world_move(struct world *world, const char *from, const char *to) {
	char a[4096], b[4096];

	world_at(world, a, sizeof(a), from);
	world_at(world, b, sizeof(b), to);
	assert_int_equal(rename(a, b), 0);
}

static inline void world_discard(struct world *world, const char *path) {
	char full[4096];

	world_at(world, full, sizeof(full), path);
	assert_int_equal(remove(full), 0);
}

static struct world *comparing;
static size_t compared;

static int compare_one(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
	const char *below = path + strlen(comparing->root);
	bool folder;

	if (*below == '\0') return 0;
	char *text = look(comparing, below + 1, &folder);
	const char *known = map_get(&comparing->picture, below + 1);
	if (!str_equal(text, known)) {
		fail_msg("'%s' is '%s', known is '%s'", below + 1, text ? text : "",
			known ? known : "");
	}
	free(text);
	compared++;
	return 0;
}

/* The picture is the disk, no more and no less. */
static inline void world_compare(struct world *world) {
	comparing = world;
	compared = 0;
	assert_int_equal(nftw(world->root, compare_one, 16, FTW_PHYS), 0);
	bool extra = map_count(&world->picture) != compared;
	for (struct map_item *it = NULL; extra && (it = map_next(&world->picture, it));) {
		bool folder;
		char *text = look(world, map_key(it), &folder);
		if (!text) fail_msg("'%s' is known and not there", map_key(it));
		free(text);
	}
}

#endif
