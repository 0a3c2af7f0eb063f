#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void kinds_follow_errno(void **state) {
	static const struct {
		int errnum;
		enum err_kind kind;
	} cases[] = {
		{ 0, ERR_NONE },
		{ ENOENT, ERR_NOT_FOUND },
		{ ENOTDIR, ERR_NOT_FOUND },
		{ EEXIST, ERR_CHANGED },
		{ EACCES, ERR_DENIED },
		{ EPERM, ERR_DENIED },
		{ EROFS, ERR_DENIED },
		{ EINVAL, ERR_INVALID },
		{ ENAMETOOLONG, ERR_INVALID },
		{ EAGAIN, ERR_BUSY },
		{ ENOTEMPTY, ERR_BUSY },
		{ ETXTBSY, ERR_BUSY },
		{ ECONNREFUSED, ERR_OFFLINE },
		{ ETIMEDOUT, ERR_OFFLINE },
		{ EBADMSG, ERR_CORRUPT },
		{ ENOSPC, ERR_FULL },
		{ EDQUOT, ERR_FULL },
		{ EMFILE, ERR_FULL },
		{ ECANCELED, ERR_CANCELLED },
		{ EIO, ERR_SYSTEM },
		{ 99999, ERR_SYSTEM },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(err_kind_of_errno(cases[i].errnum), cases[i].kind);
	}
}

static void every_kind_has_a_name(void **state) {
	(void)state;
	for (int kind = ERR_NONE; kind <= ERR_CANCELLED; kind++) {
		assert_string_not_equal(err_kind_name((enum err_kind)kind), "unknown");
	}
	assert_string_equal(err_kind_name(ERR_NOT_FOUND), "not found");
	assert_string_equal(err_kind_name((enum err_kind)99), "unknown");
}

static void set_sys_and_wrap(void **state) {
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ERR_BUSY, "server '%s' is busy", "x"), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "server 'x' is busy");

	err.retry_ms = 7;
	assert_int_equal(err_wrap(&err, "cannot upload '%s'", "a/b"), -1);
	assert_string_equal(err.text, "cannot upload 'a/b': server 'x' is busy");
	assert_int_equal(err.kind, ERR_BUSY);
	assert_int_equal(err.retry_ms, 7);

	assert_int_equal(err_sys(&err, ENOENT, "cannot open '%s'", "a"), -1);
	assert_string_equal(err.text, "cannot open 'a': No such file or directory");
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(err.retry_ms, 0);

	err_clear(&err);
	assert_int_equal(err.kind, ERR_NONE);
	assert_string_equal(err.text, "");
}

static void arguments_may_be_its_own_text(void **state) {
	struct err err;

	(void)state;
	err_set(&err, ERR_BUSY, "inner");
	err_set(&err, ERR_DENIED, "outer of %s", err.text);
	assert_string_equal(err.text, "outer of inner");
}

static void nobody_has_to_ask(void **state) {
	(void)state;
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), -1);
	assert_int_equal(err_sys(NULL, ENOENT, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
	err_clear(NULL);
}

/* Whatever the length, what was cut is still UTF-8. */
static void long_texts_are_cut_between_characters(void **state) {
	static const char *const characters[] = { "a", "\xc3\xa9", "\xe2\x82\xac",
		"\xf0\x9f\x98\x80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
		for (size_t shift = 0; shift < 5; shift++) {
			char context[600] = "";
			struct buf text;
			struct err err;
			buf_init(&text, 600);
			for (size_t j = 0; j < shift; j++) buf_addc(&text, 'x');
			while (text.len < 400) buf_adds(&text, characters[i]);
			err_set(&err, ERR_BUSY, "%s", text.at);
			assert_true(strlen(err.text) > sizeof(err.text) - 6);
			assert_true(str_is_utf8(err.text, strlen(err.text)));
			assert_true(str_starts(text.at, err.text));

			memset(context, 'y', 230);
			err_wrap(&err, "%s", context);
			assert_true(str_is_utf8(err.text, strlen(err.text)));
			err_sys(&err, ENOENT, "%s", text.at);
			assert_true(str_is_utf8(err.text, strlen(err.text)));
			buf_release(&text);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_follow_errno),
		cmocka_unit_test(every_kind_has_a_name),
		cmocka_unit_test(set_sys_and_wrap),
		cmocka_unit_test(arguments_may_be_its_own_text),
		cmocka_unit_test(nobody_has_to_ask),
		cmocka_unit_test(long_texts_are_cut_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
