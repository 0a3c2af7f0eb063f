#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term/term.h"

enum { BAR_MIN = 10, BAR_MAX = 40, LINE_MAX_BYTES = 8192 };

static int percent_of(const struct term_progress *progress) {
	if (progress->done <= 0) return 0;
	if (progress->done >= progress->total) return 100;
	/* By division first: bytes times 100 may not fit. 99.9 % is not done, so it is not rounded
	 * up. */
	return (int)((double)progress->done / (double)progress->total * 100);
}

char *term_progress_line(const struct term_progress *progress, size_t width) {
	const char *note = progress->note ? progress->note : "";
	const char *gap = *note ? "  " : "";
	char bar[BAR_MAX + 1];

	if (progress->total <= 0) {
		char *plain = xasprintf("%s%s%s", progress->label, gap, note);
		char *cut = term_cut(plain, width);
		free(plain);
		return cut;
	}

	/* label, gap, [bar], blank, 100%, gap, note */
	int percent = percent_of(progress);
	size_t others =
		term_text_width(progress->label) + 2 + 2 + 5 + strlen(gap) + term_text_width(note);
	size_t cells = width > others ? width - others : 0;
	if (cells > BAR_MAX || width == 0) cells = BAR_MAX;
	if (cells < BAR_MIN) cells = 0;
	size_t filled = cells * (size_t)percent / 100;
	memset(bar, '#', filled);
	memset(bar + filled, '.', cells - filled);
	bar[cells] = '\0';

	char *line =
		cells ? xasprintf("%s  [%s] %3d%%%s%s", progress->label, bar, percent, gap, note)
		      : xasprintf("%s  %3d%%%s%s", progress->label, percent, gap, note);
	char *cut = term_cut(line, width);
	free(line);
	return cut;
}

static void write_line(const struct term *term, const char *line) {
	struct buf out;

	/* "\033[K" clears what a longer line left behind. One write, so that it does not
	 * flicker. */
	buf_init(&out, LINE_MAX_BYTES);
	if (buf_addf(&out, "\r%s\033[K", line) == 0) {
		ssize_t wrote = write(term->fd, out.at, out.len);
		(void)wrote; /* a terminal that is gone is noticed by what follows */
	}
	buf_release(&out);
}

void term_progress_show(const struct term *term, const struct term_progress *progress) {
	if (!term->is_terminal) return;
	/* One column less: some terminals wrap after the last. */
	char *line = term_progress_line(progress, term->width - 1);
	write_line(term, line);
	free(line);
}

void term_progress_clear(const struct term *term) {
	if (term->is_terminal) write_line(term, "");
}
