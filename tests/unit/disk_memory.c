/* The disk in memory answers as the system's files do, gives inode numbers anew, and tells of every
 * change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/disk.h"

struct scene {
	int64_t now_ns;
	char *told; /* of the last call, a line for each change */
	const char *at_look, *look_bytes;
	struct disk_memory *memory;
	struct disk *disk;
	struct err err;
};

static int64_t now_ns(void *user) {
	return ((struct scene *)user)->now_ns;
}

static void changed(void *user, enum disk_change what, const char *path, const char *from) {
	static const char *const words[] = { "changed", "made", "gone", "moved" };
	struct scene *scene = user;
	char *told = xasprintf("%s%s %s%s%s\n", scene->told ? scene->told : "", words[what], path,
		from ? " from " : "", from ? from : "");
	free(scene->told);
	scene->told = told;
}

/* Another program, which writes in the midst of a look. */
static void looking(void *user) {
	struct scene *scene = user;
	struct err err;
	if (!scene->at_look) return;
	scene->now_ns += NS_PER_S;
	disk_memory_write(scene->memory, scene->at_look, 0, scene->look_bytes,
		strlen(scene->look_bytes), false, &err);
}

static int setup(void **state) {
	struct scene *scene = xcalloc(1, sizeof(*scene));
	struct disk_memory_calls calls = {
		.now_ns = now_ns, .changed = changed, .looking = looking, .user = scene
	};
	scene->now_ns = 1767225600 * NS_PER_S;
	scene->memory = disk_memory_new(&calls);
	scene->disk = disk_memory_open(scene->memory, &scene->err);
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	disk_close(scene->disk);
	disk_memory_free(scene->memory);
	free(scene->told);
	free(scene);
	return 0;
}

static void put(struct scene *scene, const char *path, const char *text) {
	int rc = disk_memory_write(scene->memory, path, 0, text, strlen(text), true, &scene->err);
	if (rc) fail_msg("%s", scene->err.text);
}

static void fine(struct scene *scene, int rc) {
	if (rc) fail_msg("%s", scene->err.text);
}

static void expect_told(struct scene *scene, const char *told) {
	assert_string_equal(scene->told ? scene->told : "", told);
	free(scene->told);
	scene->told = NULL;
}

static void test_changes_are_told(void **state) {
	struct scene *scene = *state;
	fine(scene, disk_mkdir(scene->disk, "d", 0755, &scene->err));
	put(scene, "d/f", "one");
	expect_told(scene, "made d\nchanged d/f\n");
	fine(scene, disk_link(scene->disk, "d/f", "other", &scene->err));
	put(scene, "other", "two");
	expect_told(scene, "changed other\nchanged d/f\nchanged other\n");
	fine(scene, disk_rename(scene->disk, "d", "e", false, &scene->err));
	fine(scene, disk_rename(scene->disk, "other", "e/g", false, &scene->err));
	expect_told(scene, "moved e from d\nchanged other\nchanged e/g\n");
	fine(scene, disk_set(scene->disk, "e/g", DISK_TIME_KEEP, 0600, &scene->err));
	fine(scene, disk_remove(scene->disk, "e/f", &scene->err));
	fine(scene, disk_remove(scene->disk, "e/g", &scene->err));
	fine(scene, disk_rmdir(scene->disk, "e", &scene->err));
	expect_told(scene, "changed e/f\nchanged e/g\nchanged e/f\nchanged e/g\ngone e\n");
}

static void test_inode_numbers_are_given_anew(void **state) {
	struct scene *scene = *state;
	struct disk_stat first, second, open;
	char byte;
	put(scene, "a", "1");
	fine(scene, disk_stat(scene->disk, "a", &first, &scene->err));
	fine(scene, disk_remove(scene->disk, "a", &scene->err));
	put(scene, "b", "2");
	fine(scene, disk_stat(scene->disk, "b", &second, &scene->err));
	assert_int_equal(first.ino, second.ino);
	/* Not while somebody has the old one open, who goes on reading it. */
	int fd = disk_open_file(scene->disk, "b", &open, &scene->err);
	assert_true(fd >= 0);
	fine(scene, disk_remove(scene->disk, "b", &scene->err));
	put(scene, "c", "3");
	fine(scene, disk_stat(scene->disk, "c", &second, &scene->err));
	assert_int_not_equal(open.ino, second.ino);
	fine(scene, disk_read_span(scene->disk, fd, 0, 1, &byte, &scene->err));
	assert_int_equal(byte, '2');
	disk_close_file(scene->disk, fd);
}

