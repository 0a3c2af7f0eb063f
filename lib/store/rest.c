#include "store/rest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_MS = 600000, /* AWS copies 5 GiB in some minutes */
	/* Which is a little less a millisecond: a server that stalls over a small one stalls as everything does. */
	COPIED_BYTES_MS = 8192,
	KEY_LENGTH = 32, /* the hash of least bits, in hex */
};

void rest_init(struct rest *rest) {
	*rest = (struct rest){ 0 };
	http_request_init(&rest->request, "GET", "");
}

void rest_drop_headers(struct rest *rest) {
	while (rest->header_count) free(rest->headers[--rest->header_count]);
	rest->headers[0] = NULL;
}

void rest_release(struct rest *rest) {
	rest_drop_headers(rest);
	http_request_release(&rest->request);
	free(rest->url);
	rest->url = NULL;
}

void rest_header(struct rest *rest, const char *format, ...) {
	va_list args;

	assert(rest->header_count < HTTP_HEADERS_MAX);
	va_start(args, format);
	rest->headers[rest->header_count++] = xvasprintf(format, args);
	rest->headers[rest->header_count] = NULL;
	va_end(args);
}

struct http_request *rest_prepare(struct rest *rest, const char *method, char *url) {
	struct http_request *request = &rest->request;

	http_request_release(request);
	free(rest->url);
	rest->url = url;
	http_request_init(request, method, url);
	request->headers = (const char *const *)rest->headers;
	return request;
}

#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-%~"

void rest_quote(char *at, size_t size, const char *text) {
	char *copy = xstrdup(text);
	size_t len = 0;

	log_redact(copy);
	for (const char *from = copy; *from && len + 1 < size;) {
		/* A signature is another for each request, so that the log does not know it; people's words are shorter. */
		size_t run = strspn(from, KEY_CHARACTERS);
		bool key = run >= KEY_LENGTH;
		at[len++] = key ? '*' : (unsigned char)*from < ' ' ? ' ' : *from;
		from += key ? run : 1;
	}
	at[len] = '\0';
	free(copy);
}

int64_t rest_server_ns(const struct http_request *request) {
	const char *date = http_header(request, "date");
	int64_t ns;

	return date && !time_parse_http(date, &ns) ? ns : 0;
}

char *rest_etag(const char *text) {
	if (!text) return NULL;
	if (str_starts(text, "W/")) text += 2;
	size_t len = strlen(text);
	bool quoted = len >= 2 && text[0] == '"' && text[len - 1] == '"';

	return quoted ? xstrndup(text + 1, len - 2) : xstrdup(text);
}

int64_t rest_patience_ms(int64_t bytes) {
	int64_t ms = bytes / COPIED_BYTES_MS;

	return bytes < 0 || ms > PATIENCE_MS ? PATIENCE_MS : ms;
}

int64_t rest_size(const struct http_request *request) {
	const char *range = http_header(request, "content-range"); /* "bytes 0-9/1234" */
	const char *slash = range ? strchr(range, '/') : NULL;
	const char *text = slash ? slash + 1 : http_header(request, "content-length");
	int64_t size;

	return text && !str_to_int(text, 0, INT64_MAX, &size) ? size : -1;
}
