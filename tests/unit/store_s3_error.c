/* What refusals of S3 servers mean, and what a person is told to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/s3_error.h"

static void refusals_are_a_table(void **state) {
	static const struct {
		int status;
		const char *body;
		const char *region_header;
		enum err_kind kind;
		const char *says;
	} rows[] = {
		{ 403, "<Error><Code>AccessDenied</Code></Error>", NULL, ERR_DENIED,
			"check that this key may" },
		{ 403,
			"<?xml "
			"version='1.0'?>\n<Error><Code>InvalidAccessKeyId</Code><Message>m</"
			"Message></Error>",
			NULL, ERR_DENIED, "correct `access_key_id`" },
		{ 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", NULL, ERR_DENIED,
			"correct `secret_access_key_file`" },
		{ 400, "<Error><Code>ExpiredToken</Code></Error>", NULL, ERR_DENIED,
			"renew the credentials" },
		{ 403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", NULL, ERR_DENIED,
			"it is 2026-11-22T14:03:07.000Z here and 2026-11-22T15:03:07.000Z at "
			"'http://h'" },
		{ 404, "<Error><Code>NoSuchBucket</Code></Error>", NULL, ERR_INVALID,
			"bucket 'b' does not exist at 'http://h': create it or correct `bucket`" },
		{ 404, "<Error><Code>NoSuchKey</Code></Error>", NULL, ERR_NOT_FOUND, "" },
		{ 404, "", NULL, ERR_NOT_FOUND, "" },
		{ 404, "<Error><Code>NoSuchUpload</Code></Error>", NULL, ERR_NOT_FOUND, "upload" },
		{ 412, "", NULL, ERR_CHANGED, "" },
		{ 409, "<Error><Code>ConditionalRequestConflict</Code></Error>", NULL, ERR_BUSY,
			"" },
		{ 409, "", NULL, ERR_BUSY, "" },
		{ 400, "<Error><Code>BadDigest</Code></Error>", NULL, ERR_CHANGED, "" },
		{ 400, "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>", NULL, ERR_CHANGED,
			"" },
		{ 503, "<Error><Code>SlowDown</Code></Error>", NULL, ERR_BUSY,
			"too many requests" },
		{ 503, "", NULL, ERR_BUSY, "" },
		{ 429, "go away", NULL, ERR_BUSY, "too many requests" },
		{ 500, "<Error><Code>InternalError</Code></Error>", NULL, ERR_BUSY, "" },
		{ 502, "<html>bad gateway</html>", NULL, ERR_BUSY, "" },
		{ 200, "<Error><Code>InternalError</Code></Error>", NULL, ERR_BUSY, "" },
		{ 200, "<Error><Code>SomethingNew</Code><Message>sorry</Message></Error>", NULL,
			ERR_SYSTEM, "sorry" },
		{ 400, "<Error><Code>RequestTimeout</Code></Error>", NULL, ERR_OFFLINE, "" },
		{ 507, "", NULL, ERR_FULL, "free or buy room" },
		{ 403, "<Error><Code>QuotaExceeded</Code></Error>", NULL, ERR_FULL,
			"free or buy room" },
		{ 501, "<Error><Code>NotImplemented</Code></Error>", NULL, ERR_INVALID, "" },
		{ 400,
			"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</"
			"Region></Error>",
			NULL, ERR_INVALID, "set `region = eu-west-3`" },
		{ 301, "<Error><Code>PermanentRedirect</Code></Error>", "ap-south-1", ERR_INVALID,
			"set `region = ap-south-1`" },
		{ 301, "", "ap-south-1", ERR_INVALID, "set `region = ap-south-1`" },
		{ 400, "", "ap-south-1", ERR_INVALID, "set `region = ap-south-1`" },
		{ 301, "", NULL, ERR_INVALID, "correct `region` or `endpoint`" },
		{ 400, "", NULL, ERR_DENIED, "renew the credentials, or correct `region`" },
		{ 400, "", "us-east-1", ERR_DENIED, "renew the credentials" },
		{ 400, "<html>no</html>", NULL, ERR_INVALID, "400" },
		{ 403, "", "ap-south-1", ERR_DENIED, "check that this key may" },
		{ 403, "", NULL, ERR_DENIED, "" },
		{ 401, "", NULL, ERR_DENIED, "" },
		{ 418, "<Error><Code>Teapot</Code><Message>short\nand stout</Message></Error>",
			NULL, ERR_SYSTEM, "short and stout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct s3_case facts = { .status = rows[i].status,
			.wordless = !*rows[i].body,
			.bucket = "b",
			.endpoint = "http://h",
			.region = "us-east-1",
			.region_header = rows[i].region_header,
			.retry_after_ms = 1234 };
		struct err err = { 0 };

		assert_int_equal(time_parse("2026-11-22T14:03:07.000Z", &facts.own_ns), 0);
		facts.server_ns = facts.own_ns + 3600 * NS_PER_S;
		s3_error_read(rows[i].body, strlen(rows[i].body), &facts.error);
		s3_error_judge(&facts, &err);
		if (err.kind != rows[i].kind || !strstr(err.text, rows[i].says)) {
			fail_msg("row %zu: %s: %s", i, err_kind_name(err.kind), err.text);
		}
		assert_int_equal(err.retry_ms, err.kind == ERR_BUSY ? 1234 : 0);
	}
}

static void errors_are_read_from_anything(void **state) {
	static const char *const bodies[] = { "", "x", "<", "<Error>", "<Error><Code>",
		"<Error><Code>A</Error>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>", "\xff\xfe<\0" };

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct s3_error error;
		s3_error_read(bodies[i], strlen(bodies[i]), &error);
		assert_string_equal(error.code, "");
	}
	struct buf words;
	buf_init(&words, 20000);
	buf_adds(&words, "<Error><Code>");
	for (int i = 0; i < 1000; i++) buf_adds(&words, "word ");
	buf_adds(&words, "</Code></Error>");
	struct s3_error error;
	s3_error_read(words.at, words.len, &error);
	assert_int_equal(strlen(error.code), sizeof(error.code) - 1);
	buf_release(&words);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_a_table),
		cmocka_unit_test(errors_are_read_from_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
