#include "sync/ignore.h"

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

struct rule {
	bool negative, only_folder;
	bool name_only; /* no slash: it looks at the name alone */
	bool never;     /* malformed: it matches nothing, as in git */
	char *prefix;   /* the literal beginning */
	size_t prefix_len;
	struct token *tokens;
	size_t count; /* 0: the prefix is all of it */
};

struct rules {
	struct rule *at;
	size_t count;
	char *text; /* of a file; NULL for a key */
	size_t text_len;
};

struct ignore {
	struct rules exclude, include;
	struct map files; /* base to struct rules */
};

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

static void read_rule(struct rules *rules, const char *line, size_t len) {
	rules->at = xrealloc(rules->at, (rules->count + 1) * sizeof(*rules->at));
	struct rule *rule = &rules->at[rules->count++];

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
}

/* ---- lines and lists ---- */

/* The length without trailing spaces; an escaped one stays. */
static size_t trimmed(const char *line, size_t len) {
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == ' ') continue;
		if (line[i] == '\\' && i + 1 < len)
			i++;
		else if (line[i] == '\\')
			return len;
		kept = i + 1;
	}
	return kept;
}

static void read_line(struct rules *rules, const char *line, size_t len) {
	if (len == 0 || *line == '#') return;
	if (line[len - 1] == '\r') len--;
	len = trimmed(line, len);
	if (len > 0) read_rule(rules, line, len);
}

static void rules_release(struct rules *rules) {
	for (size_t i = 0; i < rules->count; i++) {
		free(rules->at[i].prefix);
		free(rules->at[i].tokens);
	}
	free(rules->at);
	free(rules->text);
	*rules = (struct rules){ 0 };
}

struct ignore *ignore_new(void) {
	struct ignore *ignore = xcalloc(1, sizeof(*ignore));

	map_init(&ignore->files);
	return ignore;
}

void ignore_free(struct ignore *ignore) {
	if (!ignore) return;
	ignore_drop_below(ignore, "");
	map_release(&ignore->files);
	rules_release(&ignore->exclude);
	rules_release(&ignore->include);
	free(ignore);
}

void ignore_add_exclude(struct ignore *ignore, const char *line) {
	read_line(&ignore->exclude, line, strlen(line));
}

void ignore_add_include(struct ignore *ignore, const char *line) {
	read_line(&ignore->include, line, strlen(line));
}

bool ignore_drop_file(struct ignore *ignore, const char *base) {
	struct rules *rules = map_take(&ignore->files, base);

	if (!rules) return false;
	rules_release(rules);
	free(rules);
	return true;
}

bool ignore_set_file(struct ignore *ignore, const char *base, const char *text, size_t len) {
	struct rules *rules = map_get(&ignore->files, base);

	if (rules && rules->text_len == len && memcmp(rules->text, text, len) == 0) return false;
	(void)ignore_drop_file(ignore, base);
	rules = xcalloc(1, sizeof(*rules));
	rules->text = xmemdup(text, len);
	rules->text_len = len;
	map_put(&ignore->files, base, rules);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, len -= 3;
	for (const char *end = text + len; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;
		read_line(rules, text, (size_t)(stop - text));
		text = newline ? newline + 1 : end;
	}
	return true;
}

void ignore_drop_below(struct ignore *ignore, const char *base) {
	char **gone = NULL;

	for (struct map_item *it = NULL; (it = map_next(&ignore->files, it));) {
		if (path_is_within(map_key(it), base)) strv_add(&gone, map_key(it));
	}
	for (char **at = gone; at && *at; at++) (void)ignore_drop_file(ignore, *at);
	strv_free(gone);
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
	struct places now = { 0 };
	size_t words = rule->count / 64 + 1;

	stand(rule, &now, 0);
	for (size_t n = 0; n < len; n++) {
		struct places next = { 0 };
		uint64_t any = 0;
		for (size_t w = 0; w < words; w++) {
			for (uint64_t bits = now.at[w]; bits; bits &= bits - 1) {
				size_t i = w * 64 + (size_t)__builtin_ctzll(bits);
				if (i < rule->count) take(rule, &next, i, (unsigned char)text[n]);
			}
		}
		for (size_t w = 0; w < words; w++) any |= next.at[w];
		if (!any) return false;
		now = next;
	}
	return now.at[rule->count / 64] >> (rule->count % 64) & 1;
}

