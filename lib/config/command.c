/* A command line into words, as sh would split it: quotes and backslashes, but nothing is
 * expanded and no character but those is special. */
#include <string.h>

#include "config/internal.h"

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\n';
}

/* POSIX shell, 2.2.3: inside double quotes a backslash quotes these only, and stays before any
 * other. */
static bool is_quotable(char c) {
	return c == '$' || c == '`' || c == '"' || c == '\\';
}

/* Reads from behind the opening quote to behind the closing one; NULL when there is none. */
static const char *add_quoted(struct buf *word, const char *at, char quote) {
	for (; *at != quote; at++) {
		if (*at == '\0') return NULL;
		if (quote == '"' && *at == '\\' && at[1] == '\n') {
			at++;
			continue;
		}
		if (quote == '"' && *at == '\\' && is_quotable(at[1])) at++;
		buf_addc(word, *at);
	}
	return at + 1;
}

/* Reads one word into `word`; `at` is at its first character. NULL with err. */
static const char *add_word(struct buf *word, const char *at, struct err *err) {
	while (*at && !is_blank(*at)) {
		if (*at == '\'' || *at == '"') {
			char quote = *at;
			at = add_quoted(word, at + 1, quote);
			if (at) continue;
			err_set(err, ERR_INVALID, "a quote %c is not closed", quote);
			return NULL;
		}
		if (*at == '\\') {
			at++;
			if (*at == '\0') {
				err_set(err, ERR_INVALID,
					"there is nothing after the last backslash");
				return NULL;
			}
			if (*at == '\n') {
				at++;
				continue;
			}
		}
		buf_addc(word, *at++);
	}
	return at;
}

char **config_split_command(const char *text, struct err *err) {
	/* Not strv_add, which counts anew each time: a line may have 32,000 words. */
	char **words = xcalloc(strlen(text) / 2 + 2, sizeof(*words));
	size_t count = 0;
	struct buf word;
	buf_init(&word, strlen(text) + 1);
	for (;;) {
		/* A backslash before a newline is nothing at all, between words too. */
		while (is_blank(*text) || (text[0] == '\\' && text[1] == '\n'))
			text += *text == '\\' ? 2 : 1;
		if (*text == '\0') break;
		buf_clear(&word);
		text = add_word(&word, text, err);
		if (!text) goto failed;
		words[count++] = xstrdup(word.at);
	}
	if (count == 0) {
		err_set(err, ERR_INVALID, "the command is empty");
		goto failed;
	}
	buf_release(&word);
	return words;
failed:
	buf_release(&word);
	strv_free(words);
	return NULL;
}
