#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

void store_op_init(struct store_op *op, enum store_verb verb, const char *key) {
	*op = (struct store_op){
		.verb = verb,
		.key = key,
		.fd = -1,
		.copied_size = -1,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN,
	};
	op->entry.mtime_ns = STORE_MTIME_UNKNOWN;
	op->entry.mode = STORE_MODE_UNKNOWN;
	buf_init(&op->answer_body, STORE_SPAN_MAX);
}

void store_entry_release(struct store_entry *entry) {
	free(entry->name);
	free(entry->id);
	free(entry->version);
	free(entry->target);
	free(entry->parent_id);
	free(entry->revision);
	*entry =
		(struct store_entry){ .mtime_ns = STORE_MTIME_UNKNOWN, .mode = STORE_MODE_UNKNOWN };
}

static void clear_lists(struct store_op *op) {
	for (size_t i = 0; i < op->entry_count; i++) store_entry_release(&op->entries[i]);
	free(op->entries);
	op->entries = NULL;
	op->entry_count = 0;
	for (size_t i = 0; i < op->answer_part_count; i++) free(op->answer_parts[i].receipt);
	free(op->answer_parts);
	op->answer_parts = NULL;
	op->answer_part_count = 0;
}

void store_op_clear_answer(struct store_op *op) {
	store_entry_release(&op->entry);
	clear_lists(op);
	free(op->next_token);
	free(op->answer_session);
	free(op->receipt);
	free(op->learned);
	op->next_token = op->answer_session = op->receipt = op->learned = NULL;
	op->complete = op->kept = op->existed = false;
	op->about = (struct store_about){ 0 };
	if (op->answer_body.at) buf_clear(&op->answer_body);
}

void store_op_release(struct store_op *op) {
	store_op_clear_answer(op);
	if (op->answer_body.at) buf_release(&op->answer_body);
}

struct store_entry store_op_take_entry(struct store_op *op) {
	struct store_entry entry = op->entry;

	op->entry =
		(struct store_entry){ .mtime_ns = STORE_MTIME_UNKNOWN, .mode = STORE_MODE_UNKNOWN };
	return entry;
}

void store_entry_add(struct store_op *op, struct store_entry entry) {
	/* Doubles at the powers of two. */
	if ((op->entry_count & (op->entry_count - 1)) == 0) {
		size_t room = op->entry_count ? 2 * op->entry_count : 1;
		op->entries = xrealloc(op->entries, room * sizeof(*op->entries));
	}
	op->entries[op->entry_count++] = entry;
}

void store_part_add(struct store_op *op, int number, int64_t size, const char *receipt) {
	size_t count = op->answer_part_count;

	if ((count & (count - 1)) == 0) {
		op->answer_parts = xrealloc(
			op->answer_parts, (count ? 2 * count : 1) * sizeof(*op->answer_parts));
	}
	op->answer_parts[op->answer_part_count++] =
		(struct store_part){ .number = number, .size = size, .receipt = xstrdup(receipt) };
}

bool store_hash_equal(const struct store_hash *left, const struct store_hash *right) {
	if (left->kind == STORE_HASH_NONE || left->kind != right->kind) return false;
	if (left->kind == STORE_HASH_MD5_PARTS && left->parts != right->parts) return false;
	return memcmp(left->bytes, right->bytes, left->kind == STORE_HASH_SHA256 ? 32 : 16) == 0;
}

bool store_hash_digest(const struct store_hash *hash, enum digest_kind *digest) {
	static const enum digest_kind digests[] = { [STORE_HASH_MD5] = DIGEST_MD5,
		[STORE_HASH_SHA256] = DIGEST_SHA256,
		[STORE_HASH_SEAL] = DIGEST_SEAL };

	if (hash->kind == STORE_HASH_NONE || hash->kind == STORE_HASH_MD5_PARTS) return false;
	*digest = digests[hash->kind];
	return true;
}

static int hash_kind(const struct store *store) {
	return store->digest == DIGEST_SHA256 ? STORE_HASH_SHA256 : STORE_HASH_MD5;
}

struct store_hash store_hash_from(const struct store *store, const uint8_t *bytes) {
	struct store_hash hash = { 0 };

	hash.kind = hash_kind(store);
	memcpy(hash.bytes, bytes, digest_len(store->digest));
	return hash;
}

bool store_hash_tells(const struct store *store, const struct store_hash *hash) {
	return (int)hash->kind == hash_kind(store);
}

bool store_is_ours(const struct store_op *op, const struct store_entry *entry) {
	if (entry->kind != op->kind || !store_hash_equal(&op->hash, &entry->hash)) return false;
	return entry->mtime_ns == STORE_MTIME_UNKNOWN || op->mtime_ns == STORE_MTIME_UNKNOWN ||
	       entry->mtime_ns == op->mtime_ns;
}

bool store_set_entry(const struct store_op *op, struct store_entry *entry) {
	bool same = true;

	if (op->mtime_ns != STORE_MTIME_UNKNOWN) {
		same &= entry->mtime_ns == op->mtime_ns;
		entry->mtime_ns = op->mtime_ns;
	}
	if (op->mode != STORE_MODE_UNKNOWN && entry->kind != STORE_LINK) {
		same &= entry->mode == op->mode;
		entry->mode = op->mode;
	}
	return same;
}

