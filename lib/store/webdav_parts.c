#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/*
 * Large files in parts. Nextcloud has uploads of its own ("chunked v2"). Elsewhere parts are written
 * by PUT with Content-Range into one file in .tend/uploads/ID, beside an empty file for each part
 * that arrived, "N-SIZE-HASH"; at the end that one file moves to its place. Few servers take ranges,
 * and one that ignores them would store a part as the whole: so it is tried on a file of two bytes.
 *
 * The session is "KIND ID KEY".
 */

int webdav_open_session(struct webdav_op *x) {
	const char *session = x->flow.op->session;
	const char *space =
		session && session[0] && session[1] == ' ' ? strchr(session + 2, ' ') : NULL;

	if (!space || space == session + 2 || (session[0] != 'r' && session[0] != 'n') ||
		(session[0] == 'n' && !x->dav->uploads)) {
		return err_set(&x->flow.err, ERR_INVALID, "no session of this store");
	}
	x->session_kind = session[0] == 'n' ? SESSION_CHUNKS : SESSION_RANGES;
	free(x->session_id);
	x->session_id = xstrndup(session + 2, (size_t)(space - session - 2));
	if (path_is_plain(x->session_id) && !strchr(x->session_id, '/')) return 0;
	return err_set(&x->flow.err, ERR_INVALID, "no session of this store");
}

/* `name` in the session's folder; "": the folder. The caller's. */
static char *place(const struct webdav_op *x, const char *name) {
	if (x->session_kind == SESSION_CHUNKS)
		return xasprintf("%s/%s/%s", x->dav->uploads, x->session_id, name);
	return xasprintf("%s/" WEBDAV_OWN "/uploads/%s/%s", x->dav->root, x->session_id, name);
}

static void set_path(struct webdav_op *x, const char *name) {
	free(x->path);
	x->path = place(x, name);
}

/* ---- PART_BEGIN ---- */

enum { BEGIN_PROBE = 1, BEGIN_PROBE_RANGE, BEGIN_PROBED, BEGIN_DATA, BEGIN_REFUSED };

static void begin_answered(struct webdav_op *x);

static void begin_put(struct webdav_op *x, int state, const char *name, const char *bytes) {
	x->state = state;
	set_path(x, name);
	if (state == BEGIN_PROBE_RANGE) rest_header(&x->rest, "Content-Range: bytes 2-3/4");
	rest_header(&x->rest, "Content-Type: application/octet-stream");
	webdav_send(x,
		&(struct webdav_call){ .method = "PUT",
			.path = x->path,
			.body = bytes,
			.body_len = strlen(bytes) },
		begin_answered);
}

static void began(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	x->flow.op->answer_session = xasprintf(
		"%c %s %s", x->session_kind == SESSION_CHUNKS ? 'n' : 'r', x->session_id, op->key);
	flow_finish(&x->flow, NULL);
}

static void ranges_known(struct webdav_op *x) {
	if (x->dav->takes_ranges == WEBDAV_YES) {
		begin_put(x, BEGIN_DATA, "data", "");
		return;
	}
	x->state = BEGIN_REFUSED;
	set_path(x, "");
	x->item_came = NULL;
	webdav_send(x,
		&(struct webdav_call){ .method = "DELETE", .path = x->path, .multistatus = true },
		begin_answered);
}

static void probe_found(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	x->dav->takes_ranges = x->was_found && x->found.size == 4 ? WEBDAV_YES : WEBDAV_NO;
	ranges_known(x);
}

static void begin_answered(struct webdav_op *x) {
	struct err *err = &x->flow.err;
	bool good = err->kind == ERR_NONE;

	switch (x->state) {
	case BEGIN_PROBE:
		if (!good) break;
		begin_put(x, BEGIN_PROBE_RANGE, "probe", "cd");
		return;
	case BEGIN_PROBE_RANGE:
		if (err->kind == ERR_OFFLINE || err->kind == ERR_CANCELLED || err->kind == ERR_BUSY)
			break;
		webdav_find(x, x->path, STORE_FILE, probe_found);
		return;
	case BEGIN_DATA:
		if (!good) break;
		began(x);
		return;
	default:
		err_set(err, ERR_INVALID,
			"'%s' takes no PUT with Content-Range: a file of more than %d MiB cannot "
			"be kept "
			"there; exclude it, or let the server take partial PUTs",
			x->dav->store.label, STORE_SPAN_MAX >> 20);
	}
	flow_fail(&x->flow);
}

