/*
 * Log lines to stderr: text, JSON, or with journald's priorities. Any thread.
 *
 * A line is written by one write(2). Secrets that were named here are replaced wherever they would
 * appear.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON, LOG_JOURNAL };

/* Before this is called: info, text. */
void log_open(enum log_level level, enum log_format format);

/* Wall time in ns; the simulated loop puts its own clock here, NULL the real one. */
void log_clock(int64_t (*wall_ns)(void));

/* Also gives each line to `tap` (without a newline; already redacted), for tests. NULL ends it. */
void log_tap(void (*tap)(enum log_level level, const char *line, void *user), void *user);

/* Text of 4 bytes or more that must never be written. Copied. Main thread, before workers log
 * it. */
void log_secret(const char *secret);

/* Replaces named secrets in `text` in place by '*'. */
void log_redact(char *text);

/* Was exactly this named? */
bool log_is_secret(const char *text);

bool log_wants(enum log_level level);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                  \
	do {                                                                            \
		if (log_wants(LOG_LEVEL_DEBUG)) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
