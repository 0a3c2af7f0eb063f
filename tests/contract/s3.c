/*
 * The S3 driver keeps the contract of stores, with each real server.
 * servers: s3_rgw s3_swift
 */
#include "support/told.h"

enum { ENDPOINT, ACCESS_KEY, SECRET, REGION, BUCKET, LINES };

static struct told *told;

/* ---- what a person has set wrong is told, with what to do ---- */

static void expect(const struct remote_settings *settings, enum err_kind kind, const char *says) {
	told_expect(told, settings, kind, says);
}

static void wrong_settings_are_told(void **state) {
	struct remote_settings settings = told->settings;

	expect(&settings, ERR_NONE, "");
	settings.access_key_id = "NOBODY";
	expect(&settings, ERR_DENIED, "access");

	settings = told->settings;
	settings.bucket = "no-such-bucket";
	expect(&settings, ERR_INVALID,
		"bucket 'no-such-bucket' does not exist at 'http://127.0.0.1:");
	expect(&settings, ERR_INVALID, ": create it or correct `bucket`");

	settings = told->settings;
	settings.endpoint = "http://127.0.0.1:1";
	expect(&settings, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
	settings.endpoint = "http://no-such-host.invalid";
	expect(&settings, ERR_OFFLINE, "cannot resolve 'no-such-host.invalid'");

	/* One that does not care for regions takes any. */
	settings = told->settings;
	settings.region = "mars-north-1";
	told_expect_if_wrong(told, &settings, ERR_INVALID, "set `region = us-east-1`");
}

static void a_wrong_secret_is_told(void **state) {
	const struct remote_settings *settings = &told->settings;

	told_write_secret(settings->secret_access_key_file, "wrong");
	expect(settings, ERR_DENIED, "correct `secret_access_key_file`");
	told_write_secret(settings->secret_access_key_file, told->lines[SECRET]);
	expect(settings, ERR_NONE, "");
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_secret_is_told),
	};

	told = told_new("s3", LINES);
	if (!told) return 1;
	struct contract *contract = &told->contract;
	struct remote_settings *settings = &told->settings;
	contract->part_bytes = 5 << 20;
	settings->type = REMOTE_S3;
	settings->endpoint = told->lines[ENDPOINT];
	settings->access_key_id = told->lines[ACCESS_KEY];
	settings->secret_access_key_file = told_secret(told, "secret", told->lines[SECRET]);
	settings->region = told->lines[REGION];
	settings->bucket = told->lines[BUCKET];
	settings->prefix = "a prefix/é";
	contract->key_limit = true;
	contract->key_before = strlen("a prefix/é/");
	int failed = cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
	told->probe = true;
	failed += contract_run(contract);
	/* Without a probe it trusts no condition of the server's and looks before it writes. */
	told->probe = false;
	contract->name = "s3, no probe";
	contract->no_lists = true;
	failed += contract_run(contract);
	told_free(told);
	return failed;
}
