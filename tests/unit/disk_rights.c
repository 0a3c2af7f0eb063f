/*
 * A disk with a user's rights, opened by root: what that user may not do is not done, whatever root
 * may; and the thread is root's again behind every call.
 *
 * Without root there are no other users to be: then it is tested that nobody pretends.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "disk/disk.h"

/* Numbers that no user here has. */
enum { SOPH = 64321, OTHER = 64322, PARTY = 64400 };

struct scene {
	char top[64];
	char root[80];
	struct disk *disk; /* soph's, who is also of the party */
	struct err err;
};

static struct disk_rights *soph(struct err *err) {
	static const gid_t groups[] = { SOPH, PARTY };
	return disk_rights_new(SOPH, SOPH, groups, ARRAY_LEN(groups), err);
}

static void own(const char *path, uid_t uid, gid_t gid, int mode) {
	assert_int_equal(chown(path, uid, gid), 0);
	assert_int_equal(chmod(path, (mode_t)mode), 0);
}

static int open_scene(void **state, const char *without) {
	struct scene *scene = xcalloc(1, sizeof(*scene));

	snprintf(scene->top, sizeof(scene->top), "/tmp/tend-rights-XXXXXX");
	assert_non_null(mkdtemp(scene->top));
	own(scene->top, 0, 0, 0711);
	snprintf(scene->root, sizeof(scene->root), "%s/root", scene->top);
	assert_int_equal(mkdir(scene->root, 0755), 0);
	own(scene->root, SOPH, SOPH, 0700);
	setenv("TEND_WITHOUT", without, 1);
	struct disk_rights *rights = soph(&scene->err);
	assert_non_null(rights);
	scene->disk = disk_open_as(scene->root, rights, &scene->err);
	assert_non_null(scene->disk);
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
	char *command = xasprintf("rm -rf '%s'", scene->top);

	disk_close(scene->disk);
	assert_int_equal(system(command), 0);
	free(command);
	free(scene);
	unsetenv("TEND_WITHOUT");
	/* Whatever the test called, the thread is root's. */
	assert_int_equal(setfsuid((uid_t)-1), 0);
	assert_int_equal(setfsgid((gid_t)-1), (int)getegid());
	return 0;
}

static char *at(struct scene *scene, const char *path) {
	static char text[4][512];
	static int turn;
	char *here = text[turn++ % 4];

	snprintf(here, 512, "%s/%s", scene->root, path);
	return here;
}

static void put(struct scene *scene, const char *path, uid_t uid, gid_t gid, int mode) {
	FILE *file = fopen(at(scene, path), "w");

	assert_non_null(file);
	assert_true(fputs("bytes", file) >= 0);
	assert_int_equal(fclose(file), 0);
	own(at(scene, path), uid, gid, mode);
}

static void expect(struct scene *scene, int rc, enum err_kind kind) {
	assert_int_equal(rc, -1);
	if (scene->err.kind != kind) print_error("%s\n", scene->err.text);
	assert_int_equal(scene->err.kind, kind);
	err_clear(&scene->err);
	/* Also behind a failure. */
	assert_int_equal(setfsuid((uid_t)-1), 0);
}

static void fine(struct scene *scene, int rc) {
	if (rc < 0) print_error("%s\n", scene->err.text);
	assert_true(rc >= 0);
	assert_int_equal(setfsuid((uid_t)-1), 0);
}

static int read_it(struct scene *scene, const char *path) {
	struct disk_stat stat;
	struct buf body;

	buf_init(&body, 0);
	int rc = disk_read(scene->disk, path, 100, &body, DIGEST_MD5, NULL, &stat, &scene->err);
	if (rc == 0) assert_string_equal(body.at, "bytes");
	buf_release(&body);
	return rc;
}

