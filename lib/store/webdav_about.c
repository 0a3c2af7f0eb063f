#include <stdlib.h>

#include "store/webdav.h"

/*
 * ABOUT: is the folder there, may we write it, what does its clock say; and once for each store
 * object, which conditions this server keeps. nginx ignores all of them and answers 204.
 */

enum about_state {
	ABOUT_ROOT,
	ABOUT_CREATE,       /* may we write? */
	ABOUT_CREATE_AGAIN, /* If-None-Match: *     must be refused */
	ABOUT_MATCH_WRONG,  /* If-Match: another's  must be refused */
	ABOUT_DOTS, /* is .tend listed? A folder whose files are hidden would pass for empty */
	ABOUT_REMOVE,
};

#define PROBE "/" WEBDAV_OWN "/probe"

static void about_step(struct webdav_op *x);

static void done(struct webdav_op *x, const struct err *err) {
	struct webdav *dav = x->dav;

	dav->probing = false;
	x->flow.op->about.conditions = dav->creates_only && dav->matches;
	x->flow.op->about.conditions_known = dav->probed;
	flow_finish(&x->flow, err);
}

static void put(struct webdav_op *x, enum about_state state) {
	x->state = (int)state;
	if (state == ABOUT_CREATE_AGAIN) rest_header(&x->rest, "If-None-Match: *");
	if (state == ABOUT_MATCH_WRONG) rest_header(&x->rest, "If-Match: \"0-0\"");
	rest_header(&x->rest, "Content-Type: application/octet-stream");
	webdav_send(x,
		&(struct webdav_call){
			.method = "PUT", .path = x->to_path, .body = "probe", .body_len = 5 },
		about_step);
}

static void root_member_came(struct webdav_op *x, const struct webdav_item *item) {
	x->children += str_equal(path_name(item->path), WEBDAV_OWN);
}

static void probe_found(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		done(x, &x->flow.err);
		return;
	}
	/* What was written beside it must be there. */
	if (x->dav->keeps_properties == WEBDAV_YES && x->found.mtime_ns == STORE_MTIME_UNKNOWN)
		x->dav->keeps_properties = WEBDAV_NO;
	x->state = ABOUT_DOTS;
	x->children = 0;
	free(x->path);
	x->path = webdav_path(x->dav, "", STORE_FOLDER);
	webdav_propfind(x, x->path, "1", root_member_came, about_step);
}

static void meta_written(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE) {
		done(x, &x->flow.err);
	} else {
		webdav_find(x, x->to_path, STORE_FILE, probe_found);
	}
}

/* Are the times that we write beside a file kept? */
static void probe_looked(struct webdav_op *x) {
	if (x->flow.err.kind != ERR_NONE || !x->was_found) {
		done(x, x->flow.err.kind == ERR_NONE ? NULL : &x->flow.err);
		return;
	}
	store_entry_release(&x->meta);
	x->meta = x->found;
	x->found = (struct store_entry){ 0 };
	x->meta.mtime_ns = NS_PER_S;
	x->meta.mode = 0600;
	webdav_meta_put(x, x->to_path, meta_written);
}

static void parents_made(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE) {
		put(x, ABOUT_CREATE);
	} else {
		done(x, &x->flow.err);
	}
}

static void root_known(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	struct err *err = &x->flow.err;

	if (err->kind == ERR_NOT_FOUND || (err->kind == ERR_NONE && !x->was_found)) {
		err_set(err, ERR_INVALID,
			"the folder '%s' does not exist: create it or correct `url`",
			dav->store.label);
	} else if (err->kind == ERR_NONE && x->found.kind != STORE_FOLDER) {
		err_set(err, ERR_INVALID, "'%s' is no folder: correct `url`", dav->store.label);
	}
	x->flow.op->about.free_bytes = x->free_bytes;
	x->flow.op->about.server_ns = rest_server_ns(&x->rest.request);
	if (err->kind != ERR_NONE || dav->probed || dav->probing) {
		x->flow.op->about.conditions = dav->creates_only && dav->matches;
		x->flow.op->about.conditions_known = dav->probed;
		flow_finish(&x->flow, err->kind == ERR_NONE ? NULL : err);
		return;
	}
	dav->probing = true;
	uint64_t bits;
	loop_random(dav->store.loop, &bits, sizeof(bits));
	x->to_path = xasprintf("%s" PROBE "-%016llx", dav->root, (unsigned long long)bits);
	webdav_parents(x, x->to_path, parents_made);
}

static void about_step(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	enum err_kind kind = x->flow.err.kind;
	bool refused = x->status == 412;

	if (kind == ERR_OFFLINE || kind == ERR_BUSY || kind == ERR_CANCELLED ||
		(x->state == ABOUT_CREATE && kind != ERR_NONE)) {
		dav->creates_only = dav->matches = false;
		done(x, &x->flow.err);
		return;
	}
	switch ((enum about_state)x->state) {
	case ABOUT_CREATE: put(x, ABOUT_CREATE_AGAIN); return;
	case ABOUT_CREATE_AGAIN:
		dav->creates_only = refused;
		put(x, ABOUT_MATCH_WRONG);
		return;
	case ABOUT_MATCH_WRONG:
		dav->matches = refused;
		webdav_find(x, x->to_path, STORE_FILE, probe_looked);
		return;
	case ABOUT_DOTS:
		dav->hides_dots = kind == ERR_NONE && !x->children;
		x->state = ABOUT_REMOVE;
		x->item_came = NULL;
		webdav_send(x,
			&(struct webdav_call){
				.method = "DELETE", .path = x->to_path, .multistatus = true },
			about_step);
		return;
	default:
		dav->probed = true;
		log_debug("%s: If-None-Match %s, If-Match %s, properties %s", dav->store.label,
			dav->creates_only ? "yes" : "no", dav->matches ? "yes" : "no",
			dav->keeps_properties == WEBDAV_YES ? "yes" : "no");
		done(x, NULL);
	}
}

void webdav_about(struct webdav_op *x) {
	x->path = webdav_path(x->dav, "", STORE_FOLDER);
	webdav_find(x, x->path, STORE_FOLDER, root_known);
}
