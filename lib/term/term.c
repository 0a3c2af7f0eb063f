#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term/term.h"

enum { WIDTH_USUAL = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

/* What the terminal says, else COLUMNS, else the usual. */
static size_t width_of(int fd) {
	struct winsize size = { 0 };
	const char *columns = getenv("COLUMNS");
	int64_t width = WIDTH_USUAL;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	else if (columns)
		(void)str_to_int(columns, WIDTH_MIN, WIDTH_MAX, &width);
	return (size_t)(width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width);
}

void term_init(struct term *term, int fd) {
	const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");

	term->fd = fd;
	term->is_terminal = isatty(fd) == 1;
	/* A terminal that says nothing about itself is taken for a dumb one. */
	term->colours =
		term->is_terminal && !(no_colour && *no_colour) && kind && !str_equal(kind, "dumb");
	term->width = term->is_terminal ? width_of(fd) : 0;
}

const char *term_paint(const struct term *term, enum term_colour colour) {
	static const char *const codes[] = {
		[TERM_PLAIN] = "",
		[TERM_BOLD] = "\033[1m",
		[TERM_DIM] = "\033[2m",
		[TERM_RED] = "\033[31m",
		[TERM_GREEN] = "\033[32m",
		[TERM_YELLOW] = "\033[33m",
	};

	return term->colours ? codes[colour] : "";
}

const char *term_unpaint(const struct term *term, enum term_colour colour) {
	return term->colours && colour != TERM_PLAIN ? "\033[0m" : "";
}

static bool begins_character(char byte) {
	return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t term_text_width(const char *text) {
	size_t width = 0;

	for (; *text; text++) width += begins_character(*text);
	return width;
}

/* As setlocale(3) chooses; where nothing is said, all the world reads UTF-8. */
static bool is_utf8(void) {
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);
		if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return true;
}

char *term_cut(const char *text, size_t width) {
	size_t len = 0, seen = 0;

	if (width == 0 || term_text_width(text) <= width) return xstrdup(text);
	/* One column is for the mark that something is missing. */
	for (; text[len]; len++) {
		if (begins_character(text[len]) && seen++ == width - 1) break;
	}
	return xasprintf("%.*s%s", (int)len, text, is_utf8() ? "\xe2\x80\xa6" : "~");
}
