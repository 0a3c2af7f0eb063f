#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/* The acts that change a blob. */

enum { COPY_LOOK_MS = 500 };

/* ---- PUT ---- */

static void put_answered(struct azure_op *x) {
	struct store_op *op = x->flow.op;
	struct store_entry *entry = &op->entry;

	if (x->flow.err.kind == ERR_NONE) {
		entry->version = rest_etag(http_header(&x->rest.request, "etag"));
		entry->kind = op->kind;
		entry->size = (int64_t)op->body_len;
		entry->mtime_ns = op->mtime_ns;
		entry->mode = op->kind == STORE_LINK ? STORE_MODE_UNKNOWN : op->mode;
		entry->hash = op->hash;
		const char *md5 = http_header(&x->rest.request, "content-md5");
		if (entry->hash.kind == STORE_HASH_NONE && md5 &&
			base64_decode(md5, entry->hash.bytes, sizeof(entry->hash.bytes)) == 16)
			entry->hash.kind = STORE_HASH_MD5;
		if (!entry->version)
			err_set(&x->flow.err, ERR_CORRUPT, "'%s' took a blob without an ETag",
				x->azure->endpoint);
	} else if (str_equal(x->code, "Md5Mismatch")) {
		flow_fail(&x->flow); /* nothing of the server's has changed */
		return;
	}
	flow_next(&x->flow);
}

void azure_commit(struct flow *flow) {
	struct azure_op *x = azure_op_of(flow);
	const struct store_op *op = flow->op;

	if (op->verb == STORE_PART_END) {
		azure_part_end(x);
		return;
	}
	free(x->object);
	x->object = azure_object(x->azure, op->key, op->kind);
	rest_header(&x->rest, "x-ms-blob-type: BlockBlob");
	azure_time_headers(x, op->kind, op->mtime_ns, op->mode);
	azure_condition_headers(x);
	azure_send(x,
		&(struct azure_call){ .method = "PUT",
			.object = x->object,
			.body = op->body ? op->body : "",
			.body_len = op->body_len,
			.md5 = &op->hash },
		put_answered);
}

/* ---- COPY: the service does it, perhaps after it has answered ---- */

static void copied_looked(struct azure_op *x);

static void copied_look(struct azure_op *x) {
	azure_send(
		x, &(struct azure_call){ .method = "HEAD", .object = x->to_object }, copied_looked);
}

void azure_copy_timer_due(struct timer *timer) {
	struct azure_op *x = container_of(timer, struct azure_op, timer);

	x->waiting = false;
	if (x->flow.op->cancelled) {
		err_set(&x->flow.err, ERR_CANCELLED, "cancelled");
		flow_next(&x->flow);
	} else {
		copied_look(x);
	}
}

static void source_removed(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NOT_FOUND) err_clear(&x->flow.err);
	flow_next(&x->flow);
}

static void copied_looked(struct azure_op *x) {
	struct flow *flow = &x->flow;
	const char *status = http_header(&x->rest.request, "x-ms-copy-status");

	if (flow->err.kind == ERR_NONE && status && str_equal(status, "pending")) {
		x->waiting = true;
		timer_start(&x->timer, COPY_LOOK_MS);
		return;
	}
	if (flow->err.kind == ERR_NONE && status && !str_equal(status, "success"))
		err_set(&flow->err, ERR_BUSY, "the copy of '%s' ended as '%.20s'", flow->op->key,
			status);
	if (flow->err.kind != ERR_NONE) {
		flow_next(flow);
		return;
	}
	store_entry_release(&flow->seen);
	flow->seen = azure_entry(x, flow->copy.kind);
	if (!flow->copy.move) {
		flow_next(flow);
		return;
	}
	azure_send(
		x, &(struct azure_call){ .method = "DELETE", .object = x->object }, source_removed);
}

static void copy_answered(struct azure_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
	} else {
		copied_look(x);
	}
}

void azure_copy(struct flow *flow, const struct flow_copy *copy) {
	struct azure_op *x = azure_op_of(flow);
	const struct azure *azure = x->azure;

	free(x->object);
	free(x->to_object);
	x->object = azure_object(azure, copy->from, copy->kind);
	x->to_object = azure_object(azure, copy->to, copy->kind);
	char *encoded = str_percent_encode(x->object, "/");
	bool sas = azure->sas.len > 0;
	rest_header(&x->rest, "x-ms-copy-source: %s%s/%s%s%s", azure->base, azure->base_path,
		encoded, sas ? "?" : "", sas ? azure->sas.text : "");
	free(encoded);
	if (copy->absent) rest_header(&x->rest, "if-none-match: *");
	if (flow->looked && flow->present.version)
		rest_header(&x->rest, "x-ms-source-if-match: \"%s\"", flow->present.version);
	azure_send(x,
		&(struct azure_call){ .method = "PUT",
			.object = x->to_object,
			.body = "",
			.patience_ms = rest_patience_ms(
				flow->looked ? flow->present.size : flow->op->copied_size) },
		copy_answered);
}

/* ---- DELETE ---- */

static void removed(struct azure_op *x) {
	flow_next(&x->flow);
}

void azure_remove(struct flow *flow, const char *key, enum store_kind kind) {
	struct azure_op *x = azure_op_of(flow);

	free(x->object);
	x->object = azure_object(x->azure, key, kind);
	azure_send(x, &(struct azure_call){ .method = "DELETE", .object = x->object }, removed);
}

/* ---- SET: all of the metadata anew ---- */

static void set_answered(struct azure_op *x) {
	struct store_entry *present = &x->flow.present;
	const char *etag = http_header(&x->rest.request, "etag");

	if (x->flow.err.kind == ERR_NONE && etag && present->kind != STORE_FOLDER) {
		free(present->version);
		present->version = rest_etag(etag);
	}
	flow_next(&x->flow);
}

void azure_set(struct flow *flow) {
	struct azure_op *x = azure_op_of(flow);
	const struct store_entry *present = &flow->present;

	for (char **line = x->metadata; line && *line; line++) rest_header(&x->rest, "%s", *line);
	azure_time_headers(x, present->kind, present->mtime_ns, present->mode);
	if (present->version) rest_header(&x->rest, "if-match: \"%s\"", present->version);
	if (present->kind == STORE_FOLDER && !present->marker) {
		/* It is there by what lies in it, until now. */
		rest_header(&x->rest, "x-ms-blob-type: BlockBlob");
		flow->present.marker = true;
		azure_send(x,
			&(struct azure_call){ .method = "PUT", .object = x->object, .body = "" },
			set_answered);
		return;
	}
	azure_send(x,
		&(struct azure_call){ .method = "PUT",
			.object = x->object,
			.query = "comp=metadata",
			.body = "" },
		set_answered);
}
