#include <string.h>

#include "store/rest.h"
#include "store/s3_error.h"
#include "store/s3_xml.h"

static void element_ended(void *user, const char *path, const char *text) {
	struct s3_error *error = user;

	if (strcmp(path, "Error/Code") == 0) rest_quote(error->code, sizeof(error->code), text);
	if (strcmp(path, "Error/Message") == 0)
		rest_quote(error->message, sizeof(error->message), text);
	if (strcmp(path, "Error/Region") == 0)
		rest_quote(error->region, sizeof(error->region), text);
}

void s3_error_read(const char *body, size_t len, struct s3_error *error) {
	struct err err;

	memset(error, 0, sizeof(*error));
	/* What came before it broke off is better than nothing. */
	if (len) s3_xml_walk(body, len, element_ended, error, &err);
}

/* ---- the cases with a text of their own ---- */

static void wrong_region(const struct s3_case *facts, struct err *err) {
	const char *region = facts->error.region[0] ? facts->error.region : facts->region_header;

	if (region && *region) {
		err_set(err, ERR_INVALID, "bucket '%s' is in region '%s': set `region = %s`",
			facts->bucket, region, region);
	} else {
		err_set(err, ERR_INVALID,
			"'%s' says that bucket '%s' is elsewhere (%s): correct `region` or "
			"`endpoint`",
			facts->endpoint, facts->bucket, facts->error.message);
	}
}

static void wrong_clock(const struct s3_case *facts, struct err *err) {
	char theirs[TIME_TEXT_SIZE] = "unknown", ours[TIME_TEXT_SIZE];

	if (facts->server_ns) time_format(facts->server_ns, theirs);
	time_format(facts->own_ns, ours);
	err_set(err, ERR_DENIED,
		"the clocks differ too much: it is %s here and %s at '%s'; set this machine's "
		"clock",
		ours, theirs, facts->endpoint);
}

static void no_bucket(const struct s3_case *facts, struct err *err) {
	err_set(err, ERR_INVALID,
		"bucket '%s' does not exist at '%s': create it or correct `bucket`", facts->bucket,
		facts->endpoint);
}

/* ---- the table ---- */

static const struct {
	const char *code;
	enum err_kind kind;
	const char *cause, *advice;
	void (*special)(const struct s3_case *facts, struct err *err);
} codes[] = {
	{ "AccessDenied", ERR_DENIED, "no access",
		"check that this key may list, read, write and delete there", NULL },
	{ "AllAccessDisabled", ERR_DENIED, "all access is disabled", "ask the owner", NULL },
	{ "AccountProblem", ERR_DENIED, "the account has a problem", "ask the provider", NULL },
	{ "InvalidAccessKeyId", ERR_DENIED, "the access key id is not known",
		"correct `access_key_id`", NULL },
	{ "SignatureDoesNotMatch", ERR_DENIED, "the secret key does not fit the access key id",
		"correct `secret_access_key_file`", NULL },
	{ "ExpiredToken", ERR_DENIED, "the session token has expired", "renew the credentials",
		NULL },
	{ "InvalidToken", ERR_DENIED, "the session token is not valid", "renew the credentials",
		NULL },
	{ "TokenRefreshRequired", ERR_DENIED, "the session token is too old",
		"renew the credentials", NULL },
	{ "RequestTimeTooSkewed", ERR_DENIED, NULL, NULL, wrong_clock },
	{ "RequestExpired", ERR_DENIED, NULL, NULL, wrong_clock },
	{ "NoSuchBucket", ERR_INVALID, NULL, NULL, no_bucket },
	{ "InvalidBucketName", ERR_INVALID, "no name of a bucket", "correct `bucket`", NULL },
	{ "NoSuchKey", ERR_NOT_FOUND, "not there", "", NULL },
	{ "NoSuchUpload", ERR_NOT_FOUND, "this upload is not known any more", "", NULL },
	{ "PreconditionFailed", ERR_CHANGED, "changed by somebody else", "", NULL },
	{ "ConditionalRequestConflict", ERR_BUSY, "somebody else writes it too", "", NULL },
	{ "OperationAborted", ERR_BUSY, "somebody else changes it too", "", NULL },
	{ "BadDigest", ERR_CHANGED, "what was sent is not what was hashed", "", NULL },
	{ "XAmzContentSHA256Mismatch", ERR_CHANGED, "what was sent is not what was hashed", "",
		NULL },
	{ "InvalidPart", ERR_CHANGED, "the server does not hold all parts of this upload", "",
		NULL },
	{ "InvalidPartOrder", ERR_INVALID, "parts out of order", "", NULL },
	{ "EntityTooSmall", ERR_INVALID, "a part is too small", "", NULL },
	{ "EntityTooLarge", ERR_INVALID, "larger than one object may be", "", NULL },
	{ "KeyTooLongError", ERR_INVALID, "the name is too long", "", NULL },
	{ "QuotaExceeded", ERR_FULL, "the quota is used up", "free or buy room", NULL },
	{ "InsufficientStorage", ERR_FULL, "no room left", "free or buy room", NULL },
	{ "SlowDown", ERR_BUSY, "too many requests", "", NULL },
	{ "TooManyRequests", ERR_BUSY, "too many requests", "", NULL },
	{ "ServiceUnavailable", ERR_BUSY, "the server cannot answer now", "", NULL },
	{ "InternalError", ERR_BUSY, "the server had an error inside", "", NULL },
	{ "RequestTimeout", ERR_OFFLINE, "the request came too slowly", "", NULL },
	{ "TemporaryRedirect", ERR_BUSY, "the bucket is on its way to another place", "", NULL },
	{ "PermanentRedirect", ERR_INVALID, NULL, NULL, wrong_region },
	{ "AuthorizationHeaderMalformed", ERR_INVALID, NULL, NULL, wrong_region },
	{ "IllegalLocationConstraintException", ERR_INVALID, NULL, NULL, wrong_region },
	{ "NotImplemented", ERR_INVALID, "the server cannot do that", "", NULL },
};