static void test_a_write_in_the_midst_is_seen(void **state) {
	struct scene *scene = *state;
	struct disk_stat stat;
	struct buf body;
	put(scene, "f", "before");
	scene->at_look = "f";
	scene->look_bytes = "after!";
	buf_init(&body, 100);
	assert_int_equal(
		disk_read(scene->disk, "f", 100, &body, DIGEST_MD5, NULL, &stat, &scene->err), -1);
	assert_int_equal(scene->err.kind, ERR_CHANGED);
	scene->at_look = NULL;
	fine(scene, disk_read(scene->disk, "f", 100, &body, DIGEST_MD5, NULL, &stat, &scene->err));
	assert_memory_equal(body.at, "after!", 6);
	buf_release(&body);
}

static void test_permissions_and_a_hidden_root(void **state) {
	struct scene *scene = *state;
	struct disk_identity identity;
	struct disk_list list;
	struct disk_stat stat;
	fine(scene, disk_mkdir(scene->disk, "d", 0755, &scene->err));
	put(scene, "d/f", "x");
	fine(scene, disk_set(scene->disk, "d/f", DISK_TIME_KEEP, 0, &scene->err));
	assert_int_equal(disk_open_file(scene->disk, "d/f", &stat, &scene->err), -1);
	assert_int_equal(scene->err.kind, ERR_DENIED);
	fine(scene, disk_set(scene->disk, "d", DISK_TIME_KEEP, 0, &scene->err));
	assert_int_equal(disk_list(scene->disk, "d", &list, &scene->err), -1);
	assert_int_equal(scene->err.kind, ERR_DENIED);
	assert_int_equal(disk_stat(scene->disk, "d/f", &stat, &scene->err), -1);
	assert_int_equal(scene->err.kind, ERR_DENIED);
	disk_memory_hide_root(scene->memory, true);
	assert_false(disk_is_there(scene->disk));
	assert_int_equal(disk_identity_now(scene->disk, &identity, &scene->err), -1);
	assert_null(disk_memory_open(scene->memory, &scene->err));
	assert_int_equal(scene->err.kind, ERR_NOT_FOUND);
	disk_memory_hide_root(scene->memory, false);
	fine(scene, disk_identity_now(scene->disk, &identity, &scene->err));
}

/* ---- the same calls on both, at random ---- */

struct pair {
	struct scene *scene;
	struct disk *real;
	char root[64];
	uint64_t random;
};

static unsigned draw(struct pair *pair, unsigned below) {
	pair->random = pair->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(pair->random >> 33) % below;
}

/* One of few names, so that they meet. */
static char *any_path(struct pair *pair) {
	char *path = xasprintf("%c", 'a' + (int)draw(pair, 4));
	while (draw(pair, 2)) {
		char *longer = xasprintf("%s/%c", path, 'a' + (int)draw(pair, 4));
		free(path);
		path = longer;
	}
	return path;
}

static int real_write(struct pair *pair, const char *path, const char *text, struct err *err) {
	int fd = disk_create(pair->real, path, 0644, err);
	if (fd < 0 && err->sys == EEXIST) fd = disk_open_write(pair->real, path, err);
	if (fd < 0) return -1;
	int rc = disk_write_span(fd, 0, text, strlen(text), err);
	if (ftruncate(fd, (off_t)strlen(text))) rc = -1;
	close(fd);
	return rc;
}

