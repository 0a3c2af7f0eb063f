/* One value: its text to its C type and back to nothing. A row for each type; the errors say
 * what would be right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"

typedef int parse_fn(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err);

static int must_be(
	const struct config_key *key, const char *what, const char *text, struct err *err) {
	return err_set(err, ERR_INVALID, "'%s' must be %s, not '%.60s'", key->name, what, text);
}

static int parse_text(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	*(char **)field = xstrdup(text);
	return 0;
}

static int parse_path(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	char *path = config_expand(text, home, err);
	if (!path) return err_wrap(err, "'%s'", key->name);
	if (*path != '/') {
		err_set(err, ERR_INVALID,
			"'%s' must be an absolute path, or begin with '~', not '%.100s'", key->name,
			path);
		free(path);
		return -1;
	}
	*(char **)field = path_clean(path);
	free(path);
	return 0;
}

static int parse_secret(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	char *path = config_secret_path(key->name, text, home, err);
	if (!path) return -1;
	*(char **)field = path;
	return 0;
}

static int parse_bool(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	if (!str_equal(text, "yes") && !str_equal(text, "no"))
		return must_be(key, "yes or no", text, err);
	*(bool *)field = *text == 'y';
	return 0;
}

static int parse_int(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	int64_t min = key->max > 0 ? key->min : INT64_MIN,
		max = key->max > 0 ? key->max : INT64_MAX;
	if (str_to_int(text, min, max, field) == 0) return 0;
	char what[80] = "a number";
	if (key->max > 0)
		snprintf(what, sizeof(what), "a number from %lld to %lld", (long long)min,
			(long long)max);
	return must_be(key, what, text, err);
}

static int parse_percent(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	int64_t min = key->max > 0 ? key->min : 0, max = key->max > 0 ? key->max : 100;
	size_t len = strlen(text);
	char *digits = xstrndup(text, len && text[len - 1] == '%' ? len - 1 : len);
	int result = str_to_int(digits, min, max, field);
	free(digits);
	if (result == 0) return 0;
	char what[80];
	snprintf(what, sizeof(what), "per cent, from %lld%% to %lld%%", (long long)min,
		(long long)max);
	return must_be(key, what, text, err);
}

/* "none" and "never" stand for 0, which bounds do not hold for: off is not small. */
static int check_bounds(const struct config_key *key, int64_t value, const char *text,
	void (*format)(int64_t value, char *out, size_t size), struct err *err) {
	if (key->max <= 0 || (value >= key->min && value <= key->max)) return 0;
	char bound[32], what[64];
	format(value < key->min ? key->min : key->max, bound, sizeof(bound));
	snprintf(what, sizeof(what), "at %s %s", value < key->min ? "least" : "most", bound);
	return must_be(key, what, text, err);
}

static int parse_size(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	int64_t *value = field;
	*value = 0;
	if (str_equal(text, "none")) return 0;
	if (size_parse(text, value) < 0)
		return must_be(key, "a size such as 64KiB or 2GiB", text, err);
	return check_bounds(key, *value, text, size_format, err);
}

static int parse_duration(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	int64_t *value = field;
	*value = 0;
	if (str_equal(text, "none") || str_equal(text, "never")) return 0;
	if (duration_parse(text, value) < 0) {
		return must_be(key, "a time such as 500ms, 30s, 10m, 6h or 30d", text, err);
	}
	return check_bounds(key, *value, text, duration_format, err);
}

static int parse_enum(const struct config_key *key, const char *text, const char *home, void *field,
	struct err *err) {
	struct buf words;
	char hint[100];
	for (int i = 0; key->names[i]; i++) {
		if (str_equal(key->names[i], text)) {
			*(int *)field = i;
			return 0;
		}
	}
	buf_init(&words, 200);
	for (int i = 0; key->names[i]; i++) {
		buf_addf(&words, "%s%s",
			i == 0              ? ""
			: key->names[i + 1] ? ", "
					    : " or ",
			key->names[i]);
	}
	must_be(key, words.at, text, err);
	config_did_you_mean(text, key->names, hint, sizeof(hint));
	size_t len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, "%s", hint);
	buf_release(&words);
	return -1;
}

