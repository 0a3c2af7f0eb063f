/*
 * The webdav driver's own. Plain WebDAV knows names, sizes and ETags; mtime, mode and hash are a
 * property of ours beside each file, bound to the ETag that they were written for, so that the
 * times of an older content are never believed. Servers differ in what they keep: the driver tries
 * (webdav_about.c, webdav_meta.c) or reads what comes.
 */
#ifndef STORE_WEBDAV_H
#define STORE_WEBDAV_H

#include "store/flow.h"
#include "store/rest.h"
#include "store/webdav_auth.h"
#include "store/webdav_xml.h"

#define WEBDAV_OWN ".tend"

enum webdav_fact { WEBDAV_UNKNOWN, WEBDAV_NO, WEBDAV_YES };

struct webdav {
	struct store store;
	struct http *http;
	char *base;    /* "https://host:8443" */
	char *root;    /* the path of the address, decoded, without a slash at its end */
	char *uploads; /* Nextcloud: where parts go; NULL: no Nextcloud */
	char *ca_file;
	int64_t timeout_ms;
	char *user, *password_file;
	struct secret password;
	struct webdav_auth auth;

	/* What was found out. */
	enum webdav_fact keeps_properties;
	enum webdav_fact takes_ranges; /* PUT with Content-Range writes into what is there */
	bool creates_only;             /* If-None-Match: * is kept */
	bool matches;                  /* If-Match is kept */
	bool no_etags;                 /* a listing has none */
	bool hides_dots;               /* a listing leaves out names that begin with a dot */
	bool probed, probing;
};

struct webdav_call {
	const char *method;
	const char *path;  /* decoded; borrowed for the call */
	const char *to;    /* a Destination, decoded; NULL: none */
	const char *depth; /* NULL: no such header */
	const void *body;  /* borrowed until the answer; NULL: none */
	size_t body_len;
	size_t answer_max;
	bool multistatus;    /* the answer of a 207 goes to x->item_came */
	int64_t patience_ms; /* the server may work so much longer without a byte */
};

struct webdav_op {
	struct flow flow;
	struct webdav *dav;
	int state; /* of what goes on inside an act */

	/* ---- the request on its way ---- */
	struct rest rest;
	struct webdav_call call;
	char *uri; /* path as it is sent */
	bool with_auth;
	int tries; /* of logging in */
	int status;
	bool copy_failed; /* a COPY of this act: half of it may be there */
	void (*answered)(struct webdav_op *x);
	struct webdav_xml *xml;
	struct err xml_err;
	void (*item_came)(struct webdav_op *x, const struct webdav_item *item);
	int member_status; /* the worst of a multi-status that is no listing */

	/* ---- what acts need ---- */
	struct job job;
	char *path, *to_path; /* decoded */
	enum store_kind kind;
	struct store_entry found; /* of the last look */
	bool was_found;
	void (*then)(struct webdav_op *x);
	struct store_entry meta;   /* what is to be written beside a file */
	struct store_entry *timed; /* whose times are on their way */
	struct buf text;
	char *folder; /* whose parents are made, up to `folder_len` */
	size_t folder_len;
	void (*folders_made)(struct webdav_op *x);
	char *session_id;
	enum { SESSION_RANGES, SESSION_CHUNKS } session_kind;
	size_t children;
	int again; /* reads of what changed meanwhile */
	int64_t free_bytes;
};

/* ---- webdav.c ---- */

/* The decoded path of a key. The caller's. */
char *webdav_path(const struct webdav *dav, const char *key, enum store_kind kind);

static inline struct webdav_op *webdav_op_of(struct flow *flow) {
	return container_of(flow, struct webdav_op, flow);
}

/* ---- webdav_request.c ---- */

/* Sends, logs in where that is wanted, judges; then x->answered, with x->flow.err and x->status. */
void webdav_send(
	struct webdav_op *x, const struct webdav_call *call, void (*answered)(struct webdav_op *x));
void webdav_request_release(struct webdav_op *x);

/* ---- webdav_look.c ---- */

/* PROPFIND of x's own choice of path; members come by x->item_came. */
void webdav_propfind(struct webdav_op *x, const char *path, const char *depth,
	void (*came)(struct webdav_op *x, const struct webdav_item *item),
	void (*answered)(struct webdav_op *x));
/* One thing: x->found, ERR_NOT_FOUND when it is not there. */
void webdav_find(struct webdav_op *x, const char *path, enum store_kind kind,
	void (*answered)(struct webdav_op *x));
void webdav_look(struct flow *flow, const char *key, enum store_kind kind);
void webdav_get(struct webdav_op *x);
void webdav_list(struct webdav_op *x);

/* ---- webdav_meta.c ---- */

/* What a member of a listing is. The caller's to release. */
struct store_entry webdav_entry(
	struct webdav *dav, const struct webdav_item *item, enum store_kind kind);
/* Writes x->meta beside `path`, which has its version; then `then`. Where the server keeps none, x->meta loses its times. */
void webdav_meta_put(struct webdav_op *x, const char *path, void (*then)(struct webdav_op *x));
void webdav_set(struct flow *flow);
void webdav_times(struct flow *flow, const char *key, struct store_entry *entry);
/* The headers by which Nextcloud learns times and hashes. */
void webdav_oc_headers(struct webdav_op *x);

/* ---- webdav_put.c ---- */

void webdav_commit(struct flow *flow);
void webdav_committed(struct webdav_op *x); /* what was put stands at x->path: what is it now? */
void webdav_condition_headers(struct webdav_op *x);
void webdav_copy(struct flow *flow, const struct flow_copy *copy);
/* Checks or computes the hash of op->body; then `then`, ERR_CHANGED when it is another. */
void webdav_hash(struct webdav_op *x, void (*then)(struct webdav_op *x));
void webdav_remove(struct flow *flow, const char *key, enum store_kind kind);

/* ---- webdav_folder.c ---- */

void webdav_mkdir(struct webdav_op *x);
void webdav_rmdir(struct webdav_op *x);
/* Makes the folders above `path`, below the root; then `then`. */
void webdav_parents(struct webdav_op *x, const char *path, void (*then)(struct webdav_op *x));

/* ---- webdav_parts.c ---- */

void webdav_part_begin(struct webdav_op *x);
void webdav_part_put(struct webdav_op *x);
void webdav_part_query(struct webdav_op *x);
void webdav_part_abort(struct webdav_op *x);
void webdav_part_end(struct webdav_op *x); /* the commit of PART_END */
/* -1 with x->flow.err: no session of this store. */
int webdav_open_session(struct webdav_op *x);

void webdav_about(struct webdav_op *x);

#endif
