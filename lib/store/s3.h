/*
 * The s3 driver's own: one struct an operation, one flow a verb. Several providers speak S3; where
 * they differ the driver tries (s3_about.c) or reads what comes, it never asks who they are.
 */
#ifndef STORE_S3_H
#define STORE_S3_H

#include "crypto/crypto.h"
#include "http/http.h"
#include "store/internal.h"
#include "store/rest.h"
#include "store/s3_error.h"
#include "store/s3_xml.h"

#define S3_KEY_MAX  1024 /* bytes, prefix and suffix included */
#define S3_PAGE_MAX 1000

/* How a server takes an ETag in a condition, found out by trying: Ceph RGW 16 refuses its own in
 * quotes. UNKNOWN and NONE: it is no help, look before instead. */
enum s3_match { S3_MATCH_UNKNOWN, S3_MATCH_NONE, S3_MATCH_QUOTED, S3_MATCH_BARE };

struct s3_credentials {
	char *access_key_id;
	struct secret secret, token; /* token: empty for lasting keys */
};

struct s3_role;

struct s3 {
	struct store store;
	struct http *http;
	char *bucket, *prefix; /* prefix: "" or "a/b/" */
	char *region, *storage_class, *sse, *ca_file;
	char *endpoint;  /* as a person knows it */
	char *host;      /* as the Host header says it */
	char *base_path; /* encoded, before every key: "/bucket" or "" */
	bool secure;     /* https: the payload need not be signed */
	int64_t timeout_ms;

	char *access_key_setting, *secret_file, *profile;
	bool profile_named;
	struct s3_credentials credentials;
	struct s3_role *role; /* NULL: the keys stand elsewhere */
	char key_day[9];      /* the day that `key` signs */
	uint8_t key[DIGEST_MAX];

	/* What was found out. */
	enum s3_match put_match, copy_match;
	bool creates_only; /* If-None-Match: * is kept */
	bool probed, probing;
	int64_t probed_ns;   /* wall time */
	bool names_requests; /* each answer has an x-amz-request-id: without it another answers */
	char *probe_key, *probe_copy_key;
	/* Of a source that came in parts it thinks its own version another one: Swift, at PART_COPY. */
	bool misjudges_parts;
	bool opaque_etags; /* an ETag is not an MD5 there: encryption with keys of its own */
};

/* One request of an operation. */
struct s3_call {
	const char *method;
	const char *object; /* NULL: the bucket itself */
	const char *query;  /* encoded and sorted; NULL: none */
	const void *body;   /* borrowed until the answer; NULL: none */
	size_t body_len;
	const struct store_hash *md5; /* of the body; NULL: computed */
	const uint8_t *sha256;        /* of the body, where it is known; then no MD5 is sent */
	bool no_md5;                  /* nothing is stored that could be checked */
	size_t answer_max;            /* 0: enough for an error */
	int64_t patience_ms;          /* the server may work so much longer without a byte */
};

struct s3_op {
	struct s3 *s3;
	struct list role_link; /* it waits for keys */
	bool role_cancelled;
	struct store_op *op;
	/* Called with the answer of each call: err.kind is ERR_NONE for 2xx. */
	void (*step)(struct s3_op *x);
	int state; /* the flow's own enum */
	struct err err;
	struct s3_error error; /* what the server said, when it said it in XML */
	struct err saved;      /* of a flow that looks once more before it gives up */

	/* ---- the request on its way ---- */
	struct http_request request;
	struct s3_call call;
	struct job job;
	char *url, *path;
	char *headers[HTTP_HEADERS_MAX + 1];
	size_t header_count;
	char payload_hash[2 * DIGEST_MAX + 1];
	uint8_t md5[DIGEST_MAX];
	bool hash_payload, hash_md5;

	/* ---- what flows need ---- */
	char *object;               /* of op->key */
	char *to_object;            /* of op->to_key or op->keep_key */
	struct store_entry present; /* what stands at `object` */
	struct store_entry other;   /* what stands at `to_object` */
	bool looked;                /* `present` is known */
	bool distrust;              /* a condition of the server's was found wrong */
	char **preserved;           /* header lines that a copy must repeat */
	struct buf text;            /* a body of our own */
	char *upload_id;
	int number; /* of a part, of a page */
	struct s3_copy *copy;
};

/* ---- s3.c ---- */

/* Answers the operation and frees `x`; err NULL is success. Never inside start. */
void s3_finish(struct s3_op *x, const struct err *err);
/* With x->err. */
void s3_fail(struct s3_op *x);
/* Inside start: what cannot even be asked. Answers later, with x->err. */
void s3_refuse_start(struct s3_op *x);

void s3_flow(struct s3_op *x); /* the first request of its verb */

/* ---- s3_role.c: keys of the machine's own role, where no others are named ---- */

/* Are no keys named anywhere, so that only the machine's role is left? */
bool s3_credentials_none(const struct s3 *s3);
void s3_role_new(struct s3 *s3);
void s3_role_free(struct s3 *s3);
/* True: the operation waits for keys; s3_flow or its end comes then. */
bool s3_role_waits(struct s3_op *x);
/* True: it waits, and its end comes with the answer. */
bool s3_role_cancel(struct s3_op *x);

/* ---- s3_request.c ---- */

