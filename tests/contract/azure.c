/*
 * The Azure driver keeps the contract of stores, with Azurite: by the account's key and by a SAS.
 * servers: azure_azurite
 */
#include <stdio.h>
#include <unistd.h>

#include "http/http.h"
#include "support/contract.h"
#include "support/told.h"

enum { ENDPOINT, ACCOUNT, KEY, CONTAINER, SAS, LINES };

struct world {
	struct http *http;
	struct remote_settings settings;
	char *key_file, *sas_file;
	char *lines[LINES];
};

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;

	return told_open(contract->loop, world->http, &world->settings, false, err);
}

static void close_store(struct contract *contract, struct store *store) {
	store_free(store);
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
	settings.container = "no-such-container";
	expect_told(&settings, ERR_INVALID,
		"container 'no-such-container' does not exist at 'http://127.");
	expect_told(&settings, ERR_INVALID, ": create it or correct `container`");
	settings = world->settings;
	settings.endpoint = "http://127.0.0.1:1/lab";
	expect_told(&settings, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
}

static void a_wrong_key_is_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;

	told_write_secret(world->key_file, "d3Jvbmc=");
	expect_told(&settings, ERR_DENIED, "correct `key_file` or `account`");
	told_write_secret(world->key_file, "no base64!");
	expect_told(&settings, ERR_INVALID, "holds no key of an account");
	told_write_secret(world->key_file, world->lines[KEY]);
	expect_told(&settings, ERR_NONE, "");
}

static void a_wrong_sas_is_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;
	char *wrong = xstrdup(world->lines[SAS]);

	settings.key_file = NULL;
	settings.sas_file = world->sas_file;
	strstr(wrong, "sig=")[4] ^= 1;
	told_write_secret(world->sas_file, wrong);
	expect_told(&settings, ERR_DENIED, "put a new one into `sas_file`");
	told_write_secret(world->sas_file, "a word");
	expect_told(&settings, ERR_INVALID, "holds no SAS");
	told_write_secret(world->sas_file, world->lines[SAS]);
	expect_told(&settings, ERR_NONE, "");
	free(wrong);
}

/* Days before, and as the service sees it after. */
static void the_end_of_a_sas_is_told(void **state) {
	struct world *world = told->user;
	struct remote_settings settings = world->settings;
	struct err err;

	settings.key_file = NULL;
	settings.sas_file = world->sas_file;
	for (int days = 2; days < 10; days += 3) {
		char text[TIME_TEXT_SIZE];
		time_format(loop_wall_ns(told->loop) + days * 86400 * NS_PER_S, text);
		char *sas = xasprintf("sv=2021-08-06&se=%.19sZ&sig=x", text);
		told_write_secret(world->sas_file, sas);
		struct store *store = told_open(told->loop, world->http, &settings, false, &err);
		assert_non_null(store);
		assert_int_equal(store_ending(store, &err), days == 2);
		if (days == 2) assert_non_null(strstr(err.text, "put a new one into `sas_file`"));
		store_free(store);
		free(sas);
	}
	told_write_secret(world->sas_file, "sv=2021-08-06&se=2020-01-01&sig=x");
	expect_told(&settings, ERR_DENIED, "the SAS ended at 2020-01-01T00:00:00");
	told_write_secret(world->sas_file, world->lines[SAS]);
}

static int run_wrong_settings(struct contract *contract) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_key_is_told),
		cmocka_unit_test(a_wrong_sas_is_told),
		cmocka_unit_test(the_end_of_a_sas_is_told),
	};

	told = contract;
	return cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.name = "azure, key",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 4 << 20,
		.refused = 6, /* control characters, backslashes, dots at the end */
	};
	char folder[] = "/tmp/tend-contract-XXXXXX";

	if (!contract.loop || told_read_server(world.lines, LINES) < LINES || !mkdtemp(folder))
		return 1;
	world.key_file = xasprintf("%s/key", folder);
	world.sas_file = xasprintf("%s/sas", folder);
	told_write_secret(world.key_file, world.lines[KEY]);
	told_write_secret(world.sas_file, world.lines[SAS]);
	world.http = http_new(contract.loop, &err);
	world.settings.type = REMOTE_AZURE;
	world.settings.endpoint = world.lines[ENDPOINT];
	world.settings.account = world.lines[ACCOUNT];
	world.settings.container = world.lines[CONTAINER];
	world.settings.prefix = "a prefix/é";
	world.settings.key_file = world.key_file;
	world.settings.timeout_ms = 60000;
	int failed = run_wrong_settings(&contract);
	failed += contract_run(&contract);
	world.settings.key_file = NULL;
	world.settings.sas_file = world.sas_file;
	contract.name = "azure, SAS";
	contract.no_lists = true;
	failed += contract_run(&contract);

	http_free(world.http);
	loop_free(contract.loop);
	unlink(world.key_file);
	unlink(world.sas_file);
	rmdir(folder);
	free(world.key_file);
	free(world.sas_file);
	for (size_t i = 0; i < LINES; i++) free(world.lines[i]);
	return failed;
}
