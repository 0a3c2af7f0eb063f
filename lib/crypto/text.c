/* Bytes as text: hex and base64. */
#include <assert.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"

void hex_encode(const void *bytes, size_t len, char *out) {
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

long hex_decode(const char *text, void *out, size_t max) {
	size_t len = strlen(text);
	uint8_t *to = out;

	if (len % 2 != 0 || len / 2 > max) return -1;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
		if (high < 0 || low < 0) return -1;
		*to++ = (uint8_t)(high << 4 | low);
	}
	return (long)(len / 2);
}

char *base64_encode(const void *bytes, size_t len) {
	assert(len <= INT_MAX / 2); /* OpenSSL counts in int */
	char *text = xmalloc((len + 2) / 3 * 4 + 1);

	text[0] = '\0';
	if (len > 0) EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
	return text;
}

/* EVP_DecodeBlock forgives white space and padding anywhere; what we compare or sign has one form
 * only. */
static bool is_base64(const char *text, size_t len, size_t *padding) {
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t plain = strspn(text, alphabet);

	*padding = len - plain;
	return len % 4 == 0 && *padding <= 2 && strspn(text + plain, "=") == *padding;
}

long base64_decode(const char *text, void *out, size_t max) {
	size_t len = strlen(text), padding;

	if (!is_base64(text, len, &padding) || len > INT_MAX / 2) return -1;
	size_t real = len / 4 * 3 - padding;
	if (real > max) return -1;
	if (real == 0) return 0;

	/* OpenSSL writes the padding's bytes too, so not straight to `out`. */
	unsigned char *decoded = xmalloc(len / 4 * 3);
	int got = EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)len);
	if (got >= 0) memcpy(out, decoded, real);
	crypto_wipe(decoded, len / 4 * 3);
	free(decoded);
	return got < 0 ? -1 : (long)real;
}
