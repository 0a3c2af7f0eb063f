/* What only the directory store can get wrong: names, mounts, links, crashes, full and foreign
 * disks. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto/crypto.h"
#include "store/store.h"
#include "support/own_mounts.h"

enum { REPLACEMENTS = 5000, MTIME_NS = 1700000000 };

static struct loop *loop;

struct scene {
	char top[64];
	char root[80]; /* a tmpfs of its own */
	struct store *store;
	struct err err;
};

static void tmpfs(const char *path, const char *options) {
	assert_int_equal(mount("none", path, "tmpfs", 0, options), 0);
}

static int setup(void **state) {
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->top, sizeof(scene->top), "/tmp/tend-store-XXXXXX");
	assert_non_null(mkdtemp(scene->top));
	tmpfs(scene->top, "size=64m");
	snprintf(scene->root, sizeof(scene->root), "%s/root", scene->top);
	assert_int_equal(mkdir(scene->root, 0755), 0);
	scene->store = store_directory_new(loop, scene->root);
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;

	store_free(scene->store);
	assert_int_equal(umount2(scene->top, MNT_DETACH), 0);
	assert_int_equal(rmdir(scene->top), 0);
	free(scene);
	return 0;
}

static char *at(struct scene *scene, const char *path) {
	static char text[4][512];
	static int turn;
	char *here = text[turn++ % 4];

	snprintf(here, 512, "%s/%s", scene->root, path);
	return here;
}

/* ---- operations ---- */

struct wait {
	bool done;
	struct err err;
};
static struct wait *waiting;

static void op_done(struct store_op *op, const struct err *err) {
	waiting->err = err ? *err : (struct err){ 0 };
	waiting->done = true;
}

static enum err_kind run(struct scene *scene, struct store_op *op) {
	struct wait wait = { 0 };

	waiting = &wait;
	op->done = op_done;
	store_start(scene->store, op);
	loop_run_until(loop, &wait.done);
	scene->err = wait.err;
	return wait.err.kind;
}

static void fine(struct scene *scene, struct store_op *op) {
	if (run(scene, op) != ERR_NONE) fail_msg("%s", scene->err.text);
}

static void put_op(struct store_op *op, const char *key, const char *text) {
	store_op_init(op, STORE_PUT, key);
	op->kind = STORE_FILE;
	op->body = text;
	op->body_len = strlen(text);
	op->size = (int64_t)strlen(text);
	op->mtime_ns = MTIME_NS;
	op->mode = 0644;
}

/* The version that PUT answered; the caller's. */
static char *put(struct scene *scene, const char *key, const char *text) {
	struct store_op op;

	put_op(&op, key, text);
	fine(scene, &op);
	char *version = xstrdup(op.entry.version);
	store_op_release(&op);
	return version;
}

static enum err_kind about(struct scene *scene) {
	struct store_op op;

	store_op_init(&op, STORE_ABOUT, "");
	enum err_kind kind = run(scene, &op);
	store_op_release(&op);
	return kind;
}

static void make_folder(struct scene *scene, const char *key) {
	struct store_op op;

	store_op_init(&op, STORE_MKDIR, key);
	op.mode = 0755;
	fine(scene, &op);
	store_op_release(&op);
}

static void expect(struct scene *scene, const char *path, const char *text) {
	char bytes[256] = "";
	FILE *file = fopen(at(scene, path), "r");

	if (!file) fail_msg("'%s' is not there", path);
	size_t len = fread(bytes, 1, sizeof(bytes) - 1, file);
	bytes[len] = '\0';
	fclose(file);
	assert_string_equal(bytes, text);
}

static void expect_no_leftovers(struct scene *scene) {
	char *command = xasprintf("test -z \"$(find '%s' -name '.tend-tmp.*')\"", scene->root);

	assert_int_equal(system(command), 0);
	free(command);
}

/* ---- tests ---- */

struct watcher {
	const char *path;
	atomic_bool stop;
	unsigned seen, missed;
};

static void *watch_name(void *user) {
	struct watcher *watcher = user;
	struct stat stat_of;

	while (!atomic_load(&watcher->stop)) {
		if (stat(watcher->path, &stat_of) < 0) watcher->missed++;
		watcher->seen++;
	}
	return NULL;
}

