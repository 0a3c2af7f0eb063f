/* Two texts, line by line: what goes and what comes, with three lines around. The longest common run of lines by the plain
 * table: files of a configuration are small, and what is not is told as such. */
#include "step/internal.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 2000, AROUND = 3, OUT_MAX = 64 << 10 };

struct lines {
	const char **at;
	size_t *len;
	size_t count;
};

static void split(const char *text, struct lines *lines) {
	size_t room = 1;
	for (const char *at = text; *at; at++) room += *at == '\n';
	*lines = (struct lines){ .at = xcalloc(room, sizeof(*lines->at)),
		.len = xcalloc(room, sizeof(*lines->len)) };
	while (*text) {
		size_t len = strcspn(text, "\n");
		lines->at[lines->count] = text;
		lines->len[lines->count++] = len;
		text += len + (text[len] == '\n');
	}
}

static void release(struct lines *lines) {
	free(lines->at);
	free(lines->len);
}

static bool same(const struct lines *left, size_t i, const struct lines *right, size_t j) {
	return left->len[i] == right->len[j] &&
	       memcmp(left->at[i], right->at[j], left->len[i]) == 0;
}

/* One step of the way from one text to the other. */
struct edit {
	char sign; /* ' ', '-', '+' */
	const char *at;
	size_t len;
};

/* common[i][j]: how many lines the rests from i and j have in common. */
static size_t find_edits(
	const struct lines *before, const struct lines *after, struct edit *edits) {
	size_t width = after->count + 1, count = 0, i, j;
	uint16_t *common = xcalloc((before->count + 1) * width, sizeof(*common));
	for (i = before->count; i-- > 0;) {
		for (j = after->count; j-- > 0;) {
			uint16_t down = common[(i + 1) * width + j],
				 right = common[i * width + j + 1];
			common[i * width + j] =
				same(before, i, after, j)
					? (uint16_t)(common[(i + 1) * width + j + 1] + 1)
				: down > right ? down
					       : right;
		}
	}
	i = j = 0;
	while (i < before->count || j < after->count) {
		if (i < before->count && j < after->count && same(before, i, after, j)) {
			edits[count++] = (struct edit){ ' ', before->at[i], before->len[i] };
			i++, j++;
		} else if (i < before->count &&
			   (j == after->count ||
				   common[(i + 1) * width + j] >= common[i * width + j + 1])) {
			edits[count++] = (struct edit){ '-', before->at[i], before->len[i] };
			i++;
		} else {
			edits[count++] = (struct edit){ '+', after->at[j], after->len[j] };
			j++;
		}
	}
	free(common);
	return count;
}

/* Is a line that changes within AROUND lines of this one? */
static bool is_near(const struct edit *edits, size_t count, size_t at) {
	size_t from = at > AROUND ? at - AROUND : 0;
	for (size_t i = from; i < count && i <= at + AROUND; i++)
		if (edits[i].sign != ' ') return true;
	return false;
}

static void print(const struct edit *edits, size_t count, struct buf *out) {
	size_t before = 1, after = 1;
	bool gap = true;
	for (size_t i = 0; i < count; i++) {
		if (is_near(edits, count, i)) {
			if (gap) buf_addf(out, "@@ -%zu +%zu @@\n", before, after);
			gap = false;
			buf_addf(out, "%c%.*s\n", edits[i].sign, (int)edits[i].len, edits[i].at);
		} else {
			gap = true;
		}
		before += edits[i].sign != '+';
		after += edits[i].sign != '-';
	}
}

char *step_diff(const char *path, const char *before, const char *after) {
	struct lines left, right;
	struct buf out;
	if (strcmp(before, after) == 0) return xstrdup("");
	buf_init(&out, OUT_MAX);
	buf_addf(&out, "--- %s (as it is)\n+++ %s (as it is wanted)\n", path, path);
	split(before, &left);
	split(after, &right);
	if (left.count > LINES_MAX || right.count > LINES_MAX) {
		buf_addf(&out, "@@ %zu lines become %zu @@\n", left.count, right.count);
	} else {
		struct edit *edits = xcalloc(left.count + right.count + 1, sizeof(*edits));
		print(edits, find_edits(&left, &right, edits), &out);
		free(edits);
	}
	release(&left);
	release(&right);
	return buf_steal(&out);
}
