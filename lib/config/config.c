/* Files to sections: reading, includes, heads, and what was given twice. */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/internal.h"

struct loading {
	struct config_reading reading;
	struct config *config;
	struct map heads; /* "folder messages" -> its section */

	const char *file;
	bool any_head; /* one was seen in this file */
	struct config_section
		*section; /* NULL: what follows belongs to no section that is wanted */
};

static const struct config_table *find_table(const struct loading *loading, const char *kind) {
	for (const struct config_table *const *table = loading->reading.options->tables; *table;
		table++) {
		if (str_equal((*table)->kind, kind)) return *table;
	}
	return NULL;
}

/* ---- heads and values, as the reader tells them ---- */

static void unknown_section(struct loading *loading, int line, const char *kind) {
	char **kinds = NULL;
	char hint[100];
	for (const struct config_table *const *table = loading->reading.options->tables; *table;
		table++) {
		strv_add(&kinds, (*table)->kind);
	}
	*hint = '\0';
	if (kinds) config_did_you_mean(kind, (const char *const *)kinds, hint, sizeof(hint));
	config_wrong(&loading->reading, loading->file, line, "unknown section '%s'%s", kind, hint);
	strv_free(kinds);
}

/* A name becomes a file's, a FIFO's and a part of a URL: it must be plain in all three, and "." and ".."
 * are places. */
static bool is_unit_name(const char *name) {
	static const char marks[] = "-_.";
	bool more_than_dots = false;
	if (strlen(name) > CONFIG_NAME_MAX) return false;
	for (; *name; name++) {
		bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			      (*name >= '0' && *name <= '9');
		if (!letter && !strchr(marks, *name)) return false;
		if (*name != '.') more_than_dots = true;
	}
	return more_than_dots;
}

static int check_head(
	struct loading *loading, const struct config_table *table, const char *name, int line) {
	const char *kind = table->kind;
	if (!table->named && *name) {
		config_wrong(&loading->reading, loading->file, line, "[%s] takes no name", kind);
	} else if (table->named && !*name) {
		config_wrong(&loading->reading, loading->file, line,
			"[%s] has no name: write [%s NAME]", kind, kind);
	} else if (table->named && !is_unit_name(name)) {
		config_wrong(&loading->reading, loading->file, line,
			"'%s' is no name: letters, digits, '-', '_' and '.' make one, up to 128 of "
			"them",
			name);
	} else {
		return 0;
	}
	return -1;
}

static struct config_section *add_section(struct loading *loading, const struct config_table *table,
	const char *name, const char *file, int line) {
	struct config_section *section = xcalloc(1, sizeof(*section));
	section->table = table;
	section->name = xstrdup(name);
	section->file = xstrdup(file);
	section->line = line;
	list_add_tail(&loading->config->sections, &section->link);
	return section;
}

/* After a bad head the values below it are passed over: each would be one more error with the same
 * cause. */
static void head_read(void *user, const char *head, int line) {
	struct loading *loading = user;
	loading->any_head = true;
	loading->section = NULL;
	if (!head) return; /* the reader has told why */
	char *kind = xstrdup(head);
	str_trim(kind);
	char *name = kind + strcspn(kind, " \t");
	if (*name) *name++ = '\0';
	str_trim(name);
	const struct config_table *table = find_table(loading, kind);
	if (!table) {
		unknown_section(loading, line, kind);
	} else if (check_head(loading, table, name, line) == 0) {
		char *key = xasprintf("%s %s", kind, name);
		struct config_section *twin = map_get(&loading->heads, key);
		if (twin) {
			config_wrong(&loading->reading, loading->file, line,
				"[%s%s%s] is given twice, first at %s:%d", kind, *name ? " " : "",
				name, twin->file, twin->line);
		} else {
			loading->section = add_section(loading, table, name, loading->file, line);
			map_put(&loading->heads, key, loading->section);
		}
		free(key);
	}
	free(kind);
}

/* The one key that is this room's own, and so in nobody's table. */
static bool is_include(const struct config_section *section, const char *key) {
	return str_equal(section->table->kind, "tend") && str_equal(key, "include");
}

