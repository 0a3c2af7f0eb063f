/* Large uploads in parts: any order, resumed, repeated, given up. */
#include "crypto/crypto.h"
#include "support/contract.h"

enum { PARTS = 3 };

struct upload {
	char *bytes;
	size_t len;
	size_t part_bytes;
	struct store_hash hash;
	char *session;
	struct store_part parts[PARTS];
};

static void upload_init(struct bench *bench, struct upload *upload) {
	*upload = (struct upload){ .part_bytes = (size_t)bench->contract->part_bytes };
	upload->len = (PARTS - 1) * upload->part_bytes + upload->part_bytes / 3 + 1;
	upload->bytes = xmalloc(upload->len);
	for (size_t i = 0; i < upload->len; i++) upload->bytes[i] = (char)(i ^ i >> 11);
	upload->hash = bench_hash(bench->store, upload->bytes, upload->len);
}

static void upload_release(struct upload *upload) {
	for (int i = 0; i < PARTS; i++) free(upload->parts[i].receipt);
	free(upload->session);
	free(upload->bytes);
}

static void name_it(struct bench *bench, struct store_op *op, enum store_verb verb,
	const struct upload *upload) {
	store_op_init(op, verb, bench_key(bench, "large"));
	op->kind = STORE_FILE;
	op->session = upload->session;
	op->size = (int64_t)upload->len;
	op->part_size = (int64_t)upload->part_bytes;
	op->mtime_ns = BENCH_MTIME_NS;
	op->mode = BENCH_MODE;
	op->hash = upload->hash;
}

static void begin(struct bench *bench, struct upload *upload) {
	struct store_op op;

	name_it(bench, &op, STORE_PART_BEGIN, upload);
	if (!bench->store->begin_wants_hash) op.hash.kind = STORE_HASH_NONE;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_non_null(op.answer_session);
	assert_true(strlen(op.answer_session) <= 4096);
	free(upload->session);
	upload->session = xstrdup(op.answer_session);
	store_op_release(&op);
}

static void put_part_on(
	struct bench *bench, struct store *store, struct upload *upload, int number) {
	struct store_op op;
	size_t from = (size_t)(number - 1) * upload->part_bytes;
	size_t len =
		upload->len - from < upload->part_bytes ? upload->len - from : upload->part_bytes;

	name_it(bench, &op, STORE_PART_PUT, upload);
	op.part_number = number;
	op.offset = (int64_t)from;
	op.length = (int64_t)len;
	op.body = upload->bytes + from;
	op.body_len = len;
	/* Where we alone compare it, it may be left out. */
	op.hash = bench_part_hash(store, upload->bytes + from, len);
	if (op.hash.kind == STORE_HASH_SEAL && number % 2 == 0) op.hash.kind = STORE_HASH_NONE;
	assert_err(bench, bench_run_on(bench, store, &op), ERR_NONE);
	assert_non_null(op.receipt);
	struct store_part *part = &upload->parts[number - 1];
	free(part->receipt);
	*part = (struct store_part){ number, (int64_t)len, xstrdup(op.receipt) };
	store_op_release(&op);
}

static void put_part(struct bench *bench, struct upload *upload, int number) {
	put_part_on(bench, bench->store, upload, number);
}

static bool in_order(const struct bench *bench) {
	return (bench->store->caps & STORE_CAP_PARTS_IN_ORDER) != 0;
}

static enum err_kind end_on(struct bench *bench, struct store *store, struct upload *upload,
	bool if_absent, const char *keep) {
	struct store_op op;

	name_it(bench, &op, STORE_PART_END, upload);
	op.parts = upload->parts;
	op.part_count = PARTS;
	op.if_absent = if_absent;
	op.keep_key = keep ? bench_key(bench, keep) : NULL;
	enum err_kind failed = bench_run_on(bench, store, &op);
	if (!failed) {
		assert_int_equal(op.entry.size, upload->len);
		assert_non_null(op.entry.version);
		assert_true(op.entry.mtime_ns == bench_time(bench, BENCH_MTIME_NS));
	}
	store_op_release(&op);
	return failed;
}

static enum err_kind query(
	struct bench *bench, struct store *store, struct upload *upload, struct store_op *op) {
	name_it(bench, op, STORE_PART_QUERY, upload);
	return bench_run_on(bench, store, op);
}

