/* A real disk with a few MiB, or a real quota, that fills up: nothing half-written is there, nothing is lost, and what did not
 * fit goes well once there is room. */
#include "support/contract.h"

#include <stdio.h>

enum { PIECE = 64 << 10, PIECES_MAX = 400, AGAIN = 5, SPARE = 6 };

struct heap {
	struct bench *bench;
	char bytes[PIECE];
	int pieces;
};

static const char *piece_name(int number) {
	static char name[32];

	snprintf(name, sizeof(name), "piece-%d", number);
	return name;
}

static enum err_kind put(struct heap *heap, const char *name, bool over, const char *keep) {
	struct bench *bench = heap->bench;
	struct store_op op;

	bench_put_init(bench, &op, name, heap->bytes, PIECE);
	op.if_absent = !over;
	op.keep_key = keep ? bench_key(bench, keep) : NULL;
	enum err_kind kind = bench_run(bench, &op);
	store_op_release(&op);
	return kind;
}

static void expect_told(const struct bench *bench) {
	if (!strstr(bench->err.text, "no room") && !strstr(bench->err.text, "no space") &&
		!strstr(bench->err.text, "quota"))
		fail_msg("not why: %s", bench->err.text);
	if (!strstr(bench->err.text, "room on") && !strstr(bench->err.text, "free or buy room"))
		fail_msg("not what to do: %s", bench->err.text);
}

static void fill(struct heap *heap) {
	enum err_kind kind = ERR_NONE;

	for (size_t i = 0; i < PIECE; i++) heap->bytes[i] = (char)(i * i >> 3);
	while (!kind && heap->pieces < PIECES_MAX) {
		kind = put(heap, piece_name(heap->pieces), false, NULL);
		heap->pieces += !kind;
	}
	assert_err(heap->bench, kind, ERR_FULL);
	expect_told(heap->bench);
	assert_true(heap->pieces > SPARE);
}

static void make_room(struct heap *heap) {
	for (int i = 0; i < SPARE; i++)
		assert_err(heap->bench,
			bench_remove(heap->bench, piece_name(--heap->pieces), STORE_FILE),
			ERR_NONE);
}

static void expect_piece(struct heap *heap, const char *name) {
	struct store_entry entry;

	assert_err(heap->bench, bench_stat(heap->bench, name, STORE_FILE, &entry), ERR_NONE);
	bench_expect_entry(heap->bench, &entry, heap->bytes, PIECE);
	store_entry_release(&entry);
}

/* The pieces, and so many more names. */
static void expect_count(const struct heap *heap, size_t more) {
	struct listing listing;

	assert_err(heap->bench, bench_list(heap->bench, "", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, (size_t)heap->pieces + more);
	listing_release(&listing);
}

static void what_fits_not_leaves_nothing(void **state) {
	struct heap *heap = xcalloc(1, sizeof(*heap));
	struct bench *bench = heap->bench = *state;

	bench_put(bench, "file", "first");
	fill(heap);
	/* Each try takes its room back, or there would be none later. */
	for (int i = 0; i < AGAIN; i++) {
		assert_err(bench, put(heap, "new", false, NULL), ERR_FULL);
		expect_told(bench);
		assert_err(bench, put(heap, "file", true, NULL), ERR_FULL);
		assert_err(bench, put(heap, "file", true, "kept"), ERR_FULL);
	}
	bench_expect_absent(bench, "new", STORE_FILE);
	bench_expect(bench, "file", "first");
	for (int i = 0; i < heap->pieces; i++) expect_piece(heap, piece_name(i));
	make_room(heap);
	assert_err(bench, put(heap, "new", false, NULL), ERR_NONE);
	assert_err(bench, put(heap, "file", true, "kept"), ERR_NONE);
	expect_piece(heap, "new");
	expect_piece(heap, "file");
	bench_expect(bench, "kept", "first");
	expect_count(heap, 3);
	free(heap);
}

static void a_copy_fits_or_is_not_there(void **state) {
	struct heap *heap = xcalloc(1, sizeof(*heap));
	struct bench *bench = heap->bench = *state;
	struct store_op op;

	fill(heap);
	store_op_init(&op, STORE_COPY, bench_key(bench, piece_name(0)));
	op.to_key = bench_key(bench, "new");
	op.copied_size = PIECE;
	enum err_kind kind = bench_run(bench, &op);
	store_op_release(&op);
	if (kind) { /* else it shares the bytes */
		assert_err(bench, kind, ERR_FULL);
		expect_told(bench);
		bench_expect_absent(bench, "new", STORE_FILE);
		make_room(heap);
		store_op_init(&op, STORE_COPY, bench_key(bench, piece_name(0)));
		op.to_key = bench_key(bench, "new");
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
	}
	expect_piece(heap, "new");
	expect_count(heap, 1);
	free(heap);
}

static void a_large_upload_is_told_before_or_in_the_middle(void **state) {
	struct heap *heap = xcalloc(1, sizeof(*heap));
	struct bench *bench = heap->bench = *state;
	struct store_op op;
	char *session = NULL;

	if (bench->contract->no_parts) {
		free(heap);
		return;
	}
	fill(heap);
	store_op_init(&op, STORE_PART_BEGIN, bench_key(bench, "large"));
	op.kind = STORE_FILE;
	op.size = 2 * PIECE;
	op.part_size = PIECE;
	op.mtime_ns = BENCH_MTIME_NS;
	enum err_kind kind = bench_run(bench, &op);
	if (!kind) session = xstrdup(op.answer_session);
	store_op_release(&op);
	if (session) {
		store_op_init(&op, STORE_PART_PUT, bench_key(bench, "large"));
		op.session = session;
		op.size = 2 * PIECE;
		op.part_number = 1;
		op.part_size = op.length = PIECE;
		op.body = heap->bytes;
		op.body_len = PIECE;
		kind = bench_run(bench, &op);
		store_op_release(&op);
	}
	assert_err(bench, kind, ERR_FULL);
	expect_told(bench);
	if (session) {
		store_op_init(&op, STORE_PART_ABORT, bench_key(bench, "large"));
		op.session = session;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
	}
	bench_expect_absent(bench, "large", STORE_FILE);
	expect_count(heap, 0);
	free(session);
	free(heap);
}

const struct CMUnitTest contract_room_tests[] = {
	BENCH_TEST(what_fits_not_leaves_nothing),
	BENCH_TEST(a_copy_fits_or_is_not_there),
	BENCH_TEST(a_large_upload_is_told_before_or_in_the_middle),
};
const size_t contract_room_count = ARRAY_LEN(contract_room_tests);
