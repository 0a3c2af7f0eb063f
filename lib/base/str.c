#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* Not ctype.h: the answers must not follow the locale of whoever started us. */
static bool is_space(char c) {
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_unreserved(char c) {
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

bool str_equal(const char *left, const char *right) {
	if (!left || !right) return left == right;
	return strcmp(left, right) == 0;
}

const char *str_plural(long long count) {
	return count == 1 ? "" : "s";
}

bool str_starts(const char *text, const char *prefix) {
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix) {
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

void str_trim(char *text) {
	char *from = text;
	while (is_space(*from)) from++;
	size_t len = strlen(from);
	while (len > 0 && is_space(from[len - 1])) len--;
	memmove(text, from, len);
	text[len] = '\0';
}

char *str_put_int(char *to, int64_t value) {
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[20];
	size_t count = 0;

	if (value < 0) *to++ = '-';
	do digits[count++] = (char)('0' + left % 10);
	while (left /= 10);
	while (count > 0) *to++ = digits[--count];
	return to;
}

int str_to_int(const char *text, int64_t min, int64_t max, int64_t *value) {
	const char *digits = *text == '-' ? text + 1 : text;

	/* strtoll would take white space, a plus sign and "0x". */
	if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0') return -1;
	errno = 0;
	long long got = strtoll(text, NULL, 10);
	if (errno == ERANGE || got < min || got > max) return -1;
	*value = got;
	return 0;
}

enum { NEAREST_MAX = 63 }; /* longer words are not mistyped keys */

/* Edits that lead from one to the other; two neighbours swapped count as one (optimal string
 * alignment). */
static size_t edit_distance(const char *left, const char *right) {
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	size_t left_len = strlen(left), right_len = strlen(right);

	for (size_t j = 0; j <= right_len; j++) last[j] = j;
	for (size_t i = 1; i <= left_len; i++) {
		now[0] = i;
		for (size_t j = 1; j <= right_len; j++) {
			bool same = left[i - 1] == right[j - 1];
			size_t least = last[j - 1] + (same ? 0 : 1);
			if (last[j] + 1 < least) least = last[j] + 1;
			if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
			bool swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] &&
				       left[i - 2] == right[j - 1];
			if (swapped && before[j - 2] + 1 < least) least = before[j - 2] + 1;
			now[j] = least;
		}
		size_t *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[right_len];
}

const char *str_nearest(const char *word, const char *const *names) {
	size_t len = strlen(word);
	size_t best =
		(len < 6 ? 1 : len / 3) + 1; /* more than one edit in three letters: another word */
	const char *nearest = NULL;

	if (len == 0 || len > NEAREST_MAX) return NULL;
	for (; *names; names++) {
		if (strlen(*names) > NEAREST_MAX) continue;
		size_t distance = edit_distance(word, *names);
		if (distance < best && distance < strlen(*names)) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}

char *str_percent_encode(const char *text, const char *keep) {
	static const char digits[] = "0123456789ABCDEF";
	char *coded = xmalloc(strlen(text) * 3 + 1), *to = coded;

	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (is_unreserved(*text) || strchr(keep, *text)) {
			*to++ = *text;
		} else {
			*to++ = '%';
			*to++ = digits[byte >> 4];
			*to++ = digits[byte & 15];
		}
	}
	*to = '\0';
	return coded;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

long str_percent_decode(char *text) {
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0) return -1;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return to - text;
}

/* The length of the character at `at`, 0 when it is none (RFC 3629: no overlong form, no
 * surrogate). */
static size_t utf8_length(const unsigned char *at, size_t left) {
	if (at[0] < 0x80) return 1;
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || len > left) return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80) return 0;
	}
	if (at[0] == 0xe0 && at[1] < 0xa0) return 0;
	if (at[0] == 0xed && at[1] > 0x9f) return 0;
	if (at[0] == 0xf0 && at[1] < 0x90) return 0;
	if (at[0] == 0xf4 && at[1] > 0x8f) return 0;
	return len;
}

bool str_is_utf8(const char *text, size_t len) {
	const unsigned char *at = (const unsigned char *)text;

	for (size_t i = 0; i < len;) {
		size_t step = utf8_length(at + i, len - i);
		if (step == 0) return false;
		i += step;
	}
	return true;
}

static bool is_control(const unsigned char *at, size_t len) {
	if (len == 1) return at[0] < 0x20 || at[0] == 0x7f;
	return len == 2 && at[0] == 0xc2 && at[1] < 0xa0; /* C1: some terminals obey these too */
}

char *str_printable(const char *text) {
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);
	struct buf out;

	buf_init(&out, left * 4);
	while (left > 0) {
		size_t len = utf8_length(at, left);
		size_t step = len ? len : 1;
		if (len == 0 || is_control(at, len)) {
			for (size_t i = 0; i < step; i++) buf_addf(&out, "\\x%02x", at[i]);
		} else {
			buf_add(&out, at, step);
		}
		at += step;
		left -= step;
	}
	return buf_steal(&out);
}