static void folders_made(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
	} else if (x->dav->takes_ranges == WEBDAV_UNKNOWN) {
		begin_put(x, BEGIN_PROBE, "probe", "ab");
	} else {
		ranges_known(x);
	}
}

static void chunks_began(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE) {
		began(x);
	} else {
		flow_fail(&x->flow);
	}
}

void webdav_part_begin(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	uint8_t bits[8];
	char id[2 * sizeof(bits) + 1];

	loop_random(dav->store.loop, bits, sizeof(bits));
	hex_encode(bits, sizeof(bits), id);
	x->session_id = xconcat("tend-", id);
	x->session_kind = dav->uploads ? SESSION_CHUNKS : SESSION_RANGES;
	if (x->session_kind == SESSION_RANGES) {
		set_path(x, "data");
		webdav_parents(x, x->path, folders_made);
		return;
	}
	set_path(x, "");
	x->to_path = webdav_path(dav, x->flow.op->key, STORE_FILE);
	webdav_send(x,
		&(struct webdav_call){ .method = "MKCOL", .path = x->path, .to = x->to_path },
		chunks_began);
}

/* ---- PART_PUT ---- */

static void put_ended(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	char hex[2 * 16 + 1];

	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	hex_encode(op->hash.bytes, 16, hex);
	x->flow.op->receipt = x->session_kind == SESSION_CHUNKS ? xasprintf("%05d", op->part_number)
								: xstrdup(hex);
	flow_finish(&x->flow, NULL);
}

static void range_put(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	char hex[2 * 16 + 1];

	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	hex_encode(op->hash.bytes, 16, hex);
	char *name = xasprintf("%d-%zu-%s", op->part_number, op->body_len, hex);
	set_path(x, name);
	free(name);
	rest_header(&x->rest, "Content-Type: application/octet-stream");
	webdav_send(x, &(struct webdav_call){ .method = "PUT", .path = x->path, .body = "" },
		put_ended);
}

static void part_hashed(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	struct webdav_call call = {
		.method = "PUT", .body = op->body ? op->body : "", .body_len = op->body_len
	};
	char name[16];

	if (x->flow.err.kind != ERR_NONE) {
		flow_refuse_start(&x->flow);
		return;
	}
	rest_header(&x->rest, "Content-Type: application/octet-stream");
	if (x->session_kind == SESSION_CHUNKS) {
		snprintf(name, sizeof(name), "%05d", op->part_number);
		set_path(x, name);
		rest_header(&x->rest, "OC-Total-Length: %lld", (long long)op->size);
		free(x->to_path);
		x->to_path = webdav_path(x->dav, strchr(op->session + 2, ' ') + 1, STORE_FILE);
		call.to = x->to_path;
		call.path = x->path;
		webdav_send(x, &call, put_ended);
		return;
	}
	set_path(x, "data");
	rest_header(&x->rest, "Content-Range: bytes %lld-%lld/%lld", (long long)op->offset,
		(long long)op->offset + (long long)op->body_len - 1, (long long)op->size);
	call.path = x->path;
	webdav_send(x, &call, range_put);
}

void webdav_part_put(struct webdav_op *x) {
	if (webdav_open_session(x)) {
		flow_refuse_start(&x->flow);
	} else {
		webdav_hash(x, part_hashed);
	}
}

/* ---- PART_QUERY ---- */

static bool is_held(const struct store_op *op, int number) {
	for (size_t i = 0; i < op->answer_part_count; i++) {
		if (op->answer_parts[i].number == number) return true;
	}
	return false;
}

/* "NUMBER-SIZE-HASH", as range_put() names it: the hash, borrowed; NULL: it is another file. */
static const char *read_marker(const char *name, int *number, int64_t *size) {
	char *end;
	long first = strtol(name, &end, 10);

	if (*end != '-' || first < 1 || first > INT32_MAX) return NULL;
	*size = strtoll(end + 1, &end, 10);
	*number = (int)first;
	if (*end != '-' || *size < 0) return NULL;
	return strlen(end + 1) == 32 && strspn(end + 1, "0123456789abcdef") == 32 ? end + 1 : NULL;
}

static void part_came(struct webdav_op *x, const struct webdav_item *item) {
	const char *name = path_name(item->path), *receipt = NULL;
	struct store_op *op = x->flow.op;
	int64_t size = item->size < 0 ? 0 : item->size;
	int number = 0;

	if (item->is_folder) return;
	if (x->session_kind == SESSION_RANGES) {
		receipt = read_marker(name, &number, &size);
	} else if (strlen(name) == 5 && strspn(name, "0123456789") == 5) {
		number = (int)strtol(name, NULL, 10);
		receipt = name;
	}
	if (receipt && number > 0 && !is_held(op, number))
		store_part_add(op, number, size, receipt);
}

