/*
 * The door to inih. Left alone it would harm values (tried with libinih 55): a line is cut at 199
 * bytes and the rest taken for another line, " ;" ends a value, a section's head is cut at 49
 * bytes, empty sections and line numbers are never told, and whether a value may go on in the next
 * line depends on how the library was built.
 *
 * So it gets the file through ini_parse_stream() in pieces that it cannot misread: every piece is a
 * "key = value" line that fits its buffer; a guard byte at both ends keeps a piece's blanks; `;`
 * and `#` travel as bytes that no ini file may contain. What kind of piece is under way stands here
 * and not in the text: the handler is called before the next piece is fetched. Heads and comments
 * stay on this side.
 */
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"

enum { GUARD = 1, SEMICOLON = 2, HASH = 3 };

enum {
	RAW_MAX = 1 << 20, /* bytes of one value with its indentation */
	PREFIX_MAX = CONFIG_KEY_MAX + 32,
	HEAD_MAX = 512,
};

static const char not_a_line[] = "neither '[section]' nor 'key = value' nor a comment";

struct reader {
	const struct config_events *events;
	const char *at, *end; /* what is left of the file */
	int line;

	/* Of the line under way: "key =" or nothing, then what is left to hand on. */
	const char *prefix;
	size_t prefix_len;
	const char *rest, *rest_end;
	bool waiting; /* something is to be handed on */
	bool asked;   /* inih has a piece, and must answer by calling value_read */

	/* The value that is put together. */
	char *key; /* NULL: none */
	int key_line;
	struct buf first,
		more; /* what stands beside the key; the lines after it, each with a newline */
	size_t empty_lines; /* kept only when the value goes on after them */
	bool refused;       /* and said so: swallow what belongs to it */
};

static void wrong(struct reader *reader, int line, const char *text) {
	reader->events->wrong(reader->events->user, line, text);
}

static const char *skip_blanks(const char *at, const char *end) {
	while (at < end && (*at == ' ' || *at == '\t')) at++;
	return at;
}

/* ---- a value is put together ---- */

/* How many bytes of indentation all lines that are not empty have in common. */
static size_t common_indentation(const struct buf *lines) {
	const char *first = NULL, *end = lines->at + lines->len;
	size_t common = 0;
	for (const char *line = lines->at, *line_end; line < end; line = line_end + 1) {
		line_end = memchr(line, '\n', (size_t)(end - line));
		if (line_end == line) continue;
		size_t own = (size_t)(skip_blanks(line, line_end) - line), same = 0;
		while (first && same < own && same < common && line[same] == first[same]) same++;
		common = first ? same : own;
		if (!first) first = line;
	}
	return common;
}

static void add_lines(struct buf *value, const struct buf *lines) {
	size_t indentation = common_indentation(lines);
	const char *end = lines->at + lines->len;
	bool newline = value->len > 0;
	for (const char *line = lines->at, *line_end; line < end; line = line_end + 1) {
		line_end = memchr(line, '\n', (size_t)(end - line));
		if (newline) buf_addc(value, '\n');
		newline = true;
		if (line_end == line) continue;
		buf_add(value, line + indentation, (size_t)(line_end - line) - indentation);
	}
}

static void tell_value(struct reader *reader) {
	struct buf value;
	buf_init(&value, CONFIG_VALUE_MAX);
	if (reader->first.len > 0) str_trim(reader->first.at);
	buf_adds(&value, reader->first.at);
	add_lines(&value, &reader->more);
	if (reader->first.full || reader->more.full || value.full) {
		char *text = xasprintf("the value of '%s' is longer than 64 KiB", reader->key);
		wrong(reader, reader->key_line, text);
		free(text);
	} else {
		reader->events->value(
			reader->events->user, reader->key, value.at, reader->key_line);
	}
	buf_release(&value);
}

/* A new key, a head or the end of the file: the value before it is whole. */
static void end_value(struct reader *reader) {
	if (!reader->key) return;
	if (!reader->refused) tell_value(reader);
	free(reader->key);
	reader->key = NULL;
	reader->refused = false;
	buf_clear(&reader->first);
	buf_clear(&reader->more);
}

static void begin_value(struct reader *reader, const char *key) {
	end_value(reader);
	reader->key = xstrdup(key);
	reader->key_line = reader->line;
	reader->empty_lines = 0;
}

/* The line under way cannot be read; what follows it indented is no better. */
static void refuse(struct reader *reader, const char *text) {
	wrong(reader, reader->line, text);
	if (!reader->key) begin_value(reader, "");
	reader->refused = true;
	reader->waiting = false;
}

/* inih's handler. Some builds also call it for a line without "=", with no value: that is no
 * answer. */
static int value_read(void *user, const char *section, const char *name, const char *value) {
	struct reader *reader = user;
	if (!name || !value || !reader->asked) return 1;
	reader->asked = false;
	bool first = reader->prefix;
	if (first) begin_value(reader, name);
	reader->prefix = NULL;
	bool beside = reader->key_line == reader->line;
	struct buf *to = beside ? &reader->first : &reader->more;
	for (; *value; value++) {
		if (*value == GUARD) continue;
		buf_addc(to, *value == SEMICOLON ? ';' : *value == HASH ? '#' : *value);
	}
	if (!beside && !reader->waiting) buf_addc(to, '\n');
	if (first && *name == '\0') {
		refuse(reader, "there is no key before '='");
	} else if (first && strlen(name) > CONFIG_KEY_MAX) {
		refuse(reader, "this key is longer than 64 bytes");
	}
	return 1;
}

