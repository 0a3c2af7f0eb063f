#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/azure.h"
#include "store/azure_sign.h"

/* One request: signed, sent, and its answer judged. */

enum {
	ERROR_BODY_MAX = 64 << 10,
	CONNECT_MS = 10000,
};

/* ---- the answer ---- */

static void no_container(struct azure_op *x, struct err *err) {
	err_set(err, ERR_INVALID,
		"container '%s' does not exist at '%s': create it or correct `container`",
		x->azure->container, x->azure->endpoint);
}

static void wrong_login(struct azure_op *x, struct err *err) {
	const struct azure *azure = x->azure;
	int64_t now_ns = loop_wall_ns(azure->store.loop);
	int64_t server_ns = rest_server_ns(&x->rest.request), off_ns = now_ns - server_ns;

	if (azure->sas_file && azure->sas_ends_ns && azure->sas_ends_ns < now_ns) {
		char ended[TIME_TEXT_SIZE];
		time_format(azure->sas_ends_ns, ended);
		err_set(err, ERR_DENIED, "the SAS ended at %s: put a new one into `sas_file`",
			ended);
	} else if (azure->sas_file) {
		err_set(err, ERR_DENIED,
			"'%s' does not accept the SAS: put a new one into `sas_file`",
			azure->endpoint);
	} else if (server_ns && (off_ns > 900 * NS_PER_S || off_ns < -900 * NS_PER_S)) {
		err_set(err, ERR_DENIED, "the clock here is %lld s off that of '%s': set it right",
			(long long)(off_ns / NS_PER_S), azure->endpoint);
	} else {
		err_set(err, ERR_DENIED,
			"the key does not fit account '%s' at '%s': correct `key_file` or "
			"`account`",
			azure->account, azure->endpoint);
	}
}

/* Azurite calls another hash so; the service says Md5Mismatch. */
static void invalid(struct azure_op *x, struct err *err) {
	bool hash = x->call.md5 && strstr(x->rest.request.answer.at, "MD5");

	if (hash) {
		err_set(err, ERR_CHANGED, "what was sent is not what was hashed");
	} else {
		err_set(err, ERR_INVALID, "'%s' does not do that", x->azure->endpoint);
	}
}

/* The service could not read what it was to copy, for a reason that its status tells. */
static void no_source(struct azure_op *x, struct err *err);

static const struct {
	const char *code;
	enum err_kind kind;
	const char *text;
	void (*special)(struct azure_op *x, struct err *err);
} codes[] = {
	{ "ContainerNotFound", ERR_INVALID, NULL, no_container },
	{ "AuthenticationFailed", ERR_DENIED, NULL, wrong_login },
	{ "InvalidAuthenticationInfo", ERR_DENIED, NULL, wrong_login },
	{ "NoAuthenticationInformation", ERR_DENIED, NULL, wrong_login },
	{ "AuthorizationFailure", ERR_DENIED, NULL, wrong_login },
	{ "AuthorizationPermissionMismatch", ERR_DENIED,
		"the SAS lacks a right: it needs r, a, c, w, d and l", NULL },
	{ "AuthorizationServiceMismatch", ERR_DENIED, "the SAS is not for blobs", NULL },
	{ "AuthorizationResourceTypeMismatch", ERR_DENIED,
		"the SAS must be for the container and its objects", NULL },
	{ "InsufficientAccountPermissions", ERR_DENIED, "the account may not do that", NULL },
	{ "AccountIsDisabled", ERR_DENIED, "the account is disabled", NULL },
	{ "BlobNotFound", ERR_NOT_FOUND, "not there", NULL },
	{ "ResourceNotFound", ERR_NOT_FOUND, "not there", NULL },
	{ "CannotVerifyCopySource", ERR_NOT_FOUND, NULL, no_source },
	{ "BlobAlreadyExists", ERR_CHANGED, "is there already", NULL },
	{ "ConditionNotMet", ERR_CHANGED, "changed by somebody else", NULL },
	{ "TargetConditionNotMet", ERR_CHANGED, "changed by somebody else", NULL },
	{ "SourceConditionNotMet", ERR_CHANGED, "changed by somebody else", NULL },
	{ "Md5Mismatch", ERR_CHANGED, "what was sent is not what was hashed", NULL },
	{ "InvalidOperation", ERR_INVALID, NULL, invalid },
	{ "InvalidBlockList", ERR_NOT_FOUND, "this upload is not known any more", NULL },
	{ "BlobArchived", ERR_INVALID, "it is archived: rehydrate it first", NULL },
	{ "SnapshotsPresent", ERR_INVALID, "it has snapshots, which are left alone", NULL },
	{ "LeaseIdMissing", ERR_BUSY, "somebody holds a lease on it", NULL },
	{ "PendingCopyOperation", ERR_BUSY, "a copy to it goes on", NULL },
	{ "ContainerBeingDeleted", ERR_BUSY, "the container is being deleted", NULL },
	{ "ServerBusy", ERR_BUSY, "too many requests", NULL },
	{ "InsufficientStorage", ERR_FULL, "no room left; free or buy room", NULL },
	{ "OperationTimedOut", ERR_BUSY, "the server cannot answer now", NULL },
	{ "InternalError", ERR_BUSY, "the server had an error inside", NULL },
};

