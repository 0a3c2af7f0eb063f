/* What a server says is told in its words, and opens no door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/rest.h"

static void quotes(void **state) {
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "The specified key does not exist.", "The specified key does not exist." },
		{ "two\nlines", "two lines" },
		{ "with 'hunter22' you are not let in", "with '***' you are not let in" },
		{ "c2lnbmF0dXJlIG9mIHRoaXMgcmVxdWVzdA/+a0s=", "*" },
		{ "0123456789abcdef0123456789abcdef!", "*!" },
		{ "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcde" },
		{ "sig=c2lnbmF0dXJlIG9mIHRoaXMgcmVxdWVzdA%3D&x", "*&x" },
		{ "an answer that is longer than there is room for it",
			"an answer that is longer than there is r" },
		/* Cut before it is masked it would be half a secret. */
		{ "there is little room at the end: hunter22",
			"there is little room at the end: ***" },
	};
	(void)state;

	log_secret("hunter22");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[41];
		rest_quote(got, sizeof(got), rows[i].text);
		assert_string_equal(got, rows[i].want);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = { cmocka_unit_test(quotes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
