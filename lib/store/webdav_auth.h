/* Basic and Digest (RFC 7617, RFC 7616), without a request of any kind. */
#ifndef STORE_WEBDAV_AUTH_H
#define STORE_WEBDAV_AUTH_H

#include "crypto/crypto.h"

/* What a server wants to know of whoever asks. Zeroes: it has not said yet. */
struct webdav_auth {
	enum { WEBDAV_AUTH_NONE, WEBDAV_AUTH_BASIC, WEBDAV_AUTH_DIGEST } scheme;
	char *realm, *nonce, *opaque;
	enum digest_kind digest;
	bool qop;       /* the server counts requests, and knows one that is sent again */
	bool session;   /* "-sess" */
	bool stale;     /* only the nonce was too old */
	unsigned count; /* requests with this nonce */
};

void webdav_auth_release(struct webdav_auth *auth);
/* Takes up a WWW-Authenticate header, Digest rather than Basic. -1: it offers neither. */
int webdav_auth_challenge(struct webdav_auth *auth, const char *header);
/* The Authorization header for one request to `uri`, path and query as they are sent. The caller's
 * to wipe and free; NULL: nothing is known to say. */
char *webdav_auth_answer(struct webdav_auth *auth, const char *user, const char *password,
	const char *method, const char *uri, const char *cnonce);

#endif
