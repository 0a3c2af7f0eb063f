/* A large upload whose server has enough of us, or no room, or takes our credentials no more, at any of its requests: the whole
 * is not there before its end, and it goes on with the step that failed. */
#include "support/contract.h"

#include <stdio.h>

enum { PARTS = 3 };

/* One of the words, as they are told. */
static bool is_said(const char *text, const char *says) {
	char *copy = xstrdup(says);
	bool found = !*says;

	for (char *at = copy, *next; at && !found; at = next) {
		next = strstr(at, ", or ");
		if (next) {
			*next = '\0';
			next += strlen(", or ");
		}
		found = strstr(text, at) != NULL;
	}
	free(copy);
	return found;
}

void bench_expect_verdict(const struct bench *bench, const char *what, int passes,
	const struct contract_verdict *verdict) {
	const struct err *err = &bench->err;

	if (err->kind != verdict->kind || err->retry_ms != verdict->retry_ms)
		fail_msg("%s, after %d: %s (%u ms) instead of %s (%u ms): %s", what, passes,
			err_kind_name(err->kind), err->retry_ms, err_kind_name(verdict->kind),
			verdict->retry_ms, err->text);
	if (!is_said(err->text, verdict->says))
		fail_msg("%s, after %d: not '%s': %s", what, passes, verdict->says, err->text);
}

struct store *bench_open_troubled(struct bench *bench) {
	struct store *store = bench->contract->open_troubled(bench->contract, &bench->err);

	if (!store) fail_msg("%s", bench->err.text);
	return store;
}

struct upload {
	struct bench *bench;
	char name[32];
	char *bytes, *session;
	size_t len, part_bytes;
	struct store_part parts[PARTS];
};

/* 0: its beginning; PARTS + 1: its end; else a part. */
static enum err_kind upload_step(struct upload *upload, struct store *store, int step) {
	struct bench *bench = upload->bench;
	struct store_op op;
	size_t from = step > 0 ? (size_t)(step - 1) * upload->part_bytes : 0;

	store_op_init(&op,
		step == 0       ? STORE_PART_BEGIN
		: step <= PARTS ? STORE_PART_PUT
				: STORE_PART_END,
		bench_key(bench, upload->name));
	op.session = upload->session;
	op.size = (int64_t)upload->len;
	op.part_size = (int64_t)upload->part_bytes;
	op.mtime_ns = BENCH_MTIME_NS;
	op.mode = BENCH_MODE;
	op.hash = bench_hash(store, upload->bytes, upload->len);
	if (step == 0 && !store->begin_wants_hash) op.hash.kind = STORE_HASH_NONE;
	if (step > 0 && step <= PARTS) {
		size_t left = upload->len - from;
		op.part_number = step;
		op.offset = (int64_t)from;
		op.body = upload->bytes + from;
		op.body_len = left < upload->part_bytes ? left : upload->part_bytes;
		op.length = (int64_t)op.body_len;
		op.hash = bench_part_hash(store, op.body, op.body_len);
	}
	op.parts = upload->parts;
	op.part_count = step > PARTS ? PARTS : 0;
	enum err_kind kind = bench_run_on(bench, store, &op);
	if (!kind && step == 0) upload->session = xstrdup(op.answer_session);
	if (!kind && step > 0 && step <= PARTS)
		upload->parts[step - 1] =
			(struct store_part){ step, op.length, xstrdup(op.receipt) };
	store_op_release(&op);
	return kind;
}

/* Its end may have failed when the name stood there already, and not yet its times. */
static void expect_none_or_whole(const struct upload *upload, int step) {
	struct store_hash hash = bench_hash(upload->bench->store, upload->bytes, upload->len);
	struct store_entry entry;
	enum err_kind kind = bench_stat(upload->bench, upload->name, STORE_FILE, &entry);

	if (kind == ERR_NONE && step > PARTS) {
		assert_int_equal(entry.size, upload->len);
		assert_int_equal(entry.hash.kind, hash.kind);
		assert_memory_equal(entry.hash.bytes, hash.bytes, sizeof(hash.bytes));
	} else {
		assert_int_equal(kind, ERR_NOT_FOUND);
	}
	store_entry_release(&entry);
}

/* False: the trouble came too late for it. */
static bool tell_upload(
	struct bench *bench, struct store *store, enum contract_trouble trouble, int passes) {
	struct contract *contract = bench->contract;
	struct upload upload = { .bench = bench, .part_bytes = (size_t)contract->part_bytes };
	struct store_entry entry;
	bool troubled = false;

	snprintf(upload.name, sizeof(upload.name), "large-%d-%d", trouble, passes);
	upload.len = (PARTS - 1) * upload.part_bytes + 7;
	upload.bytes = xmalloc(upload.len);
	for (size_t i = 0; i < upload.len; i++) upload.bytes[i] = (char)(i ^ i >> 13);
	const struct contract_verdict *verdict = contract->trouble(contract, trouble, passes);
	for (int step = 0; step <= PARTS + 1; step++) {
		enum err_kind kind = upload_step(&upload, store, step);
		troubled |= contract->troubled > 0;
		if (!kind) continue;
		bench_expect_verdict(bench, upload.name, passes, verdict);
		expect_none_or_whole(&upload, step);
		/* It goes on where it was. */
		contract->trouble(contract, TROUBLE_NONE, 0);
		store_renew(store);
		assert_err(bench, upload_step(&upload, store, step), ERR_NONE);
	}
	contract->trouble(contract, TROUBLE_NONE, 0);
	assert_err(bench, bench_stat(bench, upload.name, STORE_FILE, &entry), ERR_NONE);
	bench_expect_entry(bench, &entry, upload.bytes, upload.len);
	store_entry_release(&entry);
	assert_err(bench, bench_remove(bench, upload.name, STORE_FILE), ERR_NONE);
	for (int i = 0; i < PARTS; i++) free(upload.parts[i].receipt);
	free(upload.session);
	free(upload.bytes);
	return troubled;
}

static void in_mid_transfer(void **state) {
	static const enum contract_trouble troubles[] = {
		TROUBLE_HICCUP,
		TROUBLE_FULL,
		TROUBLE_FULL_BARE,
		TROUBLE_EXPIRED,
		TROUBLE_DENIED,
	};
	struct bench *bench = *state;
	struct contract *contract = bench->contract;
	struct store *store = bench_open_troubled(bench);

	for (size_t i = 0; i < ARRAY_LEN(troubles) && !contract->no_parts; i++) {
		if (!contract->trouble(contract, troubles[i], 0)) continue;
		contract->trouble(contract, TROUBLE_NONE, 0);
		int passes = 0;
		while (tell_upload(bench, store, troubles[i], passes)) passes++;
		assert_true(passes > 0);
	}
	contract->close(contract, store);
}

const struct CMUnitTest contract_halfway_tests[] = {
	BENCH_TEST(in_mid_transfer),
};
const size_t contract_halfway_count = ARRAY_LEN(contract_halfway_tests);
