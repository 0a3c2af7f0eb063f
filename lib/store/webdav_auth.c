#include "store/webdav_auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VALUE_MAX = 1024 };

void webdav_auth_release(struct webdav_auth *auth) {
	free(auth->realm);
	free(auth->nonce);
	free(auth->opaque);
	*auth = (struct webdav_auth){ 0 };
}

/* ---- the challenge ---- */

static const char *skip(const char *at, const char *chars) {
	return at + strspn(at, chars);
}

/* `name = value` or `name = "value"`. The end of it, NULL: here is none. */
static const char *read_pair(const char *at, struct buf *name, struct buf *value) {
	size_t len = strcspn(at, " \t=,\"");
	const char *after = skip(at + len, " \t");

	buf_clear(name);
	buf_clear(value);
	if (len == 0 || *after != '=') return NULL;
	buf_add(name, at, len);
	at = skip(after + 1, " \t");
	if (*at != '"') {
		len = strcspn(at, " \t,");
		buf_add(value, at, len);
		return at + len;
	}
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1]) at++;
		buf_addc(value, *at);
	}
	return *at ? at + 1 : at;
}

static void keep(char **at, const char *text) {
	free(*at);
	*at = xstrdup(text);
}

static void take_pair(struct webdav_auth *auth, const char *name, const char *value, bool *known) {
	if (strcasecmp(name, "realm") == 0) keep(&auth->realm, value);
	if (strcasecmp(name, "nonce") == 0) keep(&auth->nonce, value);
	if (strcasecmp(name, "opaque") == 0) keep(&auth->opaque, value);
	if (strcasecmp(name, "stale") == 0) auth->stale = strcasecmp(value, "true") == 0;
	if (strcasecmp(name, "qop") == 0) {
		/* "auth,auth-int": only the first of them is spoken here. */
		for (const char *at = value; *at; at = skip(at + strcspn(at, ", "), ", ")) {
			size_t len = strcspn(at, ", ");
			if (len == 4 && strncasecmp(at, "auth", 4) == 0) auth->qop = true;
		}
	}
	if (strcasecmp(name, "algorithm") == 0) {
		auth->session =
			strlen(value) > 5 && strcasecmp(value + strlen(value) - 5, "-sess") == 0;
		if (strncasecmp(value, "SHA-256", 7) == 0) {
			auth->digest = DIGEST_SHA256;
		} else if (strncasecmp(value, "MD5", 3) != 0) {
			*known = false;
		}
	}
}

static bool take_digest(struct webdav_auth *auth, const char *at) {
	struct webdav_auth fresh = { .scheme = WEBDAV_AUTH_DIGEST, .digest = DIGEST_MD5 };
	struct buf name, value;
	bool known = true;

	buf_init(&name, VALUE_MAX);
	buf_init(&value, VALUE_MAX);
	for (const char *next; (next = read_pair(at, &name, &value));) {
		take_pair(&fresh, name.at, value.at, &known);
		at = skip(next, " \t,");
	}
	known &= !name.full && !value.full && fresh.nonce && fresh.realm;
	buf_release(&name);
	buf_release(&value);
	if (!known) {
		webdav_auth_release(&fresh);
		return false;
	}
	webdav_auth_release(auth);
	*auth = fresh;
	return true;
}

int webdav_auth_challenge(struct webdav_auth *auth, const char *header) {
	const char *at = header;
	bool basic = false;

	/* One header may hold several: a word without "=" behind it begins the next. */
	while (*(at = skip(at, " \t,"))) {
		size_t len = strcspn(at, " \t,=\"");
		const char *after = skip(at + len, " \t");
		if (len == 6 && strncasecmp(at, "Digest", 6) == 0 && take_digest(auth, after))
			return 0;
		if (len == 5 && strncasecmp(at, "Basic", 5) == 0) basic = true;
		if (*after == '=') {
			after = skip(after + 1, " \t");
			if (*after == '"') {
				for (after++; *after && *after != '"'; after++) {
					if (*after == '\\' && after[1]) after++;
				}
				if (*after) after++;
			} else {
				after += strcspn(after, " \t,");
			}
		}
		at = after > at ? after : at + 1;
	}
	if (!basic || auth->scheme == WEBDAV_AUTH_DIGEST) return basic ? 0 : -1;
	auth->scheme = WEBDAV_AUTH_BASIC;
	return 0;
}

