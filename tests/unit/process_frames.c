/* The wire between tendd and the keeper: what goes in comes out, and nothing from outside hurts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "process/internal.h"

static const char run[] = "00112233445566778899aabbccddeeff";

static struct frame full_frame(void) {
	struct frame frame = {
		.type = FRAME_SPAWN,
		.run = xstrdup(run),
		.unit = xstrdup("service:jupyter"),
		.pid = 4711,
		.start_time = INT64_MAX,
		.signum = 15,
		.code = -1,
		.text = xstrdup("cannot run 'x': \xff\xfe"),
		.directory = xstrdup(""),
		.become = 1,
		.uid = 4294967294,
		.umask = 022,
		.nice = -20,
		.memory_max = 1LL << 40,
		.cpu_max = 250,
	};
	strv_add(&frame.argv, "jupyter");
	strv_add(&frame.argv, "");
	strv_add(&frame.argv, "a b\nc");
	strv_add(&frame.env, "PATH=/usr/bin:/bin");
	strv_add(&frame.groups, "0");
	strv_add(&frame.groups, "4294967294");
	return frame;
}

static void a_frame_comes_back_whole(void **state) {
	struct frame in = full_frame();
	struct frame out;
	struct err err;
	struct buf wire;
	buf_init(&wire, FRAME_MAX);
	frame_encode(&in, &wire);
	frame_encode(&in, &wire);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_decode(&wire, &out, &err), 1);
		assert_int_equal(out.type, FRAME_SPAWN);
		assert_string_equal(out.run, run);
		assert_string_equal(out.text, in.text);
		assert_string_equal(out.directory, "");
		assert_null(out.fifo);
		assert_true(strv_equal(out.argv, in.argv));
		assert_true(strv_equal(out.env, in.env));
		assert_int_equal(out.start_time, INT64_MAX);
		assert_int_equal(out.code, -1);
		assert_int_equal(out.nice, -20);
		struct process_spec spec;
		gid_t *groups;
		assert_int_equal(frame_to_spec(&out, &spec, &groups, &err), 0);
		assert_int_equal(spec.group_count, 2);
		assert_true(groups[1] == 4294967294);
		assert_true(spec.memory_max_bytes == 1LL << 40);
		assert_int_equal(spec.cpu_max_percent, 250);
		assert_true(spec.become && spec.uid == 4294967294);
		free(groups);
		frame_release(&out);
	}
	assert_int_equal(frame_decode(&wire, &out, &err), 0);
	frame_release(&in);
	buf_release(&wire);
}

static void a_cut_frame_waits_for_the_rest(void **state) {
	struct frame in = full_frame();
	struct frame out;
	struct err err;
	struct buf wire, piece;
	buf_init(&wire, FRAME_MAX);
	buf_init(&piece, FRAME_MAX);
	frame_encode(&in, &wire);
	for (size_t i = 0; i + 1 < wire.len; i++) {
		buf_add(&piece, wire.at + i, 1);
		assert_int_equal(frame_decode(&piece, &out, &err), 0);
	}
	buf_add(&piece, wire.at + wire.len - 1, 1);
	assert_int_equal(frame_decode(&piece, &out, &err), 1);
	frame_release(&out);
	frame_release(&in);
	buf_release(&piece);
	buf_release(&wire);
}

/* A newer side may say more: fields it does not know are passed by. */
static void an_unknown_field_is_passed_by(void **state) {
	static const char bytes[] = "\x1b\0\0\0" /* 27 bytes follow */
				    "\x01\x08\0\0\0\x10\0\0\0\0\0\0\0"
				    "\xfe\x01\0\0\0?"
				    "\xfd\x03\0\0\0\0\0\0";
	struct buf wire;
	struct frame out;
	struct err err;
	buf_init(&wire, 1024);
	buf_add(&wire, bytes, sizeof(bytes) - 1);
	assert_int_equal(frame_decode(&wire, &out, &err), 1);
	assert_int_equal(out.type, FRAME_HELLO);
	frame_release(&out);
	buf_release(&wire);
}

static void nonsense_is_refused(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\xff\xff\xff\xff", 4 },             /* 4 GiB */
		{ "\x01\0\0\0\x01", 5 },               /* a field of one byte */
		{ "\x06\0\0\0\x01\x02\0\0\0\0", 10 },  /* a field beyond its frame */
		{ "\x06\0\0\0\x01\x01\0\0\0\0", 10 },  /* a number of one byte */
		{ "\x07\0\0\0\x03\x02\0\0\0a\0", 11 }, /* a NUL in a text */
		{ "\x08\0\0\0\x02\x03\0\0\0../", 12 }, /* a run that is a path */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf wire;
		struct frame out;
		struct err err = { 0 };
		buf_init(&wire, 1024);
		buf_add(&wire, cases[i].bytes, cases[i].len);
		assert_int_equal(frame_decode(&wire, &out, &err), -1);
		assert_int_equal(err.kind, ERR_CORRUPT);
		buf_release(&wire);
	}
}

/* Any byte of a good frame changed in any way: an answer, no crash, nothing leaked (ASan looks). */
static void damaged_frames_do_no_harm(void **state) {
	struct frame in = full_frame();
	struct buf good;
	buf_init(&good, FRAME_MAX);
	frame_encode(&in, &good);
	uint32_t seed = 1;
	size_t answers[3] = { 0 };
	for (int round = 0; round < 20000; round++) {
		struct buf wire;
		buf_init(&wire, FRAME_MAX);
		buf_add(&wire, good.at, good.len);
		for (int edits = 0; edits <= round % 3; edits++) {
			seed = seed * 1664525 + 1013904223;
			wire.at[(seed >> 8) % wire.len] = (char)seed;
		}
		struct frame out;
		struct err err;
		int got = frame_decode(&wire, &out, &err);
		answers[got + 1]++;
		if (got == 1) {
			struct process_spec spec;
			gid_t *groups;
			frame_to_spec(&out, &spec, &groups, &err);
			free(groups);
			frame_release(&out);
		}
		buf_release(&wire);
	}
	assert_true(answers[0] > 0 && answers[1] > 0 && answers[2] > 0);
	frame_release(&in);
	buf_release(&good);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_comes_back_whole),
		cmocka_unit_test(a_cut_frame_waits_for_the_rest),
		cmocka_unit_test(an_unknown_field_is_passed_by),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(damaged_frames_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
