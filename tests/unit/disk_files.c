/* Looking, listing, reading and writing beneath a root: once with openat2, once folder by
 * folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "disk/disk.h"
#include "support/own_mounts.h"

struct scene {
	char top[64];
	char root[80];
	struct disk *disk;
	struct err err;
};

static void shell(const char *command) {
	assert_int_equal(system(command), 0);
}

static int open_scene(void **state, const char *without) {
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->top, sizeof(scene->top), "/tmp/tend-disk-XXXXXX");
	assert_non_null(mkdtemp(scene->top));
	snprintf(scene->root, sizeof(scene->root), "%s/root", scene->top);
	assert_int_equal(mkdir(scene->root, 0755), 0);
	setenv("TEND_WITHOUT", without, 1);
	scene->disk = disk_open(scene->root, &scene->err);
	assert_non_null(scene->disk);
	*state = scene;
	return 0;
}

static int setup(void **state) {
	return open_scene(state, "");
}

static int setup_without(void **state) {
	return open_scene(state, "cgroup.kill,openat2,pidfd");
}

static int teardown(void **state) {
	struct scene *scene = *state;
	char *command = xasprintf("chmod -R u+rwX '%s' && rm -rf '%s'", scene->top, scene->top);

	disk_close(scene->disk);
	shell(command);
	free(command);
	free(scene);
	unsetenv("TEND_WITHOUT");
	return 0;
}

static char *at(struct scene *scene, const char *path) {
	static char text[4][512];
	static int turn;
	char *here = text[turn++ % 4];

	snprintf(here, 512, "%s/%s", scene->root, path);
	return here;
}

static void put(struct scene *scene, const char *path, const char *bytes) {
	FILE *file = fopen(at(scene, path), "w");

	assert_non_null(file);
	assert_int_equal(fputs(bytes, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
}

static void expect(struct scene *scene, int rc, enum err_kind kind) {
	assert_int_equal(rc, -1);
	if (scene->err.kind != kind) print_error("%s\n", scene->err.text);
	assert_int_equal(scene->err.kind, kind);
	err_clear(&scene->err);
}

static void fine(struct scene *scene, int rc) {
	if (rc < 0) print_error("%s\n", scene->err.text);
	assert_true(rc >= 0);
}

static void a_stat_tells_kind_size_and_times(void **state) {
	struct scene *scene = *state;
	struct disk_stat stat;

	mkdir(at(scene, "d"), 0750);
	put(scene, "d/f", "hello");
	chmod(at(scene, "d/f"), 0641);
	fine(scene, symlink("nowhere", at(scene, "d/l")));
	fine(scene, mkfifo(at(scene, "d/p"), 0600));
	fine(scene, disk_set(scene->disk, "d/f", -1500000001, -1, &scene->err));
	fine(scene, disk_stat(scene->disk, "d/f", &stat, &scene->err));
	assert_int_equal(stat.kind, DISK_FILE);
	assert_int_equal(stat.size, 5);
	assert_int_equal(stat.mode, 0641);
	assert_int_equal(stat.mtime_ns, -1500000001);
	assert_int_equal(stat.nlink, 1);
	fine(scene, disk_stat(scene->disk, "d/l", &stat, &scene->err));
	assert_int_equal(stat.kind, DISK_LINK);
	fine(scene, disk_stat(scene->disk, "d/p", &stat, &scene->err));
	assert_int_equal(stat.kind, DISK_OTHER);
	fine(scene, disk_stat(scene->disk, "", &stat, &scene->err));
	assert_int_equal(stat.kind, DISK_FOLDER);
	expect(scene, disk_stat(scene->disk, "d/none", &stat, &scene->err), ERR_NOT_FOUND);
	expect(scene, disk_stat(scene->disk, "none/f", &stat, &scene->err), ERR_NOT_FOUND);
	expect(scene, disk_stat(scene->disk, "d/f/g", &stat, &scene->err), ERR_NOT_FOUND);
}

static void no_link_below_the_root_is_followed(void **state) {
	struct scene *scene = *state;
	struct disk_stat seen;
	struct disk_list list;
	struct buf body;

	buf_init(&body, 0);
	char *outside = xasprintf("%s/outside", scene->top);
	mkdir(outside, 0755);
	char *secret = xasprintf("%s/secret", outside);
	fclose(fopen(secret, "w"));
	fine(scene, symlink(outside, at(scene, "away")));
	fine(scene, symlink("../outside", at(scene, "up")));
	fine(scene, symlink("../outside/secret", at(scene, "file")));

	struct disk *disk = scene->disk;
	struct err *err = &scene->err;
	static const char *const behind[] = { "away/secret", "up/secret" };
	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		const char *path = behind[i];
		expect(scene, disk_stat(disk, path, &seen, err), ERR_NOT_FOUND);
		expect(scene, disk_open_file(disk, path, &seen, err), ERR_NOT_FOUND);
		expect(scene, disk_remove(disk, path, err), ERR_NOT_FOUND);
		expect(scene, disk_set(disk, path, 1, 0777, err), ERR_NOT_FOUND);
		expect(scene, disk_rename(disk, path, "mine", true, err), ERR_NOT_FOUND);
		expect(scene, disk_link(disk, path, "mine", err), ERR_NOT_FOUND);
	}
	expect(scene, disk_create(disk, "up/new", 0600, err), ERR_NOT_FOUND);
	expect(scene, disk_mkdir(disk, "up/new", 0700, err), ERR_NOT_FOUND);
	expect(scene, disk_mkdir_parents(disk, "up/a/b", err), ERR_NOT_FOUND);
	expect(scene, disk_mkdir(disk, "up", 0700, err), ERR_CHANGED);
	expect(scene, disk_open_file(disk, "file", &seen, err), ERR_INVALID);
	expect(scene, disk_open_write(disk, "file", err), ERR_INVALID);
	expect(scene, disk_read(disk, "file", 10, &body, DIGEST_MD5, NULL, &seen, err),
		ERR_INVALID);
	assert_int_equal(disk_list(disk, "away", &list, err), -1);
	fine(scene, disk_set(disk, "file", 77 * NS_PER_S, 0600, err));
	struct stat theirs;
	fine(scene, stat(secret, &theirs));
	assert_int_not_equal(theirs.st_mtime, 77);
	free(secret);
	free(outside);
	buf_release(&body);
}

static void what_is_no_file_is_not_read(void **state) {
	struct scene *scene = *state;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct disk_stat stat;

	fine(scene, mkdir(at(scene, "d"), 0755));
	fine(scene, mkfifo(at(scene, "p"), 0600));
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", scene->root);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fine(scene, bind(fd, (struct sockaddr *)&name, sizeof(name)));
	static const char *const others[] = { "d", "p", "s", "" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		expect(scene, disk_open_file(scene->disk, others[i], &stat, &scene->err),
			ERR_INVALID);
	close(fd);
}

static char *names_of(const struct disk_list *list) {
	struct buf text;

	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < list->count; i++)
		buf_addf(&text, "%s%s ", list->items[i].name,
			list->items[i].stat.kind == DISK_FOLDER ? "/" : "");
	return buf_steal(&text);
}

static void a_list_is_in_the_order_of_keys(void **state) {
	struct scene *scene = *state;
	struct disk_list list;

	mkdir(at(scene, "d"), 0755);
	mkdir(at(scene, "d/a"), 0755);
	put(scene, "d/a.txt", "");
	put(scene, "d/a0", "");
	put(scene, "d/b", "");
	mkdir(at(scene, "d/ab"), 0755);
	put(scene, "d/\xff", "");
	put(scene, "d/A", "");
	fine(scene, disk_list(scene->disk, "d", &list, &scene->err));
	assert_false(list.more);
	assert_int_equal(list.self.kind, DISK_FOLDER);
	char *text = names_of(&list);
	assert_string_equal(text, "A a.txt a/ a0 ab/ b \xff ");
	free(text);
	disk_list_release(&list);

	/* Page by page, each behind the name that the page before ended with. */
	struct buf all, after;
	buf_init(&all, 1 << 20);
	buf_init(&after, 1 << 10);
	for (bool more = true; more;) {
		fine(scene, disk_list_after(scene->disk, "d", after.len ? after.at : NULL, 2, &list,
				    &scene->err));
		assert_true(list.count <= 2);
		text = names_of(&list);
		buf_adds(&all, text);
		free(text);
		more = list.more;
		struct disk_item *last = &list.items[list.count - 1];
		buf_clear(&after);
		buf_addf(&after, "%s%s", last->name, last->stat.kind == DISK_FOLDER ? "/" : "");
		disk_list_release(&list);
	}
	assert_string_equal(all.at, "A a.txt a/ a0 ab/ b \xff ");
	buf_release(&all);
	buf_release(&after);
	assert_int_equal(disk_is_empty(scene->disk, "d", &scene->err), 0);
	assert_int_equal(disk_is_empty(scene->disk, "d/a", &scene->err), 1);
	expect(scene, disk_is_empty(scene->disk, "none", &scene->err), ERR_NOT_FOUND);
	expect(scene, disk_list(scene->disk, "none", &list, &scene->err), ERR_NOT_FOUND);
	expect(scene, disk_list(scene->disk, "d/b", &list, &scene->err), ERR_NOT_FOUND);
}