static void files_are_read_with_the_users_rights(void **state) {
	struct scene *scene = *state;
	static const struct {
		const char *name;
		uid_t uid;
		gid_t gid;
		int mode;
		bool may;
	} rows[] = {
		{ "own", SOPH, SOPH, 0600, true },
		{ "own-closed", SOPH, SOPH, 0000, false },
		{ "roots", 0, 0, 0600, false },
		{ "roots-group", 0, 0, 0640, false }, /* root's groups are laid down too */
		{ "roots-open", 0, 0, 0604, true },
		{ "group", OTHER, SOPH, 0640, true },
		{ "party", OTHER, PARTY, 0640, true },
		{ "others", OTHER, OTHER, 0660, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put(scene, rows[i].name, rows[i].uid, rows[i].gid, rows[i].mode);
		if (rows[i].may)
			fine(scene, read_it(scene, rows[i].name));
		else
			expect(scene, read_it(scene, rows[i].name), ERR_DENIED);
	}
}

static void folders_are_looked_through_with_the_users_rights(void **state) {
	struct scene *scene = *state;
	struct disk_stat stat;
	struct disk_list list;
	struct err *err = &scene->err;

	mkdir(at(scene, "roots"), 0755);
	put(scene, "roots/file", 0, 0, 0644);
	own(at(scene, "roots"), 0, 0, 0700);
	mkdir(at(scene, "names"), 0755);
	put(scene, "names/file", SOPH, SOPH, 0600);
	own(at(scene, "names"), 0, 0, 0704); /* may be listed, not entered */
	fine(scene, disk_stat(scene->disk, "roots", &stat, err));
	expect(scene, disk_stat(scene->disk, "roots/file", &stat, err), ERR_DENIED);
	expect(scene, read_it(scene, "roots/file"), ERR_DENIED);
	expect(scene, disk_list(scene->disk, "roots", &list, err), ERR_DENIED);
	expect(scene, disk_is_empty(scene->disk, "roots", err), ERR_DENIED);
	fine(scene, disk_list(scene->disk, "names", &list, err));
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].err.kind, ERR_DENIED);
	disk_list_release(&list);
	fine(scene, disk_list(scene->disk, "", &list, err));
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[1].err.kind, ERR_NONE);
	disk_list_release(&list);
}

static void what_is_made_is_the_users(void **state) {
	struct scene *scene = *state;
	struct disk *disk = scene->disk;
	struct err *err = &scene->err;
	struct stat stat;
	char *name = NULL;

	fine(scene, disk_mkdir(disk, "made", 0750, err));
	disk_hold(disk, "made");
	for (int i = 0; i < 2; i++) {
		int fd = disk_create_beside(disk, i ? "" : "made", "hint", &name, err);
		fine(scene, fd);
		fine(scene, disk_write_span(fd, 0, "bytes", 5, err));
		fine(scene, disk_close_written(fd, err));
		fine(scene, disk_rename(disk, name, i ? "new" : "made/new", false, err));
		free(name);
	}
	fine(scene, disk_symlink(disk, "new", "link", err));
	fine(scene, disk_append(disk, "log", "line\n", err));
	fine(scene, disk_mkdir_parents(disk, "deep/er/file", err));
	fine(scene, disk_check_writable(disk, err));
	static const char *const made[] = { "made", "made/new", "new", "link", "log", "deep/er" };
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		assert_int_equal(lstat(at(scene, made[i]), &stat), 0);
		assert_int_equal(stat.st_uid, SOPH);
		assert_int_equal(stat.st_gid, SOPH);
	}
}

static void what_the_user_may_not_change_stays(void **state) {
	struct scene *scene = *state;
	struct disk *disk = scene->disk;
	struct err *err = &scene->err;
	char *name = NULL;

	mkdir(at(scene, "roots"), 0755);
	put(scene, "roots/file", 0, 0, 0644);
	put(scene, "mine", SOPH, SOPH, 0644);
	expect(scene, disk_mkdir(disk, "roots/new", 0755, err), ERR_DENIED);
	expect(scene, disk_create(disk, "roots/new", 0644, err), ERR_DENIED);
	expect(scene, disk_create_beside(disk, "roots", "", &name, err), ERR_DENIED);
	expect(scene, disk_open_write(disk, "roots/file", err), ERR_DENIED);
	expect(scene, disk_append(disk, "roots/file", "more", err), ERR_DENIED);
	expect(scene, disk_set(disk, "roots/file", 1, -1, err), ERR_DENIED);
	expect(scene, disk_set(disk, "roots/file", DISK_TIME_KEEP, 0666, err), ERR_DENIED);
	expect(scene, disk_symlink(disk, "x", "roots/link", err), ERR_DENIED);
	expect(scene, disk_link(disk, "mine", "roots/mine", err), ERR_DENIED);
	expect(scene, disk_rename(disk, "mine", "roots/mine", true, err), ERR_DENIED);
	expect(scene, disk_rename(disk, "roots/file", "taken", false, err), ERR_DENIED);
	expect(scene, disk_remove(disk, "roots/file", err), ERR_DENIED);
	expect(scene, disk_rmdir(disk, "roots/file", err), ERR_DENIED);
	fine(scene, disk_remove(disk, "mine", err));
	own(scene->root, 0, 0, 0755);
	expect(scene, disk_check_writable(disk, err), ERR_DENIED);
}

