/* The bench that the suite works on, and its run. */
#include "support/contract.h"

#include <stdio.h>

static struct contract *current;

struct wait {
	struct store_op *op;
	bool done;
	int dones;
	bool failed;
	struct err err;
};

static struct wait *waiting; /* one at a time: op has no room for a pointer of ours */

static void op_done(struct store_op *op, const struct err *err) {
	struct wait *wait = waiting;

	assert_ptr_equal(wait->op, op);
	wait->dones++;
	wait->failed = err != NULL;
	if (err) wait->err = *err;
	wait->done = true;
}

enum err_kind bench_run_on(struct bench *bench, struct store *store, struct store_op *op) {
	struct wait wait = { .op = op };

	waiting = &wait;
	op->done = op_done;
	store_start(store, op);
	assert_false(wait.done); /* never inside start */
	loop_run_until(bench->loop, &wait.done);
	waiting = NULL;
	assert_int_equal(wait.dones, 1);
	bench->err = wait.failed ? wait.err : (struct err){ 0 };
	if (wait.failed) assert_int_not_equal(wait.err.kind, ERR_NONE);
	return bench->err.kind;
}

enum err_kind bench_run(struct bench *bench, struct store_op *op) {
	return bench_run_on(bench, bench->store, op);
}

const char *bench_key(struct bench *bench, const char *name) {
	static char *ring[64];
	static unsigned at;

	free(ring[at]);
	ring[at] = path_join(bench->root, name);
	const char *key = ring[at];
	at = (at + 1) % ARRAY_LEN(ring);
	return key;
}

struct store_hash bench_hash(const struct store *store, const void *bytes, size_t len) {
	uint8_t hash[DIGEST_MAX];

	digest_of(store->digest, bytes, len, hash);
	return store_hash_from(store, hash);
}

struct store_hash bench_part_hash(const struct store *store, const void *bytes, size_t len) {
	bool seal = store->part_hash == STORE_HASH_SEAL;
	struct store_hash hash = { .kind = seal ? STORE_HASH_SEAL : STORE_HASH_SHA256 };

	if (!seal && store->part_hash != STORE_HASH_SHA256) return bench_hash(store, bytes, len);
	digest_of(seal ? DIGEST_SEAL : DIGEST_SHA256, bytes, len, hash.bytes);
	return hash;
}

int64_t bench_time(struct bench *bench, int64_t ns) {
	int64_t grain = bench->contract->time_grain_ns;

	return grain ? ns / grain * grain : ns;
}

/* ---- single operations ---- */

void bench_put_init(
	struct bench *bench, struct store_op *op, const char *name, const void *bytes, size_t len) {
	store_op_init(op, STORE_PUT, bench_key(bench, name));
	op->kind = STORE_FILE;
	op->body = bytes;
	op->body_len = len;
	op->size = (int64_t)len;
	op->mtime_ns = BENCH_MTIME_NS;
	op->mode = BENCH_MODE;
	op->hash = bench_hash(bench->store, bytes, len);
}

void bench_put(struct bench *bench, const char *name, const char *text) {
	struct store_op op;

	bench_put_init(bench, &op, name, text, strlen(text));
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
}

char *bench_get(struct bench *bench, const char *name, enum store_kind kind) {
	struct store_op op;

	store_op_init(&op, STORE_GET, bench_key(bench, name));
	op.kind = kind;
	op.length = STORE_SPAN_MAX;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	char *text = buf_steal(&op.answer_body);
	store_op_release(&op);
	return text;
}

void bench_expect(struct bench *bench, const char *name, const char *text) {
	char *got = bench_get(bench, name, STORE_FILE);

	assert_string_equal(got, text);
	free(got);
}

enum err_kind bench_stat(
	struct bench *bench, const char *name, enum store_kind kind, struct store_entry *entry) {
	struct store_op op;

	store_op_init(&op, STORE_STAT, bench_key(bench, name));
	op.kind = kind;
	op.want_hash = true;
	enum err_kind failed = bench_run(bench, &op);
	*entry = store_op_take_entry(&op);
	store_op_release(&op);
	return failed;
}

void bench_expect_absent(struct bench *bench, const char *name, enum store_kind kind) {
	struct store_entry entry;

	assert_int_equal(bench_stat(bench, name, kind, &entry), ERR_NOT_FOUND);
	store_entry_release(&entry);
}

void bench_expect_entry(
	struct bench *bench, const struct store_entry *entry, const void *bytes, size_t len) {
	struct store_hash hash = bench_hash(bench->store, bytes, len);
	bool no_times = bench->contract->no_times;

	assert_int_equal(entry->kind, STORE_FILE);
	assert_int_equal(entry->size, len);
	/* What is not kept is not said to be. */
	assert_true(entry->mtime_ns ==
		    (no_times ? STORE_MTIME_UNKNOWN : bench_time(bench, BENCH_MTIME_NS)));
	assert_int_equal(entry->mode, no_times ? STORE_MODE_UNKNOWN : BENCH_MODE);
	assert_non_null(entry->version);
	assert_int_equal(entry->hash.kind, hash.kind);
	assert_memory_equal(entry->hash.bytes, hash.bytes, sizeof(hash.bytes));
}

char *bench_version(struct bench *bench, const char *name) {
	struct store_entry entry;

	assert_err(bench, bench_stat(bench, name, STORE_FILE, &entry), ERR_NONE);
	assert_non_null(entry.version);
	char *version = xstrdup(entry.version);
	store_entry_release(&entry);
	return version;
}

void bench_mkdir(struct bench *bench, const char *name) {
	struct store_op op;

	store_op_init(&op, STORE_MKDIR, bench_key(bench, name));
	op.kind = STORE_FOLDER;
	op.mode = 0755;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
}

