#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* Never written to: what stands here is shared by all empty buffers of all threads. */
static const char nothing[1];

void buf_init(struct buf *buf, size_t max_bytes) {
	assert(max_bytes < SIZE_MAX / 2);
	*buf = (struct buf){ .at = (char *)nothing, .max = max_bytes };
}

void buf_release(struct buf *buf) {
	if (buf->cap) free(buf->at);
	buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf) {
	buf->len = 0;
	buf->full = false;
	if (buf->cap) buf->at[0] = '\0';
}

/* Room for `len` more bytes and the NUL. */
static int reserve(struct buf *buf, size_t len) {
	if (len > buf->max - buf->len) {
		buf->full = true;
		return -1;
	}
	size_t need = buf->len + len + 1;
	if (need <= buf->cap) return 0;

	size_t cap = buf->cap ? buf->cap * 2 : 64;
	if (cap > buf->max + 1) cap = buf->max + 1;
	if (cap < need) cap = need;
	buf->at = xrealloc(buf->cap ? buf->at : NULL, cap);
	buf->cap = cap;
	return 0;
}

int buf_add(struct buf *buf, const void *bytes, size_t len) {
	if (reserve(buf, len)) return -1;
	if (len) memcpy(buf->at + buf->len, bytes, len);
	buf->len += len;
	buf->at[buf->len] = '\0';
	return 0;
}

char *buf_room(struct buf *buf, size_t len) {
	return reserve(buf, len) ? NULL : buf->at + buf->len;
}

void buf_filled(struct buf *buf, size_t len) {
	assert(buf->len + len < buf->cap);
	buf->len += len;
	buf->at[buf->len] = '\0';
}

int buf_adds(struct buf *buf, const char *text) {
	return buf_add(buf, text, strlen(text));
}

int buf_addc(struct buf *buf, char c) {
	return buf_add(buf, &c, 1);
}

int buf_addv(struct buf *buf, const char *format, va_list args) {
	size_t room =
		buf->cap ? buf->cap - buf->len : 0; /* what fits need not be measured before */
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(room ? buf->at + buf->len : NULL, room, format, again);
	va_end(again);
	bool fits = len >= 0 && (size_t)len < room;
	if (room && !fits) buf->at[buf->len] = '\0';
	if (len < 0) {
		buf->full = true;
		return -1;
	}
	if (!fits) {
		if (reserve(buf, (size_t)len)) return -1;
		vsnprintf(buf->at + buf->len, (size_t)len + 1, format, args);
	}
	buf->len += (size_t)len;
	return 0;
}

int buf_addf(struct buf *buf, const char *format, ...) {
	va_list args;
	va_start(args, format);
	int rc = buf_addv(buf, format, args);
	va_end(args);
	return rc;
}

void buf_consume(struct buf *buf, size_t len) {
	assert(len <= buf->len);
	if (len == 0) return;
	memmove(buf->at, buf->at + len, buf->len - len);
	buf->len -= len;
	buf->at[buf->len] = '\0';
}

char *buf_steal(struct buf *buf) {
	char *text = buf->cap ? buf->at : xstrdup("");

	buf_init(buf, buf->max);
	return text;
}
