#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/* Metadata of a blob: mtime as rclone writes it, RFC 3339 with nine decimals, and mode in octal with the kind's bits. */

/* ---- to headers ---- */

void azure_time_headers(struct azure_op *x, enum store_kind kind, int64_t mtime_ns, int mode) {
	char text[TIME_TEXT_SIZE];

	if (mtime_ns != STORE_MTIME_UNKNOWN) {
		int64_t part = mtime_ns % NS_PER_S;
		if (part < 0) part += NS_PER_S; /* before 1970 the second is that below */
		time_format(mtime_ns - part, text);
		text[strlen("2026-11-22T14:03:07")] = '\0';
		rest_header(&x->rest, "x-ms-meta-mtime: %s.%09lldZ", text, (long long)part);
	}
	if (mode != STORE_MODE_UNKNOWN && kind != STORE_LINK)
		rest_header(&x->rest, "x-ms-meta-mode: %o",
			(unsigned)mode | (kind == STORE_FOLDER ? 040000u : 0100000u));
}

void azure_condition_headers(struct azure_op *x) {
	const struct flow *flow = &x->flow;

	if (flow->op->if_absent) rest_header(&x->rest, "if-none-match: *");
	if (flow->op->if_version && !flow->distrust)
		rest_header(&x->rest, "if-match: \"%s\"", flow->op->if_version);
}

/* ---- from headers ---- */

int64_t azure_parse_time(const char *text) {
	const char *dot = strchr(text, '.');
	char whole[TIME_TEXT_SIZE];
	int64_t ns, part = 0, scale = NS_PER_S;
	size_t len = strlen("2026-11-22T14:03:07");

	if (strlen(text) < len + 1) return STORE_MTIME_UNKNOWN;
	snprintf(whole, sizeof(whole), "%.*sZ", (int)len, text);
	if (time_parse(whole, &ns)) return STORE_MTIME_UNKNOWN;
	const char *at = text + len;
	if (dot == at) {
		for (at++; *at >= '0' && *at <= '9'; at++) {
			scale /= 10;
			part += (*at - '0') * scale;
		}
	}
	return str_equal(at, "Z") ? ns + part : STORE_MTIME_UNKNOWN;
}

int azure_parse_mode(const char *text) {
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	return *text && !*end ? (int)(mode & 07777) : STORE_MODE_UNKNOWN;
}

struct store_entry azure_entry(const struct azure_op *x, enum store_kind kind) {
	const struct http_request *request = &x->rest.request;
	const char *mtime = http_header(request, "x-ms-meta-mtime");
	const char *mode = http_header(request, "x-ms-meta-mode");
	/* Of a span the plain header is the span's own. */
	const char *md5 = http_header(request, "x-ms-blob-content-md5");
	struct store_entry entry = {
		.kind = kind,
		.marker = kind == STORE_FOLDER,
		.mtime_ns = mtime ? azure_parse_time(mtime) : STORE_MTIME_UNKNOWN,
		.mode = mode ? azure_parse_mode(mode) : STORE_MODE_UNKNOWN,
	};

	if (kind == STORE_FOLDER) return entry;
	if (kind == STORE_LINK) entry.mode = STORE_MODE_UNKNOWN;
	entry.size = rest_size(request);
	if (entry.size < 0) entry.size = 0;
	entry.version = rest_etag(http_header(request, "etag"));
	if (!md5 && !http_header(request, "content-range"))
		md5 = http_header(request, "content-md5");
	if (md5 && base64_decode(md5, entry.hash.bytes, sizeof(entry.hash.bytes)) == 16)
		entry.hash.kind = STORE_HASH_MD5;
	return entry;
}

void azure_metadata_keep(struct azure_op *x) {
	const char *name, *value;

	strv_free(x->metadata);
	x->metadata = NULL;
	for (size_t at = 0; http_header_next(&x->rest.request, &at, &name, &value);) {
		if (str_starts(name, "x-ms-meta-") && !str_equal(name, "x-ms-meta-mtime") &&
			!str_equal(name, "x-ms-meta-mode"))
			strv_add_owned(&x->metadata, xasprintf("%s: %s", name, value));
	}
}
