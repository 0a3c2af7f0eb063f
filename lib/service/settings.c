/* The keys of [service NAME], what a reload does for each, and copies of what one section says. */
#include "service/internal.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char *const policies[] = { "always", "on-failure", "never", NULL };
static const char *const log_places[] = { "file", "journal", "both", NULL };
static const char *const signal_names[] = { "TERM", "INT", "HUP", "QUIT", "KILL", "USR1", "USR2",
	"ABRT", "ALRM", "WINCH", "CONT", "PIPE", NULL };
static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGKILL, SIGUSR1, SIGUSR2,
	SIGABRT, SIGALRM, SIGWINCH, SIGCONT, SIGPIPE };

enum { LOG_PLACE_JOURNAL = 1 }; /* in `log_places` */

enum { DAY_MS = 24 * 3600 * 1000 };

#define FIELD(member) offsetof(struct service_settings, member)

static const struct config_key keys[] = {
	{ .name = "command",
		.type = CONFIG_TEXT,
		.offset = FIELD(command),
		.flags = CONFIG_REQUIRED,
		.reload = RELOAD_RESTART,
		.help = "what to run; no shell, quotes as in sh" },
	{ .name = "shell",
		.type = CONFIG_BOOL,
		.offset = FIELD(shell),
		.preset = "no",
		.reload = RELOAD_RESTART,
		.help = "yes: by /bin/sh -c" },
	{ .name = "before_start",
		.type = CONFIG_TEXT,
		.offset = FIELD(before_start),
		.help = "a command before each start, which fails when it does" },
	{ .name = "after_stop",
		.type = CONFIG_TEXT,
		.offset = FIELD(after_stop),
		.help = "a command after each end" },
	{ .name = "on_preempt",
		.type = CONFIG_TEXT,
		.offset = FIELD(on_preempt),
		.help = "a command when the machine is about to be taken away, while it runs" },
	{ .name = "enabled",
		.type = CONFIG_BOOL,
		.offset = FIELD(enabled),
		.preset = "yes",
		.help = "no: known, not started" },
	{ .name = "user",
		.type = CONFIG_TEXT,
		.offset = FIELD(user),
		.reload = RELOAD_RESTART,
		.help = "runs as this user, with its groups, HOME, USER and SHELL" },
	{ .name = "group",
		.type = CONFIG_TEXT,
		.offset = FIELD(group),
		.reload = RELOAD_RESTART,
		.help = "in place of the user's own group" },
	{ .name = "directory",
		.type = CONFIG_TEXT,
		.offset = FIELD(directory),
		.reload = RELOAD_RESTART,
		.help = "where it runs; the user's home when not set, / for root" },
	{ .name = "environment",
		.type = CONFIG_LINES,
		.offset = FIELD(environment),
		.reload = RELOAD_RESTART,
		.help = "NAME=value, one a line" },
	{ .name = "environment_file",
		.type = CONFIG_TEXT,
		.offset = FIELD(environment_file),
		.reload = RELOAD_RESTART,
		.help = "a file of NAME=value lines, read at each start" },
	{ .name = "path",
		.type = CONFIG_WORDS,
		.offset = FIELD(path),
		.reload = RELOAD_RESTART,
		.help = "folders put before PATH" },
	{ .name = "conda",
		.type = CONFIG_TEXT,
		.offset = FIELD(conda),
		.reload = RELOAD_RESTART,
		.help = "name or folder of the conda environment to activate" },
	{ .name = "umask",
		.type = CONFIG_OCTAL,
		.offset = FIELD(umask),
		.preset = "022",
		.max = 0777,
		.reload = RELOAD_RESTART,
		.help = "permissions that new files do not get" },
	{ .name = "nice",
		.type = CONFIG_INT,
		.offset = FIELD(nice),
		.preset = "0",
		.min = -20,
		.max = 19,
		.reload = RELOAD_RESTART,
		.help = "-20 (first) to 19 (last); below 0 needs root" },
	{ .name = "limit_nofile",
		.type = CONFIG_INT,
		.offset = FIELD(limit_nofile),
		.min = 3,
		.max = 1 << 30,
		.reload = RELOAD_RESTART,
		.help = "how many files it may have open; the system's when not set" },
	{ .name = "memory_max",
		.type = CONFIG_SIZE,
		.offset = FIELD(memory_max_bytes),
		.min = 1 << 20,
		.max = INT64_MAX,
		.reload = RELOAD_RESTART,
		.help = "memory of all its processes together; needs cgroup v2" },
	{ .name = "cpu_max",
		.type = CONFIG_PERCENT,
		.offset = FIELD(cpu_max_percent),
		.min = 1,
		.max = 100000,
		.reload = RELOAD_RESTART,
		.help = "of one processor, for all of them together: 50%, 200%; needs cgroup v2" },
	{ .name = "restart",
		.type = CONFIG_ENUM,
		.offset = FIELD(restart),
		.preset = "always",
		.names = policies,
		.help = "always, on-failure, or never (a task: ready when it exits 0)" },
	{ .name = "restart_delay",
		.type = CONFIG_DURATION,
		.offset = FIELD(restart_delay_ms),
		.preset = "200ms",
		.max = DAY_MS,
		.help = "before it is started again; doubles each time" },
	{ .name = "restart_max_delay",
		.type = CONFIG_DURATION,
		.offset = FIELD(restart_max_delay_ms),
		.preset = "60s",
		.at_least = "restart_delay",
		.max = DAY_MS,
		.help = "up to this; a restart_delay that is longer raises the default" },
	{ .name = "healthy_after",
		.type = CONFIG_DURATION,
		.offset = FIELD(healthy_after_ms),
		.preset = "10s",
		.max = DAY_MS,
		.help = "after this uptime failures are forgiven" },
	{ .name = "give_up_after",
		.type = CONFIG_TEXT,
		.offset = FIELD(give_up_after_text),
		.preset = "never",
		.help = "a count of failures in a row, or never" },
	{ .name = "ok_exit",
		.type = CONFIG_WORDS,
		.offset = FIELD(ok_exit),
		.preset = "0",
		.help = "exit codes that are no failure" },
	{ .name = "no_restart_exit",
		.type = CONFIG_WORDS,
		.offset = FIELD(no_restart_exit),
		.help = "exit codes after which it stays down" },
	{ .name = "stop_signal",
		.type = CONFIG_ENUM,
		.offset = FIELD(stop_signal),
		.preset = "TERM",
		.names = signal_names,
		.help = "asks it to end" },
	{ .name = "stop_timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(stop_timeout_ms),
		.preset = "10s",
		.max = DAY_MS,
		.help = "then KILL, for all its processes" },
	{ .name = "log",
		.type = CONFIG_ENUM,
		.offset = FIELD(log),
		.preset = "file",
		.names = log_places,
		.help = "file, journal (systemd's) or both" },
	{ .name = "log_max_size",
		.type = CONFIG_SIZE,
		.offset = FIELD(log_max_size_bytes),
		.preset = "10MiB",
		.max = INT64_MAX,
		.help = "a log that would grow beyond begins anew; none: never" },
	{ .name = "log_keep",
		.type = CONFIG_INT,
		.offset = FIELD(log_keep),
		.preset = "5",
		.max = 1000,
		.help = "how many older logs stay, compressed" },
	{ .name = "after",
		.type = CONFIG_WORDS,
		.offset = FIELD(after),
		.help = "units that come first: folder:NAME service:NAME network" },
	{ .name = "requires",
		.type = CONFIG_WORDS,
		.offset = FIELD(requires),
		.help = "units that must be ready, however long it takes" },
	{ .name = "network",
		.type = CONFIG_BOOL,
		.offset = FIELD(network),
		.preset = "yes",
		.help = "no: does not wait for the network" },
	{ .name = "ready",
		.type = CONFIG_TEXT,
		.offset = FIELD(ready),
		.preset = "started",
		.help = "how it shows that it is ready: started, tcp:PORT, http://..., file:PATH, "
			"log:TEXT, notify (sd_notify), command:..." },
	{ .name = "ready_timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(ready_timeout_ms),
		.preset = "60s",
		.min = 100,
		.max = DAY_MS,
		.help = "not ready for so long is a failure" },
	{ .name = "check",
		.type = CONFIG_TEXT,
		.offset = FIELD(check),
		.help = "how it shows that it is alive: tcp:PORT, http://..., command:..., or "
			"notify (WATCHDOG=1)" },
	{ .name = "check_every",
		.type = CONFIG_DURATION,
		.offset = FIELD(check_every_ms),
		.preset = "10s",
		.min = 100,
		.max = DAY_MS,
		.help = "how often to look while it is up" },
	{ .name = "check_failures",
		.type = CONFIG_INT,
		.offset = FIELD(check_failures),
		.preset = "3",
		.min = 1,
		.max = 1000,
		.help = "so many in a row and it is restarted" },
};

