#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/* One request: logged in, sent, and its answer judged. */

enum {
	ERROR_BODY_MAX = 64 << 10,
	STREAM_MAX = 256 << 10, /* of a multi-status, between two looks at it */
	CONNECT_MS = 10000,
	LOGIN_TRIES = 3, /* unknown scheme, stale nonce */
};

void webdav_request_release(struct webdav_op *x) {
	rest_release(&x->rest);
	webdav_xml_free(x->xml);
	x->xml = NULL;
	free(x->uri);
	x->uri = NULL;
}

/* ---- the answer ---- */

static const char *address(const struct webdav_op *x) {
	return x->dav->store.label;
}

static void judge_denied(struct webdav_op *x, int status) {
	struct webdav *dav = x->dav;

	if (status == 403) {
		err_set(&x->flow.err, ERR_DENIED,
			"'%s' forbids %s: check that this user may list, read, write and delete "
			"there",
			address(x), x->call.method);
	} else if (status == 407) {
		err_set(&x->flow.err, ERR_DENIED, "a proxy before '%s' wants a login", address(x));
	} else if (!dav->user) {
		err_set(&x->flow.err, ERR_DENIED,
			"'%s' wants a login: set `user` and `password_file`", address(x));
	} else if (dav->auth.scheme == WEBDAV_AUTH_NONE) {
		err_set(&x->flow.err, ERR_DENIED,
			"'%s' wants a login that is neither Basic nor Digest", address(x));
	} else {
		err_set(&x->flow.err, ERR_DENIED,
			"'%s' does not accept user '%s' with this password: correct `user` or "
			"`password_file`",
			address(x), dav->user);
	}
}

static void judge(struct webdav_op *x, int status) {
	struct err *err = &x->flow.err;
	int64_t now_ns = loop_wall_ns(x->dav->store.loop);

	switch (status) {
	case 401:
	case 403:
	case 407: judge_denied(x, status); break;
	case 404:
	case 410: err_set(err, ERR_NOT_FOUND, "not there"); break;
	case 409: err_set(err, ERR_NOT_FOUND, "the folder it belongs in is not there"); break;
	case 400: err_set(err, ERR_INVALID, "'%s' takes no such name", address(x)); break;
	case 412: err_set(err, ERR_CHANGED, "changed by somebody else"); break;
	case 413:
		err_set(err, ERR_INVALID,
			"'%s' takes no body of %zu bytes: raise the server's limit", address(x),
			x->call.body_len);
		break;
	case 414: err_set(err, ERR_INVALID, "'%s' takes no name so long", address(x)); break;
	case 408: err_set(err, ERR_OFFLINE, "the request came too slowly"); break;
	case 423: err_set(err, ERR_BUSY, "somebody has locked it"); break;
	case 507:
		err_set(err, ERR_FULL, "no room left at '%s': free or buy room", address(x));
		break;
	case 500:
		/* nginx, say, has no other word for a full disk. */
		err_set(err, ERR_BUSY,
			"'%s' failed at %s (500): see its log, and whether its disk is full",
			address(x), x->call.method);
		err->retry_ms = http_retry_after(&x->rest.request, now_ns);
		break;
	case 429:
	case 502:
	case 503:
	case 504:
		if (status == 429) {
			err_set(err, ERR_BUSY, "too many requests: '%s' wants a pause", address(x));
		} else {
			err_set(err, ERR_BUSY, "'%s' cannot answer now (%d)", address(x), status);
		}
		err->retry_ms = http_retry_after(&x->rest.request, now_ns);
		break;
	case 405:
	case 501:
		err_set(err, ERR_INVALID,
			"'%s' does not know %s: check that `url` is the address of a WebDAV folder",
			address(x), x->call.method);
		break;
	case 301:
	case 302:
	case 307:
	case 308: {
		const char *to = http_header(&x->rest.request, "location");
		char said[81];
		rest_quote(said, sizeof(said), to ? to : "somewhere else");
		err_set(err, ERR_INVALID, "'%s' sends on to '%s': correct `url`", address(x), said);
		break;
	}
	default:
		err_set(err, ERR_SYSTEM, "'%s' answered %d to %s", address(x), status,
			x->call.method);
	}
}

/* Of a DELETE, COPY or MOVE: that a part is not there, or another than expected, says so of none but that part. */
static void judge_inside(struct webdav_op *x, int status) {
	struct err *err = &x->flow.err;

	judge(x, status);
	if (!x->item_came && (err->kind == ERR_NOT_FOUND || err->kind == ERR_CHANGED))
		err_set(err, ERR_BUSY, "'%s' did a part of %s only (%d for another)", address(x),
			x->call.method, status);
}

static void read_multistatus(struct webdav_op *x, bool last) {
	struct buf *answer = &x->rest.request.answer;

	if (x->xml_err.kind == ERR_NONE)
		webdav_xml_feed(x->xml, answer->at, answer->len, last, &x->xml_err);
	buf_clear(answer);
}

static void arrived(struct http_request *request) {
	struct rest *rest = container_of(request, struct rest, request);
	struct webdav_op *x = container_of(rest, struct webdav_op, rest);

	if (request->status == 207) {
		read_multistatus(x, false);
	} else {
		buf_clear(&request->answer);
	}
	http_request_resume(request);
}

