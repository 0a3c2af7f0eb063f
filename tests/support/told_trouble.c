/* What each provider answers on bad days, in its own words, and what a store must make of it. */
#include <string.h>

#include "support/told.h"

enum { ANY = -1 };

#define WAIT "Retry-After: 7\r\n"
#define XML  "Content-Type: application/xml\r\nx-amz-request-id: 1\r\n"
#define JSON "Content-Type: application/json; charset=UTF-8\r\n"

#define S3_BODY(code)                                                            \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>" code "</Code>" \
	"<Message>so it is</Message></Error>"
#define AZURE(code) "x-ms-request-id: 1\r\nx-ms-error-code: " code "\r\n"
#define DRIVE_BODY(status, reason)                                    \
	"{\"error\":{\"code\":" status                                \
	",\"message\":\"so it is\",\"errors\":[{\"reason\":\"" reason \
	"\",\"message\":\"so it is\",\"domain\":\"usageLimits\"}]}}"

static const struct row {
	int type; /* ANY: of all whose server is asked by HTTP */
	enum contract_trouble trouble;
	struct proxy_answer answer;
	struct contract_verdict verdict;
} rows[] = {
	{ REMOTE_S3, TROUBLE_RATE, { "503 Slow Down", WAIT XML, S3_BODY("SlowDown") },
		{ ERR_BUSY, 7000, "too many requests, or cannot answer now" } },
	{ REMOTE_S3, TROUBLE_FULL, { "403 Forbidden", XML, S3_BODY("QuotaExceeded") },
		{ ERR_FULL, 0, "free or buy room" } },
	/* AWS says so with 400, and to a HEAD without a word. */
	{ REMOTE_S3, TROUBLE_EXPIRED, { "400 Bad Request", XML, S3_BODY("ExpiredToken") },
		{ ERR_DENIED, 0, "renew the credentials" } },
	{ REMOTE_S3, TROUBLE_DENIED, { "403 Forbidden", XML, S3_BODY("InvalidAccessKeyId") },
		{ ERR_DENIED, 0, "correct `access_key_id`, or check that this key may" } },

	{ REMOTE_AZURE, TROUBLE_RATE, { "503 Server Busy", AZURE("ServerBusy") WAIT, "" },
		{ ERR_BUSY, 7000, "too many requests" } },
	{ REMOTE_AZURE, TROUBLE_DENIED, { "403 Forbidden", AZURE("AuthenticationFailed"), "" },
		{ ERR_DENIED, 0, "correct `key_file`, or put a new one into `sas_file`" } },

	{ REMOTE_GDRIVE, TROUBLE_RATE,
		{ "403 Forbidden", WAIT JSON, DRIVE_BODY("403", "userRateLimitExceeded") },
		{ ERR_BUSY, 7000, "too many requests" } },
	{ REMOTE_GDRIVE, TROUBLE_FULL,
		{ "403 Forbidden", JSON, DRIVE_BODY("403", "storageQuotaExceeded") },
		{ ERR_FULL, 0, "free or buy room" } },
	{ REMOTE_GDRIVE, TROUBLE_EXPIRED,
		{ "401 Unauthorized", JSON, DRIVE_BODY("401", "authError") }, { ERR_NONE, 0, "" } },
	{ REMOTE_GDRIVE, TROUBLE_DENIED,
		{ "401 Unauthorized", JSON, DRIVE_BODY("401", "authError") },
		{ ERR_DENIED, 0, "tend auth cloud" } },

	{ REMOTE_WEBDAV, TROUBLE_DENIED,
		{ "401 Unauthorized", "WWW-Authenticate: Basic realm=\"bench\"\r\n", "" },
		{ ERR_DENIED, 0, "correct `user` or `password_file`" } },

	{ ANY, TROUBLE_HICCUP, { "429 Too Many Requests", "", "" }, { ERR_NONE, 0, "" } },
	{ ANY, TROUBLE_RATE_BARE, { "429 Too Many Requests", WAIT, "" },
		{ ERR_BUSY, 7000, "too many requests" } },
	{ ANY, TROUBLE_UNAVAILABLE, { "503 Service Unavailable", WAIT, "later" },
		{ ERR_BUSY, 7000, "" } },
	{ ANY, TROUBLE_FULL_BARE, { "507 Insufficient Storage", "", "full" },
		{ ERR_FULL, 0, "free or buy room" } },
};

static const struct proxy_answer no_grant = {
	"400 Bad Request", JSON,
	"{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\"}"
};

static const struct row *row_of(int type, enum contract_trouble trouble) {
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].trouble == trouble && (rows[i].type == type || rows[i].type == ANY))
			return &rows[i];
	}
	return NULL;
}

static bool needs_room(const char *method) {
	return strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0 ||
	       strcmp(method, "PATCH") == 0 || strcmp(method, "MKCOL") == 0 ||
	       strcmp(method, "COPY") == 0 || strcmp(method, "PROPPATCH") == 0;
}

/* A login that nobody takes any more is renewed no more either. */
static bool asks_for_token(const struct told *told, const char *target) {
	return told->settings.type == REMOTE_GDRIVE && str_starts(target, "/token");
}

static const struct proxy_answer *decide(void *user, const char *method, const char *target) {
	struct told *told = user;
	const struct row *row = row_of(told->settings.type, told->trouble);
	bool token = asks_for_token(told, target);

	if (!row || (row->verdict.kind == ERR_FULL && !needs_room(method))) return NULL;
	if (token && (row->trouble != TROUBLE_DENIED || told->passes > 0)) return NULL;
	if (!token && told->passes-- > 0) return NULL;
	told->contract.troubled++;
	if (row->verdict.kind == ERR_NONE) told->trouble = TROUBLE_NONE; /* once */
	return token ? &no_grant : &row->answer;
}

static char **address_in(struct remote_settings *settings) {
	return settings->type == REMOTE_WEBDAV ? &settings->url : &settings->endpoint;
}

static const struct contract_verdict *set_trouble(
	struct contract *contract, enum contract_trouble trouble, int passes) {
	static const struct contract_verdict fine;
	struct told *told = container_of(contract, struct told, contract);
	const char *address = *address_in(&told->settings);

	/* Through TLS nobody sees what passes. */
	if (!address || !str_starts(address, "http://127.0.0.1:")) return NULL;
	const struct row *row = row_of(told->settings.type, trouble);
	contract->troubled = 0;
	told->trouble = row ? trouble : TROUBLE_NONE;
	told->passes = passes;
	return row ? &row->verdict : trouble == TROUBLE_NONE ? &fine : NULL;
}

static struct store *open_troubled(struct contract *contract, struct err *err) {
	struct told *told = container_of(contract, struct told, contract);
	struct remote_settings settings = told->settings;
	char **address = address_in(&settings), *rest;
	int port = (int)strtol(strchr(*address + 5, ':') + 1, &rest, 10);

	if (told->proxy_port != port) {
		proxy_free(told->proxy);
		told->proxy = proxy_new(contract->loop, port, decide, told);
		told->proxy_port = port;
	}
	char *ours = *address = xasprintf("http://127.0.0.1:%d%s", proxy_port(told->proxy), rest);
	struct store *store = told_open(told, &settings, told->probe, err);
	free(ours);
	return store;
}

void told_trouble_init(struct told *told) {
	told->contract.trouble = set_trouble;
	told->contract.open_troubled = open_troubled;
}