static void pages_of_a_large_folder_hold_everything_once(void **state) {
	struct scene *scene = *state;
	struct disk_list list;
	char after[32] = "", name[32];
	unsigned seen = 0;

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%05u", (i * 7919) % 2000);
		put(scene, name, "");
	}
	do {
		fine(scene, disk_list_after(scene->disk, "", after, 70, &list, &scene->err));
		for (size_t i = 0; i < list.count; i++, seen++) {
			snprintf(name, sizeof(name), "%05u", seen);
			assert_string_equal(list.items[i].name, name);
		}
		snprintf(after, sizeof(after), "%s", list.items[list.count - 1].name);
		bool more = list.more;
		disk_list_release(&list);
		if (!more) break;
	} while (seen < 2000);
	assert_int_equal(seen, 2000);
}

static void a_file_is_read_and_hashed_as_it_stands(void **state) {
	struct scene *scene = *state;
	struct disk_stat stat;
	struct buf body;
	uint8_t hash[DIGEST_MAX], same[DIGEST_MAX];

	buf_init(&body, 0);
	put(scene, "f", "abc");
	fine(scene, disk_read(scene->disk, "f", 3, &body, DIGEST_MD5, hash, &stat, &scene->err));
	assert_string_equal(body.at, "abc");
	char hex[2 * DIGEST_MAX + 1];
	hex_encode(hash, 16, hex);
	assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
	expect(scene, disk_read(scene->disk, "f", 2, &body, DIGEST_MD5, hash, &stat, &scene->err),
		ERR_INVALID);

	char *big = xmalloc(300001);
	for (int i = 0; i < 300000; i++) big[i] = (char)('a' + i % 23);
	big[300000] = '\0';
	put(scene, "big", big);
	fine(scene, disk_read(scene->disk, "big", 1 << 20, &body, DIGEST_SHA256, hash, &stat,
			    &scene->err));
	assert_memory_equal(body.at, big, 300000);
	digest_of(DIGEST_SHA256, big, 300000, same);
	assert_memory_equal(hash, same, 32);

	struct digest whole, part;
	int64_t done;
	digest_init(&whole, DIGEST_SHA256);
	digest_init(&part, DIGEST_MD5);
	int fd = disk_open_file(scene->disk, "big", &stat, &scene->err);
	fine(scene, fd);
	fine(scene, disk_hash_span(scene->disk, fd, 0, 100000, &whole, NULL, &done, &scene->err));
	assert_int_equal(done, 100000);
	fine(scene, disk_hash_span(
			    scene->disk, fd, 100000, 1 << 20, &whole, &part, &done, &scene->err));
	assert_int_equal(done, 200000);
	digest_end(&whole, hash);
	assert_memory_equal(hash, same, 32);
	digest_end(&part, hash);
	digest_of(DIGEST_MD5, big + 100000, 200000, same);
	assert_memory_equal(hash, same, 16);

	char span[10];
	fine(scene, disk_read_span(scene->disk, fd, 299990, 10, span, &scene->err));
	assert_memory_equal(span, big + 299990, 10);
	expect(scene, disk_read_span(scene->disk, fd, 299991, 10, span, &scene->err), ERR_CHANGED);
	close(fd);
	free(big);
	buf_release(&body);
}

