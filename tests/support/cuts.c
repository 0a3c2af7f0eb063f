#include "support/cuts.h"

#include <stdlib.h>
#include <string.h>

#include "support/ground.h"

static const char letters[PART_KINDS + 1] = "ckef";
/* A story that finds no end has more; they happen. */
enum { NUMBER_MAX = 100000 };

void cuts_release(struct cuts *cuts) {
	for (int m = 0; m < PART_MACHINES; m++) {
		for (int kind = 0; kind < PART_KINDS; kind++) {
			free(cuts->rows[m][kind].draws);
			free(cuts->rows[m][kind].out);
		}
	}
	*cuts = (struct cuts){ 0 };
}

void cuts_begin(struct cuts *cuts) {
	for (int m = 0; m < PART_MACHINES; m++)
		for (int kind = 0; kind < PART_KINDS; kind++) cuts->rows[m][kind].next = 0;
}

static void reach(struct part_row *row, size_t number) {
	size_t before = row->size;
	if (number < row->size) return;
	row->size = (number + 1) * 2;
	row->draws = xrealloc(row->draws, row->size * sizeof(*row->draws));
	row->out = xrealloc(row->out, row->size * sizeof(*row->out));
	memset(row->draws + before, 0, (row->size - before) * sizeof(*row->draws));
	memset(row->out + before, 0, (row->size - before) * sizeof(*row->out));
}

static struct part_row *row_of(struct ground *g, enum part_kind kind) {
	return g->cuts ? &g->cuts->rows[g->number][kind] : NULL;
}

bool cuts_happens(struct ground *g, enum part_kind kind) {
	struct part_row *row = row_of(g, kind);
	if (!row) return true;
	size_t number = row->next++;
	if (number >= NUMBER_MAX) return true;
	reach(row, number);
	if (!g->cuts->again && row->next > row->known) row->known = row->next;
	return !row->out[number];
}

void cuts_edit(struct ground *g, void (*edit)(struct ground *g)) {
	struct part_row *row = row_of(g, PART_EDIT);
	uint64_t random = g->random, draws = g->draws;
	if (!row) {
		edit(g);
		return;
	}
	size_t number = row->next;
	bool known = g->cuts->again && number < row->known;
	if (cuts_happens(g, PART_EDIT)) edit(g);
	/* What follows draws as it did when all was told. */
	if (known)
		g->random = random + row->draws[number] * GROUND_STEP;
	else if (number < row->size && !g->cuts->again)
		row->draws[number] = (unsigned)(g->draws - draws);
}

size_t cuts_count(const struct cuts *cuts) {
	size_t count = 0;
	for (int m = 0; m < PART_MACHINES; m++)
		for (int kind = 0; kind < PART_KINDS; kind++) count += cuts->rows[m][kind].known;
	return count;
}

/* Chapters before kills before edits before faults: what takes most with it comes first. */
bool *cuts_out(struct cuts *cuts, size_t place) {
	for (int kind = 0; kind < PART_KINDS; kind++) {
		for (int m = 0; m < PART_MACHINES; m++) {
			struct part_row *row = &cuts->rows[m][kind];
			if (place < row->known) return &row->out[place];
			place -= row->known;
		}
	}
	abort();
}

char *cuts_write(const struct cuts *cuts) {
	struct buf text;
	buf_init(&text, 1 << 20);
	for (int m = 0; m < PART_MACHINES; m++) {
		for (int kind = 0; kind < PART_KINDS; kind++) {
			const struct part_row *row = &cuts->rows[m][kind];
			for (size_t from = 0; from < row->known; from++) {
				size_t to = from;
				if (!row->out[from]) continue;
				while (to + 1 < row->known && row->out[to + 1]) to++;
				buf_addf(&text, "%s%c%c%zu", text.len ? "," : "", 'A' + m,
					letters[kind], from);
				if (to > from) buf_addf(&text, "-%zu", to);
				from = to;
			}
		}
	}
	return buf_steal(&text);
}

bool cuts_read(struct cuts *cuts, const char *text) {
	while (*text) {
		int m = text[0] - 'A';
		const char *letter = text[1] ? strchr(letters, text[1]) : NULL;
		char *end;
		if (m < 0 || m >= PART_MACHINES || !letter) return false;
		struct part_row *row = &cuts->rows[m][letter - letters];
		size_t from = strtoul(text + 2, &end, 10), to = from;
		if (*end == '-') to = strtoul(end + 1, &end, 10);
		if (end == text + 2 || (*end && *end != ',') || to >= NUMBER_MAX || from > to)
			return false;
		reach(row, to);
		for (size_t i = from; i <= to; i++) row->out[i] = true;
		text = *end ? end + 1 : end;
	}
	return true;
}