static void the_way_to_the_root_is_the_users_too(void **state) {
	struct scene *scene = *state;
	struct disk_identity identity;
	struct err *err = &scene->err;
	char *link = xasprintf("%s/link", scene->top);

	assert_true(disk_is_there(scene->disk));
	fine(scene, disk_identity_now(scene->disk, &identity, err));
	own(scene->top, 0, 0, 0700);
	assert_false(disk_is_there(scene->disk));
	expect(scene, disk_identity_now(scene->disk, &identity, err), ERR_DENIED);
	assert_null(disk_open_as(scene->root, soph(err), err));
	assert_int_equal(err->kind, ERR_DENIED);
	assert_int_equal(setfsuid((uid_t)-1), 0);
	/* Nor does a link in the user's own folder lead further than the user could go. */
	put(scene, "file", 0, 0, 0644);
	own(scene->root, 0, 0, 0700);
	assert_int_equal(symlink(scene->root, link), 0);
	assert_int_equal(lchown(link, SOPH, SOPH), 0);
	own(scene->top, 0, 0, 0711);
	struct disk *disk = disk_open_as(link, soph(err), err);
	struct disk_stat stat;
	assert_non_null(disk);
	expect(scene, disk_stat(disk, "file", &stat, err), ERR_DENIED);
	disk_close(disk);
	free(link);
}