/* ---- lines ---- */

static void head_read(struct reader *reader, const char *at, const char *end) {
	const char *close = memchr(at, ']', (size_t)(end - at));
	const char *text = NULL;
	char head[HEAD_MAX];
	end_value(reader);
	if (!close) {
		text = "no ']' ends this section's head";
	} else if (skip_blanks(close + 1, end) < end) {
		text = "text after ']': a comment stands in a line of its own";
	} else if (close - at >= (long)sizeof(head)) {
		text = "this section's head is too long";
	}
	if (text) {
		wrong(reader, reader->line, text);
	} else {
		memcpy(head, at, (size_t)(close - at));
		head[close - at] = '\0';
	}
	reader->events->section(reader->events->user, text ? NULL : head, reader->line);
}

static bool has_control(const char *at, const char *end) {
	for (; at < end; at++) {
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 127) return true;
	}
	return false;
}

static void key_line_read(struct reader *reader, const char *at, const char *end) {
	const char *sign = at;
	end_value(reader);
	while (sign < end && *sign != '=' && *sign != ':') sign++;
	reader->prefix = at;
	reader->prefix_len = (size_t)(sign - at);
	reader->rest = sign;
	reader->waiting = true;
	if (sign == end) {
		/* Not a key: inih is to say so, and needs no more than the beginning for that. */
		if (reader->prefix_len > CONFIG_KEY_MAX) reader->prefix_len = CONFIG_KEY_MAX;
	} else if (reader->prefix_len > PREFIX_MAX) {
		refuse(reader, "this key is longer than 64 bytes");
	} else {
		reader->prefix_len++;
		reader->rest++;
	}
}

/* A line that goes on with the value before. `#` and `;` are text here, and the indentation may
 * be the value's. */
static void next_line_read(struct reader *reader, const char *line) {
	for (; reader->empty_lines > 0; reader->empty_lines--) buf_addc(&reader->more, '\n');
	reader->prefix = NULL;
	reader->rest = line;
	reader->waiting = !reader->refused;
}

static void line_read(struct reader *reader, const char *line, const char *end) {
	const char *at = skip_blanks(line, end);
	bool goes_on = reader->key && at > line;
	reader->rest_end = end;
	if (at == end) {
		reader->empty_lines++;
	} else if (!goes_on && (*at == ';' || *at == '#')) {
		return;
	} else if (has_control(at, end)) {
		if (!goes_on) end_value(reader);
		refuse(reader, "a control character in this line: an ini file is text");
	} else if (goes_on) {
		next_line_read(reader, line);
	} else if (*at == '[') {
		head_read(reader, at + 1, end);
	} else {
		key_line_read(reader, at, end);
	}
}

static bool fetch_line(struct reader *reader) {
	if (reader->at == reader->end) return false;
	const char *line = reader->at;
	const char *end = memchr(line, '\n', (size_t)(reader->end - line));
	reader->at = end ? end + 1 : reader->end;
	if (!end) end = reader->end;
	if (end > line && end[-1] == '\r') end--;
	reader->line++;
	line_read(reader, line, end);
	return true;
}

static void hand_on(struct reader *reader, char *out, size_t size) {
	const char *prefix = reader->prefix ? reader->prefix : "=";
	size_t len = reader->prefix ? reader->prefix_len : 1;
	memcpy(out, prefix, len);
	if (out[len - 1] == '=' || out[len - 1] == ':') {
		out[len++] = GUARD;
		for (; reader->rest < reader->rest_end && len < size - 3; reader->rest++) {
			char c = *reader->rest;
			out[len++] = (char)(c == ';' ? SEMICOLON : c == '#' ? HASH : c);
		}
		out[len++] = GUARD;
	}
	out[len++] = '\n';
	out[len] = '\0';
	reader->waiting = reader->rest < reader->rest_end;
	reader->asked = true;
}

/* inih's reader, called as fgets would be. */
static char *next_piece(char *out, int size, void *stream) {
	struct reader *reader = stream;
	/* Its smallest buffer is 200 bytes in every build known. */
	if (size < PREFIX_MAX + 32) return NULL;
	for (;;) {
		if (reader->asked) {
			reader->asked = false;
			refuse(reader, not_a_line);
		}
		if (reader->waiting) {
			hand_on(reader, out, (size_t)size);
			return out;
		}
		if (!fetch_line(reader)) return NULL;
	}
}

void config_read_text(const char *text, size_t len, const struct config_events *events) {
	struct reader reader = { .events = events, .at = text, .end = text + len };
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) reader.at += 3;
	/* Editors of one system write it so: said once, not of each line. */
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		wrong(&reader, 1, "this file is UTF-16: save it as UTF-8");
		return;
	}
	buf_init(&reader.first, RAW_MAX);
	buf_init(&reader.more, RAW_MAX);
	/* A build that stops at its first error leaves lines behind: a bad line must not hide
	 * the others. */
	const char *before;
	do {
		before = reader.at;
		ini_parse_stream(next_piece, &reader, value_read, &reader);
	} while (reader.at < reader.end && reader.at != before);
	if (reader.asked) refuse(&reader, not_a_line);
	if (reader.at < reader.end)
		wrong(&reader, reader.line, "inih was built for lines that are too short");
	end_value(&reader);
	buf_release(&reader.first);
	buf_release(&reader.more);
}
