/* What `tend doctor` says of the limits of watches, against made-up limits and folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "watch/watch.h"

static char root[64];
static struct doctor_ground ground;
static struct findings findings;

static int set_up(void **state) {
	char command[256];
	strcpy(root, "/tmp/tend-watches-XXXXXX");
	assert_non_null(mkdtemp(root));
	ground = (struct doctor_ground){ .root = xstrdup(root) };
	findings_init(&findings);
	snprintf(command, sizeof(command), "mkdir -p %s/proc/sys/fs/inotify", root);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

static int tear_down(void **state) {
	char command[128];
	findings_release(&findings);
	doctor_ground_release(&ground);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

static void limits(int watches, int instances) {
	char command[512];
	snprintf(command, sizeof(command),
		"cd %s/proc/sys/fs/inotify && echo %d >max_user_watches && echo %d "
		">max_user_instances",
		root, watches, instances);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
	findings_release(&findings);
	findings_init(&findings);
	checks_run(watch_doctor, &ground, &findings);
}

static const struct finding *found(size_t which) {
	list_each(&findings.list, link) {
		if (which-- == 0) return list_entry(link, struct finding, link);
	}
	return NULL;
}

static void known_counts_are_compared(void **state) {
	doctor_add_folder(&ground, "a", "/nowhere", 699);
	doctor_add_folder(&ground, "b", "/nowhere", 99);
	limits(10000, 128);
	assert_int_equal(found(0)->level, FINDING_GOOD);
	assert_null(found(0)->cure);
	assert_non_null(strstr(found(0)->text, "all 800 folders"));
	assert_null(found(1));
	limits(900, 128);
	assert_int_equal(found(0)->level, FINDING_ADVICE);
	assert_non_null(strstr(found(0)->text, "800 of 900"));
	limits(799, 128);
	assert_int_equal(found(0)->level, FINDING_WRONG);
	assert_non_null(strstr(found(0)->text, "799"));
	assert_string_equal(found(0)->cure,
		"put 'fs.inotify.max_user_watches=65536' into /etc/sysctl.d/50-tend.conf, then: "
		"sysctl --system");
	limits(800, 8);
	assert_int_equal(found(0)->level, FINDING_ADVICE);
	assert_int_equal(found(1)->level, FINDING_ADVICE);
	assert_non_null(strstr(found(1)->cure, "max_user_instances=512"));
}

/* As root one mark watches all. Wants root. */
static void the_machines_own_has_no_such_limit(void **state) {
	doctor_add_folder(&ground, "a", "/nowhere", 799);
	ground.system = true;
	limits(799, 128);
	assert_int_equal(found(0)->level, FINDING_GOOD);
	assert_non_null(strstr(found(0)->text, "by fanotify"));
	setenv("TEND_WITHOUT", "fanotify", 1);
	limits(799, 128);
	unsetenv("TEND_WITHOUT");
	assert_int_equal(found(0)->level, FINDING_WRONG);
	limits(1000, 128);
	assert_non_null(strstr(found(0)->text, "all 800 folders"));
	setenv("TEND_FANOTIFY_FROM", "800", 1);
	limits(1000, 128);
	unsetenv("TEND_FANOTIFY_FROM");
	assert_non_null(strstr(found(0)->text, "by fanotify"));
}

/* Without tendd nobody knows how many there are. */
static void folders_that_are_not_known_are_counted(void **state) {
	char command[512], *data = path_join(root, "data");
	snprintf(command, sizeof(command),
		"mkdir -p %s/a/b/c %s/d && touch %s/a/file && ln -s a %s/link", data, data, data,
		data);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
	doctor_add_folder(&ground, "data", data, -1);
	limits(1000, 128);
	assert_non_null(strstr(found(0)->text, "all 5 folders"));
	limits(4, 128);
	assert_int_equal(found(0)->level, FINDING_WRONG);
	/* One that is not there has none, and does no harm. */
	doctor_add_folder(&ground, "gone", "/nonexistent/folder", -1);
	limits(1000, 128);
	assert_non_null(strstr(found(0)->text, "all 5 folders"));
	free(data);
}

static void limits_that_nobody_tells_are_none(void **state) {
	doctor_add_folder(&ground, "a", "/nowhere", 100000);
	findings_release(&findings);
	findings_init(&findings);
	checks_run(watch_doctor, &ground, &findings);
	assert_int_equal(found(0)->level, FINDING_GOOD);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_counts_are_compared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_machines_own_has_no_such_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			folders_that_are_not_known_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			limits_that_nobody_tells_are_none, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
