#include "tendd/settings.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "notify/notify.h"
#include "power/power.h"
#include "service/service.h"
#include "step/step.h"
#include "store/store.h"
#include "sync/sync.h"
#include "tendd/place.h"

static const char *const levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const formats[] = { "text", "json", NULL };
static const char *const stops[] = { "stop", "keep", NULL };

#define FIELD(member) offsetof(struct tend_settings, member)

/* What a running daemon stands on is RELOAD_REBUILD here: it holds from the next start of tendd. */
static const struct config_key keys[] = {
	{ .name = "include",
		.type = CONFIG_WORDS,
		.offset = FIELD(include),
		.help = "further files, in name order" },
	{ .name = "state_dir",
		.type = CONFIG_PATH,
		.offset = FIELD(state_dir),
		.reload = RELOAD_REBUILD,
		.help = "indexes and ledger; /var/lib/tend, or ~/.local/state/tend" },
	{ .name = "runtime_dir",
		.type = CONFIG_PATH,
		.offset = FIELD(runtime_dir),
		.reload = RELOAD_REBUILD,
		.help = "socket and FIFOs; /run/tend, or $XDG_RUNTIME_DIR/tend" },
	{ .name = "log_dir",
		.type = CONFIG_PATH,
		.offset = FIELD(log_dir),
		.reload = RELOAD_REBUILD,
		.help = "services' logs; /var/log/tend, or state_dir/logs" },
	{ .name = "log_level",
		.type = CONFIG_ENUM,
		.offset = FIELD(log_level),
		.preset = "info",
		.names = levels,
		.help = "what tendd itself says" },
	{ .name = "log_format",
		.type = CONFIG_ENUM,
		.offset = FIELD(log_format),
		.preset = "text",
		.names = formats,
		.help = "journald's priorities under systemd" },
	{ .name = "workers",
		.type = CONFIG_INT,
		.offset = FIELD(workers),
		.preset = "4",
		.min = 1,
		.max = 128,
		.reload = RELOAD_REBUILD,
		.help = "threads for blocking disk work" },
	{ .name = "max_transfers",
		.type = CONFIG_INT,
		.offset = FIELD(max_transfers),
		.preset = "64",
		.min = 1,
		.max = 4096,
		.reload = RELOAD_REBUILD,
		.help = "operations in flight, all remotes together" },
	{ .name = "buffer_limit",
		.type = CONFIG_SIZE,
		.offset = FIELD(buffer_limit_bytes),
		.preset = "32MiB",
		.min = 8LL << 20,
		.max = 64LL << 30,
		.reload = RELOAD_REBUILD,
		.help = "memory of bodies in flight, all remotes together" },
	{ .name = "on_stop",
		.type = CONFIG_ENUM,
		.offset = FIELD(on_stop),
		.preset = "stop",
		.names = stops,
		.help = "what a stop of tendd does with services; a restart keeps them" },
	{ .name = "network_timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(network_timeout_ms),
		.preset = "30s",
		.help = "after this 'network' counts as ready" },
	{ .name = "shutdown_timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(shutdown_timeout_ms),
		.preset = "90s",
		.min = 1000,
		.max = 7LL * 24 * 3600 * 1000,
		.help = "how long a stop goes on without progress" },
	{ .name = "path",
		.type = CONFIG_WORDS,
		.offset = FIELD(path),
		.reload = RELOAD_RESTART,
		.help = "put before PATH for all services and steps" },
	{ .name = "environment",
		.type = CONFIG_LINES,
		.offset = FIELD(environment),
		.reload = RELOAD_RESTART,
		.help = "NAME=value, one a line, for all services and steps" },
	{ .name = "upload_limit",
		.type = CONFIG_TEXT,
		.offset = FIELD(upload_limit),
		.help = "bytes a second of all remotes, or a timetable: 08:00-18:00 1MiB, else "
			"none" },
	{ .name = "download_limit",
		.type = CONFIG_TEXT,
		.offset = FIELD(download_limit),
		.help = "the same for what comes from remotes" },
	{ .name = "web",
		.type = CONFIG_TEXT,
		.offset = FIELD(web),
		.help = "127.0.0.1:8390: dashboard, API and metrics there; off" },
	{ .name = "web_allow_remote",
		.type = CONFIG_BOOL,
		.offset = FIELD(web_allow_remote),
		.preset = "no",
		.help = "yes: web may be an address that is not loopback" },
	{ .name = "web_token_file",
		.type = CONFIG_PATH,
		.offset = FIELD(web_token_file),
		.help = "its token, made at the first start; state_dir/web_token" },
};

static int tend_check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct tend_settings *tend = settings;
	(void)name;
	*key = "upload_limit";
	if (bandwidth_check(tend->upload_limit, err)) return -1;
	*key = "download_limit";
	if (bandwidth_check(tend->download_limit, err)) return -1;
	*key = "web";
	if (settings_web(tend) && control_web_check(tend->web, tend->web_allow_remote, err))
		return -1;
	for (size_t i = 0; tend->environment && tend->environment[i]; i++) {
		const char *equal = strchr(tend->environment[i], '=');
		if (equal && equal != tend->environment[i]) continue;
		*key = "environment";
		return err_set(err, ERR_INVALID, "'%s' is not NAME=value", tend->environment[i]);
	}
	for (size_t i = 0; tend->path && tend->path[i]; i++) {
		if (tend->path[i][0] == '/') continue;
		*key = "path";
		return err_set(err, ERR_INVALID, "'%s' in path is not absolute", tend->path[i]);
	}
	return 0;
}

bool settings_web(const struct tend_settings *settings) {
	return settings->web && *settings->web && !str_equal(settings->web, "off");
}

static const struct config_table tend_table = {
	.kind = "tend",
	.size = sizeof(struct tend_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = tend_check,
	.help = "tendd itself",
};

const struct config_table *const tendd_tables[] = { &tend_table, &store_remote_table,
	&sync_folder_table, &service_table, &step_table, &idle_table, &power_preempt_table,
	&notify_table, NULL };

char *home_find(struct err *err) {
	const char *home = getenv("HOME");
	if (home && *home == '/') return xstrdup(home);
	const struct passwd *entry = getpwuid(geteuid());
	if (entry && entry->pw_dir && *entry->pw_dir == '/') return xstrdup(entry->pw_dir);
	err_set(err, ERR_INVALID, "no home folder for uid %lu: set HOME", (unsigned long)geteuid());
	return NULL;
}

char *default_config_path(const char *home) {
	return geteuid() == 0 ? xstrdup(place_system_config()) : place_user_config(home);
}

char *default_runtime_dir(const char *home) {
	return geteuid() == 0 ? xstrdup(place_system_runtime_dir()) : place_user_runtime_dir(home);
}

void settings_complete(struct tend_settings *settings, const char *home) {
	bool root = geteuid() == 0;
	if (!settings->state_dir) {
		settings->state_dir =
			root ? xstrdup(place_system_state_dir()) : place_user_state_dir(home);
	}
	if (!settings->runtime_dir) settings->runtime_dir = default_runtime_dir(home);
	if (!settings->log_dir) {
		settings->log_dir = root ? xstrdup(place_system_log_dir())
					 : path_join(settings->state_dir, "logs");
	}
	if (!settings->web_token_file)
		settings->web_token_file = path_join(settings->state_dir, "web_token");
}

struct tend_settings *settings_of(const struct config *config) {
	return config_find(config, "tend", "")->settings;
}
