/* libFuzzer: any bytes as an ini file. Built by clang as target fuzz.config; run it with a
 * corpus folder. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"

struct settings {
	char *text, *path;
	int64_t size, span;
	char **words, **lines;
};

static const struct config_key keys[] = {
	{ .name = "text", .type = CONFIG_TEXT, .offset = offsetof(struct settings, text) },
	{ .name = "path", .type = CONFIG_PATH, .offset = offsetof(struct settings, path) },
	{ .name = "size",
		.type = CONFIG_SIZE,
		.offset = offsetof(struct settings, size),
		.preset = "1MiB" },
	{ .name = "span",
		.type = CONFIG_DURATION,
		.offset = offsetof(struct settings, span),
		.preset = "1s" },
	{ .name = "words", .type = CONFIG_WORDS, .offset = offsetof(struct settings, words) },
	{ .name = "lines", .type = CONFIG_LINES, .offset = offsetof(struct settings, lines) },
};

static const struct config_table table = { .kind = "x",
	.named = true,
	.size = sizeof(struct settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys) };
static const struct config_table *const tables[] = { &table, NULL };

static char path[] = "/tmp/tend-fuzz.XXXXXX";

static void remove_file(void) {
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	static int fd = -1;
	const struct config_options options = { .tables = tables, .home = "/home" };
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	if (fd < 0) {
		fd = mkostemp(path, O_CLOEXEC);
		atexit(remove_file);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, bytes, len, 0) != (ssize_t)len) abort();
	struct config *config = config_read(path, &options, &errors, &err);
	if (!config == !errors.lines) abort();
	struct config_section *section = NULL;
	while (config && (section = config_next(config, "x", section))) {
		const struct settings *settings = section->settings;
		char **words = config_split_command(settings->text ? settings->text : "", &err);
		strv_free(words);
	}
	config_free(config);
	config_errors_release(&errors);
	return 0;
}
