/* Two edits of one path: what the other one is called. "name (conflict HOST 2026-11-22 14.03.05).ext". */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum { NAME_MAX_BYTES = 255, HOST_MAX_BYTES = 64 };

/* Where the extension begins: behind the last dot, when something stands before it; letters and digits alone, so that the time of an
 * earlier conflict is none. */
static size_t stem_len(const char *name) {
	const char *dot = strrchr(name, '.');
	if (!dot || dot == name || !dot[1]) return strlen(name);
	for (const char *at = dot + 1; *at; at++)
		if (!isalnum((unsigned char)*at)) return strlen(name);
	return (size_t)(dot - name);
}

/* Cut so that no character is. */
static size_t cut(const char *text, size_t len, size_t most) {
	if (len <= most) return len;
	while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80) most--;
	return most;
}

static const char mark_begins[] = " (conflict ";

/* By the last mark: an edit of an edit has two. */
bool conflict_is_theirs(const char *copy) {
	const char *last = NULL;
	for (const char *at = copy; (at = strstr(at, mark_begins)); at++) last = at;
	return last && str_starts(last + strlen(mark_begins), CONFLICT_THEIRS " ");
}

char *conflict_name(const char *path, const char *host, int64_t wall_ns) {
	char when[TIME_TEXT_SIZE];
	const char *name = path_name(path);
	size_t stem = stem_len(name), extension = strlen(name) - stem;
	time_format_local(wall_ns, when);
	for (char *at = when; *at; at++)
		if (*at == ':') *at = '.';
	char *here = xstrndup(host, cut(host, strlen(host), HOST_MAX_BYTES));
	for (char *at = here; *at; at++)
		if (*at == '/') *at = '-';
	char *mark = xasprintf("%s%s %s)", mark_begins, here, when);
	free(here);
	if (extension + strlen(mark) >= NAME_MAX_BYTES) { /* that is no extension */
		stem = strlen(name);
		extension = 0;
	}
	stem = cut(name, stem, NAME_MAX_BYTES - extension - strlen(mark));
	char *other = xasprintf("%.*s%.*s%s%s", (int)(name - path), path, (int)stem, name, mark,
		name + strlen(name) - extension);
	free(mark);
	return other;
}
