#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"
#include "store/s3_sign.h"

/* One request: hashed, signed, sent, and its answer judged. */

enum {
	ERROR_BODY_MAX = 64 << 10,
	CONNECT_MS = 10000,
	INLINE_HASH_MAX =
		256 << 10, /* above it a job hashes: 8 MiB would hold the loop for 20 ms */
};

void s3_header(struct s3_op *x, const char *format, ...) {
	va_list args;

	assert(x->header_count < HTTP_HEADERS_MAX - 8); /* those that every request gets */
	va_start(args, format);
	x->headers[x->header_count++] = xvasprintf(format, args);
	va_end(args);
}

static void own_header(struct s3_op *x, char *line) {
	assert(x->header_count < HTTP_HEADERS_MAX);
	x->headers[x->header_count++] = line;
}

void s3_header_is(struct s3_op *x, const char *name, const char *value) {
	assert(x->header_count < HTTP_HEADERS_MAX - 8);
	own_header(x, xconcat(name, value));
}

static void drop_headers(struct s3_op *x) {
	while (x->header_count) free(x->headers[--x->header_count]);
	x->headers[0] = NULL;
}

void s3_request_release(struct s3_op *x) {
	drop_headers(x);
	http_request_release(&x->request);
	free(x->url);
	free(x->path);
	x->url = x->path = NULL;
}

/* ---- the answer ---- */

static void judge(struct s3_op *x, int status) {
	struct s3_case facts = {
		.status = status,
		.wordless = x->request.answer.len == 0,
		.error = x->error,
		.bucket = x->s3->bucket,
		.endpoint = x->s3->endpoint,
		.region = x->s3->region,
		.region_header = http_header(&x->request, "x-amz-bucket-region"),
		.own_ns = loop_wall_ns(x->s3->store.loop),
		.server_ns = s3_server_ns(x),
	};

	facts.retry_after_ms = http_retry_after(&x->request, facts.own_ns);
	s3_error_judge(&facts, &x->err);
}

/*
 * A hotel's network answers everybody's requests with its own page: 200, 302, 403 or 404, and none of them says anything about
 * an object. Believed, they would end in "changed by somebody else" and in deletions that never were. What stands before a
 * server (502, 503, 429) may speak for it.
 */
static bool is_anothers(const struct s3_op *x) {
	int status = x->request.status;

	if (!x->s3->names_requests || http_header(&x->request, "x-amz-request-id")) return false;
	return status < 400 || status == 401 || status == 403 || status == 404 || status == 412;
}

static void answered(struct http_request *request, const struct err *err) {
	struct s3_op *x = container_of(request, struct s3_op, request);

	drop_headers(x);
	memset(&x->error, 0, sizeof(x->error));
	err_clear(&x->err);
	if (err) {
		x->err = *err;
	} else if (is_anothers(x)) {
		err_set(&x->err, ERR_OFFLINE,
			"'%s' does not answer as S3 does (%d, no x-amz-request-id): check "
			"`endpoint` and the network",
			x->s3->endpoint, request->status);
	} else if (request->status < 200 || request->status > 299) {
		s3_error_read(request->answer.at, request->answer.len, &x->error);
		/* A missing folder is an empty list; 404 for the bucket must never pass for one. */
		if (!x->call.object && request->status == 404) {
			snprintf(x->error.code, sizeof(x->error.code), "NoSuchBucket");
		}
		judge(x, request->status);
	}
	x->step(x);
}

int s3_read(struct s3_op *x, const char *root, s3_xml_ended *ended, void *user) {
	const struct buf *body = &x->request.answer;
	const char *error = strstr(body->at, "<Error");

	/* Work that takes long is begun with 200, and what came of it stands in the body. */
	if (error && error - body->at < 256) {
		s3_error_read(body->at, body->len, &x->error);
		judge(x, x->request.status);
		return -1;
	}
	int found = s3_xml_read(body->at, body->len, root, ended, user, &x->err);
	if (found != 0) return found < 0 ? -1 : 0;
	/* A hotel's network answers 200 to everything. */
	return err_set(&x->err, ERR_CORRUPT,
		"'%s' does not answer as S3 does: check `endpoint` and the network",
		x->s3->endpoint);
}

/* ---- the question ---- */

static const uint8_t *signing_key(struct s3 *s3, const char *date) {
	if (strncmp(s3->key_day, date, 8) != 0) {
		memcpy(s3->key_day, date, 8);
		s3_signing_key(s3->credentials.secret.text, s3->key_day, s3->region, "s3", s3->key);
	}
	return s3->key;
}

