#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/*
 * Large files in blocks of their own blob, which nobody sees before the list of them is put. The
 * service drops what was not put after a week. A blob .tend/uploads/ID says that the upload goes on:
 * blocks alone cannot be given up, and before the first there are none.
 *
 * The session is "ID KEY"; a block is called "ID-NUMBER", all of one length.
 */

enum { ID_LEN = 16, LIST_MAX = 16 << 20 };

int azure_open_session(struct azure_op *x) {
	const char *session = x->flow.op->session;
	const char *space = session ? strchr(session, ' ') : NULL;

	if (!space || space - session != ID_LEN || strspn(session, "0123456789abcdef") != ID_LEN)
		return err_set(&x->flow.err, ERR_INVALID, "no session of this store");
	free(x->session_id);
	x->session_id = xstrndup(session, ID_LEN);
	free(x->object);
	x->object = azure_object(x->azure, space + 1, STORE_FILE);
	free(x->to_object);
	x->to_object = xasprintf("%s.tend/uploads/%s", x->azure->prefix, x->session_id);
	return 0;
}

/* The name of a block, as it is sent. The caller's. */
static char *block_id(const struct azure_op *x, int number) {
	char text[ID_LEN + 8];

	int len = snprintf(text, sizeof(text), "%s-%05d", x->session_id, number);
	return base64_encode(text, (size_t)len);
}

/* ---- PART_BEGIN ---- */

static void began(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NONE)
		x->flow.op->answer_session = xasprintf("%s %s", x->session_id, x->flow.op->key);
	flow_end(&x->flow);
}

void azure_part_begin(struct azure_op *x) {
	uint8_t bits[ID_LEN / 2];
	char id[ID_LEN + 1];

	loop_random(x->azure->store.loop, bits, sizeof(bits));
	hex_encode(bits, sizeof(bits), id);
	x->session_id = xstrdup(id);
	x->to_object = xasprintf("%s.tend/uploads/%s", x->azure->prefix, id);
	rest_header(&x->rest, "x-ms-blob-type: BlockBlob");
	azure_send(x, &(struct azure_call){ .method = "PUT", .object = x->to_object, .body = "" },
		began);
}

/* ---- PART_PUT ---- */

static void part_ended(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NONE)
		x->flow.op->receipt = block_id(x, x->flow.op->part_number);
	flow_end(&x->flow);
}

void azure_part_put(struct azure_op *x) {
	const struct store_op *op = x->flow.op;

	if (azure_open_session(x)) {
		flow_refuse_start(&x->flow);
		return;
	}
	char *id = block_id(x, op->part_number);
	azure_query(&x->text, "blockid", id);
	azure_query(&x->text, "comp", "block");
	free(id);
	azure_send(x,
		&(struct azure_call){ .method = "PUT",
			.object = x->object,
			.query = x->text.at,
			.body = op->body ? op->body : "",
			.body_len = op->body_len,
			.md5 = &op->hash },
		part_ended);
}

/* ---- PART_QUERY ---- */

struct block {
	struct azure_op *x;
	int number;
	int64_t size;
	char *id;
};

static int number_of(const struct azure_op *x, const char *id) {
	char text[64];
	long len = base64_decode(id, text, sizeof(text) - 1);

	if (len != ID_LEN + 6) return 0;
	text[len] = '\0';
	if (strncmp(text, x->session_id, ID_LEN) != 0 || text[ID_LEN] != '-') return 0;
	return (int)strtol(text + ID_LEN + 1, NULL, 10);
}

static void block_came(void *user, const char *path, const char *text) {
	struct block *block = user;

	if (str_ends(path, "/UncommittedBlocks/Block/Name")) {
		free(block->id);
		block->id = xstrdup(text);
		block->number = number_of(block->x, text);
	} else if (str_ends(path, "/UncommittedBlocks/Block/Size")) {
		if (str_to_int(text, 0, INT64_MAX, &block->size)) block->size = -1;
	} else if (str_ends(path, "/UncommittedBlocks/Block")) {
		if (block->number > 0)
			store_part_add(block->x->flow.op, block->number, block->size, block->id);
	}
}

