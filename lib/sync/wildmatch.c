#include "sync/wildmatch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/*
 * A pattern behind its literal beginning, as a row of tokens that are matched all at once (the set of
 * places one may stand at): time is length times length, whatever a hostile line says. Backtracking
 * matchers take for ever on some lines with several `**`.
 */
enum token_kind {
	TOKEN_BYTE,
	TOKEN_ANY,  /* ?: not a slash */
	TOKEN_SET,  /* [...]: not a slash */
	TOKEN_STAR, /* *: any run without a slash */
	TOKEN_DEEP, /* **: any run */
	TOKEN_SKIP, /* before the two tokens of a "**" with its slash: they may also match nothing */
};

struct token {
	enum token_kind kind;
	unsigned char byte;
	uint64_t set[4];
};

/* Longer rows never match. 1024 places fit the stack; real lines have some ten. */
enum { TOKENS_MAX = 1024, SET_WORDS = TOKENS_MAX / 64 + 1 };

/* ---- reading a pattern ---- */

static void set_add(struct token *token, unsigned byte) {
	token->set[byte / 64] |= (uint64_t)1 << (byte % 64);
}

static bool set_has(const struct token *token, unsigned char byte) {
	return token->set[byte / 64] >> (byte % 64) & 1;
}

static bool between(unsigned c, unsigned low, unsigned high) {
	return c >= low && c <= high;
}

/* ASCII whatever the locale; its white space has no vertical tab and no form feed, as in git. */
static bool class_has(const char *class, size_t len, unsigned c) {
	static const char *const names[] = { "alnum", "alpha", "blank", "cntrl", "digit", "graph",
		"lower", "print", "punct", "space", "upper", "xdigit" };
	bool digit = between(c, '0', '9'), lower = between(c, 'a', 'z'),
	     upper = between(c, 'A', 'Z');
	bool alnum = digit || lower || upper, graph = between(c, 33, 126);
	const bool has[] = { alnum, lower || upper, c == ' ' || c == '\t', c < 32 || c == 127,
		digit, graph, lower, between(c, 32, 126), graph && !alnum,
		c == ' ' || c == '\t' || c == '\n' || c == '\r', upper,
		digit || between(c, 'a', 'f') || between(c, 'A', 'F') };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i]) == len && memcmp(names[i], class, len) == 0) return has[i];
	}
	return false;
}

static bool class_known(const char *class, size_t len) {
	/* Each class has at least one byte. */
	for (unsigned c = 0; c < 128; c++) {
		if (class_has(class, len, c)) return true;
	}
	return false;
}

/* "[:alpha:]" at `p`: what is behind it; NULL: malformed; `p` itself: it is no class. */
static const char *read_class(const char *p, const char *end, struct token *token) {
	const char *name = p + 2, *close = memchr(name, ']', (size_t)(end - name));

	if (!close) return NULL;
	if (close == name || close[-1] != ':') return p;
	size_t len = (size_t)(close - name) - 1;
	if (!class_known(name, len)) return NULL;
	for (unsigned c = 0; c < 256; c++) {
		if (class_has(name, len, c)) set_add(token, c);
	}
	return close + 1;
}

/* A set at `p`, behind its bracket. Gives what is behind it; NULL: malformed. The first byte may be
 * a "]"; a range needs a byte before it that ended no range itself. */
static const char *read_set(const char *p, const char *end, struct token *token) {
	bool negated = p < end && (*p == '!' || *p == '^'), first = true;
	unsigned previous = 0;

	if (negated) p++;
	for (;; first = false) {
		if (p >= end) return NULL;
		if (*p == ']' && !first) break;
		unsigned c = (unsigned char)*p++;
		if (c == '-' && previous && p < end && *p != ']') {
			if (*p == '\\' && ++p >= end) return NULL;
			for (unsigned in = previous; in <= (unsigned char)*p; in++)
				set_add(token, in);
			p++;
			previous = 0;
			continue;
		}
		if (c == '[' && p < end && *p == ':') {
			const char *behind = read_class(p - 1, end, token);
			if (!behind) return NULL;
			if (behind != p - 1) {
				p = behind;
				previous = 0;
				continue;
			}
		}
		if (c == '\\') {
			if (p >= end) return NULL;
			c = (unsigned char)*p++;
		}
		set_add(token, c);
		previous = c;
	}
	for (size_t i = 0; negated && i < ARRAY_LEN(token->set); i++)
		token->set[i] = ~token->set[i];
	return p + 1;
}

/* A run of stars that ends before `p`. Two or more alone between slashes cross them. */
static size_t read_stars(
	const char *from, const char *p, const char *begin, const char *end, struct token *token) {
	bool two = p - from > 1, escaped = end - p > 1 && p[0] == '\\' && p[1] == '/';
	bool alone = (from == begin || from[-1] == '/') && (p == end || *p == '/' || escaped);

	if (!two || !alone) {
		token->kind = TOKEN_STAR;
		return 1;
	}
	/* Before a slash the caller reads next, it may also be nothing, slash included. */
	if (p < end && *p == '/') token++->kind = TOKEN_SKIP;
	token->kind = TOKEN_DEEP;
	return p < end && *p == '/' ? 2 : 1;
}

