/*
 * A growable run of bytes that is born with the most it may hold: what comes from outside is
 * bounded before it is stored. `at` is never NULL and always has a NUL behind `len`.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *at;
	size_t len;
	size_t cap; /* 0: `at` is not ours yet */
	size_t max; /* bytes; adding beyond sets `full` and adds nothing */
	bool full;
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_release(struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the memory */

/* -1 and `full` when it would exceed `max`; then nothing was added. */
int buf_add(struct buf *buf, const void *bytes, size_t len);
/* Where `len` bytes can be written by the caller, who says then how many were; NULL as above. */
char *buf_room(struct buf *buf, size_t len);
void buf_filled(struct buf *buf, size_t len);
int buf_adds(struct buf *buf, const char *text);
int buf_addc(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_addv(struct buf *buf, const char *format, va_list args);

void buf_consume(struct buf *buf, size_t len); /* drops the first `len` bytes */

/* The bytes as a NUL-ended string of the caller's; the buffer is empty after. */
char *buf_steal(struct buf *buf);

#endif
