/*
 * The SFTP driver keeps the contract of stores, with OpenSSH's server, and with the same one without
 * its extensions.
 * servers: sftp_sshd
 */
#include <stdio.h>

#include "support/contract.h"

struct world {
	struct remote_settings settings;
	char *lines[3]; /* ssh's configuration, the folder, the port */
};

struct probe {
	struct store_op op;
	bool done;
	struct err err;
};

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;

	return store_open(contract->loop, NULL, "cloud", &world->settings, NULL, err);
}

static void close_store(struct contract *contract, struct store *store) {
	store_free(store);
}

static int read_server(struct world *world) {
	const char *server = getenv("TEND_SERVER");
	char *path = xasprintf("%s/server", server ? server : ""), line[256];
	FILE *file = fopen(path, "re");
	size_t count = 0;

	while (file && count < ARRAY_LEN(world->lines) && fgets(line, sizeof(line), file)) {
		str_trim(line);
		world->lines[count++] = xstrdup(line);
	}
	if (file) fclose(file);
	if (count < ARRAY_LEN(world->lines))
		fprintf(stderr,
			"no server at '%s': start one with tests/support/start-sftp-sshd, and name "
			"its folder in TEND_SERVER\n",
			path);
	free(path);
	return count < ARRAY_LEN(world->lines) ? -1 : 0;
}

/* ---- what a person has set wrong is told, with what to do ---- */

static struct contract *told;

static void probe_done(struct store_op *op, const struct err *err) {
	struct probe *probe = container_of(op, struct probe, op);

	if (err) probe->err = *err;
	probe->done = true;
}

static struct err ask(const struct remote_settings *settings) {
	struct err err;
	struct store *store = store_open(told->loop, NULL, "cloud", settings, NULL, &err);
	struct probe probe = { 0 };

	if (!store) return err;
	store_op_init(&probe.op, STORE_ABOUT, "");
	probe.op.done = probe_done;
	store_start(store, &probe.op);
	loop_run_until(told->loop, &probe.done);
	store_op_release(&probe.op);
	store_free(store);
	return probe.err;
}

static void expect(const struct remote_settings *settings, enum err_kind kind, const char *says) {
	struct err err = ask(settings);

	if (err.kind != kind || !strstr(err.text, says))
		fail_msg("%s instead of '%s': %s", err_kind_name(err.kind), says, err.text);
}

static void wrong_settings_are_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;
	struct err err = ask(&settings);

	if (err.kind != ERR_NONE) fail_msg("%s", err.text);
	settings.host = "tend-stranger";
	expect(&settings, ERR_DENIED, "it took none of our keys: put the public key");

	settings = world->settings;
	settings.remote_path = "/no/such/folder";
	expect(&settings, ERR_OFFLINE, "'/no/such/folder' does not exist at 'tend': create it");
	settings.remote_path = "/etc/passwd";
	expect(&settings, ERR_INVALID, "is no folder: correct `path`");

	settings = world->settings;
	settings.port = 1;
	expect(&settings, ERR_OFFLINE,
		"cannot reach 'tend': ssh: connect to host 127.0.0.1 port 1");

	settings = world->settings;
	settings.host = "no-such-host.invalid";
	expect(&settings, ERR_OFFLINE, "Could not resolve hostname no-such-host.invalid");

	settings = world->settings;
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
	struct world *world = told->user;
	struct remote_settings settings = world->settings;
	char *unknown = xasprintf("ssh -F %s -oUserKnownHostsFile=/dev/null", world->lines[0]);
	char *changed = xasprintf("ssh -F %s -oUserKnownHostsFile=%s/changed", world->lines[0],
		getenv("TEND_SERVER"));
	char *command =
		xasprintf("printf '[127.0.0.1]:%s %%s\\n' \"$(cut -d' ' -f1-2 '%s/id.pub')\" "
			  ">'%s/changed'",
			world->lines[2], getenv("TEND_SERVER"), getenv("TEND_SERVER"));

	settings.ssh = unknown;
	expect(&settings, ERR_DENIED, "its key is not in known_hosts: run `ssh` to it once");
	assert_int_equal(system(command), 0);
	settings.ssh = changed;
	expect(&settings, ERR_DENIED, "its key is not the one in known_hosts");
	free(unknown);
	free(changed);
	free(command);
}

static int run_wrong_settings(struct contract *contract) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_host_nobody_knows_is_refused),
	};

	told = contract;
	return cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.name = "sftp",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 1,
		.time_grain_ns = NS_PER_S,
	};

	if (!contract.loop || read_server(&world)) return 1;
	world.settings.type = REMOTE_SFTP;
	world.settings.host = "tend";
	world.settings.ssh = xasprintf("ssh -F %s", world.lines[0]);
	world.settings.remote_path = world.lines[1];
	world.settings.timeout_ms = 60000;
	int failed = run_wrong_settings(&contract);
	failed += contract_run(&contract);
	world.settings.host = "tend-poor";
	contract.name = "sftp, no extensions";
	failed += contract_run(&contract);

	loop_free(contract.loop);
	free(world.settings.ssh);
	for (size_t i = 0; i < ARRAY_LEN(world.lines); i++) free(world.lines[i]);
	return failed;
}
