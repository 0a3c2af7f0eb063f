/*
 * The WebDAV driver keeps the contract of stores, with each real server.
 * servers: dav_apache dav_lighttpd dav_nginx dav_cloud
 */
#include <unistd.h>

#include "support/told.h"

enum { LINES = 4 }; /* a server: url, user, password, authority or "-" */

static struct told *told;

static void use(size_t server) {
	char **lines = &told->lines[server * LINES];
	struct remote_settings *settings = &told->settings;

	settings->type = REMOTE_WEBDAV;
	settings->url = lines[0];
	settings->user = lines[1];
	settings->ca_file = strcmp(lines[3], "-") == 0 ? NULL : lines[3];
	told_write_secret(settings->password_file, lines[2]);
}

/* ---- what a person has set wrong is told, with what to do ---- */

static void expect_told(
	const struct remote_settings *settings, enum err_kind kind, const char *says) {
	told_expect(told, settings, kind, says);
}

static void wrong_settings_are_told(void **state) {
	struct remote_settings settings = told->settings;

	expect_told(&settings, ERR_NONE, "");
	settings.user = "nobody";
	expect_told(&settings, ERR_DENIED, "correct `user` or `password_file`");
	settings.user = settings.password_file = NULL;
	expect_told(&settings, ERR_DENIED, "set `user` and `password_file`");

	settings = told->settings;
	settings.url = xasprintf("%s/no such folder", told->settings.url);
	for (char *at = settings.url; *at; at++) {
		if (*at == ' ') *at = '_';
	}
	expect_told(&settings, ERR_INVALID, "does not exist: create it or correct `url`");
	free(settings.url);
	settings.url = "http://127.0.0.1:1/dav";
	expect_told(&settings, ERR_OFFLINE, "cannot connect to '127.0.0.1:1'");
}

static void a_wrong_password_is_told(void **state) {
	struct remote_settings settings = told->settings;

	told_write_secret(settings.password_file, "wrong");
	expect_told(&settings, ERR_DENIED, "correct `user` or `password_file`");
	use(0);
	expect_told(&settings, ERR_NONE, "");
}

static void an_unknown_authority_is_told(void **state) {

	for (size_t i = 0; i < told->count / LINES; i++) {
		struct remote_settings settings = told->settings;
		if (!str_starts(told->lines[i * LINES], "https:")) continue;
		settings.url = told->lines[i * LINES];
		settings.ca_file = NULL;
		expect_told(&settings, ERR_DENIED, "name its authority with ca_file");
	}
}

/* Only root can give a server a small disk; ours of Nextcloud's kind has none at all, and nginx answers 500 to what finds no
 * room, as to anything. */
static int run_full(void) {
	struct contract *contract = &told->contract;

	if (geteuid() != 0 || contract->deep_versions || contract->no_times) return 0;
	use(0);
	told->settings.url = xasprintf(
		"%.*ssmall", (int)(path_name(told->lines[0]) - told->lines[0]), told->lines[0]);
	told->probe = true;
	contract->name = "webdav, full";
	contract->small = true;
	int failed = contract_run(contract);
	free(told->settings.url);
	return failed;
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_told),
		cmocka_unit_test(a_wrong_password_is_told),
		cmocka_unit_test(an_unknown_authority_is_told),
	};

	told = told_new("webdav", LINES);
	if (!told) return 1;
	struct contract *contract = &told->contract;
	contract->part_bytes = 5 << 20;
	contract->many = 1050;
	contract->deep_versions = strstr(getenv("TEND_SERVER"), "cloud") != NULL;
	bool poor = strstr(getenv("TEND_SERVER"), "nginx") != NULL;
	contract->no_times = contract->no_parts = poor;
	/* What is very long or has control characters; nginx hides what begins with a dot. */
	contract->refused = poor ? 7 : 4;
	told->settings.password_file = told_secret(told, "password", "");
	use(0);
	int failed = cmocka_run_group_tests_name("wrong settings", tests, NULL, NULL);
	told->probe = true;
	for (size_t i = 0; i < told->count / LINES; i++) {
		use(i);
		contract->name = told->settings.url;
		failed += contract_run(contract);
	}
	/* Without a probe it trusts no condition of the server's and looks before it writes. */
	told->probe = false;
	contract->name = "webdav, no probe";
	contract->no_lists = true;
	failed += contract_run(contract);
	failed += run_full();
	told_free(told);
	return failed;
}