static void a_copy_is_whole_or_an_error(void **state) {
	struct scene *scene = *state;
	static const int64_t sizes[] = { 0, 1, 65535, 65536, 65537, 1000000 };
	struct disk_stat stat;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *bytes = xmalloc((size_t)sizes[i] + 1), *back = xmalloc((size_t)sizes[i] + 1);
		for (int64_t n = 0; n < sizes[i]; n++) bytes[n] = (char)(n * 31 + n / 977);
		int from = disk_create(scene->disk, "from", 0600, &scene->err);
		fine(scene, from);
		fine(scene, disk_write_span(from, 0, bytes, (size_t)sizes[i], &scene->err));
		int to = disk_create(scene->disk, "to", 0600, &scene->err);
		fine(scene, to);
		fine(scene, disk_copy_span(from, 0, to, 0, sizes[i], &scene->err));
		fine(scene,
			disk_read_span(scene->disk, to, 0, (size_t)sizes[i], back, &scene->err));
		assert_memory_equal(bytes, back, (size_t)sizes[i]);
		/* The second half once more, behind itself. */
		int64_t half = sizes[i] / 2;
		fine(scene, disk_copy_span(from, half, to, sizes[i], sizes[i] - half, &scene->err));
		fine(scene, disk_read_span(scene->disk, to, sizes[i], (size_t)(sizes[i] - half),
				    back, &scene->err));
		assert_memory_equal(bytes + half, back, (size_t)(sizes[i] - half));
		expect(scene, disk_copy_span(from, 0, to, 0, sizes[i] + 1, &scene->err),
			ERR_CHANGED);
		fine(scene, disk_set_times(to, 5, 0640, &scene->err));
		fine(scene, disk_sync_bytes(to, &scene->err));
		fine(scene, disk_close_written(to, &scene->err));
		close(from);
		fine(scene, disk_stat(scene->disk, "to", &stat, &scene->err));
		assert_int_equal(stat.mtime_ns, 5);
		assert_int_equal(stat.mode, 0640);
		fine(scene, disk_remove(scene->disk, "from", &scene->err));
		fine(scene, disk_remove(scene->disk, "to", &scene->err));
		free(bytes);
		free(back);
	}
}

