/*
 * The S3 driver keeps the contract of stores, with each real server.
 * servers: s3_rgw s3_swift
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "http/http.h"
#include "support/contract.h"

struct world {
	struct http *http;
	struct remote_settings settings;
	bool probe;     /* what is opened asks first which conditions the server keeps */
	char *lines[5]; /* endpoint, access key, secret, region, bucket */
};

struct probe {
	struct store_op op;
	bool done;
	struct err err;
};

static void probe_done(struct store_op *op, const struct err *err) {
	struct probe *probe = container_of(op, struct probe, op);

	if (err) probe->err = *err;
	probe->done = true;
}

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;
	struct store *store =
		store_open(contract->loop, world->http, "cloud", &world->settings, NULL, err);
	struct probe probe = { 0 };

	if (!store || !world->probe) return store;
	store_op_init(&probe.op, STORE_ABOUT, "");
	probe.op.done = probe_done;
	store_start(store, &probe.op);
	loop_run_until(contract->loop, &probe.done);
	if (probe.err.kind == ERR_NONE) return store;
	*err = probe.err;
	store_free(store);
	return NULL;
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
	if (count < ARRAY_LEN(world->lines)) {
		fprintf(stderr,
			"no server at '%s': start one with tests/support/start-rgw or start-swift, "
			"and "
			"name its folder in TEND_SERVER\n",
			path);
	}
	free(path);
	return count < ARRAY_LEN(world->lines) ? -1 : 0;
}

/* The secret as a person would give it: in a file that nobody else can read. */
static void write_secret(struct world *world) {
	const char *path = world->settings.secret_access_key_file;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && dprintf(fd, "%s\n", world->lines[2]) > 0 && close(fd) == 0);
}

/* ---- what a person has set wrong is told, with what to do ---- */

static struct contract *told;

static struct err ask(const struct remote_settings *settings) {
	struct world *world = told->user;
	struct err err;
	struct store *store = store_open(told->loop, world->http, "cloud", settings, NULL, &err);
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

static void expect(const struct err *err, enum err_kind kind, const char *says) {
	if (err->kind != kind || !strstr(err->text, says)) {
		fail_msg("%s: %s", err_kind_name(err->kind), err->text);
	}
}

static void wrong_settings_are_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;
	struct err err = ask(&settings);

	assert_int_equal(err.kind, ERR_NONE);
	settings.access_key_id = "NOBODY";
	err = ask(&settings);
	expect(&err, ERR_DENIED, "access");

	settings = world->settings;
	settings.bucket = "no-such-bucket";
	err = ask(&settings);
	expect(&err, ERR_INVALID, "bucket 'no-such-bucket' does not exist at 'http://127.0.0.1:");
	expect(&err, ERR_INVALID, ": create it or correct `bucket`");

	settings = world->settings;
	settings.endpoint = "http://127.0.0.1:1";
	err = ask(&settings);
	expect(&err, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
	settings.endpoint = "http://no-such-host.invalid";
	err = ask(&settings);
	expect(&err, ERR_OFFLINE, "cannot resolve 'no-such-host.invalid'");

	/* One that does not care for regions takes any. */
	settings = world->settings;
	settings.region = "mars-north-1";
	err = ask(&settings);
	if (err.kind != ERR_NONE) expect(&err, ERR_INVALID, "set `region = us-east-1`");
}

static void a_wrong_secret_is_told(void **state) {
	struct world *world = told->user;
	char *right = world->lines[2];

	world->lines[2] = "wrong";
	write_secret(world);
	struct err err = ask(&world->settings);
	expect(&err, ERR_DENIED, "correct `secret_access_key_file`");
	world->lines[2] = right;
	write_secret(world);
	err = ask(&world->settings);
	assert_int_equal(err.kind, ERR_NONE);
}

static int run_wrong_settings(struct contract *contract) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_secret_is_told),
	};

	told = contract;
	return cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.name = "s3",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 5 << 20,
	};

	if (!contract.loop || read_server(&world)) return 1;
	char folder[] = "/tmp/tend-contract-XXXXXX";
	if (!mkdtemp(folder)) return 1;
	world.settings.secret_access_key_file = xasprintf("%s/secret", folder);
	write_secret(&world);
	world.http = http_new(contract.loop, &err);
	world.settings.type = REMOTE_S3;
	world.settings.endpoint = world.lines[0];
	world.settings.access_key_id = world.lines[1];
	world.settings.region = world.lines[3];
	world.settings.bucket = world.lines[4];
	world.settings.prefix = "a prefix/é";
	world.settings.timeout_ms = 60000;
	int failed = run_wrong_settings(&contract);
	world.probe = true;
	failed += contract_run(&contract);
	/* Without a probe it trusts no condition of the server's and looks before it writes. */
	world.probe = false;
	contract.name = "s3, no probe";
	contract.no_lists = true;
	failed += contract_run(&contract);

	http_free(world.http);
	loop_free(contract.loop);
	unlink(world.settings.secret_access_key_file);
	rmdir(folder);
	free(world.settings.secret_access_key_file);
	for (size_t i = 0; i < ARRAY_LEN(world.lines); i++) free(world.lines[i]);
	return failed;
}
