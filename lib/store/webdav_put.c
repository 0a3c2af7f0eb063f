#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/* The acts that change a file: PUT, COPY, MOVE and DELETE. */

enum {
	INLINE_HASH_MAX = 256 << 10, /* above it a job hashes */
};

void webdav_condition_headers(struct webdav_op *x) {
	const struct flow *flow = &x->flow;
	const struct store_op *op = flow->op;

	if (op->if_absent && flow->checks_absence) rest_header(&x->rest, "If-None-Match: *");
	if (op->if_version && flow->checks_version && !flow->distrust)
		rest_header(&x->rest, "If-Match: \"%s\"", op->if_version);
}

/* ---- PUT ---- */

static void meta_written(struct webdav_op *x) {
	struct store_op *op = x->flow.op;

	if (x->flow.err.kind == ERR_NONE) {
		store_entry_release(&op->entry);
		op->entry = x->meta;
		x->meta = (struct store_entry){ 0 };
	}
	flow_next(&x->flow);
}

/* Takes x->meta.version; the rest is as it was asked for. */
static void describe(struct webdav_op *x, char *version) {
	const struct store_op *op = x->flow.op;

	store_entry_release(&x->meta);
	x->meta.kind = op->kind;
	x->meta.size = op->verb == STORE_PUT ? (int64_t)op->body_len : op->size;
	x->meta.mtime_ns = op->mtime_ns;
	x->meta.mode = op->kind == STORE_LINK ? STORE_MODE_UNKNOWN : op->mode;
	x->meta.hash = op->hash;
	x->meta.version = version;
	webdav_meta_put(x, x->path, meta_written);
}

static void put_found(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	int64_t size = op->verb == STORE_PUT ? (int64_t)op->body_len : op->size;

	if (x->flow.err.kind == ERR_NONE &&
		(!x->was_found || x->found.size != size || x->found.kind == STORE_FOLDER)) {
		/* Somebody was faster with the next. */
		err_set(&x->flow.err, ERR_CHANGED, "'%s' is not what was put there", op->key);
	}
	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	char *version = x->found.version;
	x->found.version = NULL;
	describe(x, version);
}

void webdav_committed(struct webdav_op *x) {
	webdav_find(x, x->path, x->flow.op->kind, put_found);
}

static void put_answered(struct webdav_op *x) {
	const char *etag = http_header(&x->rest.request, "etag");
	bool known =
		etag && *etag == '"' && x->dav->keeps_properties == WEBDAV_YES && !x->dav->no_etags;

	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
	} else if (known) {
		describe(x, rest_etag(etag));
	} else {
		webdav_committed(x);
	}
}

static void put_send(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	webdav_condition_headers(x);
	webdav_oc_headers(x);
	rest_header(&x->rest, "Content-Type: application/octet-stream");
	webdav_send(x,
		&(struct webdav_call){ .method = "PUT",
			.path = x->path,
			.body = op->body ? op->body : "",
			.body_len = op->body_len },
		put_answered);
}

/* ---- the server checks no hash, so it is checked before ---- */

static int hash_work(struct job *job, struct err *err) {
	struct webdav_op *x = container_of(job, struct webdav_op, job);
	struct store_op *op = x->flow.op;
	enum digest_kind kind = x->dav->store.digest;
	bool known = store_hash_digest(&op->hash, &kind);
	uint8_t hash[DIGEST_MAX];

	size_t len = digest_of(kind, op->body, op->body_len, hash);
	if (known && memcmp(hash, op->hash.bytes, len) != 0)
		return err_set(err, ERR_CHANGED, "what was to be sent is not what was hashed");
	if (op->hash.kind == STORE_HASH_NONE) op->hash = store_hash_from(&x->dav->store, hash);
	return 0;
}

static void hash_done(struct job *job, const struct err *err) {
	struct webdav_op *x = container_of(job, struct webdav_op, job);

	x->job.impl = NULL;
	err_clear(&x->flow.err);
	if (err) x->flow.err = *err;
	if (!err && x->flow.op->cancelled) err_set(&x->flow.err, ERR_CANCELLED, "cancelled");
	x->then(x);
}

void webdav_hash(struct webdav_op *x, void (*then)(struct webdav_op *x)) {
	struct err err;

	x->then = then;
	/* Of a part nobody wants to know a hash that is not there to compare with. */
	if (x->flow.op->verb == STORE_PART_PUT && x->flow.op->hash.kind == STORE_HASH_NONE) {
		err_clear(&x->flow.err);
		then(x);
		return;
	}
	if (x->flow.op->body_len <= INLINE_HASH_MAX) {
		bool failed = hash_work(&x->job, &err) != 0;
		err_clear(&x->flow.err);
		if (failed) x->flow.err = err;
		then(x);
		return;
	}
	x->job.work = hash_work;
	x->job.done = hash_done;
	job_start(x->dav->store.loop, &x->job);
}

