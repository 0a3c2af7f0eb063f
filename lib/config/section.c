/* One section: its values found in the table, made typed, completed by defaults, and everything
 * wrong told with its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"

/* ---- errors ---- */

static void add_error(struct config_errors *errors, struct err *err, const char *file, int line,
	const char *format, va_list args) {
	char *text = xvasprintf(format, args);
	char *whole = xasprintf("%s:%d: %s", file, line, text);
	size_t count = errors ? strv_count(errors->lines) : 0;
	free(text);
	if (count == 0) err_set(err, ERR_INVALID, "%s", whole);
	if (errors && count < CONFIG_ERRORS_MAX) {
		strv_add(&errors->lines, whole);
	} else if (errors && count == CONFIG_ERRORS_MAX) {
		strv_add(&errors->lines, "there is more, not shown: mend these first");
	}
	free(whole);
}

void config_wrong(
	struct config_reading *reading, const char *file, int line, const char *format, ...) {
	va_list args;
	if (reading->options->lenient) return;
	va_start(args, format);
	add_error(reading->errors, reading->err, file, line, format, args);
	va_end(args);
	reading->failed = true;
}

int config_error(struct config_errors *errors, struct err *err,
	const struct config_section *section, const char *key, const char *format, ...) {
	va_list args;
	va_start(args, format);
	add_error(errors, err, section->file, key ? config_line(section, key) : section->line,
		format, args);
	va_end(args);
	return -1;
}

void config_errors_release(struct config_errors *errors) {
	strv_free(errors->lines);
	errors->lines = NULL;
}

void config_did_you_mean(const char *word, const char *const *names, char *out, size_t size) {
	const char *nearest = str_nearest(word, names);
	*out = '\0';
	if (nearest) snprintf(out, size, " (did you mean '%s'?)", nearest);
}

/* ---- what stands in a section ---- */

struct config_value *config_value_find(const struct config_section *section, const char *key) {
	for (size_t i = 0; i < section->value_count; i++) {
		if (str_equal(section->values[i].name, key)) return &section->values[i];
	}
	return NULL;
}

bool config_is_set(const struct config_section *section, const char *key) {
	return config_value_find(section, key) != NULL;
}

int config_line(const struct config_section *section, const char *key) {
	const struct config_value *value = config_value_find(section, key);
	return value ? value->line : section->line;
}

bool config_key_applies(const struct config_key *key, const char *type) {
	return !key->only || str_equal(key->only, type);
}

/* The row for `name` in a section of this type; rows of one name may differ in `only`. */
static const struct config_key *find_row(
	const struct config_table *table, const char *name, const char *type) {
	for (size_t i = 0; i < table->key_count; i++) {
		const struct config_key *key = &table->keys[i];
		if (str_equal(key->name, name) && (!key->only || str_equal(key->only, type)))
			return key;
	}
	return NULL;
}

const char *config_section_type(const struct config_section *section) {
	const struct config_value *value = config_value_find(section, "type");
	const struct config_key *key = find_row(section->table, "type", NULL);
	return !key ? NULL : value ? value->text : key->preset;
}

static void *field_of(const struct config_section *section, const struct config_key *key) {
	return (char *)section->settings + key->offset;
}

/* ---- settings ---- */

/* `~` is the home of the user that the unit runs as. A `user` for one type only is a login over
 * there. The caller's. */
static char *with_own_home(
	const struct config_section *section, const struct config_key *key, const char *text) {
	static const char *const names[] = { "user", "as" };
	bool is_path = key->type == CONFIG_PATH || key->type == CONFIG_SECRET;
	if (is_path && text[0] == '~' && (text[1] == '/' || text[1] == '\0')) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			const struct config_value *user = config_value_find(section, names[i]);
			if (!user || !user->key || user->key->only) continue;
			return xasprintf("~%s%s", user->text, text + 1);
		}
	}
	return xstrdup(text);
}

/* What is passed over when it is read leniently is remembered: such a section may lack what its room counts on. */
static void section_wrong(struct config_reading *reading, struct config_section *section, int line,
	const char *text) {
	if (!section->trouble) section->trouble = xasprintf("%s:%d: %s", section->file, line, text);
	config_wrong(reading, section->file, line, "%s", text);
}

static int fill_field(struct config_reading *reading, struct config_section *section,
	const struct config_key *key, const char *text, int line) {
	struct err err = { 0 };
	char *own = with_own_home(section, key, text);
	int result =
		config_value_parse(key, own, reading->options->home, field_of(section, key), &err);
	if (result < 0) section_wrong(reading, section, line, err.text);
	free(own);
	return result;
}

