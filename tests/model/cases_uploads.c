/* A large file that is hashed while it is sent, and changes meanwhile, or before the next run goes on with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

enum { PART = 20000, PARTS = 6, SIZE = PART * PARTS, VERSIONS_MAX = 40 };

#define OLD_NS (1500000000 * NS_PER_S)

static struct uploads {
	int begun, hashed; /* PART_BEGINs, and those with a hash */
	int put[PARTS + 2], aborted, ended;
	int edit_at; /* with this part on its way `edit` is done, once */
	void (*edit)(struct ground *g);
	int allowed; /* the parts after these find nobody */
	/* What the file was, one after the other. */
	uint8_t versions[VERSIONS_MAX][DIGEST_MAX];
	size_t version_count;
} now;

static struct buf content_of(struct ground *g) {
	struct buf body;
	struct disk_stat stat;
	struct err err;
	buf_init(&body, 0);
	assert_int_equal(
		disk_read(g->disk, "large", 1 << 20, &body, DIGEST_MD5, NULL, &stat, &err), 0);
	return body;
}

static void version_note(struct ground *g) {
	struct buf body = content_of(g);
	assert_true(now.version_count < VERSIONS_MAX);
	digest_of(DIGEST_MD5, body.at, body.len, now.versions[now.version_count++]);
	buf_release(&body);
}

/* Its time is set back: only the system's own, which nobody sets, tells of it. */
static void write_at(struct ground *g, int64_t offset, size_t len) {
	static char bytes[SIZE];
	struct err err;
	for (size_t i = 0; i < len; i++) bytes[i] = (char)ground_draw(g, 256);
	assert_int_equal(disk_memory_write(g->memory, "large", offset, bytes, len, false, &err), 0);
	assert_int_equal(disk_set(g->disk, "large", OLD_NS, 0600, &err), 0);
	version_note(g);
}

static void write_first(struct ground *g) {
	write_at(g, 0, PART);
}

static void write_last(struct ground *g) {
	write_at(g, SIZE - PART, PART);
}

static void grow(struct ground *g) {
	write_at(g, SIZE, 10);
}

static bool is_version(const struct store_hash *hash) {
	for (size_t i = 0; i < now.version_count; i++)
		if (!memcmp(now.versions[i], hash->bytes, 16)) return true;
	return false;
}

static struct err watch(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	(void)after;
	now.begun += op->verb == STORE_PART_BEGIN;
	now.hashed += op->verb == STORE_PART_BEGIN && op->hash.kind != STORE_HASH_NONE;
	now.aborted += op->verb == STORE_PART_ABORT;
	now.ended += op->verb == STORE_PART_END;
	if (op->verb == STORE_PART_END && !is_version(&op->hash))
		ground_wrong(g, "what is ended was never there", op->key);
	if (op->verb != STORE_PART_PUT) return err;
	if (op->part_number == now.edit_at) {
		now.edit_at = 0;
		now.edit(g);
	}
	if (op->part_number > now.allowed)
		err_set(&err, ERR_OFFLINE, "nobody answers");
	else
		now.put[op->part_number]++;
	return err;
}

static struct ground *begin(void) {
	static const struct store_memory_options options = {
		.part_from = PART, .part_size = PART, .sends_parts = true
	};
	struct ground *g = case_begin(&options);
	now = (struct uploads){ .allowed = PARTS };
	edit_put(g, "large");
	write_at(g, 0, SIZE);
	g->fault = watch;
	return g;
}

static void end(struct ground *g) {
	struct buf here = content_of(g);
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_GET, "large");
	op.length = (int64_t)here.len + 1;
	assert_int_equal(store_memory_now(g->content, &op, &err), 0);
	assert_int_equal(op.answer_body.len, here.len);
	assert_memory_equal(op.answer_body.at, here.at, here.len);
	store_op_release(&op);
	buf_release(&here);
	case_end(g);
}

static void test_it_is_hashed_while_it_is_sent(void **state) {
	struct ground *g = begin();
	(void)state;
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 1);
	assert_int_equal(now.hashed, 0);
	assert_int_equal(now.ended, 1);
	end(g);
}

