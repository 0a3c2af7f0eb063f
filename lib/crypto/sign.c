#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"

static EVP_PKEY *read_key(const char *pem) {
	BIO *bio = BIO_new_mem_buf(pem, -1);
	/* A key with a passphrase cannot be asked for here. */
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;

	BIO_free(bio);
	return key;
}

uint8_t *rs256_sign(
	const char *pem, const void *bytes, size_t len, size_t *signature_len, struct err *err) {
	EVP_PKEY *key = read_key(pem);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *signature = NULL;

	if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
		err_set(err, ERR_INVALID, "no RSA private key in PEM");
	} else if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) <= 0 ||
		   EVP_DigestSign(context, NULL, signature_len, bytes, len) <= 0) {
		err_set(err, ERR_SYSTEM, "cannot sign");
	} else {
		signature = xmalloc(*signature_len);
		if (EVP_DigestSign(context, signature, signature_len, bytes, len) <= 0) {
			free(signature);
			signature = NULL;
			err_set(err, ERR_SYSTEM, "cannot sign");
		}
	}
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return signature;
}

char *base64url_encode(const void *bytes, size_t len) {
	char *text = base64_encode(bytes, len);

	for (char *at = text; *at; at++) {
		if (*at == '+') *at = '-';
		if (*at == '/') *at = '_';
		if (*at == '=') *at = '\0';
	}
	return text;
}
