/*
 * The SFTP driver keeps the contract of stores, with OpenSSH's server, and with the same one without
 * its extensions.
 * servers: sftp_sshd
 */
#include <unistd.h>

#include "support/told.h"

enum { CONFIG, FOLDER, PORT, SMALL, LINES }; /* the first is ssh's */

static struct told *told;

/* ---- what a person has set wrong is told, with what to do ---- */

static void expect(const struct remote_settings *settings, enum err_kind kind, const char *says) {
	told_expect(told, settings, kind, says);
}

static void wrong_settings_are_told(void **state) {
	struct remote_settings settings = told->settings;

	expect(&settings, ERR_NONE, "");
	settings.host = "tend-stranger";
	expect(&settings, ERR_DENIED, "it took none of our keys: put the public key");

	settings = told->settings;
	settings.remote_path = "/no/such/folder";
	expect(&settings, ERR_OFFLINE, "'/no/such/folder' does not exist at 'tend': create it");
	settings.remote_path = "/etc/passwd";
	expect(&settings, ERR_INVALID, "is no folder: correct `path`");

	settings = told->settings;
	settings.port = 1;
	expect(&settings, ERR_OFFLINE,
		"cannot reach 'tend': ssh: connect to host 127.0.0.1 port 1");

	settings = told->settings;
	settings.host = "no-such-host.invalid";
	expect(&settings, ERR_OFFLINE, "Could not resolve hostname no-such-host.invalid");

	settings = told->settings;
	settings.ssh = "no-such-ssh -v";
	expect(&settings, ERR_INVALID, "install OpenSSH's client, or set `ssh`");
	settings.ssh = "cat";
	expect(&settings, ERR_OFFLINE, "cannot reach 'tend': Try 'cat --help'");
	settings.ssh = "sh -c 'echo welcome to this machine; cat'";
	expect(&settings, ERR_INVALID, "does its login script print anything?");
	settings.ssh = "ssh -F /no/such/config";
	expect(&settings, ERR_INVALID, "Can't open user config file");
}

static void a_host_nobody_knows_is_refused(void **state) {
	struct remote_settings settings = told->settings;
	char *unknown = xasprintf("ssh -F %s -oUserKnownHostsFile=/dev/null", told->lines[CONFIG]);
	char *changed = xasprintf("ssh -F %s -oUserKnownHostsFile=%s/changed", told->lines[CONFIG],
		getenv("TEND_SERVER"));
	char *command =
		xasprintf("printf '[127.0.0.1]:%s %%s\\n' \"$(cut -d' ' -f1-2 '%s/id.pub')\" "
			  ">'%s/changed'",
			told->lines[PORT], getenv("TEND_SERVER"), getenv("TEND_SERVER"));

	settings.ssh = unknown;
	expect(&settings, ERR_DENIED, "its key is not in known_hosts: run `ssh` to it once");
	assert_int_equal(system(command), 0);
	settings.ssh = changed;
	expect(&settings, ERR_DENIED, "its key is not the one in known_hosts");
	free(unknown);
	free(changed);
	free(command);
}

/* The session that had begun ends too. */
static void withdraw_key(void) {
	char *command =
		xasprintf("cd '%s' && rm guests && kill $(cat guest.pid)", getenv("TEND_SERVER"));

	assert_int_equal(system(command), 0);
	free(command);
}

static void give_key_back(void) {
	char *command = xasprintf("cd '%s' && cp id-guest.pub guests", getenv("TEND_SERVER"));

	assert_int_equal(system(command), 0);
	free(command);
}

static void a_key_that_is_withdrawn_is_told(void **state) {
	struct remote_settings settings = told->settings;
	struct bench bench = {
		.contract = &told->contract, .loop = told->contract.loop, .root = "withdrawn"
	};
	struct store_op op;

	settings.host = "tend-guest";
	settings.ssh = xasprintf("sh -c 'echo $$ >\"%s/guest.pid\"; exec ssh -F \"%s\" \"$@\"' ssh",
		getenv("TEND_SERVER"), told->lines[CONFIG]);
	bench.store = told_open(told, &settings, true, &bench.err);
	assert_non_null(bench.store);
	bench_mkdir(&bench, "");
	bench_put(&bench, "file", "first");
	withdraw_key();
	bench_put_init(&bench, &op, "file", "second", 6);
	assert_err(&bench, bench_run(&bench, &op), ERR_DENIED);
	assert_non_null(strstr(bench.err.text, "put the public key into its authorized_keys"));
	give_key_back();
	store_renew(bench.store);
	bench_expect(&bench, "file", "first");
	assert_err(&bench, bench_run(&bench, &op), ERR_NONE);
	bench_expect(&bench, "file", "second");
	store_op_release(&op);
	bench_remove(&bench, "file", STORE_FILE);
	bench_remove(&bench, "", STORE_FOLDER);
	store_free(bench.store);
	free(settings.ssh);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_host_nobody_knows_is_refused),
		cmocka_unit_test(a_key_that_is_withdrawn_is_told),
	};

	told = told_new("sftp", LINES);
	if (!told) return 1;
	struct contract *contract = &told->contract;
	struct remote_settings *settings = &told->settings;
	contract->part_bytes = 1;
	contract->time_grain_ns = NS_PER_S;
	char *ssh = xasprintf("ssh -F %s", told->lines[CONFIG]);
	settings->type = REMOTE_SFTP;
	settings->host = "tend";
	settings->ssh = ssh;
	settings->remote_path = told->lines[FOLDER];
	int failed = cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
	failed += contract_run(contract);
	settings->host = "tend-poor";
	contract->name = "sftp, no extensions";
	failed += contract_run(contract);
	settings->host = "tend";
	settings->remote_path = told->lines[SMALL];
	contract->name = "sftp, full";
	contract->small = true;
	/* Only root can give a server a small disk. */
	if (geteuid() == 0) failed += contract_run(contract);
	told_free(told);
	free(ssh);
	return failed;
}
