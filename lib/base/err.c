#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* A text that was cut must not end in half a character: it goes into JSON. */
static void trim_half_character(char *text) {
	size_t len = strlen(text), at = len;

	while (at > 0 && len - at < 4 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) at--;
	if (at == 0) return;
	unsigned char lead = (unsigned char)text[at - 1];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (want > 1 && len - (at - 1) < want) text[at - 1] = '\0';
}

static void put(struct err *err, const char *text) {
	int len = snprintf(err->text, sizeof(err->text), "%s", text);

	if (len >= (int)sizeof(err->text)) trim_half_character(err->text);
}

/* Through a copy, because the arguments may point into err->text. */
static int fill(struct err *err, enum err_kind kind, int sys, const char *format, va_list args) {
	char text[2 * sizeof(err->text)];

	if (!err) return -1;
	vsnprintf(text, sizeof(text), format, args);
	err->kind = kind;
	err->sys = sys;
	err->retry_ms = 0;
	put(err, text);
	return -1;
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...) {
	va_list args;
	va_start(args, format);
	fill(err, kind, 0, format, args);
	va_end(args);
	return -1;
}

int err_sys(struct err *err, int errnum, const char *format, ...) {
	va_list args;
	va_start(args, format);
	fill(err, err_kind_of_errno(errnum), errnum, format, args);
	va_end(args);
	if (!err) return -1;

	size_t len = strlen(err->text);
	if (len < sizeof(err->text)) {
		/* strerror: glibc answers from constants, so any thread may ask. */
		snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
	}
	return -1;
}

int err_wrap(struct err *err, const char *format, ...) {
	char text[2 * sizeof(err->text)];
	if (!err) return -1;

	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(text)) {
		snprintf(text + len, sizeof(text) - (size_t)len, ": %s", err->text);
	}
	put(err, text);
	return -1;
}

void err_clear(struct err *err) {
	if (!err) return;
	err->kind = ERR_NONE;
	err->sys = 0;
	err->retry_ms = 0;
	err->text[0] = '\0';
}

const char *err_kind_name(enum err_kind kind) {
	static const char *const names[] = {
		[ERR_NONE] = "none",
		[ERR_NOT_FOUND] = "not found",
		[ERR_CHANGED] = "changed",
		[ERR_DENIED] = "denied",
		[ERR_INVALID] = "invalid",
		[ERR_BUSY] = "busy",
		[ERR_OFFLINE] = "offline",
		[ERR_CORRUPT] = "corrupt",
		[ERR_FULL] = "full",
		[ERR_SYSTEM] = "system",
		[ERR_CANCELLED] = "cancelled",
	};
	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

enum err_kind err_kind_of_errno(int errnum) {
	switch (errnum) {
	case 0: return ERR_NONE;
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ESRCH: return ERR_NOT_FOUND;
	case EEXIST:
	case ESTALE: return ERR_CHANGED;
	case EACCES:
	case EPERM:
	case EROFS: return ERR_DENIED;
	case EINVAL:
	case EISDIR:
	case EILSEQ:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV:
	case ENOTSUP:
	case ENOSYS: return ERR_INVALID;
	case EAGAIN:
	case EBUSY:
	case EINTR:
	case ENOTEMPTY:
	case ETXTBSY: return ERR_BUSY;
	case ECONNABORTED:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
	case ENOTCONN:
	case EPIPE:
	case ETIMEDOUT: return ERR_OFFLINE;
	case EBADMSG: return ERR_CORRUPT;
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC: return ERR_FULL;
	case ECANCELED: return ERR_CANCELLED;
	default: return ERR_SYSTEM;
	}
}
