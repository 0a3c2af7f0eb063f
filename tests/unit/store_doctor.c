/* What `tend doctor` says of configuration, secrets, disk and remotes when they are made bad. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "disk/disk.h"
#include "http/http.h"
#include "process/process.h"
#include "store/store.h"

static char folder[64];
static struct doctor_ground ground;
static struct findings findings;

static int set_up(void **state) {
	strcpy(folder, "/tmp/tend-doctor-XXXXXX");
	assert_non_null(mkdtemp(folder));
	ground = (struct doctor_ground){ .root = xstrdup(folder) };
	findings_init(&findings);
	return 0;
}

static int tear_down(void **state) {
	char command[128];
	findings_release(&findings);
	doctor_ground_release(&ground);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

static char *put(const char *name, const char *text, mode_t mode) {
	char *path = path_join(folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void look(const struct doctor_check *checks) {
	findings_release(&findings);
	findings_init(&findings);
	checks_run(checks, &ground, &findings);
}

static const struct finding *about(const char *check, const char *words) {
	list_each(&findings.list, link) {
		const struct finding *finding = list_entry(link, struct finding, link);
		if (str_equal(finding->check, check) && strstr(finding->text, words))
			return finding;
	}
	fail_msg("nothing of '%s' says '%s'", check, words);
	return NULL;
}

static void no_configuration_is_a_persons_affair(void **state) {
	look(config_doctor);
	assert_int_equal(about("configuration", "no configuration yet")->level, FINDING_PERSON);
	assert_string_equal(about("configuration", "")->cure, "tend init");
}

static void a_configuration_that_others_can_write(void **state) {
	ground.file = put("tend.ini", "", 0646);
	strv_add(&ground.files, ground.file);
	look(config_doctor);
	assert_int_equal(about("configuration", "can be written by others")->level, FINDING_PERSON);
	assert_true(str_starts(about("configuration", "written")->cure, "chmod go-w "));
	/* A group of a person's own may write a file of his; what root reads it may not. */
	assert_int_equal(chmod(ground.file, 0664), 0);
	look(config_doctor);
	assert_int_equal(about("configuration", "its owner alone")->level, FINDING_GOOD);
	ground.system = true;
	look(config_doctor);
	assert_int_equal(findings_worst(&findings), FINDING_PERSON);
	strv_add(&ground.files, "/nonexistent/more.ini");
	look(config_doctor);
	assert_int_equal(about("configuration", "more.ini")->level, FINDING_PERSON);
}

/* Read leniently, as the command does: a secret that is open never becomes a setting, and is told all the same. */
static void secrets_are_closed(void **state) {
	static const struct config_table *const tables[] = { &store_remote_table, NULL };
	const struct config_options options = { .tables = tables, .lenient = true, .home = folder };
	struct config_errors errors = { 0 };
	struct err err;
	char *file = put("tend.ini",
		"[remote a]\ntype = s3\nbucket = b\naccess_key_id = k\n"
		"secret_access_key_file = ~/open\n"
		"[remote b]\ntype = webdav\nurl = https://x.example.org/\nuser = u\n"
		"password_file = ~/closed\n"
		"[remote c]\ntype = azure\naccount = a\ncontainer = c\nkey_file = ~/missing\n",
		0600);
	char *open_one = put("open", "secret", 0640), *closed = put("closed", "secret", 0600);
	struct config *config = config_read(file, &options, &errors, &err);

	assert_non_null(config);
	config_doctor_ground(config, folder, &ground);
	assert_string_equal(ground.file, file);
	assert_int_equal(ground.secret_count, 3);
	look(config_doctor);
	const struct finding *finding = about("secrets", "[remote a] secret_access_key_file: '");
	assert_int_equal(finding->level, FINDING_PERSON);
	assert_non_null(strstr(finding->text, "0640"));
	assert_true(str_starts(finding->cure, "chmod 600 "));
	assert_true(str_ends(finding->cure, open_one));
	assert_int_equal(about("secrets", "[remote b] password_file")->level, FINDING_GOOD);
	assert_int_equal(about("secrets", "[remote c] key_file")->level, FINDING_PERSON);
	ground.system = true;
	char *etc = path_join(folder, "etc/tend/secrets"), command[256];
	snprintf(command, sizeof(command), "mkdir -p -m 755 %s", etc);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
	look(config_doctor);
	assert_string_equal(
		about("secrets", "open to others")->cure, "chmod 700 /etc/tend/secrets");
	config_free(config);
	config_errors_release(&errors);
	free(etc);
	free(file);
	free(open_one);
	free(closed);
}

static void room_for_state(void **state) {
	assert_int_equal(disk_room_level(0), FINDING_WRONG);
	assert_int_equal(disk_room_level((64LL << 20) - 1), FINDING_WRONG);
	assert_int_equal(disk_room_level(64LL << 20), FINDING_ADVICE);
	assert_int_equal(disk_room_level(1LL << 30), FINDING_GOOD);
	/* It is made at the first start: the disk is that of what stands above. */
	ground.state_dir = path_join(folder, "not/yet/there");
	look(disk_doctor);
	assert_non_null(about("state", "are free for tend's state"));
	free(ground.state_dir);
	ground.state_dir = xstrdup("/proc/self/nothing");
	look(disk_doctor);
	assert_int_equal(about("state", "/proc")->level, FINDING_WRONG);
}