static void things_are_compared_by_their_bytes(void **state) {
	struct scene *scene = *state;
	static const struct {
		const char *left, *right;
		int same;
	} rows[] = {
		{ "one", "one", 1 },
		{ "one", "copy", 1 },
		{ "one", "other", 0 },
		{ "one", "longer", 0 },
		{ "one", "link", 0 },
		{ "link", "same", 1 },
		{ "link", "elsewhere", 0 },
		{ "empty", "empty2", 1 },
		{ "one", "folder", 0 },
	};

	put(scene, "one", "abc");
	put(scene, "copy", "abc");
	put(scene, "other", "abd");
	put(scene, "longer", "abcd");
	put(scene, "empty", "");
	put(scene, "empty2", "");
	mkdir(at(scene, "folder"), 0755);
	fine(scene, symlink("one", at(scene, "link")));
	fine(scene, symlink("one", at(scene, "same")));
	fine(scene, symlink("two", at(scene, "elsewhere")));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			disk_compare(scene->disk, rows[i].left, rows[i].right, &scene->err),
			rows[i].same);
	expect(scene, disk_compare(scene->disk, "one", "none", &scene->err), ERR_NOT_FOUND);

	struct disk_stat stat;
	fine(scene, disk_append(scene->disk, "lines", "one\n", &scene->err));
	fine(scene, disk_append(scene->disk, "lines", "two\n", &scene->err));
	struct buf body;
	buf_init(&body, 0);
	fine(scene,
		disk_read(scene->disk, "lines", 100, &body, DIGEST_MD5, NULL, &stat, &scene->err));
	assert_string_equal(body.at, "one\ntwo\n");
	buf_release(&body);
	expect(scene, disk_append(scene->disk, "link/x", "x", &scene->err), ERR_NOT_FOUND);
}