/* Where one token begins at `p`, adds it (a run of stars: one or two). NULL: malformed. */
static const char *read_token(
	struct rule *rule, const char *p, const char *begin, const char *end) {
	struct token *token = &rule->tokens[rule->count];
	const char *from = p;

	switch (*p++) {
	case '*':
		while (p < end && *p == '*') p++;
		rule->count += read_stars(from, p, begin, end, token);
		return p;
	case '?': token->kind = TOKEN_ANY; break;
	case '[':
		token->kind = TOKEN_SET;
		p = read_set(p, end, token);
		break;
	case '\\':
		if (p == end) return NULL;
		from = p++;
		/* fall through */
	default: token->kind = TOKEN_BYTE; token->byte = (unsigned char)*from;
	}
	rule->count++;
	return p;
}

void rule_read(struct rule *rule, const char *line, size_t len) {
	*rule = (struct rule){ .negative = *line == '!' };
	if (rule->negative) line++, len--;
	rule->only_folder = len > 0 && line[len - 1] == '/';
	if (rule->only_folder) len--;
	rule->name_only = !memchr(line, '/', len);
	if (len > 0 && *line == '/') line++, len--;
	while (rule->prefix_len < len && !strchr("*?[\\", line[rule->prefix_len]))
		rule->prefix_len++;
	rule->prefix = xstrndup(line, rule->prefix_len);

	/* As in git, "**" right behind the literal beginning counts as standing at the beginning. */
	const char *begin = line + rule->prefix_len, *end = line + len, *p = begin;
	/* A run of stars makes at most as many tokens as it has bytes. */
	if (p < end) rule->tokens = xcalloc((size_t)(end - p), sizeof(*rule->tokens));
	while (p && p < end) p = read_token(rule, p, begin, end);
	rule->never = !p || rule->count >= TOKENS_MAX;
	/* The slash of a "**" with its slash is none: it may match nothing. */
	for (size_t left; (left = rule->count - rule->tail) > 0; rule->tail++) {
		if (rule->tokens[left - 1].kind != TOKEN_BYTE) break;
		if (left > 2 && rule->tokens[left - 3].kind == TOKEN_SKIP) break;
	}
}

void rule_release(struct rule *rule) {
	free(rule->prefix);
	free(rule->tokens);
}

/* ---- matching ---- */

struct places {
	uint64_t at[SET_WORDS];
};

/* One may stand before token `i`, and wherever that leads without a byte. */
static void stand(const struct rule *rule, struct places *places, size_t i) {
	for (;; i++) {
		if (places->at[i / 64] >> (i % 64) & 1) return;
		places->at[i / 64] |= (uint64_t)1 << (i % 64);
		if (i == rule->count) return;
		enum token_kind kind = rule->tokens[i].kind;
		if (kind == TOKEN_SKIP)
			stand(rule, places, i + 3);
		else if (kind != TOKEN_STAR && kind != TOKEN_DEEP)
			return;
	}
}

/* Takes one byte at token `i`: where one may stand then. */
static void take(const struct rule *rule, struct places *places, size_t i, unsigned char byte) {
	const struct token *token = &rule->tokens[i];

	switch (token->kind) {
	case TOKEN_BYTE:
		if (byte == token->byte) stand(rule, places, i + 1);
		break;
	case TOKEN_ANY:
		if (byte != '/') stand(rule, places, i + 1);
		break;
	case TOKEN_SET:
		if (byte != '/' && set_has(token, byte)) stand(rule, places, i + 1);
		break;
	case TOKEN_STAR:
		if (byte != '/') stand(rule, places, i);
		break;
	case TOKEN_DEEP: stand(rule, places, i); break;
	case TOKEN_SKIP: break;
	}
}

static bool match_tokens(const struct rule *rule, const char *text, size_t len) {
	struct places now, next;
	size_t words = rule->count / 64 + 1;

	memset(now.at, 0, words * sizeof(*now.at));
	stand(rule, &now, 0);
	for (size_t n = 0; n < len; n++) {
		uint64_t any = 0;
		memset(next.at, 0, words * sizeof(*next.at));
		for (size_t w = 0; w < words; w++) {
			for (uint64_t bits = now.at[w]; bits; bits &= bits - 1) {
				size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
				if (i < rule->count) take(rule, &next, i, (unsigned char)text[n]);
			}
		}
		for (size_t w = 0; w < words; w++) any |= next.at[w];
		if (!any) return false;
		memcpy(now.at, next.at, words * sizeof(*now.at));
	}
	return now.at[rule->count / 64] >> (rule->count % 64) & 1;
}

/* Most rules say no by their last bytes, and "*.o" is decided by them: the places are the last resort. */
static bool match_rest(const struct rule *rule, const char *text, size_t len) {
	size_t left = rule->count - rule->tail;

	if (len < rule->tail) return false;
	for (size_t i = rule->count, n = len; i > left;) {
		if (rule->tokens[--i].byte != (unsigned char)text[--n]) return false;
	}
	if (left == 0) return len == rule->tail;
	if (left == 1 && rule->tokens[0].kind == TOKEN_STAR)
		return !memchr(text, '/', len - rule->tail);
	return match_tokens(rule, text, len);
}

bool rule_matches(
	const struct rule *rule, const char *path, size_t len, size_t above, bool is_folder) {
	if (rule->never || (rule->only_folder && !is_folder)) return false;
	if (rule->name_only) {
		path += above;
		len -= above;
	}
	if (len < rule->prefix_len || memcmp(path, rule->prefix, rule->prefix_len) != 0)
		return false;
	path += rule->prefix_len;
	len -= rule->prefix_len;
	return rule->count ? match_rest(rule, path, len) : len == 0;
}