static bool is_known_key(const struct config_section *section, const char *name) {
	for (size_t i = 0; i < section->table->key_count; i++) {
		if (str_equal(section->table->keys[i].name, name)) return true;
	}
	return is_include(section, name);
}

static void unknown_key(struct loading *loading, int line, const char *name) {
	char **names = NULL;
	char hint[100];
	for (size_t i = 0; i < loading->section->table->key_count; i++) {
		strv_add(&names, loading->section->table->keys[i].name);
	}
	*hint = '\0';
	if (names) config_did_you_mean(name, (const char *const *)names, hint, sizeof(hint));
	config_wrong(&loading->reading, loading->file, line, "unknown key '%s'%s", name, hint);
	strv_free(names);
}

static void value_read(void *user, const char *key, const char *text, int line) {
	struct loading *loading = user;
	struct config_section *section = loading->section;
	if (!loading->any_head) {
		config_wrong(&loading->reading, loading->file, line,
			"'%s' stands before the first [section]", key);
		return;
	}
	if (!section) return;
	/* Only known keys are kept, so a section never has more values than its table has rows. */
	if (!is_known_key(section, key)) {
		unknown_key(loading, line, key);
		return;
	}
	const struct config_value *twin = config_value_find(section, key);
	if (twin) {
		config_wrong(&loading->reading, loading->file, line,
			"'%s' is given twice, first in line %d", key, twin->line);
		return;
	}
	section->values =
		xrealloc(section->values, (section->value_count + 1) * sizeof(*section->values));
	section->values[section->value_count++] =
		(struct config_value){ .name = xstrdup(key), .text = xstrdup(text), .line = line };
}

static void line_wrong(void *user, int line, const char *text) {
	struct loading *loading = user;
	config_wrong(&loading->reading, loading->file, line, "%s", text);
}

/* ---- files ---- */

static int read_whole(const char *path, bool strict_owner, struct buf *text, struct err *err) {
	char block[16384];
	struct stat st;
	ssize_t got;
	/* O_NONBLOCK: a FIFO in its place must not hold the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == EACCES)
		return err_set(err, ERR_DENIED,
			"cannot read '%s': permission denied: give the daemon's user the right to "
			"read it",
			path);
	if (fd < 0) return err_sys(err, errno, "cannot read '%s'", path);
	if (fstat(fd, &st) < 0) {
		err_sys(err, errno, "cannot look at '%s'", path);
		goto failed;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, ERR_INVALID, "cannot read '%s': it is not a file", path);
		goto failed;
	}
	if (strict_owner && config_check_owner(path, fd, err) < 0) goto failed;
	while ((got = read(fd, block, sizeof(block))) != 0) {
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) {
			err_sys(err, errno, "cannot read '%s'", path);
			goto failed;
		}
		if (buf_add(text, block, (size_t)got) < 0) {
			err_set(err, ERR_INVALID, "'%s' is larger than 4 MiB, which no ini file is",
				path);
			goto failed;
		}
	}
	close(fd);
	return 0;
failed:
	close(fd);
	return -1;
}

static int load_file(struct loading *loading, const char *path, struct err *err) {
	const struct config_events events = { head_read, value_read, line_wrong, loading };
	struct buf text;
	buf_init(&text, CONFIG_FILE_MAX);
	int result = read_whole(path, loading->reading.options->strict_owner, &text, err);
	if (result == 0) {
		loading->file = path;
		loading->any_head = false;
		loading->section = NULL;
		strv_add(&loading->config->files, path);
		config_read_text(text.at, text.len, &events);
	}
	buf_release(&text);
	return result;
}

/* ---- include ---- */

static int by_name(const void *left, const void *right) {
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Patterns may overlap, and one may match the main file itself; that a file is read twice is not what was
 * meant, and would only say that each of its sections is given twice. */
static bool was_read(const struct config *config, const char *path) {
	for (size_t i = 0; config->files[i]; i++) {
		if (str_equal(config->files[i], path)) return true;
	}
	return false;
}

static void load_pattern(struct loading *loading, const char *file, int line, const char *pattern) {
	glob_t found = { 0 };
	/* glob() would sort by the locale's order. */
	int result = glob(pattern, GLOB_NOSORT, NULL, &found);
	if (result == GLOB_NOMATCH) {
		/* No file yet is fine where there may be any number of them. */
		if (!strpbrk(pattern, "*?[")) {
			config_wrong(
				&loading->reading, file, line, "no file '%s' to include", pattern);
		}
	} else if (result != 0) {
		config_wrong(&loading->reading, file, line, "cannot look for '%s'", pattern);
	} else {
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), by_name);
		for (size_t i = 0; i < found.gl_pathc; i++) {
			struct err err = { 0 };
			if (was_read(loading->config, found.gl_pathv[i])) continue;
			if (load_file(loading, found.gl_pathv[i], &err) < 0) {
				config_wrong(&loading->reading, file, line, "%s", err.text);
			}
		}
	}
	globfree(&found);
}

