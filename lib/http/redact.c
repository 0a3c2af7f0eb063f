#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "http/internal.h"

/* Whole values of these headers, and of these parameters of a query, are bearer secrets: whoever
 * has one is let in. */
static const char *const secret_headers[] = { "authorization", "proxy-authorization", "cookie",
	"set-cookie", "x-amz-security-token", "x-aws-ec2-metadata-token", "x-goog-api-key" };
static const char *const secret_parameters[] = { "x-amz-signature", "x-amz-security-token",
	"x-amz-credential", "sig", "signature", "token", "access_token", "refresh_token", "code",
	"client_secret", "upload_id", "uploadid", "password", "key" };

static bool is_one_of(const char *name, size_t len, const char *const *names, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) == len && strncasecmp(name, names[i], len) == 0) return true;
	}
	return false;
}

/* "Name: value" with a secret value: the length of "Name:", else 0. */
static size_t secret_header(const char *text) {
	size_t len = strcspn(text, ":/? ");

	if (text[len] != ':') return 0;
	return is_one_of(text, len, secret_headers, ARRAY_LEN(secret_headers)) ? len + 1 : 0;
}

/* scheme://user:password@host: the length of what stands before "password@", else 0; `to` is
 * where '@' stands. */
static size_t user_info(const char *text, const char **to) {
	const char *from = strstr(text, "://");
	if (!from) return 0;
	from += 3;
	size_t len = strcspn(from, "/?#");
	const char *at = memchr(from, '@', len);
	const char *colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;

	*to = at;
	return colon ? (size_t)(colon + 1 - text) : 0;
}

char *http_redact(const char *text) {
	struct buf out;
	const char *at = text, *to;
	size_t len = secret_header(text);

	buf_init(&out, 2 * strlen(text) + 16);
	if (len) {
		buf_add(&out, text, len);
		buf_adds(&out, " *");
		return buf_steal(&out);
	}
	len = user_info(text, &to);
	if (len) {
		buf_add(&out, text, len);
		buf_addc(&out, '*');
		at = to;
	}
	len = strcspn(at, "?");
	buf_add(&out, at, len);
	for (at += len; *at;) { /* at '?' or '&' */
		buf_addc(&out, *at++);
		size_t name = strcspn(at, "=&"), all = strcspn(at, "&");
		bool hide = name < all &&
			    is_one_of(at, name, secret_parameters, ARRAY_LEN(secret_parameters));
		buf_add(&out, at, hide ? name + 1 : all);
		if (hide) buf_addc(&out, '*');
		at += all;
	}
	return buf_steal(&out);
}