/* ---- the answer ---- */

static void hash_hex(const struct webdav_auth *auth, const struct buf *text, char *hex) {
	uint8_t hash[DIGEST_MAX];

	size_t len = digest_of(auth->digest, text->at, text->len, hash);
	hex_encode(hash, len, hex);
}

static char *basic(const char *user, const char *password) {
	char *pair = xasprintf("%s:%s", user, password);
	char *encoded = base64_encode(pair, strlen(pair));
	char *header = xconcat("Authorization: Basic ", encoded);

	log_secret(encoded);
	crypto_wipe(pair, strlen(pair));
	crypto_wipe(encoded, strlen(encoded));
	free(pair);
	free(encoded);
	return header;
}

static void add_quoted(struct buf *out, const char *name, const char *value) {
	buf_addf(out, ", %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\') buf_addc(out, '\\');
		buf_addc(out, *value);
	}
	buf_addc(out, '"');
}

static char *digest(struct webdav_auth *auth, const char *user, const char *password,
	const char *method, const char *uri, const char *cnonce) {
	char secret[2 * DIGEST_MAX + 1], what[2 * DIGEST_MAX + 1], response[2 * DIGEST_MAX + 1];
	struct buf text, header;
	unsigned count = ++auth->count;

	buf_init(&text, 64 << 10);
	buf_init(&header, 64 << 10);
	buf_addf(&text, "%s:%s:%s", user, auth->realm, password);
	hash_hex(auth, &text, secret);
	if (auth->session) {
		crypto_wipe(text.at, text.len);
		buf_clear(&text);
		buf_addf(&text, "%s:%s:%s", secret, auth->nonce, cnonce);
		hash_hex(auth, &text, secret);
	}
	crypto_wipe(text.at, text.len);
	buf_clear(&text);
	buf_addf(&text, "%s:%s", method, uri);
	hash_hex(auth, &text, what);
	buf_clear(&text);
	buf_addf(&text, "%s:%s:", secret, auth->nonce);
	if (auth->qop) buf_addf(&text, "%08x:%s:auth:", count, cnonce);
	buf_adds(&text, what);
	hash_hex(auth, &text, response);
	crypto_wipe(text.at, text.len);
	crypto_wipe(secret, sizeof(secret));

	buf_adds(&header, "Authorization: Digest algorithm=");
	buf_adds(&header, auth->digest == DIGEST_SHA256 ? "SHA-256" : "MD5");
	if (auth->session) buf_adds(&header, "-sess");
	add_quoted(&header, "username", user);
	add_quoted(&header, "realm", auth->realm);
	add_quoted(&header, "nonce", auth->nonce);
	add_quoted(&header, "uri", uri);
	add_quoted(&header, "response", response);
	if (auth->opaque) add_quoted(&header, "opaque", auth->opaque);
	if (auth->qop) buf_addf(&header, ", qop=auth, nc=%08x", count);
	if (auth->qop || auth->session) add_quoted(&header, "cnonce", cnonce);
	buf_release(&text);
	return buf_steal(&header);
}

char *webdav_auth_answer(struct webdav_auth *auth, const char *user, const char *password,
	const char *method, const char *uri, const char *cnonce) {
	switch (auth->scheme) {
	case WEBDAV_AUTH_BASIC: return basic(user, password);
	case WEBDAV_AUTH_DIGEST: return digest(auth, user, password, method, uri, cnonce);
	default: return NULL;
	}
}
