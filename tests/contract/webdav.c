/*
 * The WebDAV driver keeps the contract of stores, with each real server.
 * servers: dav_apache dav_lighttpd dav_nginx dav_cloud
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "http/http.h"
#include "support/contract.h"
#include "support/told.h"

enum { LINES = 4, SERVERS_MAX = 2 };

struct world {
	struct http *http;
	struct remote_settings settings;
	bool probe;                       /* what is opened asks first which conditions are kept */
	char *lines[LINES * SERVERS_MAX]; /* url, user, password, authority or "-" */
	size_t count;
};

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;

	return told_open(contract->loop, world->http, &world->settings, world->probe, err);
}

static void close_store(struct contract *contract, struct store *store) {
	store_free(store);
}

static void use(struct world *world, size_t server) {
	char **lines = &world->lines[server * LINES];
	struct remote_settings *settings = &world->settings;

	settings->type = REMOTE_WEBDAV;
	settings->url = lines[0];
	settings->user = lines[1];
	settings->ca_file = strcmp(lines[3], "-") == 0 ? NULL : lines[3];
	settings->timeout_ms = 60000;
	told_write_secret(settings->password_file, lines[2]);
}

/* ---- what a person has set wrong is told, with what to do ---- */

static struct contract *told;

static void expect_told(
	const struct remote_settings *settings, enum err_kind kind, const char *says) {
	struct world *world = told->user;

	told_expect(told->loop, world->http, settings, kind, says);
}

static void wrong_settings_are_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;

	expect_told(&settings, ERR_NONE, "");
	settings.user = "nobody";
	expect_told(&settings, ERR_DENIED, "correct `user` or `password_file`");
	settings.user = settings.password_file = NULL;
	expect_told(&settings, ERR_DENIED, "set `user` and `password_file`");

	settings = world->settings;
	settings.url = xasprintf("%s/no such folder", world->settings.url);
	for (char *at = settings.url; *at; at++) {
		if (*at == ' ') *at = '_';
	}
	expect_told(&settings, ERR_INVALID, "does not exist: create it or correct `url`");
	free(settings.url);
	settings.url = "http://127.0.0.1:1/dav";
	expect_told(&settings, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
}

static void a_wrong_password_is_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;

	told_write_secret(settings.password_file, "wrong");
	expect_told(&settings, ERR_DENIED, "correct `user` or `password_file`");
	use(world, 0);
	expect_told(&settings, ERR_NONE, "");
}

static void an_unknown_authority_is_told(void **state) {
	struct world *world = told->user;

	for (size_t i = 0; i < world->count / LINES; i++) {
		struct remote_settings settings = world->settings;
		if (!str_starts(world->lines[i * LINES], "https:")) continue;
		settings.url = world->lines[i * LINES];
		settings.ca_file = NULL;
		expect_told(&settings, ERR_DENIED, "name its authority with ca_file");
	}
}

static int run_wrong_settings(struct contract *contract) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_password_is_told),
		cmocka_unit_test(an_unknown_authority_is_told),
	};

	told = contract;
	return cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 5 << 20,
		.many = 1050,
	};

	world.count = contract.loop ? told_read_server(world.lines, ARRAY_LEN(world.lines)) : 0;
	if (world.count < LINES) return 1;
	char folder[] = "/tmp/tend-contract-XXXXXX";
	if (!mkdtemp(folder)) return 1;
	world.settings.password_file = xasprintf("%s/password", folder);
	world.http = http_new(contract.loop, &err);
	bool poor = strstr(getenv("TEND_SERVER"), "nginx") != NULL;
	contract.no_times = contract.no_parts = poor;
	contract.refused =
		poor ? 7
		     : 4; /* what is very long or has control characters; nginx hides what begins with a dot */
	use(&world, 0);
	int failed = run_wrong_settings(&contract);
	for (size_t i = 0; i < world.count / LINES; i++) {
		use(&world, i);
		contract.name = world.settings.url;
		world.probe = true;
		failed += contract_run(&contract);
	}
	/* Without a probe it trusts no condition of the server's and looks before it writes. */
	world.probe = false;
	contract.name = "webdav, no probe";
	contract.no_lists = true;
	failed += contract_run(&contract);

	http_free(world.http);
	loop_free(contract.loop);
	unlink(world.settings.password_file);
	rmdir(folder);
	free(world.settings.password_file);
	for (size_t i = 0; i < world.count; i++) free(world.lines[i]);
	return failed;
}
