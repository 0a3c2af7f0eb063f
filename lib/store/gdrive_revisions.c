#include <stdlib.h>

#include "store/gdrive.h"

/*
 * REVISIONS: what Drive itself still has of one file: for 30 days, or until there are 100 newer ones. Its list goes from the oldest on;
 * what is told goes the other way, so that all pages are gathered first. Whether a revision's time is that of its bytes, as we gave
 * it, or of their coming, is said nowhere: each is told to begin no earlier than the one before it.
 */

enum { PAGE_MAX = 1000 };

static const char *text_of(const json_t *json, const char *name) {
	return json_string_value(json_object_get(json, name));
}

static void add(struct gdrive_op *x, const json_t *one, int64_t *since_ns) {
	const char *id = text_of(one, "id"), *size = text_of(one, "size"),
		   *md5 = text_of(one, "md5Checksum");
	const char *modified = text_of(one, "modifiedTime");
	struct store_entry entry = { .name = xstrdup(""),
		.kind = x->at.file.entry.kind,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN };
	int64_t time_ns;

	if (!id || !size ||
		str_to_int(size, 0, INT64_MAX, &entry.size)) { /* of a document: no bytes */
		store_entry_release(&entry);
		return;
	}
	if (modified && !time_parse(modified, &time_ns) && time_ns > *since_ns) *since_ns = time_ns;
	if (md5 && hex_decode(md5, entry.hash.bytes, 16) == 16) entry.hash.kind = STORE_HASH_MD5;
	entry.since_ns = *since_ns;
	entry.revision = xstrdup(id);
	entry.version = xstrdup(id);
	store_entry_add(x->op, entry);
}

static void reverse(struct store_op *op) {
	for (size_t i = 0, j = op->entry_count; i + 1 < j; i++) {
		struct store_entry entry = op->entries[i];
		op->entries[i] = op->entries[--j];
		op->entries[j] = entry;
	}
}

static void page_ask(struct gdrive_op *x, const char *token);

static void page_came(struct gdrive_op *x) {
	const json_t *revisions = json_object_get(x->answer, "revisions"), *one;
	const char *token = text_of(x->answer, "nextPageToken");
	struct store_op *op = x->op;
	int64_t since_ns = op->entry_count ? op->entries[op->entry_count - 1].since_ns : 0;
	size_t i;

	if (x->err.kind == ERR_NONE && !json_is_array(revisions))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without revisions");
	if (x->err.kind != ERR_NONE) {
		store_op_clear_answer(op); /* half of them are none */
		gdrive_fail(x);
		return;
	}
	json_array_foreach(revisions, i, one) add(x, one, &since_ns);
	if (token) {
		page_ask(x, token);
		return;
	}
	reverse(op);
	op->complete = true;
	gdrive_finish(x, NULL);
}

static void page_ask(struct gdrive_op *x, const char *token) {
	char *encoded = token ? str_percent_encode(token, "") : NULL;
	char *query = xasprintf(
		"pageSize=%d%s%s&fields=nextPageToken,revisions(id,modifiedTime,size,md5Checksum)",
		PAGE_MAX, encoded ? "&pageToken=" : "", encoded ? encoded : "");

	x->step = page_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_revision_url(x, x->at.file.entry.id, NULL, query) });
	free(query);
	free(encoded);
}

static void found(struct gdrive_op *x) {
	if (x->at.there && x->at.file.entry.kind != STORE_FOLDER) {
		page_ask(x, NULL);
		return;
	}
	x->op->complete = true;
	gdrive_finish(x, NULL);
}

void gdrive_revisions(struct gdrive_op *x) {
	if (x->op->kind == STORE_FOLDER) {
		gdrive_trash(x);
		return;
	}
	gdrive_place_set(x, &x->at, x->op->key, STORE_FILE);
	gdrive_find(x, &x->at, x->op->id, found);
}
