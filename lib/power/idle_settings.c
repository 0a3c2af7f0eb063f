/* The keys of [idle], and what `active` says. */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

static const char *const billings[] = { "auto", "none", "azure", NULL };

enum { SECOND_MS = 1000 };
#define DAY_MS        (24LL * 3600 * 1000)
#define FIELD(member) offsetof(struct idle_settings, member)

static const struct config_key keys[] = {
	{ .name = "after",
		.type = CONFIG_DURATION,
		.offset = FIELD(after_ms),
		.preset = "30m",
		.min = SECOND_MS,
		.max = 365 * DAY_MS,
		.help = "so long nothing of `active` was active" },
	{ .name = "min_uptime",
		.type = CONFIG_DURATION,
		.offset = FIELD(min_uptime_ms),
		.preset = "15m",
		.help = "never before this since the boot, or since the last step ended" },
	{ .name = "every",
		.type = CONFIG_DURATION,
		.offset = FIELD(every_ms),
		.preset = "30s",
		.min = 100,
		.max = DAY_MS,
		.help = "how often signals are looked at; at most a tenth of after" },
	{ .name = "active",
		.type = CONFIG_LINES,
		.offset = FIELD(active),
		.preset = "ssh mosh tty tmux cpu>10% gpu>5% net>100KiB jupyter jobs sync",
		.help = "what counts as use; also service:NAME and command:..." },
	{ .name = "jupyter_kernel_idle",
		.type = CONFIG_DURATION,
		.offset = FIELD(jupyter_kernel_idle_ms),
		.preset = "1h",
		.help = "a kernel that did nothing for so long does not count" },
	{ .name = "action",
		.type = CONFIG_TEXT,
		.offset = FIELD(action),
		.help = "poweroff, suspend or a command; poweroff when not set, in a container "
			"only a report" },
	{ .name = "stop_billing",
		.type = CONFIG_ENUM,
		.offset = FIELD(stop_billing),
		.preset = "auto",
		.names = billings,
		.help = "auto: deallocate where power-off does not end the bill and that can be "
			"done" },
	{ .name = "endpoint",
		.type = CONFIG_TEXT,
		.offset = FIELD(endpoint),
		.help = "another address for the cloud's metadata and management; for tests" },
	{ .name = "warn",
		.type = CONFIG_DURATION,
		.offset = FIELD(warn_ms),
		.preset = "5m",
		.max = DAY_MS,
		.help = "terminals are told so long before; tend awake calls it off" },
	{ .name = "max_uptime",
		.type = CONFIG_DURATION,
		.offset = FIELD(max_uptime_ms),
		.preset = "none",
		.help = "after this it goes off though signals are active" },
	{ .name = "dry_run",
		.type = CONFIG_BOOL,
		.offset = FIELD(dry_run),
		.preset = "no",
		.help = "yes: only say what would be done" },
	{ .name = "force",
		.type = CONFIG_BOOL,
		.offset = FIELD(force),
		.preset = "no",
		.help = "yes: go off though something could not be sent" },
};

static const struct word {
	const char *name;
	enum idle_kind kind;
	char what;         /* '%', 'B' (bytes a second): behind ">"; ':' an argument; 0: nothing */
	int64_t threshold; /* without ">" */
	bool late;         /* counts once our own flush has begun */
} words[] = {
	{ "ssh", SIGNAL_SSH, 0, 0, true },
	{ "mosh", SIGNAL_MOSH, 0, 0, true },
	{ "tty", SIGNAL_TTY, 0, 0, true },
	{ "tmux", SIGNAL_TMUX, 0, 0, true },
	{ "cpu", SIGNAL_CPU, '%', 10, false },
	{ "gpu", SIGNAL_GPU, '%', 5, true },
	{ "net", SIGNAL_NET, 'B', 100 << 10, false },
	{ "jupyter", SIGNAL_JUPYTER, 0, 0, true },
	{ "jobs", SIGNAL_JOBS, 0, 0, true },
	{ "sync", SIGNAL_SYNC, 0, 0, false },
	{ "service", SIGNAL_SERVICE, ':', 0, false },
	{ "command", SIGNAL_COMMAND, ':', 0, true },
};

bool idle_signal_is_late(enum idle_kind kind) {
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].kind == kind) return words[i].late;
	return true;
}

