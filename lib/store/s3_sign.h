/*
 * Signature Version 4 for S3, as pure functions: nothing here reads a clock or a file.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
#ifndef STORE_S3_SIGN_H
#define STORE_S3_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

#define S3_UNSIGNED     "UNSIGNED-PAYLOAD"
#define S3_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* One request as it is signed. */
struct s3_signing {
	const char *method;
	const char *path;     /* encoded once, never normalised; at least "/" */
	const char *query;    /* encoded, sorted, "a=b&c="; "" */
	char *const *headers; /* "name: value", names in lower case, sorted by name */
	size_t header_count;
	const char *payload_hash;
	const char *date; /* "20130524T000000Z" */
	const char *region;
};

void s3_canonical_request(const struct s3_signing *signing, struct buf *out);
void s3_string_to_sign(const struct s3_signing *signing, struct buf *out);
/* Good for one day ("20130524") and region. */
void s3_signing_key(
	const char *secret, const char *day, const char *region, const char *service, uint8_t *key);
/* The value of the Authorization header. The caller's. */
char *s3_authorization(
	const struct s3_signing *signing, const char *access_key_id, const uint8_t *key);

/* Sorts header lines as they are signed. */
void s3_sort_headers(char **headers, size_t count);

#endif
