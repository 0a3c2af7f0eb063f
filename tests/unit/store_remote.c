/* [remote NAME]: what may stand there, what each mistake is told, and where S3's keys come from. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/s3.h"

static char folder[] = "/tmp/tend-remote-XXXXXX";

static int make_folder(void **state) {
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
	return rmdir(folder);
}

/* The path of a file in the scratch folder. The caller's. */
static char *write_file(const char *name, const char *text, mode_t mode) {
	char *path = path_join(folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0 && fchmod(fd, mode) == 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void remove_file(char *path) {
	unlink(path);
	free(path);
}

static struct config *read_text(const char *text, struct err *err) {
	static const struct config_table *const tables[] = { &store_remote_table, NULL };
	const struct config_options options = { .tables = tables, .home = folder };
	struct config_errors errors = { 0 };
	char *path = write_file("tend.ini", text, 0600);
	struct config *config = config_read(path, &options, &errors, err);

	config_errors_release(&errors);
	remove_file(path);
	return config;
}

static void limits_are_read(void **state) {
	struct err err = { 0 };
	struct config *config = read_text("[remote a]\npath = /x\nupload_limit = 1MiB\n"
					  "download_limit = 08:00-18:00 500KiB, else none\n",
		&err);

	if (!config) fail_msg("%s", err.text);
	const struct remote_settings *settings = config_find(config, "remote", "a")->settings;
	assert_string_equal(settings->upload_limit, "1MiB");
	assert_string_equal(settings->download_limit, "08:00-18:00 500KiB, else none");
	config_free(config);
}

static void mistakes_are_told(void **state) {
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "[remote a]\n", "tend.ini:1: a remote of type directory needs `path`" },
		{ "[remote a]\ntype = s3\n", "a remote of type s3 needs `bucket`" },
		{ "[remote a]\ntype = gdrive\n",
			"needs `client_id` and `client_secret_file` of a project of your own" },
		{ "[remote a]\ntype = gdrive\nclient_id = x\n",
			"tend.ini:3: `client_id` needs `client_secret_file`" },
		{ "[remote a]\ntype = gdrive\nclient_secret_file = /x\nimpersonate = y\n",
			"tend.ini:4: `impersonate` needs `service_account_file`" },
		{ "[remote a]\ntype = gdrive\nclient_secret_file = /x\nfolder = /y\n",
			"tend.ini:4: '/y' is no folder" },
		{ "[remote a]\ntype = gdrive\nclient_secret_file = /x\nendpoint = y\n",
			"tend.ini:4: 'y' is no address" },
		{ "[remote a]\ntype = gdrive\nclient_secret_file = /x\nscope = all\n", "all" },
		{ "[remote a]\ntype = webdav\n", "needs `url`" },
		{ "[remote a]\ntype = webdav\nurl = x\n", "'x' is no address" },
		{ "[remote a]\ntype = webdav\nurl = http://a:b@x/\n",
			"write the name into `user`" },
		{ "[remote a]\ntype = webdav\nurl = http://x/\nuser = a\n", "go together" },
		{ "[remote a]\ntype = webdav\nurl = http://x/\nvendor = other\n", "other" },
		{ "[remote a]\ntype = azure\n", "needs `account`" },
		{ "[remote a]\ntype = azure\naccount = a\n", "needs `container`" },
		{ "[remote a]\ntype = azure\naccount = a\ncontainer = c\n",
			"needs one of `key_file` and `sas_file`" },
		{ "[remote a]\ntype = ftp\npath = /x\n", "ftp" },
		{ "[remote a]\npath = /x\nbucket = b\n", "'bucket' is a key of type 's3'" },
		{ "[remote a]\npath = /x\nupload_limit = much\n", "tend.ini:3: 'much' is no rate" },
		{ "[remote a]\npath = /x\nupload_limit = none\ndownload_limit = 1KiB\n",
			"tend.ini:4: '1KiB' is too little" },
		{ "[remote a]\ntype = s3\nbucket = b\nendpoint = h:80\n",
			"tend.ini:4: 'h:80' is no address" },
		{ "[remote a]\ntype = s3\nbucket = b\nprefix = /x/\n",
			"tend.ini:4: '/x/' is no prefix" },
		{ "[remote a]\ntype = s3\nbucket = b\nprefix = x/../y\n", "is no prefix" },
		{ "[remote a]\ntype = s3\nbucket = b\naccess_key_id = k\n", "go together" },
		{ "[remote a]\ntype = s3\nbucket = b\naddressing = both\n", "both" },
		{ "[remote a]\npath = /x\ntimeout = 10ms\n", "timeout" },
		{ "[remote a]\npath = /x\nmax_in_flight = 0\n", "max_in_flight" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		struct config *config = read_text(rows[i].text, &err);
		if (config || !strstr(err.text, rows[i].says)) fail_msg("row %zu: %s", i, err.text);
	}
}

static void defaults_are_set(void **state) {
	struct err err = { 0 };
	struct config *config =
		read_text("[remote a]\npath = ~/x\n[remote b]\ntype = s3\nbucket = b\n", &err);

	if (!config) fail_msg("%s", err.text);
	const struct remote_settings *a = config_find(config, "remote", "a")->settings;
	char *path = path_join(folder, "x");
	assert_int_equal(a->type, REMOTE_DIRECTORY);
	assert_string_equal(a->path, path);
	assert_int_equal(a->timeout_ms, 30000);
	assert_int_equal(a->max_in_flight, 0);
	const struct remote_settings *b = config_find(config, "remote", "b")->settings;
	assert_int_equal(b->type, REMOTE_S3);
	assert_string_equal(b->region, "us-east-1");
	assert_null(
		b->profile); /* named, it would be meant: no role of the machine is asked then */
	free(path);
	config_free(config);
}

/* ---- where the keys come from ---- */

static const char profiles[] =
	"# comment\n[default]\naws_access_key_id = FIRST\n aws_secret_access_key=one\n\n"
	"[ other ]\naws_access_key_id=SECOND\n;aws_access_key_id=NOT\n"
	"aws_secret_access_key = two=2\naws_session_token = token-of-two\n[empty]\n";

static enum err_kind keys_of(
	const struct s3 *s3, const char *id, const char *secret, const char *token) {
	struct s3_credentials credentials;
	struct err err = { 0 };

	if (s3_credentials_read(s3, &credentials, &err)) return err.kind;
	assert_string_equal(credentials.access_key_id, id);
	assert_string_equal(credentials.secret.text, secret);
	assert_string_equal(credentials.token.len ? credentials.token.text : "", token);
	s3_credentials_release(&credentials);
	return ERR_NONE;
}

static void keys_come_in_order(void **state) {
	char *secret = write_file("secret", "of the file\n", 0600);
	char *file = write_file("credentials", profiles, 0600);
	struct s3 s3 = {
		.access_key_setting = "SETTING", .secret_file = secret, .profile = "default"
	};

	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "of the environment", 1);
	assert_int_equal(keys_of(&s3, "SETTING", "of the file", ""), ERR_NONE);
	s3.access_key_setting = NULL;
	assert_int_equal(keys_of(&s3, "ENVIRONMENT", "of the environment", ""), ERR_NONE);
	setenv("AWS_SESSION_TOKEN", "of a session", 1);
	assert_int_equal(
		keys_of(&s3, "ENVIRONMENT", "of the environment", "of a session"), ERR_NONE);
	unsetenv("AWS_ACCESS_KEY_ID");
	assert_int_equal(keys_of(&s3, "FIRST", "one", ""), ERR_NONE);
	s3.profile = "other";
	assert_int_equal(keys_of(&s3, "SECOND", "two=2", "token-of-two"), ERR_NONE);
	s3.profile = "empty";
	assert_int_equal(keys_of(&s3, "", "", ""), ERR_DENIED);
	s3.profile = "absent";
	assert_int_equal(keys_of(&s3, "", "", ""), ERR_DENIED);
	s3.profile = "default";
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(keys_of(&s3, "", "", ""), ERR_DENIED);
	unlink(file);
	assert_int_equal(keys_of(&s3, "", "", ""), ERR_DENIED);
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
	remove_file(file);
	remove_file(secret);
}

