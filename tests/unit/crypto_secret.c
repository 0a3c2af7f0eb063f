#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/crypto.h"

static char folder[] = "/tmp/crypto_secret.XXXXXX";
static char path[64];

static int setup(void **state) {
	(void)state;
	if (!mkdtemp(folder)) return -1;
	snprintf(path, sizeof(path), "%s/key", folder);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	return rmdir(folder);
}

static void write_file(const void *bytes, size_t len, mode_t mode) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void contents(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
		const char *secret; /* NULL: refused */
	} cases[] = {
		{ "s3cr3t-one\n", 11, "s3cr3t-one" },
		{ "s3cr3t-two", 10, "s3cr3t-two" },
		{ "s3cr3t\n\n", 8, "s3cr3t\n" },
		{ " s3cr3t ", 8, " s3cr3t " },
		{ "", 0, NULL },
		{ "\n", 1, NULL },
		{ "a\0b\n", 4, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secret secret;
		struct err err;
		write_file(cases[i].bytes, cases[i].len, 0600);
		int rc = secret_read_file(path, &secret, &err);
		if (cases[i].secret) {
			assert_int_equal(rc, 0);
			assert_string_equal(secret.text, cases[i].secret);
			assert_int_equal(secret.len, strlen(cases[i].secret));
			/* The log knows it from now on. */
			char *line = xasprintf("key %s", cases[i].secret);
			log_redact(line);
			assert_string_equal(line, "key ***");
			free(line);
		} else {
			assert_int_equal(rc, -1);
			assert_int_equal(err.kind, ERR_INVALID);
			assert_null(secret.text);
		}
		secret_release(&secret);
		assert_null(secret.text);
		secret_release(&secret);
	}
	unlink(path);
}

static void modes(void **state) {
	static const struct {
		mode_t mode;
		bool good;
	} cases[] = {
		{ 0600, true },
		{ 0400, true },
		{ 0700, true },
		{ 0640, false },
		{ 0644, false },
		{ 0660, false },
		{ 0601, false },
		{ 0620, false },
		{ 0604, false },
	};
	char text[200];

	(void)state;
	snprintf(text, sizeof(text), "secret file '%s' can be read by others: chmod 600 '%s'", path,
		path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct secret secret;
		struct err err;
		write_file("s3cr3t", 6, cases[i].mode);
		int rc = secret_read_file(path, &secret, &err);
		assert_int_equal(rc, cases[i].good ? 0 : -1);
		if (!cases[i].good) {
			assert_int_equal(err.kind, ERR_DENIED);
			assert_string_equal(err.text, text);
		}
		secret_release(&secret);
		unlink(path);
	}
}

static void sizes_and_other_files(void **state) {
	char *bytes = xmalloc(SECRET_MAX + 1);
	struct secret secret;
	struct err err;

	(void)state;
	memset(bytes, 'k', SECRET_MAX + 1);
	write_file(bytes, SECRET_MAX, 0600);
	assert_int_equal(secret_read_file(path, &secret, &err), 0);
	assert_int_equal(secret.len, SECRET_MAX);
	secret_release(&secret);
	write_file(bytes, SECRET_MAX + 1, 0600);
	assert_int_equal(secret_read_file(path, &secret, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	free(bytes);
	unlink(path);

	assert_int_equal(secret_read_file(path, &secret, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(secret_read_file(folder, &secret, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(
		secret_read_file(path, &secret, &err), -1); /* and does not wait for a writer */
	assert_int_equal(err.kind, ERR_INVALID);
	unlink(path);
}

static void set_wipe_compare(void **state) {
	char bytes[] = "gone soon";
	struct secret secret;

	(void)state;
	secret_set(&secret, "from the environment");
	assert_string_equal(secret.text, "from the environment");
	assert_int_equal(secret.len, 20);
	secret_release(&secret);
	crypto_wipe(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) assert_int_equal(bytes[i], 0);
	assert_true(crypto_equal("abc", "abc", 3));
	assert_false(crypto_equal("abc", "abd", 3));
	assert_true(crypto_equal("abc", "abd", 2));
	assert_true(crypto_equal("", "", 0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),
		cmocka_unit_test(modes),
		cmocka_unit_test(sizes_and_other_files),
		cmocka_unit_test(set_wipe_compare),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