static void a_root_that_was_moved_away_is_told(void **state) {
	struct scene *scene = *state;

	assert_true(disk_is_there(scene->disk));
	char *moved = xasprintf("%s.moved", scene->root);
	fine(scene, rename(scene->root, moved));
	assert_false(disk_is_there(scene->disk));
	fine(scene, mkdir(scene->root, 0755));
	assert_false(disk_is_there(scene->disk));
	free(moved);
}

static void a_folder_held_open_takes_names(void **state) {
	struct scene *scene = *state;
	struct disk *disk = scene->disk;
	struct err *err = &scene->err;
	struct disk_stat stat;

	fine(scene, disk_mkdir_parents(disk, "a/b/file", err));
	put(scene, "x", "x");
	put(scene, "a/b/y", "y");
	assert_null(disk_folder_open(disk, "gone", err));
	assert_int_equal(err->kind, ERR_NOT_FOUND);
	struct disk_folder *root = disk_folder_open(disk, "", err);
	struct disk_folder *folder = disk_folder_open(disk, "a/b", err);
	assert_non_null(root);
	assert_non_null(folder);
	assert_true(disk_folder_holds(root, "x"));
	assert_false(disk_folder_holds(root, "a/x"));
	assert_true(disk_folder_holds(folder, "a/b/x"));
	assert_false(disk_folder_holds(folder, "a/b"));
	assert_false(disk_folder_holds(folder, "a/c/x"));
	assert_false(disk_folder_holds(folder, "a/b/c/x"));
	assert_false(disk_folder_holds(folder, "a/bb/x"));

	expect(scene, disk_rename_into(folder, "x", "a/b/y", false, err), ERR_CHANGED);
	fine(scene, disk_rename_into(folder, "x", "a/b/y", true, err));
	expect(scene, disk_rename_into(folder, "x", "a/b/x", false, err), ERR_NOT_FOUND);
	fine(scene, disk_rename_into(root, "a/b/y", "y", false, err));
	fine(scene, disk_stat(disk, "y", &stat, err));
	/* It is the folder, not the path. */
	fine(scene, disk_rename(disk, "a/b", "a/c", false, err));
	fine(scene, disk_rename_into(folder, "y", "a/b/y", false, err));
	fine(scene, disk_stat(disk, "a/c/y", &stat, err));
	fine(scene, disk_rename_into(root, "a/c/y", "y", false, err));
	fine(scene, disk_rmdir(disk, "a/c", err));
	expect(scene, disk_rename_into(folder, "y", "a/b/y", false, err), ERR_NOT_FOUND);
	disk_folder_close(folder);
	disk_folder_close(root);
	disk_folder_close(NULL);
}