/* "name: value" for the next call, the name in lower case. */
void s3_header(struct s3_op *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, of "name: " and its value: for what every object has. */
void s3_header_is(struct s3_op *x, const char *name, const char *value);
/* Hashes, signs, sends; `call` is copied, what it points to borrowed. The last thing a step
 * does. */
void s3_send(struct s3_op *x, const struct s3_call *call);
/* A plain HEAD. */
void s3_look(struct s3_op *x, const char *object);
/* Walks the XML of a 2xx, whose outermost element is `root`. -1 with x->err: it is another
 * document, or an error in disguise. */
int s3_read(struct s3_op *x, const char *root, s3_xml_ended *ended, void *user);
void s3_request_release(struct s3_op *x);

/* ---- s3_name.c ---- */

/* What `key` of this kind is called in the bucket. The caller's. */
char *s3_object(const struct s3 *s3, const char *key, enum store_kind kind);
int s3_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err);
/* Adds "name=value", encoded. The caller adds in sorted order. */
void s3_query(struct buf *query, const char *name, const char *value);

/* ---- s3_meta.c ---- */

struct store_hash s3_hash_of_etag(const struct s3 *s3, const char *etag);
/* Storage class and encryption: of every object that is made. */
void s3_class_headers(struct s3_op *x);
void s3_time_headers(struct s3_op *x, enum store_kind kind, int64_t mtime_ns, int mode);
/* All of them for op's content; `large`: with the MD5 that the ETag will not be. */
/* The MD5 of what was sent in parts, where the operation knows it. */
void s3_md5_header(struct s3_op *x);
void s3_meta_headers(struct s3_op *x, bool large);
/* What the headers of the last answer say about an object. The caller's to release. */
struct store_entry s3_meta_entry(const struct s3_op *x, enum store_kind kind);
/* x->preserved from the headers of the last answer; `times` too. -1 with x->err: too many. */
int s3_meta_preserve(struct s3_op *x, bool times);
/* `name`: "if-match", say; nothing where this server takes none, or `version` is NULL. */
void s3_match_header(struct s3_op *x, const char *name, enum s3_match match, const char *version);
bool s3_match_works(enum s3_match match);
/* The time of the server, from its Date; 0: it told none. */
int64_t s3_server_ns(const struct s3_op *x);

/* ---- flows ---- */

void s3_list(struct s3_op *x);
/* Fills the answer from a page that came; -1 with x->err, and then nothing of it. */
int s3_list_read(struct s3_op *x);
void s3_revisions(struct s3_op *x);
void s3_stat(struct s3_op *x);
void s3_get(struct s3_op *x);
void s3_set(struct s3_op *x);
void s3_about(struct s3_op *x);
void s3_put(struct s3_op *x); /* also PART_END, and REMOVE of what is no folder */
void s3_copy_or_move(struct s3_op *x);
void s3_make_folder(struct s3_op *x);
void s3_remove_folder(struct s3_op *x);
void s3_part_begin(struct s3_op *x);
void s3_part_put(struct s3_op *x);
void s3_part_copy(struct s3_op *x);
void s3_part_query(struct s3_op *x);
void s3_part_abort(struct s3_op *x);

/* Sets x->upload_id and x->object from op->session; -1 with x->err. */
int s3_open_session(struct s3_op *x);
/* The last request of PART_END, and what it answered: -1 with x->err. */
void s3_part_end_send(struct s3_op *x);
int s3_part_end_read(struct s3_op *x);

/* ---- s3_upload.c: the requests that uploads and large copies share ---- */

void s3_upload_begin(struct s3_op *x, const char *object); /* metadata headers are set before */
int s3_upload_began(struct s3_op *x);                      /* sets x->upload_id; -1 with x->err */
/* "partNumber=..&uploadId=.." in x->text; borrowed. */
const char *s3_upload_query(struct s3_op *x, int number);
void s3_upload_end(
	struct s3_op *x, const char *object, const struct store_part *parts, size_t count);
int s3_upload_ended(struct s3_op *x, char **etag); /* -1 with x->err */
/* For s3_read(): the text of an ETag element, into a char *. */
void s3_etag_ended(void *user, const char *path, const char *text);
/* Part `number` of `object` from bytes of another: the headers that name the source, and what comes
 * back: the part's receipt, the caller's; NULL with x->err. */
void s3_upload_copy(
	struct s3_op *x, const char *object, int number, int64_t offset, int64_t length);
void s3_copy_source(struct s3_op *x, const char *from, const char *version);
char *s3_upload_copied(struct s3_op *x);

/* ---- s3_copy.c ---- */

/* Copies within the bucket, in parts where it is too large for one request. Then x->step is called
 * as after s3_send(), and on success s3_copy_etag() is the copy's. `version`: of `from`, checked
 * where the server can; NULL: any. `describe` NULL: the metadata go along; else it sets the headers
 * of the copy's. */
void s3_copy(struct s3_op *x, const char *from, const char *to, const char *version,
	void (*describe)(struct s3_op *x));
const char *s3_copy_etag(const struct s3_op *x);
void s3_copy_release(struct s3_op *x);

/* ---- s3_credentials.c ---- */

int s3_credentials_read(const struct s3 *s3, struct s3_credentials *credentials, struct err *err);
void s3_credentials_release(struct s3_credentials *credentials);

#endif
