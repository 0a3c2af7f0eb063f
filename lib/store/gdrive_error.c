#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "store/gdrive_error.h"
#include "store/rest.h"

/* Google tells by a reason what a status alone does not: 403 is "too fast", "no room" and "not yours". */

enum {
	FILE_PAUSE_MS = 600000,
	HOUR_MS = 3600000,
	DAY_SIGN_MS = 600000,
	DAY_PAUSE_MS = 3 * HOUR_MS, /* each try would be refused as well */
};

struct row {
	const char *reason;
	enum err_kind kind;
	const char *cause, *advice;
	uint32_t retry_ms;
};

static const struct row rows[] = {
	{ "userRateLimitExceeded", ERR_BUSY, "too many requests", "", 0 },
	{ "rateLimitExceeded", ERR_BUSY, "too many requests", "", 0 },
	{ "sharingRateLimitExceeded", ERR_BUSY, "too many requests", "", 0 },
	{ "dailyLimitExceeded", ERR_BUSY, "the day's requests of this project are used up",
		"it goes on tomorrow", HOUR_MS },
	{ "downloadQuotaExceeded", ERR_BUSY, "this file was fetched too often",
		"it can be had again within a day", FILE_PAUSE_MS },
	{ "quotaExceeded", ERR_FULL, "the quota is used up", "free or buy room", 0 },
	{ "teamDriveFileLimitExceeded", ERR_FULL, "the shared drive takes no more files",
		"remove some, or use another shared drive", 0 },
	{ "numChildrenInNonRootLimitExceeded", ERR_FULL, "a folder holds 500,000 things already",
		"split it", 0 },
	{ "activeItemCreationLimitExceeded", ERR_FULL, "the account has made too many things",
		"remove some for good", 0 },
	{ "authError", ERR_DENIED, "the token is not accepted", NULL, 0 },
	{ "insufficientPermissions", ERR_DENIED, "the token does not allow this", NULL, 0 },
	{ "insufficientScopes", ERR_DENIED, "the token does not allow this", NULL, 0 },
	{ "insufficientFilePermissions", ERR_DENIED, "no right to change this",
		"its owner can give the right of an editor", 0 },
	{ "insufficientParentPermissions", ERR_DENIED, "no right to change this folder",
		"its owner can give the right of an editor", 0 },
	{ "appNotAuthorizedToFile", ERR_DENIED, "it was made by another program",
		"with `scope = drive` tend sees those too; then run tend auth again", 0 },
	{ "accessNotConfigured", ERR_DENIED, "the Drive API is not enabled in your project",
		"enable it in Google's console under APIs & Services", 0 },
	{ "domainPolicy", ERR_DENIED, "the administrator does not allow this",
		"ask the administrator", 0 },
	{ "cannotDownloadAbusiveFile", ERR_INVALID, "Google takes it for malware",
		"its owner can fetch it in the browser", 0 },
	{ "fileNotDownloadable", ERR_INVALID, "a document of Google's has no bytes", "", 0 },
	{ "teamDriveHierarchyTooDeep", ERR_INVALID, "nested deeper than 100 folders", "", 0 },
	{ "myDriveHierarchyDepthLimitExceeded", ERR_INVALID, "nested deeper than 100 folders", "",
		0 },
	{ "notFound", ERR_NOT_FOUND, "not there", "", 0 },
	{ "fileIdInUse", ERR_CHANGED, "there already", "", 0 },
	{ "backendError", ERR_BUSY, "the server had an error inside", "", 0 },
	{ "internalError", ERR_BUSY, "the server had an error inside", "", 0 },
};

static const struct {
	int status;
	const char *reason;
} statuses[] = {
	{ 401, "authError" },
	{ 404, "notFound" },
	{ 409, "fileIdInUse" },
	{ 410, "notFound" },
	{ 429, "rateLimitExceeded" },
	{ 500, "internalError" },
	{ 502, "backendError" },
	{ 503, "backendError" },
	{ 504, "backendError" },
	{ 507, "quotaExceeded" },
};

static const struct row *row_of(const char *reason) {
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].reason, reason) == 0) return &rows[i];
	}
	return NULL;
}

static void no_room(const struct gdrive_case *facts, struct err *err) {
	if (facts->service_account) {
		err_set(err, ERR_FULL,
			"a service account has no storage of its own: set `shared_drive` to one "
			"that it is a "
			"member of, or `impersonate` to a user, or sign in with tend auth %s",
			facts->remote);
		return;
	}
	err_set(err, ERR_FULL, "the storage of this Google account is full; free or buy room");
}

bool gdrive_error_is_rate(int status, const char *reason) {
	return status == 429 || (status == 403 && (!strcmp(reason, "userRateLimitExceeded") ||
							  !strcmp(reason, "rateLimitExceeded")));
}

int64_t gdrive_error_pause(int64_t refused_since_ms, int64_t now_ms) {
	return now_ms - refused_since_ms < DAY_SIGN_MS ? 0 : DAY_PAUSE_MS;
}

void gdrive_error_judge(const struct gdrive_case *facts, struct err *err) {
	const struct row *row = row_of(facts->reason);

	if (strcmp(facts->reason, "storageQuotaExceeded") == 0) {
		no_room(facts, err);
		return;
	}
	for (size_t i = 0; !row && i < ARRAY_LEN(statuses); i++) {
		if (statuses[i].status == facts->status) row = row_of(statuses[i].reason);
	}
	if (!row) {
		bool wrong = facts->status >= 400 && facts->status < 500;
		err_set(err, wrong ? ERR_INVALID : ERR_SYSTEM,
			"Google Drive answered %d %s: %.120s", facts->status, facts->reason,
			facts->message);
		return;
	}
	if (row->advice) {
		err_set(err, row->kind, "Google Drive: %s%s%s", row->cause,
			*row->advice ? "; " : "", row->advice);
	} else {
		err_set(err, row->kind, "Google Drive: %s; run tend auth %s", row->cause,
			facts->remote);
	}
	if (row->kind != ERR_BUSY) return;
	err->retry_ms =
		facts->retry_after_ms > row->retry_ms ? facts->retry_after_ms : row->retry_ms;
}

bool gdrive_error_read(const char *body, size_t len, char *reason, size_t reason_size,
	char *message, size_t message_size) {
	json_t *json = json_loadb(body, len, 0, NULL);
	const json_t *error = json_object_get(json, "error");
	const json_t *first = json_array_get(json_object_get(error, "errors"), 0);
	const char *why = json_string_value(json_object_get(first, "reason"));
	const char *text = json_string_value(json_object_get(error, "message"));
	bool known = json_is_object(error);

	rest_quote(reason, reason_size, why ? why : "");
	rest_quote(message, message_size, text ? text : "");
	json_decref(json);
	return known;
}
