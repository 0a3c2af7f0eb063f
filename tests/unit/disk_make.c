/* Small files made as a whole, several at once: once with openat2, once folder by folder. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/disk.h"

struct scene {
	char root[64];
	struct disk *disk;
	struct err err;
};

static int open_scene(void **state, const char *without) {
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->root, sizeof(scene->root), "/tmp/tend-make-XXXXXX");
	assert_non_null(mkdtemp(scene->root));
	setenv("TEND_WITHOUT", without, 1);
	scene->disk = disk_open(scene->root, &scene->err);
	assert_non_null(scene->disk);
	assert_int_equal(disk_mkdir(scene->disk, "d", 0755, &scene->err), 0);
	assert_int_equal(disk_mkdir(scene->disk, "d/e", 0755, &scene->err), 0);
	*state = scene;
	return 0;
}

static int setup(void **state) {
	return open_scene(state, "");
}

static int setup_without(void **state) {
	return open_scene(state, "openat2");
}

static int teardown(void **state) {
	struct scene *scene = *state;
	char *command = xasprintf("rm -rf '%s'", scene->root);

	disk_close(scene->disk);
	assert_int_equal(system(command), 0);
	free(command);
	free(scene);
	unsetenv("TEND_WITHOUT");
	return 0;
}

static struct disk_make of(const char *path, const char *text) {
	return (struct disk_make){ .path = path,
		.bytes = text,
		.length = strlen(text),
		.mtime_ns = 1234567891011,
		.mode = 0640 };
}

static void holds(struct scene *scene, const char *path, const char *text) {
	struct disk_stat stat;
	struct buf body;

	buf_init(&body, 0);
	assert_int_equal(
		disk_read(scene->disk, path, 100, &body, DIGEST_MD5, NULL, &stat, &scene->err), 0);
	assert_int_equal(body.len, strlen(text));
	assert_memory_equal(body.len ? body.at : "", text, body.len);
	buf_release(&body);
}

static size_t entries(struct scene *scene, const char *folder) {
	struct disk_list list;

	assert_int_equal(disk_list(scene->disk, folder, &list, &scene->err), 0);
	size_t count = list.count;
	disk_list_release(&list);
	return count;
}

static void all_of_them_stand_there(void **state) {
	struct scene *scene = *state;
	struct disk_make files[] = { of("a", "one"), of("b", ""), of("d/a", "two"),
		of("d/b", "three"), of("d/e/a", "four"), of("c", "five") };
	struct disk_stat stat;

	files[5].mtime_ns = DISK_TIME_KEEP;
	disk_make_files(scene->disk, "hint", files, ARRAY_LEN(files));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		assert_int_equal(files[i].err.kind, ERR_NONE);
		assert_null(files[i].beside);
		holds(scene, files[i].path, files[i].bytes);
		assert_int_equal(disk_stat(scene->disk, files[i].path, &stat, &scene->err), 0);
		assert_true(disk_stat_same(&stat, &files[i].stat));
		assert_int_equal(files[i].stat.mode, 0640);
		assert_true((stat.mtime_ns == 1234567891011) == (i != 5));
	}
	assert_int_equal(entries(scene, ""), 4);
	assert_int_equal(entries(scene, "d"), 3);
}

/* Each for itself, and nothing is left of what did not go. */
static void what_is_in_the_way_stays(void **state) {
	struct scene *scene = *state;
	struct disk_make first[] = { of("d/a", "theirs") };
	struct disk_make files[] = { of("d/b", "b"), of("d/a", "ours"),
		of("d/e", "a folder's name"), of("no/a", "nowhere"), of("d/c", "c"),
		of("link/a", "outside") };
	char *link = xasprintf("%s/link", scene->root);

	assert_int_equal(symlink("d", link), 0);
	free(link);
	disk_make_files(scene->disk, "hint", first, 1);
	disk_make_files(scene->disk, "hint", files, ARRAY_LEN(files));
	static const enum err_kind kinds[] = { ERR_NONE, ERR_CHANGED, ERR_CHANGED, ERR_NOT_FOUND,
		ERR_NONE, ERR_NOT_FOUND };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (i < 5) assert_int_equal(files[i].err.kind, kinds[i]);
		assert_true((files[i].err.kind == ERR_NONE) == (kinds[i] == ERR_NONE));
		assert_null(files[i].beside);
	}
	holds(scene, "d/a", "theirs");
	holds(scene, "d/b", "b");
	holds(scene, "d/c", "c");
	assert_int_equal(entries(scene, "d"), 4);
	assert_int_equal(entries(scene, "d/e"), 0);
}

/* A database, which gets its place when all else is there. */
static void one_stays_beside(void **state) {
	struct scene *scene = *state;
	struct disk_make files[] = { of("d/a", "one"), of("d/b", "two") };
	struct disk_stat stat;

	files[0].stays = true;
	disk_make_files(scene->disk, "hint", files, ARRAY_LEN(files));
	assert_int_equal(files[0].err.kind, ERR_NONE);
	assert_int_equal(disk_stat(scene->disk, "d/a", &stat, &scene->err), -1);
	assert_true(disk_is_beside(path_name(files[0].beside)));
	assert_true(str_ends(files[0].beside, ".hint"));
	holds(scene, files[0].beside, "one");
	assert_int_equal(disk_rename(scene->disk, files[0].beside, "d/a", false, &scene->err), 0);
	free(files[0].beside);
	holds(scene, "d/a", "one");
	holds(scene, "d/b", "two");
}

static void no_descriptor_is_left(void **state) {
	struct scene *scene = *state;
	int before = dup(0);

	close(before);
	for (int i = 0; i < 3; i++) { /* the second and third find their names taken */
		struct disk_make files[] = { of("a", "1"), of("d/a", "2"), of("d/b", "3"),
			of("x/y", "4") };
		disk_make_files(scene->disk, "hint", files, ARRAY_LEN(files));
	}
	int after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

#define BOTH(test)                                              \
	cmocka_unit_test_setup_teardown(test, setup, teardown), \
		cmocka_unit_test_setup_teardown(test, setup_without, teardown)

int main(void) {
	static const struct CMUnitTest tests[] = {
		BOTH(all_of_them_stand_there),
		BOTH(what_is_in_the_way_stays),
		BOTH(one_stays_beside),
		BOTH(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
