/*
 * Errors are values: a kind to decide by, a text for a person. Never allocated, never freed.
 *
 * Texts are lower case, cause first, subject in single quotes, no full stop; then what the person
 * can do.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdint.h>

enum err_kind {
	ERR_NONE,
	ERR_NOT_FOUND, /* what was asked about is not there */
	ERR_CHANGED,   /* a condition did not hold, or something changed while it was read */
	ERR_DENIED,    /* credentials or permissions: a person has to act */
	ERR_INVALID,   /* the request itself is wrong and stays so */
	ERR_BUSY,      /* try again, after retry_ms if that is set */
	ERR_OFFLINE,   /* nobody answered: the request may or may not have taken effect */
	ERR_CORRUPT,   /* bytes are not what they must be */
	ERR_FULL,      /* no room: disk, quota, a limit of the system */
	ERR_SYSTEM,    /* anything else the operating system says */
	ERR_CANCELLED, /* we asked for it to end */
};

struct err {
	enum err_kind kind;
	int sys;           /* errno where there was one, else 0 */
	uint32_t retry_ms; /* the other side asked to wait this long, else 0 */
	char text[240];
};

/* All of these fill `err` and return -1, so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The kind follows from `errnum`; ": strerror" is appended to the text. */
int err_sys(struct err *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts context before the text: "context: text". Once per layer. Keeps kind, sys and retry_ms. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *err);

/* "not found", "changed", ...; for logs and JSON ("kind"). */
const char *err_kind_name(enum err_kind kind);

enum err_kind err_kind_of_errno(int errnum);

#endif
