#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/* MKDIR and REMOVE of a folder: its marker "NAME/". ABOUT: the container. */

static void made(struct azure_op *x) {
	struct store_op *op = x->flow.op;

	if (x->flow.err.kind == ERR_NONE) {
		op->entry.kind = STORE_FOLDER;
		op->entry.marker = true;
		op->entry.mtime_ns = op->mtime_ns;
		op->entry.mode = op->mode;
	}
	flow_end(&x->flow);
}

void azure_mkdir(struct azure_op *x) {
	const struct store_op *op = x->flow.op;

	free(x->object);
	x->object = azure_object(x->azure, op->key, STORE_FOLDER);
	rest_header(&x->rest, "x-ms-blob-type: BlockBlob");
	azure_time_headers(x, STORE_FOLDER, op->mtime_ns, op->mode);
	azure_send(
		x, &(struct azure_call){ .method = "PUT", .object = x->object, .body = "" }, made);
}

/* ---- REMOVE ---- */

static void marker_removed(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NOT_FOUND) err_clear(&x->flow.err);
	flow_end(&x->flow);
}

static void children_named(struct azure_op *x) {
	struct err *err = &x->flow.err;

	if (err->kind == ERR_NONE && x->others) {
		err_set(err, ERR_BUSY, "the folder '%s' is not empty", x->flow.op->key);
		err->sys = ENOTEMPTY;
	}
	if (err->kind != ERR_NONE || !x->own) {
		flow_end(&x->flow);
	} else {
		azure_send(x, &(struct azure_call){ .method = "DELETE", .object = x->object },
			marker_removed);
	}
}

void azure_rmdir(struct azure_op *x) {
	azure_names(x, children_named);
}

/* ---- ABOUT ---- */

static void ignore(void *user, const char *path, const char *text) {
}

static void probe_removed(struct azure_op *x) {
	if (x->flow.err.kind == ERR_NOT_FOUND) err_clear(&x->flow.err);
	if (x->flow.err.kind == ERR_NONE) x->azure->written = true;
	flow_end(&x->flow);
}

static void probe_written(struct azure_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_end(&x->flow);
	} else {
		azure_send(x, &(struct azure_call){ .method = "DELETE", .object = x->object },
			probe_removed);
	}
}

static void container_listed(struct azure_op *x) {
	struct azure *azure = x->azure;
	struct store_about *about = &x->flow.op->about;

	if (x->flow.err.kind == ERR_NONE) azure_read(x, "EnumerationResults", ignore, NULL);
	if (x->flow.err.kind == ERR_NONE) {
		about->free_bytes = -1;
		about->server_ns = rest_server_ns(&x->rest.request);
		about->conditions = about->conditions_known = true;
		azure->names_requests = http_header(&x->rest.request, "x-ms-request-id") != NULL;
	}
	if (x->flow.err.kind != ERR_NONE || azure->written) {
		flow_end(&x->flow);
		return;
	}
	/* May we write there? Once is enough. */
	uint64_t bits;
	loop_random(azure->store.loop, &bits, sizeof(bits));
	free(x->object);
	x->object = xasprintf("%s.tend/probe-%016llx", azure->prefix, (unsigned long long)bits);
	rest_header(&x->rest, "x-ms-blob-type: BlockBlob");
	azure_send(x, &(struct azure_call){ .method = "PUT", .object = x->object, .body = "" },
		probe_written);
}

void azure_about(struct azure_op *x) {
	azure_query(&x->text, "comp", "list");
	azure_query(&x->text, "maxresults", "1");
	azure_query(&x->text, "restype", "container");
	azure_send(x,
		&(struct azure_call){ .method = "GET", .query = x->text.at, .answer_max = 1 << 20 },
		container_listed);
}
