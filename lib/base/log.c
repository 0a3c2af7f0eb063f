#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "base/time.h"

enum {
	TEXT_MAX = 8 << 10, /* bytes of one message; the rest is cut */
	LINE_MAX_BYTES = 4 * TEXT_MAX + 256,
	SECRET_MIN = 4, /* shorter ones would hide half of every line */
};

/* Pushed by the main thread and never taken away, so readers need no lock. */
struct secret_text {
	struct secret_text *next;
	size_t len;
	char text[];
};

static _Atomic(struct secret_text *) secrets;
static _Atomic(int64_t (*)(void)) clock_ns;
static atomic_int wanted = LOG_LEVEL_INFO;
static atomic_int form = LOG_TEXT;

/* Tests only; set while no other thread runs. */
static void (*tap_call)(enum log_level level, const char *line, void *user);
static void *tap_user;

void log_open(enum log_level level, enum log_format format) {
	atomic_store(&wanted, (int)level);
	atomic_store(&form, (int)format);
}

void log_clock(int64_t (*wall_ns)(void)) {
	atomic_store(&clock_ns, wall_ns);
}

void log_tap(void (*tap)(enum log_level level, const char *line, void *user), void *user) {
	tap_user = user;
	tap_call = tap;
}

bool log_wants(enum log_level level) {
	return (int)level <= atomic_load_explicit(&wanted, memory_order_relaxed);
}

void log_secret(const char *secret) {
	size_t len = strlen(secret);

	if (len < SECRET_MIN) return;
	for (struct secret_text *known = atomic_load(&secrets); known; known = known->next) {
		if (str_equal(known->text, secret)) return; /* a reload names them again */
	}
	struct secret_text *added = xmalloc(sizeof(*added) + len + 1);
	added->next = atomic_load(&secrets);
	added->len = len;
	memcpy(added->text, secret, len + 1);
	atomic_store(&secrets, added);
}

bool log_is_secret(const char *text) {
	const struct secret_text *secret = atomic_load_explicit(&secrets, memory_order_acquire);

	while (secret && !str_equal(secret->text, text)) secret = secret->next;
	return secret != NULL;
}

/* All places are marked before any is replaced: secrets may overlap, and half a secret is still
 * one. */
void log_redact(char *text) {
	const struct secret_text *first = atomic_load_explicit(&secrets, memory_order_acquire);
	size_t len = strlen(text);
	char *marks = NULL;

	for (const struct secret_text *secret = first; secret; secret = secret->next) {
		for (const char *at = text; (at = strstr(at, secret->text)); at++) {
			if (!marks) marks = xcalloc(len, 1);
			memset(marks + (at - text), 1, secret->len);
		}
	}
	if (!marks) return;

	/* "***" whatever the length was: the length is nobody's business either. */
	char *to = text;
	for (size_t i = 0; i < len;) {
		if (!marks[i]) {
			*to++ = text[i++];
			continue;
		}
		while (i < len && marks[i]) i++;
		for (int star = 0; star < 3; star++) *to++ = '*';
	}
	*to = '\0';
	free(marks);
}

static int64_t now_ns(void) {
	int64_t (*clock)(void) = atomic_load_explicit(&clock_ns, memory_order_relaxed);
	struct timespec now;

	if (clock) return clock();
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void add_json_text(struct buf *line, const char *text) {
	for (; *text; text++) {
		if (*text == '"' || *text == '\\') buf_addc(line, '\\');
		buf_addc(line, *text);
	}
}

static void compose(struct buf *line, enum log_level level, const char *text) {
	static const char *const names[] = { "error", "warn", "info", "debug" };
	static const int priorities[] = { 3, 4, 6, 7 }; /* sd-daemon(3) */
	char when[TIME_TEXT_SIZE];

	switch ((enum log_format)atomic_load_explicit(&form, memory_order_relaxed)) {
	case LOG_JOURNAL: /* journald has its own clock */
		buf_addf(line, "<%d>%s\n", priorities[level], text);
		break;
	case LOG_JSON:
		time_format(now_ns(), when);
		buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"text\":\"", when, names[level]);
		add_json_text(line, text);
		buf_adds(line, "\"}\n");
		break;
	case LOG_TEXT:
		time_format(now_ns(), when);
		buf_addf(line, "%s %s %s\n", when, names[level], text);
		break;
	}
}

void log_line(enum log_level level, const char *format, ...) {
	if (!log_wants(level)) return;

	/* Redacted before it is cut and escaped: half a secret, or one in disguise, would not be
	 * found. */
	va_list args;
	va_start(args, format);
	char *raw = xvasprintf(format, args);
	va_end(args);
	log_redact(raw);
	if (strlen(raw) > TEXT_MAX) memcpy(raw + TEXT_MAX - 3, "...", 4);
	char *text = str_printable(raw);

	struct buf line;
	buf_init(&line, LINE_MAX_BYTES * 2);
	compose(&line, level, text);
	/* One write, so that lines of several threads do not mix. Nobody can be told when it
	 * fails. */
	ssize_t wrote = write(STDERR_FILENO, line.at, line.len);
	(void)wrote;
	if (tap_call) tap_call(level, text, tap_user);

	buf_release(&line);
	free(text);
	free(raw);
}