/* Of what stands before a server, and of HEAD where it names no code. */
static const char *code_of_status(int status) {
	switch (status) {
	case 401:
	case 403: return "AuthenticationFailed";
	case 404: return "BlobNotFound";
	case 409:
	case 412: return "ConditionNotMet";
	case 429:
	case 503: return "ServerBusy";
	case 408:
	case 504: return "OperationTimedOut";
	case 507: return "InsufficientStorage";
	case 500:
	case 502: return "InternalError";
	default: return "";
	}
}

static bool judge_code(struct azure_op *x, const char *code) {
	struct err *err = &x->flow.err;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (!str_equal(codes[i].code, code)) continue;
		if (codes[i].special) {
			codes[i].special(x, err);
		} else {
			err_set(err, codes[i].kind, "%s: container '%s' at '%s'", codes[i].text,
				x->azure->container, x->azure->endpoint);
		}
		return true;
	}
	return false;
}

static void no_source(struct azure_op *x, struct err *err) {
	if (!judge_code(x, code_of_status(x->status)))
		err_set(err, ERR_SYSTEM, "'%s' cannot read what it is to copy (%d)",
			x->azure->endpoint, x->status);
}

static void judge(struct azure_op *x) {
	const struct http_request *request = &x->rest.request;
	struct err *err = &x->flow.err;

	/* A missing folder is an empty list; 404 for the container must never pass for one. */
	if (!x->call.object && x->status == 404) {
		no_container(x, err);
	} else if (!judge_code(x, x->code) && !judge_code(x, code_of_status(x->status))) {
		err_set(err, x->status == 400 ? ERR_INVALID : ERR_SYSTEM, "'%s' answered %d %s",
			x->azure->endpoint, x->status, x->code);
	}
	if (err->kind == ERR_BUSY)
		err->retry_ms = http_retry_after(request, loop_wall_ns(x->azure->store.loop));
}

/* A hotel's network answers everybody's requests with its own page, and what it says is said of no blob. */
static bool is_anothers(const struct azure_op *x) {
	int status = x->status;

	if (!x->azure->names_requests || http_header(&x->rest.request, "x-ms-request-id"))
		return false;
	return status < 400 || status == 401 || status == 403 || status == 404 || status == 412;
}