/* ---- metadata and names ---- */

static void names_are_refused(void **state) {
	struct s3 s3 = { .prefix = "p/" };
	char longest[1100];
	struct err err;

	memset(longest, 'x', sizeof(longest));
	longest[1022] = '\0';
	assert_int_equal(s3_refuse(&s3.store, longest, STORE_FILE, &err), 0);
	assert_int_equal(s3_refuse(&s3.store, longest, STORE_FOLDER, &err), -1);
	assert_int_equal(s3_refuse(&s3.store, longest, STORE_LINK, &err), -1);
	longest[1022] = 'x';
	longest[1023] = '\0';
	assert_int_equal(s3_refuse(&s3.store, longest, STORE_FILE, &err), -1);
	assert_non_null(strstr(err.text, "1024"));

	static const struct {
		const char *key;
		enum store_kind kind;
		int refused;
	} rows[] = {
		{ "a", STORE_FILE, 0 },
		{ "tab\t nl\n cr\r", STORE_FILE, 0 },
		{ "bell\a", STORE_FILE, -1 },
		{ "\xff", STORE_FILE, -1 },
		{ "\xed\xa0\x80", STORE_FILE, -1 },
		{ "\xef\xbf\xbf", STORE_FILE, -1 },
		{ "a.rclonelink", STORE_FILE, -1 },
		{ "a.rclonelink", STORE_LINK, 0 },
		{ "a.rclonelink/b", STORE_FILE, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			s3_refuse(&s3.store, rows[i].key, rows[i].kind, &err), rows[i].refused);
	}
}

static void etags_are_hashes_when_they_look_so(void **state) {
	static const struct {
		const char *header, *etag;
		int kind, parts;
	} rows[] = {
		{ "\"0cc175b9c0f1b6a831c399e269772661\"", "0cc175b9c0f1b6a831c399e269772661",
			STORE_HASH_MD5, 0 },
		{ "0cc175b9c0f1b6a831c399e269772661", "0cc175b9c0f1b6a831c399e269772661",
			STORE_HASH_MD5, 0 },
		{ "W/\"0cc175b9c0f1b6a831c399e269772661-12\"",
			"0cc175b9c0f1b6a831c399e269772661-12", STORE_HASH_MD5_PARTS, 12 },
		{ "\"0cc175b9c0f1b6a831c399e269772661-x\"", "0cc175b9c0f1b6a831c399e269772661-x",
			STORE_HASH_NONE, 0 },
		{ "\"short\"", "short", STORE_HASH_NONE, 0 },
		{ "\"zzz175b9c0f1b6a831c399e269772661\"", "zzz175b9c0f1b6a831c399e269772661",
			STORE_HASH_NONE, 0 },
		{ "\"", "\"", STORE_HASH_NONE, 0 },
	};
	struct s3 s3 = { .opaque_etags = false };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *etag = rest_etag(rows[i].header);
		struct store_hash hash = s3_hash_of_etag(&s3, etag);
		assert_string_equal(etag, rows[i].etag);
		assert_int_equal(hash.kind, rows[i].kind);
		assert_int_equal(hash.parts, rows[i].parts);
		free(etag);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(defaults_are_set),
		cmocka_unit_test(keys_come_in_order),
		cmocka_unit_test(names_are_refused),
		cmocka_unit_test(etags_are_hashes_when_they_look_so),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