static void a_name_is_never_absent(void **state) {
	struct scene *scene = *state;
	struct watcher watcher = { 0 };
	pthread_t thread;
	char text[32], keep[64];

	free(put(scene, "file", "first"));
	watcher.path = xstrdup(at(scene, "file"));
	assert_int_equal(pthread_create(&thread, NULL, watch_name, &watcher), 0);
	for (int i = 0; i < REPLACEMENTS; i++) {
		struct store_op op;
		snprintf(text, sizeof(text), "content %d", i);
		snprintf(keep, sizeof(keep), ".tend/versions/file/%d", i);
		put_op(&op, "file", text);
		if (i % 2) op.keep_key = keep;
		fine(scene, &op);
		assert_int_equal(op.kept, i % 2);
		store_op_release(&op);
	}
	atomic_store(&watcher.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(watcher.missed, 0);
	assert_true(watcher.seen > 0);
	expect(scene, ".tend/versions/file/4999", "content 4998");
	expect_no_leftovers(scene);
	free((char *)watcher.path);
}

static void a_version_is_what_every_look_tells(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	free(put(scene, "file", "old"));
	put_op(&op, "file", "new");
	op.keep_key = ".tend/versions/file/1";
	fine(scene, &op);
	char *version = xstrdup(op.entry.version);
	store_op_release(&op);
	store_op_init(&op, STORE_STAT, "file");
	fine(scene, &op);
	assert_string_equal(op.entry.version, version);
	store_op_release(&op);
	store_op_init(&op, STORE_LIST, "");
	fine(scene, &op);
	assert_int_equal(op.entry_count, 1); /* ours is hidden */
	assert_string_equal(op.entries[0].name, "file");
	assert_string_equal(op.entries[0].version, version);
	store_op_release(&op);
	free(version);
}

/* Killed between the link to keep_key and the rename: the link has moved the ctime of what is to
 * be replaced. */
static void a_replacement_half_done_is_finished(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	char *version = put(scene, "file", "old");
	assert_int_equal(mkdir(at(scene, ".tend/versions"), 0755), 0);
	assert_int_equal(link(at(scene, "file"), at(scene, ".tend/versions/1")), 0);
	for (int again = 0; again < 3; again++) {
		put_op(&op, "file", "new");
		op.if_version = version;
		op.keep_key = ".tend/versions/1";
		fine(scene, &op);
		assert_true(op.kept);
		store_op_release(&op);
		expect(scene, "file", "new");
		expect(scene, ".tend/versions/1", "old");
	}
	/* Without the link the moved ctime is somebody else's doing. */
	char *now = put(scene, "other", "old");
	assert_int_equal(link(at(scene, "other"), at(scene, "theirs")), 0);
	put_op(&op, "other", "new");
	op.if_version = now;
	op.keep_key = ".tend/versions/2";
	assert_int_equal(run(scene, &op), ERR_CHANGED);
	store_op_release(&op);
	expect(scene, "other", "old");
	expect_no_leftovers(scene);
	free(version);
	free(now);
}

static void a_kept_version_is_never_overwritten(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	free(put(scene, "file", "old"));
	free(put(scene, "kept", "another"));
	put_op(&op, "file", "new");
	op.keep_key = "kept";
	assert_int_equal(run(scene, &op), ERR_CHANGED);
	store_op_release(&op);
	store_op_init(&op, STORE_REMOVE, "file");
	op.kind = STORE_FILE;
	op.keep_key = "kept";
	assert_int_equal(run(scene, &op), ERR_CHANGED);
	expect(scene, "file", "old");
	expect(scene, "kept", "another");
	expect_no_leftovers(scene);
	op.keep_key = "a/new/place";
	for (int again = 0; again < 2; again++) {
		fine(scene, &op);
		assert_true(op.kept);
	}
	store_op_release(&op);
	expect(scene, "a/new/place", "old");
	assert_int_equal(access(at(scene, "file"), F_OK), -1);
}

static void links_are_kept_as_links(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	char target[64] = "";

	static const char *const targets[] = { "one", "two", NULL };
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		char keep[32];
		snprintf(keep, sizeof(keep), "kept/%zu", i);
		put_op(&op, "link", targets[i] ? targets[i] : "");
		op.kind = STORE_LINK;
		if (!targets[i]) op.verb = STORE_REMOVE;
		op.keep_key = keep;
		fine(scene, &op);
		assert_int_equal(op.kept, i > 0);
		store_op_release(&op);
	}
	assert_int_equal(readlink(at(scene, "kept/1"), target, sizeof(target)), 3);
	assert_string_equal(target, "one");
	assert_int_equal(readlink(at(scene, "kept/2"), target, sizeof(target)), 3);
	assert_string_equal(target, "two");
}