/* Finds the row of a value; tells why it has none. */
static const struct config_key *row_of_value(struct config_reading *reading,
	const struct config_section *section, const struct config_value *value) {
	const char *type = config_section_type(section);
	const struct config_key *key = find_row(section->table, value->name, type);
	if (key) return key;
	for (size_t i = 0; i < section->table->key_count; i++) {
		key = &section->table->keys[i];
		if (!str_equal(key->name, value->name)) continue;
		config_wrong(reading, section->file, value->line,
			"'%s' is a key of type '%s', and this is '%s'", value->name, key->only,
			type ? type : "none");
		return NULL;
	}
	/* `include`, which config understands by itself. */
	return NULL;
}

/* What the other keys mean depends on `type`: without it they are not judged. */
static int fill_type(struct config_reading *reading, struct config_section *section) {
	const struct config_key *key = find_row(section->table, "type", NULL);
	struct config_value *value = config_value_find(section, "type");
	if (!key) return 0;
	if (value) {
		value->key = row_of_value(reading, section, value);
		return value->key ? fill_field(reading, section, key, value->text, value->line)
				  : -1;
	}
	if (key->preset || !(key->flags & CONFIG_REQUIRED)) return 0;
	char *text = xasprintf("[%s %s] has no 'type'", section->table->kind, section->name);
	section_wrong(reading, section, section->line, text);
	free(text);
	return -1;
}

/* Who writes one key alone means no contradiction to the default of another. */
static void raise_default(const struct config_section *section, const struct config_key *key) {
	if (!key->at_least) return;
	const struct config_key *other =
		find_row(section->table, key->at_least, config_section_type(section));
	int64_t *mine = field_of(section, key), least = *(int64_t *)field_of(section, other);
	if (*mine < least) *mine = least;
}

static void fill_default(struct config_reading *reading, struct config_section *section,
	const struct config_key *key) {
	if (key->preset) {
		fill_field(reading, section, key, key->preset, section->line);
		raise_default(section, key);
	} else if (key->flags & CONFIG_REQUIRED && section->line > 0) {
		char *text = xasprintf("[%s%s%s] has no '%s'", section->table->kind,
			*section->name ? " " : "", section->name, key->name);
		section_wrong(reading, section, section->line, text);
		free(text);
	}
}

void config_section_fill(struct config_reading *reading, struct config_section *section) {
	const struct config_table *table = section->table;
	bool failed_before = reading->failed;
	reading->failed = false;
	section->settings = xcalloc(1, table->size ? table->size : 1);
	bool lenient = reading->options->lenient;
	if (fill_type(reading, section) < 0 && !lenient) return;
	/* Rows first: a path asks for the section's user, wherever that stands. */
	for (size_t i = 0; i < section->value_count; i++) {
		struct config_value *value = &section->values[i];
		if (!value->key) value->key = row_of_value(reading, section, value);
	}
	for (size_t i = 0; i < section->value_count; i++) {
		struct config_value *value = &section->values[i];
		if (!value->key || str_equal(value->name, "type")) continue;
		int result = fill_field(reading, section, value->key, value->text, value->line);
		if (result < 0 && lenient) fill_default(reading, section, value->key);
	}
	for (size_t i = 0; i < table->key_count; i++) {
		const struct config_key *key = &table->keys[i];
		if (!config_key_applies(key, config_section_type(section))) continue;
		if (!config_is_set(section, key->name)) fill_default(reading, section, key);
	}
	if (!reading->failed && table->check) {
		struct err err = { 0 };
		const char *key = NULL;
		if (table->check(section->settings, section->name, &key, &err) < 0) {
			section_wrong(reading, section,
				key ? config_line(section, key) : section->line, err.text);
		}
	}
	reading->failed = reading->failed || failed_before;
}

void config_section_free(struct config_section *section) {
	free(section->trouble);
	const char *type = config_section_type(section);
	for (size_t i = 0; section->settings && i < section->table->key_count; i++) {
		const struct config_key *key = &section->table->keys[i];
		if (config_key_applies(key, type))
			config_value_release(key, field_of(section, key));
	}
	for (size_t i = 0; i < section->value_count; i++) {
		free(section->values[i].name);
		free(section->values[i].text);
	}
	list_remove(&section->link);
	free(section->values);
	free(section->settings);
	free(section->name);
	free(section->file);
	free(section);
}
