#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"

static void hex(void **state) {
	static const struct {
		const char *text;
		long len;
		const char *bytes;
	} cases[] = {
		{ "", 0, "" }, { "00ff10", 3, "\x00\xff\x10" },
		{ "DEADbeef", 4, "\xde\xad\xbe\xef" }, { "0", -1, NULL }, { "0g", -1, NULL },
		{ "0x", -1, NULL }, { " 0", -1, NULL },
		{ "0011223344", -1, NULL }, /* more than there is room for */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[4];
		char text[9];
		assert_int_equal(hex_decode(cases[i].text, out, sizeof(out)), cases[i].len);
		if (cases[i].len < 0) continue;
		assert_memory_equal(out, cases[i].bytes, cases[i].len);
		hex_encode(out, (size_t)cases[i].len, text);
		for (size_t j = 0; text[j]; j++) assert_int_equal(text[j], cases[i].text[j] | 0x20);
		assert_int_equal(strlen(text), strlen(cases[i].text));
	}
}

/* RFC 4648 §10, and bytes that need the last two letters of the alphabet. */
static void base64(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{ "", 0, "" },
		{ "f", 1, "Zg==" },
		{ "fo", 2, "Zm8=" },
		{ "foo", 3, "Zm9v" },
		{ "foob", 4, "Zm9vYg==" },
		{ "fooba", 5, "Zm9vYmE=" },
		{ "foobar", 6, "Zm9vYmFy" },
		{ "\xfb\xff\xfe", 3, "+//+" },
		{ "\0\0", 2, "AAA=" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[16];
		char *text = base64_encode(cases[i].bytes, cases[i].len);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(base64_decode(text, out, cases[i].len), cases[i].len);
		assert_memory_equal(out, cases[i].bytes, cases[i].len);
		if (cases[i].len > 0)
			assert_int_equal(base64_decode(text, out, cases[i].len - 1), -1);
		free(text);
	}
}

static void base64_of_other_forms_is_refused(void **state) {
	static const char *const cases[] = {
		"Zg",
		"Zg=",
		"Zg===",
		"Z===",
		"====",
		"=",
		"Zm9v\n",
		" Zm9v",
		"Zm9v ",
		"Zm 9v",
		"Zg==Zg==",
		"Zm=v",
		"Zm9-",
		"Zm9_",
		"Zm9\x80",
	};
	uint8_t out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(base64_decode(cases[i], out, sizeof(out)), -1);
	}
}

static void base64_of_every_length(void **state) {
	uint8_t bytes[300], out[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		char *text = base64_encode(bytes, len);
		assert_int_equal(strlen(text), (len + 2) / 3 * 4);
		assert_int_equal(base64_decode(text, out, len), len);
		assert_memory_equal(out, bytes, len);
		free(text);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex),
		cmocka_unit_test(base64),
		cmocka_unit_test(base64_of_other_forms_is_refused),
		cmocka_unit_test(base64_of_every_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
