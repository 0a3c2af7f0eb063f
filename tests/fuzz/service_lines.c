/* libFuzzer: any bytes as what a service writes, cut anywhere: the lines are those of the whole, each with a time, none too long, and no
 * byte that a carriage return did not take back is lost. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

enum { OUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* As the log does: what is not a line yet stays for the next piece. `most`: bytes that come at once. */
static void cut_all(const char *bytes, size_t len, size_t most, struct buf *out) {
	struct buf kept;

	buf_init(&kept, OUT_MAX);
	for (size_t at = 0; at < len;) {
		size_t piece = len - at < most ? len - at : most;
		if (buf_add(&kept, bytes + at, piece)) abort();
		at += piece;
		size_t done = log_cut(kept.at, kept.len, false, 0, out);
		if (done > kept.len) abort();
		buf_consume(&kept, done);
		if (kept.len > LOG_LINE_MAX + 1) abort(); /* a line cannot grow without bound */
	}
	if (kept.len && log_cut(kept.at, kept.len, true, 0, out) != kept.len) abort();
	buf_release(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	struct buf whole, pieces;

	if (len < 2 || len > 40000) return 0;
	buf_init(&whole, OUT_MAX);
	buf_init(&pieces, OUT_MAX);
	cut_all((const char *)bytes + 1, len - 1, len, &whole);
	cut_all((const char *)bytes + 1, len - 1, (size_t)bytes[0] + 1, &pieces);
	if (whole.len != pieces.len || (whole.len && memcmp(whole.at, pieces.at, whole.len) != 0))
		abort();
	for (char *line = whole.at, *end; whole.len && line < whole.at + whole.len;
		line = end + 1) {
		end = memchr(line, '\n', (size_t)(whole.at + whole.len - line));
		if (!end || !str_starts(line, "1970-01-01T00:00:00.000Z ")) abort();
		if (end - line > LOG_LINE_MAX + 25) abort();
	}
	buf_release(&whole);
	buf_release(&pieces);
	return 0;
}