static void answered(struct http_request *request, const struct err *err) {
	struct rest *rest = container_of(request, struct rest, request);
	struct azure_op *x = container_of(rest, struct azure_op, rest);
	const char *code = err ? NULL : http_header(request, "x-ms-error-code");

	rest_drop_headers(rest);
	x->status = err ? 0 : request->status;
	rest_quote(x->code, sizeof(x->code), code ? code : "");
	err_clear(&x->flow.err);
	if (err) {
		x->flow.err = *err;
	} else if (is_anothers(x)) {
		err_set(&x->flow.err, ERR_OFFLINE,
			"'%s' does not answer as Azure does (%d, no x-ms-request-id): check "
			"`endpoint` "
			"and the network",
			x->azure->endpoint, x->status);
	} else if (x->status < 200 || x->status > 299) {
		judge(x);
	}
	x->answered(x);
}

/* ---- XML ---- */

int azure_read(struct azure_op *x, const char *root, s3_xml_ended *ended, void *user) {
	const struct buf *body = &x->rest.request.answer;
	size_t skip = str_starts(body->at, "\xef\xbb\xbf") ? 3 : 0; /* it begins with a mark */

	int found = s3_xml_read(body->at + skip, body->len - skip, root, ended, user, &x->flow.err);
	if (found != 0) return found < 0 ? -1 : 0;
	return err_set(&x->flow.err, ERR_CORRUPT,
		"'%s' does not answer as Azure does: check `endpoint` and the network",
		x->azure->endpoint);
}

void azure_query(struct buf *query, const char *name, const char *value) {
	char *encoded = str_percent_encode(value, "");

	if (query->len) buf_addc(query, '&');
	buf_addf(query, "%s=%s", name, encoded);
	free(encoded);
}

/* ---- the question ---- */

static void sign(struct azure_op *x, const char *path) {
	const struct azure *azure = x->azure;
	struct rest *rest = &x->rest;
	struct azure_signing signing = {
		.method = x->call.method,
		.account = azure->account,
		.path = path,
		.query = x->call.query ? x->call.query : "",
		.headers = (const char *const *)rest->headers,
		.count = rest->header_count,
		.body_len = x->call.body_len,
	};
	char *value = azure_authorization(&signing, azure->key, azure->key_len);

	rest_header(rest, "authorization: %s", value);
	free(value);
}

static void common_headers(struct azure_op *x) {
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)(loop_wall_ns(x->azure->store.loop) / NS_PER_S);
	struct tm tm;

	gmtime_r(&now, &tm);
	rest_header(&x->rest, "x-ms-date: %s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	rest_header(&x->rest, "x-ms-version: 2021-08-06");
	if (x->call.body) rest_header(&x->rest, "content-type: application/octet-stream");
	if (x->call.md5 && x->call.md5->kind == STORE_HASH_MD5) {
		char *md5 = base64_encode(x->call.md5->bytes, 16);
		rest_header(&x->rest, "content-md5: %s", md5);
		free(md5);
	}
}

void azure_send(
	struct azure_op *x, const struct azure_call *call, void (*done)(struct azure_op *x)) {
	const struct azure *azure = x->azure;
	const char *query = call->query ? call->query : "";

	x->call = *call;
	x->answered = done;
	common_headers(x);
	char *object = call->object ? str_percent_encode(call->object, "/") : NULL;
	char *path = xasprintf("%s%s%s", azure->base_path, object ? "/" : "", object ? object : "");
	if (azure->key_len) sign(x, path);
	bool sas = azure->sas.len > 0;
	char *url = xasprintf("%s%s%s%s%s%s", azure->base, path, *query || sas ? "?" : "", query,
		*query && sas ? "&" : "", sas ? azure->sas.text : "");
	struct http_request *request = rest_prepare(&x->rest, call->method, url);
	request->body = call->body;
	request->body_len = call->body_len;
	request->ca_file = azure->ca_file;
	request->connect_ms = azure->timeout_ms < CONNECT_MS ? azure->timeout_ms : CONNECT_MS;
	request->moved = &x->flow.op->moved_bytes;
	request->idle_ms = azure->timeout_ms + call->patience_ms;
	request->answer_max = call->answer_max > ERROR_BODY_MAX ? call->answer_max : ERROR_BODY_MAX;
	request->done = answered;
	http_request_start(azure->http, request);
	free(object);
	free(path);
}