static int parse_threshold(
	const struct word *word, const char *text, int64_t *threshold, struct err *err) {
	char *number = xstrdup(text);
	size_t len = strlen(number);
	int rc;
	if (word->what == '%') {
		rc = len > 1 && number[len - 1] == '%' ? 0 : -1;
		if (rc == 0) number[len - 1] = '\0';
		if (rc == 0) rc = str_to_int(number, 0, 100000, threshold);
	} else {
		rc = size_parse(number, threshold);
	}
	free(number);
	if (rc == 0) return 0;
	return err_set(err, ERR_INVALID, "'%s>%s': write %s", word->name, text,
		word->what == '%' ? "a percentage, as cpu>10%" : "bytes a second, as net>100KiB");
}

static int parse_word(const char *text, struct idle_signal *signal, struct err *err) {
	size_t len = strcspn(text, ">:");
	const char *rest = text[len] ? text + len + 1 : NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *word = &words[i];
		if (strlen(word->name) != len || strncmp(text, word->name, len) != 0) continue;
		bool wants = word->what == ':';
		if (wants != (text[len] == ':') || (wants && !*rest) ||
			(text[len] == '>' && !word->what))
			break;
		*signal = (struct idle_signal){ .kind = word->kind, .threshold = word->threshold };
		if (text[len] == '>' && parse_threshold(word, rest, &signal->threshold, err))
			return -1;
		signal->name = xstrdup(text);
		signal->argument = wants ? xstrdup(rest) : NULL;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		"'%s' is no signal: ssh mosh tty tmux cpu>10%% gpu>5%% net>100KiB jupyter jobs "
		"sync service:NAME command:...",
		text);
}

static int check_command(const char *text, struct err *err) {
	char **argv = config_split_command(text, err);
	bool good = argv && argv[0] && *argv[0];
	if (argv && !good) err_set(err, ERR_INVALID, "the command is empty");
	strv_free(argv);
	return good ? 0 : -1;
}

/* Words; a command is the last of its line. */
static int parse_line(
	const char *line, struct idle_signal **signals, size_t *count, struct err *err) {
	static const char blanks[] = " \t";
	for (line += strspn(line, blanks); *line; line += strspn(line, blanks)) {
		size_t len = str_starts(line, "command:") ? strlen(line) : strcspn(line, blanks);
		char *word = xstrndup(line, len);
		struct idle_signal signal = { 0 };
		int rc = parse_word(word, &signal, err);
		free(word);
		if (rc) return -1;
		*signals = xrealloc(*signals, (*count + 1) * sizeof(**signals));
		(*signals)[(*count)++] = signal;
		if (signal.kind == SIGNAL_COMMAND && check_command(signal.argument, err)) return -1;
		line += len;
	}
	return 0;
}

struct idle_signal *idle_signals_parse(char *const *lines, size_t *count, struct err *err) {
	struct idle_signal *signals = xcalloc(1, sizeof(*signals));
	*count = 0;
	for (; lines && *lines; lines++) {
		if (parse_line(*lines, &signals, count, err) == 0) continue;
		idle_signals_free(signals, *count);
		return NULL;
	}
	return signals;
}

void idle_signals_free(struct idle_signal *signals, size_t count) {
	for (size_t i = 0; signals && i < count; i++) {
		free(signals[i].name);
		free(signals[i].argument);
	}
	free(signals);
}

char **idle_services(const struct idle_settings *settings) {
	struct err err;
	size_t count;
	char **ids = NULL;
	struct idle_signal *signals = idle_signals_parse(settings->active, &count, &err);
	for (size_t i = 0; signals && i < count; i++)
		if (signals[i].kind == SIGNAL_SERVICE) strv_add(&ids, signals[i].name);
	if (signals) idle_signals_free(signals, count);
	return ids;
}

static int idle_check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct idle_settings *idle = settings;
	size_t count;
	(void)name;
	*key = "active";
	struct idle_signal *signals = idle_signals_parse(idle->active, &count, err);
	if (!signals) return -1;
	idle_signals_free(signals, count);
	*key = "action";
	if (idle->action && check_command(idle->action, err)) return -1;
	*key = "endpoint";
	if (idle->endpoint && !str_starts(idle->endpoint, "http://") &&
		!str_starts(idle->endpoint, "https://"))
		return err_set(err, ERR_INVALID, "'endpoint' is no URL: it begins with http://");
	return 0;
}

const struct config_table idle_table = {
	.kind = "idle",
	.size = sizeof(struct idle_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = idle_check,
	.help = "go off when idle",
};

struct idle_settings *idle_settings_copy(const struct idle_settings *settings) {
	struct idle_settings *copy = xmalloc(sizeof(*copy));
	config_settings_copy(&idle_table, copy, settings);
	return copy;
}

void idle_settings_free(struct idle_settings *settings) {
	if (!settings) return;
	config_settings_release(&idle_table, settings);
	free(settings);
}