static void came(void *user, const struct webdav_item *item) {
	struct webdav_op *x = user;

	if (x->item_came) {
		x->item_came(x, item);
	} else if (item->status > x->member_status) {
		x->member_status = item->status; /* of a DELETE, COPY or MOVE: what failed inside */
	}
}

static void start(struct webdav_op *x);

/* Takes up what the server wants of whoever asks. True: it is asked again. */
static bool log_in(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	const char *name, *value;
	bool offered = false;
	bool with_nonce = dav->auth.scheme == WEBDAV_AUTH_DIGEST && x->with_auth;
	char *nonce = with_nonce ? xstrdup(dav->auth.nonce) : NULL;

	if (!dav->user || x->flow.op->cancelled || ++x->tries >= LOGIN_TRIES) {
		free(nonce);
		return false;
	}
	for (size_t at = 0; http_header_next(&x->rest.request, &at, &name, &value);) {
		if (str_equal(name, "www-authenticate"))
			offered |= webdav_auth_challenge(&dav->auth, value) == 0;
	}
	/* A login that was refused is right only when its nonce had become too old; some servers
	 * do not say so. */
	bool other = dav->auth.scheme == WEBDAV_AUTH_DIGEST &&
		     (dav->auth.stale || !str_equal(nonce, dav->auth.nonce));
	free(nonce);
	if (!offered || (x->with_auth && !other)) return false;
	start(x);
	return true;
}

static void answered(struct http_request *request, const struct err *err) {
	struct rest *rest = container_of(request, struct rest, request);
	struct webdav_op *x = container_of(rest, struct webdav_op, rest);

	x->status = err ? 0 : request->status;
	err_clear(&x->flow.err);
	if (!err && request->status == 401 && log_in(x)) return;
	rest_drop_headers(rest);
	if (err) {
		x->flow.err = *err;
	} else if (request->status == 207 && x->xml) {
		read_multistatus(x, true);
		x->flow.err = x->xml_err;
		if (x->flow.err.kind == ERR_NONE && x->member_status > 299)
			judge_inside(x, x->member_status);
	} else if (request->status < 200 || request->status > 299) {
		judge(x, request->status);
	} else if (str_equal(x->call.method, "PROPFIND")) {
		/* A page of a hotel's network, say: no list at all is no empty one. */
		err_set(&x->flow.err, ERR_CORRUPT,
			"'%s' does not answer as WebDAV does: check `url` and the network",
			address(x));
	}
	webdav_xml_free(x->xml);
	x->xml = NULL;
	x->answered(x);
}

/* ---- the question ---- */

static void authorize(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	uint8_t bytes[8];
	char cnonce[2 * sizeof(bytes) + 1];

	x->with_auth = false;
	if (!dav->user || dav->auth.scheme == WEBDAV_AUTH_NONE) return;
	loop_random(dav->store.loop, bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), cnonce);
	char *line = webdav_auth_answer(
		&dav->auth, dav->user, dav->password.text, x->call.method, x->uri, cnonce);
	rest_header(&x->rest, "%s", line);
	crypto_wipe(line, strlen(line));
	free(line);
	x->with_auth = true;
}

static void start(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	struct rest *rest = &x->rest;

	if (x->with_auth) { /* that of the try before */
		char *line = rest->headers[--rest->header_count];
		crypto_wipe(line, strlen(line));
		free(line);
		rest->headers[rest->header_count] = NULL;
	}
	authorize(x);
	webdav_xml_free(x->xml);
	x->xml = x->call.multistatus ? webdav_xml_new(came, x) : NULL;
	err_clear(&x->xml_err);
	x->member_status = 0;
	struct http_request *request =
		rest_prepare(rest, x->call.method, xconcat(dav->base, x->uri));
	request->body = x->call.body;
	request->body_len = x->call.body_len;
	request->ca_file = dav->ca_file;
	request->connect_ms = dav->timeout_ms < CONNECT_MS ? dav->timeout_ms : CONNECT_MS;
	request->moved = &x->flow.op->moved_bytes;
	request->idle_ms = dav->timeout_ms + x->call.patience_ms;
	request->answer_max =
		x->call.answer_max > ERROR_BODY_MAX ? x->call.answer_max : ERROR_BODY_MAX;
	if (x->call.multistatus) {
		request->answer_max = STREAM_MAX;
		request->arrived = arrived;
	}
	request->done = answered;
	http_request_start(dav->http, request);
}

void webdav_send(struct webdav_op *x, const struct webdav_call *call,
	void (*answered_)(struct webdav_op *x)) {
	x->call = *call;
	x->answered = answered_;
	x->tries = 0;
	x->with_auth = false;
	free(x->uri);
	x->uri = str_percent_encode(*call->path ? call->path : "/", "/");
	if (call->depth) rest_header(&x->rest, "Depth: %s", call->depth);
	if (call->to) {
		char *to = str_percent_encode(call->to, "/");
		rest_header(&x->rest, "Destination: %s%s", x->dav->base, to);
		free(to);
	}
	start(x);
}