/* Of what was read before, and of what was not yet. */
static void test_it_changes_while_it_is_sent(void **state) {
	void (*const edits[])(struct ground *) = { write_first, write_last };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		for (int at = 1; at <= PARTS; at++) {
			struct ground *g = begin();
			now.edit = edits[i];
			now.edit_at = at;
			ground_open(g);
			case_durable(g);
			case_durable(g); /* of the change */
			if (at == 1) assert_int_equal(now.ended, 1);
			assert_int_equal(now.begun, 2);
			assert_int_equal(now.aborted, 2 - now.ended);
			end(g);
		}
	}
}

/* What only grows is committed as far as it stayed the same, which is proven by reading it twice. */
static void test_it_grows_while_it_is_sent(void **state) {
	struct ground *g = begin();
	(void)state;
	now.allowed++; /* it has one more then */
	now.edit = grow;
	now.edit_at = 1;
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 2);
	assert_int_equal(now.hashed, 1);
	end(g);
}

/* Killed when two parts are there. */
static struct ground *begin_half(bool power, size_t lost) {
	struct ground *g = begin();
	now.allowed = 2;
	ground_open(g);
	ground_run(g, 1500);
	assert_int_equal(now.put[1] + now.put[2], 2);
	ground_kill(g, power, lost);
	now.allowed = PARTS;
	return g;
}

static void test_it_goes_on(void **state) {
	struct ground *g = begin_half(false, 0);
	(void)state;
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 1);
	assert_int_equal(now.aborted, 0);
	for (int i = 1; i <= PARTS; i++) assert_int_equal(now.put[i], 1);
	end(g);
}

/* As many bytes, and the time set back. */
static void test_what_was_sent_changes_before_it_goes_on(void **state) {
	struct ground *g = begin_half(false, 0);
	(void)state;
	write_first(g);
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 2);
	assert_int_equal(now.aborted, 1);
	assert_int_equal(now.ended, 1);
	end(g);
}

static void test_what_was_not_sent_changes_before_it_goes_on(void **state) {
	struct ground *g = begin_half(false, 0);
	(void)state;
	write_last(g);
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 1);
	assert_int_equal(now.aborted, 0);
	assert_int_equal(now.put[1], 1);
	end(g);
}

/* The server holds what no note tells of. */
static void test_what_nobody_noted_is_not_trusted(void **state) {
	struct ground *g = begin();
	struct index_session session;
	struct err err;
	(void)state;
	now.allowed = 2;
	ground_open(g);
	ground_run(g, 1500);
	assert_int_equal(index_session_get(g->index, "large", &session, &err), 1);
	assert_int_equal(index_session_put(g->index, "large", &session, &err), 0); /* alone */
	assert_int_equal(index_commit(g->index, true, &err), 0);
	index_session_release(&session);
	ground_kill(g, false, 0);
	now.allowed = PARTS;
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.begun, 2);
	assert_int_equal(now.aborted, 1);
	end(g);
}

/* Of what was sent last nothing may be noted any more. */
static void test_it_changes_while_the_power_is_off(void **state) {
	int stale = 0;
	(void)state;
	for (size_t lost = 0; lost < 8; lost++) {
		struct ground *g = begin_half(true, lost);
		write_first(g);
		ground_open(g);
		case_durable(g);
		stale += now.aborted;
		assert_int_equal(now.ended, 1);
		end(g);
	}
	assert_true(stale > 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_hashed_while_it_is_sent),
		cmocka_unit_test(test_it_changes_while_it_is_sent),
		cmocka_unit_test(test_it_grows_while_it_is_sent),
		cmocka_unit_test(test_it_goes_on),
		cmocka_unit_test(test_what_was_sent_changes_before_it_goes_on),
		cmocka_unit_test(test_what_was_not_sent_changes_before_it_goes_on),
		cmocka_unit_test(test_what_nobody_noted_is_not_trusted),
		cmocka_unit_test(test_it_changes_while_the_power_is_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
