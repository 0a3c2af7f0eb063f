#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * Metadata of an object, as rclone writes it: mtime in seconds with nine decimals, mode in octal
 * with the kind's bits, and the MD5 of what was sent in parts in base64.
 */

enum { PRESERVED_MAX = 40, TIME_TEXT_MAX = 40, MODE_TEXT_MAX = 16 };

struct store_hash s3_hash_of_etag(const struct s3 *s3, const char *etag) {
	struct store_hash hash = { .kind = STORE_HASH_NONE };
	char hex[33];
	int64_t parts;

	if (!etag || strlen(etag) < 32 || s3->opaque_etags) return hash;
	memcpy(hex, etag, 32);
	hex[32] = '\0';
	if (hex_decode(hex, hash.bytes, sizeof(hash.bytes)) != 16) return hash;
	if (!etag[32]) {
		hash.kind = STORE_HASH_MD5;
	} else if (etag[32] == '-' && !str_to_int(etag + 33, 1, 10000, &parts)) {
		hash.kind = STORE_HASH_MD5_PARTS;
		hash.parts = (int)parts;
	}
	return hash;
}

/* ---- to headers ---- */

void s3_class_headers(struct s3_op *x) {
	if (x->s3->storage_class) s3_header(x, "x-amz-storage-class: %s", x->s3->storage_class);
	if (x->s3->sse) s3_header(x, "x-amz-server-side-encryption: %s", x->s3->sse);
}

/* "-1.500000000" is a second and a half before 1970. */
static void put_time(char text[TIME_TEXT_MAX], int64_t mtime_ns) {
	uint64_t ns = mtime_ns < 0 ? 0 - (uint64_t)mtime_ns : (uint64_t)mtime_ns;
	uint64_t below = ns % NS_PER_S;
	char *to = text;

	if (mtime_ns < 0) *to++ = '-';
	to = str_put_int(to, (int64_t)(ns / NS_PER_S));
	*to++ = '.';
	for (uint64_t unit = NS_PER_S / 10; unit; unit /= 10)
		*to++ = (char)('0' + below / unit % 10);
	*to = '\0';
}

static void put_octal(char text[MODE_TEXT_MAX], unsigned mode) {
	char *to = text;
	int shift = 0;

	while (mode >> shift >> 3) shift += 3;
	for (; shift >= 0; shift -= 3) *to++ = (char)('0' + (mode >> shift & 7));
	*to = '\0';
}

void s3_time_headers(struct s3_op *x, enum store_kind kind, int64_t mtime_ns, int mode) {
	if (mtime_ns != STORE_MTIME_UNKNOWN) {
		char text[TIME_TEXT_MAX];
		put_time(text, mtime_ns);
		s3_header_is(x, "x-amz-meta-mtime: ", text);
	}
	if (mode != STORE_MODE_UNKNOWN && kind != STORE_LINK) {
		char text[MODE_TEXT_MAX];
		put_octal(text, (unsigned)mode | (kind == STORE_FOLDER ? 040000u : 0100000u));
		s3_header_is(x, "x-amz-meta-mode: ", text);
	}
}

void s3_md5_header(struct s3_op *x) {
	if (x->op->hash.kind != STORE_HASH_MD5) return;
	char *text = base64_encode(x->op->hash.bytes, 16);
	s3_header(x, "x-amz-meta-md5chksum: %s", text);
	free(text);
}

void s3_meta_headers(struct s3_op *x, bool large) {
	const struct store_op *op = x->op;

	s3_header_is(x, "content-type: ", "application/octet-stream");
	s3_class_headers(x);
	s3_time_headers(x, op->kind, op->mtime_ns, op->mode);
	if (large || x->s3->opaque_etags) s3_md5_header(x);
}

bool s3_match_works(enum s3_match match) {
	return match == S3_MATCH_QUOTED || match == S3_MATCH_BARE;
}

void s3_match_header(struct s3_op *x, const char *name, enum s3_match match, const char *version) {
	if (!version || !s3_match_works(match)) return;
	const char *quote = match == S3_MATCH_QUOTED ? "\"" : "";
	s3_header(x, "%s: %s%s%s", name, quote, version, quote);
}