static void a_link_in_the_way_is_not_followed(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	char *outside = xasprintf("%s/outside", scene->top);
	assert_int_equal(mkdir(outside, 0755), 0);
	assert_int_equal(symlink("../outside", at(scene, "way")), 0);
	put_op(&op, "way/file", "text");
	assert_int_equal(run(scene, &op), ERR_INVALID);
	store_op_release(&op);
	put_op(&op, "kept", "text");
	op.keep_key = "way/version";
	free(put(scene, "kept", "old"));
	assert_int_equal(run(scene, &op), ERR_INVALID);
	store_op_release(&op);
	store_op_init(&op, STORE_REMOVE, "way/file");
	assert_int_equal(run(scene, &op), ERR_INVALID);
	store_op_release(&op);
	store_op_init(&op, STORE_LIST, "way");
	assert_int_not_equal(run(scene, &op), ERR_NONE);
	assert_false(op.complete);
	store_op_release(&op);
	store_op_init(&op, STORE_SET, "way");
	op.mtime_ns = 5;
	fine(scene, &op);
	store_op_release(&op);
	struct stat stat_of;
	assert_int_equal(stat(outside, &stat_of), 0);
	assert_int_not_equal(stat_of.st_mtim.tv_sec, 0);
	assert_int_equal(rmdir(outside), 0); /* nothing came in */
	expect_no_leftovers(scene);
	free(outside);
}

/* ---- many that are begun together ---- */

enum { TOGETHER = 240, WAVES = 40 };

struct wave_op {
	struct store_op op;
	char *key;
	struct err err;
	struct wave *wave;
};

struct wave {
	struct wave_op ops[TOGETHER];
	unsigned ended;
	bool done;
};

static void wave_op_done(struct store_op *op, const struct err *err) {
	struct wave_op *one = container_of(op, struct wave_op, op);

	if (err) one->err = *err;
	one->wave->done = ++one->wave->ended == TOGETHER;
}

/* Small new files, each below one of `folders` ("": the root) in turn, all begun in one turn of the
 * loop. */
static struct wave *run_wave(
	struct scene *scene, unsigned number, const char *const *folders, size_t count) {
	struct wave *wave = xcalloc(1, sizeof(*wave));

	for (unsigned i = 0; i < TOGETHER; i++) {
		struct wave_op *one = &wave->ops[i];
		const char *folder = folders[i % count];
		one->key = xasprintf("%s%s%u-%u", folder, *folder ? "/" : "", number, i);
		put_op(&one->op, one->key, "text");
		one->wave = wave;
		one->op.if_absent = true;
		one->op.done = wave_op_done;
		store_start(scene->store, &one->op);
	}
	loop_run_until(loop, &wave->done);
	return wave;
}

static void wave_free(struct wave *wave) {
	for (unsigned i = 0; i < TOGETHER; i++) {
		store_op_release(&wave->ops[i].op);
		free(wave->ops[i].key);
	}
	free(wave);
}