static void folders_that_cannot_be_read(void **state) {
	char *file = put("file", "", 0600);
	doctor_add_folder(&ground, "good", folder, 0);
	doctor_add_folder(&ground, "gone", "/nonexistent/photos", 0);
	doctor_add_folder(&ground, "odd", file, 0);
	look(disk_doctor);
	assert_int_equal(about("folders", "'good'")->level, FINDING_GOOD);
	assert_int_equal(about("folders", "'gone'")->level, FINDING_ADVICE);
	assert_non_null(strstr(about("folders", "'gone'")->cure, "mount its disk"));
	assert_int_equal(about("folders", "'odd'")->level, FINDING_PERSON);
	assert_non_null(about("folders", "'odd'")->cure);
	free(file);
}

static void open_files(void **state) {
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ground.descriptors = 10;
	look(process_doctor);
	assert_true(list_empty(&findings.list)); /* a command's own limits say nothing */
	ground.daemon = true;
	look(process_doctor);
	assert_int_equal(about("files", "open")->level, FINDING_GOOD);
	ground.descriptors = (int64_t)limit.rlim_cur + 1;
	look(process_doctor);
	assert_int_equal(about("files", "may want")->level, FINDING_WRONG);
	assert_non_null(strstr(about("files", "may want")->cure, "LimitNOFILE="));
}

/* ---- remotes ---- */

static void clocks_that_differ(void **state) {
	static const struct {
		int64_t off_s;
		int level; /* -1: nothing is said */
		const char *words;
	} cases[] = {
		{ 0, -1, NULL },
		{ 5, -1, NULL },
		{ -5, -1, NULL },
		{ 6, FINDING_ADVICE, "6 s behind" },
		{ -300, FINDING_ADVICE, "300 s before" },
		{ 301, FINDING_WRONG, "301 s behind" },
		{ -100000, FINDING_WRONG, "100000 s before" },
	};
	const int64_t now_ns = 1800000000 * NS_PER_S;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		findings_release(&findings);
		findings_init(&findings);
		store_doctor_skew("cloud", now_ns + cases[i].off_s * NS_PER_S, now_ns, &findings);
		if (cases[i].level < 0) {
			assert_true(list_empty(&findings.list));
			continue;
		}
		const struct finding *finding = about("", cases[i].words);
		assert_int_equal(finding->level, cases[i].level);
		assert_string_equal(finding->cure, "timedatectl set-ntp true");
	}
	store_doctor_skew("cloud", 0, now_ns, &findings); /* not known */
	assert_int_equal(findings_worst(&findings), FINDING_WRONG);
}

static void all_asked(struct store_doctor *doctor, void *user) {
	*(bool *)user = true;
}

static void remotes_answer_or_not(void **state) {
	struct err err;
	bool over = false;
	char *cloud = path_join(folder, "cloud"), *gone = path_join(folder, "gone");
	struct loop *loop = loop_new(1, &err);
	struct http *http = http_new(loop);
	struct store_doctor *doctor = store_doctor_new(loop, http);
	struct remote_settings good = { .type = REMOTE_DIRECTORY, .path = cloud },
			       bad = { .type = REMOTE_DIRECTORY, .path = gone };

	assert_int_equal(mkdir(cloud, 0700), 0);
	store_doctor_add(doctor, "good", &good);
	store_doctor_add(doctor, "bad", &bad);
	store_doctor_start(doctor, all_asked, &over);
	assert_false(over);
	loop_run_until(loop, &over);
	store_doctor_tell(doctor, &findings);
	store_doctor_free(doctor);
	assert_int_equal(about("remotes", "remote 'good'")->level, FINDING_GOOD);
	assert_true(about("remotes", "remote 'bad'")->level >= FINDING_WRONG);
	assert_string_equal(about("remotes", "remote 'bad'")->cure, "tend remote check bad");
	/* None at all, and an end that comes while they are asked. */
	over = false;
	doctor = store_doctor_new(loop, http);
	store_doctor_start(doctor, all_asked, &over);
	loop_run_until(loop, &over);
	store_doctor_free(doctor);
	over = false;
	doctor = store_doctor_new(loop, http);
	store_doctor_add(doctor, "good", &good);
	store_doctor_start(doctor, all_asked, &over);
	store_doctor_cancel(doctor);
	loop_run_until(loop, &over);
	store_doctor_free(doctor);
	http_free(http);
	loop_free(loop);
	free(cloud);
	free(gone);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			no_configuration_is_a_persons_affair, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_configuration_that_others_can_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_are_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(room_for_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(folders_that_cannot_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clocks_that_differ, set_up, tear_down),
		cmocka_unit_test_setup_teardown(remotes_answer_or_not, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