static void names_are_made_linked_renamed_and_removed(void **state) {
	struct scene *scene = *state;
	struct disk *disk = scene->disk;
	struct err *err = &scene->err;
	struct disk_stat stat, other;

	fine(scene, disk_mkdir_parents(disk, "a/b/c/file", err));
	fine(scene, disk_mkdir_parents(disk, "a/b/c/file", err));
	fine(scene, disk_mkdir_parents(disk, "file", err));
	fine(scene, disk_mkdir(disk, "a/b/c/d", 0777, err));
	fine(scene, disk_mkdir(disk, "a/b/c/d", 0700, err));
	fine(scene, disk_mkdir(disk, "", 0700, err));
	fine(scene, disk_stat(disk, "a/b/c/d", &stat, err));
	assert_int_equal(stat.mode, 0777);
	put(scene, "a/x", "x");
	put(scene, "a/y", "y");
	expect(scene, disk_mkdir(disk, "a/x", 0700, err), ERR_CHANGED);
	expect(scene, disk_mkdir_parents(disk, "a/x/y/z", err), ERR_NOT_FOUND);
	expect(scene, disk_create(disk, "a/x", 0600, err), ERR_CHANGED);
	expect(scene, disk_rename(disk, "a/x", "a/y", false, err), ERR_CHANGED);
	fine(scene, disk_rename(disk, "a/x", "a/b/x", false, err));
	fine(scene, disk_rename(disk, "a/b/x", "a/y", true, err));
	expect(scene, disk_rename(disk, "a/b/x", "a/y", true, err), ERR_NOT_FOUND);
	fine(scene, disk_stat(disk, "a/y", &stat, err));
	fine(scene, disk_link(disk, "a/y", "a/b/y", err));
	expect(scene, disk_link(disk, "a/y", "a/b/y", err), ERR_CHANGED);
	fine(scene, disk_stat(disk, "a/b/y", &other, err));
	assert_int_equal(stat.ino, other.ino);
	assert_false(disk_stat_same(&stat, &other)); /* linking moves ctime */
	fine(scene, disk_symlink(disk, "not there", "a/l", err));
	expect(scene, disk_symlink(disk, "else", "a/l", err), ERR_CHANGED);
	fine(scene, disk_set(disk, "a/l", 123456789, 0600, err));
	fine(scene, disk_stat(disk, "a/l", &stat, err));
	assert_int_equal(stat.mtime_ns, 123456789);
	fine(scene, disk_link(disk, "a/l", "a/l2", err));
	struct buf target;
	buf_init(&target, 4096);
	fine(scene, disk_read_link(disk, "a/l2", &target, err));
	assert_string_equal(target.at, "not there");
	expect(scene, disk_read_link(disk, "a/y", &target, err), ERR_INVALID);
	buf_release(&target);
	expect(scene, disk_rmdir(disk, "a", err), ERR_BUSY);
	expect(scene, disk_remove(disk, "a/b", err), ERR_CHANGED);
	expect(scene, disk_remove(disk, "a/none", err), ERR_NOT_FOUND);
	fine(scene, disk_remove(disk, "a/l", err));
	fine(scene, disk_rmdir(disk, "a/b/c/d", err));
	expect(scene, disk_stat(disk, "a/b/c/d", &stat, err), ERR_NOT_FOUND);

	char *name;
	int fd = disk_create_beside(disk, "a", "put", &name, err);
	fine(scene, fd);
	assert_true(disk_is_beside(path_name(name)));
	close(fd);
	fine(scene, disk_sync_file(disk, name, err));
	fine(scene, disk_sync_file(disk, "a/l2", err));
	fine(scene, disk_sync_file(disk, "a", err));
	fine(scene, disk_sync_all(disk, err));
	free(name);
	int64_t bytes = -1;
	fine(scene, disk_free_bytes(disk, &bytes, err));
	assert_true(bytes > 0);
	fine(scene, disk_check_writable(disk, err));
}

static int made_in(struct scene *scene, const char *folder, struct err *err) {
	char *name, *to = xasprintf("%s/made", folder);
	struct disk_stat stat;

	int fd = disk_create_beside(scene->disk, folder, "put", &name, err);
	if (fd >= 0) {
		close(fd);
		fine(scene, disk_rename(scene->disk, name, to, true, err));
		fine(scene, disk_stat(scene->disk, to, &stat, err));
		free(name);
	}
	free(to);
	return fd < 0 ? -1 : 0;
}

static void a_held_folder_may_go_and_come_back(void **state) {
	struct scene *scene = *state;
	struct disk *disk = scene->disk;
	struct err *err = &scene->err;

	disk_hold(disk, "h/tmp"); /* not there: nothing happens */
	fine(scene, disk_mkdir_parents(disk, "h/tmp/x", err));
	for (int round = 0; round < 3; round++) {
		disk_hold(disk, "h/tmp");
		fine(scene, made_in(scene, "h/tmp", err));
		fine(scene, made_in(scene, "h", err));
		fine(scene, disk_remove(disk, "h/tmp/made", err));
		fine(scene, disk_rmdir(disk, "h/tmp", err));
		expect(scene, made_in(scene, "h/tmp", err), ERR_NOT_FOUND);
		fine(scene, disk_mkdir(disk, "h/tmp", 0755, err));
	}
	fine(scene, made_in(scene, "h/tmp", err));
}

static void a_tree_deeper_than_a_path_is_reached(void **state) {
	struct scene *scene = *state;
	struct buf path;
	char name[201];

	memset(name, 'n', 200);
	name[200] = '\0';
	buf_init(&path, 1 << 20);
	for (int i = 0; i < 30; i++) {
		if (path.len) buf_addc(&path, '/');
		buf_adds(&path, name);
		fine(scene, disk_mkdir(scene->disk, path.at, 0755, &scene->err));
	}
	buf_adds(&path, "/f");
	int fd = disk_create(scene->disk, path.at, 0600, &scene->err);
	fine(scene, fd);
	close(fd);
	struct disk_stat stat;
	fine(scene, disk_stat(scene->disk, path.at, &stat, &scene->err));
	assert_int_equal(stat.kind, DISK_FILE);
	buf_release(&path);
}

