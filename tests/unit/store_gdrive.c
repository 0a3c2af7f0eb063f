/* Google Drive without a server: names, what refusals mean, files as JSON, and what is signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/gdrive.h"

static void names_go_and_come_back(void **state) {
	static const struct {
		const char *name, *there;
	} rows[] = {
		{ "plain", "plain" },
		{ "é 日本 😀", "é 日本 😀" },
		{ "bad \xff\xfe", "bad \xe2\x80\x9b"
				  "FF\xe2\x80\x9b"
				  "FE" },
		{ "cut \xe2\x80", "cut \xe2\x80\x9b"
				  "E2\xe2\x80\x9b"
				  "80" },
		{ "quote \xe2\x80\x9b"
		  "FF",
			"quote \xe2\x80\x9b\xe2\x80\x9b"
			"FF" },
		{ "surrogate \xed\xa0\x80", "surrogate \xe2\x80\x9b"
					    "ED\xe2\x80\x9b"
					    "A0\xe2\x80\x9b"
					    "80" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *there = gdrive_name_encode(rows[i].name, strlen(rows[i].name));
		assert_string_equal(there, rows[i].there);
		gdrive_name_decode(there);
		assert_string_equal(there, rows[i].name);
		free(there);
	}
	/* What others wrote and is no escape stays as it is. */
	char other[] = "a\xe2\x80\x9bzz\xe2\x80\x9b"
		       "4";
	char *copy = xstrdup(other);
	gdrive_name_decode(copy);
	assert_string_equal(copy, other);
	free(copy);
	char *quoted = gdrive_quote("it's a \\");
	assert_string_equal(quoted, "'it\\'s a \\\\'");
	free(quoted);
}

