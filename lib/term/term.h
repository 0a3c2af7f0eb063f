/*
 * term: width, colours, tables and progress bars for what the commands print.
 *
 * Any one thread. Widths are columns of the screen, a character each. Where output is no terminal
 * nothing is coloured, cut or redrawn, so that other programs can read it.
 */
#ifndef TERM_TERM_H
#define TERM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct term {
	int fd;
	bool is_terminal;
	bool colours; /* a terminal that is not dumb, and no NO_COLOR (no-color.org) */
	size_t width; /* columns; 0: no limit */
};

/* Looks at descriptor `fd`; again after a resize. */
void term_init(struct term *term, int fd);

enum term_colour { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW };

/* What switches a colour on and off; empty where there are none. */
const char *term_paint(const struct term *term, enum term_colour colour);
const char *term_unpaint(const struct term *term, enum term_colour colour);

/* Characters of UTF-8 text. */
size_t term_text_width(const char *text);
/* The beginning of `text` that fits `width`, its last character "…" (where the locale is not UTF-8 "~")
 * where something is missing; 0: all. The caller's. */
char *term_cut(const char *text, size_t width);

/* ---- tables ---- */

struct term_column {
	const char *title;
	bool right; /* set at the right */
	bool gives; /* is cut where the line is too long for the screen */
};

struct term_table {
	const struct term_column *columns; /* borrowed */
	size_t count;
	struct term_row *rows; /* private, as what follows */
	size_t row_count, row_size;
};

void term_table_init(struct term_table *table, const struct term_column *columns, size_t count);
void term_table_release(struct term_table *table);
/* A row of `count` cells; NULL is empty. Copied, control characters made visible. */
void term_table_add(struct term_table *table, const char *const cells[]);
/* A colour for a cell of the last row. */
void term_table_paint(struct term_table *table, size_t column, enum term_colour colour);
/* Nothing when there are no rows. -1 when `out` is full. */
int term_table_render(const struct term_table *table, const struct term *term, struct buf *out);

/* ---- progress ---- */

struct term_progress {
	const char *label;
	int64_t done, total; /* total 0: not known */
	const char *note;    /* NULL: none */
};

/* "label  [####....]  50%  note", within `width` (0: no limit). The caller's. */
char *term_progress_line(const struct term_progress *progress, size_t width);
/* Draws over the line before; only on a terminal. */
void term_progress_show(const struct term *term, const struct term_progress *progress);
void term_progress_clear(const struct term *term);

#endif
