/* A table with every type of key, and ini texts put into files of a scratch folder. For the
 * tests of `config`. */
#ifndef UNIT_CONFIG_INI_H
#define UNIT_CONFIG_INI_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"

struct thing {
	char *type;
	char *text, *path, *secret, *user;
	bool flag;
	int64_t count, share, size, span, most, mask;
	int mode;
	char **words, **lines;
	char *bucket, *place;
};

struct main_settings {
	int64_t workers;
	char **include;
};

static const char *const modes[] = { "backup", "mirror", NULL };
static const char *const things_types[] = { "plain", "s3", NULL };

#define AT(field) offsetof(struct thing, field)

static const struct config_key thing_keys[] = {
	{ .name = "type",
		.type = CONFIG_TEXT,
		.offset = AT(type),
		.preset = "plain",
		.names = things_types },
	{ .name = "text", .type = CONFIG_TEXT, .offset = AT(text), .reload = RELOAD_RESTART },
	{ .name = "path", .type = CONFIG_PATH, .offset = AT(path), .reload = RELOAD_REBUILD },
	{ .name = "secret_file", .type = CONFIG_SECRET, .offset = AT(secret) },
	{ .name = "user", .type = CONFIG_TEXT, .offset = AT(user) },
	{ .name = "flag", .type = CONFIG_BOOL, .offset = AT(flag), .preset = "yes" },
	{ .name = "count",
		.type = CONFIG_INT,
		.offset = AT(count),
		.preset = "4",
		.min = 1,
		.max = 64 },
	{ .name = "share", .type = CONFIG_PERCENT, .offset = AT(share), .preset = "10%" },
	{ .name = "size",
		.type = CONFIG_SIZE,
		.offset = AT(size),
		.preset = "32MiB",
		.min = 1024,
		.max = 1LL << 40 },
	{ .name = "span",
		.type = CONFIG_DURATION,
		.offset = AT(span),
		.preset = "1s",
		.min = 100,
		.max = 86400000 },
	{ .name = "most",
		.type = CONFIG_DURATION,
		.offset = AT(most),
		.preset = "30s",
		.at_least = "span" },
	{ .name = "mask", .type = CONFIG_OCTAL, .offset = AT(mask), .preset = "022", .max = 0777 },
	{ .name = "mode",
		.type = CONFIG_ENUM,
		.offset = AT(mode),
		.preset = "backup",
		.names = modes },
	{ .name = "words", .type = CONFIG_WORDS, .offset = AT(words) },
	{ .name = "lines", .type = CONFIG_LINES, .offset = AT(lines), .help = "one a line" },
	{ .name = "bucket",
		.type = CONFIG_TEXT,
		.offset = AT(bucket),
		.only = "s3",
		.flags = CONFIG_REQUIRED },
	{ .name = "place",
		.type = CONFIG_TEXT,
		.offset = AT(place),
		.only = "plain",
		.preset = "here" },
	{ .name = "place",
		.type = CONFIG_TEXT,
		.offset = AT(place),
		.only = "s3",
		.preset = "there" },
};

static inline int thing_check(
	const void *settings, const char *name, const char **key, struct err *err) {
	const struct thing *thing = settings;
	assert_non_null(name);
	if (!str_equal(thing->text, "refuse me")) return 0;
	*key = "text";
	return err_set(err, ERR_INVALID, "refused as asked");
}

static const struct config_key folder_keys[] = {
	{ .name = "path",
		.type = CONFIG_PATH,
		.offset = 0,
		.flags = CONFIG_REQUIRED,
		.help = "local folder" },
};

static const struct config_key main_keys[] = {
	{ .name = "workers",
		.type = CONFIG_INT,
		.offset = offsetof(struct main_settings, workers),
		.preset = "4" },
	{ .name = "include",
		.type = CONFIG_LINES,
		.offset = offsetof(struct main_settings, include) },
};

static const struct config_table thing_table = { .kind = "thing",
	.named = true,
	.size = sizeof(struct thing),
	.keys = thing_keys,
	.key_count = ARRAY_LEN(thing_keys),
	.check = thing_check,
	.help = "of every type" };
static const struct config_table folder_table = { .kind = "folder",
	.named = true,
	.size = sizeof(char *),
	.keys = folder_keys,
	.key_count = ARRAY_LEN(folder_keys) };
static const struct config_table main_table = { .kind = "tend",
	.size = sizeof(struct main_settings),
	.keys = main_keys,
	.key_count = ARRAY_LEN(main_keys) };

static const struct config_table *const tables[] = { &main_table, &thing_table, &folder_table,
	NULL };

/* ---- files ---- */

static char scratch[64];

static inline int scratch_make(void **state) {
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/tend-config.XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static inline void scratch_remove_in(const char *folder) {
	char *command = xasprintf("rm -rf '%s'", folder);
	assert_int_equal(system(command), 0); /* NOLINT: a fixed command on our own folder */
	free(command);
}

static inline int scratch_remove(void **state) {
	(void)state;
	scratch_remove_in(scratch);
	return 0;
}

static inline char *scratch_path(const char *name) {
	return path_join(scratch, name);
}

static inline void scratch_write(const char *name, const void *bytes, size_t len) {
	char *path = scratch_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	free(path);
}

/* Reads `text` as a.ini of the scratch folder. */
static inline struct config *read_ini(
	const char *text, struct config_errors *errors, struct err *err) {
	const struct config_options options = { .tables = tables, .home = "/home/of/daemon" };
	scratch_write("a.ini", text, strlen(text));
	char *path = scratch_path("a.ini");
	struct config *config = config_read(path, &options, errors, err);
	free(path);
	return config;
}

static inline struct config *read_good(const char *text) {
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	struct config *config = read_ini(text, &errors, &err);
	if (!config) fail_msg("%s\nfor:\n%s", err.text, text);
	assert_null(errors.lines);
	return config;
}

/* The settings of [thing a]. */
static inline const struct thing *thing_of(const struct config *config) {
	struct config_section *section = config_find(config, "thing", "a");
	assert_non_null(section);
	return section->settings;
}

#endif
