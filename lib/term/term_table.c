#include <assert.h>
#include <stdlib.h>

#include "term/term.h"

enum { COLUMNS_MAX = 16, GAP = 2, CUT_MIN = 8 }; /* a column is not cut below CUT_MIN */

struct term_row {
	char *cells[COLUMNS_MAX];
	enum term_colour colours[COLUMNS_MAX];
};

void term_table_init(struct term_table *table, const struct term_column *columns, size_t count) {
	assert(count > 0 && count <= COLUMNS_MAX);
	*table = (struct term_table){ .columns = columns, .count = count };
}

void term_table_release(struct term_table *table) {
	for (size_t i = 0; i < table->row_count; i++) {
		for (size_t column = 0; column < table->count; column++)
			free(table->rows[i].cells[column]);
	}
	free(table->rows);
	term_table_init(table, table->columns, table->count);
}

void term_table_add(struct term_table *table, const char *const cells[]) {
	if (table->row_count == table->row_size) {
		table->row_size = table->row_size ? table->row_size * 2 : 16;
		table->rows = xrealloc(table->rows, table->row_size * sizeof(*table->rows));
	}
	struct term_row *row = &table->rows[table->row_count++];
	*row = (struct term_row){ 0 };
	for (size_t column = 0; column < table->count; column++) {
		row->cells[column] = str_printable(cells[column] ? cells[column] : "");
	}
}

void term_table_paint(struct term_table *table, size_t column, enum term_colour colour) {
	assert(table->row_count > 0 && column < table->count);
	table->rows[table->row_count - 1].colours[column] = colour;
}

/* The widest cell of each column; then columns that give become narrower until the line fits. */
static void measure(const struct term_table *table, size_t limit, size_t *widths) {
	size_t sum = (table->count - 1) * GAP;

	for (size_t column = 0; column < table->count; column++) {
		widths[column] = term_text_width(table->columns[column].title);
		for (size_t i = 0; i < table->row_count; i++) {
			size_t width = term_text_width(table->rows[i].cells[column]);
			if (width > widths[column]) widths[column] = width;
		}
		sum += widths[column];
	}
	for (size_t column = table->count; limit > 0 && sum > limit && column-- > 0;) {
		size_t too_much = sum - limit, width = widths[column];
		if (!table->columns[column].gives || width <= CUT_MIN) continue;
		widths[column] = width > too_much + CUT_MIN ? width - too_much : CUT_MIN;
		sum -= width - widths[column];
	}
}

static void render_cell(const struct term_table *table, const struct term *term, size_t column,
	size_t width, const char *text, enum term_colour colour, struct buf *out) {
	char *cut = term_cut(text, width);
	size_t blank = width - term_text_width(cut);
	bool last = column + 1 == table->count, right = table->columns[column].right;

	/* Colour codes have no width, so blanks are counted here and not by printf. */
	buf_addf(out, "%*s%s%s%s", right ? (int)blank : 0, "", term_paint(term, colour), cut,
		term_unpaint(term, colour));
	if (!last) buf_addf(out, "%*s", (int)(right ? 0 : blank) + GAP, "");
	free(cut);
}

int term_table_render(const struct term_table *table, const struct term *term, struct buf *out) {
	size_t widths[COLUMNS_MAX];

	if (table->row_count == 0) return 0;
	measure(table, term->width, widths);
	for (size_t column = 0; column < table->count; column++) {
		const char *title = table->columns[column].title;
		render_cell(table, term, column, widths[column], title, TERM_BOLD, out);
	}
	buf_addc(out, '\n');
	for (size_t i = 0; i < table->row_count; i++) {
		const struct term_row *row = &table->rows[i];
		for (size_t column = 0; column < table->count; column++) {
			render_cell(table, term, column, widths[column], row->cells[column],
				row->colours[column], out);
		}
		buf_addc(out, '\n');
	}
	return out->full ? -1 : 0;
}