static void put_hashed(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE) {
		put_send(x);
	} else if (x->flow.err.kind == ERR_CHANGED) {
		flow_refuse_start(
			&x->flow); /* it may have come at once; nothing of the server has changed */
	} else {
		flow_next(&x->flow);
	}
}

void webdav_commit(struct flow *flow) {
	struct webdav_op *x = webdav_op_of(flow);

	free(x->path);
	x->path = webdav_path(x->dav, flow->op->key, flow->op->kind);
	if (flow->op->verb == STORE_PART_END) {
		webdav_part_end(x);
	} else {
		webdav_hash(x, put_hashed);
	}
}

/* ---- COPY and MOVE ---- */

static void copy_meta_written(struct webdav_op *x) {
	struct flow *flow = &x->flow;

	if (flow->err.kind == ERR_NONE) {
		store_entry_release(&flow->seen);
		flow->seen = x->meta;
		x->meta = (struct store_entry){ 0 };
	}
	flow_next(flow);
}

/* Servers copy our property along, but the copy has another ETag. */
static void copy_found(struct webdav_op *x) {
	struct flow *flow = &x->flow;
	const struct store_entry *from = &flow->present;

	if (flow->err.kind != ERR_NONE) {
		flow_next(flow);
		return;
	}
	const struct store_entry *to = &x->found;
	bool same = flow->looked && from->kind == to->kind && from->size == to->size &&
		    from->kind != STORE_FOLDER;
	bool whole =
		from->mtime_ns == to->mtime_ns && from->mode == to->mode &&
		(from->hash.kind == STORE_HASH_NONE || store_hash_equal(&from->hash, &to->hash));
	if (!same || whole) {
		store_entry_release(&flow->seen);
		flow->seen = x->found;
		x->found = (struct store_entry){ 0 };
		flow_next(flow);
		return;
	}
	store_entry_release(&x->meta);
	x->meta = x->found;
	x->found = (struct store_entry){ 0 };
	x->meta.mtime_ns = from->mtime_ns;
	x->meta.mode = from->mode;
	x->meta.hash = from->hash;
	webdav_meta_put(x, x->to_path, copy_meta_written);
}

static void copy_send(struct webdav_op *x);

static void copy_parents_made(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE) {
		copy_send(x);
	} else {
		flow_next(&x->flow);
	}
}

static void torn_removed(struct webdav_op *x) {
	x->flow.err = x->flow.saved;
	flow_next(&x->flow);
}

static void copy_answered(struct webdav_op *x) {
	struct flow *flow = &x->flow;
	bool absent = flow->err.kind == ERR_NOT_FOUND;

	if (x->status == 500 || x->status == 507) {
		x->copy_failed = true;
		flow->saved = flow->err;
	}
	if (flow->copy.parents && (absent || x->status == 500 || x->status == 403) && !x->folder) {
		webdav_parents(x, x->to_path, copy_parents_made);
	} else if (flow->err.kind != ERR_NONE && x->copy_failed && flow->copy.parents &&
		   !flow->copy.move) {
		/* nginx leaves what found room, which the next try would meet as another's; and nobody but us
		 * puts anything where versions are kept. */
		webdav_send(x, &(struct webdav_call){ .method = "DELETE", .path = x->to_path },
			torn_removed);
	} else if (flow->err.kind != ERR_NONE) {
		flow_next(flow);
	} else {
		webdav_find(x, x->to_path, flow->copy.kind, copy_found);
	}
}

static void copy_send(struct webdav_op *x) {
	const struct flow_copy *copy = &x->flow.copy;
	/* Nobody knows how much is in a folder. */
	int64_t size = copy->kind == STORE_FOLDER ? -1
		       : x->flow.looked           ? x->flow.present.size
						  : x->flow.op->copied_size;

	rest_header(&x->rest, "Overwrite: %s", copy->absent ? "F" : "T");
	x->item_came = NULL;
	webdav_send(x,
		&(struct webdav_call){ .method = copy->move ? "MOVE" : "COPY",
			.path = x->path,
			.to = x->to_path,
			.multistatus = true,
			.patience_ms = rest_patience_ms(size) },
		copy_answered);
}

void webdav_copy(struct flow *flow, const struct flow_copy *copy) {
	struct webdav_op *x = webdav_op_of(flow);

	free(x->path);
	free(x->to_path);
	x->path = webdav_path(x->dav, copy->from, copy->kind);
	x->to_path = webdav_path(x->dav, copy->to, copy->kind);
	x->copy_failed = false;
	copy_send(x);
}

/* ---- DELETE ---- */

static void removed(struct webdav_op *x) {
	flow_next(&x->flow);
}

void webdav_remove(struct flow *flow, const char *key, enum store_kind kind) {
	struct webdav_op *x = webdav_op_of(flow);

	free(x->path);
	x->path = webdav_path(x->dav, key, kind);
	x->item_came = NULL;
	webdav_send(x,
		&(struct webdav_call){ .method = "DELETE", .path = x->path, .multistatus = true },
		removed);
}
