/* The real watch on real folders: single events, storms compared with the disk, overflow, limits,
 * the root's end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

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

static void at(struct world *world, char *full, size_t size, const char *path) {
	(void)snprintf(full, size, "%s/%s", world->root, path);
}

static void picture_set(struct world *world, const char *path, char *text) {
	free(text ? map_put(&world->picture, path, text) : map_take(&world->picture, path));
}

static char *look(struct world *world, const char *path, bool *folder) {
	char full[4096];
	struct stat stat;

	at(world, full, sizeof(full), path);
	*folder = false;
	if (lstat(full, &stat) < 0) return NULL;
	*folder = S_ISDIR(stat.st_mode);
	if (*folder) return xstrdup("folder");
	return xasprintf("%lu %ld %ld", (unsigned long)stat.st_ino, (long)stat.st_size,
		(long)stat.st_mtim.tv_nsec);
}

/* Takes all at and below `from` out of the picture; puts it in again below `to`. */
static void picture_move(struct world *world, const char *from, const char *to) {
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

static void scan_start(struct world *world, const char *path);
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
		picture_move(world, path, NULL);
	else
		picture_set(world, path, text);
	if (folder && deeper) scan_start(world, path);
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
		at(world, full, sizeof(full), path);
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

static void scan_start(struct world *world, const char *path) {
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
	case WATCH_FOLDER_GONE: picture_move(world, event->path, NULL); break;
	case WATCH_FOLDER_MOVED:
		world->moves++;
		picture_move(world, event->path, NULL);
		picture_move(world, event->from, event->path);
		/* A file that was looked for while the folder had left already was not found. */
		scan_look(world, event->path, true);
		break;
	case WATCH_OVERFLOW:
		world->overflows++;
		scan_start(world, "");
		break;
	case WATCH_ROOT_GONE: world->roots++; break;
	}
}

static void degraded(void *user, const struct err *why) {
	struct world *world = user;

	world->degraded = why ? *why : (struct err){ 0 };
}

static const struct watch_calls calls = { .happened = happened, .degraded = degraded };

/* ---- running ---- */

struct ticker {
	struct timer timer;
	bool over;
};

static void tick(struct timer *timer) {
	container_of(timer, struct ticker, timer)->over = true;
}

static void run_ms(struct world *world, int64_t ms) {
	struct ticker ticker = { .over = false };

	timer_init(&ticker.timer, world->loop, tick);
	timer_start(&ticker.timer, ms);
	loop_run_until(world->loop, &ticker.over);
}

/* Until everything that happened is in the picture. */
static void settle(struct world *world) {
	for (;;) {
		watch_drain(world->watch);
		if (world->scans == 0) return;
		run_ms(world, 1);
	}
}

static void logged(struct world *world, const char *want) {
	settle(world);
	assert_string_equal(world->log.at, want);
	buf_clear(&world->log);
}

static int setup(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(2, &err);
	strcpy(world->root, "/tmp/tend-watch-XXXXXX");
	if (!world->loop || !mkdtemp(world->root)) return -1;
	world->watch = watch_new(world->loop, world->root, &calls, world, &err);
	if (!world->watch) return -1;
	buf_init(&world->log, 1 << 20);
	map_init(&world->picture);
	map_init(&world->wanted);
	scan_start(world, "");
	settle(world);
	*state = world;
	return 0;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
	return remove(path);
}

