/* Signatures against the vectors that Amazon has published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "store/s3_sign.h"

/* https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, its four
 * examples. */
static void examples_of_the_s3_manual(void **state) {
	static const struct {
		const char *method, *path, *query;
		const char *headers[8];
		const char *payload_hash;
		const char *canonical_hash, *signed_headers, *signature;
	} rows[] = {
		{ "GET", "/test.txt", "",
			{ "range: bytes=0-9", "host: examplebucket.s3.amazonaws.com",
				"x-amz-date: 20130524T000000Z",
				"x-amz-content-sha256: " S3_EMPTY_SHA256 },
			S3_EMPTY_SHA256,
			"7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
			"host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
		{ "PUT", "/test%24file.text", "",
			{ "x-amz-storage-class: REDUCED_REDUNDANCY",
				"host: examplebucket.s3.amazonaws.com",
				"x-amz-date: 20130524T000000Z",
				"date: Fri, 24 May 2013 00:00:00 GMT",
				"x-amz-content-sha256: "
				"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b07"
				"2" },
			"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
		{ "GET", "/", "lifecycle=",
			{ "host: examplebucket.s3.amazonaws.com", "x-amz-date: 20130524T000000Z",
				"x-amz-content-sha256: " S3_EMPTY_SHA256 },
			S3_EMPTY_SHA256,
			"9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
			"host;x-amz-content-sha256;x-amz-date",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
		{ "GET", "/", "max-keys=2&prefix=J",
			{ "x-amz-date: 20130524T000000Z", "x-amz-content-sha256: " S3_EMPTY_SHA256,
				"host: examplebucket.s3.amazonaws.com" },
			S3_EMPTY_SHA256,
			"df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
			"host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *headers[8];
		size_t count = 0;
		struct buf text;
		uint8_t hash[DIGEST_MAX], key[DIGEST_MAX];
		char hex[2 * DIGEST_MAX + 1];

		for (; rows[i].headers[count]; count++)
			headers[count] = (char *)rows[i].headers[count];
		s3_sort_headers(headers, count);
		struct s3_signing signing = { rows[i].method, rows[i].path, rows[i].query, headers,
			count, rows[i].payload_hash, "20130524T000000Z", "us-east-1" };

		buf_init(&text, 10000);
		s3_canonical_request(&signing, &text);
		digest_of(DIGEST_SHA256, text.at, text.len, hash);
		hex_encode(hash, 32, hex);
		assert_string_equal(hex, rows[i].canonical_hash);

		buf_clear(&text);
		s3_string_to_sign(&signing, &text);
		char *want = xasprintf("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/"
				       "aws4_request\n%s",
			rows[i].canonical_hash);
		assert_string_equal(text.at, want);
		free(want);

		s3_signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1",
			"s3", key);
		char *got = s3_authorization(&signing, "AKIAIOSFODNN7EXAMPLE", key);
		want = xasprintf(
			"AWS4-HMAC-SHA256 "
			"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
			"SignedHeaders=%s, Signature=%s",
			rows[i].signed_headers, rows[i].signature);
		assert_string_equal(got, want);
		free(want);
		free(got);
		buf_release(&text);
	}
}

/* "Examples of how to derive a signing key" in the General Reference. */
static void keys_are_derived(void **state) {
	static const struct {
		const char *day, *want;
	} rows[] = {
		{ "20120215", "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d" },
		{ "20150830", "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t key[DIGEST_MAX];
		char hex[2 * DIGEST_MAX + 1];

		s3_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", rows[i].day, "us-east-1",
			"iam", key);
		hex_encode(key, 32, hex);
		assert_string_equal(hex, rows[i].want);
	}
}

/* The suite's get-header-value-trim, and names of which one begins the other. */
static void headers_are_trimmed_and_sorted(void **state) {
	char *headers[] = { "my-header2:  \"a   b   c\"  ", "x-amz-meta-b: 1", "x-amz-meta: 2",
		"my-header1: value1", "host:example.amazonaws.com", "empty:" };
	struct s3_signing signing = { "GET", "/", "", headers, ARRAY_LEN(headers), S3_UNSIGNED,
		"20150830T123600Z", "us-east-1" };
	struct buf text;

	s3_sort_headers(headers, ARRAY_LEN(headers));
	buf_init(&text, 10000);
	s3_canonical_request(&signing, &text);
	assert_string_equal(text.at,
		"GET\n/\n\nempty:\nhost:example.amazonaws.com\nmy-header1:value1\n"
		"my-header2:\"a b c\"\nx-amz-meta:2\nx-amz-meta-b:1\n\n"
		"empty;host;my-header1;my-header2;x-amz-meta;x-amz-meta-b\nUNSIGNED-PAYLOAD");
	buf_release(&text);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_s3_manual),
		cmocka_unit_test(keys_are_derived),
		cmocka_unit_test(headers_are_trimmed_and_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