enum err_kind bench_remove(struct bench *bench, const char *name, enum store_kind kind) {
	struct store_op op;

	store_op_init(&op, STORE_REMOVE, bench_key(bench, name));
	op.kind = kind;
	enum err_kind failed = bench_run(bench, &op);
	store_op_release(&op);
	return failed;
}

/* ---- listings ---- */

void listing_take(struct listing *listing, struct store_op *op) {
	listing->entries = xrealloc(listing->entries,
		(listing->count + op->entry_count + 1) * sizeof(struct store_entry));
	for (size_t i = 0; i < op->entry_count; i++) {
		listing->entries[listing->count++] = op->entries[i];
		op->entries[i] = (struct store_entry){ 0 };
	}
}

enum err_kind bench_list(
	struct bench *bench, const char *name, bool recursive, int limit, struct listing *listing) {
	char *token = NULL;
	enum err_kind failed;
	bool complete = false;

	*listing = (struct listing){ 0 };
	do {
		struct store_op op;
		store_op_init(&op, STORE_LIST, bench_key(bench, name));
		op.kind = STORE_FOLDER;
		op.recursive = recursive;
		op.limit = limit;
		op.page_token = token;
		failed = bench_run(bench, &op);
		if (!failed) {
			listing->pages++;
			if (limit) assert_true(op.entry_count <= (size_t)limit);
			assert_int_equal(op.complete, op.next_token == NULL);
			listing_take(listing, &op);
		} else {
			assert_false(op.complete); /* an error is never a complete listing */
		}
		complete = op.complete;
		free(token);
		token = xstrdup(op.next_token);
		store_op_release(&op);
	} while (!failed && !complete);
	free(token);
	return failed;
}

const struct store_entry *listing_find(const struct listing *listing, const char *name) {
	const struct store_entry *found = NULL;

	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->entries[i].name, name) != 0) continue;
		if (found) fail_msg("'%s' is listed twice", name);
		found = &listing->entries[i];
	}
	return found;
}

void listing_release(struct listing *listing) {
	for (size_t i = 0; i < listing->count; i++) store_entry_release(&listing->entries[i]);
	free(listing->entries);
	*listing = (struct listing){ 0 };
}

/* ---- a test's folder ---- */

int bench_open(void **state) {
	struct bench *bench = xcalloc(1, sizeof(*bench));
	uint64_t bits;

	bench->contract = current;
	bench->loop = current->loop;
	bench->store = current->open(current, &bench->err);
	if (!bench->store) fail_msg("%s", bench->err.text);
	loop_random(bench->loop, &bits, sizeof(bits));
	bench->root = xasprintf("contract-%016llx", (unsigned long long)bits);
	*state = bench;
	bench_mkdir(bench, "");
	return 0;
}

static void remove_tree(struct bench *bench, const char *name) {
	struct listing listing;

	if (bench_list(bench, name, false, 0, &listing) == ERR_NONE) {
		for (size_t i = 0; i < listing.count; i++) {
			char *child = path_join(name, listing.entries[i].name);
			if (listing.entries[i].kind == STORE_FOLDER) {
				remove_tree(bench, child);
			} else {
				bench_remove(bench, child, listing.entries[i].kind);
			}
			free(child);
		}
	}
	listing_release(&listing);
	assert_err(bench, bench_remove(bench, name, STORE_FOLDER), ERR_NONE);
}

int bench_close(void **state) {
	struct bench *bench = *state;

	remove_tree(bench, "");
	current->close(current, bench->store);
	free(bench->root);
	free(bench);
	return 0;
}

static bool has_troubles(struct contract *contract) {
	return contract->trouble && contract->trouble(contract, TROUBLE_NONE, 0);
}

int contract_run(struct contract *contract) {
	static const struct {
		const char *name;
		const struct CMUnitTest *tests;
		const size_t *count;
	} groups[] = {
		{ "files", contract_file_tests, &contract_file_count },
		{ "copies", contract_copy_tests, &contract_copy_count },
		{ "lists", contract_list_tests, &contract_list_count },
		{ "long keys", contract_long_tests, &contract_long_count },
		{ "kept versions", contract_keep_tests, &contract_keep_count },
		{ "parts", contract_part_tests, &contract_part_count },
		{ "faults", contract_fault_tests, &contract_fault_count },
		{ "troubles", contract_trouble_tests, &contract_trouble_count },
		{ "uploads in trouble", contract_halfway_tests, &contract_halfway_count },
		{ "room", contract_room_tests, &contract_room_count },
		{ "changes", contract_change_tests, &contract_change_count },
		{ "versions of folders", contract_deep_tests, &contract_deep_count },
	};
	int failed = 0;

	current = contract;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (contract->no_lists && groups[i].tests == contract_list_tests) continue;
		if (contract->no_lists && groups[i].tests == contract_long_tests) continue;
		if (contract->no_parts && groups[i].tests == contract_part_tests) continue;
		if (contract->small != (groups[i].tests == contract_room_tests)) continue;
		bool troubles = has_troubles(contract) && !contract->no_lists;
		bool meets = groups[i].tests == contract_trouble_tests ||
			     groups[i].tests == contract_halfway_tests;
		if (meets && !troubles) continue;
		if (!contract->changes && groups[i].tests == contract_change_tests) continue;
		if (!contract->deep_versions && groups[i].tests == contract_deep_tests) continue;
		char *name = xasprintf("%s: %s", contract->name, groups[i].name);
		failed += _cmocka_run_group_tests(
			name, groups[i].tests, *groups[i].count, NULL, NULL);
		free(name);
	}
	bench_key(&(struct bench){ .root = "" }, "");
	return failed;
}
