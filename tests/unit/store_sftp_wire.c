/* The bytes of SFTP 3, by vectors written out from draft-ietf-secsh-filexfer-02 and OpenSSH's
 * PROTOCOL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/sftp_wire.h"

/* A literal with its length: it may hold NULs. */
#define BYTES(text) (text), sizeof(text) - 1

static void expect(struct buf *out, const char *bytes, size_t len) {
	assert_int_equal(out->len, len);
	assert_memory_equal(out->at, bytes, len);
	buf_clear(out);
}

static void requests_are_written(void **state) {
	const struct sftp_attrs all = { true, true, true, 0x0102030405060708, 0100640, 5, 6 };
	const struct sftp_attrs none = { 0 };
	struct buf out;
	size_t begun;

	buf_init(&out, 4096);
	sftp_end(&out, sftp_begin(&out, SFTP_INIT, 3));
	expect(&out, BYTES("\0\0\0\5\1\0\0\0\3"));

	begun = sftp_begin(&out, SFTP_OPEN, 0x0a0b0c0d);
	sftp_add_text(&out, "a/b");
	sftp_add_u32(&out, SFTP_FOR_WRITE | SFTP_MAKE | SFTP_EXCLUSIVE);
	sftp_add_attrs(&out, &none);
	sftp_end(&out, begun);
	expect(&out, BYTES("\0\0\0\x14\3\x0a\x0b\x0c\x0d\0\0\0\3a/b\0\0\0\x2a\0\0\0\0"));

	begun = sftp_begin(&out, SFTP_FSETSTAT, 1);
	sftp_add_bytes(&out, BYTES("h\0"));
	sftp_add_attrs(&out, &all);
	sftp_end(&out, begun);
	expect(&out,
		BYTES("\0\0\0\x23\x0a\0\0\0\1\0\0\0\2h\0\0\0\0\x0d\1\2\3\4\5\6\7\x08\0\0\x81\xa0"
		      "\0\0\0\5\0\0\0\6"));

	/* The second lies behind the first, with a length of its own. */
	sftp_end(&out, sftp_begin(&out, SFTP_INIT, 3));
	begun = sftp_begin(&out, SFTP_READ, 2);
	sftp_add_bytes(&out, BYTES("h"));
	sftp_add_u64(&out, 0x1ffffffffULL);
	sftp_add_u32(&out, SFTP_CHUNK);
	sftp_end(&out, begun);
	buf_consume(&out, 9);
	expect(&out, BYTES("\0\0\0\x16\5\0\0\0\2\0\0\0\1h\0\0\0\1\xff\xff\xff\xff\0\0\x80\0"));
	buf_release(&out);
}

static struct sftp_answer decoded(const char *bytes, size_t len) {
	struct sftp_answer answer;

	assert_int_equal(sftp_packet(bytes, len), len);
	assert_int_equal(sftp_decode(bytes, len, &answer), 0);
	return answer;
}

static void answers_are_read(void **state) {
	struct sftp_answer answer =
		decoded(BYTES("\0\0\0\x14\x65\0\0\0\7\0\0\0\2\0\0\0\3why\0\0\0\0"));
	assert_int_equal(answer.type, SFTP_STATUS);
	assert_int_equal(answer.id, 7);
	assert_int_equal(answer.code, SFTP_NO_SUCH_FILE);
	assert_int_equal(answer.text.len, 3);
	assert_memory_equal(answer.text.at, "why", 3);

	answer = decoded(BYTES("\0\0\0\x09\x65\0\0\0\7\0\0\0\1")); /* an old server's */
	assert_int_equal(answer.code, SFTP_EOF);
	assert_int_equal(answer.text.len, 0);

	answer = decoded(BYTES("\0\0\0\x0b\x66\0\0\0\1\0\0\0\2\0\1"));
	assert_int_equal(answer.type, SFTP_HANDLE);
	assert_memory_equal(answer.text.at, "\0\1", 2);

	answer = decoded(BYTES("\0\0\0\x0c\x67\0\0\0\1\0\0\0\3abc"));
	assert_int_equal(answer.type, SFTP_DATA);
	assert_int_equal(answer.text.len, 3);

	/* Size, owner, mode, times, and an extended pair that nobody knows. */
	answer = decoded(
		BYTES("\0\0\0\x34\x69\0\0\0\1\x80\0\0\x0f\0\0\0\1\0\0\0\2\0\0\0\x09\0\0\0\x08"
		      "\0\0\xa1\xff\0\0\0\3\xff\xff\xff\xff\0\0\0\1\0\0\0\1k\0\0\0\2vv"));
	assert_int_equal(answer.type, SFTP_ATTRS);
	assert_true(answer.attrs.has_size && answer.attrs.has_mode && answer.attrs.has_times);
	assert_true(answer.attrs.size == 0x100000002);
	assert_int_equal(answer.attrs.mode, 0120777);
	assert_int_equal(answer.attrs.atime, 3);
	assert_true(answer.attrs.mtime == UINT32_MAX);
}

