/*
 * The azure driver's own: block blobs. Azure knows no folders: one is a blob "NAME/" without bytes, a
 * link a blob as rclone writes it; mtime is metadata in rclone's words, mode beside it, and lists tell
 * both. Conditions are the service's own, so nothing is tried out.
 */
#ifndef STORE_AZURE_H
#define STORE_AZURE_H

#include "store/flow.h"
#include "store/rest.h"
#include "store/s3_xml.h"

#define AZURE_NAME_MAX 1024 /* characters of UTF-16, prefix and suffix included */

struct azure {
	struct store store;
	struct http *http;
	char *account, *container, *prefix; /* prefix: "" or "a/b/" */
	char *base;                         /* "https://account.blob.core.windows.net" */
	char *base_path;                    /* encoded, before every name: "/container" */
	char *endpoint;                     /* as a person knows it */
	char *ca_file;
	int64_t timeout_ms;
	char *key_file, *sas_file;
	uint8_t key[128]; /* of the account */
	size_t key_len;
	struct secret sas;   /* a query without '?' */
	int64_t sas_ends_ns; /* 0: nobody knows, or there is none */
	bool names_requests; /* each answer has an x-ms-request-id: without it another answers */
	bool written;        /* once we did write there */
};

struct azure_call {
	const char *method;
	const char *object; /* NULL: the container itself */
	const char *query;  /* encoded; NULL: none */
	const void *body;   /* borrowed until the answer; NULL: none */
	size_t body_len;
	const struct store_hash *md5; /* of the body; NULL: it is not checked */
	size_t answer_max;
	int64_t patience_ms;
};

struct azure_op {
	struct flow flow;
	struct azure *azure;
	int state; /* of what goes on inside an act */
	struct rest rest;
	struct azure_call call;
	int status;
	char code[64]; /* what the service calls the error */
	void (*answered)(struct azure_op *x);
	struct timer timer; /* between two looks at a copy that goes on */
	bool waiting;
	char *object, *to_object;
	enum store_kind kind;
	char **metadata; /* header lines of what was looked at last, but mtime and mode */
	struct buf text;
	char *session_id;
	int pages;
	int own, others; /* names that azure_names() has seen */
	void (*named)(struct azure_op *x);
};

static inline struct azure_op *azure_op_of(struct flow *flow) {
	return container_of(flow, struct azure_op, flow);
}

/* ---- azure.c ---- */

/* What `key` of this kind is called in the container. The caller's. */
char *azure_object(const struct azure *azure, const char *key, enum store_kind kind);

/* ---- azure_request.c ---- */

/* Signs, sends, judges; then x->answered, with x->flow.err and x->status. */
void azure_send(
	struct azure_op *x, const struct azure_call *call, void (*answered)(struct azure_op *x));
/* Adds "name=value", encoded. */
void azure_query(struct buf *query, const char *name, const char *value);
/* Walks the XML of an answer, whose outermost element is `root`; -1 with x->flow.err. */
int azure_read(struct azure_op *x, const char *root, s3_xml_ended *ended, void *user);

/* ---- azure_meta.c ---- */

void azure_time_headers(struct azure_op *x, enum store_kind kind, int64_t mtime_ns, int mode);
int64_t azure_parse_time(const char *text); /* rclone's; STORE_MTIME_UNKNOWN */
int azure_parse_mode(const char *text);
/* What the headers of the last answer say. The caller's to release. */
struct store_entry azure_entry(const struct azure_op *x, enum store_kind kind);
/* x->metadata from the headers of the last answer. */
void azure_metadata_keep(struct azure_op *x);
/* Those of the operation that the service checks itself. */
void azure_condition_headers(struct azure_op *x);

/* ---- azure_look.c ---- */

void azure_look(struct flow *flow, const char *key, enum store_kind kind);
void azure_get(struct azure_op *x);

/* ---- the other verbs ---- */

void azure_list(struct azure_op *x);
/* x->own: is there a blob x->object, a folder's marker? x->others: something below it? Then `named`, with x->flow.err. */
void azure_names(struct azure_op *x, void (*named)(struct azure_op *x));
void azure_commit(struct flow *flow);
void azure_copy(struct flow *flow, const struct flow_copy *copy);
void azure_remove(struct flow *flow, const char *key, enum store_kind kind);
void azure_set(struct flow *flow);
void azure_copy_timer_due(struct timer *timer);
void azure_mkdir(struct azure_op *x);
void azure_rmdir(struct azure_op *x);
void azure_about(struct azure_op *x);
int azure_open_session(struct azure_op *x); /* -1 with x->flow.err */
void azure_part_begin(struct azure_op *x);
void azure_part_put(struct azure_op *x);
void azure_part_query(struct azure_op *x);
void azure_part_abort(struct azure_op *x);
void azure_part_end(struct azure_op *x); /* the commit of PART_END */

#endif
