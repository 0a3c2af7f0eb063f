#include "store/azure_sign.h"

#include <stdlib.h>
#include <string.h>

/* The value of a header line, NULL: absent. */
static const char *value_of(const struct azure_signing *signing, const char *name) {
	size_t len = strlen(name);

	for (size_t i = 0; i < signing->count; i++) {
		const char *line = signing->headers[i];
		if (strncmp(line, name, len) == 0 && str_starts(line + len, ": "))
			return line + len + 2;
	}
	return NULL;
}

static int by_text(const void *left, const void *right) {
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add_sorted(struct buf *out, char **lines, const char *before, const char *after) {
	size_t count = strv_count(lines);

	if (!lines) return;
	qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++) {
		buf_adds(out, before);
		buf_adds(out, lines[i]);
		buf_adds(out, after);
	}
	strv_free(lines);
}

/* "x-ms-date:Fri, ..." each on a line of its own, in order. */
static void add_own_headers(struct buf *out, const struct azure_signing *signing) {
	char **lines = NULL;

	for (size_t i = 0; i < signing->count; i++) {
		const char *colon = strstr(signing->headers[i], ": ");
		if (!str_starts(signing->headers[i], "x-ms-") || !colon) continue;
		strv_add_owned(&lines, xasprintf("%.*s:%s", (int)(colon - signing->headers[i]),
					       signing->headers[i], colon + 2));
	}
	add_sorted(out, lines, "", "\n");
}

/* Names and values decoded: "\ncomp:list\nrestype:container". */
static void add_query(struct buf *out, const struct azure_signing *signing) {
	char **lines = NULL;

	for (const char *at = signing->query; *at;) {
		size_t len = strcspn(at, "&");
		char *pair = xstrndup(at, len);
		char *equals = strchr(pair, '=');
		if (equals) {
			*equals = '\0';
			str_percent_decode(equals + 1);
			str_percent_decode(pair);
			strv_add_owned(&lines, xasprintf("%s:%s", pair, equals + 1));
		}
		free(pair);
		at += len + (at[len] == '&');
	}
	add_sorted(out, lines, "\n", "");
}

char *azure_string_to_sign(const struct azure_signing *signing) {
	static const char *const standard[] = { "content-encoding", "content-language", NULL,
		"content-md5", "content-type", "date", "if-modified-since", "if-match",
		"if-none-match", "if-unmodified-since", "range" };
	struct buf out;

	buf_init(&out, 256 << 10);
	buf_adds(&out, signing->method);
	buf_addc(&out, '\n');
	for (size_t i = 0; i < ARRAY_LEN(standard); i++) {
		const char *value = standard[i] ? value_of(signing, standard[i]) : NULL;
		if (value) buf_adds(&out, value);
		/* Since 2015 a length of nothing is written as nothing. */
		if (!standard[i] && signing->body_len) buf_addf(&out, "%zu", signing->body_len);
		buf_addc(&out, '\n');
	}
	add_own_headers(&out, signing);
	buf_addf(&out, "/%s%s", signing->account, signing->path);
	add_query(&out, signing);
	return buf_steal(&out);
}

char *azure_authorization(const struct azure_signing *signing, const uint8_t *key, size_t key_len) {
	char *text = azure_string_to_sign(signing);
	uint8_t mac[DIGEST_MAX];

	hmac_sha256(key, key_len, text, strlen(text), mac);
	char *encoded = base64_encode(mac, 32);
	char *value = xasprintf("SharedKey %s:%s", signing->account, encoded);
	free(encoded);
	free(text);
	return value;
}

int64_t azure_sas_expiry_ns(const char *sas) {
	for (const char *at = sas; *at;) {
		size_t len = strcspn(at, "&");
		if (str_starts(at, "se=")) {
			char *text = xstrndup(at + 3, len - 3);
			int64_t ns = 0;
			str_percent_decode(text);
			if (strlen(text) ==
				strlen("2026-11-22")) { /* a day alone is its beginning */
				char *whole = xconcat(text, "T00:00:00Z");
				free(text);
				text = whole;
			}
			if (time_parse(text, &ns)) ns = 0;
			free(text);
			return ns;
		}
		at += len + (at[len] == '&');
	}
	return 0;
}