static void expect_large(struct bench *bench, const struct upload *upload) {
	struct store_entry entry;
	struct store_op op;

	assert_err(bench, bench_stat(bench, "large", STORE_FILE, &entry), ERR_NONE);
	assert_int_equal(entry.size, upload->len);
	assert_true(entry.mtime_ns == bench_time(bench, BENCH_MTIME_NS));
	assert_int_equal(entry.mode, BENCH_MODE);
	/* Of the whole, though it came in parts. */
	assert_int_equal(entry.hash.kind, upload->hash.kind);
	assert_memory_equal(entry.hash.bytes, upload->hash.bytes, sizeof(entry.hash.bytes));
	for (size_t at = 0; at < upload->len; at += STORE_SPAN_MAX) {
		store_op_init(&op, STORE_GET, bench_key(bench, "large"));
		op.offset = (int64_t)at;
		op.length = STORE_SPAN_MAX;
		op.if_version = entry.version;
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		size_t want = upload->len - at < STORE_SPAN_MAX ? upload->len - at : STORE_SPAN_MAX;
		assert_int_equal(op.answer_body.len, want);
		assert_memory_equal(op.answer_body.at, upload->bytes + at, want);
		store_op_release(&op);
	}
	store_entry_release(&entry);
}

static void parts_make_a_whole(void **state) {
	struct bench *bench = *state;
	struct upload upload;
	struct listing listing;

	upload_init(bench, &upload);
	begin(bench, &upload);
	if (!in_order(bench)) put_part(bench, &upload, 3); /* any order, and twice */
	put_part(bench, &upload, 1);
	put_part(bench, &upload, 2);
	if (in_order(bench)) put_part(bench, &upload, 3);
	put_part(bench, &upload, 1);
	bench_expect_absent(bench, "large", STORE_FILE);
	assert_err(bench, bench_list(bench, "", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 0); /* nothing half is ever seen */
	listing_release(&listing);
	for (int again = 0; again < 2; again++) {
		assert_err(bench, end_on(bench, bench->store, &upload, false, NULL), ERR_NONE);
	}
	expect_large(bench, &upload);
	upload_release(&upload);
}

static void another_process_goes_on(void **state) {
	struct bench *bench = *state;
	struct contract *contract = bench->contract;
	struct upload upload;
	struct store_op op;
	struct store *other = contract->open(contract, &bench->err);

	assert_non_null(other);
	upload_init(bench, &upload);
	begin(bench, &upload);
	assert_err(bench, query(bench, bench->store, &upload, &op), ERR_NONE);
	assert_int_equal(op.answer_part_count, 0);
	store_op_release(&op);
	int second = in_order(bench) ? 2 : 3;
	put_part(bench, &upload, 1);
	put_part(bench, &upload, second);
	assert_err(bench, query(bench, other, &upload, &op), ERR_NONE);
	assert_int_equal(op.answer_part_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct store_part *part = &op.answer_parts[i];
		assert_true(part->number == 1 || part->number == second);
		const struct store_part *sent = &upload.parts[part->number - 1];
		assert_int_equal(part->size, sent->size);
		assert_string_equal(part->receipt, sent->receipt);
	}
	store_op_release(&op);
	put_part_on(bench, other, &upload, in_order(bench) ? 3 : 2);
	assert_err(bench, end_on(bench, other, &upload, true, NULL), ERR_NONE);
	expect_large(bench, &upload);
	upload_release(&upload);
	contract->close(contract, other);
}

static void given_up(void **state) {
	struct bench *bench = *state;
	struct upload upload;
	struct store_op op;

	upload_init(bench, &upload);
	begin(bench, &upload);
	put_part(bench, &upload, 1);
	for (int again = 0; again < 2; again++) {
		name_it(bench, &op, STORE_PART_ABORT, &upload);
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
	}
	assert_err(bench, query(bench, bench->store, &upload, &op), ERR_NOT_FOUND);
	store_op_release(&op);
	bench_expect_absent(bench, "large", STORE_FILE);
	upload_release(&upload);
}

static void an_end_keeps_its_conditions(void **state) {
	struct bench *bench = *state;
	struct upload upload;

	upload_init(bench, &upload);
	bench_put(bench, "large", "was there");
	begin(bench, &upload);
	for (int number = 1; number <= PARTS; number++) put_part(bench, &upload, number);
	assert_err(bench, end_on(bench, bench->store, &upload, true, NULL), ERR_CHANGED);
	bench_expect(bench, "large", "was there");
	for (int again = 0; again < 2; again++) {
		assert_err(
			bench, end_on(bench, bench->store, &upload, false, "kept/here"), ERR_NONE);
		bench_expect(bench, "kept/here", "was there");
	}
	expect_large(bench, &upload);
	upload_release(&upload);
}

static void a_part_with_a_wrong_hash_is_none(void **state) {
	struct bench *bench = *state;
	struct upload upload;
	struct store_op op;

	upload_init(bench, &upload);
	begin(bench, &upload);
	const struct store_hash wrong[] = { bench_hash(bench->store, "what was hashed", 15),
		bench_part_hash(bench->store, "what was hashed", 15) };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		name_it(bench, &op, STORE_PART_PUT, &upload);
		op.part_number = 1;
		op.length = (int64_t)upload.part_bytes;
		op.body = upload.bytes;
		op.body_len = upload.part_bytes;
		op.hash = wrong[i];
		assert_err(bench, bench_run(bench, &op), ERR_CHANGED);
		store_op_release(&op);
	}
	name_it(bench, &op, STORE_PART_ABORT, &upload);
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	upload_release(&upload);
}