static void what_others_look_up_between_is_the_users(void **state) {
	struct scene *scene = *state;
	struct stat stat;
	int before, groups = getgroups(0, NULL);

	put(scene, "roots", 0, 0, 0600);
	disk_enter(scene->disk);
	disk_enter(scene->disk);
	disk_leave(scene->disk);
	before = open(at(scene, "roots"), O_RDONLY | O_CLOEXEC);
	int errnum = errno;
	int made = open(at(scene, "made"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	errno = EDOM;
	disk_leave(scene->disk);
	assert_int_equal(errno, EDOM);
	assert_int_equal(before, -1);
	assert_int_equal(errnum, EACCES);
	assert_true(made >= 0);
	assert_int_equal(fstat(made, &stat), 0);
	assert_int_equal(stat.st_uid, SOPH);
	close(made);
	int after = open(at(scene, "roots"), O_RDONLY | O_CLOEXEC);
	assert_true(after >= 0);
	close(after);
	assert_int_equal(getgroups(0, NULL), groups);
	/* Nothing that signals or starts goes by: it is files alone. */
	assert_int_equal(geteuid(), 0);
}

/* ---- live databases ---- */

/* Of soph's: commits rows that stay in the log, then waits to be killed. */
static pid_t start_writer(struct scene *scene) {
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		sqlite3 *db = NULL;
		umask(077);
		if (setresgid(SOPH, SOPH, SOPH) < 0 || setresuid(SOPH, SOPH, SOPH) < 0) _exit(98);
		if (sqlite3_open(at(scene, "chat.db"), &db) != SQLITE_OK ||
			sqlite3_exec(db,
				"PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
				"CREATE TABLE t(x); INSERT INTO t VALUES('in the log')",
				NULL, NULL, NULL) != SQLITE_OK ||
			write(ready[1], "r", 1) != 1)
			_exit(97);
		for (;;) pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void end_writer(pid_t child) {
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static int note_text(void *user, int columns, char **values, char **names) {
	snprintf(user, 32, "%s", values[0]);
	return 0;
}

/* The image holds the row and is root's; what lies beside the source is soph's alone. */
static void expect_image(struct scene *scene, const char *image) {
	static const char *const beside[] = { "chat.db", "chat.db-wal", "chat.db-shm" };
	char text[32] = "";
	struct stat stat;
	sqlite3 *db = NULL;
	char *uri = xasprintf("file:%s?immutable=1", image);

	assert_int_equal(lstat(image, &stat), 0);
	assert_int_equal(stat.st_uid, 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	assert_int_equal(
		sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT x FROM t", note_text, text, NULL), SQLITE_OK);
	assert_string_equal(text, "in the log");
	sqlite3_close(db);
	free(uri);
	for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
		if (lstat(at(scene, beside[i]), &stat) < 0) continue;
		assert_int_equal(stat.st_uid, SOPH);
		assert_int_equal(stat.st_gid, SOPH);
	}
}

static void a_database_is_read_as_its_user_and_its_image_is_ours(void **state) {
	struct scene *scene = *state;
	struct disk_snapshot snapshot;
	struct disk_list before, after;
	struct err *err = &scene->err;
	char *image = xasprintf("%s/image", scene->top);

	pid_t writer = start_writer(scene);
	fine(scene, disk_list(scene->disk, "", &before, err));
	assert_int_equal(before.count, 3);
	fine(scene, disk_snapshot(scene->disk, "chat.db", image, DIGEST_MD5, &snapshot, err));
	expect_image(scene, image);
	fine(scene, disk_list(scene->disk, "", &after, err));
	assert_int_equal(after.count, 3);
	disk_list_release(&before);
	disk_list_release(&after);
	/* A log that root has put there is not soph's to read: there is no image, rather than one by
	 * root's rights. */
	own(at(scene, "chat.db-wal"), 0, 0, 0600);
	expect(scene, disk_snapshot(scene->disk, "chat.db", image, DIGEST_MD5, &snapshot, err),
		ERR_DENIED);
	own(at(scene, "chat.db-wal"), SOPH, SOPH, 0600);
	/* After a crash: a log without its index is copied, and repaired in the copy. */
	end_writer(writer);
	assert_int_equal(unlink(at(scene, "chat.db-shm")), 0);
	for (int tries = 0; tries < 1000; tries++) {
		int rc = disk_snapshot(scene->disk, "chat.db", image, DIGEST_MD5, &snapshot, err);
		if (rc == 0) break;
		assert_int_equal(err->kind, ERR_BUSY); /* written a moment ago */
		usleep(1000);
	}
	expect_image(scene, image);
	assert_int_equal(access(at(scene, "chat.db-shm"), F_OK), -1);
	free(image);
}

/* In a container that keeps root from it, it is said, not done as root. */
static void where_it_is_not_allowed_it_is_said(void **state) {
	static const gid_t none = SOPH;
	struct err err = { 0 };

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setresuid(SOPH, SOPH, SOPH) < 0) _exit(98);
		_exit(!disk_rights_new(OTHER, OTHER, &none, 1, &err) && err.kind == ERR_DENIED ? 0
											       : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void) {
#define ON_BOTH(test)                                                          \
	cmocka_unit_test_setup_teardown(test, setup, teardown), {              \
#test ", without openat2", test, setup_without, teardown, NULL \
	}
	const struct CMUnitTest as_root[] = {
		ON_BOTH(files_are_read_with_the_users_rights),
		ON_BOTH(folders_are_looked_through_with_the_users_rights),
		ON_BOTH(what_is_made_is_the_users),
		ON_BOTH(what_the_user_may_not_change_stays),
		cmocka_unit_test_setup_teardown(
			the_way_to_the_root_is_the_users_too, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_others_look_up_between_is_the_users, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_database_is_read_as_its_user_and_its_image_is_ours, setup, teardown),
		cmocka_unit_test(where_it_is_not_allowed_it_is_said),
	};
	const struct CMUnitTest as_others[] = {
		cmocka_unit_test(where_it_is_not_allowed_it_is_said),
	};

	umask(022);
	if (geteuid() != 0) return cmocka_run_group_tests(as_others, NULL, NULL);
	return cmocka_run_group_tests(as_root, NULL, NULL);
}