static void sign(struct s3_op *x) {
	struct s3 *s3 = x->s3;
	char date[TIME_TEXT_SIZE];

	time_format_compact(loop_wall_ns(s3->store.loop), date);
	date[strlen("20130524T000000")] = 'Z'; /* in place of the milliseconds */
	date[strlen("20130524T000000Z")] = '\0';
	own_header(x, xconcat("host: ", s3->host));
	own_header(x, xconcat("x-amz-date: ", date));
	own_header(x, xconcat("x-amz-content-sha256: ", x->payload_hash));
	if (x->call.body && !x->call.no_md5 && !x->call.sha256) {
		char *md5 = base64_encode(x->call.md5 ? x->call.md5->bytes : x->md5, 16);
		own_header(x, xconcat("content-md5: ", md5));
		free(md5);
	}
	if (s3->credentials.token.len) {
		own_header(x, xconcat("x-amz-security-token: ", s3->credentials.token.text));
	}
	s3_sort_headers(x->headers, x->header_count);
	struct s3_signing signing = {
		.method = x->call.method,
		.path = x->path,
		.query = x->call.query ? x->call.query : "",
		.headers = x->headers,
		.header_count = x->header_count,
		.payload_hash = x->payload_hash,
		.date = date,
		.region = s3->region,
	};
	char *value =
		s3_authorization(&signing, s3->credentials.access_key_id, signing_key(s3, date));
	own_header(x, xconcat("authorization: ", value));
	x->headers[x->header_count] = NULL;
	free(value);
}

static void sign_and_start(struct s3_op *x) {
	struct s3 *s3 = x->s3;
	struct http_request *request = &x->request;

	sign(x);
	http_request_release(request);
	http_request_init(request, x->call.method, x->url);
	request->headers = (const char *const *)x->headers;
	request->body = x->call.body;
	request->body_len = x->call.body_len;
	request->ca_file = s3->ca_file;
	request->connect_ms = s3->timeout_ms < CONNECT_MS ? s3->timeout_ms : CONNECT_MS;
	request->moved = &x->op->moved_bytes;
	request->idle_ms = s3->timeout_ms + x->call.patience_ms;
	request->body_speed = x->op->bytes_per_second;
	request->answer_max =
		x->call.answer_max > ERROR_BODY_MAX ? x->call.answer_max : ERROR_BODY_MAX;
	request->done = answered;
	http_request_start(s3->http, request);
}

/* On a worker, or on the loop for what is small. */
static int hash_work(struct job *job, struct err *err) {
	struct s3_op *x = container_of(job, struct s3_op, job);
	const struct s3_call *call = &x->call;
	uint8_t hash[DIGEST_MAX];

	if (x->hash_md5) digest_of(DIGEST_MD5, call->body, call->body_len, x->md5);
	if (x->hash_payload) {
		digest_of(DIGEST_SHA256, call->body, call->body_len, hash);
		hex_encode(hash, 32, x->payload_hash);
	}
	return 0;
}

static void hash_done(struct job *job, const struct err *err) {
	struct s3_op *x = container_of(job, struct s3_op, job);

	x->job.impl = NULL;
	if (err || x->op->cancelled) {
		drop_headers(x);
		err_set(&x->err, ERR_CANCELLED, "cancelled");
		x->step(x);
		return;
	}
	sign_and_start(x);
}

void s3_send(struct s3_op *x, const struct s3_call *call) {
	struct s3 *s3 = x->s3;

	if (x->op->cancelled) {
		err_set(&x->err, ERR_CANCELLED, "cancelled");
		s3_fail(x);
		return;
	}
	x->call = *call;
	free(x->url);
	free(x->path);
	char *encoded = call->object ? str_percent_encode(call->object, "/") : NULL;
	const char *const path[] = { s3->base_path, encoded || !*s3->base_path ? "/" : "",
		encoded ? encoded : "" };
	x->path = xjoin(path, ARRAY_LEN(path));
	const char *const url[] = { s3->secure ? "https://" : "http://", s3->host, x->path,
		call->query ? "?" : "", call->query ? call->query : "" };
	x->url = xjoin(url, ARRAY_LEN(url));
	free(encoded);

	/* Over TLS nobody can change the payload on its way. */
	x->hash_payload = call->body_len > 0 && !s3->secure && !call->sha256;
	x->hash_md5 = call->body && !call->no_md5 && !call->md5 && !call->sha256;
	const char *presumed = call->body_len > 0 ? S3_UNSIGNED : S3_EMPTY_SHA256;
	memcpy(x->payload_hash, presumed, strlen(presumed) + 1);
	if (call->sha256) hex_encode(call->sha256, 32, x->payload_hash);
	bool work = x->hash_payload || x->hash_md5;
	if (work && call->body_len > INLINE_HASH_MAX) {
		x->job = (struct job){ .work = hash_work, .done = hash_done };
		job_start(s3->store.loop, &x->job);
		return;
	}
	if (work) hash_work(&x->job, NULL);
	sign_and_start(x);
}

void s3_look(struct s3_op *x, const char *object) {
	s3_send(x, &(struct s3_call){ .method = "HEAD", .object = object });
}