/* ---- from headers ---- */

static int64_t parse_mtime(const char *text) {
	bool before = *text == '-';
	int64_t seconds, ns = 0, scale = NS_PER_S;
	char whole[24];

	if (before) text++;
	size_t len = strcspn(text, ".");
	if (len >= sizeof(whole)) return STORE_MTIME_UNKNOWN;
	memcpy(whole, text, len);
	whole[len] = '\0';
	/* Nanoseconds in 64 bits end in the year 2262. */
	if (str_to_int(whole, 0, INT64_MAX / NS_PER_S - 1, &seconds)) return STORE_MTIME_UNKNOWN;
	for (const char *at = text + len + (text[len] == '.'); *at >= '0' && *at <= '9'; at++) {
		scale /= 10;
		ns += (*at - '0') * scale;
	}
	ns += seconds * NS_PER_S;
	return before ? -ns : ns;
}

static int parse_mode(const char *text) {
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	return *text && !*end ? (int)(mode & 07777) : STORE_MODE_UNKNOWN;
}

static int64_t parse_size(const struct http_request *request) {
	const char *range = http_header(request, "content-range"); /* "bytes 0-9/1234" */
	const char *slash = range ? strchr(range, '/') : NULL;
	const char *text = slash ? slash + 1 : http_header(request, "content-length");
	int64_t size;

	return text && !str_to_int(text, 0, INT64_MAX, &size) ? size : 0;
}

struct store_entry s3_meta_entry(const struct s3_op *x, enum store_kind kind) {
	const struct http_request *request = &x->request;
	const char *mtime = http_header(request, "x-amz-meta-mtime");
	const char *mode = http_header(request, "x-amz-meta-mode");
	const char *md5 = http_header(request, "x-amz-meta-md5chksum");
	const char *sse = http_header(request, "x-amz-server-side-encryption");
	struct store_entry entry = {
		.kind = kind,
		.size = kind == STORE_FOLDER ? 0 : parse_size(request),
		.mtime_ns = mtime ? parse_mtime(mtime) : STORE_MTIME_UNKNOWN,
		.mode = mode ? parse_mode(mode) : STORE_MODE_UNKNOWN,
		.marker = kind == STORE_FOLDER,
	};

	if (kind == STORE_FOLDER) return entry;
	entry.version = rest_etag(http_header(request, "etag"));
	/* With a key of its own for encryption, the ETag is that of what lies on the disk. */
	if (!sse || !str_starts(sse, "aws:")) entry.hash = s3_hash_of_etag(x->s3, entry.version);
	if (md5 && base64_decode(md5, entry.hash.bytes, sizeof(entry.hash.bytes)) == 16) {
		entry.hash.kind = STORE_HASH_MD5;
	}
	return entry;
}

int s3_meta_preserve(struct s3_op *x, bool times) {
	static const char *const kept[] = { "content-type", "cache-control", "content-disposition",
		"content-encoding", "content-language", "x-amz-storage-class" };
	const char *name, *value;

	strv_free(x->preserved);
	x->preserved = NULL;
	for (size_t at = 0; http_header_next(&x->request, &at, &name, &value);) {
		bool keep = str_starts(name, "x-amz-meta-");
		if (!times && (str_equal(name, "x-amz-meta-mtime") ||
				      str_equal(name, "x-amz-meta-mode"))) {
			keep = false;
		}
		for (size_t i = 0; i < ARRAY_LEN(kept); i++) keep |= str_equal(name, kept[i]);
		/* A class of ours goes before the one it has. */
		if (x->s3->storage_class && str_equal(name, "x-amz-storage-class")) keep = false;
		if (keep) strv_add_owned(&x->preserved, xasprintf("%s: %s", name, value));
	}
	if (strv_count(x->preserved) <= PRESERVED_MAX) return 0;
	return err_set(&x->err, ERR_INVALID, "more than %d metadata headers", PRESERVED_MAX);
}

int64_t s3_server_ns(const struct s3_op *x) {
	const char *date = http_header(&x->request, "date");
	int64_t ns;

	return date && !time_parse_http(date, &ns) ? ns : 0;
}
