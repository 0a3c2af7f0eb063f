/* Times for eyes: on this machine's clock, and of today without the day. */
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum { TEXT_MAX = 1 << 20 };

char *moment_text(int64_t at_ns, int64_t wall_ns) {
	char then[TIME_TEXT_SIZE], now[TIME_TEXT_SIZE];

	time_format_local(at_ns, then);
	time_format_local(wall_ns, now);
	const char *clock = strchr(then, ' ');
	bool today = clock && strncmp(then, now, (size_t)(clock - then)) == 0;
	return xstrdup(today ? clock + 1 : then);
}

/* How long a time such as 2026-11-22T14:03:07.123Z is that begins here; 0: none does. */
static size_t time_len(const char *text) {
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	size_t len = 0;

	for (; form[len]; len++) {
		bool digit = text[len] >= '0' && text[len] <= '9';
		if (form[len] == 'd' ? !digit : text[len] != form[len]) return 0;
	}
	if (text[len] == '.') len += 1 + strspn(text + len + 1, "0123456789");
	return text[len] == 'Z' ? len + 1 : 0;
}

char *moments_local(const char *text, int64_t wall_ns) {
	struct buf out;

	buf_init(&out, TEXT_MAX);
	while (*text) {
		size_t len = time_len(text);
		char *one = xstrndup(text, len ? len : 1);
		int64_t at_ns;
		char *local =
			len && time_parse(one, &at_ns) == 0 ? moment_text(at_ns, wall_ns) : NULL;
		buf_adds(&out, local ? local : one);
		text += len ? len : 1;
		free(local);
		free(one);
	}
	return buf_steal(&out);
}
