#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"

/* RFC 1321 A.5; FIPS 180-4 examples (csrc.nist.gov). */
static const struct {
	enum digest_kind kind;
	const char *text;
	unsigned times;
	const char *hex;
} published[] = {
	{ DIGEST_MD5, "", 1, "d41d8cd98f00b204e9800998ecf8427e" },
	{ DIGEST_MD5, "a", 1, "0cc175b9c0f1b6a831c399e269772661" },
	{ DIGEST_MD5, "abc", 1, "900150983cd24fb0d6963f7d28e17f72" },
	{ DIGEST_MD5, "message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0" },
	{ DIGEST_MD5, "abcdefghijklmnopqrstuvwxyz", 1, "c3fcd3d76192e4007dfb496cca67e13b" },
	{ DIGEST_MD5, "1234567890", 8, "57edf4a22be3c955ac49da2e2107b67a" },
	{ DIGEST_SHA1, "", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ DIGEST_SHA1, "abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ DIGEST_SHA1, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
	{ DIGEST_SHA1, "a", 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f" },
	{ DIGEST_SHA256, "", 1,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ DIGEST_SHA256, "abc", 1,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ DIGEST_SHA256, "a", 1000000,
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

static void published_vectors(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		uint8_t out[DIGEST_MAX];
		char hex[2 * DIGEST_MAX + 1];
		struct digest digest;
		digest_init(&digest, published[i].kind);
		for (unsigned j = 0; j < published[i].times; j++) {
			digest_add(&digest, published[i].text, strlen(published[i].text));
		}
		size_t len = digest_end(&digest, out);
		assert_int_equal(len, digest_len(published[i].kind));
		hex_encode(out, len, hex);
		assert_string_equal(hex, published[i].hex);
		digest_release(&digest); /* harmless after the end */

		if (published[i].times != 1) continue;
		memset(out, 0, sizeof(out));
		assert_int_equal(digest_of(published[i].kind, published[i].text,
					 strlen(published[i].text), out),
			len);
		hex_encode(out, len, hex);
		assert_string_equal(hex, published[i].hex);
	}
}

static void names_and_lengths(void **state) {
	static const struct {
		enum digest_kind kind;
		const char *name;
		size_t len;
	} cases[] = { { DIGEST_MD5, "md5", 16 }, { DIGEST_SHA1, "sha1", 20 },
		{ DIGEST_SHA256, "sha256", 32 }, { DIGEST_SEAL, "seal", 16 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(digest_name(cases[i].kind), cases[i].name);
		assert_int_equal(digest_len(cases[i].kind), cases[i].len);
	}
}

/* RFC 8439 §2.5.2. */
static void a_seal_by_a_key_is_poly1305(void **state) {
	const char *text = "Cryptographic Forum Research Group";
	uint8_t key[SEAL_KEY_LEN], wanted[SEAL_LEN], seal[SEAL_LEN];

	hex_decode("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b", key,
		sizeof(key));
	hex_decode("a8061dc1305136c6c22b8baf0c0127a9", wanted, sizeof(wanted));
	seal_of(key, text, strlen(text), seal);
	assert_memory_equal(seal, wanted, sizeof(seal));
}

/* Of the same bytes the same, in whatever pieces they come. */
static void a_seal_tells_other_bytes(void **state) {
	uint8_t whole[DIGEST_MAX] = { 0 }, pieces[DIGEST_MAX] = { 0 }, other[DIGEST_MAX] = { 0 };
	char bytes[100000];
	struct digest digest;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(i * 7 + i / 256);
	assert_int_equal(digest_of(DIGEST_SEAL, bytes, sizeof(bytes), whole), 16);
	digest_init(&digest, DIGEST_SEAL);
	for (size_t at = 0, len = 1; at < sizeof(bytes); at += len, len = 2 * len + 1)
		digest_add(
			&digest, bytes + at, len < sizeof(bytes) - at ? len : sizeof(bytes) - at);
	assert_int_equal(digest_end(&digest, pieces), 16);
	assert_memory_equal(whole, pieces, sizeof(whole));
	bytes[77777] ^= 1;
	digest_of(DIGEST_SEAL, bytes, sizeof(bytes), other);
	assert_memory_not_equal(whole, other, 16);
	digest_of(DIGEST_SEAL, bytes, 0, other);
	assert_memory_not_equal(whole, other, 16);
	digest_init(&digest, DIGEST_SEAL);
	digest_add(&digest, "x", 1);
	digest_release(&digest); /* given up */
}

static void given_up_digests_leave_nothing(void **state) {
	struct digest digest = { 0 };

	(void)state;
	digest_release(&digest);
	digest_init(&digest, DIGEST_MD5);
	digest_add(&digest, "x", 1);
	digest_add(&digest, NULL, 0);
	digest_release(&digest);
	digest_release(&digest);
}

/* RFC 4231 §4.2, 4.3, 4.4, 4.7, 4.8. */
static void hmac_vectors(void **state) {
	static const struct {
		int key_byte; /* 0: `key` */
		size_t key_len;
		const char *key, *text;
		int text_byte; /* 50 of them instead of `text` */
		const char *hex;
	} cases[] = {
		{ 0x0b, 20, NULL, "Hi There", 0,
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ 0, 4, "Jefe", "what do ya want for nothing?", 0,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ 0xaa, 20, NULL, NULL, 0xdd,
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ 0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ 0xaa, 131, NULL,
			"This is a test using a larger than block-size key and a larger than "
			"block-size "
			"data. The key needs to be hashed before being used by the HMAC algorithm.",
			0, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
		{ 0, 0, "", "", 0,
			"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t key[131], text[200], out[DIGEST_MAX];
		char hex[2 * DIGEST_MAX + 1];
		size_t len = cases[i].text ? strlen(cases[i].text) : 50;
		memset(key, cases[i].key_byte, sizeof(key));
		if (cases[i].key) memcpy(key, cases[i].key, cases[i].key_len);
		memset(text, cases[i].text_byte, sizeof(text));
		if (cases[i].text) memcpy(text, cases[i].text, len);
		hmac_sha256(key, cases[i].key_len, text, len, out);
		hex_encode(out, 32, hex);
		assert_string_equal(hex, cases[i].hex);
	}
	uint8_t out[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	hmac_sha256(NULL, 0, NULL, 0, out);
	hex_encode(out, 32, hex);
	assert_string_equal(hex, cases[5].hex);
}

/* All threads meet the algorithms for the first time together. */
static void *digest_all(void *bad) {
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < ARRAY_LEN(published); i++) {
			uint8_t out[DIGEST_MAX];
			char hex[2 * DIGEST_MAX + 1];
			if (published[i].times != 1) continue;
			size_t len = digest_of(published[i].kind, published[i].text,
				strlen(published[i].text), out);
			hex_encode(out, len, hex);
			if (strcmp(hex, published[i].hex) != 0) *(int *)bad = 1;
		}
	}
	return NULL;
}

static void any_thread_may_digest(void **state) {
	pthread_t threads[8];
	int bad[8] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, digest_all, &bad[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(bad[i], 0);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_thread_may_digest),
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(names_and_lengths),
		cmocka_unit_test(a_seal_by_a_key_is_poly1305),
		cmocka_unit_test(a_seal_tells_other_bytes),
		cmocka_unit_test(given_up_digests_leave_nothing),
		cmocka_unit_test(hmac_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