/* Of the main file alone: an `include` in an included file would be read in an order that nobody can
 * see. Relative to the main file, not to where tendd was started. */
static void load_includes(struct loading *loading, const char *path) {
	static const struct config_key row = { .name = "include", .type = CONFIG_WORDS };
	struct config_section *tend = config_find(loading->config, "tend", "");
	struct config_value *value = tend ? config_value_find(tend, "include") : NULL;
	char *folder = path_parent(path);
	char **patterns = NULL;
	struct err err = { 0 };
	if (value && config_value_parse(&row, value->text, NULL, &patterns, &err) == 0) {
		for (size_t i = 0; patterns[i]; i++) {
			err_clear(&err);
			char *pattern =
				config_expand(patterns[i], loading->reading.options->home, &err);
			if (!pattern) {
				config_wrong(&loading->reading, tend->file, value->line,
					"'include': %s", err.text);
				continue;
			}
			char *whole =
				*pattern == '/' ? xstrdup(pattern) : path_join(folder, pattern);
			load_pattern(loading, tend->file, value->line, whole);
			free(whole);
			free(pattern);
		}
	}
	strv_free(patterns);
	free(folder);
}

/* ---- the face ---- */

struct config *config_read(const char *path, const struct config_options *options,
	struct config_errors *errors, struct err *err) {
	struct config_errors own = { 0 };
	struct loading loading = { .reading = { options, errors ? errors : &own, err, false } };
	struct config *config = xcalloc(1, sizeof(*config));
	list_init(&config->sections);
	config->path = xstrdup(path);
	loading.config = config;
	map_init(&loading.heads);
	if (load_file(&loading, path, err) < 0) {
		strv_add(&loading.reading.errors->lines, err->text);
		loading.reading.failed = true;
		goto end;
	}
	load_includes(&loading, path);
	/* Sections that exist once are always there: their presets hold when nobody wrote them. */
	for (const struct config_table *const *table = options->tables; *table; table++) {
		if ((*table)->named) continue;
		if (!config_find(config, (*table)->kind, ""))
			add_section(&loading, *table, "", path, 0);
	}
	list_each(&config->sections, link) {
		config_section_fill(
			&loading.reading, list_entry(link, struct config_section, link));
	}
end:
	map_release(&loading.heads);
	config_errors_release(&own);
	if (!loading.reading.failed) return config;
	config_free(config);
	return NULL;
}

void config_free(struct config *config) {
	if (!config) return;
	list_each(&config->sections, link)
		config_section_free(list_entry(link, struct config_section, link));
	strv_free(config->files);
	free(config->path);
	free(config);
}

struct config_section *config_next(
	const struct config *config, const char *kind, const struct config_section *section) {
	const struct list *link = section ? section->link.next : config->sections.next;
	for (; link != &config->sections; link = link->next) {
		struct config_section *next = list_entry(link, struct config_section, link);
		if (str_equal(next->table->kind, kind)) return next;
	}
	return NULL;
}

struct config_section *config_find(
	const struct config *config, const char *kind, const char *name) {
	struct config_section *section = NULL;
	while ((section = config_next(config, kind, section))) {
		if (str_equal(section->name, name)) return section;
	}
	return NULL;
}