/* ---- checks ---- */

static int check_codes(char *const *codes, struct err *err) {
	int64_t value;
	for (; codes && *codes; codes++)
		if (str_to_int(*codes, 0, 255, &value) != 0)
			return err_set(
				err, ERR_INVALID, "'%s' is no exit code: write 0 to 255", *codes);
	return 0;
}

static int check_path(const char *path, struct err *err) {
	if (!path || *path == '/' || *path == '~' || str_starts(path, "${")) return 0;
	return err_set(err, ERR_INVALID, "'%s' is not absolute: begin with / or ~", path);
}

static int check_environment_file(const char *path, struct err *err) {
	if (!path || !str_starts(path, CREDENTIAL)) return check_path(path, err);
	char *file = config_credential_path("environment_file", path + strlen(CREDENTIAL), err);
	free(file);
	return file ? 0 : -1;
}

/* Whether it is there is known at the start: a step may make it. */
static int check_conda(const char *conda, struct err *err) {
	if (!conda) return 0;
	if (strchr(conda, '/')) return check_path(conda, err);
	if (strpbrk(conda, " \t\n") || *conda == '.' || *conda == '~')
		return err_set(err, ERR_INVALID,
			"'%s' names no conda environment: write its name or its folder", conda);
	return 0;
}

static int check_command(
	const struct service_settings *service, const char *command, struct err *err) {
	if (service->shell || !command) return 0;
	char **words = config_split_command(command, err);
	if (!words) return -1;
	int result = words[0] && words[0][0] ? 0 : err_set(err, ERR_INVALID, "command is empty");
	strv_free(words);
	return result;
}