static void refusals_are_told_apart(void **state) {
	static const struct {
		int status;
		const char *reason;
		bool account;
		enum err_kind kind;
		const char *says;
	} rows[] = {
		{ 403, "userRateLimitExceeded", false, ERR_BUSY, "too many requests" },
		{ 403, "rateLimitExceeded", false, ERR_BUSY, "too many requests" },
		{ 429, "", false, ERR_BUSY, "too many requests" },
		{ 403, "dailyLimitExceeded", false, ERR_BUSY, "it goes on tomorrow" },
		{ 403, "storageQuotaExceeded", false, ERR_FULL, "full; free or buy room" },
		{ 403, "storageQuotaExceeded", true, ERR_FULL,
			"no storage of its own: set `shared_drive`" },
		{ 403, "teamDriveFileLimitExceeded", false, ERR_FULL, "takes no more files" },
		{ 403, "insufficientPermissions", false, ERR_DENIED, "run tend auth drive" },
		{ 403, "accessNotConfigured", false, ERR_DENIED, "enable it in Google's console" },
		{ 401, "authError", false, ERR_DENIED, "run tend auth drive" },
		{ 404, "notFound", false, ERR_NOT_FOUND, "" },
		{ 409, "", false, ERR_CHANGED, "" },
		{ 410, "", false, ERR_NOT_FOUND, "" },
		{ 503, "", false, ERR_BUSY, "" },
		{ 400, "invalid", false, ERR_INVALID, "answered 400 invalid: what" },
		{ 403, "somethingNew", false, ERR_INVALID, "answered 403 somethingNew: what" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct gdrive_case facts = { .status = rows[i].status,
			.reason = rows[i].reason,
			.message = "what",
			.remote = "drive",
			.service_account = rows[i].account,
			.retry_after_ms = 7000 };
		struct err err = { 0 };
		gdrive_error_judge(&facts, &err);
		if (err.kind != rows[i].kind || !strstr(err.text, rows[i].says))
			fail_msg("row %zu: %s: %s", i, err_kind_name(err.kind), err.text);
		if (err.kind == ERR_BUSY) assert_true(err.retry_ms >= 7000);
	}
	/* A burst, and the day's amount. */
	assert_int_equal(gdrive_error_pause(1000, 1000), 0);
	assert_int_equal(gdrive_error_pause(1000, 600999), 0);
	assert_int_equal(gdrive_error_pause(1000, 601000), 3 * 3600000);
	assert_true(gdrive_error_is_rate(403, "userRateLimitExceeded"));
	assert_true(gdrive_error_is_rate(429, ""));
	assert_false(gdrive_error_is_rate(403, "storageQuotaExceeded"));
	char reason[32], message[8];
	static const char page[] = "<html>log in</html>";
	assert_false(gdrive_error_read(
		page, strlen(page), reason, sizeof(reason), message, sizeof(message)));
}

static void read_one(const char *text, struct gdrive_file *file) {
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	assert_true(gdrive_file_read(json, file));
	json_decref(json);
}

static void files_are_read(void **state) {
	struct gdrive_file file;

	read_one(
		"{\"id\":\"1\",\"name\":\"a\",\"mimeType\":\"text/plain\",\"size\":\"5000000000\","
		"\"md5Checksum\":\"0123456789abcdef0123456789abcdef\",\"headRevisionId\":\"r\","
		"\"modifiedTime\":\"2023-11-14T22:13:20.123Z\",\"parents\":[\"p\"],"
		"\"appProperties\":{\"tend-mtime\":\"1700000000123456789\",\"tend-mode\":\"640\"}}",
		&file);
	assert_true(file.entry.size == 5000000000);
	assert_true(file.entry.mtime_ns == 1700000000123456789);
	assert_int_equal(file.entry.mode, 0640);
	assert_int_equal(file.entry.hash.kind, STORE_HASH_MD5);
	assert_string_equal(file.entry.version, "r");
	assert_true(file.ours);
	gdrive_file_release(&file);
	/* Another program has set the time since: ours does not count any more. */
	read_one("{\"id\":\"1\",\"name\":\"a\",\"mimeType\":\"text/plain\",\"size\":\"1\","
		 "\"modifiedTime\":\"2024-01-01T00:00:00.000Z\","
		 "\"appProperties\":{\"tend-mtime\":\"1700000000123456789\"}}",
		&file);
	assert_true(file.entry.mtime_ns == 1704067200000000000);
	gdrive_file_release(&file);
	read_one("{\"id\":\"1\",\"name\":\"a\",\"mimeType\":\"application/"
		 "vnd.google-apps.shortcut\"}",
		&file);
	assert_int_equal(file.entry.kind, STORE_OTHER);
	assert_false(file.ours);
	gdrive_file_release(&file);
	read_one("{\"id\":\"1\",\"name\":\"a\",\"mimeType\":\"" GDRIVE_FOLDER "\"}", &file);
	assert_int_equal(file.entry.kind, STORE_FOLDER);
	assert_null(file.entry.version);
	gdrive_file_release(&file);
	json_t *metadata = gdrive_metadata(STORE_LINK, -1, STORE_MODE_UNKNOWN);
	assert_string_equal(json_string_value(json_object_get(metadata, "modifiedTime")),
		"1969-12-31T23:59:59.999Z");
	json_decref(metadata);
}

static void a_token_is_kept_for_nobody_else(void **state) {
	char folder[] = "/tmp/tend-gdrive-XXXXXX";
	struct err err;
	struct stat st;

	assert_non_null(mkdtemp(folder));
	char *path = xasprintf("%s/sub/token", folder);
	assert_int_equal(gdrive_token_write(
				 path, "{\"refresh_token\":\"one\",\"expires_in\":3600}", 0, &err),
		0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* What holds none leaves the old one. */
	assert_int_equal(gdrive_token_write(path, "{\"access_token\":\"two\"}", 0, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	json_t *kept = json_load_file(path, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(kept, "refresh_token")), "one");
	assert_string_equal(
		json_string_value(json_object_get(kept, "expiry")), "1970-01-01T01:00:00.000Z");
	json_decref(kept);
	unlink(path);
	char *sub = path_parent(path);
	rmdir(sub);
	rmdir(folder);
	free(sub);
	free(path);
}

static void only_rsa_keys_sign(void **state) {
	struct err err;
	size_t len;

	assert_null(rs256_sign("no key", "x", 1, &len, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	char *text = base64url_encode("\xfb\xff", 2);
	assert_string_equal(text, "-_8");
	free(text);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_and_come_back),
		cmocka_unit_test(refusals_are_told_apart),
		cmocka_unit_test(files_are_read),
		cmocka_unit_test(a_token_is_kept_for_nobody_else),
		cmocka_unit_test(only_rsa_keys_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
