/* The signature of a request to Azure's storage ("Authorize with Shared Key"), and what a SAS says of itself. */
#ifndef STORE_AZURE_SIGN_H
#define STORE_AZURE_SIGN_H

#include "crypto/crypto.h"

struct azure_signing {
	const char *method;
	const char *account;
	const char *path;           /* as it is sent, encoded */
	const char *query;          /* "name=value&...", encoded; "": none */
	const char *const *headers; /* "name: value", names in lower case; `count` of them */
	size_t count;
	size_t body_len;
};

/* What is signed. The caller's. */
char *azure_string_to_sign(const struct azure_signing *signing);
/* The value of the Authorization header. The caller's. */
char *azure_authorization(const struct azure_signing *signing, const uint8_t *key, size_t key_len);
/* When a SAS, the query of an address, ends; 0: it does not say. */
int64_t azure_sas_expiry_ns(const char *sas);

#endif
