#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "store/s3_sign.h"

enum { KEY_BYTES = 32, DAY_LEN = 8, SIGNING_MAX = 256 << 10 };

/* By their names: a ':' ends one, and so is less than anything in it. */
static int by_name(const void *left, const void *right) {
	const unsigned char *l = *(unsigned char *const *)left, *r = *(unsigned char *const *)right;

	while (*l == *r && *l && *l != ':') l++, r++;
	return (*l == ':' ? 0 : *l) - (*r == ':' ? 0 : *r);
}

void s3_sort_headers(char **headers, size_t count) {
	qsort(headers, count, sizeof(*headers), by_name);
}

/* "name:value": without blanks around the value, runs of blanks inside it as one. */
static void add_header(struct buf *out, const char *line) {
	size_t name = strcspn(line, ":");
	const char *at = line + name + 1;

	buf_add(out, line, name);
	buf_addc(out, ':');
	at += strspn(at, " ");
	while (*at) {
		size_t word = strcspn(at, " "), blanks = strspn(at + word, " ");
		buf_add(out, at, word);
		at += word + blanks;
		if (blanks && *at) buf_addc(out, ' ');
	}
	buf_addc(out, '\n');
}

static void add_signed_names(const struct s3_signing *signing, struct buf *out) {
	for (size_t i = 0; i < signing->header_count; i++) {
		if (i) buf_addc(out, ';');
		buf_add(out, signing->headers[i], strcspn(signing->headers[i], ":"));
	}
}

void s3_canonical_request(const struct s3_signing *signing, struct buf *out) {
	/* Not printf: this is written and hashed for every request. */
	const char *const lines[] = { signing->method, signing->path, signing->query };
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		buf_adds(out, lines[i]);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < signing->header_count; i++) add_header(out, signing->headers[i]);
	buf_addc(out, '\n');
	add_signed_names(signing, out);
	buf_addc(out, '\n');
	buf_adds(out, signing->payload_hash);
}

static void add_scope(const struct s3_signing *signing, struct buf *out) {
	buf_add(out, signing->date, strnlen(signing->date, DAY_LEN));
	buf_addc(out, '/');
	buf_adds(out, signing->region);
	buf_adds(out, "/s3/aws4_request");
}

void s3_string_to_sign(const struct s3_signing *signing, struct buf *out) {
	struct buf canonical;
	uint8_t hash[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];

	buf_init(&canonical, SIGNING_MAX);
	s3_canonical_request(signing, &canonical);
	digest_of(DIGEST_SHA256, canonical.at, canonical.len, hash);
	hex_encode(hash, KEY_BYTES, hex);
	buf_release(&canonical);
	buf_adds(out, "AWS4-HMAC-SHA256\n");
	buf_adds(out, signing->date);
	buf_addc(out, '\n');
	add_scope(signing, out);
	buf_addc(out, '\n');
	buf_adds(out, hex);
}

void s3_signing_key(const char *secret, const char *day, const char *region, const char *service,
	uint8_t *key) {
	const char *const rounds[] = { region, service, "aws4_request" };
	char *first = xasprintf("AWS4%s", secret);

	hmac_sha256(first, strlen(first), day, strlen(day), key);
	crypto_wipe(first, strlen(first));
	free(first);
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		uint8_t next[DIGEST_MAX];
		hmac_sha256(key, KEY_BYTES, rounds[i], strlen(rounds[i]), next);
		memcpy(key, next, KEY_BYTES);
		crypto_wipe(next, sizeof(next));
	}
}

char *s3_authorization(
	const struct s3_signing *signing, const char *access_key_id, const uint8_t *key) {
	struct buf text;
	uint8_t signature[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];

	buf_init(&text, SIGNING_MAX);
	s3_string_to_sign(signing, &text);
	hmac_sha256(key, KEY_BYTES, text.at, text.len, signature);
	hex_encode(signature, KEY_BYTES, hex);
	buf_clear(&text);
	buf_adds(&text, "AWS4-HMAC-SHA256 Credential=");
	buf_adds(&text, access_key_id);
	buf_addc(&text, '/');
	add_scope(signing, &text);
	buf_adds(&text, ", SignedHeaders=");
	add_signed_names(signing, &text);
	buf_adds(&text, ", Signature=");
	buf_adds(&text, hex);
	return buf_steal(&text);
}