static void files_begun_together_find_their_folders(void **state) {
	static const char *const folders[] = { "one", "", "one/two", "gone", "oneone" };
	struct scene *scene = *state;

	make_folder(scene, "one");
	make_folder(scene, "one/two");
	make_folder(scene, "oneone");
	for (unsigned number = 0; number < 2; number++) {
		struct wave *wave = run_wave(scene, number, folders, ARRAY_LEN(folders));
		for (unsigned i = 0; i < TOGETHER; i++) {
			if (str_equal(folders[i % ARRAY_LEN(folders)], "gone"))
				assert_int_equal(wave->ops[i].err.kind, ERR_NOT_FOUND);
			else
				expect(scene, wave->ops[i].key, "text");
		}
		wave_free(wave);
	}
	/* The second time each name is taken, by the very same thing and so by our own earlier try. */
	struct wave *wave = run_wave(scene, 0, folders, 1);
	for (unsigned i = 0; i < TOGETHER; i++) assert_int_equal(wave->ops[i].err.kind, ERR_NONE);
	wave_free(wave);
	expect_no_leftovers(scene);
}

struct swapper {
	struct scene *scene;
	atomic_bool stop;
};

/* Over and over `way` is moved off, a link stands there, then another folder does. */
static void *swap_way(void *user) {
	struct swapper *swapper = user;
	char way[128], off[160];

	snprintf(way, sizeof(way), "%s/way", swapper->scene->root);
	for (unsigned i = 0; !atomic_load(&swapper->stop); i++) {
		snprintf(off, sizeof(off), "%s/off%u", swapper->scene->root, i);
		assert_int_equal(rename(way, off), 0);
		assert_int_equal(symlink("../outside", way), 0);
		assert_int_equal(unlink(way), 0);
		assert_int_equal(mkdir(way, 0755), 0);
	}
	return NULL;
}

/* What is answered stands somewhere in the remote folder, and nothing ever behind a link. */
static void a_folder_swapped_meanwhile_is_not_left(void **state) {
	static const char *const folders[] = { "way" };
	struct scene *scene = *state;
	struct swapper swapper = { .scene = scene };
	unsigned stored = 0;
	pthread_t thread;

	char *outside = xasprintf("%s/outside", scene->top);
	assert_int_equal(mkdir(outside, 0755), 0);
	make_folder(scene, "way");
	assert_int_equal(pthread_create(&thread, NULL, swap_way, &swapper), 0);
	for (unsigned number = 0; number < WAVES; number++) {
		struct wave *wave = run_wave(scene, number, folders, 1);
		for (unsigned i = 0; i < TOGETHER; i++) stored += wave->ops[i].err.kind == ERR_NONE;
		wave_free(wave);
	}
	atomic_store(&swapper.stop, true);
	pthread_join(thread, NULL);
	char *command = xasprintf(
		"test $(find '%s' -type f -name '*-*' | wc -l) -eq %u", scene->root, stored);
	assert_int_equal(system(command), 0);
	assert_int_not_equal(stored, 0);
	assert_int_equal(rmdir(outside), 0); /* nothing came in */
	expect_no_leftovers(scene);
	free(command);
	free(outside);
}

static void a_full_disk_harms_nothing(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	char *big = xmalloc(200001);

	memset(big, 'x', 200000);
	big[200000] = '\0';
	tmpfs(scene->root, "size=128k");
	free(put(scene, "file", "old"));
	put_op(&op, "file", big);
	op.keep_key = "kept";
	assert_int_equal(run(scene, &op), ERR_FULL);
	store_op_release(&op);
	put_op(&op, "new", big);
	assert_int_equal(run(scene, &op), ERR_FULL);
	store_op_release(&op);
	store_op_init(&op, STORE_PART_BEGIN, "large");
	op.size = 1 << 20;
	assert_int_equal(run(scene, &op), ERR_FULL);
	store_op_release(&op);
	expect(scene, "file", "old");
	assert_int_equal(access(at(scene, "new"), F_OK), -1);
	expect_no_leftovers(scene);
	store_op_init(&op, STORE_ABOUT, "");
	fine(scene, &op);
	assert_true(op.about.free_bytes > 0 && op.about.free_bytes <= 128 << 10);
	free(big);
}

