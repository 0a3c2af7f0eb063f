#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/gdrive.h"

/*
 * Names. Drive takes any text, a slash and dots included; what it cannot take are bytes that are no
 * UTF-8. Those are written as rclone writes them, so that each reads the other's: the quote
 * character U+201B and two hex digits; a quote character that stands there itself is doubled.
 */

#define QUOTE     "\xe2\x80\x9b"
#define QUOTE_LEN 3

enum { DEPTH_MAX = 90 }; /* folders; Drive allows 100, our own and the user's above it included */

/* The length of the UTF-8 character at `at`; 0: none begins there. */
static size_t character(const char *at, size_t left) {
	unsigned char first = (unsigned char)*at;
	size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	return len && len <= left && str_is_utf8(at, len) ? len : 0;
}

char *gdrive_name_encode(const char *name, size_t len) {
	struct buf out;

	buf_init(&out, 9 * len + 16);
	for (size_t i = 0; i < len;) {
		size_t one = character(name + i, len - i);
		if (!one) {
			buf_addf(&out, QUOTE "%02X", (unsigned char)name[i++]);
			continue;
		}
		if (one == QUOTE_LEN && memcmp(name + i, QUOTE, QUOTE_LEN) == 0)
			buf_add(&out, QUOTE, QUOTE_LEN);
		buf_add(&out, name + i, one);
		i += one;
	}
	return buf_steal(&out);
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void gdrive_name_decode(char *name) {
	char *to = name;

	for (const char *from = name; *from;) {
		if (strncmp(from, QUOTE, QUOTE_LEN) != 0) {
			*to++ = *from++;
			continue;
		}
		const char *behind = from + QUOTE_LEN;
		int high = hex_digit(behind[0]), low = high < 0 ? -1 : hex_digit(behind[1]);
		bool doubled = strncmp(behind, QUOTE, QUOTE_LEN) == 0;
		if (high >= 8 && low >= 0) {
			*to++ = (char)(high << 4 | low);
			from = behind + 2;
			continue;
		}
		memmove(to, from, QUOTE_LEN);
		to += QUOTE_LEN;
		from = doubled ? behind + QUOTE_LEN : behind;
	}
	*to = '\0';
}

bool gdrive_name_is_path(const char *name) {
	return path_is_plain(name) && !strchr(name, '/');
}

char *gdrive_quote(const char *text) {
	struct buf out;

	buf_init(&out, 2 * strlen(text) + 16);
	buf_addc(&out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\') buf_addc(&out, '\\');
		buf_addc(&out, *text);
	}
	buf_addc(&out, '\'');
	return buf_steal(&out);
}

/* Drive's page shows what it knows the type of. */
const char *gdrive_type_of(const char *name) {
	static const char *const types[][2] = {
		{ "jpg", "image/jpeg" },
		{ "jpeg", "image/jpeg" },
		{ "png", "image/png" },
		{ "gif", "image/gif" },
		{ "heic", "image/heic" },
		{ "webp", "image/webp" },
		{ "mp4", "video/mp4" },
		{ "mov", "video/quicktime" },
		{ "mp3", "audio/mpeg" },
		{ "m4a", "audio/mp4" },
		{ "caf", "audio/x-caf" },
		{ "pdf", "application/pdf" },
		{ "txt", "text/plain" },
		{ "log", "text/plain" },
		{ "md", "text/markdown" },
		{ "csv", "text/csv" },
		{ "html", "text/html" },
		{ "json", "application/json" },
		{ "zip", "application/zip" },
		{ "vcf", "text/vcard" },
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < ARRAY_LEN(types); i++) {
		if (strcasecmp(dot + 1, types[i][0]) == 0) return types[i][1];
	}
	return "application/octet-stream";
}

int gdrive_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err) {
	int depth = 1;

	if (kind == STORE_OTHER) return err_set(err, ERR_INVALID, "no file, folder or link");
	if (kind == STORE_FILE && str_ends(key, STORE_LINK_SUFFIX))
		return err_set(err, ERR_INVALID,
			"name ends in '" STORE_LINK_SUFFIX "', which stands for a symbolic link");
	for (const char *at = key; *at; at++) depth += *at == '/';
	if (depth <= DEPTH_MAX) return 0;
	return err_set(err, ERR_INVALID,
		"nested deeper than %d folders, and Google Drive takes no more than 100",
		DEPTH_MAX);
}
