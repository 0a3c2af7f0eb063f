/*
 * Raw bytes to lines with a time before each. "\r" begins the line anew, as on a terminal (tqdm:
 * the last state is kept); it may be the first half of "\r\n", so nothing is dropped before the
 * byte behind it is known.
 */
#include "service/internal.h"

#include <string.h>

static void add_line(struct buf *out, const char *stamp, const char *bytes, size_t len) {
	buf_adds(out, stamp);
	buf_addc(out, ' ');
	buf_add(out, bytes, len);
	buf_addc(out, '\n');
}

/* What ends the line that begins at `bytes`: its text is [*from, *to), and *next bytes are done
 * with. False: not yet known. */
static bool find_end(const char *bytes, size_t len, size_t *from, size_t *to, size_t *next) {
	*from = 0;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n') {
			*to = i > *from && bytes[i - 1] == '\r' ? i - 1 : i;
			*next = i + 1;
			return true;
		}
		/* Several "\r" in a row are one. */
		if (i > 0 && bytes[i - 1] == '\r' && bytes[i] != '\r') *from = i;
		if (i - *from + 1 >= LOG_LINE_MAX) {
			*to = *next = i + 1;
			return true;
		}
	}
	return false;
}

static size_t without_returns(const char *bytes, size_t from, size_t to) {
	while (to > from && bytes[to - 1] == '\r') to--;
	return to;
}

size_t log_cut(const char *bytes, size_t len, bool flush, int64_t wall_ns, struct buf *out) {
	char stamp[TIME_TEXT_SIZE];
	size_t done = 0;
	time_format(wall_ns, stamp);
	while (done < len && out->len + LOG_LINE_MAX + TIME_TEXT_SIZE + 2 <= out->max) {
		size_t from, to, next;
		if (find_end(bytes + done, len - done, &from, &to, &next)) {
			to = without_returns(bytes + done, from, to);
			add_line(out, stamp, bytes + done + from, to - from);
			done += next;
			continue;
		}
		/* The rest is a piece: what was overwritten of it is done with. */
		if (flush) {
			to = without_returns(bytes + done, from, len - done);
			if (to > from) add_line(out, stamp, bytes + done + from, to - from);
			return len;
		}
		return done + from;
	}
	return done;
}