static int parse_octal(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	size_t len = strlen(text);
	int64_t max = key->max > 0 ? key->max : 07777;
	if (len == 0 || len > 5 || strspn(text, "01234567") != len) {
		return must_be(key, "an octal number such as 022", text, err);
	}
	int64_t value = strtol(text, NULL, 8);
	if (value > max) return must_be(key, "a smaller octal number", text, err);
	*(int64_t *)field = value;
	return 0;
}

/* A vector with room for one item a `separators` byte; strv_add would count its items anew each
 * time. */
static char **new_vector(const char *text, const char *separators) {
	size_t count = 2;
	for (const char *at = text; *at; at++) count += strchr(separators, *at) != NULL;
	return xcalloc(count, sizeof(char *));
}

static int parse_lines(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	char **items = new_vector(text, "\n");
	size_t count = 0;
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		char *item = xstrndup(text, (size_t)(end - text));
		bool blank_kept = str_ends(
			item, "\\ "); /* git's way to write a name that ends with a blank */
		str_trim(item);
		if (*item == '\0') {
			free(item);
		} else if (blank_kept && str_ends(item, "\\")) {
			items[count++] = xasprintf("%s ", item);
			free(item);
		} else {
			items[count++] = item;
		}
	}
	*(char ***)field = items;
	return 0;
}

static int parse_words(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	static const char blanks[] = " \t";
	if (strchr(text, '\n')) return parse_lines(key, text, home, field, err);
	char **items = new_vector(text, blanks);
	size_t count = 0;
	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);
		items[count++] = xstrndup(text, len);
		text += len;
	}
	*(char ***)field = items;
	return 0;
}

enum shape { NUMBER, STRING, VECTOR };

static const struct {
	parse_fn *parse;
	enum shape shape;
	size_t size;
	bool many_lines;
	bool empty; /* "key =" has a sense */
} types[] = {
	[CONFIG_TEXT] = { parse_text, STRING, sizeof(char *), true, true },
	[CONFIG_PATH] = { parse_path, STRING, sizeof(char *), false, false },
	[CONFIG_BOOL] = { parse_bool, NUMBER, sizeof(bool), false, false },
	[CONFIG_INT] = { parse_int, NUMBER, sizeof(int64_t), false, false },
	[CONFIG_PERCENT] = { parse_percent, NUMBER, sizeof(int64_t), false, false },
	[CONFIG_SIZE] = { parse_size, NUMBER, sizeof(int64_t), false, false },
	[CONFIG_DURATION] = { parse_duration, NUMBER, sizeof(int64_t), false, false },
	[CONFIG_ENUM] = { parse_enum, NUMBER, sizeof(int), false, false },
	[CONFIG_WORDS] = { parse_words, VECTOR, sizeof(char **), true, true },
	[CONFIG_LINES] = { parse_lines, VECTOR, sizeof(char **), true, true },
	[CONFIG_OCTAL] = { parse_octal, NUMBER, sizeof(int64_t), false, false },
	[CONFIG_SECRET] = { parse_secret, STRING, sizeof(char *), false, false },
};

int config_value_parse(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err) {
	if (!types[key->type].many_lines && strchr(text, '\n')) {
		return err_set(err, ERR_INVALID,
			"'%s' takes one line: a line that begins with a blank goes on with the "
			"value before it",
			key->name);
	}
	if (!types[key->type].empty && *text == '\0') {
		return err_set(err, ERR_INVALID, "'%s' has no value", key->name);
	}
	return types[key->type].parse(key, text, home, field, err);
}

void config_value_copy(const struct config_key *key, void *field) {
	if (types[key->type].shape == STRING)
		*(char **)field = xstrdup(*(char **)field);
	else if (types[key->type].shape == VECTOR)
		*(char ***)field = strv_dup(*(char ***)field);
}

void config_value_release(const struct config_key *key, void *field) {
	/* Rows for different `only` may share a field: it is NULL for the second. */
	if (types[key->type].shape == STRING) {
		free(*(char **)field);
		*(char **)field = NULL;
	} else if (types[key->type].shape == VECTOR) {
		strv_free(*(char ***)field);
		*(char ***)field = NULL;
	}
}

bool config_value_equal(const struct config_key *key, const void *left, const void *right) {
	switch (types[key->type].shape) {
	case STRING: return str_equal(*(char *const *)left, *(char *const *)right);
	case VECTOR: return strv_equal(*(char **const *)left, *(char **const *)right);
	case NUMBER: break;
	}
	return memcmp(left, right, types[key->type].size) == 0;
}