/* `path` is relative to where the rule stands, `len` bytes of it count. */
static bool rule_matches(const struct rule *rule, const char *path, size_t len, bool is_folder) {
	if (rule->never || (rule->only_folder && !is_folder)) return false;
	if (rule->name_only) {
		const char *slash = memrchr(path, '/', len);
		if (slash) {
			len -= (size_t)(slash + 1 - path);
			path = slash + 1;
		}
	}
	if (len < rule->prefix_len || memcmp(path, rule->prefix, rule->prefix_len) != 0)
		return false;
	path += rule->prefix_len;
	len -= rule->prefix_len;
	return rule->count ? match_tokens(rule, path, len) : len == 0;
}

/* The last rule that matches; NULL: none. */
static const struct rule *last_match(
	const struct rules *rules, const char *path, size_t len, bool is_folder) {
	for (size_t i = rules->count; i-- > 0;) {
		if (rule_matches(&rules->at[i], path, len, is_folder)) return &rules->at[i];
	}
	return NULL;
}

static size_t parent_len(const char *path, size_t len) {
	const char *slash = memrchr(path, '/', len);

	return slash ? (size_t)(slash - path) : 0;
}

/* The rule that decides about the first `len` bytes of the path, whose parents are not excluded. */
static const struct rule *deciding(
	const struct ignore *ignore, const char *path, size_t len, bool is_folder) {
	size_t above = len;

	while (ignore->files.items && above > 0) {
		above = parent_len(path, above);
		char *base = xstrndup(path, above);
		const struct rules *rules = map_get(&ignore->files, base);
		free(base);
		if (!rules) continue;
		size_t skip = above ? above + 1 : 0;
		const struct rule *rule = last_match(rules, path + skip, len - skip, is_folder);
		if (rule) return rule;
	}
	return last_match(&ignore->exclude, path, len, is_folder);
}

static bool excluded(const struct ignore *ignore, const char *path, size_t full, bool is_folder) {
	for (size_t len = strcspn(path, "/");; len += 1 + strcspn(path + len + 1, "/")) {
		const struct rule *rule = deciding(ignore, path, len, len < full || is_folder);
		if (rule && !rule->negative) return true;
		if (len == full) return false;
	}
}

/* Does a line of `include` name it, or the nearest folder above it that one speaks of? */
static bool included(const struct ignore *ignore, const char *path, size_t full, bool is_folder) {
	for (size_t len = full; len > 0; len = parent_len(path, len)) {
		const struct rule *rule =
			last_match(&ignore->include, path, len, len < full || is_folder);
		if (rule) return !rule->negative;
	}
	return false;
}

/* May something below this folder match? Too often yes is harmless, it is entered in vain: so only
 * what the literal beginning rules out is ruled out. */
static bool may_hold(const struct rules *include, const char *path, size_t len) {
	for (size_t i = 0; i < include->count; i++) {
		const struct rule *rule = &include->at[i];
		if (rule->negative || rule->never) continue;
		if (rule->name_only) return true;
		size_t both = len < rule->prefix_len ? len : rule->prefix_len;
		if (memcmp(path, rule->prefix, both) != 0) continue;
		/* It ends inside the folder's path: the tokens may go on from there, if there are any. */
		if (len >= rule->prefix_len ? rule->count > 0 : rule->prefix[len] == '/')
			return true;
	}
	return false;
}

enum ignore_verdict ignore_check(const struct ignore *ignore, const char *path, bool is_folder) {
	size_t len = strlen(path);

	if (len == 0) return IGNORE_TAKEN;
	if (path_is_within(path, ".tend") || excluded(ignore, path, len, is_folder)) {
		return IGNORE_EXCLUDED;
	}
	if (ignore->include.count == 0 || included(ignore, path, len, is_folder))
		return IGNORE_TAKEN;
	return is_folder && may_hold(&ignore->include, path, len) ? IGNORE_ENTERED
								  : IGNORE_EXCLUDED;
}
