/* One HTTP request with header lines of its own, as the drivers of web services send it. */
#ifndef STORE_REST_H
#define STORE_REST_H

#include "http/http.h"

struct rest {
	struct http_request request;
	char *url;
	char *headers[HTTP_HEADERS_MAX + 1];
	size_t header_count;
};

void rest_init(struct rest *rest);
void rest_release(struct rest *rest);
/* "name: value" for the next request. */
void rest_header(struct rest *rest, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rest_drop_headers(struct rest *rest);
/* Makes the request anew, with `url`, which is taken, and the headers so far. */
struct http_request *rest_prepare(struct rest *rest, const char *method, char *url);
/* What a server says, for people: one line, cut to `size`, without secrets and what looks like one. It may say what it was told. */
void rest_quote(char *at, size_t size, const char *text);
/* The time of the server, from its Date; 0: it told none. */
int64_t rest_server_ns(const struct http_request *request);
/* An ETag without W/ and quotes: the same wherever it comes from. The caller's; NULL stays NULL. */
char *rest_etag(const char *text);
/* How much longer than usual a server may take without a byte that is to copy so many bytes by itself; -1: nobody knows how
 * many. */
int64_t rest_patience_ms(int64_t bytes);
/* The size of the whole, of an answer that may be a part of it; -1: not told. */
int64_t rest_size(const struct http_request *request);

#endif