static int check_environment(char *const *items, struct err *err) {
	for (; items && *items; items++)
		if (!config_env_valid(*items))
			return err_set(err, ERR_INVALID, "'%s' is not NAME=value", *items);
	return 0;
}

/* 0: never; -1: nonsense. */
static int64_t give_up_count(const char *text) {
	int64_t count;
	if (!text || str_equal(text, "never")) return 0;
	return str_to_int(text, 1, INT_MAX, &count) == 0 ? count : -1;
}

static int check_probes(const struct service_settings *service, const char **key, struct err *err) {
	struct service_probe probe;
	*key = "ready";
	if (service_probe_parse(service->ready, &probe, err) != 0) return -1;
	if (probe.kind == PROBE_LOG && service->log == LOG_PLACE_JOURNAL)
		return err_set(err, ERR_INVALID,
			"'%s' reads the log's file, and log = journal makes none: write log = both",
			service->ready);
	if (probe.kind != PROBE_NONE && service->restart == SERVICE_RESTART_NEVER)
		return err_set(err, ERR_INVALID,
			"a task (restart = never) is ready when it ends well: leave `ready` out");
	*key = "check";
	if (service_probe_parse(service->check, &probe, err) != 0) return -1;
	if (probe.kind == PROBE_FILE || probe.kind == PROBE_LOG)
		return err_set(err, ERR_INVALID,
			"'%s' tells nothing of a service that is up: write tcp:, http://, "
			"command: or notify",
			service->check);
	return 0;
}

static int service_check(
	const void *settings, const char *name, const char **key, struct err *err) {
	const struct service_settings *service = settings;
	(void)name;
	*key = "command";
	if (check_command(service, service->command, err) != 0) return -1;
	*key = "before_start";
	if (check_command(service, service->before_start, err) != 0) return -1;
	*key = "after_stop";
	if (check_command(service, service->after_stop, err) != 0) return -1;
	*key = "on_preempt";
	if (check_command(service, service->on_preempt, err) != 0) return -1;
	*key = "environment";
	if (check_environment(service->environment, err) != 0) return -1;
	*key = "directory";
	if (check_path(service->directory, err) != 0) return -1;
	*key = "environment_file";
	if (check_environment_file(service->environment_file, err) != 0) return -1;
	*key = "path";
	for (char **folder = service->path; folder && *folder; folder++)
		if (check_path(*folder, err) != 0) return -1;
	*key = "conda";
	if (check_conda(service->conda, err) != 0) return -1;
	*key = "ok_exit";
	if (check_codes(service->ok_exit, err) != 0) return -1;
	*key = "no_restart_exit";
	if (check_codes(service->no_restart_exit, err) != 0) return -1;
	*key = "give_up_after";
	if (give_up_count(service->give_up_after_text) < 0)
		return err_set(err, ERR_INVALID, "'%s' is no count: write a number or never",
			service->give_up_after_text);
	*key = "restart_max_delay";
	if (service->restart_max_delay_ms < service->restart_delay_ms)
		return err_set(err, ERR_INVALID,
			"restart_max_delay is shorter than restart_delay: leave it out, or make it "
			"as long");
	if (check_probes(service, key, err) != 0) return -1;
	*key = "user";
	return service_check_user(service, key, err);
}

const struct config_table service_table = {
	.kind = "service",
	.named = true,
	.size = sizeof(struct service_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = service_check,
	.help = "a program kept running",
};

int service_signal_number(int stop_signal) {
	return signal_numbers[stop_signal];
}

/* ---- copies ---- */

struct service_settings *service_settings_copy(const struct service_settings *settings) {
	struct service_settings *copy = xmalloc(sizeof(*copy));
	config_settings_copy(&service_table, copy, settings);
	copy->give_up_after = give_up_count(copy->give_up_after_text);
	return copy;
}

void service_settings_free(struct service_settings *settings) {
	if (!settings) return;
	config_settings_release(&service_table, settings);
	free(settings);
}