static int teardown(void **state) {
	struct world *world = *state;

	watch_free(world->watch);
	picture_move(world, "", NULL);
	map_release(&world->picture);
	map_release(&world->wanted);
	run_ms(world, 0);
	loop_free(world->loop);
	buf_release(&world->log);
	(void)nftw(world->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

/* ---- the disk ---- */

static void make(struct world *world, const char *path) {
	char full[4096];

	at(world, full, sizeof(full), path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void put(struct world *world, const char *path, const char *text) {
	char full[4096];

	at(world, full, sizeof(full), path);
	FILE *file = fopen(full, "a");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void move(struct world *world, const char *from, const char *to) {
	char a[4096], b[4096];

	at(world, a, sizeof(a), from);
	at(world, b, sizeof(b), to);
	assert_int_equal(rename(a, b), 0);
}

static void discard(struct world *world, const char *path) {
	char full[4096];

	at(world, full, sizeof(full), path);
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
static void compare(struct world *world) {
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

/* ---- tests ---- */

static void single_events(void **state) {
	struct world *world = *state;

	put(world, "f", "1");
	put(world, "f", "2");
	put(world, "new\nline \xff", "");
	logged(world, "changed:f changed:new\nline \xff");
	make(world, "a");
	logged(world, "new:a");
	put(world, "a/f", "1");
	move(world, "f", "a/g");
	logged(world, "changed:a/f changed:f changed:a/g");
	make(world, "a/b");
	settle(world);
	buf_clear(&world->log);
	move(world, "a", "z");
	put(world, "z/b/h", "1");
	logged(world, "moved:z<a changed:z/b/h");
	assert_int_equal(watch_count(world->watch), 3);
	char full[128];
	at(world, full, sizeof(full), "z/f");
	assert_int_equal(chmod(full, 0600), 0);
	at(world, full, sizeof(full), "z/fl");
	assert_int_equal(symlink("nowhere", full), 0);
	logged(world, "changed:z/f changed:z/fl");
	at(world, full, sizeof(full), "z/b");
	assert_int_equal(chmod(full, 0755), 0);
	logged(world, "changed:z/b");
	discard(world, "z/b/h");
	discard(world, "z/b");
	logged(world, "changed:z/b/h gone:z/b");
	assert_int_equal(watch_count(world->watch), 2);
	/* Out of sight: the other half of the move never comes. */
	char out[128];
	(void)snprintf(out, sizeof(out), "%s-out", world->root);
	at(world, full, sizeof(full), "z");
	assert_int_equal(rename(full, out), 0);
	logged(world, "gone:z");
	assert_int_equal(watch_count(world->watch), 1);
	assert_int_equal(rename(out, full), 0);
	logged(world, "new:z");
	assert_int_equal(watch_count(world->watch), 2);
	compare(world);
}

/* The same without a drain: what is held comes by itself. */
static void a_folder_that_left_is_told_without_a_drain(void **state) {
	struct world *world = *state;
	char full[128], out[128];

	make(world, "a");
	settle(world);
	buf_clear(&world->log);
	at(world, full, sizeof(full), "a");
	(void)snprintf(out, sizeof(out), "%s-out", world->root);
	assert_int_equal(rename(full, out), 0);
	while (world->log.len == 0) run_ms(world, 1);
	assert_string_equal(world->log.at, "gone:a");
	assert_int_equal(rmdir(out), 0);
}

static void over_an_empty_folder(void **state) {
	struct world *world = *state;

	make(world, "a");
	make(world, "b");
	put(world, "a/f", "1");
	settle(world);
	buf_clear(&world->log);
	move(world, "a", "b");
	put(world, "b/f", "2");
	logged(world, "moved:b<a changed:b/f");
	assert_int_equal(watch_count(world->watch), 2);
	compare(world);
}

static void dropped_folders_are_silent(void **state) {
	struct world *world = *state;

	make(world, "a");
	make(world, "a/b");
	settle(world);
	assert_int_equal(watch_count(world->watch), 3);
	buf_clear(&world->log);
	watch_drop_folder(world->watch, "a");
	assert_int_equal(watch_count(world->watch), 1);
	put(world, "a/f", "1");
	put(world, "a/b/f", "1");
	put(world, "f", "1");
	logged(world, "changed:f");
}

static void additions_end_in_every_way(void **state) {
	struct world *world = *state;
	struct watch_add add;
	struct err err;

	assert_int_equal(watch_add_folder(world->watch, "nowhere", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	put(world, "f", "1");
	assert_int_equal(watch_add_folder(world->watch, "f", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	make(world, "a");
	settle(world);
	assert_int_equal(watch_add_folder(world->watch, "a", &err), 0);
	assert_int_equal(watch_count(world->watch), 2);

	watch_add_begin(&add, world->watch, "a");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);

	/* It moves after the job looked: the number is right, the place is not. */
	make(world, "a/b");
	settle(world);
	watch_drop_folder(world->watch, "a/b");
	buf_clear(&world->log);
	watch_add_begin(&add, world->watch, "a/b");
	watch_add_in_job(&add);
	move(world, "a", "c");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	logged(world, "moved:c<a new:c/b");
	assert_int_equal(watch_count(world->watch), 3);

	/* It is replaced after the job looked. */
	watch_drop_folder(world->watch, "c/b");
	watch_add_begin(&add, world->watch, "c/b");
	watch_add_in_job(&add);
	discard(world, "c/b");
	make(world, "c/b");
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	settle(world);
	buf_clear(&world->log);
	put(world, "c/b/f", "1");
	logged(world, "changed:c/b/f");

	/* Something happens in it before the end: it is to be listed again. */
	watch_drop_folder(world->watch, "c/b");
	watch_add_begin(&add, world->watch, "c/b");
	watch_add_in_job(&add);
	put(world, "c/b/g", "1");
	watch_drain(world->watch);
	assert_int_equal(watch_add_end(&add, &err), 0);
	logged(world, "new:c/b");
	compare(world);

	/* The watch ends first. */
	watch_add_begin(&add, world->watch, "c");
	watch_free(world->watch);
	world->watch = NULL;
	watch_add_in_job(&add);
	assert_int_equal(watch_add_end(&add, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);
}

/* One folder in two trees, and a move from one tree to the other: one number, two places. */
static void two_watches_of_one_folder(void **state) {
	struct world *outer = *state;
	struct world inner = { .loop = outer->loop };
	struct err err;

	make(outer, "in");
	settle(outer);
	at(outer, inner.root, sizeof(inner.root), "in");
	inner.watch = watch_new(inner.loop, inner.root, &calls, &inner, &err);
	assert_non_null(inner.watch);
	buf_init(&inner.log, 10000);
	map_init(&inner.picture);
	map_init(&inner.wanted);
	scan_start(&inner, "");
	settle(&inner);
	buf_clear(&outer->log);
	make(outer, "in/a");
	settle(&inner);
	settle(outer);
	buf_clear(&outer->log);
	buf_clear(&inner.log);
	put(outer, "in/a/f", "1");
	settle(&inner);
	logged(outer, "changed:in/a/f");
	logged(&inner, "changed:a/f");
	move(outer, "in/a", "b");
	logged(&inner, "gone:a");
	settle(outer);
	put(outer, "b/f", "2");
	logged(outer, "moved:b<in/a changed:b/f");
	move(outer, "b", "in/c");
	settle(&inner);
	put(outer, "in/c/f", "2");
	settle(&inner);
	settle(outer);
	compare(outer);
	compare(&inner);
	watch_drop_folder(outer->watch, "in/c");
	buf_clear(&outer->log);
	buf_clear(&inner.log);
	put(outer, "in/c/f", "3");
	logged(outer, "");
	logged(&inner, "changed:c/f");
	watch_free(inner.watch);
	picture_move(&inner, "", NULL);
	map_release(&inner.picture);
	buf_release(&inner.log);
	put(outer, "in/f", "1");
	logged(outer, "changed:in/f");
}

static void the_root_ends(void **state) {
	struct world *world = *state;
	char moved[128];

	(void)snprintf(moved, sizeof(moved), "%s-moved", world->root);
	assert_int_equal(rename(world->root, moved), 0);
	settle(world);
	assert_int_equal(world->roots, 1);
	assert_int_equal(rmdir(moved), 0);
	settle(world);
	assert_int_equal(world->roots, 1);
	struct err err;
	assert_int_equal(watch_add_folder(world->watch, "", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void the_root_is_removed(void **state) {
	struct world *world = *state;

	make(world, "a");
	settle(world);
	discard(world, "a");
	discard(world, "");
	settle(world);
	assert_int_equal(world->roots, 1);
}

/* ---- storms ---- */

static uint64_t seed = 7;

static unsigned pick(unsigned below) {
	/* splitmix64 */
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (unsigned)((z ^ (z >> 31)) % below);
}

static int write_one(const char *path, int i) {
	char text[16];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600),
	    len = snprintf(text, sizeof(text), "%d", i);

	if (fd < 0) return -1;
	ssize_t wrote = write(fd, text, (size_t)len);
	return close(fd) == 0 && wrote == len ? 0 : -1;
}

/* In a process of its own: what trap 12 says, and everything else that moves folders about. Steps
 * that cannot be done are left out. */
static void storm(int rounds) {
	char a[64], b[128], in[128];

	for (int i = 0; i < rounds; i++) {
		(void)snprintf(a, sizeof(a), "r%u", pick(12));
		(void)snprintf(b, sizeof(b), "%s/r%u", pick(2) ? "." : a, pick(12));
		switch (pick(8)) {
		case 0:
		case 1:
		case 2:
			(void)mkdir("a", 0700);
			(void)mkdir("a/b", 0700);
			(void)mkdir("a/b/c", 0700);
			(void)write_one("a/b/c/f", i);
			if (rename("a", a) < 0) (void)rename("a", b);
			break;
		case 3: (void)rename(a, b); break;
		case 4:
			(void)snprintf(in, sizeof(in), "%s/b/c/f", a);
			(void)write_one(in, i);
			break;
		case 5:
			(void)snprintf(in, sizeof(in), "%s/b", a);
			(void)rename(in, b);
			break;
		case 6: (void)nftw(a, remove_one, 16, FTW_DEPTH | FTW_PHYS); break;
		default:
			(void)mkdir(a, 0700);
			(void)snprintf(in, sizeof(in), "%s/g", a);
			(void)write_one(in, i);
			(void)rename(in, "g");
			break;
		}
	}
}

static pid_t fork_in(const char *root, void (*work)(int rounds), int rounds) {
	pid_t child = fork();

	assert_true(child >= 0);
	if (child > 0) return child;
	if (chdir(root) < 0) _exit(1);
	work(rounds);
	_exit(0);
}

static void wait_for(struct world *world, pid_t child) {
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) run_ms(world, 1);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void storms_are_not_missed(void **state) {
	struct world *world = *state;

	world->watching = true;
	for (int round = 0; round < 10; round++) {
		pid_t child = fork_in(world->root, storm, 300);
		wait_for(world, child);
		settle(world);
		compare(world);
		seed += 1000;
	}
	assert_int_equal(world->overflows, 0);
	/* It was a storm: additions met moves, and watches followed. */
	assert_true(world->stale > 0 && world->moves > 0);
}

static void flood(int rounds) {
	char path[32];

	for (int i = 0; i < rounds; i++) {
		(void)snprintf(path, sizeof(path), "d/%d", i);
		if (write_one(path, i) < 0) _exit(1);
	}
	if (mkdir("late", 0700) < 0 || rename("d", "late/e") < 0) _exit(1);
}

/* More than the queue holds while nobody reads: told, and cured by the scan. */
static void an_overflow_is_told(void **state) {
	struct world *world = *state;
	char text[32];
	int status;
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	int most = (int)strtol(text, NULL, 10);
	make(world, "d");
	make(world, "d/deep");
	settle(world);
	buf_clear(&world->log);
	world->watching = true;
	pid_t child = fork_in(world->root, flood, most / 2);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	settle(world);
	assert_int_equal(world->overflows, 1);
	assert_int_equal(watch_count(world->watch), 4);
	compare(world);
	/* It goes on where it stands now. */
	world->watching = false;
	put(world, "late/e/deep/f", "1");
	logged(world, "changed:late/e/deep/f");
	compare(world);
}

/* ---- limits ---- */

static void write_text(const char *path, const char *text) {
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) _exit(10);
	(void)close(fd);
}

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			(void)fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)

/* In a user namespace of its own, so that the limit is nobody else's. */
static int at_the_limit(void) {
	void *state = NULL;

	write_text("/proc/sys/user/max_inotify_watches", "3");
	CHECK(setup(&state) == 0);
	struct world *world = state;
	for (int i = 0; i < 6; i++) {
		char path[16];
		(void)snprintf(path, sizeof(path), "d%d", i);
		make(world, path);
	}
	settle(world);
	CHECK(watch_is_degraded(world->watch));
	CHECK(watch_count(world->watch) == 3);
	CHECK(world->degraded.kind == ERR_FULL);
	CHECK(str_starts(world->degraded.text, "fs.inotify.max_user_watches is "));
	CHECK(strstr(world->degraded.text, ": run 'sysctl fs.inotify.max_user_watches="));
	/* Raised, and scanned again: cured. Folders that are gone need no watch. */
	write_text("/proc/sys/user/max_inotify_watches", "6");
	discard(world, "d0");
	scan_start(world, "");
	settle(world);
	CHECK(!watch_is_degraded(world->watch));
	CHECK(watch_count(world->watch) == 6);
	CHECK(world->degraded.kind == ERR_NONE);

	/* Descriptors: the first is shared. */
	struct err err;
	write_text("/proc/sys/user/max_inotify_instances", "1");
	struct watch *second = watch_new(world->loop, world->root, &calls, world, &err);
	CHECK(second);
	watch_free(second);
	watch_free(world->watch);
	world->watch = NULL;
	write_text("/proc/sys/user/max_inotify_instances", "0");
	CHECK(!watch_new(world->loop, world->root, &calls, world, &err));
	CHECK(err.kind == ERR_FULL);
	CHECK(strstr(err.text, "run 'sysctl fs.inotify.max_user_instances="));
	CHECK(teardown(&state) == 0);
	return 0;
}

/* A namespace is entered by a process without threads, and sanitizers start some. */
static void limits_name_the_line_to_run(void **state) {
	char self[4096] = "";
	int status;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)execlp("unshare", "unshare", "--map-root-user", self, "limit", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_name_the_line_to_run),
		cmocka_unit_test_setup_teardown(single_events, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_folder_that_left_is_told_without_a_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(over_an_empty_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(dropped_folders_are_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(additions_end_in_every_way, setup, teardown),
		cmocka_unit_test_setup_teardown(two_watches_of_one_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(storms_are_not_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(an_overflow_is_told, setup, teardown),
	};

	if (argc == 2 && str_equal(argv[1], "limit")) return at_the_limit();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