static void a_large_file_is_copied_and_set_as_a_small_one(void **state) {
	struct bench *bench = *state;
	struct upload upload;
	struct store_op op;
	struct store_entry entry;

	upload_init(bench, &upload);
	begin(bench, &upload);
	for (int number = 1; number <= PARTS; number++) put_part(bench, &upload, number);
	assert_err(bench, end_on(bench, bench->store, &upload, false, NULL), ERR_NONE);

	store_op_init(&op, STORE_SET, bench_key(bench, "large"));
	op.mtime_ns = BENCH_MTIME_NS;
	op.mode = 0400;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	op.mode = BENCH_MODE;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_err(bench, bench_stat(bench, "large", STORE_FILE, &entry), ERR_NONE);
	assert_string_equal(entry.version, op.entry.version);
	store_entry_release(&entry);
	store_op_release(&op);
	expect_large(bench, &upload); /* its hash of the whole too */

	store_op_init(&op, STORE_COPY, bench_key(bench, "large"));
	op.to_key = bench_key(bench, "copy");
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	assert_int_equal(op.entry.size, upload.len);
	store_op_release(&op);
	assert_err(bench, bench_remove(bench, "large", STORE_FILE), ERR_NONE);
	store_op_init(&op, STORE_MOVE, bench_key(bench, "copy"));
	op.to_key = bench_key(bench, "large");
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	expect_large(bench, &upload);
	upload_release(&upload);
}

static enum err_kind copy_part(struct bench *bench, struct upload *upload, int number,
	const char *from, const char *version) {
	struct store_op op;
	size_t at = (size_t)(number - 1) * upload->part_bytes;

	name_it(bench, &op, STORE_PART_COPY, upload);
	op.key = bench_key(bench, from);
	op.part_number = number;
	op.offset = (int64_t)at;
	op.length = (int64_t)upload->part_bytes;
	op.if_version = version;
	op.hash.kind = STORE_HASH_MD5;
	digest_of(DIGEST_MD5, upload->bytes + at, upload->part_bytes, op.hash.bytes);
	enum err_kind failed = bench_run(bench, &op);
	struct store_part *part = &upload->parts[number - 1];
	if (!failed) {
		assert_non_null(op.receipt);
		free(part->receipt);
		*part = (struct store_part){ number, op.length, xstrdup(op.receipt) };
	}
	store_op_release(&op);
	return failed;
}

static void parts_are_taken_from_what_stands_there(void **state) {
	struct bench *bench = *state;
	struct upload upload;
	struct store_entry before;

	if (!bench->store->part_copy_size) return;
	upload_init(bench, &upload);
	begin(bench, &upload);
	for (int number = 1; number <= PARTS; number++) put_part(bench, &upload, number);
	assert_err(bench, end_on(bench, bench->store, &upload, false, NULL), ERR_NONE);
	assert_err(bench, bench_stat(bench, "large", STORE_FILE, &before), ERR_NONE);

	/* Another beginning: of the three parts only the second stands there. */
	upload.bytes[7] ^= 1;
	upload.bytes[upload.len - 1] ^= 1;
	upload.hash = bench_hash(bench->store, upload.bytes, upload.len);
	begin(bench, &upload);
	put_part(bench, &upload, 3);
	assert_err(bench, copy_part(bench, &upload, 1, "large", before.version), ERR_CHANGED);
	assert_err(bench, copy_part(bench, &upload, 2, "nothing", NULL), ERR_NOT_FOUND);
	for (int again = 0; again < 2; again++)
		assert_err(bench, copy_part(bench, &upload, 2, "large", before.version), ERR_NONE);
	put_part(bench, &upload, 1);
	assert_err(bench, end_on(bench, bench->store, &upload, false, NULL), ERR_NONE);
	expect_large(bench, &upload);
	store_entry_release(&before);
	upload_release(&upload);
}

const struct CMUnitTest contract_part_tests[] = {
	BENCH_TEST(parts_make_a_whole),
	BENCH_TEST(another_process_goes_on),
	BENCH_TEST(given_up),
	BENCH_TEST(parts_are_taken_from_what_stands_there),
	BENCH_TEST(an_end_keeps_its_conditions),
	BENCH_TEST(a_part_with_a_wrong_hash_is_none),
	BENCH_TEST(a_large_file_is_copied_and_set_as_a_small_one),
};
const size_t contract_part_count = ARRAY_LEN(contract_part_tests);