static void a_read_only_disk_says_so(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	assert_int_equal(mount(scene->root, scene->root, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, scene->root, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(about(scene), ERR_DENIED);
	assert_non_null(strstr(scene->err.text, "read-only"));
	put_op(&op, "file", "text");
	assert_int_equal(run(scene, &op), ERR_DENIED);
	assert_non_null(strstr(scene->err.text, "read-only"));
	store_op_release(&op);
	assert_int_equal(mount(NULL, scene->root, NULL, MS_BIND | MS_REMOUNT, NULL), 0);
	assert_int_equal(about(scene), ERR_NONE); /* cured by itself */
}

static void a_missing_folder_is_not_made(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	assert_int_equal(rmdir(scene->root), 0);
	assert_int_equal(about(scene), ERR_OFFLINE);
	assert_non_null(strstr(scene->err.text, "does not exist"));
	put_op(&op, "file", "text");
	assert_int_equal(run(scene, &op), ERR_OFFLINE);
	store_op_release(&op);
	store_op_init(&op, STORE_MKDIR, "folder");
	assert_int_equal(run(scene, &op), ERR_OFFLINE);
	store_op_release(&op);
	assert_int_equal(access(scene->root, F_OK), -1);
	assert_int_equal(mkdir(scene->root, 0755), 0);
	assert_int_equal(about(scene), ERR_NONE); /* cured by itself */
	free(put(scene, "file", "text"));
}

/* The folder below the mount point is another one: nothing may go there. */
static void an_unmounted_disk_is_offline(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	tmpfs(scene->root, "size=1m");
	free(put(scene, "file", "text"));
	assert_int_equal(umount2(scene->root, MNT_DETACH), 0);
	for (int i = 0; i < 3; i++) {
		put_op(&op, "file", "new");
		assert_int_equal(run(scene, &op), ERR_OFFLINE);
		store_op_release(&op);
		assert_int_equal(access(at(scene, "file"), F_OK), -1);
	}
	assert_non_null(strstr(scene->err.text, "not mounted"));
	tmpfs(scene->root, "size=1m");
	assert_int_equal(mkdir(at(scene, ".tend"), 0755), 0);
	free(put(scene, "file", "again"));
	expect(scene, "file", "again");
}

static bool rung;

static void ring(struct timer *timer) {
	rung = true;
}

static void a_disk_at_rest_can_be_unmounted(void **state) {
	struct scene *scene = *state;
	struct loop *real = loop;
	struct timer timer;

	loop = loop_new_simulated(1); /* whose seconds cost nothing */
	store_free(scene->store);
	scene->store = store_directory_new(loop, scene->root);
	tmpfs(scene->root, "size=1m");
	free(put(scene, "file", "text"));
	assert_int_equal(umount(scene->root), -1);
	assert_int_equal(errno, EBUSY);
	timer_init(&timer, loop, ring);
	timer_start(&timer, 5000);
	loop_run_until(loop, &rung);
	assert_int_equal(umount(scene->root), 0);
	store_free(scene->store);
	scene->store = NULL;
	loop_free(loop);
	loop = real;
}

static void another_disk_inside_is_written_too(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	make_folder(scene, "inside");
	tmpfs(at(scene, "inside"), "size=1m");
	char *version = put(scene, "inside/file", "old");
	put_op(&op, "inside/file", "new");
	op.if_version = version;
	op.keep_key = ".tend/versions/1";
	fine(scene, &op);
	assert_true(op.kept);
	char *now = xstrdup(op.entry.version);
	store_op_release(&op);
	expect(scene, "inside/file", "new");
	expect(scene, ".tend/versions/1", "old");
	store_op_init(&op, STORE_STAT, "inside/file");
	fine(scene, &op);
	assert_string_equal(op.entry.version, now);
	assert_int_equal(op.entry.mtime_ns, MTIME_NS);
	assert_int_equal(op.entry.mode, 0644);
	store_op_release(&op);
	store_op_init(&op, STORE_SYNC, NULL);
	fine(scene, &op);
	store_op_release(&op);
	store_op_init(&op, STORE_REMOVE, "inside/file");
	op.keep_key = ".tend/versions/2";
	fine(scene, &op);
	store_op_release(&op);
	expect(scene, ".tend/versions/2", "new");
	assert_int_equal(access(at(scene, "inside/file"), F_OK), -1);
	expect_no_leftovers(scene);
	free(version);
	free(now);
}

static void modes_are_exact_whatever_the_umask(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	struct stat stat_of;

	mode_t before = umask(077);
	put_op(&op, "file", "text");
	op.mode = 04666;
	fine(scene, &op);
	assert_int_equal(op.entry.mode, 0666);
	store_op_release(&op);
	store_op_init(&op, STORE_MKDIR, "folder");
	op.mode = 0055;
	fine(scene, &op);
	assert_int_equal(op.entry.mode, 0755); /* we must get in */
	store_op_release(&op);
	umask(before);
	assert_int_equal(stat(at(scene, "file"), &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0666);
}

static void a_copy_is_no_hard_link(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	struct stat one, two;

	free(put(scene, "file", "text"));
	store_op_init(&op, STORE_COPY, "file");
	op.to_key = "copy";
	fine(scene, &op);
	store_op_release(&op);
	store_op_init(&op, STORE_SET, "copy");
	op.mtime_ns = 77;
	op.mode = 0600;
	fine(scene, &op);
	store_op_release(&op);
	assert_int_equal(stat(at(scene, "file"), &one), 0);
	assert_int_equal(stat(at(scene, "copy"), &two), 0);
	assert_int_not_equal(one.st_ino, two.st_ino);
	assert_int_equal(one.st_mode & 0777, 0644);
	assert_int_equal(one.st_mtim.tv_nsec, MTIME_NS % NS_PER_S);
	assert_int_equal(two.st_mtim.tv_nsec, 77);
}

static void a_body_comes_from_a_descriptor(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	uint8_t hash[DIGEST_MAX];
	char *source = xasprintf("%s/source", scene->top);

	int fd = open(source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	store_op_init(&op, STORE_PUT, "file");
	op.kind = STORE_FILE;
	op.fd = fd;
	op.offset = 2;
	op.length = op.size = 5;
	op.want_hash = true;
	fine(scene, &op);
	digest_of(scene->store->digest, "23456", 5, hash);
	assert_true(store_hash_tells(scene->store, &op.entry.hash));
	assert_memory_equal(op.entry.hash.bytes, hash, sizeof(hash));
	store_op_release(&op);
	expect(scene, "file", "23456");
	op.want_hash = false;
	op.length = op.size = 9; /* more than there is */
	assert_int_equal(run(scene, &op), ERR_CHANGED);
	store_op_release(&op);
	expect(scene, "file", "23456");
	expect_no_leftovers(scene);
	close(fd);
	free(source);
}

static enum err_kind part(
	struct scene *scene, const char *session, int number, const char *text, char **receipt) {
	struct store_op op;

	store_op_init(&op, STORE_PART_PUT, NULL);
	op.session = session;
	op.part_number = number;
	op.body = text;
	op.body_len = strlen(text);
	enum err_kind kind = run(scene, &op);
	if (receipt) *receipt = xstrdup(op.receipt);
	store_op_release(&op);
	return kind;
}

static void a_large_upload_goes_on_after_a_crash(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	free(put(scene, "large", "old"));
	store_op_init(&op, STORE_PART_BEGIN, "large");
	op.size = 10;
	op.part_size = 4;
	fine(scene, &op);
	char *session = xstrdup(op.answer_session);
	store_op_release(&op);
	assert_int_equal(part(scene, session, 3, "89", NULL), ERR_NONE);
	assert_int_equal(part(scene, session, 1, "xxxx", NULL), ERR_NONE);
	assert_int_equal(part(scene, session, 1, "0123", NULL), ERR_NONE);
	assert_int_equal(part(scene, session, 2, "45678", NULL), ERR_INVALID);

	/* Killed while it added a line: another store object finds the rest. */
	char *command =
		xasprintf("printf '2 4 abc' >>'%s/%s.done'", scene->root, strchr(session, ':') + 1);
	assert_int_equal(system(command), 0);
	free(command);
	store_free(scene->store);
	scene->store = store_directory_new(loop, scene->root);
	store_op_init(&op, STORE_PART_QUERY, NULL);
	op.session = session;
	fine(scene, &op);
	assert_int_equal(op.answer_part_count, 2);
	store_op_release(&op);

	/* Its line continues the half one: not believed. */
	assert_int_equal(part(scene, session, 2, "4567", NULL), ERR_NONE);
	fine(scene, &op);
	assert_int_equal(op.answer_part_count, 2);
	store_op_release(&op);
	assert_int_equal(part(scene, session, 2, "4567", NULL), ERR_NONE);
	fine(scene, &op);
	assert_int_equal(op.answer_part_count, 3);

	struct store_op end;
	struct store_part parts[3];
	uint8_t hash[DIGEST_MAX];
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < 3; k++)
			if (op.answer_parts[k].number == (int)i + 1) parts[i] = op.answer_parts[k];
	for (int again = 0; again < 2; again++) {
		store_op_init(&end, STORE_PART_END, "large");
		end.session = session;
		end.parts = parts;
		end.part_count = 3;
		end.size = 10;
		end.mtime_ns = MTIME_NS;
		end.mode = 0600;
		end.keep_key = "kept";
		digest_of(scene->store->digest, "0123456789", 10, hash);
		end.hash = store_hash_from(scene->store, hash);
		fine(scene, &end);
		assert_true(end.kept);
		assert_int_equal(end.entry.size, 10);
		store_op_release(&end);
	}
	expect(scene, "large", "0123456789");
	expect(scene, "kept", "old");
	expect_no_leftovers(scene);
	store_op_release(&op);
	free(session);
}

static void sessions_of_others_are_refused(void **state) {
	struct scene *scene = *state;
	static const char *const sessions[] = { "", ":", "4", "4:", "0:.tend/tmp/.tend-tmp.x",
		"4:file", "4:../.tend-tmp.x", "4:/.tend-tmp.x", "-1:.tend-tmp.x" };

	free(put(scene, "file", "text"));
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		struct store_op op;
		assert_int_equal(part(scene, sessions[i], 1, "x", NULL), ERR_INVALID);
		store_op_init(&op, STORE_PART_ABORT, NULL);
		op.session = sessions[i];
		assert_int_equal(run(scene, &op), ERR_INVALID);
		store_op_release(&op);
	}
	assert_int_equal(part(scene, "4:.tend/tmp/.tend-tmp.gone", 1, "x", NULL), ERR_NOT_FOUND);
	expect(scene, "file", "text");
}

static void sync_takes_few_and_many(void **state) {
	static const int counts[] = { 0, 1, 64, 200 };
	struct scene *scene = *state;
	struct store_op op;

	make_folder(scene, "folder");
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		for (int k = 0; k < counts[i]; k++) {
			char key[32];
			snprintf(key, sizeof(key), "folder/%d", k);
			free(put(scene, key, "x"));
		}
		/* What went since, and what its owner may not open. */
		unlink(at(scene, "folder/0"));
		chmod(at(scene, "folder/1"), 0);
		store_op_init(&op, STORE_SYNC, NULL);
		fine(scene, &op);
		fine(scene, &op);
		store_op_release(&op);
	}
}

static void what_can_never_be_stored_is_refused(void **state) {
	struct scene *scene = *state;
	char name[300], path[4200];
	struct err err;

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	snprintf(path, sizeof(path), "a/%s/b", name);
	assert_int_equal(store_refuse(scene->store, path, STORE_FILE, &err), 0);
	name[255] = 'n';
	name[256] = '\0';
	snprintf(path, sizeof(path), "a/%s/b", name);
	assert_int_equal(store_refuse(scene->store, path, STORE_FILE, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	for (size_t i = 0; i < sizeof(path); i++) path[i] = i % 100 ? 'p' : '/';
	path[0] = 'p';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(store_refuse(scene->store, path, STORE_FILE, &err), -1);
	assert_int_equal(store_refuse(scene->store, "a", STORE_OTHER, &err), -1);
	assert_int_equal(store_refuse(scene->store, "a/.tend-tmp.1/b", STORE_FILE, &err), -1);
	assert_int_equal(store_refuse(scene->store, "a/.tend-tm", STORE_FILE, &err), 0);
	assert_int_equal(store_refuse(scene->store, "", STORE_FOLDER, &err), 0);
}

static void an_operation_can_be_cancelled(void **state) {
	struct scene *scene = *state;
	struct store_op op;
	struct wait wait = { 0 };

	waiting = &wait;
	put_op(&op, "file", "text");
	op.done = op_done;
	store_start(scene->store, &op);
	store_cancel(scene->store, &op); /* while the root is being opened */
	assert_false(wait.done);
	loop_run_until(loop, &wait.done);
	assert_int_equal(wait.err.kind, ERR_CANCELLED);
	assert_int_equal(access(at(scene, "file"), F_OK), -1);
	store_op_release(&op);
}

/* On a simulated loop, whose clock can be moved. */
static void what_crashes_left_goes_after_a_day(void **state) {
	struct scene *scene = *state;
	static const struct {
		const char *name;
		int64_t days;
		bool stays;
	} rows[] = {
		{ ".tend-tmp.1.put", 0, true },
		{ ".tend-tmp.1.put", 2, false },
		{ ".tend-tmp.2.parts", 2, true },
		{ ".tend-tmp.2.parts.done", 2, true },
		{ ".tend-tmp.2.parts", 8, false },
		{ "theirs", 30, true },
	};

	store_free(scene->store);
	scene->store = NULL;
	assert_int_equal(mkdir(at(scene, ".tend"), 0755), 0);
	assert_int_equal(mkdir(at(scene, ".tend/tmp"), 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct loop *real = loop;
		char path[64];
		snprintf(path, sizeof(path), ".tend/tmp/%s", rows[i].name);
		fclose(fopen(at(scene, path), "w"));
		int64_t now_ns = loop_wall_ns(real) + rows[i].days * 86400 * NS_PER_S;
		loop = loop_new_simulated(1);
		loop_skew_wall(loop, now_ns - loop_wall_ns(loop));
		scene->store = store_directory_new(loop, scene->root);
		assert_int_equal(about(scene), ERR_NONE);
		assert_int_equal(access(at(scene, path), F_OK), rows[i].stays ? 0 : -1);
		store_free(scene->store);
		scene->store = NULL;
		loop_free(loop);
		loop = real;
	}
}

/* Hidden from listings, so they must not hold a folder that looks empty. */
static void leftovers_do_not_hold_a_folder(void **state) {
	struct scene *scene = *state;
	struct store_op op;

	make_folder(scene, "folder");
	fclose(fopen(at(scene, "folder/.tend-tmp.1.copy"), "w"));
	store_op_init(&op, STORE_LIST, "folder");
	fine(scene, &op);
	assert_int_equal(op.entry_count, 0);
	store_op_release(&op);
	store_op_init(&op, STORE_REMOVE, "folder");
	op.kind = STORE_FOLDER;
	fine(scene, &op);
	store_op_release(&op);
	assert_int_equal(access(at(scene, "folder"), F_OK), -1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_never_absent),
		TEST(a_version_is_what_every_look_tells),
		TEST(a_replacement_half_done_is_finished),
		TEST(a_kept_version_is_never_overwritten),
		TEST(links_are_kept_as_links),
		TEST(a_link_in_the_way_is_not_followed),
		TEST(files_begun_together_find_their_folders),
		TEST(a_folder_swapped_meanwhile_is_not_left),
		TEST(a_full_disk_harms_nothing),
		TEST(a_read_only_disk_says_so),
		TEST(a_missing_folder_is_not_made),
		TEST(an_unmounted_disk_is_offline),
		TEST(a_disk_at_rest_can_be_unmounted),
		TEST(another_disk_inside_is_written_too),
		TEST(modes_are_exact_whatever_the_umask),
		TEST(a_copy_is_no_hard_link),
		TEST(a_body_comes_from_a_descriptor),
		TEST(a_large_upload_goes_on_after_a_crash),
		TEST(sessions_of_others_are_refused),
		TEST(sync_takes_few_and_many),
		TEST(what_can_never_be_stored_is_refused),
		TEST(an_operation_can_be_cancelled),
		TEST(what_crashes_left_goes_after_a_day),
		TEST(leftovers_do_not_hold_a_folder),
	};
	struct err err;

	if (own_mounts() < 0) {
		perror("mounts of my own");
		return 1;
	}
	loop = loop_new(4, &err);
	if (!loop) return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return failed;
}
