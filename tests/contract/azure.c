/*
 * The Azure driver keeps the contract of stores, with Azurite: by the account's key and by a SAS, all of it both times. What
 * Azurite cannot, and the service can: pages of a list that end early or are empty (tests/unit/store_azure.c plays them), a
 * copy that goes on after its answer, being busy, and blocks taken from another blob, which the driver does not use.
 * servers: azure_azurite
 */
#include "support/told.h"

enum { ENDPOINT, ACCOUNT, KEY, CONTAINER, SAS, LINES };

static struct told *told;
static char *key_file, *sas_file;

/* ---- what a person has set wrong is told, with what to do ---- */

static void expect_told(
	const struct remote_settings *settings, enum err_kind kind, const char *says) {
	told_expect(told, settings, kind, says);
}

static void wrong_settings_are_told(void **state) {
	struct remote_settings settings = told->settings;

	expect_told(&settings, ERR_NONE, "");
	settings.container = "no-such-container";
	expect_told(&settings, ERR_INVALID,
		"container 'no-such-container' does not exist at 'http://127.");
	expect_told(&settings, ERR_INVALID, ": create it or correct `container`");
	settings = told->settings;
	settings.endpoint = "http://127.0.0.1:1/lab";
	expect_told(&settings, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
}

static void a_wrong_key_is_told(void **state) {
	struct remote_settings settings = told->settings;

	told_write_secret(key_file, "d3Jvbmc=");
	expect_told(&settings, ERR_DENIED, "correct `key_file` or `account`");
	told_write_secret(key_file, "no base64!");
	expect_told(&settings, ERR_INVALID, "holds no key of an account");
	told_write_secret(key_file, told->lines[KEY]);
	expect_told(&settings, ERR_NONE, "");
}

static void a_wrong_sas_is_told(void **state) {
	struct remote_settings settings = told->settings;
	char *wrong = xstrdup(told->lines[SAS]);

	settings.key_file = NULL;
	settings.sas_file = sas_file;
	strstr(wrong, "sig=")[4] ^= 1;
	told_write_secret(sas_file, wrong);
	expect_told(&settings, ERR_DENIED, "put a new one into `sas_file`");
	told_write_secret(sas_file, "a word");
	expect_told(&settings, ERR_INVALID, "holds no SAS");
	told_write_secret(sas_file, told->lines[SAS]);
	expect_told(&settings, ERR_NONE, "");
	free(wrong);
}

/* Days before, and as the service sees it after. */
static void the_end_of_a_sas_is_told(void **state) {
	struct remote_settings settings = told->settings;
	struct err err;

	settings.key_file = NULL;
	settings.sas_file = sas_file;
	for (int days = 2; days < 10; days += 3) {
		char text[TIME_TEXT_SIZE];
		time_format(loop_wall_ns(told->contract.loop) + days * 86400 * NS_PER_S, text);
		char *sas = xasprintf("sv=2021-08-06&se=%.19sZ&sig=x", text);
		told_write_secret(sas_file, sas);
		struct store *store = told_open(told, &settings, false, &err);
		assert_non_null(store);
		assert_int_equal(store_ending(store, &err), days == 2);
		if (days == 2) assert_non_null(strstr(err.text, "put a new one into `sas_file`"));
		store_free(store);
		free(sas);
	}
	told_write_secret(sas_file, "sv=2021-08-06&se=2020-01-01&sig=x");
	expect_told(&settings, ERR_DENIED, "the SAS ended at 2020-01-01T00:00:00");
	told_write_secret(sas_file, told->lines[SAS]);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_key_is_told),
		cmocka_unit_test(a_wrong_sas_is_told),
		cmocka_unit_test(the_end_of_a_sas_is_told),
	};

	told = told_new("azure, key", LINES);
	if (!told) return 1;
	struct contract *contract = &told->contract;
	struct remote_settings *settings = &told->settings;
	contract->part_bytes = 4 << 20;
	contract->refused = 6; /* control characters, backslashes, dots at the end */
	key_file = told_secret(told, "key", told->lines[KEY]);
	sas_file = told_secret(told, "sas", told->lines[SAS]);
	settings->type = REMOTE_AZURE;
	settings->endpoint = told->lines[ENDPOINT];
	settings->account = told->lines[ACCOUNT];
	settings->container = told->lines[CONTAINER];
	settings->prefix = "a prefix/é";
	contract->key_limit = contract->key_characters = true;
	contract->key_before = strlen("a prefix/e/"); /* in characters */
	settings->key_file = key_file;
	int failed = cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
	failed += contract_run(contract);
	settings->key_file = NULL;
	settings->sas_file = sas_file;
	contract->name = "azure, SAS";
	failed += contract_run(contract);
	told_free(told);
	return failed;
}