static void query_ended(struct webdav_op *x) {
	struct err err = x->flow.err;

	if (err.kind == ERR_NONE) {
		flow_finish(&x->flow, NULL);
	} else {
		store_op_clear_answer(x->flow.op); /* some of the parts are not the parts */
		flow_finish(&x->flow, &err);
	}
}

void webdav_part_query(struct webdav_op *x) {
	if (webdav_open_session(x)) {
		flow_refuse_start(&x->flow);
		return;
	}
	set_path(x, "");
	webdav_propfind(x, x->path, "1", part_came, query_ended);
}

/* ---- PART_ABORT ---- */

static void abort_ended(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NOT_FOUND)
		err_clear(&x->flow.err); /* gone is what was wanted */
	if (x->flow.err.kind == ERR_NONE) {
		flow_finish(&x->flow, NULL);
	} else {
		flow_fail(&x->flow);
	}
}

static void session_remove(struct webdav_op *x, void (*answered)(struct webdav_op *x)) {
	set_path(x, "");
	x->item_came = NULL;
	webdav_send(x,
		&(struct webdav_call){ .method = "DELETE", .path = x->path, .multistatus = true },
		answered);
}

void webdav_part_abort(struct webdav_op *x) {
	if (webdav_open_session(x)) {
		flow_refuse_start(&x->flow);
	} else {
		session_remove(x, abort_ended);
	}
}

/* ---- PART_END ---- */

static void session_removed(struct webdav_op *x) {
	err_clear(&x->flow.err); /* the file is in its place; what is left here is only litter */
	flow_next(&x->flow);
}

static void end_found(struct webdav_op *x) {
	struct store_op *op = x->flow.op;

	if (x->flow.err.kind == ERR_NONE && !(x->was_found && x->found.size == op->size))
		err_set(&x->flow.err, ERR_CHANGED, "'%s' is not what was put there", op->key);
	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	store_entry_release(&op->entry);
	op->entry = x->found;
	x->found = (struct store_entry){ 0 };
	if (op->entry.hash.kind == STORE_HASH_NONE) op->entry.hash = op->hash;
	session_remove(x, session_removed);
}

static void end_moved(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	free(x->path);
	x->path = x->to_path;
	x->to_path = NULL;
	if (x->session_kind == SESSION_CHUNKS) {
		webdav_committed(x);
	} else {
		webdav_find(x, x->path, STORE_FILE, end_found);
	}
}

static void end_move(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	set_path(x, x->session_kind == SESSION_CHUNKS ? ".file" : "data");
	free(x->to_path);
	x->to_path = webdav_path(x->dav, op->key, op->kind);
	if (x->session_kind == SESSION_CHUNKS) {
		webdav_oc_headers(x);
		rest_header(&x->rest, "OC-Total-Length: %lld", (long long)op->size);
	}
	rest_header(&x->rest, "Overwrite: %s", op->if_absent ? "F" : "T");
	x->item_came = NULL;
	webdav_send(x,
		&(struct webdav_call){ .method = "MOVE",
			.path = x->path,
			.to = x->to_path,
			.multistatus = true,
			.patience_ms = rest_patience_ms(op->size) },
		end_moved);
}

/* The times are written beside it first: they move along. */
static void data_found(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	if (x->flow.err.kind == ERR_NONE && !x->was_found)
		err_set(&x->flow.err, ERR_NOT_FOUND, "this upload is not known any more");
	if (x->flow.err.kind == ERR_NONE && x->found.size != op->size)
		err_set(&x->flow.err, ERR_CHANGED,
			"the server does not hold all parts of this upload");
	if (x->flow.err.kind != ERR_NONE) {
		flow_next(&x->flow);
		return;
	}
	store_entry_release(&x->meta);
	x->meta = x->found;
	x->found = (struct store_entry){ 0 };
	x->meta.mtime_ns = op->mtime_ns;
	x->meta.mode = op->mode;
	x->meta.hash = op->hash;
	webdav_meta_put(x, x->path, end_move);
}

void webdav_part_end(struct webdav_op *x) {
	err_clear(&x->flow.err);
	if (x->session_kind == SESSION_CHUNKS) {
		end_move(x);
	} else {
		set_path(x, "data");
		webdav_find(x, x->path, STORE_FILE, data_found);
	}
}