/* HEAD's answers have no body: the status must do. */
static const char *code_of_status(int status) {
	switch (status) {
	case 301: return "PermanentRedirect";
	case 307: return "TemporaryRedirect";
	case 401:
	case 403: return "AccessDenied";
	case 404: return "NoSuchKey";
	case 408: return "RequestTimeout";
	case 409: return "OperationAborted";
	case 412: return "PreconditionFailed";
	case 429: return "TooManyRequests";
	case 501: return "NotImplemented";
	case 500:
	case 502:
	case 504: return "InternalError";
	case 503: return "ServiceUnavailable";
	case 507: return "InsufficientStorage";
	default: return NULL;
	}
}

static bool judge_code(const struct s3_case *facts, const char *code, struct err *err) {
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (strcmp(codes[i].code, code) != 0) continue;
		if (codes[i].special) {
			codes[i].special(facts, err);
			return true;
		}
		err_set(err, codes[i].kind, "%s: bucket '%s' at '%s'%s%s", codes[i].cause,
			facts->bucket, facts->endpoint, *codes[i].advice ? "; " : "",
			codes[i].advice);
		return true;
	}
	return false;
}

void s3_error_judge(const struct s3_case *facts, struct err *err) {
	const char *code = facts->error.code;
	const char *from_status = code_of_status(facts->status);

	bool elsewhere = facts->region_header && !str_equal(facts->region_header, facts->region);

	if (!*code && elsewhere && (facts->status == 301 || facts->status == 400)) {
		wrong_region(facts, err); /* what a HEAD says without a body */
	} else if (facts->wordless && facts->status == 400) {
		/* So does AWS answer a HEAD when a session's token has expired. */
		err_set(err, ERR_DENIED,
			"'%s' refuses what was signed, and does not say why (400): renew the "
			"credentials, or correct `region`",
			facts->endpoint);
	} else if (!judge_code(facts, code, err) &&
		   !(from_status && judge_code(facts, from_status, err))) {
		err_set(err, facts->status == 400 ? ERR_INVALID : ERR_SYSTEM,
			"'%s' answered %d %s: %s", facts->endpoint, facts->status, code,
			facts->error.message);
	}
	if (err->kind == ERR_BUSY) err->retry_ms = facts->retry_after_ms;
}
