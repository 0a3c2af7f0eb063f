#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/internal.h"

/*
 * Headers are kept as "name\0value\0name\0value\0", names in lower case: looked up by walking,
 * since an answer has a dozen and an owner asks for two or three.
 */

static bool is_space(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int keep_header(struct buf *headers, const char *line, size_t len) {
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : 0, at = name_len + 1;

	if (!colon || name_len == 0 || memchr(line, '\0', len)) return 0; /* no header */
	while (at < len && is_space(line[at])) at++;
	while (len > at && is_space(line[len - 1])) len--;
	if (headers->max - headers->len < name_len + len - at + 2) return -1;
	/* Ten of them come with each answer. */
	char *to = buf_room(headers, name_len + len - at + 2);
	if (!to) return -1;
	for (size_t i = 0; i < name_len; i++) *to++ = (char)tolower((unsigned char)line[i]);
	*to++ = '\0';
	memcpy(to, line + at, len - at);
	to[len - at] = '\0';
	buf_filled(headers, name_len + len - at + 2);
	return 0;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200": a new answer begins (one of 100 may have come before). */
static int status_of(const char *line, size_t len) {
	const char *space = memchr(line, ' ', len);
	int status = 0;

	if (!space) return 0;
	for (const char *at = space + 1; at < line + len && isdigit((unsigned char)*at); at++) {
		status = status * 10 + (*at - '0');
		if (status > 999) return 0;
	}
	return status;
}

size_t http_header_came(char *bytes, size_t one, size_t len, void *user) {
	struct http_slot *slot = user;
	struct http_request *request = slot->request;

	if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		request->status = status_of(bytes, len);
		buf_clear(&request->answer_headers);
		slot->head_whole = false;
		return len;
	}
	if (len <= 2 && is_space(bytes[0])) slot->head_whole = true;
	if (keep_header(&request->answer_headers, bytes, len)) {
		slot->headers_too_long = true;
		return 0;
	}
	return len;
}

static void mark_grown(struct http_request *request) {
	if (request->grown || !request->arrived) return;
	request->grown = true;
	list_add_tail(&request->http->grown, &request->link);
}

size_t http_body_came(char *bytes, size_t one, size_t len, void *user) {
	struct http_slot *slot = user;
	struct http_request *request = slot->request;

	if (request->answer_max == 0) return len;
	if (len > request->answer.max - request->answer.len) {
		if (request->arrived) {
			slot->paused = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		slot->too_long = true;
		return 0;
	}
	buf_add(&request->answer, bytes, len);
	mark_grown(request);
	return len;
}

bool http_header_next(
	const struct http_request *request, size_t *at, const char **name, const char **value) {
	const struct buf *headers = &request->answer_headers;

	if (*at >= headers->len) return false;
	*name = headers->at + *at;
	*value = *name + strlen(*name) + 1;
	*at = (size_t)(*value - headers->at) + strlen(*value) + 1;
	return true;
}

const char *http_header(const struct http_request *request, const char *wanted) {
	const char *name, *value;

	for (size_t at = 0; http_header_next(request, &at, &name, &value);) {
		if (strcasecmp(name, wanted) == 0) return value;
	}
	return NULL;
}

uint32_t http_retry_after(const struct http_request *request, int64_t wall_ns) {
	/* Who is out of order says anything: after so long it is asked again. */
	static const int64_t most_s = 600;
	const char *value = http_header(request, "retry-after");
	int64_t seconds, then_ns;

	if (!value) return 0;
	if (str_to_int(value, 0, INT64_MAX, &seconds)) {
		if (time_parse_http(value, &then_ns)) return 0;
		seconds = then_ns > wall_ns ? (then_ns - wall_ns) / NS_PER_S + 1 : 0;
	}
	return (uint32_t)((seconds < most_s ? seconds : most_s) * 1000);
}
