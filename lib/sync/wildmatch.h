/* One line of gitignore(5), read once and matched many times. Pure; inside sync. */
#ifndef SYNC_WILDMATCH_H
#define SYNC_WILDMATCH_H

#include <stdbool.h>
#include <stddef.h>

struct token;

struct rule {
	bool negative, only_folder;
	bool name_only; /* no slash: it looks at the name alone */
	bool never;     /* malformed: it matches nothing, as in git */
	char *prefix;   /* the literal beginning */
	size_t prefix_len;
	struct token *tokens;
	size_t count; /* 0: the prefix is all of it */
	size_t tail;  /* so many of the last tokens are plain bytes */
};

/* `line` has no newline and no trailing space; `len` is not 0. */
void rule_read(struct rule *rule, const char *line, size_t len);
void rule_release(struct rule *rule);

/* `path` is relative to where the rule stands, `len` bytes of it count; its name is behind `above`. */
bool rule_matches(
	const struct rule *rule, const char *path, size_t len, size_t above, bool is_folder);

#endif
