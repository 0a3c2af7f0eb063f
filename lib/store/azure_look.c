#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/* What is there: HEAD and GET of a blob. */

static void look_ended(struct azure_op *x) {
	struct flow *flow = &x->flow;

	if (flow->err.kind == ERR_NOT_FOUND)
		err_set(&flow->err, ERR_NOT_FOUND, "'%s' is not there", flow->op->key);
	flow_next(flow);
}

/* No marker: a folder all the same, when something is below it. */
static void children_named(struct azure_op *x) {
	struct flow *flow = &x->flow;

	if (flow->err.kind == ERR_NONE && !x->own && !x->others)
		err_set(&flow->err, ERR_NOT_FOUND, "not there");
	store_entry_release(&flow->seen);
	flow->seen.kind = STORE_FOLDER;
	look_ended(x);
}

static void look_answered(struct azure_op *x) {
	struct flow *flow = &x->flow;

	if (flow->err.kind == ERR_NONE) {
		store_entry_release(&flow->seen);
		flow->seen = azure_entry(x, x->kind);
		azure_metadata_keep(x);
	}
	if (flow->err.kind == ERR_NOT_FOUND && x->kind == STORE_FOLDER) {
		azure_names(x, children_named);
	} else {
		look_ended(x);
	}
}

void azure_look(struct flow *flow, const char *key, enum store_kind kind) {
	struct azure_op *x = azure_op_of(flow);

	free(x->object);
	x->object = azure_object(x->azure, key, kind);
	x->kind = kind;
	azure_send(x, &(struct azure_call){ .method = "HEAD", .object = x->object }, look_answered);
}

/* ---- GET ---- */

static int64_t span_length(const struct store_op *op) {
	return op->length > 0 && op->length < STORE_SPAN_MAX ? op->length : STORE_SPAN_MAX;
}

static void get_ended(struct azure_op *x) {
	struct store_op *op = x->flow.op;

	if (x->flow.err.kind == ERR_NONE) {
		op->entry = azure_entry(x, op->kind);
		if (op->if_version && !str_equal(op->if_version, op->entry.version))
			err_set(&x->flow.err, ERR_CHANGED,
				"'%s' is not the version that was expected", op->key);
	} else if (x->flow.err.kind == ERR_NOT_FOUND) {
		err_set(&x->flow.err, ERR_NOT_FOUND, "'%s' is not there", op->key);
	}
	flow_end(&x->flow);
}

static void get_answered(struct azure_op *x) {
	struct store_op *op = x->flow.op;
	struct http_request *request = &x->rest.request;

	if (x->status == 416) {
		/* The span is behind the end: no bytes, but an answer. */
		azure_send(x, &(struct azure_call){ .method = "HEAD", .object = x->object },
			get_ended);
		return;
	}
	if (x->flow.err.kind == ERR_NONE && x->status == 200 &&
		(op->offset > 0 || (int64_t)request->answer.len > span_length(op))) {
		err_set(&x->flow.err, ERR_CORRUPT, "'%s' does not give parts of blobs",
			x->azure->endpoint);
	}
	if (x->flow.err.kind == ERR_NONE) {
		buf_release(&op->answer_body);
		op->answer_body = request->answer;
		op->answer_body.max = STORE_SPAN_MAX;
		buf_init(&request->answer, 0);
	}
	get_ended(x);
}

void azure_get(struct azure_op *x) {
	int64_t from = x->flow.op->offset, length = span_length(x->flow.op);

	rest_header(&x->rest, "x-ms-range: bytes=%lld-%lld", (long long)from,
		(long long)(from + length - 1));
	azure_send(x,
		&(struct azure_call){
			.method = "GET", .object = x->object, .answer_max = (size_t)length },
		get_answered);
}
