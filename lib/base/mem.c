/* Memory that is there or the program ends: nobody above has an error path for it that a test could
 * reach. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

static void *check(void *at) {
	static const char line[] = "out of memory: tend stops here\n";

	if (at) return at;
	/* stdio may want memory, so write(2). */
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0) abort();
	abort();
}

void *xmalloc(size_t size) {
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size) {
	return check(count && size ? calloc(count, size) : calloc(1, 1));
}

void *xrealloc(void *at, size_t size) {
	return check(realloc(at, size ? size : 1));
}

void *xmemdup(const void *bytes, size_t len) {
	void *copy = xmalloc(len);

	if (len) memcpy(copy, bytes, len);
	return copy;
}

char *xstrdup(const char *text) {
	return text ? xmemdup(text, strlen(text) + 1) : NULL;
}

char *xstrndup(const char *text, size_t len) {
	size_t real = strnlen(text, len);
	char *copy = xmalloc(real + 1);

	memcpy(copy, text, real);
	copy[real] = '\0';
	return copy;
}

/* Most texts are short: written once, not measured before. */
char *xvasprintf(const char *format, va_list args) {
	char at_hand[256];
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(at_hand, sizeof(at_hand), format, again);
	va_end(again);
	if (len < 0) return xstrdup(""); /* an impossible format, or above 2 GiB */
	if ((size_t)len < sizeof(at_hand)) return xmemdup(at_hand, (size_t)len + 1);

	char *text = xmalloc((size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, args);
	return text;
}

char *xasprintf(const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	return text;
}

char *xjoin(const char *const parts[], size_t count) {
	size_t len = 0;

	for (size_t i = 0; i < count; i++) len += strlen(parts[i]);
	char *text = xmalloc(len + 1), *to = text;
	for (size_t i = 0; i < count; i++) {
		size_t more = strlen(parts[i]);
		memcpy(to, parts[i], more);
		to += more;
	}
	*to = '\0';
	return text;
}

char *xconcat(const char *left, const char *right) {
	size_t len = strlen(left), more = strlen(right);
	char *text = xmalloc(len + more + 1);

	memcpy(text, left, len);
	memcpy(text + len, right, more);
	text[len + more] = '\0';
	return text;
}