static int edit(struct pair *pair, bool real, unsigned what, const char *path, const char *to,
	struct err *err) {
	struct disk *disk = real ? pair->real : pair->scene->disk;
	switch (what) {
	case 0:
	case 1: return disk_mkdir(disk, path, 0755, err);
	case 2:
	case 3:
		return real ? real_write(pair, path, to, err)
			    : disk_memory_write(
				      pair->scene->memory, path, 0, to, strlen(to), true, err);
	case 4: return disk_symlink(disk, to, path, err);
	case 5: return disk_link(disk, path, to, err);
	case 6: return disk_rename(disk, path, to, true, err);
	case 7: return disk_rename(disk, path, to, false, err);
	case 8: return disk_remove(disk, path, err);
	case 9: return disk_rmdir(disk, path, err);
	case 10: return disk_set(disk, path, 1700000000 * NS_PER_S, 0700, err);
	default: return disk_is_empty(disk, path, err);
	}
}

static void same_stat(const char *path, const struct disk_stat *l, const struct disk_stat *r) {
	bool sized = l->kind != DISK_FOLDER;
	if (l->kind != r->kind || l->mode != r->mode ||
		(sized && (l->size != r->size || l->nlink != r->nlink)))
		fail_msg("'%s' is another thing on the two disks", path);
}

static void same_trees(struct pair *pair, const char *path) {
	struct disk_list left, right;
	struct err err;
	assert_int_equal(disk_list(pair->real, path, &left, &err), 0);
	assert_int_equal(disk_list(pair->scene->disk, path, &right, &err), 0);
	assert_int_equal(left.count, right.count);
	for (size_t i = 0; i < left.count; i++) {
		char *below = path_join(path, left.items[i].name);
		assert_string_equal(left.items[i].name, right.items[i].name);
		same_stat(below, &left.items[i].stat, &right.items[i].stat);
		if (left.items[i].stat.kind == DISK_FOLDER) same_trees(pair, below);
		free(below);
	}
	disk_list_release(&left);
	disk_list_release(&right);
}

static void same_bytes(struct pair *pair, const char *path) {
	struct disk_stat stat;
	struct buf left, right;
	struct err one = { 0 }, two = { 0 };
	buf_init(&left, 1000);
	buf_init(&right, 1000);
	int real = disk_read(pair->real, path, 1000, &left, DIGEST_MD5, NULL, &stat, &one);
	int ours = disk_read(pair->scene->disk, path, 1000, &right, DIGEST_MD5, NULL, &stat, &two);
	assert_int_equal(real, ours);
	assert_int_equal(one.kind, two.kind);
	assert_int_equal(left.len, right.len);
	if (left.len) assert_memory_equal(left.at, right.at, left.len);
	buf_release(&left);
	buf_release(&right);
}

static void test_as_the_system_does(void **state) {
	struct pair pair = { .scene = *state, .random = 7 };
	strcpy(pair.root, "/tmp/tend-memory.XXXXXX");
	assert_non_null(mkdtemp(pair.root));
	pair.real = disk_open(pair.root, &pair.scene->err);
	assert_non_null(pair.real);
	for (int i = 0; i < 4000; i++) {
		unsigned what = draw(&pair, 12);
		char *path = any_path(&pair), *to = any_path(&pair);
		struct err one = { 0 }, two = { 0 };
		int real = edit(&pair, true, what, path, to, &one);
		int ours = edit(&pair, false, what, path, to, &two);
		if (real != ours || (real < 0 && one.kind != two.kind))
			fail_msg("step %d, call %u of '%s', '%s': %d %s (%s), in memory %d %s (%s)",
				i, what, path, to, real, err_kind_name(one.kind), one.text, ours,
				err_kind_name(two.kind), two.text);
		same_bytes(&pair, path);
		if (i % 50 == 0) same_trees(&pair, "");
		free(path);
		free(to);
	}
	same_trees(&pair, "");
	disk_close(pair.real);
	char *command = xasprintf("rm -rf '%s'", pair.root);
	assert_int_equal(system(command), 0); /* NOLINT */
	free(command);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inode_numbers_are_given_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_write_in_the_midst_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_permissions_and_a_hidden_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_the_system_does, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