static void blocks_listed(struct azure_op *x) {
	struct block block = { .x = x };

	if (x->flow.err.kind == ERR_NONE) azure_read(x, "BlockList", block_came, &block);
	free(block.id);
	/* The upload goes on, and no block of it has arrived. */
	if (x->flow.err.kind == ERR_NOT_FOUND) err_clear(&x->flow.err);
	if (x->flow.err.kind == ERR_NONE) {
		flow_finish(&x->flow, NULL);
		return;
	}
	struct err err = x->flow.err;
	store_op_clear_answer(x->flow.op); /* some of the parts are not the parts */
	flow_finish(&x->flow, &err);
}

static void session_looked(struct azure_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	azure_query(&x->text, "blocklisttype", "uncommitted");
	azure_query(&x->text, "comp", "blocklist");
	azure_send(x,
		&(struct azure_call){ .method = "GET",
			.object = x->object,
			.query = x->text.at,
			.answer_max = LIST_MAX },
		blocks_listed);
}

void azure_part_query(struct azure_op *x) {
	if (azure_open_session(x)) {
		flow_refuse_start(&x->flow);
		return;
	}
	azure_send(x, &(struct azure_call){ .method = "HEAD", .object = x->to_object },
		session_looked);
}

/* ---- PART_ABORT ---- */

static void aborted(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NOT_FOUND)
		err_clear(&x->flow.err); /* gone is what was wanted */
	flow_end(&x->flow);
}

void azure_part_abort(struct azure_op *x) {
	if (azure_open_session(x)) {
		flow_refuse_start(&x->flow);
		return;
	}
	azure_send(x, &(struct azure_call){ .method = "DELETE", .object = x->to_object }, aborted);
}

/* ---- PART_END ---- */

static void session_removed(struct azure_op *x) {
	err_clear(&x->flow.err); /* the file is in its place; what is left here is only litter */
	flow_next(&x->flow);
}

static void blocks_put(struct azure_op *x) {
	struct store_op *op = x->flow.op;

	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	op->entry.version = rest_etag(http_header(&x->rest.request, "etag"));
	op->entry.kind = op->kind;
	op->entry.size = op->size;
	op->entry.mtime_ns = op->mtime_ns;
	op->entry.mode = op->mode;
	op->entry.hash = op->hash;
	free(x->to_object);
	x->to_object = xasprintf("%s.tend/uploads/%s", x->azure->prefix, x->session_id);
	azure_send(x, &(struct azure_call){ .method = "DELETE", .object = x->to_object },
		session_removed);
}

void azure_part_end(struct azure_op *x) {
	const struct store_op *op = x->flow.op;

	free(x->object);
	x->object = azure_object(x->azure, op->key, STORE_FILE);
	buf_clear(&x->text);
	buf_adds(&x->text, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (size_t i = 0; i < op->part_count; i++) {
		buf_adds(&x->text, "<Latest>");
		s3_xml_escape(&x->text, op->parts[i].receipt);
		buf_adds(&x->text, "</Latest>");
	}
	buf_adds(&x->text, "</BlockList>");
	azure_time_headers(x, op->kind, op->mtime_ns, op->mode);
	azure_condition_headers(x);
	if (op->hash.kind == STORE_HASH_MD5) {
		char *md5 = base64_encode(op->hash.bytes, 16);
		rest_header(&x->rest, "x-ms-blob-content-md5: %s", md5);
		free(md5);
	}
	rest_header(&x->rest, "x-ms-blob-content-type: application/octet-stream");
	azure_send(x,
		&(struct azure_call){ .method = "PUT",
			.object = x->object,
			.query = "comp=blocklist",
			.body = x->text.at,
			.body_len = x->text.len },
		blocks_put);
}