static int64_t cut(int64_t ns, int64_t grain_ns) {
	if (ns == STORE_MTIME_UNKNOWN || grain_ns <= 1) return ns;
	return ns / grain_ns - (ns % grain_ns < 0);
}

bool store_time_same(const struct store *store, int64_t left_ns, int64_t right_ns) {
	return cut(left_ns, store->time_grain_ns) == cut(right_ns, store->time_grain_ns);
}

/* ---- the face ---- */

void store_start(struct store *store, struct store_op *op) {
	assert(op->done && op->verb <= STORE_CHANGES);
	assert(op->verb != STORE_REVISIONS || (store->caps & STORE_CAP_REVISIONS));
	assert(op->verb != STORE_CHANGES || store->changes);
	assert(op->verb != STORE_PART_COPY || (store->part_copy_size > 0 && op->key));
	assert(op->key || op->verb == STORE_SYNC || op->verb == STORE_ABOUT ||
		op->verb == STORE_CHANGES || (op->session && op->verb != STORE_PART_END));
	if (!op->frame) { /* the caller's start, not a wrapper's */
		op->cancelled = false;
		op->owner = store;
	}
	store_op_clear_answer(op);
	store->driver->start(store, op);
}

void store_renew(struct store *store) {
	if (store->driver->renew) store->driver->renew(store);
}

void store_cancel(struct store *store, struct store_op *op) {
	op->cancelled = true;
	store->driver->cancel(store, op);
}

void store_go_on(struct store_op *op) {
	void (*go_on)(struct store_op * op) = op->go_on;

	op->go_on = NULL;
	if (go_on) go_on(op);
}

void store_remember(struct store *store, const char *place, const char *id) {
	if (store->driver->remember) store->driver->remember(store, place, id);
}

int store_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err) {
	return store->driver->refuse ? store->driver->refuse(store, key, kind, err) : 0;
}

bool store_trouble(const struct store *store, struct err *err) {
	return store->driver->trouble && store->driver->trouble(store, err);
}

bool store_ending(const struct store *store, struct err *err) {
	return store->driver->ending && store->driver->ending(store, err);
}

void store_free(struct store *store) {
	if (!store) return;
	char *label = store->label;
	store->driver->free(store);
	free(label);
}

/* ---- frames ---- */

void store_frame_push(struct store_frame *frame, struct store *owner, struct store_op *op,
	void (*done)(struct store_op *op, const struct err *err)) {
	*frame = (struct store_frame){
		.below = op->frame, .owner = owner, .op = op, .done = op->done
	};
	op->frame = frame;
	op->done = done;
}

void store_frame_pop(struct store_frame *frame) {
	assert(frame->op->frame == frame);
	frame->op->frame = frame->below;
	frame->op->done = frame->done;
}

struct store_frame *store_frame_find(const struct store_op *op, const struct store *owner) {
	for (struct store_frame *frame = op->frame; frame; frame = frame->below) {
		if (frame->owner == owner) return frame;
	}
	return NULL;
}

void store_look_like(struct store *store, const struct store *inner) {
	store->loop = inner->loop;
	store->caps = inner->caps;
	store->part_size = inner->part_size;
	store->part_from = inner->part_from;
	store->part_max = inner->part_max;
	store->part_lanes = inner->part_lanes;
	store->makes_per_second = inner->makes_per_second;
	store->ids = inner->ids;
	store->changes = inner->changes;
	store->revisions_each = inner->revisions_each;
	store->deep_versions = inner->deep_versions;
	store->may_fold = inner->may_fold;
	store->part_hash = inner->part_hash;
	store->begin_wants_hash = inner->begin_wants_hash;
	store->digest = inner->digest;
	store->part_copy_size = inner->part_copy_size;
	store->time_grain_ns = inner->time_grain_ns;
	store->label = xstrdup(inner->label);
}

/* ---- an end that was known at once ---- */

struct late {
	struct defer defer;
	struct store_op *op;
	bool failed;
	struct err err;
};

static void late_due(struct defer *defer) {
	struct late late = *container_of(defer, struct late, defer);

	free(container_of(defer, struct late, defer));
	late.op->done(late.op, late.failed ? &late.err : NULL);
}

void store_done_later(struct store *store, struct store_op *op, const struct err *err) {
	struct late *late = xcalloc(1, sizeof(*late));

	late->op = op;
	late->failed = err != NULL;
	if (err) late->err = *err;
	defer_init(&late->defer, late_due);
	defer_start(store->loop, &late->defer);
}

bool store_answer_known(struct store *store, struct store_op *op) {
	bool root = op->key && !*op->key;

	assert(op->fd < 0);
	if (op->verb == STORE_STAT || op->verb == STORE_MKDIR) {
		/* A root whose version tells of all below is asked, and one whose id is to be known. */
		bool tells = store->deep_versions || store->changes;
		if (!root || (op->verb == STORE_STAT && tells)) return false;
		op->entry.kind = STORE_FOLDER;
	} else if (op->verb != STORE_SYNC) {
		return false;
	}
	store_done_later(store, op, NULL);
	return true;
}
