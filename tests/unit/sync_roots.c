/* Disks that come and go: the root itself, and what is mounted below it. Nothing is ever deleted for them. */
#include "support/own_mounts.h"
#include "support/world.h"

#include "sync/internal.h"

static void test_root_verdicts(void **state) {
	static const struct {
		bool differs;
		size_t sampled, present;
		enum root_verdict verdict;
	} rows[] = {
		{ false, 0, 0, ROOT_SAME },
		{ false, 16, 0, ROOT_SAME },
		{ true, 0, 0, ROOT_RENEWED }, /* nothing was agreed: nothing to lose */
		{ true, 16, 16, ROOT_RENEWED },
		{ true, 16, 8, ROOT_RENEWED },
		{ true, 16, 7, ROOT_OTHER },
		{ true, 16, 0, ROOT_OTHER },
		{ true, 1, 0, ROOT_OTHER },
		{ true, 1, 1, ROOT_RENEWED },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(root_judge(rows[i].differs, rows[i].sampled, rows[i].present),
			rows[i].verdict);
}

static bool is_refused(struct bench *b) {
	struct folder_status status = status_of(b);
	bool refused =
		status.refused_root && status.needs_person && str_equal(status.state, "stopped");
	folder_status_release(&status);
	return refused;
}

static bool is_away(struct bench *b) {
	struct folder_status status = status_of(b);
	bool away = strv_count(status.away) == 1 && str_equal(status.away[0], "d/disk");
	folder_status_release(&status);
	return away;
}

static bool is_back(struct bench *b) {
	struct folder_status status = status_of(b);
	bool back = status.away == NULL;
	folder_status_release(&status);
	return back && is_idle(b);
}

static void fill(struct bench *b) {
	shell("cd '%s' && mkdir -p d/e && for i in 1 2 3 4 5; do echo $i > d/$i; echo $i > d/e/$i; "
	      "echo $i > $i; done",
		b->local);
}

static void test_another_folder_stops(void **state) {
	struct bench *b = *state;
	struct err err;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	world_close(b);
	shell("cp -a '%s' '%s.before' && mv '%s' '%s.away' && mkdir '%s' && echo other > "
	      "'%s/other'",
		b->local, b->local, b->local, b->local, b->local, b->local);
	world_open(b);
	wait_until(b, "it stops", is_refused);
	assert_int_equal(durable(b).kind, ERR_DENIED);
	shell("test -e '%s/d/e/5' && test ! -e '%s/other'", b->cloud, b->cloud);
	/* The folder comes back, if with another inode: it goes on by itself. */
	shell("rm -r '%s' && mv '%s.before' '%s'", b->local, b->local, b->local);
	folder_sync(b->folder);
	wait_until(b, "it goes on", is_idle);
	assert_equal_trees(b);
	struct folder_status status = status_of(b);
	assert_int_equal(status.sent_files, 0);
	assert_null(status.refused_root);
	folder_status_release(&status);
	/* Gone while it runs, and another one there: by then a person may approve exactly that. */
	shell("rm -r '%s.away'; mv '%s' '%s.away' && mkdir '%s' && echo other > '%s/other'",
		b->local, b->local, b->local, b->local, b->local);
	folder_sync(b->folder);
	wait_until(b, "it stops", is_refused);
	status = status_of(b);
	assert_int_equal(folder_approve_root(b->folder, "1:2:3", &err), -1);
	assert_int_equal(folder_approve_root(b->folder, status.refused_root, &err), 0);
	folder_status_release(&status);
	wait_until(b, "it takes the new one", is_idle);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	shell("rm -r '%s.away'", b->local);
	world_close(b);
}

static char *disk_of(struct bench *b) {
	return xasprintf("%s/d/disk", b->local);
}

/* A bind mount has the device of its neighbours, and no event tells that it went. */
static void test_unmounted_is_away(void **state) {
	struct bench *b = *state;
	char *disk = disk_of(b), *source = xasprintf("%s/source", b->dir);
	fill(b);
	shell("mkdir -p '%s' '%s/sub' && echo precious > '%s/file' && echo deep > '%s/sub/file'",
		disk, source, source, source);
	assert_int_equal(mount(source, disk, NULL, MS_BIND, NULL), 0);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("test \"$(cat '%s/d/disk/sub/file')\" = deep", b->cloud);
	assert_int_equal(umount(disk), 0);
	folder_sync(b->folder);
	wait_until(b, "it is away", is_away);
	put(b, "new", "goes on");
	assert_int_equal(durable(b).kind, ERR_NONE);
	/* What somebody writes where it was is not taken for it. */
	shell("echo wrong > '%s/file'; echo wrong > '%s/new'", disk, disk);
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("cd '%s' && test -e new && test -e d/disk/sub/file && test \"$(cat d/disk/file)\" = "
	      "precious && "
	      "test ! -e d/disk/new",
		b->cloud);
	/* Also at the next start, also when the empty folder itself is gone, and its parent. */
	world_again(b);
	wait_until(b, "it is away still", is_away);
	shell("rm -r '%s/d'", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	shell("cd '%s' && test -e d/disk/sub/file && test ! -e d/e/1 && test ! -e d/5", b->cloud);
	/* Back again, with what happened to it meanwhile. */
	shell("mkdir -p '%s' && rm -r '%s/sub' && echo later > '%s/later'", disk, source, source);
	assert_int_equal(mount(source, disk, NULL, MS_BIND, NULL), 0);
	wait_until(b, "it is back", is_back);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	assert_int_equal(umount(disk), 0);
	free(disk);
	free(source);
	world_close(b);
}

/* Left out by the rules from now on, it is forgotten like anything else, there or not. */
static void test_away_and_excluded(void **state) {
	struct bench *b = *state;
	char *disk = disk_of(b), *exclude[] = { (char *)"disk", NULL };
	struct err err;
	shell("mkdir -p '%s'", disk);
	assert_int_equal(mount("none", disk, "tmpfs", 0, NULL), 0);
	shell("echo 1 > '%s/file'", disk);
	put(b, "other", "1");
	world_open(b);
	wait_until(b, "sent", is_idle);
	assert_int_equal(umount(disk), 0);
	folder_sync(b->folder);
	wait_until(b, "it is away", is_away);
	b->settings.exclude = exclude;
	assert_int_equal(folder_apply(b->folder, &b->settings, &err), 0);
	wait_until(b, "it is no longer ours", is_back);
	shell("test -e '%s/d/disk/file'", b->cloud);
	free(disk);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_verdicts),
		cmocka_unit_test_setup_teardown(test_another_folder_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmounted_is_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_away_and_excluded, setup, teardown),
	};
	if (own_mounts() < 0) {
		perror("mounts of our own");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