static void errors_say_what_to_do(void **state) {
	struct scene *scene = *state;
	struct disk_stat stat;
	char name[300];

	memset(name, 'x', 256);
	name[256] = '\0';
	expect(scene, disk_create(scene->disk, name, 0600, &scene->err), ERR_INVALID);
	assert_null(disk_open("/nowhere/at/all", &scene->err));
	assert_int_equal(scene->err.kind, ERR_NOT_FOUND);
	put(scene, "f", "");
	assert_null(disk_open(at(scene, "f"), &scene->err));

	disk_close(scene->disk);
	assert_int_equal(mount("none", scene->root, "tmpfs", 0, "size=64k"), 0);
	scene->disk = disk_open(scene->root, &scene->err);
	assert_non_null(scene->disk);
	int fd = disk_create(scene->disk, "full", 0600, &scene->err);
	fine(scene, fd);
	char *bytes = xcalloc(1, 100000);
	expect(scene, disk_write_span(fd, 0, bytes, 100000, &scene->err), ERR_FULL);
	free(bytes);
	close(fd);
	fine(scene, disk_remove(scene->disk, "full", &scene->err));
	assert_int_equal(mount(NULL, scene->root, NULL, MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
	assert_int_equal(disk_create(scene->disk, "new", 0600, &scene->err), -1);
	assert_non_null(strstr(scene->err.text, "read-only"));
	expect(scene, disk_check_writable(scene->disk, &scene->err), ERR_DENIED);
	disk_close(scene->disk);
	assert_int_equal(umount(scene->root), 0);
	scene->disk = disk_open(scene->root, &scene->err);
	fine(scene, disk_stat(scene->disk, "f", &stat, &scene->err));
}

static void the_identity_is_of_the_folder_not_the_path(void **state) {
	struct scene *scene = *state;
	struct disk_identity one, two;

	mkdir(at(scene, "a"), 0755);
	fine(scene, disk_identity(at(scene, "a"), &one, &scene->err));
	fine(scene, rename(at(scene, "a"), at(scene, "b")));
	fine(scene, disk_identity(at(scene, "b"), &two, &scene->err));
	assert_memory_equal(&one, &two, sizeof(one));
	mkdir(at(scene, "a"), 0755);
	fine(scene, disk_identity(at(scene, "a"), &two, &scene->err));
	assert_int_not_equal(one.ino, two.ino);
	expect(scene, disk_identity(at(scene, "none"), &two, &scene->err), ERR_NOT_FOUND);
}

#define BOTH_WAYS(test)                                         \
	cmocka_unit_test_setup_teardown(test, setup, teardown), \
		cmocka_unit_test_setup_teardown(test, setup_without, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(a_stat_tells_kind_size_and_times),
		BOTH_WAYS(no_link_below_the_root_is_followed),
		BOTH_WAYS(what_is_no_file_is_not_read),
		BOTH_WAYS(a_list_is_in_the_order_of_keys),
		BOTH_WAYS(pages_of_a_large_folder_hold_everything_once),
		BOTH_WAYS(a_file_is_read_and_hashed_as_it_stands),
		BOTH_WAYS(a_copy_is_whole_or_an_error),
		BOTH_WAYS(things_are_compared_by_their_bytes),
		BOTH_WAYS(a_root_that_was_moved_away_is_told),
		BOTH_WAYS(a_folder_held_open_takes_names),
		BOTH_WAYS(names_are_made_linked_renamed_and_removed),
		BOTH_WAYS(a_held_folder_may_go_and_come_back),
		BOTH_WAYS(a_tree_deeper_than_a_path_is_reached),
		BOTH_WAYS(errors_say_what_to_do),
		BOTH_WAYS(the_identity_is_of_the_folder_not_the_path),
	};
	if (own_mounts() < 0) {
		perror("mounts of my own");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