static void names_are_read(void **state) {
	struct sftp_answer answer = decoded(BYTES("\0\0\0\x2d\x68\0\0\0\1\0\0\0\2"
						  "\0\0\0\2\xff/\0\0\0\4line\0\0\0\4\0\0\x41\xed"
						  "\0\0\0\1b\0\0\0\1l\0\0\0\0"));
	struct sftp_bytes name;
	struct sftp_attrs attrs;

	assert_int_equal(answer.count, 2);
	assert_int_equal(sftp_next_name(&answer, &name, &attrs), 1);
	assert_int_equal(name.len, 2);
	assert_memory_equal(name.at, "\xff/", 2);
	assert_int_equal(attrs.mode, 040755);
	assert_false(attrs.has_size || attrs.has_times);
	assert_int_equal(sftp_next_name(&answer, &name, &attrs), 1);
	assert_memory_equal(name.at, "b", 1);
	assert_false(attrs.has_mode);
	assert_int_equal(sftp_next_name(&answer, &name, &attrs), 0);
}

static void extensions_are_read(void **state) {
	struct sftp_answer answer = decoded(BYTES("\0\0\0\x18\2\0\0\0\3\0\0\0\1n\0\0\0\1"
						  "1\0\0\0\1m\0\0\0\0"));
	struct sftp_bytes name, value;
	uint64_t number;

	assert_int_equal(answer.id, 3);
	assert_int_equal(sftp_next_extension(&answer, &name, &value), 1);
	assert_memory_equal(name.at, "n", 1);
	assert_memory_equal(value.at, "1", 1);
	answer.rest.len = 3; /* cut in the middle of the second */
	assert_int_equal(sftp_next_extension(&answer, &name, &value), -1);

	answer = decoded(BYTES("\0\0\0\x0d\xc9\0\0\0\1\0\0\0\1\0\0\0\0"));
	assert_int_equal(sftp_next_u64(&answer, &number), 0);
	assert_true(number == 0x100000000);
	assert_int_equal(sftp_next_u64(&answer, &number), -1);
}

/* A whole packet by its length, whose inside lies: never a read behind its end (the sanitizer
 * watches), always refused. */
static void lies_are_refused(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ BYTES("\0\0\0\1\x65") },                           /* no id */
		{ BYTES("\0\0\0\5\x65\0\0\0\1") },                   /* no code */
		{ BYTES("\0\0\0\5\x63\0\0\0\1") },                   /* no such type */
		{ BYTES("\0\0\0\5\3\0\0\0\1") },                     /* a request */
		{ BYTES("\0\0\0\x0d\x65\0\0\0\1\0\0\0\4\0\0\0\1") }, /* text beyond the end */
		{ BYTES("\0\0\0\x0a\x67\0\0\0\1\xff\xff\xff\xff"
			"a") },                              /* data beyond the end */
		{ BYTES("\0\0\0\x09\x69\0\0\0\1\0\0\0\1") }, /* a size is announced */
		{ BYTES("\0\0\0\x0d\x69\0\0\0\1\x80\0\0\0\xff\xff\xff\xff") }, /* pairs are */
		{ BYTES("\0\0\0\5\x68\0\0\0\1") },                             /* no count */
	};
	struct sftp_answer answer;
	struct sftp_bytes name;
	struct sftp_attrs attrs;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *copy = xmemdup(rows[i].bytes, rows[i].len); /* its end is the sanitizer's */
		assert_int_equal(sftp_packet(copy, rows[i].len), rows[i].len);
		if (sftp_decode(copy, rows[i].len, &answer) != -1) fail_msg("row %zu", i);
		for (size_t len = 0; len < rows[i].len; len++)
			assert_int_equal(sftp_packet(copy, len), 0);
		free(copy);
	}
	assert_int_equal(sftp_packet(BYTES("\0\0\0\0")), -1);
	assert_int_equal(sftp_packet(BYTES("\0\4\0\1")), -1);
	assert_int_equal(sftp_packet(BYTES("\xff\xff\xff\xff")), -1);
	assert_int_equal(sftp_packet(BYTES("\0\4\0\0")), 0);

	answer = decoded(BYTES("\0\0\0\x0d\x68\0\0\0\1\0\0\0\1\0\0\0\x09"));
	assert_int_equal(sftp_next_name(&answer, &name, &attrs), -1);
}

static void a_handle_is_bounded(void **state) {
	struct sftp_answer answer;
	struct buf out;

	buf_init(&out, 1024);
	for (size_t len = SFTP_HANDLE_MAX; len <= SFTP_HANDLE_MAX + 1; len++) {
		char handle[SFTP_HANDLE_MAX + 1] = { 0 };
		size_t begun = sftp_begin(&out, SFTP_HANDLE, 1);
		sftp_add_bytes(&out, handle, len);
		sftp_end(&out, begun);
		assert_int_equal(
			sftp_decode(out.at, out.len, &answer), len <= SFTP_HANDLE_MAX ? 0 : -1);
		buf_clear(&out);
	}
	buf_release(&out);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_written),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(names_are_read),
		cmocka_unit_test(extensions_are_read),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(a_handle_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
