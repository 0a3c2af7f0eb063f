/* libFuzzer: any bytes as lines of exclude, include and .tendignore files, and as the path that is asked for. The first byte says
 * how many lines go where. What holds whatever they say: an answer comes, the same twice, and what lies in a folder that is left
 * out is left out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "sync/ignore.h"

enum { PATH_LEN = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void add(struct ignore *ignore, unsigned where, const char *line) {
	if (where == 0) ignore_add_exclude(ignore, line);
	if (where == 1) ignore_add_include(ignore, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	if (len < 2 || len > 4096) return 0;
	struct ignore *ignore = ignore_new();
	unsigned kinds = bytes[0];
	char *text = xstrndup((const char *)bytes + 1, len - 1), *at = text, *line;
	char path[PATH_LEN + 8] = "";

	for (int i = 0; (line = strsep(&at, "\n")); i++) {
		if (i < 6 && !(kinds >> i & 1)) add(ignore, kinds >> 6 & 1, line);
		/* The last line that is a path is the one asked for. */
		if (*line && strlen(line) < PATH_LEN && path_is_plain(line)) strcpy(path, line);
	}
	ignore_set_file(ignore, "", (const char *)bytes + 1, len - 1);
	ignore_set_file(ignore, "a", (const char *)bytes + len / 2, len - len / 2);
	if (*path) {
		enum ignore_verdict folder = ignore_check(ignore, path, true);
		if (folder != ignore_check(ignore, path, true)) abort();
		strcat(path, "/x");
		if (folder == IGNORE_EXCLUDED &&
			ignore_check(ignore, path, false) != IGNORE_EXCLUDED)
			abort();
	}
	ignore_drop_below(ignore, "");
	ignore_free(ignore);
	free(text);
	return 0;
}
