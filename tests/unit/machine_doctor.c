/* What `tend doctor` says of a machine, on made-up trees of /proc, /etc and the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/machine.h"

static char root[64];
static struct doctor_ground ground;
static struct findings findings;

static int set_up(void **state) {
	strcpy(root, "/tmp/tend-machine-XXXXXX");
	assert_non_null(mkdtemp(root));
	ground = (struct doctor_ground){ .root = xstrdup(root),
		.system = true,
		.user = xstrdup("me"),
		.home = xstrdup("/home/me") };
	findings_init(&findings);
	return 0;
}

static int tear_down(void **state) {
	char command[128];
	findings_release(&findings);
	doctor_ground_release(&ground);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command); // NOLINT(cert-env33-c): a path of our own
}

/* Makes a file below the root, with the folders that it lies in. */
static void put(const char *path, const char *text) {
	char command[512];
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname %s%s)\"", root, path);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a path of our own
	char *whole = doctor_path(&ground, path);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(whole);
}

/* The one finding of a check that holds these words; its level, and its cure must hold `cure`. */
static enum finding_level level_of(const char *check, const char *words, const char *cure) {
	findings_release(&findings);
	findings_init(&findings);
	checks_run(machine_doctor, &ground, &findings);
	list_each(&findings.list, link) {
		const struct finding *finding = list_entry(link, struct finding, link);
		if (!str_equal(finding->check, check) || !strstr(finding->text, words)) continue;
		if (cure)
			assert_non_null(strstr(finding->cure, cure));
		else
			assert_null(finding->cure);
		return finding->level;
	}
	fail_msg("nothing of '%s' says '%s'", check, words);
	return FINDING_GOOD;
}

#define ROUTE_HEAD \
	"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"

static void a_way_out_and_who_names_it(void **state) {
	assert_int_equal(level_of("network", "no default route", "ip route"), FINDING_ADVICE);
	put("/proc/net/route",
		ROUTE_HEAD "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	assert_int_equal(level_of("network", "no default route", "ip route"), FINDING_ADVICE);
	put("/proc/net/route",
		ROUTE_HEAD "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	assert_int_equal(level_of("network", "names no server", "nameserver"), FINDING_ADVICE);
	put("/etc/resolv.conf", "search example.org\n# nameserver 192.0.2.1\n");
	assert_int_equal(level_of("network", "names no server", "nameserver"), FINDING_ADVICE);
	put("/etc/resolv.conf", "search example.org\nnameserver 192.0.2.1\n");
	assert_int_equal(level_of("network", "default route and", NULL), FINDING_GOOD);
}

static void a_way_out_by_ipv6(void **state) {
	put("/etc/resolv.conf", "nameserver ::1\n");
	put("/proc/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n");
	assert_int_equal(level_of("network", "default route and", NULL), FINDING_GOOD);
	/* What the kernel keeps for itself: unreachable, by lo. */
	put("/proc/net/ipv6_route",
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n");
	assert_int_equal(level_of("network", "no default route", "ip route"), FINDING_ADVICE);
}

static void the_systems_unit(void **state) {
	assert_int_equal(level_of("start", "not booted by systemd", "start tendd"), FINDING_ADVICE);
	put("/run/systemd/system/x", "");
	assert_int_equal(level_of("start", "no unit", "package"), FINDING_ADVICE);
	put("/usr/lib/systemd/system/tend.service", "");
	assert_int_equal(
		level_of("start", "not enabled", "systemctl enable --now tend"), FINDING_ADVICE);
	put("/etc/systemd/system/multi-user.target.wants/tend.service", "");
	assert_int_equal(level_of("start", "is enabled", NULL), FINDING_GOOD);
	assert_int_equal(
		findings_worst(&findings), FINDING_ADVICE); /* the network of an empty tree */
}

static void a_persons_unit_must_outlive_the_session(void **state) {
	ground.system = false;
	put("/run/systemd/system/x", "");
	put("/usr/lib/systemd/system/tend.service", "");
	assert_int_equal(level_of("start", "no unit", "package"), FINDING_ADVICE);
	put("/home/me/.config/systemd/user/tend.service", "");
	assert_int_equal(
		level_of("start", "not enabled", "systemctl --user enable"), FINDING_ADVICE);
	put("/home/me/.config/systemd/user/default.target.wants/tend.service", "");
	assert_int_equal(level_of("start", "is enabled", NULL), FINDING_GOOD);
	assert_int_equal(level_of("start", "when 'me' logs out", "loginctl enable-linger me"),
		FINDING_WRONG);
	put("/var/lib/systemd/linger/me", "");
	assert_int_equal(level_of("start", "'me' lingers", NULL), FINDING_GOOD);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_way_out_and_who_names_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_way_out_by_ipv6, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_systems_unit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_persons_unit_must_outlive_the_session, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
