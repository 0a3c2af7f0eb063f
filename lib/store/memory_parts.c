#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "store/memory.h"

/* Large uploads: parts wait under their session until PART_END joins them. */

void memory_upload_free(struct memory *memory, const char *session) {
	struct memory_upload *upload = map_take(&memory->uploads, session);

	if (!upload) return;
	memory_tree_release(&upload->parts);
	free(upload->key);
	free(upload);
}

static struct memory_upload *need_upload(
	struct memory *memory, const struct store_op *op, struct err *err) {
	struct memory_upload *upload = map_get(&memory->uploads, op->session);

	if (!upload) err_set(err, ERR_NOT_FOUND, "the upload '%s' is not known", op->session);
	return upload;
}

int memory_part_begin(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_upload *upload = xcalloc(1, sizeof(*upload));

	upload->key = xstrdup(op->key);
	op->answer_session = xasprintf("u%llu", (unsigned long long)++memory->last_upload);
	map_put(&memory->uploads, op->answer_session, upload);
	return 0;
}

static char *receipt_of(const struct memory_item *part) {
	char text[33];

	hex_encode(part->hash.bytes, 16, text);
	return xstrdup(text);
}

static int put_bytes(struct memory *memory, struct store_op *op, struct memory_upload *upload,
	const void *bytes, size_t len, struct err *err) {
	char number[16];

	snprintf(number, sizeof(number), "%05d", op->part_number);
	struct memory_item *part = memory_item_new(memory, number, STORE_FILE, bytes, len);
	if (!memory_fits(&op->hash, bytes, len)) {
		memory_item_free(part);
		return err_set(
			err, ERR_CHANGED, "part %d is not what its hash says", op->part_number);
	}
	struct memory_item *before = memory_find(&upload->parts, number);
	if (before) {
		memory_take(&upload->parts, before);
		memory_item_free(before);
	}
	memory_insert(&upload->parts, part);
	op->receipt = receipt_of(part);
	return 0;
}

int memory_part_put(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_upload *upload = need_upload(memory, op, err);

	return upload ? put_bytes(memory, op, upload, op->body, op->body_len, err) : -1;
}

int memory_part_copy(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_upload *upload = need_upload(memory, op, err);
	const struct memory_item *from = memory_at(memory, op->key, false);

	if (!upload) return -1;
	if (memory->options.no_part_copy)
		return err_set(err, ERR_INVALID, "parts cannot be copied here");
	if (memory_check(op, memory, from, err)) return -1;
	if (!from) return err_set(err, ERR_NOT_FOUND, "'%s' is not there", op->key);
	if (op->offset < 0 || op->length <= 0 || (int64_t)from->len - op->length < op->offset)
		return err_set(err, ERR_INVALID, "'%s' has no such bytes", op->key);
	return put_bytes(memory, op, upload, from->bytes + op->offset, (size_t)op->length, err);
}

int memory_part_query(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_upload *upload = need_upload(memory, op, err);

	if (!upload) return -1;
	for (size_t i = 0; i < upload->parts.count; i++) {
		const struct memory_item *part = upload->parts.items[i];
		char *receipt = receipt_of(part);
		store_part_add(op, (int)strtol(part->key, NULL, 10), (int64_t)part->len, receipt);
		free(receipt);
	}
	return 0;
}

/* Puts the parts that `op` names one behind the other. */
static int join(const struct memory_upload *upload, const struct store_op *op, struct buf *all,
	struct err *err) {
	for (size_t i = 0; i < op->part_count; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%05d", op->parts[i].number);
		const struct memory_item *part = memory_find(&upload->parts, number);
		char *receipt = part ? receipt_of(part) : NULL;
		bool same = receipt && str_equal(receipt, op->parts[i].receipt);
		free(receipt);
		if (!part || !same) {
			return err_set(
				err, ERR_INVALID, "part %d is not there", op->parts[i].number);
		}
		buf_add(all, part->bytes, part->len);
	}
	return 0;
}

int memory_part_end(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_upload *upload = map_get(&memory->uploads, op->session);
	struct memory_item *item = memory_at(memory, op->key, false);
	struct buf all;

	if (!upload && item) {
		bool ours = item->kind == op->kind && store_hash_equal(&op->hash, &item->hash) &&
			    item->mtime_ns == op->mtime_ns;
		if (ours) { /* ended by the try before */
			op->entry = memory_entry(memory, item);
			op->kept = op->keep_key && memory_find(&memory->tree, op->keep_key);
			return 0;
		}
	}
	if (!need_upload(memory, op, err)) return -1;
	buf_init(&all, SIZE_MAX / 4);
	int failed = join(upload, op, &all, err) || memory_place(memory, op, all.at, all.len, err);
	buf_release(&all);
	if (!failed) memory_upload_free(memory, op->session);
	return failed ? -1 : 0;
}

int memory_part_abort(struct memory *memory, struct store_op *op, struct err *err) {
	memory_upload_free(memory, op->session);
	return 0;
}
