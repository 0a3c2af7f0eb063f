#include "sync/ignore.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "disk/disk.h"
#include "sync/wildmatch.h"

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
	if (len == 0) return;
	rules->at = xrealloc(rules->at, (rules->count + 1) * sizeof(*rules->at));
	rule_read(&rules->at[rules->count++], line, len);
}

static void rules_release(struct rules *rules) {
	for (size_t i = 0; i < rules->count; i++) rule_release(&rules->at[i]);
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

void ignore_clear_keys(struct ignore *ignore) {
	rules_release(&ignore->exclude);
	rules_release(&ignore->include);
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
uint64_t ignore_files_sum(const struct ignore *ignore) {
	uint64_t sum = 0;

	for (struct map_item *it = NULL; (it = map_next(&ignore->files, it));) {
		const struct rules *rules = map_value(it);
		uint64_t hash = 14695981039346656037ULL;
		for (const char *at = map_key(it); *at; at++)
			hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
		hash *= 1099511628211ULL;
		for (size_t i = 0; i < rules->text_len; i++)
			hash = (hash ^ (unsigned char)rules->text[i]) * 1099511628211ULL;
		sum += hash;
	}
	return sum;
}

/* The last rule that matches; NULL: none. */
static const struct rule *last_match(
	const struct rules *rules, const char *path, size_t len, bool is_folder) {
	const char *slash = path_last_slash(path, len);
	size_t above = slash ? (size_t)(slash + 1 - path) : 0;

	for (size_t i = rules->count; i-- > 0;) {
		if (rule_matches(&rules->at[i], path, len, above, is_folder)) return &rules->at[i];
	}
	return NULL;
}

static size_t parent_len(const char *path, size_t len) {
	const char *slash = path_last_slash(path, len);

	return slash ? (size_t)(slash - path) : 0;
}

/* The .tendignore in the folder that the first `len` bytes of the path name. */
static const struct rules *file_at(const struct ignore *ignore, const char *path, size_t len) {
	char near[512];
	char *base = len < sizeof(near) ? memcpy(near, path, len) : xstrndup(path, len);

	base[len] = '\0';
	const struct rules *rules = map_get(&ignore->files, base);
	if (base != near) free(base);
	return rules;
}

/* The rule that decides about the first `len` bytes of the path, whose parents are not excluded. */
static const struct rule *deciding(
	const struct ignore *ignore, const char *path, size_t len, bool is_folder) {
	size_t above = len;

	while (ignore->files.items && above > 0) {
		above = parent_len(path, above);
		const struct rules *rules = file_at(ignore, path, above);
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
		/* It ends inside the folder's path: the tokens may go on from there, if there are
		 * any. */
		if (len >= rule->prefix_len ? rule->count > 0 : rule->prefix[len] == '/')
			return true;
	}
	return false;
}

/* A file on its way to its place, by a restore of this or another process: it has it in a moment, or is nobody's. */
static bool is_beside(const char *path) {
	return disk_is_beside(path_name(path));
}

enum ignore_verdict ignore_check(const struct ignore *ignore, const char *path, bool is_folder) {
	size_t len = strlen(path);

	if (len == 0) return IGNORE_TAKEN;
	if (path_is_within(path, ".tend") || (!is_folder && is_beside(path)) ||
		excluded(ignore, path, len, is_folder)) {
		return IGNORE_EXCLUDED;
	}
	if (ignore->include.count == 0 || included(ignore, path, len, is_folder))
		return IGNORE_TAKEN;
	return is_folder && may_hold(&ignore->include, path, len) ? IGNORE_ENTERED
								  : IGNORE_EXCLUDED;
}
