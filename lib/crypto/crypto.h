/*
 * crypto: digests, HMAC, hex and base64, and secrets that wipe themselves. OpenSSL does the work.
 *
 * Any thread may call everything here on structs of its own, save secret_*: those name the secret
 * to the log, so the loop thread calls them. Lengths are bytes. Nothing here can fail but what
 * takes an err or says -1.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* ---- digests ---- */

/* SEAL: are these the bytes that were read before? By a key that dies with the process, at a tenth
 * of the price; it is no name for anything. */
enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SEAL };

enum { DIGEST_MAX = 32 }; /* bytes; `out` of everything below holds as many */

/* One that is being computed; embed it. Zeroed is fine for digest_release. */
struct digest {
	enum digest_kind kind;
	void *context; /* NULL: not begun, or ended */
};

void digest_init(struct digest *digest, enum digest_kind kind);
void digest_add(struct digest *digest, const void *bytes, size_t len);
size_t digest_end(struct digest *digest, uint8_t *out); /* the length; releases, so once only */
void digest_release(
	struct digest *digest); /* of one that was given up; harmless after digest_end */

size_t digest_of(enum digest_kind kind, const void *bytes, size_t len, uint8_t *out);
size_t digest_len(enum digest_kind kind);
const char *digest_name(enum digest_kind kind); /* "md5" "sha1" "sha256" "seal" */

enum { SEAL_KEY_LEN = 32, SEAL_LEN = 16 };

/* The seal by a key of the caller's, which outlives the process where it is kept. */
void seal_of(const uint8_t key[SEAL_KEY_LEN], const void *bytes, size_t len, uint8_t out[SEAL_LEN]);

/* RFC 2104 with SHA-256: 32 bytes. */
void hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t *out);

/* ---- bytes as text ---- */

/* Lower case; `out` holds 2 * len + 1. */
void hex_encode(const void *bytes, size_t len, char *out);
/* The number of bytes, -1 when it is not hex or more than `max`. */
long hex_decode(const char *text, void *out, size_t max);

/* RFC 4648 §4, padded, no line ends. The caller's. */
char *base64_encode(const void *bytes, size_t len);
/* The number of bytes, -1 when it is not that form exactly or more than `max`. */
long base64_decode(const char *text, void *out, size_t max);

/* RFC 4648 §5, without padding: for URLs and JWTs. The caller's. */
char *base64url_encode(const void *bytes, size_t len);

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3, "RS256") by a private key in PEM. The caller's; NULL with err: no such key. */
uint8_t *rs256_sign(
	const char *pem, const void *bytes, size_t len, size_t *signature_len, struct err *err);

/* ---- secrets ---- */

void crypto_wipe(void *bytes, size_t len); /* not optimised away */
bool crypto_equal(
	const void *left, const void *right, size_t len); /* in a time that tells nothing */

/* Before anything secret is read: no core dump of this process may hold it. Not inherited by programs it starts. */
void crypto_forbid_core_dumps(void);

struct secret {
	char *text; /* NULL: none; else NUL-ended */
	size_t len;
};

enum { SECRET_MAX = 64 << 10 };

/* Reads a file that only its owner can read, at most SECRET_MAX, without one newline at its end,
 * and names it to the log, which will never write it. ERR_DENIED: group or others can read it.
 * `secret` is empty when it fails. */
int secret_read_file(const char *path, struct secret *secret, struct err *err);
void secret_set(struct secret *secret, const char *text); /* a copy; named to the log as well */
void secret_release(struct secret *secret);               /* wipes; harmless on an empty one */

#endif
